"""When an order is next activated, triggered or filled on a bar (matching.md, fills.md)."""

from __future__ import annotations

from decimal import Decimal

from cases import Bar
from outcome import AFTER_CLOSE, CLOSE, OPEN, ZERO, Moment, Order

from .path import (
    Course,
    begins_on,
    count_near,
    is_eligible_at_close,
    is_eligible_at_open,
    is_past_delay,
    meets_closes_only,
    reach,
    reach_trail,
)
from .sizing import direction
from .world import World, number, reaches

BITS = 2**64 - 1
ONE_MEETING = ("IOC", "FOK", "OPG", "CLS")
MISSED = "missed"


def moment(world: World, order: Order, course: Course) -> Moment | None:
    """None if nothing happens to the order on this course."""
    bar = course.bar
    if order.left == 0:
        return None
    if order.tif in ONE_MEETING:
        return only_meeting(world, order, course)
    if bar.halted:
        return None
    if order.is_market:
        return market(world, order, course)
    if not (begins_on(order, bar) or is_eligible_at_open(world, order, bar)):
        return None
    after = order.since[1] if order.since is not None and begins_on(order, bar) else None
    if not order.is_active:
        assert order.activation is not None
        return reach(world, order, order.activation, -order.side, course, after)
    if order.trigger == "trail" and not order.is_triggered:
        return reach_trail(world, order, course, after)
    if order.trigger != "none" and not order.is_triggered:
        assert order.stop is not None
        return reach(world, order, order.stop, order.side if order.trigger == "stop" else -order.side, course, after)
    return None if order.idle_on is bar else limit(world, order, course, after)


# -------------------------------------------------------------------------------------------------------- without limit


def market(world: World, order: Order, course: Course) -> Moment | None:
    """By the market rule of the run."""
    bar, rule = course.bar, world.config["fills"]["market"]
    if order.idle_on is bar:
        return None
    if order.trigger != "none" and order.since is not None and begins_on(order, bar) and course.has(order.since[1].leg):
        return order.since[1]  # what its parent's fill has added to a triggered child
    if rule == "next_open":
        is_due = course.has(OPEN) and is_there_at_open(world, order, bar)
        return Moment(OPEN, ZERO, quoted(world, order, bar, OPEN)) if is_due else None
    if rule == "next_vwap":
        assert bar.vwap is not None
        is_due = course.has(CLOSE) and is_there_at_open(world, order, bar)
        return Moment(CLOSE, ZERO, number(bar.vwap)) if is_due else None
    if course.has(AFTER_CLOSE):
        is_due = order.eligible_from <= world.now and is_past_delay(world, order, bar)
        return Moment(AFTER_CLOSE, ZERO, quoted(world, order, bar, AFTER_CLOSE)) if is_due else None
    is_due = course.has(CLOSE) and is_eligible_at_close(world, order, bar)
    return Moment(CLOSE, ZERO, quoted(world, order, bar, CLOSE)) if is_due else None


# --------------------------------------------------------------------------------------------------- for one meeting


def only_meeting(world: World, order: Order, course: Course) -> Moment | None:
    """Where an order for one meeting has it: there it fills, or has missed it."""
    bar = course.bar
    if order.tif in ("OPG", "CLS"):
        place = auction(world, order, course)
    else:
        place = first_meeting(world, order, course) if order.has_limit else market(world, order, course)
    if place is None:
        return None
    if order.limit is not None and not bar.halted:
        count_near(world, order, place.price, order.limit)
        if reaches(-order.side, place.price, order.limit):
            kind = "touch" if place.price == order.limit else "gap"
            return Moment(place.leg, place.progress, place.price, order.limit, kind)
    return Moment(place.leg, place.progress, place.price, kind=MISSED) if order.has_limit or bar.halted else place


def first_meeting(world: World, order: Order, course: Course) -> Moment | None:
    """Of an immediate order with a limit: the moment at which its parent's fill gave it something, or the first open."""
    bar, closes_only = course.bar, meets_closes_only(world)
    if order.since is not None and begins_on(order, bar) and (not closes_only or order.since[1].leg >= CLOSE):
        return order.since[1] if course.has(order.since[1].leg) else None
    if not begins_on(order, bar) and order.first_bar != world.number_of[bar]:
        return None
    leg = CLOSE if closes_only else OPEN
    return Moment(leg, ZERO, number(bar.close if closes_only else bar.open)) if course.has(leg) else None


def auction(world: World, order: Order, course: Course) -> Moment | None:
    """The open or the close of a session."""
    leg = OPEN if order.tif == "OPG" else CLOSE
    if not is_auction(world, order, course.bar) or not course.has(leg):
        return None
    if order.limit is not None:
        return Moment(leg, ZERO, number(course.bar.open if leg == OPEN else course.bar.close))
    return Moment(leg, ZERO, quoted(world, order, course.bar, leg))


def is_auction(world: World, order: Order, bar: Bar) -> bool:
    """The bar begins or ends a session, as the order asks for, and the order is eligible then."""
    session = world.session(bar)
    if order.tif == "OPG":
        return bar is session[0] and is_there_at_open(world, order, bar)
    return order.tif == "CLS" and bar is session[-1] and is_eligible_at_close(world, order, bar)


