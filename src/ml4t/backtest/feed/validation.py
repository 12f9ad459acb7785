"""What rows must satisfy. Each rule raises, or drops and counts where a policy says so."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.config.period import first_ns, last_ns
from ml4t.backtest.enums import DuplicatePolicy, MissingPolicy, PricePolicy, TimestampLabel
from ml4t.backtest.errors import DataError

from .column import PRICES, Table
from .row import Rows
from .rules import StreamRules
from .timeline import Timeline, most_common_gap
from .zone import DAY, Ns, Zone

Mask = NDArray[np.bool_]


@dataclass
class Findings:
    """What policies did (`counts`) and what the user should know (`warnings`), for the manifest."""

    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def iso(instant: int | np.int64) -> str:
    """A UTC instant in ISO 8601, without trailing zeros."""
    text = str(np.datetime64(int(instant), "ns"))
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "Z"


def time_order(table: Table, key: Ns, tie: Ns, codes: NDArray[np.int32], rules: StreamRules) -> Ns | None:
    """Places `[N]` in order of (key, symbol, tie), rows that are equal in the order given; None if that is their order.

    Rows of one instant may come in any order. `tie` is the other time of a row; rows sorted by it are sorted too.

    Raises:
        DataError: the rows are not in order of time and `rules.sort` is false.

    """
    if (key[1:] >= key[:-1]).all():
        equal = key[1:] == key[:-1]
        if not equal.any():
            return None
        before = (codes[1:] < codes[:-1]) | ((codes[1:] == codes[:-1]) & (tie[1:] < tie[:-1]))
        return np.lexsort((tie, codes, key)) if (equal & before).any() else None
    if not rules.sort and not (tie is not key and (tie[1:] >= tie[:-1]).all()):
        row = int(np.argmax(key[1:] < key[:-1])) + 1
        raise table.error(
            f"out of order: {iso(key[row])} comes after {iso(key[row - 1])} of row {row - 1}",
            "Sort the rows by timestamp, or set data.sort = true.",
            row=row,
        )
    return np.lexsort((tie, codes, key))


def in_period(
    table: Table, rows: Rows, rules: StreamRules, zone: Zone, *, findings: Findings, from_start: bool = True
) -> Rows:
    """The rows that start within [rules.start, rules.end]; a date as `end` means its whole day.

    Raises:
        DataError: start after end, or no row is left.

    """
    low, high = first_ns(rules.start, zone.name), last_ns(rules.end, zone.name)
    if low > high:
        raise DataError(f"{table.source.place}: data.start {rules.start} is after data.end {rules.end}. Swap them.")
    if rules.start is None and rules.end is None:
        return rows
    keep = rows.start <= high
    if from_start:
        keep &= rows.start >= low
    kept = rows.where(keep)
    findings.counts["rows_outside_period"] = len(rows) - len(kept)
    if not len(kept) and from_start:
        raise DataError(
            f"{table.source.place}: no row lies between data.start {rules.start} and data.end {rules.end}. "
            f"The data runs from {iso(rows.start.min())} to {iso(rows.start.max())}."
        )
    return kept


def check_values(table: Table, rows: Rows, rules: StreamRules, findings: Findings) -> Rows:
    """The rows whose prices and volume make sense.

    - Prices and volume are finite (`rules.missing`); prices are positive (`rules.non_positive`); volume is ≥ 0.
    - low ≤ open, close ≤ high.

    Raises:
        DataError: names the first row that breaks a rule.

    """
    prices = [rows.columns[name] for name in PRICES]
    volume = rows.columns["volume"]
    is_clean = volume.min() >= 0 and volume.max() < np.inf and all(p.min() > 0 and p.max() < np.inf for p in prices)
    if not is_clean:
        rows = _drop_missing(table, rows, rules, findings)
        rows = _judge_prices(table, rows, rules, findings)
        _require(table, rows, "volume", rows.columns["volume"] >= 0, problem="is negative", remedy="Correct it.")
    _check_range(table, rows)
    return rows


def _drop_missing(table: Table, rows: Rows, rules: StreamRules, findings: Findings) -> Rows:
    names = (*PRICES, "volume")
    finite = {name: np.isfinite(rows.columns[name]) for name in names}
    keep = np.logical_and.reduce(list(finite.values()))
    if keep.all():
        return rows
    if rules.missing == MissingPolicy.ERROR:
        place = _first(rows, ~keep)
        name = next(name for name in names if not finite[name][place])
        remedy = "Repair the data, or set data.policy.missing = 'drop'."
        _require(table, rows, name, finite[name], problem="is missing or not finite", remedy=remedy)
    return _drop(table, rows, keep, "rows_dropped_missing", findings)


def _judge_prices(table: Table, rows: Rows, rules: StreamRules, findings: Findings) -> Rows:
    keep = np.logical_and.reduce([rows.columns[name] > 0 for name in PRICES])
    if keep.all():
        return rows
    if rules.non_positive == PricePolicy.ALLOW:
        findings.counts["rows_kept_non_positive"] = int(np.count_nonzero(~keep))
        return rows
    if rules.non_positive == PricePolicy.ERROR:
        remedy = "Repair the data, or set data.policy.non_positive = 'drop' or 'allow'."
        for name in PRICES:
            _require(table, rows, name, rows.columns[name] > 0, problem="is not positive", remedy=remedy)
    return _drop(table, rows, keep, "rows_dropped_non_positive", findings)


def _check_range(table: Table, rows: Rows) -> None:
    bar = rows.columns
    remedy = "Correct the row: low ≤ open, close ≤ high."
    for name in ("low", "open", "close"):
        _require(
            table, rows, name, bar[name] <= bar["high"], problem="is above the high", remedy=remedy, against="high"
        )
    for name in ("open", "close"):
        _require(table, rows, name, bar[name] >= bar["low"], problem="is below the low", remedy=remedy, against="low")


def _require(
    table: Table, rows: Rows, name: str, holds: Mask, *, problem: str, remedy: str, against: str | None = None
) -> None:
    if holds.all():
        return
    wrong = ~holds
    row = int(rows.position[_first(rows, wrong)])
    column = table.role[name]
    problem = f"{table.source.frame[column][row]} {problem}"
    if against:
        problem += f" {table.source.frame[table.role[against]][row]}"
    more = int(np.count_nonzero(wrong)) - 1
    if more:
        problem += f" (and {more} more row{'s' if more > 1 else ''})"
    raise table.error(problem, remedy, row=row, column=column)


def _first(rows: Rows, wrong: Mask) -> int:
    places = np.flatnonzero(wrong)
    return int(places[rows.position[places].argmin()])


def _drop(table: Table, rows: Rows, keep: Mask, count: str, findings: Findings) -> Rows:
    kept = rows.where(keep)
    findings.counts[count] = len(rows) - len(kept)
    if not len(kept):
        raise DataError(f"{table.source.place}: no row is left; {count} = {len(rows)}. Repair the data.")
    return kept


def drop_duplicates(table: Table, rows: Rows, rules: StreamRules, findings: Findings, *, by_start: bool) -> Rows:
    """The rows without those that share symbol and end (and, for information, start) with another.

    Raises:
        DataError: there are some, even if identical, and `rules.duplicates` is ERROR.

    """
    same = (rows.end[1:] == rows.end[:-1]) & (rows.symbol[1:] == rows.symbol[:-1])
    if by_start:
        same &= rows.start[1:] == rows.start[:-1]
    if not same.any():
        return rows
    if rules.duplicates == DuplicatePolicy.ERROR:
        place = int(same.argmax())
        first, second = sorted(int(row) for row in rows.position[place : place + 2])
        raise table.error(
            f"same timestamp and symbol as row {first} ({int(same.sum())} duplicated rows in all)",
            "Remove the duplicates, or set data.policy.duplicates = 'keep_first' or 'keep_last'.",
            row=second,
        )
    keeps_first = rules.duplicates == DuplicatePolicy.KEEP_FIRST
    keep = np.concatenate(([True], ~same) if keeps_first else (~same, [True]))
    return _drop(table, rows, keep, "duplicates_dropped", findings)


def check_overlap(table: Table, rows: Rows, timeline: Timeline) -> None:
    """Bars end after they start, and bars of one symbol do not overlap.

    Raises:
        DataError: names the bar and its successor.

    """
    order, same = rows.by_symbol
    start = rows.start if order is None else rows.start[order]
    end = rows.end if order is None else rows.end[order]
    position = rows.position if order is None else rows.position[order]
    if (end <= start).any():
        place = int((end <= start).argmax())
        raise table.error("bar_end is not after bar_start", "Correct the row.", row=int(position[place]))
    overlap = start[1:] < end[:-1]
    if same is not None:
        overlap &= same
    if overlap.any():
        place = int(overlap.argmax())
        length = timeline.frequency_ns
        cause = f" (bars last {length / 1e9:g} s by data.frequency or the most common gap)" if length else ""
        raise table.error(
            f"the bar [{iso(start[place])}, {iso(end[place])}] overlaps the next one of its symbol, which starts at "
            f"{iso(start[place + 1])}{cause}",
            "Set data.frequency to the length of the bars, or give the columns bar_start and bar_end.",
            row=int(position[place]),
        )


def note_oddities(rows: Rows, label: TimestampLabel, is_naive: bool, rules: StreamRules, findings: Findings) -> None:
    """Warns of jumps by more than half, date labels further apart than a day, and naive times without a zone."""
    order, same = rows.by_symbol
    if label == TimestampLabel.SESSION:
        gap = most_common_gap(rows.start if order is None else rows.start[order], same)
        if gap is not None and gap > 2 * DAY - DAY // 12:
            findings.warnings.append(
                f"The dates are {round(gap / DAY)} days apart, but a date label means one day: each row is known at "
                "the end of its date. For longer bars set data.frequency (the date is then their start)."
            )
    elif is_naive and rules.timezone is None:
        findings.warnings.append("Timestamps without a time zone were taken as UTC; data.timezone declares another.")
    close = rows.columns.get("close")
    if close is not None:
        close = close if order is None else close[order]
        after, before = close[1:], close[:-1]
        jump = (after > 1.5 * before) | (after < 0.5 * before)
        count = int(np.count_nonzero(jump if same is None else jump & same))
        if count:
            findings.counts["close_jumps"] = count
            findings.warnings.append(
                f"{count} closes are above 1.5 or below 0.5 times the one before: splits or errors in the data?"
            )
