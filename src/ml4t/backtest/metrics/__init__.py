"""Every metric of a result: `METRICS` names them once, `compute` evaluates them all.

A new metric is one small function in the module it belongs to and one line in `METRICS`.
"""

from collections.abc import Mapping

import polars as pl

from ml4t.backtest.metrics.cost import cost_fraction, total, total_cost
from ml4t.backtest.metrics.drawdown import calmar, max_drawdown, max_drawdown_duration
from ml4t.backtest.metrics.exposure import average_gross_exposure, average_net_exposure, exposure, turnover
from ml4t.backtest.metrics.metric import Metric, Unit
from ml4t.backtest.metrics.returns import best_period, cagr, total_return, worst_period
from ml4t.backtest.metrics.risk import (
    conditional_value_at_risk,
    kurtosis,
    sharpe,
    skew,
    sortino,
    value_at_risk,
    volatility,
)
from ml4t.backtest.metrics.sample import Sample, sample
from ml4t.backtest.metrics.trading import (
    average_bars_held,
    average_loss,
    average_win,
    expectancy,
    largest_loss,
    largest_win,
    payoff_ratio,
    profit_factor,
    win_rate,
)

__all__ = ["METRICS", "Metric", "Sample", "Unit", "compute", "evaluate"]

FRACTION, RATIO, MONEY, COUNT = Unit.FRACTION, Unit.RATIO, Unit.MONEY, Unit.COUNT

METRICS: dict[str, Metric] = {
    "initial_cash": Metric("Initial cash", MONEY, lambda s: s.initial_cash),
    "final_equity": Metric("Final equity", MONEY, lambda s: s.growth.last),
    "total_return": Metric("Total return", FRACTION, lambda s: total_return(s.growth)),
    "cagr": Metric("CAGR", FRACTION, lambda s: cagr(s.growth, s.periods_per_year)),
    "volatility": Metric("Volatility (a year)", FRACTION, lambda s: volatility(s.growth, s.periods_per_year)),
    "sharpe": Metric("Sharpe ratio", RATIO, lambda s: sharpe(s.growth, s.periods_per_year, s.risk_free_rate)),
    "sortino": Metric("Sortino ratio", RATIO, lambda s: sortino(s.growth, s.periods_per_year, s.risk_free_rate)),
    "calmar": Metric("Calmar ratio", RATIO, lambda s: calmar(s.growth, s.periods_per_year)),
    "max_drawdown": Metric("Max drawdown", FRACTION, lambda s: max_drawdown(s.growth)),
    "max_drawdown_duration": Metric("Longest drawdown, periods", COUNT, lambda s: max_drawdown_duration(s.growth)),
    "value_at_risk": Metric("Value at risk", FRACTION, lambda s: value_at_risk(s.tail)),
    "conditional_value_at_risk": Metric("Expected shortfall", FRACTION, lambda s: conditional_value_at_risk(s.tail)),
    "best_period": Metric("Best period", FRACTION, lambda s: best_period(s.growth)),
    "worst_period": Metric("Worst period", FRACTION, lambda s: worst_period(s.growth)),
    "skew": Metric("Skewness", RATIO, lambda s: skew(s.growth)),
    "kurtosis": Metric("Excess kurtosis", RATIO, lambda s: kurtosis(s.growth)),
    "exposure": Metric("Time in the market", FRACTION, lambda s: exposure(s.exposure)),
    "average_gross_exposure": Metric("Gross exposure", FRACTION, lambda s: average_gross_exposure(s.exposure)),
    "average_net_exposure": Metric("Net exposure", FRACTION, lambda s: average_net_exposure(s.exposure)),
    "turnover": Metric(
        "Turnover (a year)",
        RATIO,
        lambda s: turnover(s.cost.traded, s.exposure, s.growth.periods / s.periods_per_year),
    ),
    "trades": Metric("Closed trades", COUNT, lambda s: int(s.trading.trades)),
    "open_trades": Metric("Open trades", COUNT, lambda s: s.open_trades),
    "long_trades": Metric("Long trades", COUNT, lambda s: int(s.trading.longs)),
    "short_trades": Metric("Short trades", COUNT, lambda s: int(s.trading.trades - s.trading.longs)),
    "win_rate": Metric("Win rate", FRACTION, lambda s: win_rate(s.trading)),
    "profit_factor": Metric("Profit factor", RATIO, lambda s: profit_factor(s.trading)),
    "average_win": Metric("Average win", MONEY, lambda s: average_win(s.trading)),
    "average_loss": Metric("Average loss", MONEY, lambda s: average_loss(s.trading)),
    "payoff_ratio": Metric("Payoff ratio", RATIO, lambda s: payoff_ratio(s.trading)),
    "expectancy": Metric("Expectancy", MONEY, lambda s: expectancy(s.trading)),
    "largest_win": Metric("Largest win", MONEY, lambda s: largest_win(s.trading)),
    "largest_loss": Metric("Largest loss", MONEY, lambda s: largest_loss(s.trading)),
    "average_bars_held": Metric("Average bars held", RATIO, lambda s: average_bars_held(s.trading)),
    "longest_losing_streak": Metric("Longest losing streak", COUNT, lambda s: int(s.trading.longest)),
    "traded_value": Metric("Traded value", MONEY, lambda s: total(s.cost.traded)),
    "commission": Metric("Commission", MONEY, lambda s: total(s.cost.commission)),
    "slippage": Metric("Slippage", MONEY, lambda s: total(s.cost.slippage)),
    "cost": Metric("Cost", MONEY, lambda s: total_cost(s.cost)),
    "cost_to_traded_value": Metric("Cost of traded value", FRACTION, lambda s: cost_fraction(s.cost, s.cost.traded)),
    "cost_to_initial_cash": Metric("Cost of initial cash", FRACTION, lambda s: cost_fraction(s.cost, s.initial_cash)),
    "fills": Metric("Fills", COUNT, lambda s: int(s.cost.fills)),
    "orders": Metric("Orders", COUNT, lambda s: s.orders),
    "rejected_orders": Metric("Rejected orders", COUNT, lambda s: s.rejected_orders),
    "stale_marks": Metric("Stale marks", COUNT, lambda s: s.stale_marks),
}


