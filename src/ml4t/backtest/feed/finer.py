"""Finer bars inside execution bars: the path that prices took there. The strategy never sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import nearest

from . import timeline as time
from . import validation
from .bars import input_of, timed_rows
from .column import PRICES, Table, open_table, required_array, symbol_codes
from .row import Rows
from .rules import StreamRules
from .source import open_source
from .stream import Input, Stream
from .validation import Findings, iso
from .zone import Ns

TOLERANCE = 1e-9  # relative: prices of both come from the same trades, but may have been adjusted apart


@dataclass(frozen=True)
class FinerStream:
    """Finer bars in order of (end, symbol). Each lies in exactly one execution bar of its symbol, in time and in price."""

    row: NDArray[np.int64]  # [M] place of that bar among the execution bars
    start: Ns  # [M] UTC ns
    columns: dict[str, NDArray[np.float64]]  # open, high, low, close -> [M]
    description: Input


def load_finer(source: object, rules: StreamRules, bars: Stream, *, name: str = "finer") -> FinerStream:
    """Validated finer bars of some symbols for some period, each with the bar of `bars` in which it lies.

    Columns as those of bars, of which only times, symbol, open, high, low and close are read. With `rules.start` or
    `rules.end`, rows before the first and after the last bar of their symbol are left out.

    Raises:
        DataError: an unknown symbol, times or prices `load_bars` rejects, or a row that is not inside one bar of its symbol.

    """
    table = open_table(open_source(source, name), PRICES, is_bars=True)
    findings = Findings()
    codes = _codes(table, rules, bars.symbols)
    columns = {role: required_array(table, role) for role in PRICES}
    columns["volume"] = np.zeros(len(codes))  # nothing reads it, but prices are checked as those of bars
    zone = time.data_zone(table, rules)
    rows, line, is_naive = timed_rows(table, codes, columns, rules, zone, is_bars=False)
    if rules.start is not None or rules.end is not None:
        rows = _within_bars(rows, bars, findings)
    if len(rows):
        rows = validation.check_values(table, rows, rules, findings)
        rows = validation.drop_duplicates(table, rows, rules, findings, by_start=False)
        if line.label != TimestampLabel.SESSION:
            validation.check_overlap(table, rows, line)
        validation.note_oddities(rows, line.label, is_naive, rules, findings)
    place = _places(table, rows, bars)
    _check_prices(table, rows, bars, place)
    return FinerStream(
        row=place,
        start=rows.start,
        columns={role: rows.columns[role] for role in PRICES},
        description=input_of(table, rows, line, zone=zone, findings=findings),
    )


def _codes(table: Table, rules: StreamRules, symbols: tuple[str, ...]) -> NDArray[np.int32]:
    """The symbol of every row as an index into the symbols of the bars."""
    codes, own = symbol_codes(table, None)
    if codes is None:
        only = symbols[0] if len(symbols) == 1 else rules.symbol
        if only is None:
            raise table.error("there is no symbol column, and the bars have several symbols", "Add the column.")
        codes, own = np.zeros(table.source.frame.height, np.int32), (only,)
    for symbol in own:
        if symbol not in symbols:
            hint = nearest(symbol, symbols)
            raise table.error(f"the bars have no symbol {symbol!r}", f"Drop its rows, or add its bars.{hint}")
    return np.array([symbols.index(symbol) for symbol in own], np.int32)[codes]


def _within_bars(rows: Rows, bars: Stream, findings: Findings) -> Rows:
    """The rows between the start of the first and the end of the last bar of their symbol."""
    first = np.full(len(bars.symbols), np.iinfo(np.int64).max)
    last = np.full(len(bars.symbols), np.iinfo(np.int64).min)
    np.minimum.at(first, bars.symbol, bars.start)
    np.maximum.at(last, bars.symbol, bars.end)
    kept = rows.where((rows.start >= first[rows.symbol]) & (rows.end <= last[rows.symbol] + _slack(bars)))
    findings.counts["rows_outside_period"] = len(rows) - len(kept)
    return kept


def _slack(bars: Stream) -> int:
    """A day's bar made from a date ends one nanosecond before midnight, at which its last finer bar ends."""
    return 1 if bars.label == TimestampLabel.SESSION else 0


def _places(table: Table, rows: Rows, bars: Stream) -> NDArray[np.int64]:
    """For each row the bar of its symbol that starts at or before it and ends at or after it.

    Raises:
        DataError: there is none; names the row and the bar of its symbol before it.

    """
    place, symbols = np.full(len(rows), -1), len(bars.symbols)
    coarse, fine = (
        np.split(
            np.arange(len(codes)) if order is None else order, np.cumsum(np.bincount(codes, minlength=symbols))[:-1]
        )
        for codes, order in ((bars.symbol, bars.by_symbol), (rows.symbol, rows.by_symbol[0]))
    )
    for theirs, own in zip(coarse, fine, strict=True):
        before = np.searchsorted(bars.start[theirs], rows.start[own], side="right") - 1
        place[own] = np.where(before < 0, -1, theirs[before])
    is_inside = (place >= 0) & (rows.end <= bars.end[place] + _slack(bars))
    if not is_inside.all():
        wrong = _first(rows, ~is_inside)
        near = int(place[wrong])
        which = "no bar of its symbol starts before it" if near < 0 else f"the bar before it is {_bar(bars, near)}"
        raise table.error(
            f"the finer bar {iso(rows.start[wrong])} to {iso(rows.end[wrong])} lies in no bar of its symbol: {which} "
            f"({np.count_nonzero(~is_inside)} such rows in all)",
            "Drop the row, add the bar, or check label, frequency and timezone of both.",
            row=int(rows.position[wrong]),
        )
    return place


def _check_prices(table: Table, rows: Rows, bars: Stream, place: NDArray[np.int64]) -> None:
    low, high = bars.columns["low"][place], bars.columns["high"][place]
    for name, is_outside, limit in (
        ("low", rows.columns["low"] < low - TOLERANCE * np.abs(low), low),
        ("high", rows.columns["high"] > high + TOLERANCE * np.abs(high), high),
    ):
        if is_outside.any():
            wrong = _first(rows, is_outside)
            raise table.error(
                f"{rows.columns[name][wrong]} is beyond the {name} {limit[wrong]} of its bar, {_bar(bars, int(place[wrong]))} "
                f"({np.count_nonzero(is_outside)} such rows in all)",
                "Correct one of them; both must have the same adjustments for splits and dividends.",
                row=int(rows.position[wrong]),
                column=table.role[name],
            )


def _bar(bars: Stream, place: int) -> str:
    return f"row {bars.position[place]} of {bars.name}, {iso(bars.start[place])} to {iso(bars.end[place])}"


def _first(rows: Rows, wrong: NDArray[np.bool_]) -> int:
    places = np.flatnonzero(wrong)
    return int(places[rows.position[places].argmin()])
