"""The stops of a column of `from_signals`: what the rows of a position come to, hit or not, one row at a time. Decisions, no fills."""

import math
from typing import NamedTuple


class Terms(NamedTuple):
    """The stops that a row arms; NaN: none."""

    stop: float
    trails: bool
    target: float


NOTHING = Terms(math.nan, False, math.nan)


class Guard:
    """The stops of one column between its rows: `base` is what the stop is measured from, `goal_base` the target."""

    def __init__(self) -> None:
        self.terms, self.base, self.goal_base = NOTHING, math.nan, math.nan

    def renew(self, before: float, held: float, terms: Terms, base: float, update: str) -> None:
        """A fill has changed the position: new stops for a new one, `update` says what becomes of them where it has grown."""
        if held == 0.0:
            self.__init__()  # type: ignore[misc]
        elif before * held <= 0.0:
            self.terms, self.base, self.goal_base = terms, base, base
        elif abs(held) > abs(before):
            if is_renewed(terms.stop, update):
                self.terms = self.terms._replace(stop=terms.stop, trails=terms.trails)
                self.base = base
            if is_renewed(terms.target, update):
                self.terms = self.terms._replace(target=terms.target)
                self.goal_base = base

    def hit(self, held: float, row: list[float]) -> float:
        """The price at which the row hits a stop, NaN where it hits none; the stop comes before the target, and then follows the row."""
        side = math.copysign(1.0, held)
        price = reached(row, self.base * (1.0 - side * self.terms.stop), side)
        if math.isnan(price):
            price = reached(row, self.goal_base * (1.0 + side * self.terms.target), -side)
        if self.terms.trails and held != 0.0:
            self.base = max(self.base, row[1]) if held > 0.0 else min(self.base, row[2])
        return price


def is_renewed(distance: float, update: str) -> bool:
    """Whether a position that has grown takes the distance of the row instead of its own."""
    return update == "overridenan" or (update == "override" and not math.isnan(distance))


def reached(row: list[float], level: float, direction: float) -> float:
    """Where the row meets a level by falling (direction 1) or rising (-1) to it: at its open or at the level; NaN: it does not."""
    open_, high, low = row[:3]
    if direction * (level - open_) >= 0.0:
        return open_
    return level if low <= level <= high else math.nan