def is_there_at_open(world: World, order: Order, bar: Bar) -> bool:
    """It may fill at the bar's open, or for a price of the whole bar: its parent has added nothing since that open."""
    has_grown_since = order.since is not None and begins_on(order, bar) and order.since[1].leg > OPEN
    return is_eligible_at_open(world, order, bar) and not has_grown_since


def quoted(world: World, order: Order, bar: Bar, leg: int) -> Decimal:
    """The price of a market order: the bar's, or what `fills.quote` makes of it."""
    last, rule = number(bar.open if leg == OPEN else bar.close), world.config["fills"]["quote"]
    if rule == "last" or order.trigger != "none":
        return last
    bid, ask = quotes(bar, leg)
    if rule == "mid":
        return (bid + ask) / 2
    prices, side = {1: ask, -1: bid}, direction(world, order, last) or 1
    return prices[side] if direction(world, order, prices[side]) == side else prices[-side]


def quotes(bar: Bar, leg: int) -> tuple[Decimal, Decimal]:
    """Bid and ask of the bar's open or close."""
    bid, ask = (bar.open_bid, bar.open_ask) if leg == OPEN else (bar.bid, bar.ask)
    assert bid is not None
    assert ask is not None
    return number(bid), number(ask)


def is_between_quotes(world: World, order: Order, bar: Bar, leg: int) -> bool:
    """A target that is resolved at the fill, and is no purchase at the ask and no sale at the bid."""
    if order.side != 0 or order.sizing == "close" or world.config["fills"]["quote"] != "bid_ask":
        return False
    if world.config["fills"]["market"] == "next_vwap" and order.tif not in ("OPG", "CLS"):
        return False
    bid, ask = quotes(bar, leg)
    return direction(world, order, ask) <= 0 <= direction(world, order, bid)


# ----------------------------------------------------------------------------------------------------------- with limit


def limit(world: World, order: Order, course: Course, after: Moment | None) -> Moment | None:
    """When the limit fills, under the rule for touches where the order has rested."""
    assert order.limit is not None
    bar = course.bar
    found = reach(world, order, order.limit, -order.side, course, after)
    if found is None or found.price != order.limit or not is_mere_touch(course, order, found):
        return found
    if is_first_meeting(world, order, bar, found) or found == after or is_same(found, after):
        return found
    if touch_fills(world, order, bar):
        return found
    return reach(world, order, order.limit, -order.side, course, after, beyond=True)


def is_same(found: Moment, after: Moment | None) -> bool:
    return after is not None and (found.leg, found.progress) == (after.leg, after.progress)


def is_mere_touch(course: Course, order: Order, found: Moment) -> bool:
    """The leg on which it is reached ends at the limit; at an open, or at the only close: it is the limit."""
    if found.leg == OPEN or not course.legs:
        return True
    return 0 < found.leg <= len(course.legs) and course.legs[found.leg - 1].end == order.limit


def is_first_meeting(world: World, order: Order, bar: Bar, found: Moment) -> bool:
    """The open of the first bar at which it is eligible; of a child, the moment at which it was accepted or has grown.

    Where orders meet closes only: the close after these.
    """
    if meets_closes_only(world) and (order.since is None or order.since[1].leg < CLOSE):
        is_new = begins_on(order, bar) if order.since is not None else order.first_bar == world.number_of[bar]
        return is_new and found.leg <= CLOSE
    if begins_on(order, bar):
        return order.since is not None and is_same(found, order.since[1])
    return order.first_bar == world.number_of[bar] and found.leg == OPEN


def touch_fills(world: World, order: Order, bar: Bar) -> bool:
    """Whether a mere touch fills the rested order on this bar."""
    rule = world.config["fills"]["touch"]
    if rule["kind"] == "probability":
        return bool(draw(world, order, bar) < rule["probability"])
    if rule["kind"] == "queue":
        return order.ahead - taken(world, bar) <= 0
    return bool(rule["kind"] == "always")


def taken(world: World, bar: Bar) -> Decimal:
    """What a bar that touches a limit takes off the queue there."""
    participation = world.config["fills"]["participation"] or {}
    return number(participation.get("share", 1.0)) * number(bar.volume)


def shorten_queue(world: World, order: Order, course: Course) -> None:
    """The bar has ended: where it has met the order's limit, and not as its first meeting, fewer units are before it."""
    bar, is_resting = course.bar, order.trigger == "none" or order.is_triggered
    is_on = begins_on(order, bar) or is_eligible_at_open(world, order, bar)
    if world.config["fills"]["touch"]["kind"] != "queue" or order.limit is None or not is_resting or not is_on:
        return
    after = order.since[1] if order.since is not None and begins_on(order, bar) else None
    whole = Course(bar, ("open", "path", "close"), course.legs)
    found = reach(world, order, order.limit, -order.side, whole, after)
    if found is not None and not is_first_meeting(world, order, bar, found):
        order.ahead -= taken(world, bar)


def draw(world: World, order: Order, bar: Bar) -> float:
    seed = int(world.config["run"]["seed"])
    bits = splitmix64(splitmix64(seed) ^ splitmix64((order.id * 2**32 + world.row_of[bar]) & BITS))
    return (bits >> 11) / 2**53


def splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & BITS
    z = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return z ^ (z >> 31)
