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
NUDGE = 4.0 * 2.0**-53

__all__ = ["CHOICES", "DEFAULTS", "EXCEPTIONS", "draw", "nudged", "rules", "run"]


def draw(random: random.Random) -> Case:
    """A random case."""
    return _draw(random)


def run(case: Case) -> "Book":
    """What our engine makes of a case."""
    from parity.backtesting_py.ours import run_case  # not in the peer's environment

    return run_case(case)


def nudged(case: Case) -> Iterator[Case]:
    """The case with the fraction of one relative order moved so far that its quotient, which grows with it, moves by at most 4 ulp.

    4 · 2⁻⁵³ of a number is never more than 4 of its ulp. A fixed commission is divided by the fraction, too, which doubles the move.
    """
    most = NUDGE / (
        2.0 if case.options["commission"].get("fixed") or case.options["commission"]["kind"] == "per_unit" else 1.0
    )
    for i, request in enumerate(case.script):
        if request["do"] == "order" and request["size"] < 1.0:
            for towards in (0.0, 2.0):
                size = math.nextafter(request["size"], towards)
                while abs(size - request["size"]) <= most * request["size"]:
                    yield case.with_(script=[*case.script[:i], {**request, "size": size}, *case.script[i + 1 :]])
                    size = math.nextafter(size, towards)


def rules(case: Case) -> dict[str, str]:
    """What our engine is told for the case that is not its default."""
    from parity.backtesting_py.ours import rules_of  # not in the peer's environment

    return rules_of(case)