def compute(
    equity: pl.DataFrame,
    trades: pl.DataFrame,
    fills: pl.DataFrame,
    orders: pl.DataFrame,
    positions: pl.DataFrame,
    *,
    initial_cash: float,
    basis: str = "session",
    periods_per_year: float = 252.0,
    risk_free_rate: float = 0.0,
    var_level: float = 0.05,
    multipliers: Mapping[str, float] | None = None,
) -> dict[str, float | int | str | None]:
    """All of `METRICS` by name, after what they are based on. A value that does not exist is None, never NaN.

    A period is a session (`basis="session"`: the last equity point of each session date) or a bar (`"bar"`: every
    equity point). Returns, risk and drawdowns see equity at the end of periods, the first against `initial_cash`;
    exposure and turnover see every equity point.

    `risk_free_rate` is a fraction per year, `var_level` a probability; `multipliers` by symbol enter the traded value
    (1 for symbols it does not name).

    Raises `ConfigError` for another basis.

    Example:
        >>> from datetime import date
        >>> def frame(*floats, **others):
        ...     return pl.DataFrame(schema=dict.fromkeys(floats, pl.Float64) | others)
        >>> equity = pl.DataFrame({"equity": [110.0, 99.0], "session": [date(2020, 1, 2), date(2020, 1, 3)],
        ...                        "gross_exposure": [0.0, 0.0], "net_exposure": [0.0, 0.0]})
        >>> trades = frame("pnl", bars_held=pl.Int64, direction=pl.String, exit_time=pl.Int64, is_open=pl.Boolean)
        >>> fills = frame("quantity", "price", "commission", "slippage", symbol=pl.String)
        >>> metrics = compute(equity, trades, fills, frame(state=pl.String), frame(stale_marks=pl.Int64),
        ...                   initial_cash=100.0)
        >>> metrics["periods"], round(metrics["total_return"], 9), metrics["win_rate"]
        (2, -0.01, None)

    """
    s = sample(
        equity,
        trades,
        fills,
        orders,
        positions,
        initial_cash=initial_cash,
        basis=basis,
        periods_per_year=periods_per_year,
        risk_free_rate=risk_free_rate,
        var_level=var_level,
        multipliers=multipliers,
    )
    return evaluate(s, basis)


def evaluate(s: Sample, basis: str) -> dict[str, float | int | str | None]:
    """What the metrics are based on, and all of `METRICS` by name."""
    based_on: dict[str, float | int | str | None] = {
        "basis": basis,
        "periods": int(s.growth.periods),
        "periods_per_year": s.periods_per_year,
        "start": s.start,
        "end": s.end,
        "risk_free_rate": s.risk_free_rate,
        "var_level": s.var_level,
    }
    return based_on | {name: metric.value(s) for name, metric in METRICS.items()}
