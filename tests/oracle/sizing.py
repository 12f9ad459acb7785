"""How requests become quantities (sizing.md)."""

from __future__ import annotations

from decimal import Decimal

from outcome import ZERO, Order

from .world import NEAR, World, sign


def valuation_price(world: World, symbol: str) -> Decimal | None:
    position = world.positions[symbol]
    if world.config["orders"]["valuation"] == "previous_close" and position.closes:
        # Choice: where there is one close only, that one.
        return position.closes[-2] if len(position.closes) > 1 else position.closes[-1]
    return position.mark


def wanted(
    world: World, symbol: str, side: int, sizing: str, amount: Decimal, price: Decimal, equity: Decimal
) -> Decimal:
    """The signed quantity that a request asks for at this price and equity."""
    unit = price * world.multiplier(symbol)
    lots = {
        "value": lambda: side * amount / unit,
        "percent": lambda: side * amount * equity / unit,
        "target_quantity": lambda: amount,
        "target_value": lambda: amount / unit,
        "target_percent": lambda: amount * equity / unit,
    }[sizing]()
    held = world.positions[symbol].quantity if sizing.startswith("target") else ZERO
    units = world.whole_lots(symbol, lots)
    if held != 0 and abs(units - held) < NEAR * max(abs(units), abs(held)):
        return ZERO
    return units - held


def wanted_at_fill(world: World, order: Order, price: Decimal) -> Decimal:
    """The signed quantity the order stands for if it filled at this reference price now, before reduce-only."""
    if order.left is not None:
        return order.side * order.left
    if order.sizing == "close":
        held = world.positions[order.symbol].quantity
        return order.side * abs(held) if order.filled > 0 else -held
    assert order.amount is not None
    equity = world.equity(order.symbol, price)
    return wanted(world, order.symbol, order.side, order.sizing, order.amount, price, equity)


def direction(world: World, order: Order, price: Decimal) -> int:
    """+1 for a purchase, −1 for a sale, if it filled at about this price now."""
    if order.sizing == "close" and order.filled == 0:
        return -sign(world.positions[order.symbol].quantity)
    return order.side or sign(wanted_at_fill(world, order, price))


def is_reduction(world: World, order: Order, price: Decimal | None) -> bool:
    """The order's direction is against the position as it is now."""
    position = world.positions[order.symbol]
    if position.quantity == 0:
        return False
    if order.sizing == "close" and order.filled == 0:
        return True
    reference = price if price is not None else position.mark
    side = order.side
    if side == 0:  # a target at the fill price: the direction it has now
        side = 0 if reference is None else direction(world, order, reference)
    return side == -sign(position.quantity)
