"""The same class plain and compiled: the same orders, events, fills, journal, equity and records, bit for bit."""

from typing import Any

import pytest

import replay
from cases import random_case
from ml4t.backtest import BacktestConfig, BacktestError, Engine
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.result import FRAMES
from restless import Restless

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="without the compiler there is one driver")
SEEDS = 120


def driven(seed: int, *, compiled: bool) -> tuple[Any, Any]:
    """The result of a random case, complete or as far as it came, and the strategy."""
    case = random_case(seed)
    strategy = Restless(seed=seed, steps=997, flips=bool(seed % 2))
    engine = Engine(strategy, replay.frame(case), BacktestConfig.load(replay.config(case)), compiled=compiled)
    try:
        return engine.run(), strategy
    except BacktestError as error:
        return error, strategy


def test_random_cases() -> None:
    filled = 0
    for seed in range(SEEDS):
        (plain, one), (fast, two) = driven(seed, compiled=False), driven(seed, compiled=True)
        assert type(plain) is type(fast), (seed, plain, fast)
        if isinstance(plain, BacktestError):
            continue
        for name in FRAMES:
            assert getattr(plain, name).equals(getattr(fast, name), null_equal=True), (seed, name)
        assert plain.records.equals(fast.records), seed
        assert (one.step, one.fills, one.changes, one.paid, one.last) == (
            two.step,
            two.fills,
            two.changes,
            two.paid,
            two.last,
        ) or (one.last.id == two.last.id), seed
        filled += plain.fills.height > 0
    assert filled > SEEDS * 0.8
