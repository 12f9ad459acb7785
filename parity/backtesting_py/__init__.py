"""backtesting.py as a subject of the laboratory. Imported in both environments, so it names nothing that only one of them has."""

import math
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from parity.backtesting_py.cases import CHOICES, DEFAULTS
from parity.backtesting_py.cases import draw as _draw
from parity.case import Case

if TYPE_CHECKING:
    from parity.book import Book

EXCEPTIONS = ()

__all__ = ["CHOICES", "DEFAULTS", "EXCEPTIONS", "draw", "nudged", "rules", "run"]


def draw(random: random.Random) -> Case:
    """A random case."""
    return _draw(random)


def run(case: Case) -> "Book":
    """What our engine makes of a case."""
    from parity.backtesting_py.ours import run_case  # not in the peer's environment

    return run_case(case)


def nudged(case: Case) -> Iterator[Case]:
    """The case with the fraction of one relative order moved by up to 4 ulp, which moves its quotient as far."""
    for i, request in enumerate(case.script):
        if request["do"] == "order" and request["size"] < 1.0:
            for towards in (0.0, 2.0):
                size = request["size"]
                for _ in range(4):
                    size = math.nextafter(size, towards)
                    yield case.with_(script=[*case.script[:i], {**request, "size": size}, *case.script[i + 1 :]])


def rules(case: Case) -> dict[str, str]:
    """What our engine is told for the case that is not its default."""
    from parity.backtesting_py.ours import rules_of  # not in the peer's environment

    return rules_of(case)
