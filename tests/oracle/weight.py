"""Which positions have to change for a portfolio to have its weights (orders.md, Targets)."""

from __future__ import annotations

from decimal import Decimal

from cases import Rebalance
from outcome import ZERO

from .world import ONE, World, number


def changes(world: World, request: Rebalance) -> dict[str, Decimal]:
    """The weight of equity of each symbol that gets an order: reductions first, then as named, then what is held."""
    equity, free = world.equity(), ONE - number(request.cash_buffer)
    weights = {symbol: number(weight) * free for symbol, weight in request.weights}
    for symbol in world.case.universe:
        if world.positions[symbol].quantity != 0:
            weights.setdefault(symbol, ZERO)
    reductions, others = dict[str, Decimal](), dict[str, Decimal]()
    for symbol, weight in weights.items():
        position = world.positions[symbol]
        value = position.quantity * world.multiplier(symbol) * (position.mark or ZERO)
        missing = weight * equity - value
        is_small = not world.is_less(number(request.drift) * equity, abs(missing))
        is_small = is_small or world.is_less(abs(missing), number(request.minimum_trade))
        if not is_small or (weight == 0 and position.quantity != 0):
            (reductions if missing * position.quantity < 0 else others)[symbol] = weight
    return {**reductions, **others}
