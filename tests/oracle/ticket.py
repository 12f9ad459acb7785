"""A new order, from its terms (orders.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from outcome import Order, Trail

from .price import set_price
from .world import World, duration, is_exact, number

TYPES = {
    "none": ("market", "limit"),
    "stop": ("stop", "stop_limit"),
    "touch": ("market_if_touched", "limit_if_touched"),
    "trail": ("trailing_stop", "trailing_stop_limit"),
}


def create(
    world: World,
    symbol: str,
    side: int,
    sizing: str,
    origin: str,
    kwargs: dict[str, Any],
    quantity: Decimal | None = None,
    amount: Decimal | None = None,
    parent: Order | None = None,
) -> Order:
    trigger = next((name for name in ("stop", "touch", "trail") if kwargs.get(name) is not None), "none")
    has_limit = kwargs.get("limit") is not None
    order = Order(
        id=len(world.orders) + 1,
        symbol=symbol,
        side=side,
        type=TYPES[trigger][has_limit],
        sizing=sizing,
        origin=origin,
        tif=kwargs.get("tif", "GTC"),
        quantity=quantity,
        amount=amount,
        submitted_at=world.now,
        eligible_from=world.now,
        trigger=trigger,
        post_only=kwargs.get("post_only", False),
        expires_at=kwargs.get("until"),
        bars=kwargs.get("bars"),
        parent=parent,
        fraction=number(kwargs.get("fraction", 1.0)),
        mark_at_submission=world.positions[symbol].mark,
        ahead=number(world.config["fills"]["touch"].get("ahead", 0.0)),
    )
    world.orders.append(order)
    order.reduce_only = kwargs.get("reduce_only", False) or sizing == "close"
    if parent is not None and parent.symbol == symbol and parent.side == -side:
        order.reduce_only = True
    order.is_exit = order.reduce_only and sizing == "parent"
    if parent is None:
        delay(world, order)
        if order.bars is not None:
            order.last_bar = order.bars_before + order.delay + order.bars - 1
    set_prices(world, order, trigger, kwargs)
    return order


def set_prices(world: World, order: Order, trigger: str, kwargs: dict[str, Any]) -> None:
    if trigger == "trail":
        given = kwargs["trail"]
        is_rate = "rate" in given
        order.trail = Trail(number(given["rate" if is_rate else "amount"]), is_rate, given.get("ratchet", "path"))
        order.is_inexact = not is_exact(order.trail.distance)
        order.watermark = world.positions[order.symbol].mark
    elif trigger != "none":
        set_price(world, order, "stop", kwargs[trigger])
    for name in ("limit", "activation"):
        if kwargs.get(name) is not None:
            set_price(world, order, name, kwargs[name])
    order.is_active = kwargs.get("activation") is None


def delay(world: World, order: Order) -> None:
    """The order reaches the market after the latency of orders."""
    latency = world.config["orders"]["latency"].get("submit")
    order.eligible_from = world.now + (duration(latency) if isinstance(latency, str) else 0)
    order.delay = latency if isinstance(latency, int) else 0
    order.bars_before = world.ended_bars(order.symbol)
