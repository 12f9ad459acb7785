"""backtrader, as its users write it: preloaded, no observers. GPL: installed and compared, never copied from."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from peers.outcome import Outcome, metrics_of

MINUTES, DAYS = 252 * 1440, 252


class Bars(bt.feeds.PandasData):
    """Bars with one more column."""

    lines = ("flag",)
    params = (("flag", "flag"), ("openinterest", None))


class Fractional(bt.CommInfoBase):
    """A rate of the value, and sizes that are not whole numbers."""

    params = (("stocklike", True), ("commtype", bt.CommInfoBase.COMM_PERC), ("percabs", True))

    def getsize(self, price: float, cash: float) -> float:
        return self.p.leverage * cash / price


class Kept(bt.Strategy):
    """Keeps orders, trades and equity; cheaper than the analyzers."""

    def __init__(self) -> None:
        self.equity: list[float] = []
        self.fills: list[Any] = []
        self.pnl: list[float] = []
        self.closed: list[Any] = []

    def notify_order(self, order: bt.Order) -> None:
        if order.status == order.Completed:
            done = order.executed
            self.fills.append((order.ref, done.dt, order.data._name, done.size, done.price, done.comm))

    def notify_trade(self, trade: bt.Trade) -> None:
        if trade.isclosed:
            self.pnl.append(trade.pnlcomm)
            self.closed.append((trade.ref, trade.dtopen, trade.dtclose, trade.data._name, trade.price, trade.pnlcomm))


def _outcome(strategy: type[Kept], feeds: dict[str, pd.DataFrame], market: SimpleNamespace, periods: int) -> Outcome:
    cerebro = bt.Cerebro(stdstats=False)
    for name, frame in feeds.items():
        cerebro.adddata(Bars(dataname=frame), name=name)
    cerebro.broker.setcash(market.cash)
    cerebro.broker.addcommissioninfo(Fractional(commission=market.rate))
    cerebro.addstrategy(strategy)
    done = cerebro.run()[0]
    columns = ["order", "time", "symbol", "size", "price", "commission"]
    orders = pd.DataFrame(done.fills, columns=columns)
    trades = pd.DataFrame(done.closed, columns=["trade", "opened", "closed", "symbol", "price", "pnl"])
    equity = np.array(done.equity)
    metrics = metrics_of(equity, np.array(done.pnl), periods)
    return Outcome(len(orders), cerebro.broker.getvalue(), metrics, (orders, trades, equity))


def callback(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys and sells at the flags."""
    names = ("open", "high", "low", "close", "volume", "flag")
    bars = pd.DataFrame({name: getattr(market, name) for name in names}, index=pd.DatetimeIndex(market.time))

    class Flags(Kept):
        def next(self) -> None:
            self.equity.append(self.broker.getvalue())
            flag = self.data.flag[0]
            if flag > 0:
                self.buy(size=market.units)
            elif flag < 0:
                self.sell(size=market.units)

    return lambda: _outcome(Flags, {"X": bars}, market, MINUTES)


def portfolio(market: SimpleNamespace) -> Callable[[], Outcome]:
    """All assets to their weights at every session."""
    index = pd.DatetimeIndex(market.time)
    feeds = {
        f"A{i:04}": pd.DataFrame(
            {name: getattr(market, name)[:, i] for name in ("open", "high", "low", "close", "volume")}
            | {"flag": market.weight[:, i]},
            index=index,
        )
        for i in range(market.close.shape[1])
    }

    class Weights(Kept):
        def next(self) -> None:
            self.equity.append(self.broker.getvalue())
            for data in self.datas:
                weight = data.flag[0]
                if weight == weight:
                    self.order_target_percent(data, target=weight)

    return lambda: _outcome(Weights, feeds, market, DAYS)


WORKS = {"callback": callback, "portfolio": portfolio}
