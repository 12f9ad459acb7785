"""Bars: the stream that executes orders."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import nearest

from . import timeline as time
from . import validation
from .column import PRICES, Table, further_arrays, open_table, required_array, symbol_codes
from .quote import checked_columns
from .row import Rows
from .rules import StreamRules
from .source import open_source
from .stream import Input, Stream
from .validation import Findings
from .zone import Ns, Zone


def load_bars(source: object, rules: StreamRules, *, name: str = "bars") -> Stream:
    """Validated bars in order of (end, symbol). float64 columns of sorted frames are views, not copies.

    Columns (names compared without case): `timestamp` (or datetime, date, time), or `bar_start` and `bar_end`; `symbol`
    (or ticker, asset) unless `rules.symbol` names the only one; open, high, low, close, volume; any further numeric or
    boolean columns, under their own names. Others are left out with a warning.

    >>> import polars as pl
    >>> day = pl.Series(["2024-01-02", "2024-01-03"]).str.to_date()
    >>> frame = pl.DataFrame({"date": day, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 5})
    >>> load_bars(frame, StreamRules(symbol="SPX")).columns["close"].tolist()
    [2.0, 2.0]

    Raises:
        DataError: names the source, row, column, symbol and timestamp, and what to do.

    """
    table = open_table(open_source(source, name), (*PRICES, "volume"), is_bars=True)
    findings = Findings()
    codes, symbols = _symbols(table, rules)
    columns = {role: required_array(table, role) for role in (*PRICES, "volume")}
    further, ignored = further_arrays(table)
    if ignored:
        findings.warnings.append(f"Columns left out because they are not numbers: {', '.join(ignored)}.")
    zone = time.data_zone(table, rules)
    rows, line, is_naive = timed_rows(table, codes, columns | further, rules, zone)
    rows = validation.in_period(table, rows, rules, zone, findings=findings)
    rows = validation.check_values(table, rows, rules, findings)
    rows = checked_columns(table, rows, rules)
    rows = validation.drop_duplicates(table, rows, rules, findings, by_start=False)
    if line.label != TimestampLabel.SESSION:
        validation.check_overlap(table, rows, line)
    rows = rows.with_extended_sessions()
    validation.note_oddities(rows, line.label, is_naive, rules, findings)
    rows, symbols = _present_symbols(rows, symbols, findings)
    return finished_stream(table, rows, symbols, line, zone=zone, findings=findings)


def _symbols(table: Table, rules: StreamRules) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    codes, symbols = symbol_codes(table, rules.symbol)
    if codes is None:
        if rules.symbol is None:
            raise table.error("there is no symbol column", "Name the only symbol: symbol='SPX', or add the column.")
        codes, symbols = np.zeros(table.source.frame.height, np.int32), (rules.symbol,)
    universe = rules.universe
    if universe is None:
        return codes, symbols
    if len(set(universe)) < len(universe):
        twice = next(s for s in universe if universe.count(s) > 1)
        raise table.error(f"data.universe names {twice!r} twice", "Name every symbol once.")
    for symbol in symbols:
        if symbol not in universe:
            hint = nearest(symbol, universe)
            raise table.error(f"data.universe lacks the symbol {symbol!r}", f"Add it, or drop its rows.{hint}")
    for symbol in universe:
        if symbol not in symbols:
            hint = nearest(symbol, symbols)
            raise table.error(f"data.universe names {symbol!r}, which has no rows", f"Remove it.{hint}")
    place = np.array([universe.index(symbol) for symbol in symbols], np.int32)
    return place[codes], universe


def timed_rows(
    table: Table,
    codes: NDArray[np.int32],
    columns: dict[str, NDArray[np.float64]],
    rules: StreamRules,
    zone: Zone,
    *,
    arrival: Ns | None = None,
    is_bars: bool = True,
) -> tuple[Rows, time.Timeline, bool]:
    """All rows in order of time with starts, ends and sessions; also whether their timestamps were naive.

    With `arrival` `[N]`, start is the timestamp itself and end the arrival.

    Raises:
        DataError: times that cannot be read, mixed or out of order, or a frequency that cannot be inferred.

    """
    moments = time.read_moments(table, "timestamp", zone) if "timestamp" in table.role else None
    given = [time.read_moments(table, role, zone) for role in ("bar_start", "bar_end") if role in table.role]
    bounds = (given[0].utc, given[1].utc) if given else None
    all_moments = given + ([moments] if moments else [])
    if len({m.is_naive for m in all_moments if not m.is_date}) > 1:
        raise table.error("some time columns have a time zone and some have none", "Give all of them one.")
    label = time.resolve_label(table, moments, rules) if moments else TimestampLabel.START
    at = moments.utc if moments else given[0].utc
    if arrival is not None:
        key, tie = arrival, at
    elif bounds is not None:
        key, tie = bounds[1], bounds[0]
    else:
        key = tie = at
    position = np.arange(len(at), dtype=np.int64)
    order = validation.time_order(table, key, tie, codes, rules)
    if order is not None:
        position, codes, at = order, codes[order], at[order]
        moments = moments.take(order) if moments else None
        bounds = (bounds[0][order], bounds[1][order]) if bounds is not None else None
        arrival = arrival[order] if arrival is not None else None
        columns = {name: values[order] for name, values in columns.items()}
    frequency = rules.frequency_ns
    if frequency is None and bounds is None and arrival is None and label != TimestampLabel.SESSION:
        frequency = _inferred_frequency(table, at, codes)
    if arrival is not None and rules.calendar is not None:
        rules = replace(rules, calendar=None)  # what a row's date names does not matter: it is known from its arrival
    line = time.build(
        table, position, label, moments, bounds, frequency_ns=frequency, rules=rules, zone=zone, is_bars=is_bars
    )
    rows = Rows(position, codes, line.start, line.end, line.session, line.session_close, columns)
    if arrival is not None:
        rows = replace(rows, start=at, end=arrival)
    return rows, line, all_moments[0].is_naive


def _inferred_frequency(table: Table, at: Ns, codes: NDArray[np.int32]) -> int:
    order, same = Rows(at, codes, at, at, codes, at, {}).by_symbol
    gap = time.most_common_gap(at if order is None else at[order], same)
    if gap is None:
        raise table.error(
            "no symbol has two rows, so the length of the bars cannot be inferred",
            "Set data.frequency, such as '1m', or give bar_start and bar_end (or arrival).",
        )
    return gap


def _present_symbols(rows: Rows, symbols: tuple[str, ...], findings: Findings) -> tuple[Rows, tuple[str, ...]]:
    """The rows recoded to the symbols that still have any."""
    count = np.bincount(rows.symbol, minlength=len(symbols))
    if count.all():
        return rows, symbols
    absent = [symbol for symbol, n in zip(symbols, count, strict=True) if not n]
    findings.counts["symbols_without_rows"] = len(absent)
    findings.warnings.append(f"No rows are left of {len(absent)} symbols: {', '.join(absent[:5])}.")
    place = (np.cumsum(count > 0) - 1).astype(np.int32)
    return replace(rows, symbol=place[rows.symbol]), tuple(s for s, n in zip(symbols, count, strict=True) if n)


def finished_stream(
    table: Table, rows: Rows, symbols: tuple[str, ...], line: time.Timeline, *, zone: Zone, findings: Findings
) -> Stream:
    """The stream of these rows, read-only and described."""
    for times in (rows.start, rows.end, rows.session_close):
        times.setflags(write=False)
    for codes in (rows.symbol, rows.session):
        codes.setflags(write=False)
    for values in rows.columns.values():
        values.setflags(write=False)
    return Stream(
        name=table.source.name,
        symbols=symbols,
        symbol=rows.symbol,
        start=rows.start,
        end=rows.end,
        session_close=rows.session_close,
        session=rows.session,
        columns=rows.columns,
        position=rows.position,
        by_symbol=rows.by_symbol[0],
        label=line.label,
        is_subdaily=line.is_subdaily,
        description=input_of(table, rows, line, zone=zone, findings=findings),
    )


def input_of(table: Table, rows: Rows, line: time.Timeline, *, zone: Zone, findings: Findings) -> Input:
    """What the manifest says of the source of these rows."""
    source = table.source
    return Input(
        name=source.name,
        kind="frame" if source.path is None else "file",
        path=None if source.path is None else str(source.path),
        rows=source.frame.height,
        counts=findings.counts,
        label=line.rule,
        frequency_ns=line.frequency_ns,
        timezone=zone.name,
        warnings=tuple(findings.warnings),
        first=validation.iso(rows.start[0]) if len(rows) else "",
        last=validation.iso(rows.start[-1]) if len(rows) else "",
        digest=source.digest(),
        frame=source.frame if source.path is None else None,
    )
