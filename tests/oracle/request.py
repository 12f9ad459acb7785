"""What the script asks for (orders.md, sizing.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cases import Cancel, CancelAll, Link, Replace, Request, Submit
from outcome import ZERO, Order, Trail

from . import account
from .group import link, session_close, settle
from .price import set_price
from .sizing import valuation_price, wanted
from .world import World, duration, is_exact, number, sign

TYPES = {
    "none": ("market", "limit"),
    "stop": ("stop", "stop_limit"),
    "touch": ("market_if_touched", "limit_if_touched"),
    "trail": ("trailing_stop", "trailing_stop_limit"),
}
EXITS = ("stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars")


class Desk:
    """The script's requests, sized at prices and equity frozen for each decision, then the batch of new orders."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.submitted: list[Order | None] = []
        self.decisions = 0

    def decide(self) -> None:
        world = self.world
        prices = {symbol: valuation_price(world, symbol) for symbol in world.case.universe}
        equity = world.cash
        for symbol, position in world.positions.items():
            equity += position.quantity * world.multiplier(symbol) * (prices[symbol] or ZERO)
        for request in world.case.script.get(self.decisions, []):
            self.answer(request, prices, equity)
            settle(world)
        self.decisions += 1
        batch = [order for order in world.orders if order.state == "created"]
        account.admit(world, batch, lambda order: accept(world, order))
        settle(world)

    def answer(self, request: Request, prices: dict[str, Decimal | None], equity: Decimal) -> None:
        world = self.world
        if isinstance(request, Submit):
            self.submitted.append(self.submit(request, prices[request.symbol], equity))
        elif isinstance(request, Link):
            members = [order for nth in request.nths if (order := self.submitted[nth]) and not order.is_final]
            if len({order.id for order in members}) > 1:
                link(world, members)
        elif isinstance(request, CancelAll):
            for order in list(world.orders):
                if request.symbol in (None, order.symbol):
                    cancel(world, order)
                    settle(world)
        else:
            order = self.submitted[request.nth]
            if order is not None and not order.is_final:
                cancel(world, order) if isinstance(request, Cancel) else replace(world, order, request)

    def submit(self, request: Submit, price: Decimal | None, equity: Decimal) -> Order | None:
        """The order and its exits; None where it comes to nothing, or its parent has ended."""
        world, kwargs = self.world, dict(request.kwargs)
        parent = None
        if "parent" in kwargs:
            parent = self.submitted[kwargs.pop("parent")]
            if parent is None or parent.is_final or parent.filled > 0:
                return None
        exits = {name: kwargs.pop(name) for name in EXITS if name in kwargs}
        if exits and may_only_close(self.world, request.symbol, 1 if request.method == "buy" else -1):
            return None
        order = self.sized(request.method, request.symbol, kwargs, price, equity, parent)
        if order is not None and exits:
            attach(world, order, exits)
        return order

    def sized(
        self,
        method: str,
        symbol: str,
        kwargs: dict[str, Any],
        price: Decimal | None,
        equity: Decimal,
        parent: Order | None,
    ) -> Order | None:
        world, position = self.world, self.world.positions[symbol].quantity
        if method == "close":
            return None if position == 0 else create(world, symbol, -sign(position), "close", "close", kwargs)
        if method in ("buy", "sell"):
            side, origin = 1 if method == "buy" else -1, "strategy"
            sizings = [name for name in ("quantity", "value", "percent") if kwargs.get(name) is not None]
            if not sizings:
                return create(world, symbol, side, "parent", origin, kwargs, quantity=ZERO, parent=parent)
            sizing, amount = sizings[0], number(kwargs[sizings[0]])
        else:
            sizing, amount, side, origin = method.removeprefix("order_"), number(kwargs["target"]), 0, "target"
            for order in world.orders:
                if order.origin == "target" and order.symbol == symbol and not order.is_final:
                    world.transition(order, "cancelled", "superseded_by_target", world.now)
        if sizing == "quantity":
            return create(world, symbol, side, sizing, origin, kwargs, quantity=amount, amount=amount, parent=parent)
        if price is None and sizing != "target_quantity":
            raise ValueError(f"{symbol} has no mark at decision {self.decisions}")
        if world.config["orders"]["valuation"] == "fill_price":
            return create(world, symbol, side, sizing, origin, kwargs, amount=amount, parent=parent)
        units = wanted(world, symbol, side, sizing, amount, price or ZERO, equity)
        if units == 0:
            return None
        return create(
            world, symbol, sign(units), sizing, origin, kwargs, quantity=abs(units), amount=amount, parent=parent
        )


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


