"""The prices of an order: given, or relative to something that is known later (orders.md, Relative prices)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

from outcome import ZERO, Order

from .world import ONE, World, is_exact, number

EARLY = ("last", "signal")
LATE = ("fill", "average")


def measured(world: World, symbol: str, terms: Any) -> Any:
    """The terms with every multiple of an average true range as the amount that it is now."""
    if isinstance(terms, dict) and "atr" in terms:
        count, multiple = terms["atr"]
        rest = {name: value for name, value in terms.items() if name != "atr"}
        return {"amount": float(number(multiple) * average_true_range(world, symbol, count)), **rest}
    if isinstance(terms, dict):
        return {name: measured(world, symbol, value) for name, value in terms.items()}
    return (
        [(measured(world, symbol, level), fraction) for level, fraction in terms] if isinstance(terms, list) else terms
    )


def average_true_range(world: World, symbol: str, count: int) -> Decimal:
    """The mean of the last true ranges, of the bars that are known."""
    known = [bar for bar in world.bars_of[symbol] if bar.end <= world.now][-count - 1 :]
    ranges = [
        max(number(bar.high), number(before.close)) - min(number(bar.low), number(before.close))
        for before, bar in pairwise(known)
    ]
    if len(ranges) < count:
        raise ValueError(f"{symbol} has no {count} true ranges yet")
    return sum(ranges, ZERO) / count


def is_offset(given: Any) -> bool:
    return isinstance(given, dict)


def set_price(world: World, order: Order, name: str, given: Any) -> None:
    """The order has this limit, stop or activation, or will have once its reference is known."""
    order.offsets.pop(name, None)
    if not is_offset(given):
        setattr(order, name, rounded(world, order, name, number(given)))
        return None
    order.offsets[name] = given
    order.is_inexact = order.is_inexact or given["of"] == "average"
    if given["of"] == "average" and order.parent is None:
        return resolve(world, order, name, world.positions[order.symbol].average_price)
    if given["of"] in EARLY:
        is_childs = given["of"] == "signal" and order.parent is not None and order.parent.symbol == order.symbol
        reference = order.parent.mark_at_submission if is_childs and order.parent else order.mark_at_submission
        if reference is None:
            raise ValueError(f"{order.symbol} has no mark for {name} of order {order.id}")
        resolve(world, order, name, reference)
    return None


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
