"""vectorbt, as its users write it: decisions of a bar are shifted to the next one and fill at its open."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.enums import NoOrder
from vectorbt.portfolio.nb import order_nb

from peers.outcome import METRICS, Outcome, windows


def choose(engine: str) -> None:
    """numba or rust, for everything it has in both."""
    vbt.settings["engine"] = engine


def _outcome(portfolio: vbt.Portfolio, kept: Any = None) -> Outcome:
    """Records as they are; `records_readable` (names and times, as our frames have them) would take longer."""
    orders, trades, equity = portfolio.orders.records, portfolio.trades.records, portfolio.value()
    values = (
        portfolio.total_return(),
        portfolio.sharpe_ratio(),
        portfolio.max_drawdown(),
        portfolio.trades.closed.count(),
        portfolio.trades.closed.win_rate(),
    )
    metrics = {name: float(value) for name, value in zip(METRICS, values, strict=True)}
    return Outcome(len(orders), float(equity.iloc[-1]), metrics, (orders, trades, equity, kept))


def _series(market: SimpleNamespace) -> tuple[dict[str, pd.Series], Any]:
    index = pd.DatetimeIndex(market.time)
    flag = np.concatenate(([0.0], market.flag[:-1]))  # known at the end of a bar, acted upon at the next
    return {name: pd.Series(getattr(market, name), index) for name in ("open", "high", "low", "close")}, flag


def signals(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys and sells at the flags."""
    price, flag = _series(market)
    entries, exits = pd.Series(flag > 0, price["close"].index), pd.Series(flag < 0, price["close"].index)

    def run() -> Outcome:
        portfolio = vbt.Portfolio.from_signals(
            price["close"],
            entries,
            exits,
            price=price["open"],
            size=market.units,
            fees=market.rate,
            init_cash=market.cash,
            freq="1min",
        )
        return _outcome(portfolio)

    return run


def weights(market: SimpleNamespace) -> Callable[[], Outcome]:
    """All assets to their weights, valued at the close before the open at which they trade; one account."""
    names = [f"A{i:04}" for i in range(market.close.shape[1])]
    index = pd.DatetimeIndex(market.time)
    close, open_ = (pd.DataFrame(x, index, names) for x in (market.close, market.open))
    target = pd.DataFrame(np.concatenate((np.full_like(market.weight[:1], np.nan), market.weight[:-1])), index, names)

    def run() -> Outcome:
        portfolio = vbt.Portfolio.from_orders(
            close,
            size=target,
            size_type="targetpercent",
            price=open_,
            val_price=-np.inf,
            fees=market.rate,
            init_cash=market.cash,
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            freq="1D",
        )
        return _outcome(portfolio)

    return run


@njit(cache=True)
def guarded_nb(context, open_, high, low, close, flag, levels, units, stop, profit, rate):  # type: ignore[no-untyped-def]
    """The next order of one bar: the entry at the open, then the stop-loss, then the take-profit."""
    i, held = context.i, context.last_position[0]
    if held == 0.0 and context.call_idx == 0 and i > 0 and flag[i - 1] > 0:
        levels[0], levels[1] = close[i - 1] * (1.0 - stop), close[i - 1] * (1.0 + profit)
        return 0, order_nb(size=units, price=open_[i], fees=rate)
    if held > 0.0 and low[i] <= levels[0]:
        return 0, order_nb(size=-held, price=min(open_[i], levels[0]), fees=rate)
    if held > 0.0 and high[i] >= levels[1]:
        return 0, order_nb(size=-held, price=max(open_[i], levels[1]), fees=rate)
    return -1, NoOrder


def brackets(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys at flags while flat, with a stop-loss and a take-profit: a flexible order function."""
    price, _ = _series(market)
    prices = [price[name].to_numpy() for name in ("open", "high", "low", "close")]

    def run() -> Outcome:
        portfolio = vbt.Portfolio.from_order_func(
            price["close"],
            guarded_nb,
            *prices,
            market.flag,
            np.zeros(2),
            market.units,
            market.stop,
            market.profit,
            market.rate,
            flexible=True,
            init_cash=market.cash,
            freq="1min",
        )
        return _outcome(portfolio)

    return run


def sweep(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Long while the fast mean is above the slow one: all combinations as columns of one portfolio."""
    price, _ = _series(market)
    fast, slow = windows(market)

    def run() -> Outcome:
        fast_mean = vbt.MA.run(price["close"], fast, run_unique=True).ma.to_numpy()
        slow_mean = vbt.MA.run(price["close"], slow, run_unique=True).ma.to_numpy()
        entries, exits = np.zeros(fast_mean.shape, bool), np.zeros(fast_mean.shape, bool)
        np.greater(fast_mean[:-1], slow_mean[:-1], out=entries[1:])
        np.less(fast_mean[:-1], slow_mean[:-1], out=exits[1:])
        del fast_mean, slow_mean
        portfolio = vbt.Portfolio.from_signals(
            price["close"],
            entries,
            exits,
            price=price["open"],
            size=market.units,
            fees=market.rate,
            init_cash=market.cash,
            freq="1min",
        )
        table = pd.DataFrame({"total_return": portfolio.total_return(), "max_drawdown": portfolio.max_drawdown()})
        metrics = {name: float(table[name].sum()) for name in table}
        return Outcome(int(portfolio.orders.count().sum()), metrics["total_return"], metrics, table)

    return run


WORKS = {"sweep": sweep, "signals": signals, "weights": weights, "weights_wide": weights, "brackets": brackets}
