"""Rounds: which order comes first, and what happens to it (matching.md)."""

from __future__ import annotations

from typing import Any

from outcome import OPEN, Moment, Order

from .execution import execute, miss
from .group import settle
from .path import Course
from .price import resolve
from .sizing import is_reduction
from .trigger import MISSED, moment
from .world import World


def play(world: World, courses: list[Course]) -> None:
    """Takes the order that comes first until nothing can happen any more."""
    is_queue = world.config["fills"]["schedule"] == "queue"
    while True:
        best: tuple[Any, Order, Moment, Course] | None = None
        for course in courses:
            offer = first_of(world, course, is_queue)
            if offer is None:
                continue
            own, order, when = offer
            key = own if is_queue else (when.leg, own[2], order.id)
            if best is None or key < best[0]:
                best = (key, order, when, course)
        if best is None:
            return
        take(world, best[1], best[2], best[3])
        settle(world)


def first_of(world: World, course: Course, is_queue: bool) -> tuple[Any, Order, Moment] | None:
    """What the symbol offers: its key, the order and the moment."""
    offer: tuple[Any, Order, Moment] | None = None
    for order in world.live(course.bar.symbol):
        when = moment(world, order, course)
        if when is None:
            continue
        grows = not is_reduction(world, order, when.price)
        key: Any = (order.id,) if is_queue else (when.leg, when.progress, grows, order.id)
        if offer is None or key < offer[0]:
            offer = (key, order, when)
    return offer


def take(world: World, order: Order, when: Moment, course: Course) -> None:
    """The order is activated, triggered, filled or ended."""
    bar = course.bar
    time = bar.start if when.leg == OPEN else bar.end
    if when.kind == MISSED:
        assert order.accepted_at is not None
        return miss(world, order, bar, "not_immediate", max(time, order.accepted_at))
    if not order.is_active:
        world.note(order, "activated", time)
        order.is_active, order.since = True, (bar, when)
        if order.trail is not None:
            order.watermark = when.price
        return None
    if order.trigger != "none" and not order.is_triggered:
        assert when.level is not None
        world.transition(order, "triggered", "stop_reached", time)
        order.is_triggered, order.stop, order.since = True, when.level, (bar, when)
        if "limit" in order.offsets:
            resolve(world, order, "limit", when.level)
        if not order.has_limit:
            execute(world, order, when, course, time)
        return None
    return execute(world, order, when, course, time)


def is_working(order: Order) -> bool:
    """A trailing stop that follows the market."""
    return order.trail is not None and order.is_live and order.is_active and not order.is_triggered
