"""What is drawn over candles: fills, the spans of trades, stops."""

from typing import Any

import numpy as np
import polars as pl

from ml4t.backtest.report.figure import BLUE, ORANGE, PINK, RED
from ml4t.backtest.report.resolution import array, milliseconds

MANY = 300  # fills in a chart


def marks(fills: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one trace each for buys and sells; where they are many the marks are small."""
    traces = []
    size = 10 if fills.height <= MANY else 6
    for side, colour, mark in (("buy", BLUE, "triangle-up"), ("sell", ORANGE, "triangle-down")):
        part = fills.filter(pl.col("side") == side)
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
                "marker": {
                    "symbol": mark,
                    "size": size,
                    "color": colour,
                    "line": {"width": size / 10, "color": "#000000"},
                },
            }
        )
    return traces


def spans(trades: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the lines from entry to exit of closed trades, won and lost."""
    closed = trades.filter(~pl.col("is_open"))
    return [
        _segments(name, part, ("entry_time", "exit_time"), ("entry_price", "exit_price"), colour, "dot")
        for name, colour, part in (
            ("Trades won", BLUE, closed.filter(pl.col("pnl") > 0)),
            ("Trades lost", RED, closed.filter(pl.col("pnl") <= 0)),
        )
    ]


def stops(orders: pl.DataFrame, equity: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the stop prices of orders while they lived; of a trailing stop, where it was last."""
    if orders.is_empty() or equity.is_empty():
        return []
    ended = orders.with_columns(pl.col("closed_at").fill_null(equity["timestamp"][-1]))
    return [_segments("Stops", ended, ("submitted_at", "closed_at"), ("stop", "stop"), PINK, "solid")]


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
