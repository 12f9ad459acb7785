"""A scenario: a few minute bars, what the strategy asks for and when, and what must come of it, worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import pytest

from ml4t.backtest import BacktestConfig, Result, Strategy, run

START = datetime(2024, 3, 5, 10, tzinfo=UTC)
LATE = datetime(2024, 3, 5, 23, 57, tzinfo=UTC)
"""With this start the bars 0, 1 and 2 are the last of a UTC day, and bar 3 is the first of the next."""

MARGIN = {"account.kind": "margin"}
FLAT = (100, 100, 100, 100)

Prices = tuple[float, float, float, float]
"""Open, high, low, close."""


class Ask(NamedTuple):
    """One call of a broker method."""

    method: str
    arguments: tuple[Any, ...]
    terms: dict[str, Any]


class Fill(NamedTuple):
    """An expected fill. One at the open has the time of the bar's start, every other that of its end."""

    bar: int
    segment: str
    side: str
    quantity: float
    price: float
    symbol: str = "A"
    order: int | None = None


def minute(number: float, start: datetime = START) -> datetime:
    """Bar n lasts from minute n to minute n + 1."""
    return start + timedelta(minutes=number)


def buy(quantity: float | None = None, symbol: str = "A", **terms: Any) -> Ask:
    return Ask("buy", (symbol, quantity), terms)


def sell(quantity: float | None = None, symbol: str = "A", **terms: Any) -> Ask:
    return Ask("sell", (symbol, quantity), terms)


def target_quantity(target: float, symbol: str = "A", **terms: Any) -> Ask:
    return Ask("order_target_quantity", (symbol, target), terms)


def target_value(target: float, symbol: str = "A", **terms: Any) -> Ask:
    return Ask("order_target_value", (symbol, target), terms)


def target_percent(target: float, symbol: str = "A", **terms: Any) -> Ask:
    return Ask("order_target_percent", (symbol, target), terms)


def close(symbol: str = "A") -> Ask:
    return Ask("close", (symbol,), {})


def cancel(order: int) -> Ask:
    return Ask("cancel", (order,), {})


def replace(order: int, **terms: Any) -> Ask:
    return Ask("replace", (order,), terms)


def oco(*orders: int) -> Ask:
    return Ask("oco", orders, {})


@dataclass(frozen=True)
class Scenario:
    """What is asked at minute n is asked before the open of bar n, or inside bar n − ½ by a signal; at 0 in `on_start`."""

    name: str
    bars: list[Prices] | dict[str, list[Prices | None]]  # of symbol A, or by symbol with None for a missing bar
    asks: dict[float, list[Ask]]  # by minute; 1.5 is inside bar 1
    fills: list[Fill]  # in the order in which they happen
    cash: float  # at the end
    ends: dict[int, str] = field(default_factory=dict)  # order id → state and reason, for orders that are not filled
    config: dict[str, Any] = field(default_factory=dict)  # by dotted key
    start: datetime = START
    columns: dict[str, list[float]] = field(default_factory=dict)  # further columns of the bars, or their volumes


def frame(bars: list[Prices] | dict[str, list[Prices | None]], start: datetime = START) -> pl.DataFrame:
    """Minute bars with explicit starts and ends, as a user gives them."""
    series = bars if isinstance(bars, dict) else {"A": bars}
    rows = [
        (minute(n, start), minute(n + 1, start), symbol, *map(float, prices), 1000.0)
        for symbol, path in series.items()
        for n, prices in enumerate(path)
        if prices is not None
    ]
    names = ["bar_start", "bar_end", "symbol", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(rows, schema=names, orient="row").sort("bar_start", "symbol")


class Scripted(Strategy):
    """Asks for what the scenario says, when it says so."""

    _scenario: Scenario  # not a parameter

    def on_start(self) -> None:
        self.todo = dict(self._scenario.asks)
        for ask in self.todo.pop(0, []):
            self.ask(ask)

    def on_bar(self) -> None:
        for number in [n for n in self.todo if minute(n, self._scenario.start) == self.clock.now]:
            for ask in self.todo.pop(number):
                self.ask(ask)

    def on_signal(self, _: Any) -> None:
        if self.clock.now.second:  # at full minutes on_bar comes, too
            self.on_bar()

    def ask(self, ask: Ask) -> None:
        getattr(self.broker, ask.method)(*ask.arguments, **ask.terms)


def play(scenario: Scenario) -> Result:
    """The result of a scenario."""
    inside = [minute(n, scenario.start) for n in scenario.asks if n % 1]
    signals = pl.DataFrame({"timestamp": inside, "arrival": inside, "wake": 1.0}) if inside else None
    strategy = Scripted()
    strategy._scenario = scenario
    config = BacktestConfig.load({}, **scenario.config)
    columns = {name: pl.Series(values, dtype=pl.Float64) for name, values in scenario.columns.items()}
    bars = frame(scenario.bars, scenario.start).with_columns(**columns)
    result = run(strategy, bars, config, signals=signals)
    assert not strategy.todo, "some requests were never made"
    return result


def check(scenario: Scenario) -> Result:
    """The scenario comes out as expected: every fill, how every order ends, and the cash."""
    result = play(scenario)
    found = [
        Fill(
            bar=_bar(row["timestamp"], row["segment"], scenario.start),
            segment=row["segment"],
            side=row["side"],
            quantity=pytest.approx(row["quantity"], rel=1e-12),
            price=pytest.approx(row["price"], rel=1e-12),
            symbol=row["symbol"],
            order=row["order_id"],
        )
        for row in result.fills.to_dicts()
    ]
    expected = [
        fill._replace(order=real.order) if fill.order is None else fill
        for fill, real in zip(scenario.fills, found, strict=False)
    ]
    assert expected + scenario.fills[len(found) :] == found
    ends = {row["order_id"]: f"{row['state']} {row['reason']}" for row in result.orders.to_dicts()}
    assert ends == dict.fromkeys(ends, "filled executed") | scenario.ends
    assert result.equity["cash"][-1] == pytest.approx(scenario.cash, rel=1e-12)
    assert result.config.account.cash + sum(result.journal["amount"]) == pytest.approx(scenario.cash, rel=1e-12)
    return result


def _bar(time: datetime, segment: str, start: datetime) -> int:
    """The number of the bar that starts (open) or ends (all else) at this time."""
    number, rest = divmod(time - start, timedelta(minutes=1))
    assert not rest
    return number - (segment != "open")


def names(scenarios: list[Scenario]) -> list[str]:
    """Test ids."""
    return [scenario.name for scenario in scenarios]
