"""A run one bar at a time: the prices of a bar are written just before it happens, and requests are made in between."""

from __future__ import annotations

from typing import Any

import numpy as np

import replay
from case import DAY, EPOCH, HOUR, Bar, Case, Request, Submit
from ml4t.backtest.allocation import grow
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.step import DONE, READY
from ml4t.backtest.market_data import MarketData
from ml4t.backtest.portfolio import Portfolio
from ml4t.backtest.source import describe
from ml4t.backtest.tables import State
from observation import Observation
from scripted_request import Script

PER_DAY, FIRST_HOUR = 4, 10
FLAT = (100.0, 100.0, 100.0, 100.0, 100.0)

Prices = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""


class Stepped:
    """An engine that stands at a decision. What is asked of it is on record, so that the whole is a `Case` in the end."""

    def __init__(self, config: dict[str, Any], universe: list[str], count: int) -> None:
        bars = [Bar(symbol, *slot(n), *FLAT) for n in range(count) for symbol in universe]
        self.case = Case(bars, universe, config, {})
        self.script = Script(self.case.script)
        self._engine = replay.engine(self.case)
        self._handle = self._engine._handle
        self._prices = self._writable()
        self.strategy = strategy = self._engine.strategy
        strategy.data = MarketData(self._handle, self._engine.bars, self._engine.streams)
        strategy.broker = self._engine._broker
        strategy.portfolio = Portfolio(self._handle, self._engine.bars.symbols)
        strategy.clock = self._engine._clock
        self._engine._start()
        self._advance = entry_point("advance")
        self.passed = 0

    @property
    def state(self) -> State:
        return self._engine.state

    @property
    def broker(self) -> Any:
        return self.strategy.broker

    def _writable(self) -> dict[str, np.ndarray[Any, Any]]:
        """The columns of the bars, as arrays that the kernel reads and the test may write."""
        state = self._engine.state
        columns = {name: getattr(state.bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
        columns["allowance_volume"] = state.conditions.allowance_volume.copy()
        views = {name: column.view() for name, column in columns.items()}
        for view in views.values():
            view.flags.writeable = False  # as the kernel knows them
        conditions = state.conditions._replace(allowance_volume=views.pop("allowance_volume"))
        self._handle.replace(state._replace(bars=state.bars._replace(**views), conditions=conditions))
        return columns

    def pass_bar(self, prices: dict[str, Prices]) -> None:
        """The next bar of every symbol has ended."""
        for symbol, values in prices.items():
            place = self.passed * len(self.case.universe) + self.case.universe.index(symbol)
            old = self.case.bars[place]
            self.case.bars[place] = Bar(symbol, old.start, old.end, old.session_close, *values)
            for name, value in zip(("open", "high", "low", "close", "volume"), values, strict=True):
                self._prices[name][place] = value
            if len(self._prices["allowance_volume"]):
                self._prices["allowance_volume"][place] = values[-1]
        if self.passed:
            self.script.decisions += 1
        self.passed += 1
        assert self._step() == READY

    def ask(self, request: Request) -> None:
        """The request has been made."""
        self.case.script.setdefault(self.script.decisions, []).append(request)
        self.script.ask(self.strategy, request)

    def submitted_terms(self, nth: int) -> tuple[str, dict[str, Any]]:
        """Symbol and terms of the nth `Submit`."""
        found = [each for _, asked in sorted(self.case.script.items()) for each in asked if isinstance(each, Submit)]
        return found[nth].symbol, found[nth].kwargs

    def finish(self) -> Observation:
        """The bars that are left were flat, and the run is over."""
        while self.passed * len(self.case.universe) < len(self.case.bars):
            self.pass_bar({bar.symbol: (bar.close,) * 4 + (bar.volume,) for bar in self.last_bars()})
        assert self._step() == DONE
        return Observation(self.case, self.state, self._engine._result(describe(self.strategy), None))

    def last_close(self, symbol: str) -> float:
        """The close of the bar that has just ended."""
        return next(bar.close for bar in self.last_bars() if bar.symbol == symbol)

    def last_bars(self) -> list[Bar]:
        """The bars that have just ended."""
        n = len(self.case.universe)
        return self.case.bars[max(self.passed - 1, 0) * n :][:n]

    def _step(self) -> int:
        while (code := self._advance(self._handle.key)) not in (READY, DONE):
            grow(self._handle)
        return int(code)


def slot(n: int) -> tuple[int, int, int]:
    """Start, end and session close of the nth bar: hourly, four a day."""
    day = EPOCH + n // PER_DAY * DAY
    start = day + (FIRST_HOUR + n % PER_DAY) * HOUR
    return start, start + HOUR, day + DAY
