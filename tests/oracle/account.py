"""What the account takes, at acceptance and at the fill (account.md)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

from outcome import ZERO, Order

from .cost import Deal, added_commission, commission, model
from .group import settle
from .path import trail_stop
from .sizing import is_reduction
from .world import NEAR, ONE, World, is_exact, number, sign

# ------------------------------------------------------------------------------------------------------- at acceptance


def admit(world: World, batch: list[Order], accept: Callable[[Order], None]) -> None:
    """Each order of the batch is accepted, pending or rejected."""
    if world.config["orders"]["batch_order"] == "reductions_first":
        batch = sorted(batch, key=lambda order: (not is_reduction(world, order, None), order.id))
    running = world.cash
    for order in batch:
        if order.state != "created":  # its parent was rejected before its turn
            continue
        reason = "none"
        mark, quantity = world.positions[order.symbol].mark, order.quantity
        explicit = order.sizing == "quantity" and quantity is not None
        if explicit and world.whole_lots(order.symbol, quantity or ZERO) != quantity:
            reason = "not_a_lot_multiple"
        elif quantity is not None and mark is not None and order.parent is None:
            levels = (order.limit, order.stop, trail_stop(order), mark)
            if world.config["orders"]["admission"] == "pseudo_execute":
                levels = (order.stop, trail_stop(order), order.limit, mark)
            reference = next(price for price in levels if price is not None)
            if world.config["orders"]["admission"] == "reserve":
                reason = reserve(world, order, quantity, reference)
            elif world.config["orders"]["admission"] == "pseudo_execute":
                value = quantity * reference * world.multiplier(order.symbol)
                cost = order.side * value + added_commission(world, order, quantity, value)
                reason = "insufficient_cash" if world.is_less(running, cost, exact=is_exact(quantity)) else "none"
                running -= cost  # Choice: "stays where it is" means below zero, with the rejected order taken off.
        if reason == "none":
            accept(order)
        else:
            world.transition(order, "rejected", reason, world.now)
            settle(world)


def reserve(world: World, order: Order, quantity: Decimal, reference: Decimal) -> str:
    """Reserves what the opening part of the order needs, or returns why it may not."""
    held = world.positions[order.symbol].quantity
    opening = max(quantity - abs(held), ZERO) if sign(held) == -order.side else quantity
    if opening == 0 or order.reduce_only:
        return "none"
    value = opening * reference * world.multiplier(order.symbol)
    rate = world.margin_rate if world.is_margin else ONE
    need = value * rate + added_commission(world, order, opening, value)
    free = world.cash
    if world.is_margin:
        free = world.equity() - world.margin_rate * world.gross()
    for other in world.orders:
        free -= other.reserved
    if world.is_less(free, need, exact=is_exact(quantity)) and rejects_shortfall(world, order):
        return short_of_funds(world)
    order.reserved = max(min(need, free), ZERO)
    return "none"


def rejects_shortfall(world: World, order: Order) -> bool:
    rule = world.config["account"]["shortfall"]
    return bool(rule == "reject" or (rule == "by_sizing" and order.sizing == "quantity"))


def short_of_funds(world: World) -> str:
    return "insufficient_margin" if world.is_margin else "insufficient_cash"


# --------------------------------------------------------------------------------------------------------- at the fill


def affordable(world: World, terms: Deal, wanted: Decimal) -> tuple[Decimal, str]:
    """The signed quantity that the account takes, and the reason of the last test that took less than wanted."""
    order, held = terms.order, world.positions[terms.order.symbol].quantity
    quantity, reason = wanted, "none"
    if not world.is_margin and held + quantity < 0:
        reason = "short_not_allowed"
        if rejects_shortfall(world, order) or held == 0:
            return ZERO, reason
        quantity = -held

    def fits(size: Decimal) -> bool:
        return can_pay(world, terms, sign(quantity) * size)

    if fits(abs(quantity)):
        return quantity, reason
    short = short_of_funds(world)
    lot = world.instrument(order.symbol, "lot_size", 1.0)
    if lot == 0:
        size = largest_fraction(world, terms, abs(quantity), fits)
        if size >= abs(quantity) * (1 - NEAR):
            return sign(quantity) * size, reason
        if rejects_shortfall(world, order) or size <= NEAR * abs(wanted):
            return ZERO, short
        return sign(quantity) * size, short
    if rejects_shortfall(world, order):
        return ZERO, short
    size = abs(world.whole_lots(order.symbol, quantity))
    while size > 0 and not fits(size):
        size -= lot
    return sign(quantity) * max(size, ZERO), short


def can_pay(world: World, terms: Deal, quantity: Decimal) -> bool:
    order, reference, price = terms.order, terms.reference, terms.price
    position, multiplier = world.positions[order.symbol], world.multiplier(order.symbol)
    held, side = position.quantity, sign(quantity)
    paid = commission(world, terms, abs(quantity))
    cost = quantity * price * multiplier + paid
    if not world.is_margin:
        return not world.is_less(world.cash, cost, exact=is_exact(quantity))
    if sign(held) == -side and abs(quantity) <= abs(held):
        return True
    exposure = abs(held + quantity) * multiplier * reference
    equity = world.cash - cost + (held + quantity) * multiplier * reference
    for symbol, other in world.positions.items():
        if symbol != order.symbol and other.mark is not None:
            exposure += abs(other.quantity) * world.multiplier(symbol) * other.mark
            equity += other.quantity * world.multiplier(symbol) * other.mark
    return not world.is_less(equity, world.margin_rate * exposure)


def largest_fraction(world: World, terms: Deal, most: Decimal, fits: Callable[[Decimal], bool]) -> Decimal:
    """Bisection between the points where the need jumps or bends: position zero and the tiers' borders."""
    order, held = terms.order, world.positions[terms.order.symbol].quantity
    tiers = model(world, order.symbol, "commission").get("tiers", [])
    unit = terms.price * world.multiplier(order.symbol)
    bends = {ZERO, most, abs(held)}
    bends |= {(number(tier["up_to"]) - order.value) / unit for tier in tiers if tier.get("up_to") is not None}
    points = sorted((point for point in bends if 0 <= point <= most), reverse=True)
    for high, low in pairwise(points):
        if fits(high):
            return high
        left, right = low + Decimal("1e-30"), high
        if not fits(left):
            continue
        close_calls = world.outcome.close_calls
        for _ in range(160):
            middle = (left + right) / 2
            left, right = (middle, right) if fits(middle) else (left, middle)
        # Near its limit all is close; what matters is whether float64 finds nothing where Decimal finds dust.
        world.outcome.close_calls = close_calls + (left < NEAR * most)
        return left
    world.outcome.close_calls += 1 if fits(ZERO) else 0
    return ZERO
