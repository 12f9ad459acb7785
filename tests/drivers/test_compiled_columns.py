"""Columns are compiled once, whatever their parameters are."""

from typing import Any

import polars as pl
import pytest

from ml4t.backtest import Orders, Signals, Strategy, TargetWeights, run
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.compilation import strategy as compilation
from ml4t.backtest.compilation.code import methods_of, reached
from told import bars, minute

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="nothing is compiled")
DATA = bars(*[(100.0,) * 4] * 3, symbols="AB").with_columns(e=True, x=False, w=0.1)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of the compiler: name and types."""
    asked: list[Any] = []
    compile_strategy = compilation.compile_strategy

    def watched(function: Any, name: str, signature: Any) -> Any:
        asked.append((name, signature))
        return compile_strategy(function, name, signature)

    monkeypatch.setattr(compilation, "compile_strategy", watched)
    return asked


def test_signals(compiled: list[Any]) -> None:
    given = pl.DataFrame({"timestamp": [minute(0)], "A": [1], "B": [0]})
    for signals in (
        Signals(entries="e", exits="x", size=10),
        Signals(
            entries=given, short_entries="x", size="w", sizing="equity", stop_loss=0.05, max_bars=2, reentry="reset"
        ),
    ):
        assert run(signals, DATA).fills.height
    assert len(compiled) == 2
    assert compiled[0] == compiled[1]


def test_weights_with_and_without_a_schedule(compiled: list[Any]) -> None:
    for weights in (
        TargetWeights("w"),
        TargetWeights(scores="w", top=1, drift=0.1),
        TargetWeights("w", every=1),
        TargetWeights("w", every="session", groups={"A": "a", "B": "b"}, group_cap=0.05),
    ):
        run(weights, DATA)
    assert compiled[0] == compiled[1] != compiled[2] == compiled[3]


def test_orders(compiled: list[Any]) -> None:
    orders = pl.DataFrame({"timestamp": [minute(1)], "symbol": ["A"], "quantity": [1.0]})
    for given in (orders, orders.with_columns(tag=pl.lit("mine"), limit=100.0)):
        assert run(Orders(given), DATA).fills.height
    assert compiled[0] == compiled[1]


def test_only_methods_that_are_called_are_compiled() -> None:
    class Calls(Strategy):
        def on_bar(self) -> None:
            self.first()

        def first(self) -> None:
            [self.second() for _ in range(1)]

        def second(self) -> None: ...

        def third(self) -> None:
            self.first()

    assert list(reached(methods_of(Calls), ["on_bar", "on_fill"])) == ["on_bar", "first", "second"]


def test_room_is_made_for_what_columns_ask_at_once() -> None:
    """300 orders with four exits each in one decision, where 64 + 4 per symbol is the default room; flips of 60 symbols with every exit."""
    exits = {"stop_loss": 0.1, "take_profit": 0.2, "trail": 0.3, "max_bars": 5}
    orders = pl.DataFrame({"timestamp": [minute(1)] * 300, "symbol": ["A"] * 300, "quantity": [1.0] * 300} | exits)
    assert run(Orders(orders), DATA).orders.height == 1_500
    data = pl.concat([DATA.filter(symbol="A").with_columns(symbol=pl.lit(f"S{n:02d}")) for n in range(60)])
    data = data.sort("timestamp", "symbol").with_columns(
        s=pl.col("timestamp") == minute(1), e=pl.col("timestamp") == minute(0)
    )
    result = run(Signals(entries="e", short_entries="s", size=1, **exits), data, {"account": {"kind": "margin"}})
    assert result.orders.height == 60 * (5 + 6)
