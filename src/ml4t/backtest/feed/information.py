"""Information: signals, features and other rows that inform but never execute orders."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import nearest

from . import timeline as time
from . import validation
from .bars import finished_stream, timed_rows
from .column import Table, further_arrays, open_table, symbol_codes
from .rules import StreamRules
from .session import session_bounds
from .source import open_source
from .stream import Stream
from .validation import Findings
from .zone import Ns, Zone


def load_information(
    source: object,
    rules: StreamRules,
    *,
    name: str,
    symbols: tuple[str, ...],
    like: Stream | None = None,
    repeats: bool = False,
) -> Stream:
    """Rows in order of (arrival, symbol, event), each known from its arrival.

    Columns: `timestamp`, the event's time (or `bar_start` and `bar_end`); optional `arrival` (or known_at), else a row
    is known at the end of its bar by the label rules; optional `symbol`, else the rows concern `rules.symbol` or no
    particular one (-1); all other numeric or boolean columns are values, in which NaN is allowed and null becomes NaN.
    An arrival given as a Date means the end of that date's session. `rules.start` drops nothing: older rows stay known.
    `like`: bars whose labels and frequency are those of rows that say nothing else. `repeats`: rows may be equal in all three times.

    >>> at = pl.Series(["2024-01-02T10:30:05"]).str.to_datetime()
    >>> signals = pl.DataFrame({"timestamp": at, "arrival": at, "symbol": ["SPX"], "score": [0.7]})
    >>> load_information(signals, StreamRules(), name="signals", symbols=("SPX",)).columns["score"].tolist()
    [0.7]

    Raises:
        DataError: an arrival before its event, an unknown symbol, no numeric column, or times `load_bars` rejects.

    """
    table = open_table(open_source(source, name), (), is_bars=False)
    findings = Findings()
    codes = _codes(table, rules, symbols)
    columns, ignored = further_arrays(table)
    if not columns:
        raise table.error("there is no numeric column besides the times", f"Found {table.source.frame.columns}.")
    if ignored:
        findings.warnings.append(f"Columns left out because they are not numbers: {', '.join(ignored)}.")
    zone = time.data_zone(table, rules)
    if like is not None and not {"arrival", "bar_end"} & table.role.keys():
        rules = _labelled_like(like, table, rules, zone)
    arrival = _arrival(table, rules, zone, findings) if "arrival" in table.role else None
    rows, line, is_naive = timed_rows(table, codes, columns, rules, zone, arrival=arrival, is_bars=False)
    rows = validation.in_period(table, rows, rules, zone, findings=findings, from_start=False)
    if not repeats:
        rows = validation.drop_duplicates(table, rows, rules, findings, by_start=True)
    early = rows.end < rows.start
    if early.any():
        row = int(rows.position[early].min())
        column = table.role.get("arrival") or table.role["bar_end"]
        value = table.source.frame[column][row]
        raise table.error(f"{value} is before the event itself", "Correct the row.", row=row, column=column)
    if arrival is None:  # with arrivals, the labels do not decide when a row is known
        validation.note_oddities(rows, line.label, is_naive, rules, findings)
    return finished_stream(table, rows, symbols, line, zone=zone, findings=findings)


def _labelled_like(bars: Stream, table: Table, rules: StreamRules, zone: Zone) -> StreamRules:
    """The rules by which a row is known when the bar ends that has its label; one that is a date, when its session ends."""
    remedy = "Say when each row becomes known: add the column arrival (or known_at)."
    name, has_dates = table.role["timestamp"], time.read_moments(table, "timestamp", zone).days is not None
    if bars.label == TimestampLabel.SESSION:
        if not has_dates:
            raise table.error("the bars are labelled by dates, and these rows are not", remedy, column=name)
        return replace(rules, label=TimestampLabel.SESSION, frequency_ns=None)
    if bars.is_subdaily and has_dates:
        return replace(rules, label=TimestampLabel.SESSION, frequency_ns=None)
    if bars.description.frequency_ns is None:
        raise table.error(
            "the bars have no common length, so a label does not say when a bar ends", remedy, column=name
        )
    return replace(rules, label=bars.label, frequency_ns=bars.description.frequency_ns)


def _codes(table: Table, rules: StreamRules, symbols: tuple[str, ...]) -> NDArray[np.int32]:
    codes, own = symbol_codes(table, None)
    if codes is None:
        index = symbols.index(rules.symbol) if rules.symbol in symbols else -1
        return np.full(table.source.frame.height, index, np.int32)
    for symbol in own:
        if symbol not in symbols:
            column = table.role["symbol"]
            row = (table.source.frame[column].cast(pl.String) == symbol).arg_max()
            remedy = f"Drop its rows, or add its bars.{nearest(symbol, symbols)}"
            raise table.error(f"the bars have no symbol {symbol!r}", remedy, row=row, column=column)
    return np.array([symbols.index(symbol) for symbol in own], np.int32)[codes]


def _arrival(table: Table, rules: StreamRules, zone: Zone, findings: Findings) -> Ns:
    moments = time.read_moments(table, "arrival", zone)
    if "timestamp" in table.role:
        event = table.source.frame[table.role["timestamp"]].dtype
        has_zone = getattr(event, "time_zone", None) is not None
        if isinstance(event, pl.Datetime) and not moments.is_date and has_zone == moments.is_naive:
            raise table.error("one of timestamp and arrival has a time zone and one has none", "Give both one.")
    if moments.is_date and moments.days is not None:
        return session_bounds(table, np.arange(len(moments.utc)), moments.days, rules, zone, "arrival")[1]
    if moments.days is not None:
        findings.warnings.append(
            "Every arrival is a midnight, so rows are known from the beginning of that day. If they are dates, cast "
            "the column to Date: rows are then known at the end of the day's session."
        )
    return moments.utc
