"""What all metrics are computed from: what the kernel measures of a run in one pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.pages import empty

Array = NDArray[np.float64]
BASES = ("session", "bar")


class Growth(NamedTuple):
    """The returns r of P periods, fractions: E_t ÷ E_(t−1) − 1, the first against the initial cash. NaN follows equity of zero or below."""

    first: float = 0.0  # E_0, money
    last: float = 0.0  # E_P, money
    periods: float = 0.0  # P
    mean: float = 0.0  # of r
    second: float = 0.0  # Σ (r − mean)²
    third: float = 0.0  # Σ (r − mean)³
    fourth: float = 0.0  # Σ (r − mean)⁴
    shortfall: float = 0.0  # Σ min(r − f, 0)², f the risk-free rate of a period
    best: float = 0.0  # the largest r that exists
    worst: float = 0.0  # the smallest
    depth: float = 0.0  # min of E_t ÷ max(E_0 … E_t) − 1
    longest: float = 0.0  # periods from a peak to its recovery, or to the end


class Exposure(NamedTuple):
    """What was held at N equity points."""

    points: float = 0.0  # N
    invested: float = 0.0  # points with a position
    gross: float = 0.0  # Σ gross exposure ÷ equity
    net: float = 0.0  # Σ net exposure ÷ equity
    equity: float = 0.0  # Σ equity, money
    lowest: float = 0.0  # the lowest equity, money


class Trading(NamedTuple):
    """T closed trades in order of exit; P&L after commission and slippage, money. A trade at exactly zero is neither win nor loss."""

    trades: float = 0.0  # T
    longs: float = 0.0
    wins: float = 0.0
    losses: float = 0.0
    won: float = 0.0  # Σ P&L of wins
    lost: float = 0.0  # Σ P&L of losses, negative
    pnl: float = 0.0  # Σ P&L
    best: float = 0.0
    worst: float = 0.0
    bars: float = 0.0  # Σ bars held
    longest: float = 0.0  # losses in a row


class Cost(NamedTuple):
    """What F fills moved and cost, money."""

    fills: float = 0.0  # F
    traded: float = 0.0  # Σ quantity · price · multiplier, unsigned
    commission: float = 0.0
    slippage: float = 0.0  # Σ |price − reference price| · quantity · multiplier (docs/semantics/costs.md)


class Tail(NamedTuple):
    """The k + 1 smallest of P returns, k = ⌊(P − 1) · level⌋, fractions."""

    smallest: Array  # [k + 1], the largest of them last
    following: float  # the next one, if there is one
    beyond: float  # (P − 1) · level − k


class Measures(NamedTuple):
    """One pass over a run."""

    growth: Growth
    exposure: Exposure
    trading: Trading
    cost: Cost
    returns: Array  # [P] fractions, in any order


def _none() -> Array:
    return np.empty(0)


@dataclass(frozen=True)
class Sample:
    """N equity points, T closed trades in order of exit, F fills. Money is in account currency."""

    initial_cash: float
    equity: Array  # [N]
    gross: Array  # [N] gross exposure, money
    net: Array  # [N] net exposure, money
    last: NDArray[np.int64] | None  # [P] points that end a period; None: each of them does
    start: str | None = None  # first period: session date, or time of the bar's end (UTC)
    end: str | None = None  # last period
    pnl: Array = field(default_factory=_none)  # [T] after commission and slippage, money
    side: Array = field(default_factory=_none)  # [T] +1 long, -1 short
    bars_held: Array = field(default_factory=_none)  # [T] bars
    open_trades: int = 0
    traded: Array = field(default_factory=_none)  # [F] quantity · price · multiplier of each fill, unsigned, money
    commission: Array = field(default_factory=_none)  # [F] money
    slippage: Array = field(default_factory=_none)  # [F] money
    orders: int = 0
    rejected_orders: int = 0
    stale_marks: int = 0
    periods_per_year: float = 252.0
    risk_free_rate: float = 0.0  # fraction per year
    var_level: float = 0.05  # probability

    @cached_property
    def measures(self) -> Measures:
        """What the kernel measures in one pass."""
        from ml4t.backtest.kernel.entry import entry_point  # reason: names and units of metrics need no compiler

        last = np.empty(0, np.int64) if self.last is None else self.last
        returns = empty(len(self.equity if self.last is None else last), np.float64)
        with np.errstate(all="ignore"):
            free = per_period(self.risk_free_rate, self.periods_per_year)
            found = entry_point("measure")(
                *(self.equity, self.gross, self.net, last, self.initial_cash, free, returns),
                *(self.pnl, self.side, self.bars_held),
                *(self.traded, self.commission, self.slippage),
            )
        growth, exposure, trading, cost = (map(float, group) for group in found)
        return Measures(
            Growth._make(growth), Exposure._make(exposure), Trading._make(trading), Cost._make(cost), returns
        )

    @property
    def growth(self) -> Growth:
        """Of the periods."""
        return self.measures.growth

    @property
    def exposure(self) -> Exposure:
        """Of the points."""
        return self.measures.exposure

    @property
    def trading(self) -> Trading:
        """Of the trades."""
        return self.measures.trading

    @property
    def cost(self) -> Cost:
        """Of the fills."""
        return self.measures.cost

    @cached_property
    def tail(self) -> Tail | None:
        """The worst returns. None without any, and where one of them does not exist."""
        returns = self.measures.returns
        if not len(returns) or not isfinite(self.growth.mean):
            return None
        place = (len(returns) - 1) * self.var_level
        k = int(place)
        after = min(k + 1, len(returns) - 1)
        returns.partition([k, after])
        return Tail(returns[: k + 1], float(returns[after]), place - k)


def per_period(rate: float, periods_per_year: float) -> float:
    """A yearly rate as the rate per period that compounds to it: (1 + rate)^(1 ÷ periods_per_year) − 1.

    Example:
        >>> round(per_period(0.21, periods_per_year=2), 9)
        0.1

    """
    return float(np.power(1 + rate, 1 / periods_per_year)) - 1


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
    closed = trades.select("pnl", "bars_held", "direction", "exit_time", "is_open").filter(~pl.col("is_open"))
    by_exit = np.argsort(closed["exit_time"].to_physical().to_numpy(), kind="stable")
    return Sample(
        initial_cash=initial_cash,
        equity=_floats(equity["equity"]),
        gross=_floats(equity["gross_exposure"]),
        net=_floats(equity["net_exposure"]),
        last=last,
        start=_name(labels, 0) if len(labels) else None,
        end=_name(labels, -1) if len(labels) else None,
        pnl=_floats(closed["pnl"])[by_exit],
        side=np.where(closed["direction"] == "long", 1.0, -1.0)[by_exit],
        bars_held=_floats(closed["bars_held"])[by_exit],
        open_trades=len(trades) - len(closed),
        traded=_traded(fills, multipliers),
        commission=_floats(fills["commission"]),
        slippage=_floats(fills["slippage"]),
        orders=len(orders),
        rejected_orders=int((orders["state"] == "rejected").sum()),
        stale_marks=int(positions["stale_marks"].sum()),
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
    return np.ascontiguousarray(column.to_numpy(), np.float64)