def may_only_close(world: World, symbol: str, side: int) -> bool:
    """Whether exits of an order in this direction might have nothing to do: the script then does not ask for it."""
    waiting = [
        order
        for order in world.orders
        if order.symbol == symbol and not order.is_final and order.type == "market" and order.origin not in EXITS
    ]
    is_against = any(order.side == -side and order.sizing != "close" and order.left is not None for order in waiting)
    return is_against or world.positions[symbol].quantity * side < 0


def attach(world: World, parent: Order, exits: dict[str, Any]) -> None:
    """Children that close what the parent opens, in one ring for each rung of the ladder."""
    side, below = parent.side, ZERO
    ladder = exits.get("take_profit")
    for target, fraction in ladder if isinstance(ladder, list) else [(ladder, 1.0)]:
        members = []
        for name in EXITS:
            given = target if name == "take_profit" else exits.get(name)
            if given is None:
                continue
            kwargs: dict[str, Any] = {"reduce_only": True, "fraction": fraction}
            if name == "stop_loss":
                kwargs["stop"] = away(given, -side)
            elif name == "take_profit":
                kwargs["limit"] = away(given, side)
            elif name == "break_even":
                kwargs |= {"stop": {"amount": 0.0, "of": "fill"}, "activation": away(given, side)}
            elif name == "trailing_stop":
                kwargs["trail"] = given
            child = create(world, parent.symbol, -side, "parent", name, kwargs, quantity=ZERO, parent=parent)
            if name == "max_bars":
                child.delay = given
            child.fraction_before = below
            members.append(child)
        below += number(fraction)
        link(world, members)


def away(given: dict[str, Any], direction: int) -> dict[str, Any]:
    """The offset by this distance, upwards or downwards."""
    unit = "rate" if "rate" in given else "amount"
    return {unit: direction * given[unit], "of": given.get("of", "fill")}


def accept(world: World, order: Order) -> None:
    if order.parent is not None:
        return world.transition(order, "pending", "admitted", world.now)
    order.accepted_at = world.now
    if order.tif == "DAY":
        order.expires_at = session_close(world, order)
    return world.transition(order, "accepted", "admitted", world.now)


def cancel(world: World, order: Order) -> None:
    """The order is cancelled, or will be after the latency of cancels."""
    if order.is_final:
        return
    latency = world.config["orders"]["latency"].get("cancel")
    if latency is None or order.state == "created":
        world.transition(order, "cancelled", "cancel_requested", world.now)
    elif order.cancel_at is None:
        order.cancel_at = world.now + duration(latency)


def replace(world: World, order: Order, request: Replace) -> None:
    fields = request.fields
    has_trigger = "stop" in fields or "touch" in fields
    if (has_trigger and order.is_triggered) or number(fields.get("quantity", 1e300)) <= order.filled:
        return
    for name, field in (("limit", "limit"), ("stop", "stop"), ("touch", "stop")):
        if name in fields:
            set_price(world, order, field, fields[name])
    if "limit" in fields:
        order.ahead = number(world.config["fills"]["touch"].get("ahead", 0.0))
    if "quantity" in fields:  # Choice: a reservation made at acceptance stays what it was.
        order.quantity = number(fields["quantity"])
    order.since = order.first_bar = None
    order.eligible_from = world.now
    if order.parent is None:
        delay(world, order)
    world.note(order, "replace_requested", world.now)
