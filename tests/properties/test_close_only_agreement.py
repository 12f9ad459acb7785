"""The engine and the oracle agree on random cases whose orders meet closes only, number by number."""

from __future__ import annotations

from dataclasses import replace

import pytest

import replay as engine
from cases import Case, random_case
from oracle import simulate

SEEDS = range(41_200, 41_500)


def at_closes(case: Case) -> Case:
    """The case with the rule, and without finer bars, which it refuses."""
    fills = {**case.config["fills"], "path": "close_only"}
    return replace(case, config={**case.config, "fills": fills}, finer=type(case.finer)())


@pytest.mark.parametrize("first", SEEDS[::50])
def test_the_engine_agrees(first: int) -> None:
    at_close = 0
    for seed in range(first, first + 50):
        case = at_closes(random_case(seed))
        outcome = simulate(case)
        at_close += sum(fill.segment == "close" for fill in outcome.fills)
        assert {fill.segment for fill in outcome.fills} <= {"open", "close", "after_close"}
        if outcome.close_calls:  # Decimal and float64 may rightly decide differently
            continue
        found = engine.differences(outcome, engine.replay(case))
        assert not found, "\n".join([f"seed {seed}: {case.config}", *found[:20]])
    assert at_close > 50
