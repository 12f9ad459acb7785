"""What a fill costs (costs.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from outcome import ZERO, Order

from .world import World, number


def model(world: World, symbol: str, name: str) -> dict[str, Any]:
    own: dict[str, Any] | None = world.costs.get("symbols", {}).get(symbol, {}).get(name)
    return own if own is not None else world.costs.get(name, {"kind": "none"})


def commission(world: World, order: Order, quantity: Decimal, value: Decimal) -> Decimal:
    """What a fill of this size adds to the order's commission. Choice: an order without a fill has paid nothing."""
    terms = model(world, order.symbol, "commission")
    before = total_commission(terms, order.filled, order.value) if order.filled > 0 else ZERO
    return max(total_commission(terms, order.filled + quantity, order.value + value) - before, ZERO)


def total_commission(terms: dict[str, Any], quantity: Decimal, value: Decimal) -> Decimal:
    if terms["kind"] == "tiered":
        tiers = terms["tiers"]
        rate = next(number(t["rate"]) for t in tiers if t.get("up_to") is None or value <= number(t["up_to"]))
    else:
        rate = number(terms.get("rate", 0.0))
    total = number(terms.get("fixed", 0.0)) + number(terms.get("per_share", 0.0)) * quantity + rate * value
    total = max(total, number(terms.get("minimum", 0.0)))
    cap = terms.get("cap_rate")
    return total if cap is None else min(total, number(cap) * value)


def slipped(world: World, order: Order, reference: Decimal, side: int) -> Decimal:
    """The price after slippage and rounding to the tick."""
    terms = model(world, order.symbol, "slippage")
    if order.has_limit or terms["kind"] == "none":
        return reference
    tick = world.instrument(order.symbol, "tick_size", 0.0)
    distance = number(terms.get("rate", 0.0)) * reference + number(terms.get("amount", 0.0))
    distance += number(terms.get("ticks", 0.0)) * tick
    price = world.to_tick(order.symbol, reference + side * distance, up=side > 0)
    return max(price, ZERO) if side < 0 and reference >= 0 else price
