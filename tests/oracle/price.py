"""The prices of an order: given, or relative to something that is known later (orders.md, Relative prices)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from outcome import Order

from .world import ONE, World, is_exact, number

EARLY = ("last", "signal")
LATE = ("fill", "average")


def is_offset(given: Any) -> bool:
    return isinstance(given, dict)


def set_price(world: World, order: Order, name: str, given: Any) -> None:
    """The order has this limit, stop or activation, or will have once its reference is known."""
    order.offsets.pop(name, None)
    if not is_offset(given):
        setattr(order, name, rounded(world, order, name, number(given)))
        return
    order.offsets[name] = given
    if given["of"] in EARLY:
        is_childs = given["of"] == "signal" and order.parent is not None and order.parent.symbol == order.symbol
        reference = order.parent.mark_at_submission if is_childs and order.parent else order.mark_at_submission
        if reference is None:
            raise ValueError(f"{order.symbol} has no mark for {name} of order {order.id}")
        resolve(world, order, name, reference)


def resolve(world: World, order: Order, name: str, reference: Decimal) -> None:
    """The offset has become a price."""
    given = order.offsets.pop(name)
    setattr(order, name, rounded(world, order, name, applied(order, given, reference)))


def resolve_late(world: World, order: Order, fill_price: Decimal) -> None:
    """The child of a fill at this price knows its prices."""
    average = world.positions[order.symbol].average_price
    references = {"fill": fill_price, "average": average}
    for name, given in list(order.offsets.items()):
        if given["of"] in LATE:
            resolve(world, order, name, references[given["of"]])


def applied(order: Order, given: dict[str, Any], reference: Decimal) -> Decimal:
    if "rate" in given:
        price = reference * (ONE + number(given["rate"]))
    else:
        price = reference + number(given["amount"])
    terms = number(given["rate"] if "rate" in given else given["amount"])
    order.is_inexact = order.is_inexact or not all(is_exact(value) for value in (reference, price, terms))
    return price


def rounded(world: World, order: Order, name: str, price: Decimal) -> Decimal:
    """To the tick, never towards an earlier fill; an activation stays as it is."""
    if name == "activation":
        return price
    against = name == "stop" and order.trigger == "stop"
    return world.to_tick(order.symbol, price, up=(order.side > 0) == against)
