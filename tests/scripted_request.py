"""The requests of a case's script as calls of the broker."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from cases import Cancel, CancelAll, Link, Protect, Rebalance, Replace, Request, Submit
from ml4t.backtest import Atr, Offset, Strategy, Trail

FINAL = ("filled", "cancelled", "expired", "rejected")
EXITS = ("stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars")
PRICES = ("limit", "stop", "touch", "activation")
UTC = dt.UTC


class Script:
    """What is asked for at each decision, and the orders that came of it."""

    def __init__(self, requests: dict[int, list[Request]]) -> None:
        self.requests = requests
        self.submitted: list[Any] = []
        self.decisions = 0

    def decide(self, strategy: Strategy) -> None:
        for request in self.requests.get(self.decisions, []):
            self.ask(strategy, request)
        self.decisions += 1

    def ask(self, strategy: Strategy, request: Request) -> None:
        """The request has been made, where it can be."""
        if isinstance(request, Submit):
            self.submitted.append(self.submit(strategy, request))
        elif isinstance(request, Link):
            orders = {each.id: each for nth in request.nths if is_open(each := self.submitted[nth])}
            if len(orders) > 1:
                strategy.broker.oco(*orders.values())
        elif isinstance(request, Protect):
            strategy.broker.protect(request.symbol, **called(request.exits))
        elif isinstance(request, Rebalance):
            if strategy.portfolio.equity > 0:
                limits = {"minimum_trade": request.minimum_trade, "drift": request.drift}
                strategy.broker.rebalance(dict(request.weights), cash_buffer=request.cash_buffer, **limits)
        elif isinstance(request, CancelAll):
            strategy.broker.cancel_all(request.symbol)
        elif is_open(order := self.submitted[request.nth]):
            change(strategy.broker, order, request)

    def submit(self, strategy: Strategy, request: Submit) -> Any:
        """The order; None where it comes to nothing or is not asked for."""
        kwargs = dict(request.kwargs)
        if "parent" in kwargs:
            kwargs["parent"] = self.submitted[kwargs["parent"]]
            if not is_open(kwargs["parent"]) or kwargs["parent"].filled_quantity > 0:
                return None
        if any(name in kwargs for name in EXITS) and may_only_close(strategy, request):
            return None
        kwargs = called(kwargs)
        place = getattr(strategy.broker, request.method)
        if "target" in kwargs:
            return place(request.symbol, kwargs.pop("target"), **kwargs)
        return place(request.symbol, **kwargs)


def called(terms: dict[str, Any]) -> dict[str, Any]:
    """The terms of a case as arguments of the broker."""
    kwargs = {**terms, **translated(terms)}
    for name in ("trail", "trailing_stop"):
        kwargs.pop(name, None)
    for name, argument in (("trail", "stop"), ("trailing_stop", "trail")):
        if name in terms:
            kwargs[argument] = Trail(**measured(terms[name]))
    return kwargs


def measured(distance: dict[str, Any]) -> dict[str, Any]:
    """The terms of an Offset or a Trail."""
    return {name: Atr(*value) if name == "atr" else value for name, value in distance.items()}


def translated(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The terms that a case writes in another way than the broker."""
    new: dict[str, Any] = {}
    for name in (*PRICES, "stop_loss", "break_even", "take_profit"):
        given = kwargs.get(name)
        if isinstance(given, dict):
            new[name] = Offset(**measured(given))
        elif isinstance(given, list):
            new[name] = [(None if level is None else Offset(**measured(level)), fraction) for level, fraction in given]
    if "until" in kwargs:
        seconds, rest = divmod(kwargs["until"], 1_000_000_000)
        new["until"] = dt.datetime.fromtimestamp(seconds, UTC) + dt.timedelta(microseconds=rest // 1000)
    return new


def change(broker: Any, order: Any, request: Cancel | Replace) -> None:
    """The order is cancelled or replaced, where it can be."""
    if isinstance(request, Cancel):
        broker.cancel(order)
        return
    is_triggered = name(order.state) in ("triggered", "partially_filled")
    is_less = request.fields.get("quantity", math.inf) <= order.filled_quantity
    if not is_less and not (is_triggered and not {"stop", "touch"}.isdisjoint(request.fields)):
        broker.replace(order, **request.fields)


def may_only_close(strategy: Strategy, request: Submit) -> bool:
    """Whether the position, or a market order that waits, is in the other direction: exits would be refused."""
    side = 1 if request.method == "buy" else -1
    waiting = [
        order
        for order in strategy.broker.orders(request.symbol)
        if name(order.type) == "market"
        and name(order.sizing) != "close"
        and name(order.origin) not in EXITS
        and not math.isnan(order.quantity)
    ]
    held = strategy.portfolio.position(request.symbol).quantity
    return held * side < 0 or any(order.side == -side for order in waiting)


def is_open(order: Any) -> bool:
    return order is not None and name(order.state) not in FINAL


def name(choice: Any) -> str:
    return str(getattr(choice, "name", choice)).lower()
