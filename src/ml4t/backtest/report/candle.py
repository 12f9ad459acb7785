"""Candlesticks with fills, stops and the spans of trades, for the symbols that were traded most; finer where the reader zooms in."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.feed import Stream
from ml4t.backtest.report.figure import GREEN, RED, Figure, figure
from ml4t.backtest.report.mark import marks, spans, stops
from ml4t.backtest.report.resolution import array, level, milliseconds
from ml4t.backtest.report.subject import Subject

SYMBOLS = 24  # that get a chart
WHOLE = 3_000  # bars up to which a history is drawn as it is
OVERVIEW = 1_500  # candles of a longer one
LEVELS = (9_000, 54_000)  # candles of its finer copies, in all charts together
DETAIL = 30_000  # single bars around trades, in all charts together
AROUND = (60, 30, 15, 8, 4)  # bars before and after a trade: the most for which there is room
TRADES = 1_200  # that are listed, and drawn
FILLS, STOPS = 4_000, 2_400  # in all charts together

Prices = dict[str, NDArray[np.float64]]


def charted(subject: Subject) -> list[str]:
    """Return the symbols to draw: those with most fills first, then the others in their order."""
    counts = dict(subject.fills.group_by("symbol").len().iter_rows())
    rank = {symbol: row for row, symbol in enumerate(subject.symbols)}
    return sorted(subject.symbols, key=lambda symbol: (-counts.get(symbol, 0), rank[symbol]))[:SYMBOLS]


def candle_figure(subject: Subject, symbol: str, symbols: list[str] | None = None) -> Figure:
    """Return the chart of one symbol, one of `symbols` that divide among them what a page holds; None: alone.

    Raises: ValueError without bars.
    """
    if subject.bars is None:
        raise ValueError(subject.bars_missing or "the run has no bars")
    among = symbols or [symbol]
    trades = subject.trades.head(TRADES).filter(pl.col("symbol") == symbol)
    is_drawn = pl.col("symbol").is_in(among)
    fills = subject.fills.filter(is_drawn).head(FILLS).filter(pl.col("symbol") == symbol)
    orders = subject.orders.filter(is_drawn, pl.col("stop").is_not_null()).head(STOPS)
    traces = [
        candle_trace(subject.bars, symbol, trades, len(among)),
        *spans(trades),
        *stops(orders.filter(pl.col("symbol") == symbol), subject.equity),
        *marks(fills),
    ]
    return figure(
        *traces,
        height=460,
        hovermode="closest",
        xaxis={"type": "date", "rangeslider": {"visible": False}},
        yaxis={"fixedrange": False},
    )


def candle_trace(bars: Stream, symbol: str, trades: pl.DataFrame, share: int = 1) -> dict[str, Any]:
    """Return the trace of a symbol's candles, with its share of the levels to zoom into in `meta`.

    - Up to `WHOLE` bars are drawn as they are. Of more there is an overview, and copies of ever smaller candles.
    - The last level is single bars: all of them if there is room, else those around trades.
    """
    rows = np.flatnonzero(bars.symbol == bars.symbols.index(symbol))
    start = bars.start[rows] / 1e6
    column = {name: bars.columns[name][rows] for name in ("open", "high", "low", "close")}
    count = len(rows)
    group = 1 if count <= WHOLE else -(-count // OVERVIEW)
    x, prices = grouped(start, column, group)
    finer = {-(-count // (size // share)) for size in LEVELS if group > 1}
    levels = [
        level(*grouped(start, column, size), name=_name(size))
        for size in sorted((size for size in finer if size < group), reverse=True)
    ]
    if group > 1 and 1 not in finer and (around := stretches(trades, start, DETAIL // share)):
        chosen = np.concatenate([np.arange(first, last) for first, last in around])
        edges = np.cumsum([0, *(last - first for first, last in around)]).tolist()
        exact = {name: values[chosen] for name, values in column.items()}
        levels.append(level(start[chosen], exact, list(pairwise(edges)), name=_name(1)))
    return {
        "type": "candlestick",
        "name": _name(group),
        "x": array(x),
        **{name: array(values, "f4") for name, values in prices.items()},
        "increasing": {"line": {"color": GREEN, "width": 1}},
        "decreasing": {"line": {"color": RED, "width": 1}},
        "meta": {
            "group": group,
            "points": len(x),
            "step": float(np.median(np.diff(start))) if count > 1 else 0.0,
            **({"levels": levels} if levels else {}),
        },
    }


def grouped(start: NDArray[np.float64], column: Prices, group: int) -> tuple[NDArray[np.float64], Prices]:
    """Return starts and prices of candles of `group` bars, as exchanges make them: first open, highest high, lowest low, last close."""
    first = np.arange(0, len(start), group)
    last = np.minimum(first + group, len(start)) - 1
    if not len(start):
        return start, column
    return start[first], {
        "open": column["open"][first],
        "high": np.maximum.reduceat(column["high"], first),
        "low": np.minimum.reduceat(column["low"], first),
        "close": column["close"][last],
    }


def stretches(trades: pl.DataFrame, start: NDArray[np.float64], most: int) -> list[tuple[int, int]]:
    """Return the stretches of bars `[first, last)` around trades, in order and apart, as wide as `most` bars allow."""
    entry, leave = (
        np.searchsorted(start, milliseconds(trades[name].fill_null(trades["entry_time"])), "right")
        for name in ("entry_time", "exit_time")
    )
    for around in AROUND:
        found = _around(entry, leave, len(start), around)
        if sum(last - first for first, last in found) <= most:
            return found
    within = np.cumsum([last - first for first, last in found]) <= most
    return found[: int(within.sum())]


def _around(entry: NDArray[np.int64], leave: NDArray[np.int64], count: int, around: int) -> list[tuple[int, int]]:
    """A trade of few bars lies in one stretch, of a longer one entry and exit have one each; those that meet are one."""
    is_short = leave - entry <= 4 * around
    first = np.concatenate((entry, leave[~is_short]))
    last = np.concatenate((np.where(is_short, leave, entry), leave[~is_short]))
    found: list[tuple[int, int]] = []
    for row in np.argsort(first, kind="stable"):
        begin, end = max(0, int(first[row]) - around), min(count, int(last[row]) + around)
        if found and begin <= found[-1][1]:
            begin, end = found[-1][0], max(end, found.pop()[1])
        found.append((begin, end))
    return found


def _name(group: int) -> str:
    return "Bars" if group == 1 else f"{group:,} bars a candle"
