"""The path of prices inside a bar, and when it reaches a level (matching.md, Path and Trailing)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from cases import Bar
from outcome import AFTER_CLOSE, CLOSE, OPEN, ZERO, Moment, Order

from .sizing import direction
from .world import NEAR, World, best, is_exact, number, reaches, sign


@dataclass(frozen=True)
class Leg:
    """A straight line, or a jump: of which only the end is a price."""

    begin: Decimal
    end: Decimal
    is_jump: bool = False


@dataclass
class Course:
    """One bar as a round sees it: which parts of it count, and the legs of its path."""

    bar: Bar
    parts: tuple[str, ...]
    legs: list[Leg] = field(default_factory=list)

    def has(self, leg: int) -> bool:
        return part(leg) in self.parts


def part(leg: int) -> str:
    return {OPEN: "open", CLOSE: "close", AFTER_CLOSE: "after_close"}.get(leg, "path")


def segment(world: World, bar: Bar | None, leg: int) -> str:
    """What results call this leg."""
    if part(leg) != "path":
        return part(leg)
    if bar is not None and finer(world, bar):
        return "finer_bar"
    return ("first_leg", "second_leg", "third_leg")[leg - 1]


# ------------------------------------------------------------------------------------------------------------ the path


def finer(world: World, bar: Bar) -> list[Bar]:
    inside = [f for f in world.case.finer if f.symbol == bar.symbol and bar.start <= f.start and f.end <= bar.end]
    return sorted(inside, key=lambda f: f.start)


def legs(world: World, bar: Bar) -> list[Leg]:
    """O, P1, P2, C; or O, the open, P1, P2 and close of each finer bar, C. None where orders meet closes only."""
    if meets_closes_only(world):
        return []
    side = suffering_side(world, bar)
    inside = finer(world, bar)
    if not inside:
        return lines(corners(world, bar, side))
    found, price = [], number(bar.open)
    for each in inside:
        path = corners(world, each, side)
        found += [Leg(price, path[0], is_jump=True), *lines(path)]
        price = path[-1]
    return [*found, Leg(price, number(bar.close), is_jump=True)]


def meets_closes_only(world: World) -> bool:
    return bool(world.config["fills"]["path"] == "close_only")


def lines(path: list[Decimal]) -> list[Leg]:
    return [Leg(begin, end) for begin, end in pairwise(path)]


def corners(world: World, bar: Bar, side: int) -> list[Decimal]:
    first, high, low, last = (number(price) for price in (bar.open, bar.high, bar.low, bar.close))
    up, down = [first, high, low, last], [first, low, high, last]
    rule = world.config["fills"]["path"]
    if rule == "open_high_low_close":
        return up
    if rule == "open_low_high_close":
        return down
    if rule == "nearest_extreme_first":
        return up if high - first < first - low else down
    worst, other = (up, down) if side > 0 else (down, up)
    return worst if rule == "worst_first" else other


def suffering_side(world: World, bar: Bar) -> int:
    """The side that suffers from the high first. Choice: under `queue` the position is the one before the whole round."""
    side = -sign(world.positions[bar.symbol].quantity)
    if side:
        return side
    waiting = [order for order in world.live(bar.symbol) if may_fill_on_path(world, order, bar)]
    if waiting:
        return waiting[0].side
    others = [order for order in world.live(bar.symbol) if is_eligible_at_open(world, order, bar) and order.left != 0]
    return -direction(world, others[0], number(bar.open)) if others else 1


def may_fill_on_path(world: World, order: Order, bar: Bar) -> bool:
    if order.is_market or order.left == 0 or order.tif in ("IOC", "FOK", "OPG", "CLS") or bar.halted:
        return False
    return begins_on(order, bar) or is_eligible_at_open(world, order, bar)


def begins_on(order: Order, bar: Bar) -> bool:
    """Its present stage began inside this bar."""
    return order.since is not None and order.since[0] is bar


def is_eligible_at_open(world: World, order: Order, bar: Bar) -> bool:
    return order.eligible_from <= bar.start and is_past_delay(world, order, bar)


def is_eligible_at_close(world: World, order: Order, bar: Bar) -> bool:
    return order.eligible_from < bar.end and is_past_delay(world, order, bar)


def is_past_delay(world: World, order: Order, bar: Bar) -> bool:
    return order.delay == 0 or world.number_of[bar] >= order.bars_before + order.delay


# ------------------------------------------------------------------------------------------------- reaching a level


def reach(
    world: World,
    order: Order,
    level: Decimal,
    direction: int,
    course: Course,
    after: Moment | None,
    beyond: bool = False,
) -> Moment | None:
    """The first moment, not before `after`, at which the price reaches the level, or goes beyond it."""

    def is_there(price: Decimal) -> bool:
        count_near(world, order, price, level)
        return reaches(direction, price, level) and not (beyond and price == level)

    if meets_closes_only(world) and (after is None or after.leg < CLOSE):
        price = number(course.bar.close)
        if course.has(CLOSE) and is_there(price):
            return Moment(CLOSE, ZERO, price, level, "touch" if price == level else "gap")
        return None
    if after is not None and reaches(direction, after.price, level):
        if course.has(after.leg):
            kind = after.kind if order.is_triggered else "touch" if after.price == level else "gap"
            return Moment(after.leg, after.progress, after.price, level, kind)
        if after.leg != OPEN:
            return None
    if after is None and course.has(OPEN):
        price = number(course.bar.open)
        if is_there(price):
            return Moment(OPEN, ZERO, price, level, "touch" if price == level else "gap")
    if "path" not in course.parts:
        return None
    for number_, leg in enumerate(course.legs, 1):
        if (after is not None and number_ < after.leg) or not is_there(leg.end):
            continue
        return arrival(number_, leg, level)
    return None


def arrival(number_: int, leg: Leg, level: Decimal) -> Moment:
    """The moment on a leg that ends at or beyond the level. A jump has but one."""
    if leg.is_jump:
        return Moment(number_, ZERO, leg.end, level, "touch" if leg.end == level else "gap")
    progress = abs(level - leg.begin) / abs(leg.end - leg.begin) if leg.end != leg.begin else ZERO
    return Moment(number_, progress, level, level, "touch" if leg.end == level else "cross")


def count_near(world: World, order: Order, price: Decimal, level: Decimal) -> None:
    """A computed level that is all but met: float64 may see it on the other side."""
    if (order.is_inexact or not is_exact(level)) and abs(price - level) <= NEAR * abs(level):
        world.outcome.close_calls += 1


# ------------------------------------------------------------------------------------------------------------ trailing


def trail_stop(order: Order) -> Decimal | None:
    """The stop at the watermark."""
    if order.watermark is None or order.trail is None:
        return None
    distance = order.trail.distance * (order.watermark if order.trail.is_rate else 1)
    return order.watermark + order.side * distance


def reach_trail(world: World, order: Order, course: Course, after: Moment | None) -> Moment | None:
    """The first moment at which the price reaches the stop that follows it; the order's watermark stays as it is."""
    watermark = order.watermark
    try:
        return _walk(world, order, course, after, tests=True)
    finally:
        order.watermark = watermark


