"""Columns beside prices that fill rules read by name: quotes, VWAP, halts and price limits (docs/semantics/fills.md)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .column import Table
from .row import Rows
from .rules import StreamRules

ALWAYS_USED = ("halted", "limit_up", "limit_down")
PAIRS = (("bid", "ask"), ("open_bid", "open_ask"), ("limit_down", "limit_up"))
TOLERANCE = 1e-9  # relative: what adding up a VWAP may lose


def checked_columns(table: Table, rows: Rows, rules: StreamRules) -> Rows:
    """The rows with the columns that rules of the run read as they must be; a VWAP that rounding put outside its bar is inside.

    - What `rules.needs` names is finite; `halted` is not NaN. A price limit may be NaN: there is none.
    - bid ≤ ask, open_bid ≤ open_ask, limit_down ≤ limit_up; low ≤ vwap ≤ high.

    Columns that no rule reads may hold anything. A column that is needed and absent is reported when the rules are lowered.

    Raises:
        DataError: names the first row that breaks a rule.

    """
    names = _names(table, rows, (*rules.needs, *ALWAYS_USED))
    for key, name in names.items():
        values = rows.columns[name]
        if key in rules.needs:
            _require(
                table, rows, name, np.isfinite(values), f"is missing or not finite, and {rules.needs[key]} reads it"
            )
        elif key == "halted":
            _require(table, rows, name, ~np.isnan(values), "is missing: 0 or false where the symbol trades")
    for low, high in PAIRS:
        if low in names and high in names:
            is_crossed = rows.columns[names[low]] > rows.columns[names[high]]  # false where one is NaN
            _require(table, rows, names[low], ~is_crossed, f"is above {names[high]}", against=names[high])
    return _with_vwap_inside(table, rows, names["vwap"]) if "vwap" in names else rows


def _names(table: Table, rows: Rows, wanted: tuple[str, ...]) -> dict[str, str]:
    """The columns of these names, compared without case and surrounding blanks."""
    names: dict[str, str] = {}
    for name in table.rest:
        key = name.strip().lower()
        if key not in wanted:
            continue
        if key in names:
            raise table.error(
                f"the columns {names[key]!r} and {name!r} differ only in case or blanks", "Rename or drop one."
            )
        if name not in rows.columns:
            found = table.source.frame[name].dtype
            raise table.error(f"expected numbers or booleans, found {found}", "Convert it, or rename it.", column=name)
        names[key] = name
    return names


def _with_vwap_inside(table: Table, rows: Rows, name: str) -> Rows:
    vwap, low, high = rows.columns[name], rows.columns["low"], rows.columns["high"]
    if ((vwap >= low) & (vwap <= high)).all():
        return rows
    is_near = (vwap >= low - TOLERANCE * np.abs(low)) & (vwap <= high + TOLERANCE * np.abs(high))
    _require(table, rows, name, is_near, "is outside the bar, whose low and high it must lie between")
    return replace(rows, columns=rows.columns | {name: np.clip(vwap, low, high)})


def _require(
    table: Table, rows: Rows, name: str, holds: NDArray[np.bool_], problem: str, *, against: str | None = None
) -> None:
    if holds.all():
        return
    places = np.flatnonzero(~holds)
    row = int(rows.position[places].min())
    text = f"{table.source.frame[name][row]} {problem}"
    if against is not None:
        text += f", {table.source.frame[against][row]}"
    if len(places) > 1:
        text += f" (and {len(places) - 1} more row{'s' if len(places) > 2 else ''})"
    raise table.error(text, "Correct the row, or drop it.", row=row, column=name)
