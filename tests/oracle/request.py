"""What the script asks for (orders.md, sizing.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cases import Cancel, CancelAll, Link, Protect, Rebalance, Replace, Request, Submit
from outcome import ZERO, Order

from . import account
from .exit import EXITS, attach, expected, may_only_close, only_closes, protect
from .group import join_session, link, settle
from .price import measured, set_price
from .sizing import valuation_price, wanted
from .ticket import create, delay
from .weight import changes
from .world import World, duration, number, sign


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
        elif isinstance(request, Protect):
            protect(world, request.symbol, measured(world, request.symbol, request.exits), cancel)
        elif isinstance(request, Rebalance):
            self.rebalance(request, prices, equity)
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
        kwargs = measured(self.world, request.symbol, request.kwargs)
        parent = None
        if "parent" in kwargs:
            parent = self.submitted[kwargs.pop("parent")]
            if parent is None or parent.is_final or parent.filled > 0:
                return None
        exits = {name: kwargs.pop(name) for name in EXITS if name in kwargs}
        if exits and may_only_close(self.world, request.symbol, 1 if request.method == "buy" else -1):
            return None
        return self.with_exits(exits, request.method, request.symbol, kwargs, price, equity, parent)

    def with_exits(
        self,
        own: dict[str, Any],
        method: str,
        symbol: str,
        kwargs: dict[str, Any],
        price: Decimal | None,
        equity: Decimal,
        parent: Order | None,
    ) -> Order | None:
        """The order, and where it may open something its own exits, or those of the strategy."""
        exits = own or self.world.case.exit_rules
        held = expected(self.world, symbol, is_target=method.startswith("order_target"))
        order = self.sized(method, symbol, kwargs, price, equity, parent)
        if order is not None and exits and not only_closes(self.world, order, held):
            attach(self.world, order, exits)
        return order

    def rebalance(self, request: Rebalance, prices: dict[str, Decimal | None], equity: Decimal) -> None:
        """A target for each symbol that has to change; the others have no target any more."""
        world = self.world
        if world.equity() <= 0:  # the script does not ask then
            return
        found = changes(world, request)
        for symbol in world.case.universe:
            for order in list(world.orders):
                if symbol not in found and order.symbol == symbol and order.origin == "target" and not order.is_final:
                    cancel(world, order)
                    settle(world)
        for symbol, weight in found.items():
            self.with_exits({}, "order_target_percent", symbol, {"target": weight}, prices[symbol], equity, None)
            settle(world)

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


def accept(world: World, order: Order) -> None:
    if order.parent is not None:
        return world.transition(order, "pending", "admitted", world.now)
    order.accepted_at = world.now
    if order.tif == "DAY":
        join_session(world, order)
    return world.transition(order, "accepted", "admitted", world.now)


def cancel(world: World, order: Order) -> None:
    """The order is cancelled, or will be after the latency of cancels."""
    if order.is_final:
        return
    latency = world.config["orders"]["latency"].get("cancel")
    if latency is None or order.state == "created":
        world.transition(order, "cancelled", "cancel_requested", world.now)
    elif isinstance(latency, int):
        if order.cancel_bar is None:
            order.cancel_bar = world.ended_bars(order.symbol) + latency - 1
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
    if order.tif == "DAY" and order.is_live and (order.session_bar is None or order.session_bar.start >= world.now):
        join_session(world, order)
    world.note(order, "replace_requested", world.now)
