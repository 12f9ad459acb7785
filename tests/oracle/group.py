"""What follows from a fill or an end for other orders: children, rings, exits (orders.md, Groups).

Every consequence has the time of the instant. Under `queue` a fill at the open is older than that.
"""

from __future__ import annotations

from decimal import Decimal

from cases import Bar
from outcome import CLOSE, OPEN, ZERO, Order

from .path import advance_watermark, begins_on, is_eligible_at_open
from .price import resolve_late
from .world import NEAR, Filled, World, sign


def follow_fill(world: World, filled: Filled) -> None:
    """What follows from a fill at once has happened."""
    for child in [order for order in world.orders if order.parent is filled.order and not order.is_final]:
        grow(world, child, filled)
    for member in list(filled.order.ring):
        if member is not filled.order and not member.is_final:
            shrink(world, member, filled.kept)
    cancel_exits(world, filled)


def settle(world: World) -> None:
    """Nothing follows any more: what follows from consequences comes after them."""
    while world.ended:
        orphan(world, world.ended.pop(0))


# ------------------------------------------------------------------------------------------------ parent and children


def grow(world: World, child: Order, filled: Filled) -> None:
    """The child has its share of the parent's fill, and works from there on."""
    added = ZERO
    if child.sizing == "parent":
        now = filled.order.filled
        added = share(world, child, now) - share(world, child, now - abs(filled.quantity))
        assert child.quantity is not None
        child.quantity += added
    if child.state == "pending":
        accept_child(world, child, filled)
    elif added > 0:
        world.note(child, "parent_filled", world.now)
        begin(world, child, filled)


def share(world: World, child: Order, filled: Decimal) -> Decimal:
    """What the child has of a parent that has filled so much. No lot is lost between the rungs of a ladder."""
    below, above = child.fraction_before, child.fraction_before + child.fraction
    return world.whole_lots(child.symbol, above * filled) - world.whole_lots(child.symbol, below * filled)


def accept_child(world: World, child: Order, filled: Filled) -> None:
    course, is_same = filled.course, child.symbol == filled.order.symbol
    is_late = course is not None and child.eligible_from > course.bar.start and filled.moment.leg < CLOSE
    world.transition(child, "accepted", "parent_filled", world.now)
    child.accepted_at = child.eligible_from = world.now
    resolve_late(world, child, filled.price)
    if child.trail is not None and child.is_active:
        child.watermark = filled.moment.price if is_same else world.positions[child.symbol].mark
    if child.tif == "DAY":
        is_met = is_same and not is_late and filled.moment.leg < CLOSE
        join_session(world, child, course.bar if course is not None and is_met else None)
    child.bars_before = world.ended_bars(child.symbol) if course is None or not is_same else world.number_of[course.bar]
    if child.bars is not None:
        child.last_bar = child.bars_before + child.bars - 1
    if course is not None and is_same and not is_late:
        if child.is_market:
            if filled.moment.leg == OPEN and is_eligible_at_open(world, child, course.bar):
                meet(world, child, world.number_of[course.bar])
        else:
            child.since = (course.bar, filled.moment)
            meet(world, child, world.number_of[course.bar])
    elif filled.moment.leg == OPEN and not is_same and world.config["fills"]["schedule"] == "phased":
        child.eligible_from = world.now + 1  # it meets no bar that starts now
    if child.tif == "GTD" and child.expires_at is not None and child.expires_at <= world.now:
        world.transition(child, "expired", "good_till_date_reached", world.now)


def begin(world: World, child: Order, filled: Filled) -> None:
    """What was added works from the moment of the fill on: nothing of this bar that came before concerns it."""
    course = filled.course
    if course is None or child.symbol != filled.order.symbol:
        return
    if not (begins_on(child, course.bar) or is_eligible_at_open(world, child, course.bar)):
        return
    if child.trail is not None and child.is_active and not child.is_triggered:
        after = child.since[1] if child.since is not None and begins_on(child, course.bar) else None
        advance_watermark(world, child, course, after, filled.moment)
    child.since = (course.bar, filled.moment)
    waits_for_open = child.is_market and filled.moment.leg != OPEN
    child.first_bar = None if waits_for_open else world.number_of[course.bar]


def meet(world: World, order: Order, number: int) -> None:
    """The bar of this number is the order's first."""
    order.first_bar = number


def join_session(world: World, order: Order, bar: Bar | None = None) -> None:
    """The DAY order belongs to the session of this bar, else of the first of its symbol that it may meet from now on."""
    if bar is None:
        later = (one for one in world.bars_of[order.symbol] if one.start >= world.now)
        bar = next((one for one in later if is_eligible_at_open(world, order, one)), None)
    order.session_bar, order.expires_at = bar, None if bar is None else bar.session_close


def orphan(world: World, parent: Order) -> None:
    """The parent has ended: its children do not wait, and do not grow any more."""
    for child in [order for order in world.orders if order.parent is parent]:
        if child.state in ("created", "pending"):
            world.transition(child, "cancelled", "parent_ended", world.now)
        elif child.is_live:
            is_used_up = child.sizing == "parent" and child.left == 0
            if is_used_up and child.filled > 0:
                world.transition(child, "filled", "executed", world.now)
            elif child.is_exit and sign(world.positions[child.symbol].quantity) in (0, child.side):
                world.transition(child, "cancelled", "position_closed", world.now)
            elif is_used_up:
                world.transition(child, "cancelled", "linked_order_filled", world.now)


# ---------------------------------------------------------------------------------------------------- rings and exits


def shrink(world: World, member: Order, kept: Decimal) -> None:
    """The member keeps this share of what it has left."""
    left = member.left
    if left is None:
        if kept == 0:
            world.transition(member, "cancelled", "linked_order_filled", world.now)
        return None
    if left == 0:
        return None
    new = world.whole_lots(member.symbol, left * kept)
    new = new if new > NEAR * left else ZERO
    if new == left:
        return None
    if new == 0 and not member.may_grow:
        return world.transition(member, "cancelled", "linked_order_filled", world.now)
    if member.quantity is not None:
        member.quantity = member.filled + new
    else:
        member.resolved = member.filled + new
    return world.note(member, "linked_order_filled", world.now)


def cancel_exits(world: World, filled: Filled) -> None:
    """Exits that have nothing left to reduce, because the position is flat or on their own side."""
    symbol = filled.order.symbol
    after = sign(world.positions[symbol].quantity)
    for order in world.live(symbol):
        is_over = order is not filled.order and order.left != 0 and (order.parent is None or order.parent.is_final)
        if order.is_exit and is_over and after in (0, order.side):
            world.transition(order, "cancelled", "position_closed", world.now)


def link(world: World, members: list[Order]) -> None:
    """One ring of all of them and of what they were linked with before."""
    ring = {order.id: order for member in members for order in [member, *member.ring]}
    joined = [ring[number] for number in sorted(ring)]
    for order in joined:
        order.ring = joined
