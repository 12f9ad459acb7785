"""The bars that execute orders: their rows, the finer bars inside them, and the instants at which they start and end."""

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import frozen
from ml4t.backtest.feed import FinerStream, Stream
from ml4t.backtest.inputs import Bars, FinerBars, Timeline
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.lower.history import PRICES


def execution_bars(bars: Stream) -> Bars:
    """The bars, and the place of each among those of its symbol and of its session."""
    order = bars.by_symbol
    symbol, session = (bars.symbol, bars.session) if order is None else (bars.symbol[order], bars.session[order])
    ordinal = np.arange(len(session), dtype=np.int32)
    changes = session[1:] != session[:-1]
    if order is not None:
        count = bars.counts
        ordinal -= np.repeat((np.cumsum(count) - count).astype(np.int32), count)
        changes |= symbol[1:] != symbol[:-1]
    edge = np.ones(len(session), np.int8)
    edge[1:] = changes
    edge[:-1] += 2 * changes.view(np.int8)
    edge[-1:] += 2
    return frozen(
        Bars,
        symbol=bars.symbol,
        start=bars.start,
        end=bars.end,
        session_close=bars.session_close,
        ordinal=_in_rows(ordinal, order),
        session_edge=_in_rows(edge, order),
        **{p: bars.columns[p] for p in PRICES},
    )


def _in_rows(values: NDArray[np.generic], order: NDArray[np.int64] | None) -> NDArray[np.generic]:
    if order is None:
        return values
    placed = np.empty_like(values)
    placed[order] = values
    return placed


def finer_bars(bars: Stream, finer: FinerStream | None) -> FinerBars:
    """The finer bars in order of (execution bar, time); none of their prices is outside that bar, not even by rounding."""
    if finer is None:
        return frozen(FinerBars, first=[], open=[], high=[], low=[], close=[])
    order = np.lexsort((finer.start, finer.row))
    row = finer.row[order]
    low, high = bars.columns["low"][row], bars.columns["high"][row]
    return frozen(
        FinerBars,
        first=np.searchsorted(row, np.arange(len(bars.end) + 1)),
        **{name: np.clip(finer.columns[name][order], low, high) for name in ("open", "high", "low", "close")},
    )


def instants_of(bars: Stream, arrivals: NDArray[np.int64]) -> Timeline:
    """The instants at which a bar ends or starts or information arrives, increasing."""
    n, instants = len(bars.end), 2 * len(bars.end) + len(arrivals)
    order = None if _starts_in_order(bars) else np.lexsort((bars.symbol, bars.start))
    starts = bars.start if order is None else bars.start[order]
    time, offsets = np.empty(instants, np.int64), [np.empty(instants + 1, np.int32) for _ in range(3)]
    count = entry_point("merge")(bars.end, starts, arrivals, time, *offsets)
    end_first, start_first, information_first = (offset[: count + 1] for offset in offsets)
    return frozen(
        Timeline,
        time=time[:count],
        end_first=end_first,
        start_first=start_first,
        start_row=np.arange(n) if order is None else order,
        information_first=information_first,
    )


def _starts_in_order(bars: Stream) -> bool:
    """Whether rows are in order of (start, symbol) as they are, as those of equally long bars: it spares the sort."""
    before, after = bars.start[:-1], bars.start[1:]
    return bool(((before < after) | ((before == after) & (bars.symbol[:-1] < bars.symbol[1:]))).all())
