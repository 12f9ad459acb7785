"""The specification once more, slowly: `simulate(case)` says what docs/semantics demands, in `Decimal` and plain lists.

Written from docs/semantics alone, sharing no code with the engine. Where a page leaves a choice, a comment `Choice:`
says which reading is taken.

It does not know users' own models, nor the rules that exist for profiles (`IN_THE_LABORATORY` in properties/test_coverage.py:
there the engines that have them are the judge). Exit rules of a strategy are drawn without multiples of the ATR and without
the basis `signal`, which the exits of single orders have.
"""

from __future__ import annotations

from decimal import localcontext

from cases import Case
from outcome import Outcome

from .clock import run
from .world import World

__all__ = ["simulate"]


def simulate(case: Case) -> Outcome:
    """The outcome of a case under docs/semantics."""
    with localcontext() as context:
        context.prec = 50
        world = World(case)
        run(world)
        return world.outcome
