"""The same class plain and compiled: the same orders, events, fills, journal, equity and records, bit for bit."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import fresh_process
import replay
from cases import random_case
from ml4t.backtest import BacktestConfig, BacktestError, CompilationError, Engine, Strategy, run
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.result import FRAMES
from restless import Restless

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="without the compiler there is one driver")
SEEDS = int(os.environ.get("ML4T_DRIVER_CASES", "60"))
sys.path.append(str(Path(__file__).parents[2] / "examples"))
import compiled_strategies as examples  # noqa: E402

EXAMPLES = (
    examples.Crossover,
    examples.ChannelBreakout,
    examples.Pairs,
    examples.TopMomentum,
    examples.InverseVolatility,
)


def differing(one: Any, two: Any) -> list[str]:
    """The frames in which two results differ."""
    names = (*FRAMES, "records")
    return [name for name in names if not getattr(one, name).equals(getattr(two, name), null_equal=True)]


def driven(seed: int, *, compiled: bool, room: int | None = None) -> tuple[Any, dict[str, Any]]:
    """What a random case comes to, or the class of its error; and the strategy's attributes."""
    case = random_case(seed)
    config = replay.config(case)
    if room:
        config["orders"]["reserve"] = room
    strategy = Restless(seed=seed, steps=997, flips=bool(seed % 2))
    engine = Engine(strategy, replay.frame(case), BacktestConfig.load(config), compiled=compiled)
    try:
        result = engine.run()
    except BacktestError as error:
        return type(error), {}
    last = strategy.last.id if strategy.last else None
    return result, {"step": strategy.step, "fills": strategy.fills, "paid": strategy.paid, "last": last}


def test_random_cases() -> None:
    """Thirty kinds of request under random rules. Few cases fill nothing, few end in an error, which is then the same."""
    filled = 0
    for seed in range(SEEDS):
        (plain, one), (fast, two) = driven(seed, compiled=False), driven(seed, compiled=True)
        if isinstance(plain, type):
            assert plain is fast, seed
        else:
            assert differing(plain, fast) == [], seed
            assert one == two, seed
            filled += plain.fills.height > 0
    assert filled > SEEDS * 0.8


@pytest.mark.parametrize("strategy", EXAMPLES, ids=lambda cls: cls.__name__)
def test_real_data(strategy: type[Strategy]) -> None:
    config = {"account": {"kind": "margin"}} if strategy is examples.Pairs else None
    plain = run(strategy(), us_indices(), config, cash=1_000_000, compiled=False)
    assert plain.fills.height > 10
    assert differing(plain, run(strategy(), us_indices(), config, cash=1_000_000)) == []


def test_tables_that_start_with_room_for_one_decision() -> None:
    """Room is made between decisions: the smallest reserve that the strategy can live with gives the same bytes."""
    for seed in range(20):
        (few, _), (many, _) = driven(seed, compiled=True, room=40), driven(seed, compiled=True)
        assert isinstance(few, type) or differing(few, many) == [], seed


class Remembering(Strategy):
    """Asks for forty indicators that remember all values, and for an order after each of them, in one decision."""

    def on_bar(self) -> None:
        for n in range(2, 42):
            if self.data.ema("SPX", n) > 0.0:
                self.broker.buy("SPX", 1)


def test_indicators_of_a_decision_leave_room_for_its_orders() -> None:
    plain = run(Remembering(), us_indices().head(80), cash=1e9)
    assert plain.fills.height > 200
    assert differing(plain, run(Remembering(), us_indices().head(80), cash=1e9, compiled=True)) == []


