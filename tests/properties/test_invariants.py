"""Every run leaves consistent books: the invariants hold on the seeded corpus and on cases that Hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given

from cases import Case
from drawn_cases import EFFORT, cases, seeded_cases
from invariants import INVARIANTS
from observation import Observation, observe


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.__name__)
def test_an_invariant_holds_on_the_corpus(invariant: Callable[[Observation], None], corpus: list[Observation]) -> None:
    for seed, run in enumerate(corpus):
        try:
            invariant(run)
        except AssertionError as error:
            error.add_note(f"seed {seed}: {run.case.config}")
            raise


@EFFORT
@given(case=cases())
def test_the_invariants_hold_on_drawn_cases(case: Case) -> None:
    run = observe(case)
    for invariant in INVARIANTS:
        invariant(run)


@EFFORT
@given(case=seeded_cases())
def test_the_invariants_hold_on_fresh_seeds(case: Case) -> None:
    run = observe(case)
    for invariant in INVARIANTS:
        invariant(run)
