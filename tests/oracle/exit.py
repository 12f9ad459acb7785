"""Exits of an order, and of a position that is there already (orders.md, Exits)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from outcome import ZERO, Order

from .group import link, settle
from .ticket import create
from .world import World, is_exact, number, sign

EXITS = ("stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars")
PROFIT_BY_TOUCH = ("stop_loss", "trailing_stop", "take_profit", "break_even", "max_bars")


def may_only_close(world: World, symbol: str, side: int) -> bool:
    """Whether exits of an order in this direction might have nothing to do: the script then does not ask for it."""
    waiting = [
        order
        for order in world.orders
        if order.symbol == symbol and not order.is_final and order.type == "market" and order.origin not in EXITS
    ]
    is_against = any(order.side == -side and order.sizing != "close" and order.left is not None for order in waiting)
    return is_against or world.positions[symbol].quantity * side < 0


def expected(world: World, symbol: str, *, is_target: bool) -> Decimal:
    """The position as it will be once the live market orders have filled; a new target ends the one before."""
    held = world.positions[symbol].quantity
    for order in world.orders:
        if order.symbol != symbol or order.is_final or order.state == "pending" or order.type != "market":
            continue
        if order.origin in EXITS or (is_target and order.origin == "target"):
            continue
        if order.sizing == "close":
            held = ZERO
        elif order.left is not None:
            held += order.side * order.left
    return held


def only_closes(world: World, order: Order, held: Decimal) -> bool:
    """The order opens nothing, where so much will be held before it."""
    if order.reduce_only or order.sizing == "parent" or order.quantity is None:
        return order.reduce_only
    is_against = sign(held) == -order.side
    return is_against and not world.is_less(abs(held), order.quantity, exact=is_exact(order.quantity))


def attach(world: World, parent: Order, exits: dict[str, Any]) -> None:
    """Children that close what the parent opens, in one ring for each rung of the ladder."""
    side, below = parent.side, ZERO
    ladder = exits.get("take_profit")
    for target, fraction in ladder if isinstance(ladder, list) else [(ladder, 1.0)]:
        members = []
        for name, kwargs in legs({**exits, "take_profit": target}, side, exits.get("basis", "fill")):
            kwargs["fraction"] = fraction
            child = create(world, parent.symbol, -side, "parent", name, kwargs, quantity=ZERO, parent=parent)
            if name == "max_bars":
                child.delay = exits[name]
            child.fraction_before = below
            members.append(child)
        below += number(fraction)
        link(world, members)


def legs(exits: dict[str, Any], side: int, basis: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rules that are asked for, each with the terms of its order; `basis` is what a distance is from, if it does not say."""
    by_touch = exits.get("profit_by") == "touch"
    for name in PROFIT_BY_TOUCH if by_touch else EXITS:
        given = exits.get(name)
        if given is None:
            continue
        kwargs: dict[str, Any] = {"reduce_only": True}
        if name == "stop_loss":
            kwargs["stop"] = away(given, -side, basis)
        elif name == "take_profit":
            kwargs["touch" if by_touch else "limit"] = away(given, side, basis)
        elif name == "break_even":
            kwargs |= {"stop": {"amount": 0.0, "of": basis}, "activation": away(given, side, basis)}
        elif name == "trailing_stop":
            kwargs["trail"] = given
        yield name, kwargs


def away(given: dict[str, Any], direction: int, basis: str) -> dict[str, Any]:
    """The offset by this distance, upwards or downwards."""
    unit = "rate" if "rate" in given else "amount"
    return {unit: direction * given[unit], "of": given.get("of", basis)}


def protect(world: World, symbol: str, exits: dict[str, Any], cancel: Callable[[World, Order], None]) -> None:
    """The position's exits are these, for its quantity, and those that it had are cancelled.

    `fill` is the average price of the position, and the last rung has what the floors of the others left over.
    """
    held = world.positions[symbol].quantity
    if held == 0:
        return
    for order in world.orders:
        if order.symbol == symbol and is_exit_at_work(order):
            cancel(world, order)
            settle(world)
    left, side = abs(held), sign(held)
    ladder = exits.get("take_profit")
    rungs = ladder if isinstance(ladder, list) else [(ladder, 1.0)]
    for nth, (target, fraction) in enumerate(rungs, 1):
        share = world.whole_lots(symbol, number(fraction) * abs(held))
        quantity = left if nth == len(rungs) else min(left, share)
        left -= quantity
        members = []
        for name, terms in legs({**exits, "take_profit": target}, side, "average") if quantity > 0 else ():
            kwargs = {part: on_average(given) for part, given in terms.items()}
            order = create(world, symbol, -side, "quantity", name, kwargs, quantity=quantity, amount=quantity)
            order.is_exit = True
            if name == "max_bars":
                order.delay += exits[name]
            members.append(order)
        if members:
            link(world, members)


def is_exit_at_work(order: Order) -> bool:
    """An exit of a rule that is not pending."""
    return order.origin in EXITS and not order.is_final and (order.parent is None or order.parent.filled > 0)


def on_average(given: Any) -> Any:
    """What is measured from a fill is measured from the average price: there is no fill to wait for."""
    return {**given, "of": "average"} if isinstance(given, dict) and given.get("of") == "fill" else given
