"""One fill: how much of the order it takes, and what it does to the books (fills.md, ledger.md)."""

from __future__ import annotations

from decimal import Decimal

from cases import Bar
from outcome import AFTER_CLOSE, ZERO, Entry, Fill, Lot, Moment, Order, Position, Trade

from .account import affordable
from .cost import Deal, commission, deal, last_bar, month_of
from .group import follow_fill
from .path import Course, segment
from .sizing import direction, wanted_at_fill
from .trigger import ONE_MEETING, is_between_quotes, is_first_meeting
from .world import NEAR, Filled, World, number, sign


def execute(world: World, order: Order, moment: Moment, course: Course | None, time: int) -> None:
    """Fills the order at the moment's price as far as reduce-only, volume and the account allow, or ends it.

    Without a course it is a close-out, which neither volume nor price limits hold back.
    """
    bar = None if course is None else course.bar
    world.month = max(world.month, month_of(bar or last_bar(world, order.symbol)))
    held = world.positions[order.symbol].quantity
    wanted = wanted_at_fill(world, order, moment.price)
    if bar is not None and is_between_quotes(world, order, bar, moment.leg):
        wanted = ZERO
    if bar is not None and wanted != 0 and is_blocked(world, order, bar, moment.price):
        return miss(world, order, bar, "not_immediate", time)
    if bar is not None and wanted != 0 and participation(world) is not None and allowance(world, bar, abs(wanted)) == 0:
        return wait_for_volume(world, order, bar, time)
    if course is not None and order.post_only and is_first_meeting(world, order, course.bar, moment):
        return would_take(world, order, moment, course, time)
    if order.reduce_only and (held == 0 or sign(wanted) == sign(held)):
        return world.transition(order, "cancelled", "nothing_to_reduce", time)
    if wanted == 0:
        return world.transition(order, "cancelled", "nothing_to_trade", time)
    order.side = sign(wanted)
    capped = order.side * min(abs(wanted), abs(held)) if order.reduce_only else wanted
    if 0 < abs(held + capped) < NEAR * max(abs(held), abs(capped)):
        wanted = capped = -held
    offered = capped if bar is None else order.side * min(abs(capped), allowance(world, bar, abs(capped)))
    if order.tif == "FOK" and abs(offered) < abs(wanted):
        return world.transition(order, "expired", "not_in_full", time)
    terms = deal(world, order, offered, moment, course)
    quantity, reason = affordable(world, terms, offered)
    if quantity == 0:
        return world.transition(order, "cancelled" if order.filled else "rejected", reason, time)
    if order.tif == "FOK" and abs(quantity) < abs(wanted) * (1 - NEAR):
        return world.transition(order, "expired", "not_in_full", time)
    if bar is not None and participation(world) is not None:
        world.allowances[bar] -= abs(quantity)
    return finish(world, terms, quantity, wanted, reason, moment, course, time)


def finish(
    world: World,
    terms: Deal,
    quantity: Decimal,
    wanted: Decimal,
    reason: str,
    moment: Moment,
    course: Course | None,
    time: int,
) -> None:
    """The fill is booked, and the order is filled, waits for more volume, or gives up the rest."""
    order, bar = terms.order, None if course is None else course.bar
    if order.quantity is None and order.resolved is None and order.sizing != "close":
        order.resolved = abs(wanted)
    price = book(world, terms, quantity, moment, bar, time)
    is_done = abs(quantity - wanted) <= NEAR * abs(wanted)
    kept = ZERO if is_done else 1 - quantity / wanted
    order.reserved *= kept
    if is_done and not order.may_grow:
        world.transition(order, "filled", "executed", time)
    else:
        world.transition(order, "partially_filled", "executed", time)
    follow_fill(world, Filled(order, quantity, price, kept, course, moment))
    if is_done:
        return
    if reason != "none":
        world.transition(order, "cancelled", reason, time)
    elif order.reduce_only and world.positions[order.symbol].quantity == 0:
        world.transition(order, "cancelled", "nothing_to_reduce", time)
    elif bar is not None:
        wait_for_volume(world, order, bar, time)


def miss(world: World, order: Order, bar: Bar, immediate: str, time: int) -> None:
    """The order does not fill on this bar any more, and ends if it was its only meeting; why, where that is an immediate one."""
    order.idle_on = bar
    if order.tif in ONE_MEETING:
        world.transition(
            order, "expired", {"OPG": "missed_open", "CLS": "missed_close"}.get(order.tif, immediate), time
        )


def wait_for_volume(world: World, order: Order, bar: Bar, time: int) -> None:
    """The bar has nothing left for the order."""
    miss(world, order, bar, "not_in_full" if order.tif == "FOK" else "not_immediate", time)


def would_take(world: World, order: Order, when: Moment, course: Course, time: int) -> None:
    """A post-only order met a price at which it would fill at once: it is rejected, or one tick away from it."""
    tick = world.instrument(order.symbol, "tick_size", 0.0)
    if world.config["orders"]["post_only"] == "reject" or tick == 0:
        return world.transition(order, "rejected", "would_take", time)
    order.limit = world.to_tick(order.symbol, when.price - order.side * tick, up=order.side < 0)
    order.since = (course.bar, when)
    return world.note(order, "would_take", time)


# ---------------------------------------------------------------------------------------------- what the market offers


