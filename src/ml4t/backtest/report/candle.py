"""Candlesticks with fills, stops and the spans of trades, for the symbols that were traded most."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.feed import Stream
from ml4t.backtest.report.figure import BLUE, GREEN, ORANGE, PINK, RED, Figure, figure
from ml4t.backtest.report.resolution import array, milliseconds
from ml4t.backtest.report.subject import Subject

SYMBOLS = 24  # symbols that get a chart
CANDLES = 9_000  # in all charts together
MARKS = 1_000  # trades, and stops, in all charts together


def charted(subject: Subject) -> list[str]:
    """Return the symbols to draw: those with most fills first, then the others in their order."""
    counts = dict(subject.fills.group_by("symbol").len().iter_rows())
    rank = {symbol: row for row, symbol in enumerate(subject.symbols)}
    return sorted(subject.symbols, key=lambda symbol: (-counts.get(symbol, 0), rank[symbol]))[:SYMBOLS]


def candle_figure(subject: Subject, symbol: str, share: int = 1) -> Figure:
    """Return the chart of one symbol, one of `share` that divide the candles among them. Raises: ValueError without bars."""
    if subject.bars is None:
        raise ValueError(subject.bars_missing or "the run has no bars")
    start, prices, group = candles(subject.bars, symbol, max(100, CANDLES // share))
    trace = {
        "type": "candlestick",
        "name": "Bars" if group == 1 else f"{group} bars a candle",
        "x": array(start),
        **{name: array(values, "f4") for name, values in prices.items()},
        "increasing": {"line": {"color": GREEN, "width": 1}},
        "decreasing": {"line": {"color": RED, "width": 1}},
        "meta": {"group": group},
    }
    most = max(20, MARKS // share)
    traces = [
        trace,
        *spans(subject.trades, symbol, most),
        *stops(subject, symbol, most),
        *marks(subject.fills, symbol, most),
    ]
    return figure(
        *traces,
        height=460,
        hovermode="closest",
        xaxis={"type": "date", "rangeslider": {"visible": False}},
        yaxis={"fixedrange": False},
    )


def candles(bars: Stream, symbol: str, most: int) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]], int]:
    """Return start (ms), open, high, low and close of at most `most` candles, and how many bars each stands for.

    Several bars become one as exchanges do it: first open, highest high, lowest low, last close.
    """
    rows = np.flatnonzero(bars.symbol == bars.symbols.index(symbol))
    group = -(-len(rows) // most) if len(rows) else 1
    first = np.arange(0, len(rows), group)
    last = np.minimum(first + group, len(rows)) - 1
    column = {name: bars.columns[name][rows] for name in ("open", "high", "low", "close")}
    if not len(rows):
        return np.zeros(0), {name: np.zeros(0) for name in column}, 1
    prices = {
        "open": column["open"][first],
        "high": np.maximum.reduceat(column["high"], first),
        "low": np.minimum.reduceat(column["low"], first),
        "close": column["close"][last],
    }
    return bars.start[rows][first] / 1e6, prices, group


def marks(fills: pl.DataFrame, symbol: str, most: int) -> list[dict[str, Any]]:
    """Return one trace each for buys and sells."""
    own = fills.filter(pl.col("symbol") == symbol).head(2 * most)
    traces = []
    for side, colour, mark in (("buy", BLUE, "triangle-up"), ("sell", ORANGE, "triangle-down")):
        part = own.filter(pl.col("side") == side)
        texts = part.select(
            pl.format("order {}: {} {} at {}", "order_id", pl.lit(side), "quantity", "price").alias("text")
        )["text"]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{side} fills",
                "x": array(milliseconds(part["timestamp"])),
                "y": array(part["price"].to_numpy()),
                "text": texts.to_list(),
                "hoverinfo": "text+x",
                "marker": {"symbol": mark, "size": 10, "color": colour, "line": {"width": 1, "color": "#000000"}},
            }
        )
    return traces


def spans(trades: pl.DataFrame, symbol: str, most: int) -> list[dict[str, Any]]:
    """Return the lines from entry to exit of closed trades, won and lost."""
    own = trades.filter(pl.col("symbol") == symbol, ~pl.col("is_open")).head(most)
    return [
        _segments(name, part, ("entry_time", "exit_time"), ("entry_price", "exit_price"), colour, "dot")
        for name, colour, part in (
            ("Trades won", BLUE, own.filter(pl.col("pnl") > 0)),
            ("Trades lost", RED, own.filter(pl.col("pnl") <= 0)),
        )
    ]


def stops(subject: Subject, symbol: str, most: int) -> list[dict[str, Any]]:
    """Return the stop prices of orders while they lived; of a trailing stop, where it was last."""
    own = subject.orders.filter(pl.col("symbol") == symbol, pl.col("stop").is_not_null()).head(most)
    if own.is_empty() or subject.equity.is_empty():
        return []
    own = own.with_columns(pl.col("closed_at").fill_null(subject.equity["timestamp"][-1]))
    return [_segments("Stops", own, ("submitted_at", "closed_at"), ("stop", "stop"), PINK, "solid")]


def _segments(
    name: str, frame: pl.DataFrame, times: tuple[str, str], values: tuple[str, str], colour: str, dash: str
) -> dict[str, Any]:
    """One trace of separate lines: a NaN after each."""
    gap = np.full(frame.height, np.nan)
    x = np.stack([*(milliseconds(frame[column]) for column in times), gap], axis=1).ravel()
    y = np.stack([*(frame[column].to_numpy() for column in values), gap], axis=1).ravel()
    x[2::3] = x[1::3]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": array(x),
        "y": array(y),
        "line": {"color": colour, "dash": dash, "width": 2},
        "hoverinfo": "skip",
        "connectgaps": False,
    }