class Signalled(Strategy):
    """Buys what a signal says, sells three bars later; notes what it hears."""

    def on_start(self) -> None:
        self.left, self.heard = 0, 0.0
        self.schedule(self.weekly, every="week")
        self.schedule(self.third, every=3, at="open")

    def on_signal(self, signal: Any) -> None:
        self.heard += signal.values["score"] + signal.arrival_ns * 1e-20 + signal.event_ns * 1e-21
        self.broker.buy(signal.symbol, 1 + int(signal.values["size"]))
        self.left = 3

    def weekly(self) -> None:
        self.record("week", self.data.value("SPX", "close"))

    def third(self) -> None:
        self.record("third", self.data.signal("SPX", "score") if self.heard > 0.0 else 0.0)

    def on_bar(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.broker.close("SPX")
            if len(self.data.window("SPX", "score", 2, stream="signals")) == 2:
                self.record("two", self.data.window("SPX", "score", 2, stream="signals")[0])


def test_signals_and_schedules() -> None:
    bars = us_indices()
    days = bars.filter(pl.col("symbol") == "SPX")["timestamp"].gather_every(40)
    random = np.random.default_rng(1)
    signals = pl.DataFrame(
        {
            "timestamp": days,
            "symbol": "SPX",
            "score": random.random(len(days)),
            "size": random.integers(1, 9, len(days)),
        }
    )
    plain = run(Signalled(), bars, signals=signals, compiled=False, cash=1e6)
    fast = run(Signalled(), bars, signals=signals, compiled=True, cash=1e6)
    assert plain.fills.height > 200
    assert plain.records["name"].unique().sort().to_list() == ["third", "two", "week"]
    assert differing(plain, fast) == []


class Extra(Strategy):
    """Reads further columns by method and by name, in an attribute and written out."""

    column: str = "score"

    def on_start(self) -> None:
        self.total = np.zeros((2, 3))
        self.pair = ("SPX", "NASDAQ")

    def on_bar(self) -> None:
        for i, symbol in enumerate(self.pair):
            self.total[i, 1] += self.data.score(symbol) + self.data.value(symbol, self.column)
            self.total[i, 2] += self.data.score(symbol, 5).sum()
            if self.data.score(symbol) > 0.99:
                self.broker.order_target_value(symbol, 40_000.0 * self.data.mean(symbol, 3, "score"))


def test_further_columns() -> None:
    bars = us_indices()
    bars = bars.with_columns(score=pl.Series(np.random.default_rng(2).random(bars.height)))
    plain, fast = Extra(), Extra()
    one, two = run(plain, bars, compiled=False), run(fast, bars, compiled=True)
    assert one.fills.height > 20
    assert differing(one, two) == []
    np.testing.assert_allclose(plain.total, fast.total, rtol=1e-12)  # sums of its own: not to the last bit


def test_a_class_that_has_not_changed_is_loaded(tmp_path: Path) -> None:
    """The next process compiles nothing; an edit of a global or of a function that is called compiles again."""
    source = (Path(__file__).parent / "cached_strategy.py").read_text()
    source = source.replace(
        "100.0", f"{100.0 + time.time_ns() % 10**6 * 1e-6!r}"
    )  # no earlier test has compiled this one
    limit = source[source.index("LIMIT") :].splitlines()[0]
    answers = []
    for text in (
        source,
        source,
        source.replace(limit, "LIMIT = 3000.0"),
        source.replace("x * 2.0", "x * 3.0"),
    ):
        (tmp_path / "cached_strategy.py").write_text(text)
        answers.append(fresh_process.python(str(tmp_path / "cached_strategy.py")).stdout.split())
    compiled, fills = [answer[0] for answer in answers], [int(answer[1]) for answer in answers]
    assert compiled == ["compiled", "loaded", "compiled", "compiled"]
    assert fills[0] == fills[1]
    assert len({fills[0], fills[2], fills[3]}) == 3


class Averages(Strategy):
    """Decides by a sum that is made in another order when it is compiled."""

    def on_bar(self) -> None:
        if self.data.count("SPX") >= 30:
            own = self.data.close("SPX", 30).mean()
            if own > self.data.mean("SPX", 30):
                self.broker.buy("SPX", 1)
            elif own < self.data.mean("SPX", 30):
                self.broker.sell("SPX", 1)


def test_a_difference_is_found_and_its_line_named() -> None:
    with pytest.raises(CompilationError, match=r"decides differently.*row \d+ of orders") as raised:
        run(Averages(), us_indices(), {"account": {"kind": "margin"}}, check_compiled=True)
    assert "test_compiled_equality.py:" in str(raised.value)
    assert "np.mean" in str(raised.value)


def test_the_check_gives_the_compiled_result() -> None:
    result = run(examples.Crossover(), us_indices(), check_compiled=True)
    assert result.fills.equals(run(examples.Crossover(), us_indices()).fills)