def is_blocked(world: World, order: Order, bar: Bar, price: Decimal) -> bool:
    side = direction(world, order, price)
    if side > 0:
        return bar.limit_up is not None and price >= number(bar.limit_up)
    return side < 0 and bar.limit_down is not None and price <= number(bar.limit_down)


def participation(world: World) -> dict[str, object] | None:
    found: dict[str, object] | None = world.config["fills"]["participation"]
    return found


def allowance(world: World, bar: Bar, wanted: Decimal) -> Decimal:
    """What the bar's volume has left for an order that wants so much."""
    rule = world.config["fills"]["participation"]
    if rule is None:
        return wanted
    if bar not in world.allowances:
        world.allowances[bar] = world.whole_lots(bar.symbol, number(rule["share"]) * volume(world, bar, rule))
    left = world.allowances[bar]
    return left if left >= NEAR * wanted else ZERO


def volume(world: World, bar: Bar, rule: dict[str, object]) -> Decimal:
    bars, n = world.bars_of[bar.symbol], world.number_of[bar]
    basis = rule.get("basis", "bar")
    if basis == "bar":
        return number(bar.volume)
    if basis == "previous":
        return number(bars[n - 1].volume) if n else ZERO
    window = int(str(rule["window"]))
    if basis == "daily_average":
        closes = sorted({each.session_close for each in bars[:n]} - {bar.session_close})[-window:]
        found = [number(each.volume) for each in bars[:n] if each.session_close in closes]
        return sum(found, ZERO) / len(found) if len(closes) == window else ZERO
    if n < window:
        return ZERO
    return sum((number(each.volume) for each in bars[n - window : n]), ZERO) / window


# ----------------------------------------------------------------------------------------------------------- the books


def book(world: World, terms: Deal, quantity: Decimal, moment: Moment, bar: Bar | None, time: int) -> Decimal:
    """The fill is in the books; its price."""
    order, symbol, position = terms.order, terms.order.symbol, world.positions[terms.order.symbol]
    multiplier, price = world.multiplier(symbol), terms.price
    if 0 < abs(position.quantity + quantity) < NEAR * max(abs(position.quantity), abs(quantity)):
        quantity = -position.quantity
    value = abs(quantity) * price * multiplier
    paid = commission(world, terms, abs(quantity))
    world.traded[world.month] += value
    slippage = abs(price - moment.price) * abs(quantity) * multiplier
    order.filled, order.value = order.filled + abs(quantity), order.value + value
    order.commission += paid
    pay(world, time, "fill", -quantity * price * multiplier)
    if paid != 0:
        pay(world, time, "commission", -paid)
    fill = Fill(
        order.id, time, symbol, quantity, price, moment.price, paid, slippage,
        "after_close" if bar is None else segment(world, bar, moment.leg), order.type,
        moment.kind, position.quantity + quantity, world.cash,
    )  # fmt: skip
    world.outcome.fills.append(fill)
    move(position, quantity, price, multiplier)
    match_lots(world, position, fill)
    position.mark = moment.price
    return price


def pay(world: World, time: int, cause: str, amount: Decimal) -> None:
    world.outcome.journal.append(Entry(time, cause, amount))
    world.cash += amount


def move(position: Position, dq: Decimal, price: Decimal, multiplier: Decimal) -> None:
    held, average = position.quantity, position.average_price
    closed = ZERO
    if held == 0:  # open; not a quotient, whose fiftieth digit may be off
        position.average_price = price
    elif held * dq > 0:  # increase
        position.average_price = (average * abs(held) + price * abs(dq)) / abs(held + dq)
    elif abs(dq) < abs(held):  # reduce
        closed = abs(dq)
    elif held + dq == 0:  # close
        closed, position.average_price = abs(held), ZERO
    else:  # flip
        closed, position.average_price = abs(held), price
    position.realised += closed * (price - average) * sign(held) * multiplier
    position.quantity = held + dq


def match_lots(world: World, position: Position, fill: Fill) -> None:
    left = fill.quantity
    while left != 0 and position.lots and sign(position.lots[0].quantity) == -sign(left):
        lot = position.lots[0]
        size = min(abs(lot.quantity), abs(left))
        write_trade(world, fill.symbol, lot, sign(lot.quantity) * size, fill)
        left -= sign(left) * size
        lot.quantity -= sign(lot.quantity) * size
        if abs(lot.quantity) <= NEAR * size:  # what the fiftieth digit leaves of 0.1 + 0.2 - 0.3
            position.lots.pop(0)
        if abs(left) <= NEAR * size:
            left = ZERO
    if left != 0:
        position.lots.append(Lot(fill, left))


def write_trade(world: World, symbol: str, lot: Lot, quantity: Decimal, closing: Fill | None) -> None:
    size, entry = abs(quantity), lot.fill
    entry_part = size / abs(entry.quantity)
    paid, slippage = entry.commission * entry_part, entry.slippage * entry_part
    gross = ZERO
    if closing is not None:
        exit_part = size / abs(closing.quantity)
        paid, slippage = paid + closing.commission * exit_part, slippage + closing.slippage * exit_part
        gross = quantity * (closing.price - entry.price) * world.multiplier(symbol)
    way = "long" if quantity > 0 else "short"
    world.outcome.trades.append(Trade(symbol, way, size, entry, closing, gross, paid, slippage, gross - paid))


def close_position(world: World, order: Order) -> None:
    """A close-out fills at the mark."""
    mark = world.positions[order.symbol].mark
    assert mark is not None
    execute(world, order, Moment(AFTER_CLOSE, ZERO, mark), None, world.now)
