"""Strategies written three ways: as columns, and as a class that runs as plain Python and compiled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml4t.backtest import Exits, Orders, Signals, Strategy, TargetWeights


class Member(NamedTuple):
    """One strategy. `columns` is made with the orders of a frame; a written one that follows them hears them as signals."""

    columns: Callable[[pl.DataFrame | None], Strategy]
    written: Callable[[], Strategy]
    hears: bool = False


class Crossing(Strategy):
    """In where `up` says so, out where `down` does, an entry or a close under way being awaited; both at once say nothing."""

    share: float = 0.4
    exit_rules = Exits(stop_loss=0.04, max_bars=9)

    def on_start(self) -> None:
        self.closing = np.zeros(len(self.data.symbols), np.bool_)

    def on_bar(self) -> None:
        for i, symbol in enumerate(self.data.symbols):
            if not self.data.is_new(symbol):
                continue
            held = self.portfolio.position(symbol).quantity
            waits = self.broker.is_under_way(symbol)
            if not waits:
                self.closing[i] = False
            enters, leaves = self.data.up(symbol) > 0.0, self.data.down(symbol) > 0.0
            if enters == leaves:
                continue
            if enters and held == 0.0 and not waits:
                self.broker.buy(symbol, percent=self.share)
            elif leaves and (held > 0.0 or waits) and not self.closing[i]:
                if waits:
                    self.broker.cancel_all(symbol)
                if held != 0.0:
                    self.broker.close(symbol)
                    self.closing[i] = True


class Columns(Signals):
    """Signals with exits that the strategy has for every position."""

    exit_rules = Exits(stop_loss=0.04, max_bars=9)


class Weighted(Strategy):
    """The weights in `w`, sells first; a symbol that the batch does not name, or that has no bar then, is left alone."""

    drift: float = 0.02

    def wanted(self, symbol: Any) -> float:
        """The weight that a symbol is to have, NaN where it is left alone."""
        return self.data.w(symbol) if self.data.is_new(symbol) else np.nan

    def follow(self) -> None:
        """First what need not change, then what is reduced, then the others."""
        equity = self.portfolio.equity
        for part in range(3):
            for symbol in self.data.symbols:
                weight = self.wanted(symbol)
                if np.isnan(weight):
                    continue
                held = self.portfolio.position(symbol).quantity
                missing = weight * equity - self.portfolio.position(symbol).value
                trades = (abs(missing) > self.drift * equity and missing != 0.0) or (held != 0.0 and weight == 0.0)
                if part == 0 and not trades:
                    self.broker.cancel_target(symbol)
                elif trades and part == (1 if missing * held < 0.0 else 2):
                    self.broker.order_target_percent(symbol, weight)

    def on_bar(self) -> None:
        self.follow()


class Best(Weighted):
    """Every third bar all in the symbol with the best score of those that have a bar, the earlier one of two."""

    drift = 0.0

    def on_start(self) -> None:
        self.best = 0
        self.weight = np.zeros(len(self.data.symbols))
        self.schedule(self.choose, every=3)

    def on_bar(self) -> None: ...

    def choose(self) -> None:
        best, most = -1, 0.0
        for i, symbol in enumerate(self.data.symbols):
            self.weight[i] = 0.0 if self.data.is_new(symbol) else np.nan
            if self.data.is_new(symbol) and (best < 0 or self.data.score(symbol) > most):
                best, most = i, self.data.score(symbol)
        if best >= 0:
            self.weight[best] = 0.9
        self.follow()

    def wanted(self, symbol: Any) -> float:
        """As was chosen."""
        for i, other in enumerate(self.data.symbols):
            if other == symbol:
                return self.weight[i]
        return np.nan


class Ordered(Strategy):
    """What each signal says."""

    def on_signal(self, signal: Any) -> None:
        size = signal.values["quantity"]
        if size > 0.0:
            self.broker.buy(signal.symbol, size, limit=signal.values["limit"])
        else:
            self.broker.sell(signal.symbol, -size, limit=signal.values["limit"])


LIBRARY = {
    "crossing": Member(lambda _: Columns("up", "down", size=0.4, sizing="equity"), Crossing),
    "weighted": Member(lambda _: TargetWeights("w", drift=0.02, unnamed="hold"), Weighted),
    "best": Member(lambda _: TargetWeights(scores="score", top=1, every=3, gross=0.9), Best),
    "ordered": Member(Orders, Ordered, hears=True),
}