def advance_watermark(
    world: World, order: Order, course: Course, after: Moment | None, until: Moment | None = None
) -> None:
    """The watermark is what this part of the bar makes of it, as far as `until`, whatever became of the stop."""
    _walk(world, order, course, after, until, tests=False)


def _walk(
    world: World, order: Order, course: Course, after: Moment | None, until: Moment | None = None, *, tests: bool
) -> Moment | None:
    assert order.trail is not None

    def met(price: Decimal) -> Decimal | None:
        """The stop, if this price reaches it."""
        stop = trail_stop(order) if tests else None
        if stop is None:
            return None
        count_near(world, order, price, stop)
        return stop if reaches(order.side, price, stop) else None

    follows = order.trail.ratchet == "path"
    if meets_closes_only(world) and (after is None or after.leg < CLOSE):
        price = number(course.bar.close)
        here = met(price) if course.has(CLOSE) else None
        if here is not None:
            return Moment(CLOSE, ZERO, price, here, "touch" if price == here else "gap")
        if course.has(CLOSE) and (until is None or until.leg >= CLOSE):
            follow_price(order, price, follows or order.watermark is None)
        return None
    if after is not None:
        here = met(after.price)
        if here is not None and course.has(after.leg):
            return Moment(after.leg, after.progress, after.price, here, "touch" if after.price == here else "gap")
    elif course.has(OPEN):
        price = number(course.bar.open)
        here = met(price)
        if here is not None:
            return Moment(OPEN, ZERO, price, here, "touch" if price == here else "gap")
        follow_price(order, price, follows or order.watermark is None)
    if "path" not in course.parts:
        return None
    for number_, leg in enumerate(course.legs, 1):
        if after is not None and number_ < after.leg:
            continue
        if until is not None and number_ >= until.leg:
            if number_ == until.leg and order.side * (until.price - leg.begin) < 0:
                follow_price(order, until.price, follows)
            return None
        if order.side * (leg.end - leg.begin) < 0:
            follow_price(order, leg.end, follows)
            continue
        level = met(leg.end)
        if level is not None:
            return arrival(number_, leg, level)
    return None


def follow_price(order: Order, price: Decimal, follows: bool) -> None:
    if follows:
        order.watermark = price if order.watermark is None else best(order.side, (order.watermark, price))
