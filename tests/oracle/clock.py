"""The instants of a run, and the eight steps of each (time.md)."""

from __future__ import annotations

from cases import Bar
from outcome import CLOSE, ZERO, Equity, Order

from .execution import close_position, write_trade
from .group import meet, settle
from .matching import is_working, play
from .path import (
    Course,
    advance_watermark,
    begins_on,
    follow_price,
    is_eligible_at_open,
    legs,
    trail_stop,
)
from .request import Desk
from .ticket import create
from .trigger import shorten_queue
from .world import World, number, sign


def run(world: World) -> None:
    """The case has run. Choice: it ends with the last bar; a timer after it never fires."""
    desk = Desk(world)
    while True:
        times = [time for bar in world.case.bars for time in (bar.start, bar.end)]
        times += [time for order in world.orders if (time := due(order)) is not None]
        times = [time for time in times if world.now < time <= world.last]
        if not times:
            break
        world.now = min(times)
        instant(world, desk)
    for symbol in world.case.universe:
        for lot in world.positions[symbol].lots:
            write_trade(world, symbol, lot, lot.quantity, None)


def instant(world: World, desk: Desk) -> None:
    ended = world.bars_where(lambda bar: bar.end == world.now)
    if ended:
        match_ended(world, ended)
        mark(world, ended)
        desk.decide()
        if world.config["fills"]["market"] == "same_close":
            courses = [Course(bar, ("after_close",)) for bar in ended]
            play(world, courses)
        close_out(world, ended)
        write_equity(world)
    roll_session(world, ended)
    match_started(world)


def match_ended(world: World, ended: list[Bar]) -> None:
    """Step 1: the paths and closes of these bars; under `queue` their opens as well."""
    is_phased = world.config["fills"]["schedule"] == "phased"
    parts = ("path", "close") if is_phased else ("open", "path", "close")
    courses = [Course(bar, parts, legs(world, bar)) for bar in ended]
    play(world, courses)
    for course in courses:
        follow(world, course)


def match_started(world: World) -> None:
    """Step 8: the opens of the bars that start now."""
    started = world.bars_where(lambda bar: bar.start == world.now)
    for bar in started:
        for order in world.live(bar.symbol):
            if order.first_bar is None and is_eligible_at_open(world, order, bar):
                meet(world, order, world.number_of[bar])
    if world.config["fills"]["schedule"] == "phased":
        courses = [Course(bar, ("open",)) for bar in started]
        play(world, courses)
        for course in courses:
            follow_open(world, course)


# ------------------------------------------------------------------------------------------------------ trailing stops


def follow_open(world: World, course: Course) -> None:
    """The open moves the watermarks of the orders that it has not triggered."""
    bar = course.bar
    for order in world.live(bar.symbol):
        if (
            is_working(order)
            and not bar.halted
            and is_eligible_at_open(world, order, bar)
            and not begins_on(order, bar)
        ):
            advance_watermark(world, order, course, None)


def follow(world: World, course: Course) -> None:
    """The bar has ended: its path, or its close, has moved the watermarks, and `order.stop` shows it."""
    bar = course.bar
    for order in world.live(bar.symbol):
        is_on = begins_on(order, bar) or is_eligible_at_open(world, order, bar)
        if not bar.halted:
            shorten_queue(world, order, course)
        if not is_working(order) or bar.halted or not is_on:
            continue
        assert order.trail is not None
        after = order.since[1] if order.since is not None and begins_on(order, bar) else None
        advance_watermark(world, order, course, after)
        if order.trail.ratchet == "close" and begins_before_close(order, course):
            follow_price(order, number(bar.close), follows=True)
        order.stop = trail_stop(order)


def begins_before_close(order: Order, course: Course) -> bool:
    return not begins_on(order, course.bar) or (order.since is not None and order.since[1].leg < CLOSE)


# ----------------------------------------------------------------------------------------------------- books and timers


def mark(world: World, ended: list[Bar]) -> None:
    """Step 4."""
    rule = world.config["account"]["mark"]
    for bar in ended:
        position = world.positions[bar.symbol]
        position.closes.append(number(bar.close))
        if rule == "last":
            position.mark = number(bar.close)
            continue
        assert bar.bid is not None
        assert bar.ask is not None
        position.mark = (number(bar.bid) + number(bar.ask)) / 2
        if rule == "bid_ask" and position.quantity != 0:
            position.mark = number(bar.bid if position.quantity > 0 else bar.ask)


def close_out(world: World, ended: list[Bar]) -> None:
    """Step 6: close-outs by `end.symbol`, then by `end.run`."""
    by_data = world.config["end"]["symbol"] == "close"
    by_run = world.config["end"]["run"] == "close" and world.now == world.last
    finished = [bar.symbol for bar in ended if bar is world.bars_of[bar.symbol][-1]]
    for is_due, origin, symbols in (
        (by_data, "end_of_data", finished),
        (by_run, "end_of_run", world.case.universe),
    ):
        for symbol in symbols if is_due else ():
            held = world.positions[symbol].quantity
            if held != 0:
                order = create(world, symbol, -sign(held), "close", origin, {})
                world.transition(order, "accepted", "admitted", world.now)
                close_position(world, order)
                settle(world)


def write_equity(world: World) -> None:
    gross = net = ZERO
    for symbol, position in world.positions.items():
        value = position.quantity * world.multiplier(symbol) * (position.mark or ZERO)
        gross, net = gross + abs(value), net + value
    world.outcome.equity.append(Equity(world.now, world.cash, world.cash + net, gross, net))


def due(order: Order) -> int | None:
    """When a timer of the order fires: its expiry, or a cancel that was delayed."""
    times = [order.expires_at if order.is_live else None, None if order.is_final else order.cancel_at]
    return min((time for time in times if time is not None), default=None)


def roll_session(world: World, ended: list[Bar]) -> None:
    """Step 7: expiries and delayed cancels in order of time, then the orders whose last bar, or that of their cancel, has ended."""
    waiting = [(time, order.id) for order in world.orders if (time := due(order)) is not None and time <= world.now]
    for _, number_ in sorted(waiting):
        order = world.orders[number_ - 1]
        time = due(order)
        if time is None:  # a consequence of an earlier one has ended it
            continue
        if order.is_live and order.expires_at == time:
            reason = "session_closed" if order.tif == "DAY" else "good_till_date_reached"
            world.transition(order, "expired", reason, world.now)
        else:
            world.transition(order, "cancelled", "cancel_requested", world.now)
        settle(world)
    for bar in ended:
        for order in [each for each in world.orders if each.symbol == bar.symbol]:
            if order.last_bar == world.number_of[bar] and order.is_live:
                world.transition(order, "expired", "last_bar_ended", world.now)
                settle(world)
            elif order.cancel_bar == world.number_of[bar] and not order.is_final:
                world.transition(order, "cancelled", "cancel_requested", world.now)
                settle(world)
