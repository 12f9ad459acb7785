"""backtrader as a subject of the laboratory. Imported in both environments, so it names nothing that only one of them has."""

import random
from typing import TYPE_CHECKING

from parity.backtrader.cases import CHOICES, DEFAULTS
from parity.backtrader.cases import draw as _draw
from parity.backtrader.defects import EXCEPTIONS
from parity.case import Case

if TYPE_CHECKING:
    from parity.book import Book


__all__ = ["CHOICES", "DEFAULTS", "EXCEPTIONS", "draw", "rules", "run"]


def draw(random: random.Random) -> Case:
    """A random case."""
    return _draw(random)


def run(case: Case) -> "Book":
    """What our engine makes of a case."""
    from parity.backtrader.ours import run_case  # not in the peer's environment

    return run_case(case)


def rules(case: Case) -> dict[str, str]:
    """What our engine is told for the case that is not its default."""
    from parity.backtrader.ours import rules_of  # not in the peer's environment

    return rules_of(case)
