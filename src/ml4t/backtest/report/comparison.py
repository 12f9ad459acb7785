"""Runs side by side: which settings differ, whose metrics are better, which trades match, and where the runs part."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from ml4t.backtest.metrics import METRICS
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import printable

HIGHER = {
    *("final_equity", "total_return", "cagr", "sharpe", "sortino", "calmar", "max_drawdown", "value_at_risk"),
    *("conditional_value_at_risk", "best_period", "worst_period", "win_rate", "profit_factor", "average_win"),
    *("average_loss", "payoff_ratio", "expectancy", "largest_win", "largest_loss"),
}
LOWER = {
    *("volatility", "max_drawdown_duration", "longest_losing_streak", "commission", "slippage", "cost"),
    *("cost_to_traded_value", "cost_to_initial_cash", "rejected_orders", "stale_marks"),
}
"""Metrics with a better side. Losses are negative numbers, so less of a loss is higher; the others have no better side."""

KEY = ("symbol", "direction", "entry_time")


@dataclass(frozen=True)
class Divergence:
    """The first moment at which two runs did not do the same."""

    time: datetime
    frame: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M:%S}, {self.frame}: {self.left} | {self.right}"


def settings(subjects: list[Subject]) -> dict[str, list[Any]]:
    """Return the settings and parameters that are not the same in all runs; the output folder is none of them."""
    flat = [_strategy(subject) | subject.config.flatten() for subject in subjects]
    keys = [key for key in dict.fromkeys(key for one in flat for key in one) if not key.startswith("output.")]
    rows = {key: [one.get(key) for one in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def _strategy(subject: Subject) -> dict[str, Any]:
    """Name and parameters of the strategy, as a configuration spells them; runs from Python have them nowhere else."""
    parameters = {f"strategy.parameters.{name}": value for name, value in subject.strategy.parameters.items()}
    return {"strategy.name": subject.strategy.name, **parameters}


def best(name: str, values: list[Any]) -> int | None:
    """Return the place of the best value of a metric; None where it has no better side, or all are equal or missing."""
    known = [(value, place) for place, value in enumerate(values) if isinstance(value, int | float)]
    if name not in HIGHER | LOWER or len({value for value, _ in known}) < 2:
        return None
    ranked = sorted(known, key=lambda pair: -pair[0] if name in HIGHER else pair[0])
    return ranked[0][1] if ranked[0][0] != ranked[1][0] else None


def metrics(subjects: list[Subject]) -> dict[str, list[Any]]:
    """Return every metric of every run."""
    return {name: [subject.metrics.get(name) for subject in subjects] for name in METRICS}


def matched_trades(left: Subject, right: Subject) -> pl.DataFrame:
    """Return trades of two runs side by side: `status` is both, left or right; `difference` is the right P&L less the left.

    Trades match when symbol, direction and entry time are the same; of several such the first matches the first.
    """
    place = pl.int_range(pl.len()).over(KEY).alias("place")
    columns = (*KEY, "place", "trade_id", "quantity", "entry_price", "exit_time", "pnl")
    a, b = (subject.trades.with_columns(place).select(columns) for subject in (left, right))
    joined = a.join(b, on=[*KEY, "place"], how="full", coalesce=True, suffix="_right")
    status = (
        pl.when(pl.col("trade_id").is_null())
        .then(pl.lit("right"))
        .when(pl.col("trade_id_right").is_null())
        .then(pl.lit("left"))
    ).otherwise(pl.lit("both"))
    return (
        joined.with_columns(status=status, difference=pl.col("pnl_right") - pl.col("pnl"))
        .sort("entry_time", "symbol", "direction", "place")
        .select(
            "status", *KEY, "trade_id", "trade_id_right", "quantity", "quantity_right", "pnl", "pnl_right", "difference"
        )
    )


def divergence(left: Subject, right: Subject) -> Divergence | None:
    """Return the first moment at which orders, fills or equity of two runs differ; None where they never do.

    Of an order only what was fixed at the decision is compared: sizes and prices may be resolved later, at its fill.
    Of several frames that part at one moment the cause comes first: the order, then its fill, then the equity.
    """
    kinds = {
        "orders": ("submitted_at", ["symbol", "type", "sizing", "origin", "time_in_force"]),
        "fills": ("timestamp", ["symbol", "side", "quantity", "price", "commission"]),
        "equity": ("timestamp", ["equity"]),
    }
    found = [
        one
        for name, (time, columns) in kinds.items()
        if (one := _first(name, left.frames[name], right.frames[name], time, columns))
    ]
    return min(found, key=lambda one: one.time, default=None)


def _first(name: str, left: pl.DataFrame, right: pl.DataFrame, time: str, columns: list[str]) -> Divergence | None:
    a, b = (frame.select(time, *columns) for frame in (left, right))
    rows = min(a.height, b.height)
    differs = pl.Series([False] * rows, dtype=pl.Boolean)
    for column in a.columns:
        differs = differs | a[column].head(rows).ne_missing(b[column].head(rows))
    places = differs.arg_true()
    place = int(places[0]) if places.len() else rows
    if place == a.height == b.height:
        return None
    first = min(frame[time][place] for frame in (a, b) if place < frame.height)
    texts = [
        _text(frame, place, columns) if frame[time][place : place + 1].to_list() == [first] else "nothing"
        for frame in (a, b)
    ]
    return Divergence(first, name, *texts)


def _text(frame: pl.DataFrame, place: int, columns: list[str]) -> str:
    row = frame.row(place, named=True)
    known = {column: row[column] for column in columns if row[column] is not None}
    return ", ".join(f"{value:,.10g}" if isinstance(value, float) else printable(value) for value in known.values())
