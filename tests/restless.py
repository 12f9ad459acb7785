"""A strategy that asks for everything that compiles, as an array of chance says: the same class plain and compiled."""

from typing import Any

import numpy as np

from ml4t.backtest import Strategy, Trail

KINDS = 30


class Restless(Strategy):
    """At each bar and for each symbol one of thirty requests. `chance` [3, n] in [0, 1): what, how far, how much."""

    seed: int = 0
    steps: int = 1000
    flips: bool = True

    def on_start(self) -> None:
        self.chance = np.random.default_rng(self.seed).random((3, self.steps))
        self.step, self.fills, self.changes, self.paid = 0, 0, 0, 0.0
        self.last = None

    def on_fill(self, fill: Any) -> None:
        self.fills += 1
        self.paid += fill.commission + abs(fill.quantity * fill.price) * 1e-9 + fill.position_after * 1e-12
        if fill.side < 0:
            self.record("sold", fill.price)

    def on_order(self, event: Any) -> None:
        if event.target != event.source:
            self.changes += event.reason

    def is_sized(self, symbol: Any, side: float) -> bool:
        """Whether an order with exits may follow: what only closes has nothing for them to do."""
        return self.portfolio.position(symbol).quantity * side >= 0.0

    def on_bar(self) -> None:
        for symbol in self.data.symbols:
            if self.data.count(symbol) < 2:
                continue
            self.step = (self.step + 1) % self.steps
            kind = int(self.chance[0, self.step] * KINDS)
            far, much = self.chance[1, self.step], self.chance[2, self.step]
            price = self.data.close(symbol)
            above, below = price * (1.0 + 0.03 * far), price * (1.0 - 0.03 * far)
            size = 1.0 + float(int(much * 20.0))
            if kind == 0:
                self.last = self.broker.buy(symbol, size)
            elif kind == 1:
                self.last = self.broker.sell(symbol, size)
            elif kind == 2:
                self.last = self.broker.buy(symbol, size, limit=below, tif="DAY")
            elif kind == 3:
                self.last = self.broker.sell(symbol, size, limit=above, post_only=True)
            elif kind == 4:
                self.last = self.broker.buy(symbol, size, stop=above, limit=above * 1.01)
            elif kind == 5:
                self.last = self.broker.sell(symbol, size, stop=below, tag="guard")
            elif kind == 6:
                self.last = self.broker.buy(symbol, size, touch=below)
            elif kind == 7:
                self.last = self.broker.sell(symbol, size, stop=Trail(rate=0.001 + 0.05 * far))
            elif kind == 8:
                self.last = self.broker.buy(
                    symbol, size, stop=Trail(amount=0.01 * price, ratchet="close"), activation=below
                )
            elif kind == 9:
                self.last = self.broker.order_target_quantity(symbol, size - 10.0 if self.flips else size)
            elif kind == 10:
                self.last = self.broker.order_target_percent(symbol, 0.3 * far)
            elif kind == 11:
                self.last = self.broker.order_target_value(symbol, 1000.0 * much)
            elif kind in (12, 13):
                self.last = self.broker.close(symbol)
            elif kind == 14:
                if self.last is not None and self.last.is_live:
                    self.broker.cancel(self.last)
            elif kind == 15:
                self.broker.cancel_all(symbol)
            elif kind == 16:
                order = self.last
                if order is not None and order.is_live and order.type == 1 and order.filled_quantity < size:
                    self.broker.replace(order, quantity=size + 1.0, limit=below)
            elif kind == 17 and self.is_sized(symbol, 1.0):
                self.last = self.broker.buy(symbol, size, stop_loss=0.001 + 0.03 * far, take_profit=0.001 + 0.03 * much)
            elif kind == 18 and self.is_sized(symbol, -1.0):
                self.last = self.broker.sell(symbol, size, trail=0.002 + 0.03 * far, max_bars=3)
            elif kind == 19 and self.is_sized(symbol, 1.0):
                self.last = self.broker.buy(
                    symbol, percent=0.1 * much + 0.001, break_even=0.001 + 0.01 * far, stop_loss=0.02
                )
            elif kind == 20:
                self.last = self.broker.buy(symbol, size, limit=above, tif="IOC")
            elif kind == 21:
                self.last = self.broker.sell(symbol, size, limit=below, tif="FOK", reduce_only=True)
            elif kind == 22:
                self.last = self.broker.buy(symbol, size, tif="OPG")
            elif kind == 23:
                self.last = self.broker.sell(symbol, size, tif="CLS")
            elif kind == 24:
                self.last = self.broker.buy(symbol, value=100.0 + 500.0 * much, limit=below, tif="BARS", bars=2)
            elif kind == 25:
                self.broker.cancel_all()
            elif kind == 26:
                near = (
                    self.data.ema(symbol, 3)
                    + self.data.std(symbol, 3)
                    + self.data.rsi(symbol, 2)
                    + self.data.atr(symbol, 2)
                )
                near += self.data.min(symbol, 2, "low") + self.data.max(symbol, 2, "high") + self.data.wma(symbol, 2)
                if near == near:
                    self.record("near", near)
            elif kind == 27:
                closes = self.data.close(symbol, 3)
                self.record("range", closes[-1] - closes[0] + self.portfolio.equity * 1e-9 + self.portfolio.cash * 1e-9)
            elif kind == 28:
                rank = self.data.rank(symbol, 4) + self.data.slope(symbol, 3)
                if rank == rank:
                    self.record("rank", rank + self.portfolio.leverage + self.portfolio.unrealized_pnl * 1e-6)
            elif kind == 29 and self.portfolio.positions:
                self.record("held", len(self.portfolio.positions) + self.portfolio.position(symbol).value * 1e-6)
