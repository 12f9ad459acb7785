"""The arrays all metrics are computed from, taken once from the frames of a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, nearest

Array = NDArray[np.float64]
BASES = ("session", "bar")


@dataclass(frozen=True)
class Sample:
    """P periods, N equity points, T closed trades in order of exit, F fills. Money is in account currency."""

    path: Array  # [P + 1] initial cash, then equity at the end of each period
    start: str | None  # first period: session date, or time of the bar's end (UTC)
    end: str | None  # last period
    equity: Array  # [N]
    gross: Array  # [N] gross exposure, money
    net: Array  # [N] net exposure, money
    pnl: Array  # [T] after commission and slippage, money
    bars_held: Array  # [T] bars
    is_long: NDArray[np.bool_]  # [T]
    open_trades: int
    traded: Array  # [F] quantity · price · multiplier of each fill, unsigned, money
    commission: Array  # [F] money
    slippage: Array  # [F] money
    orders: int
    rejected_orders: int
    stale_marks: int
    initial_cash: float
    periods_per_year: float
    risk_free_rate: float  # fraction per year
    var_level: float  # probability

    @cached_property
    def returns(self) -> Array:
        """[P] fraction; NaN after equity of zero or below."""
        return period_returns(self.path)


def period_returns(path: Array) -> Array:
    """Return of each period [P], a fraction: E_t ÷ E_(t−1) − 1, and NaN where E_(t−1) ≤ 0.

    Example:
        >>> period_returns(np.array([100.0, 110.0, 99.0])).round(9).tolist()
        [0.1, -0.1]

    """
    returns = np.where(path[:-1] > 0, path[:-1], np.nan)
    with np.errstate(all="ignore"):
        np.divide(path[1:], returns, out=returns)
    returns -= 1
    return returns


def sample(
    equity: pl.DataFrame,
    trades: pl.DataFrame,
    fills: pl.DataFrame,
    orders: pl.DataFrame,
    positions: pl.DataFrame,
    *,
    initial_cash: float,
    basis: str,
    periods_per_year: float,
    risk_free_rate: float,
    var_level: float,
    multipliers: Mapping[str, float] | None,
) -> Sample:
    """The frames as arrays; raises `ConfigError` for an unknown basis."""
    labels, last = _periods(equity, basis)
    values = _floats(equity["equity"])
    path = np.empty(len(labels) + 1)
    path[0] = initial_cash
    path[1:] = values if last is None else values[last]
    closed = trades.select("pnl", "bars_held", "direction", "exit_time", "is_open").filter(~pl.col("is_open"))
    by_exit = np.argsort(closed["exit_time"].to_physical().to_numpy(), kind="stable")
    return Sample(
        path=path,
        start=_name(labels, 0) if len(labels) else None,
        end=_name(labels, -1) if len(labels) else None,
        equity=values,
        gross=_floats(equity["gross_exposure"]),
        net=_floats(equity["net_exposure"]),
        pnl=_floats(closed["pnl"])[by_exit],
        bars_held=_floats(closed["bars_held"])[by_exit],
        is_long=(closed["direction"] == "long").to_numpy()[by_exit],
        open_trades=len(trades) - len(closed),
        traded=_traded(fills, multipliers),
        commission=_floats(fills["commission"]),
        slippage=_floats(fills["slippage"]),
        orders=len(orders),
        rejected_orders=int((orders["state"] == "rejected").sum()),
        stale_marks=int(positions["stale_marks"].sum()),
        initial_cash=initial_cash,
        periods_per_year=periods_per_year,
        risk_free_rate=risk_free_rate,
        var_level=var_level,
    )


def _periods(equity: pl.DataFrame, basis: str) -> tuple[pl.Series, NDArray[np.intp] | None]:
    """Label of each period, and the row of its last equity point (None: every row is a period).

    Sessions never decrease, so one ends where the next row's differs.
    """
    if basis == "bar":
        return equity["timestamp"], None
    if basis != "session":
        raise ConfigError(f"metrics.basis is {basis!r}; use one of {', '.join(BASES)}.{nearest(basis, BASES)}")
    days = equity["session"].to_physical().to_numpy()
    last = np.flatnonzero(np.append(days[1:] != days[:-1], len(days) > 0))
    return equity["session"].gather(last), last


def _name(labels: pl.Series, row: int) -> str:
    """The date, or the UTC time with all its nanoseconds, which Python's datetime cannot hold."""
    if labels.dtype == pl.Date:
        return str(labels[row])
    return f"{np.datetime64(int(labels.dt.timestamp('ns')[row]), 'ns')}Z"


def _traded(fills: pl.DataFrame, multipliers: Mapping[str, float] | None) -> Array:
    value = _floats(fills["quantity"]) * np.abs(_floats(fills["price"]))
    if multipliers and any(multiplier != 1.0 for multiplier in multipliers.values()):
        by_symbol = fills["symbol"].replace_strict(dict(multipliers), default=1.0, return_dtype=pl.Float64)
        value = value * _floats(by_symbol)
    return value


def _floats(column: pl.Series) -> Array:
    return column.to_numpy().astype(np.float64, copy=False)
