"""Five strategies that run as plain Python and compiled, with the same orders: `python examples/compiled_strategies.py`."""

import numpy as np

from ml4t.backtest import Strategy, compiled, run
from ml4t.backtest.datasets import us_indices


@compiled
class Crossover(Strategy):
    """Long while the fast average is above the slow one."""

    fast: int = 20
    slow: int = 50

    def on_bar(self):
        for symbol in self.data.symbols:
            if self.data.count(symbol) < self.slow:
                continue
            if self.data.mean(symbol, self.fast) > self.data.mean(symbol, self.slow):
                self.broker.order_target_percent(symbol, 0.4)
            else:
                self.broker.close(symbol)


@compiled
class ChannelBreakout(Strategy):
    """Buys a new high of the last `entry` closes, with a trailing stop and a stop-loss as exits of the fill."""

    symbol: str = "SPX"
    entry: int = 55
    stop: float = 0.08

    def on_bar(self):
        if self.data.count(self.symbol) <= self.entry or self.symbol in self.portfolio.positions:
            return
        if self.data.close(self.symbol) >= self.data.max(self.symbol, self.entry):
            self.broker.buy(self.symbol, percent=0.9, stop_loss=self.stop, trail=2 * self.stop, tag="breakout")


@compiled
class Pairs(Strategy):
    """Trades the residual of a rolling regression of one symbol on another back to its mean."""

    first: str = "SPX"
    second: str = "NASDAQ"
    window: int = 60
    entry: float = 2.0
    quantity: float = 10.0

    def on_bar(self):
        if self.data.count(self.first) < self.window:
            return
        fit = self.data.regression(self.first, self.second, self.window)
        miss = self.data.close(self.first) - fit.intercept - fit.slope * self.data.close(self.second)
        score = miss / fit.deviation
        held = self.portfolio.position(self.first).quantity
        if held == 0 and abs(score) > self.entry:
            side = -1.0 if score > 0.0 else 1.0
            self.broker.order_target_quantity(self.first, side * self.quantity)
            self.broker.order_target_quantity(self.second, -side * max(1.0, round(self.quantity * abs(fit.slope))))
        elif held * score > 0.0:
            self.broker.close(self.first)
            self.broker.close(self.second)
        self.record("score", score)


@compiled
class TopMomentum(Strategy):
    """Every month, equal weights in the `top` symbols by return over `window` bars, if that is positive."""

    window: int = 120
    top: int = 1

    def on_start(self):
        self.momentum = np.zeros(len(self.data.symbols))
        self.schedule(self.rebalance, every="month")

    def rebalance(self):
        for i, symbol in enumerate(self.data.symbols):
            self.momentum[i] = np.nan
            if self.data.count(symbol) > self.window:
                closes = self.data.close(symbol, self.window + 1)
                self.momentum[i] = closes[-1] / closes[0] - 1.0
        for i, symbol in enumerate(self.data.symbols):
            better = 0
            for other in self.momentum:
                better += other > self.momentum[i]
            if self.momentum[i] > 0.0 and better < self.top:
                self.broker.order_target_percent(symbol, 0.95 / self.top)
            else:
                self.broker.close(symbol)


@compiled
class InverseVolatility(Strategy):
    """Every week, weights in proportion to 1 ÷ the deviation of closes from their mean, relative to price."""

    window: int = 60

    def on_start(self):
        self.weights = np.zeros(len(self.data.symbols))
        self.schedule(self.rebalance, every="week")

    def rebalance(self):
        total = 0.0
        for i, symbol in enumerate(self.data.symbols):
            self.weights[i] = 0.0
            if self.data.count(symbol) >= self.window:
                self.weights[i] = self.data.close(symbol) / self.data.std(symbol, self.window)
            total += self.weights[i]
        for i, symbol in enumerate(self.data.symbols):
            if total > 0.0:
                self.broker.order_target_percent(symbol, 0.95 * self.weights[i] / total)


if __name__ == "__main__":
    for strategy in (Crossover(), ChannelBreakout(), Pairs(), TopMomentum(), InverseVolatility()):
        account = {"kind": "margin"} if isinstance(strategy, Pairs) else {}
        result = run(strategy, us_indices(), {"account": account}, cash=1_000_000, check_compiled=True)
        print(
            f"{type(strategy).__name__:18} {result.fills.height:5} fills, return {result.metrics['total_return']:7.1%}"
        )
