"""ml4t.backtest, as the documentation has it. `rule` is `fills.market`, for engines that cannot fill at the next open."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from ml4t.backtest import Price, Signals, Strategy, TargetWeights, compiled, run
from peers.outcome import METRICS, Outcome, windows

PRICES = ("open", "high", "low", "close", "volume")


def _bars(market: SimpleNamespace) -> pl.DataFrame:
    """Rows in order of time; of many assets, one after the other at each time."""
    if market.close.ndim == 1:
        columns = {"timestamp": market.time} | {name: getattr(market, name) for name in (*PRICES, "flag")}
    else:
        count, assets = market.close.shape
        names = pl.Series([f"A{i:04}" for i in range(assets)])
        columns = {"timestamp": np.repeat(market.time, assets), "symbol": pl.concat([names] * count)}
        columns |= {name: getattr(market, name).ravel() for name in (*PRICES, "weight")}
    if "flag" in columns:
        columns |= {"entry": market.flag > 0, "exit": market.flag < 0}
    return pl.DataFrame(columns).with_columns(pl.col("timestamp").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"))


def _config(market: SimpleNamespace, rule: str, bars: pl.DataFrame) -> dict[str, Any]:
    config: dict[str, Any] = {"costs": {"commission": {"kind": "rate", "rate": market.rate}}}
    config["fills"] = {"market": rule}
    config["run"] = {"acknowledge_leaky": rule == "same_close"}
    config["account"] = {"cash": market.cash}
    config["instruments"] = {"default": {"lot_size": 0.0}}
    if "symbol" not in bars.columns:
        config["data"] = {"symbol": "X"}
        config["metrics"] = {"basis": "bar", "periods_per_year": 252.0 * 1440.0}  # of every bar, as the peers have it
    return config


def _outcome(strategy: Strategy, bars: pl.DataFrame, config: dict[str, Any]) -> Outcome:
    result = run(strategy, bars, config)
    frames = result.orders, result.fills, result.trades, result.equity
    metrics = {name: result.metrics[name] for name in METRICS}
    return Outcome(len(frames[1]), frames[3]["equity"][-1], metrics, frames)


def _ready(make: Callable[[SimpleNamespace], Strategy]) -> Callable[..., Callable[[], Outcome]]:
    """From a function that makes the strategy to one of `WORKS`."""

    def prepare(market: SimpleNamespace, rule: str = "next_open") -> Callable[[], Outcome]:
        bars = _bars(market)
        return lambda: _outcome(make(market), bars, _config(market, rule, bars))

    return prepare


class Flags(Strategy):
    """Buys and sells at the flags."""

    units: float = 0.0

    def on_bar(self) -> None:
        flag = self.data.flag("X")
        if flag > 0:
            self.broker.buy("X", self.units)
        elif flag < 0:
            self.broker.sell("X", self.units)


class Weights(Strategy):
    """All assets to their weights, where there are some."""

    def on_bar(self) -> None:
        for symbol in self.data.symbols:
            weight = self.data.weight(symbol)
            if weight == weight:
                self.broker.order_target_percent(symbol, weight)


@compiled
class Guarded(Strategy):
    """Buys at flags while flat, with a stop-loss and a take-profit at prices known when the order is sent."""

    units: float = 0.0
    stop: float = 0.0
    profit: float = 0.0

    def on_bar(self) -> None:
        if self.data.flag("X") > 0 and self.portfolio.position("X").quantity == 0.0:
            close = self.data.close("X")
            self.broker.buy(
                "X",
                self.units,
                stop_loss=Price(close * (1.0 - self.stop)),
                take_profit=Price(close * (1.0 + self.profit)),
            )


def weights(market: SimpleNamespace, rule: str = "next_open") -> Callable[[], Outcome]:
    """The weights are a frame of their own: a row for each time at which there are some, a column for each symbol."""
    bars = _bars(market).drop("weight")
    rows = ~np.isnan(market.weight[:, 0])
    names = [f"A{i:04}" for i in range(market.weight.shape[1])]
    wide = pl.DataFrame(np.ascontiguousarray(market.weight[rows]), schema=names)
    wide = wide.insert_column(0, pl.Series("timestamp", market.time[rows]).cast(pl.Datetime("ns", "UTC")))
    return lambda: _outcome(TargetWeights(weights=wide), bars, _config(market, rule, bars))


@compiled
class Means(Strategy):
    """Long while the fast mean is above the slow one."""

    units: float = 0.0
    fast: int = 0
    slow: int = 0

    def on_bar(self) -> None:
        if self.data.count("X") < self.slow:
            return
        fast, slow = self.data.mean("X", self.fast), self.data.mean("X", self.slow)
        held = self.portfolio.position("X").quantity
        if fast > slow and held == 0.0:
            self.broker.buy("X", self.units)
        elif fast < slow and held > 0.0:
            self.broker.sell("X", self.units)


def sweep(market: SimpleNamespace, rule: str = "next_open") -> Callable[[], Outcome]:
    """Return and drawdown of every combination."""
    from ml4t.backtest import sweep as swept  # the function of the package, not this one

    bars = _bars(market).drop("flag", "entry", "exit")
    config, names = _config(market, rule, bars), ["total_return", "max_drawdown", "fills"]
    pairs = zip(*windows(market), strict=True)
    space = [{"fast": fast, "slow": slow, "units": market.units} for fast, slow in pairs]

    def run_all() -> Outcome:
        table = swept(Means, bars, space, config, metrics=names)
        metrics = {name: float(table[name].sum()) for name in names}
        return Outcome(int(metrics["fills"]), metrics["total_return"], metrics, table)

    return run_all


WORKS = {
    "sweep": sweep,
    "signals": _ready(lambda market: Signals(entries="entry", exits="exit", size=market.units)),
    "weights": weights,
    "weights_wide": weights,
    "weights_free": weights,
    "callback": _ready(lambda market: Flags(units=market.units)),
    "portfolio": _ready(lambda _: Weights()),
    "brackets": _ready(lambda market: Guarded(units=market.units, stop=market.stop, profit=market.profit)),
}
