"""What the strategy may see: the rows of all streams, and when each becomes known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import frozen
from ml4t.backtest.feed import Stream
from ml4t.backtest.inputs import Information, Streams

PRICES = ("open", "high", "low", "close", "volume")


def series_of(stream: Stream, number: int, symbols: int) -> NDArray[np.int64]:
    """The series of each row: one a symbol, and in information streams one more for rows that concern no symbol."""
    if number == 0:
        return stream.symbol.astype(np.int64)
    return symbols + (number - 1) * (symbols + 1) + np.where(stream.symbol < 0, symbols, stream.symbol)


def information_of(bars: Stream, streams: Sequence[Stream], last: int) -> Information:
    """The rows of all streams that arrive before the run ends, in order of arrival."""
    symbols = len(bars.symbols)
    stream = np.concatenate(
        [np.full(len(s.end), i, np.int64) for i, s in enumerate(streams, 1)] or [np.zeros(0, np.int64)]
    )
    row = np.concatenate([np.arange(len(s.end)) for s in streams] or [np.zeros(0, np.int64)])
    series = np.concatenate([series_of(s, i, symbols) for i, s in enumerate(streams, 1)] or [np.zeros(0, np.int64)])
    event = np.concatenate([s.start for s in streams] or [np.zeros(0, np.int64)])
    arrival = np.concatenate([s.end for s in streams] or [np.zeros(0, np.int64)])
    order = np.lexsort((row, stream, arrival))
    order = order[arrival[order] <= last]
    columns = {"stream": stream, "row": row, "series": series, "event": event, "arrival": arrival}
    return frozen(Information, **{name: column[order] for name, column in columns.items()})


def streams_of(bars: Stream, streams: Sequence[Stream], signals: int | None) -> Streams:
    """Where the columns of each stream lie."""
    columns = [len(bars.columns) - len(PRICES), *(len(s.columns) for s in streams)]
    rows = [len(bars.end), *(len(s.end) for s in streams)]
    stored = [len(bars.columns), *columns[1:]]
    sizes = np.multiply(columns, rows)
    values = np.multiply(stored, rows)
    return frozen(
        Streams,
        columns=columns,
        rows=rows,
        source_first=np.cumsum(sizes) - sizes,
        value_first=np.cumsum(values) - values,
        wakes=[signals is not None and i == signals + 1 for i in range(len(rows))],
    )


def beginnings(bars: Stream, streams: Sequence[Stream]) -> NDArray[np.int64]:
    """The first row of each series in the columns of its stream."""
    begin, symbols = [np.cumsum(bars.counts) - bars.counts], len(bars.symbols)
    for number, stream in enumerate(streams, 1):
        first = symbols + (number - 1) * (symbols + 1)
        rows = np.bincount(series_of(stream, number, symbols) - first, minlength=symbols + 1)
        begin.append(np.cumsum(rows) - rows)
    return np.concatenate(begin)


def sources_of(bars: Stream, streams: Sequence[Stream]) -> NDArray[np.float64]:
    """The columns of all streams, those of the bars that are no prices first."""
    extra = [values for name, values in bars.columns.items() if name not in PRICES]
    source = [*extra, *(values for s in streams for values in s.columns.values())]
    return np.concatenate(source) if source else np.zeros(0)


def complete_history(
    bars: Stream, streams: Sequence[Stream], information: Information, begin: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The history as it is at the end of the run: `History.value` of every run, once everything is known."""
    named = [*PRICES, *(name for name in bars.columns if name not in PRICES)]
    order = slice(None) if bars.by_symbol is None else bars.by_symbol
    parts = [bars.columns[name][order] for name in named]
    for number, stream in enumerate(streams, 1):
        arrived = information.stream == number
        row, series = information.row[arrived], information.series[arrived].astype(np.int64)
        order = np.argsort(series, kind="stable")
        row, series = row[order], series[order]
        place = begin[series] + np.arange(len(series)) - np.searchsorted(series, series)
        for values in stream.columns.values():
            column = np.zeros(len(values))
            column[place] = values[row]
            parts.append(column)
    return np.concatenate(parts)
