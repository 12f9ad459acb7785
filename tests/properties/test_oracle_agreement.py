"""The engine and the oracle agree on random cases, number by number; and the cases cover what they are meant to.

`ML4T_ORACLE_CASES` (1500) cases from seed `ML4T_ORACLE_SEED` (0) on, and a fifth as many crowded ones.
Before a release, on seeds never tried before:
`ML4T_ORACLE_CASES=20000 ML4T_ORACLE_SEED=$RANDOM$RANDOM python -m pytest -n auto tests/properties/test_oracle_agreement.py`
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import pytest

import replay
from cases import KINDS, ORDER_TYPES, Case, coverage, random_case
from oracle import simulate

if TYPE_CHECKING:
    from outcome import Outcome

CASES = int(os.environ.get("ML4T_ORACLE_CASES", "1500"))
FIRST = int(os.environ.get("ML4T_ORACLE_SEED", "0"))
SEEDS = range(FIRST, FIRST + CASES)
CHUNK = 50
CROWDED = range(FIRST, FIRST + CASES // 5)


@cache
def expected(seed: int, crowded: bool = False) -> tuple[Case, Outcome]:
    """The case of a seed and what the oracle says of it; kept, because several tests look at it."""
    case = random_case(seed, crowded=crowded)
    return case, simulate(case)


@pytest.fixture(scope="module")
def simulated() -> list[tuple[Case, Outcome]]:
    return [expected(seed) for seed in SEEDS]


def test_the_cases_cover_every_order_type_and_kind(simulated: list[tuple[Case, Outcome]]) -> None:
    counts = coverage(outcome for _, outcome in simulated)
    assert counts["empty"] <= counts["cases"] / 5, counts
    for order_type in ORDER_TYPES[1:]:
        for kind in KINDS:
            assert counts[f"{order_type}/{kind}"] >= 50, counts
    assert counts["market/market"] >= 50, counts


def test_only_few_cases_hang_on_a_rounding_error(simulated: list[tuple[Case, Outcome]]) -> None:
    assert sum(outcome.close_calls > 0 for _, outcome in simulated) <= len(simulated) / 10


def test_the_oracle_keeps_its_own_books(simulated: list[tuple[Case, Outcome]]) -> None:
    """Cash, positions and prices are consistent: the comparison would not notice an error that both sides share."""
    for case, outcome in simulated:
        start = case.config["account"]["cash"]
        cash = start + float(sum(entry.amount for entry in outcome.journal))
        assert float(outcome.equity[-1].cash) == pytest.approx(cash, rel=1e-12, abs=1e-9)
        for symbol, position in outcome.positions.items():
            filled = sum(fill.quantity for fill in outcome.fills if fill.symbol == symbol)
            assert float(filled) == pytest.approx(float(position.quantity), abs=1e-9)
        orders = {order.id: order for order in outcome.orders}
        replaced = {event.order_id for event in outcome.order_events if event.reason == "replace_requested"}
        for fill in outcome.fills:
            limit = orders[fill.order_id].limit if fill.order_id not in replaced else None
            assert limit is None or (fill.price - limit) * fill.quantity <= 0
            # End-of-run closes may use a stale mark; every other fill lies inside the bar it carries the time of.
            if orders[fill.order_id].origin not in ("end_of_data", "end_of_run"):
                own = [bar for bar in case.bars if bar.symbol == fill.symbol]
                time = "start" if fill.segment == "open" else "end"
                bar = next(bar for bar in own if getattr(bar, time) == fill.time)
                is_quoted = (
                    case.config["fills"].get("quote", "last") != "last"
                )  # so are children at their parent's moment
                assert is_quoted or bar.low <= fill.reference_price <= bar.high


@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_the_engine_agrees(first: int) -> None:
    for seed in range(first, min(first + CHUNK, SEEDS.stop)):
        agree(seed)


@pytest.mark.parametrize("first", CROWDED[::CHUNK])
def test_the_engine_agrees_on_children_of_orders_that_fill_in_parts(first: int) -> None:
    for seed in range(first, min(first + CHUNK, CROWDED.stop)):
        agree(seed, crowded=True)


def agree(seed: int, *, crowded: bool = False) -> None:
    case, outcome = expected(seed, crowded)
    if outcome.close_calls:  # Decimal and float64 may rightly decide differently
        return
    found = replay.differences(outcome, replay.replay(case))
    assert not found, "\n".join([f"seed {seed}: {case.config}", *found[:20]])
