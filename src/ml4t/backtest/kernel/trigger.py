"""When an order can do its next step on a bar: the moment, the market's price then, and the level (docs/semantics/matching.md).

An order passes through stages: it sleeps until its activation, waits for its trigger, rests at its limit, or is ready to trade.
"""

from typing import TypeAlias

from ml4t.backtest._jit import inline
from ml4t.backtest.enums import MarketFill, OrderState, OrderType, Ratchet, Schedule, Sizing, TimeInForce
from ml4t.backtest.kernel.path import AFTER_LEG, CLOSE_LEG, OPEN_LEG, corner, first_leg, is_jump, last_leg
from ml4t.backtest.kernel.volume import fills_at_touch
from ml4t.backtest.queue_rule import Exhaustion, ExpiryRule
from ml4t.backtest.tables import (
    EXHAUSTION,
    EXPIRY,
    HALT_WITHOUT_VOLUME,
    HALTED,
    MARKET_FILL,
    NONE,
    SCHEDULE,
    SLIPPAGE_RANGE,
    VWAP,
    State,
)

Moment: TypeAlias = tuple[int, float, float, float]
"""Leg (-1: never), progress on it, the market's price then, and the level that was reached."""

NO_MOMENT = (-1, 0.0, 0.0, 0.0)

# the parts of a bar that a round may meet
AT_OPEN, IN_BAR, AFTER_CLOSE = 0, 1, 2

SLEEPING, WAITING, RESTING, READY = range(4)


# ------------------------------------------------------------------------------------------------------------ the order
@inline
def is_live(order_state: int) -> bool:
    """Whether an order in this state can still change."""
    return order_state < OrderState.FILLED


@inline
def is_working(state: State, cell: int) -> bool:
    """Whether the order is in the market."""
    return state.orders.state[cell] >= OrderState.ACCEPTED and is_live(state.orders.state[cell])


@inline
def stage(state: State, cell: int) -> int:
    """What the order is waiting for."""
    kind = state.orders.type[cell]
    if kind > OrderType.LIMIT:
        if state.progress.is_active[cell] == 0:
            return SLEEPING
        if state.progress.is_triggered[cell] == 0:
            return WAITING
    return RESTING if kind % 2 == 1 and state.progress.is_released[cell] == 0 else READY


@inline
def is_trailing(state: State, cell: int) -> bool:
    """Whether the order's stop follows the market now."""
    return state.orders.type[cell] >= OrderType.TRAILING_STOP and stage(state, cell) == WAITING


@inline
def is_touch(kind: int) -> bool:
    """Whether an order of this type is triggered by a price in its favour."""
    return kind == OrderType.MARKET_IF_TOUCHED or kind == OrderType.LIMIT_IF_TOUCHED


@inline
def is_bound_to_moment(tif: int) -> bool:
    """Whether an order of this time in force ends where it does not fill: IOC, FOK, OPG, CLS."""
    return tif >= TimeInForce.IOC and tif <= TimeInForce.CLS


@inline
def level(state: State, cell: int, now: int) -> tuple[float, int]:
    """The price the order waits for in this stage, and the direction from which it is reached: +1 by rising to it, -1 by falling."""
    side, kind = state.orders.side[cell], state.orders.type[cell]
    if now == SLEEPING:
        return state.terms.activation[cell], -side
    if now == WAITING:
        return state.terms.stop[cell], -side if is_touch(kind) else side
    return state.terms.limit[cell], -side


@inline
def is_reached(price: float, x: float, direction: int) -> bool:
    """Whether the price is at the level or beyond."""
    return direction * (price - x) >= 0.0


@inline
def is_passed(price: float, x: float, direction: int, touch: bool) -> bool:
    """Whether the price is beyond the level; where a touch is enough, or at it."""
    return is_reached(price, x, direction) and (touch or price != x)


@inline
def is_used_up(state: State, cell: int) -> bool:
    """Whether the order has nothing left to fill."""
    return state.terms.quantity[cell] == state.progress.filled[cell]


@inline
def may_grow(state: State, cell: int) -> bool:
    """Whether further fills of its parent add to the order."""
    parent = state.links.parent[cell]
    return parent != NONE and state.orders.sizing[cell] == Sizing.PARENT and is_live(state.orders.state[parent])


# -------------------------------------------------------------------------------------------------------------- the bar
@inline
def has_begun(state: State, cell: int, row: int) -> bool:
    """Whether the order's present stage began on this very bar."""
    return state.progress.since_row[cell] == row


@inline
def is_eligible(state: State, cell: int, row: int) -> bool:
    """Whether the order may meet the whole of this bar, from its open on."""
    is_counted = state.bars.ordinal[row] >= state.progress.first_bar[cell]
    return is_counted and state.terms.eligible_from[cell] <= state.bars.start[row]


@inline
def meets_open(state: State, cell: int, row: int) -> bool:
    """Whether the order may meet this bar's open: what its parent has added after the open may not."""
    return is_eligible(state, cell, row) and not (
        has_begun(state, cell, row) and state.progress.since_leg[cell] > OPEN_LEG
    )


@inline
def may_expire_in_turn(state: State, cell: int) -> bool:
    """Whether a bar that comes late enough ends the order, in or out of the market, where it has its turn."""
    if state.rules[EXPIRY] == ExpiryRule.TIME or state.orders.tif[cell] != TimeInForce.GTD:
        return False
    is_in_book = state.orders.state[cell] >= OrderState.PENDING and is_live(state.orders.state[cell])
    return is_in_book and state.orders.type[cell] != OrderType.MARKET


@inline
def is_overdue(state: State, cell: int, row: int) -> bool:
    """Whether the order ends where this bar meets it."""
    return may_expire_in_turn(state, cell) and state.terms.until[cell] <= state.bars.start[row]


@inline
def is_first_bar(state: State, cell: int) -> bool:
    """Whether the order could meet no bar of its symbol before the one at hand."""
    before = state.market.row[state.orders.symbol[cell]]
    return before == NONE or not is_eligible(state, cell, before)


@inline
def beginning(state: State, cell: int, row: int) -> tuple[int, float, float]:
    """The leg, the progress and the price from which on the order meets this bar."""
    record = state.progress
    first = first_leg(state)
    if has_begun(state, cell, row) and (first == OPEN_LEG or record.since_leg[cell] >= first):
        return record.since_leg[cell], record.since_progress[cell], record.since_price[cell]
    if first == CLOSE_LEG:
        return CLOSE_LEG, 0.0, state.bars.close[row]
    return OPEN_LEG, 0.0, state.bars.open[row]


@inline
def is_first_meeting(state: State, cell: int, row: int, leg: int, progress: float) -> bool:
    """Whether this is the first moment at which the order, in its present stage, meets the market."""
    if has_begun(state, cell, row):
        first, place, _ = beginning(state, cell, row)
        return leg == first and progress == place
    is_new = state.progress.since_row[cell] == NONE and is_eligible(state, cell, row)
    return is_new and leg <= first_leg(state) and is_first_bar(state, cell)


@inline
def named(state: State, column: int, row: int) -> float:
    """A value of a named column of the bars that the run has."""
    return state.history.source[state.columns[column] + row]


@inline
def is_halted(state: State, row: int) -> bool:
    """Whether nothing happens to orders on this bar."""
    if state.rules[HALT_WITHOUT_VOLUME] != 0 and state.bars.volume[row] == 0.0:
        return True
    return state.columns[HALTED] != NONE and named(state, HALTED, row) != 0.0


# ----------------------------------------------------------------------------------------------------------- the moment
@inline
def first_reach(
    state: State, symbol: int, row: int, x: float, direction: int, leg: int, price: float, touch: bool, last: int
) -> Moment:
    """The first moment that reaches the level, from a place on a leg where the price is `price` to the end of leg `last`."""
    k, start = max(leg, 1), price
    if leg != OPEN_LEG and leg <= last:
        start = corner(state, symbol, row, leg - 1)
    while k <= last:
        end = corner(state, symbol, row, k)
        if is_passed(end, x, direction, touch):
            if is_jump(state, row, k):
                return k, 0.0, end, x
            return k, abs(x - start) / abs(end - start), x, x
        start = end
        k += 1
    return NO_MOMENT


@inline
def trailing_level(state: State, cell: int, watermark: float) -> float:
    """The stop of a trailing order whose best price so far is the watermark."""
    side, distance = state.orders.side[cell], state.terms.trail[cell]
    return watermark * (1.0 + side * distance) if state.terms.trail_is_rate[cell] else watermark + side * distance


@inline
def trail(state: State, cell: int, row: int, leg: int, progress: float, price: float, last: int) -> Moment:
    """The moment from (leg, progress, price) to the end of leg `last` at which a trailing stop is reached."""
    side, symbol, watermark = state.orders.side[cell], state.orders.symbol[cell], state.progress.watermark[cell]
    moves = state.terms.ratchet[cell] == Ratchet.PATH
    if not watermark == watermark:
        watermark = price
    x = trailing_level(state, cell, watermark)
    if is_reached(price, x, side):
        return leg, progress, price, x
    start = corner(state, symbol, row, leg - 1) if leg != OPEN_LEG and leg <= last else price
    if moves and side * (watermark - price) > 0.0:
        watermark = price
    k = max(leg, 1)
    while k <= last:
        end = corner(state, symbol, row, k)
        x = trailing_level(state, cell, watermark)
        if is_reached(end, x, side):
            if is_jump(state, row, k):
                return k, 0.0, end, x
            return k, abs(x - start) / abs(end - start), x, x
        if moves and side * (watermark - end) > 0.0:
            watermark = end
        start = end
        k += 1
    return NO_MOMENT


@inline
def followed(state: State, cell: int, row: int, leg: int, price: float, last: int) -> float:
    """The watermark of a trailing stop that nothing has triggered from `price` on this leg to the end of leg `last`."""
    side, watermark = state.orders.side[cell], state.progress.watermark[cell]
    if not watermark == watermark:
        watermark = price
    if state.terms.ratchet[cell] != Ratchet.PATH:
        return watermark
    k = max(leg, 1)
    while True:
        if side * (watermark - price) > 0.0:
            watermark = price
        if k > last:
            return watermark
        price = corner(state, state.orders.symbol[cell], row, k)
        k += 1


@inline
def moment_at_auction(state: State, cell: int, row: int, part: int) -> Moment:
    """The open or close that an OPG or CLS order is for."""
    bars, edge = state.bars, state.bars.session_edge[row]
    if state.orders.tif[cell] == TimeInForce.OPG:
        meets = part == AT_OPEN or state.rules[SCHEDULE] != Schedule.PHASED
        if meets and edge % 2 == 1 and meets_open(state, cell, row):
            return OPEN_LEG, 0.0, bars.open[row], bars.open[row]
        return NO_MOMENT
    if part == IN_BAR and edge >= 2 and is_eligible_for_close(state, cell, row):
        return CLOSE_LEG, 0.0, bars.close[row], bars.close[row]
    return NO_MOMENT


@inline
def is_eligible_for_close(state: State, cell: int, row: int) -> bool:
    """Whether the order may trade at the bar's close."""
    is_counted = state.bars.ordinal[row] >= state.progress.first_bar[cell]
    return is_counted and state.terms.eligible_from[cell] < state.bars.end[row]


@inline
def row_before(state: State, cell: int, row: int) -> int:
    """The bar of the order's symbol before this one; this one where it is the first."""
    market, symbol = state.market, state.orders.symbol[cell]
    before = market.row[symbol] if market.row[symbol] != row else market.row_before[symbol]
    return row if before == NONE else before


@inline
def moment_of_market(state: State, cell: int, row: int, part: int) -> Moment:
    """The moment at which an order that is ready to trade does so."""
    bars, terms, record, rule = state.bars, state.terms, state.progress, state.rules[MARKET_FILL]
    if part == AFTER_CLOSE:
        is_in_time = terms.eligible_from[cell] <= bars.end[row] and record.first_bar[cell] <= bars.ordinal[row]
        return (AFTER_LEG, 0.0, bars.close[row], bars.close[row]) if is_in_time else NO_MOMENT
    if has_begun(state, cell, row) and record.is_triggered[cell] != 0:  # a triggered order whose quantity has grown
        leg, price = record.since_leg[cell], record.since_price[cell]
        return (leg, record.since_progress[cell], price, price) if part == IN_BAR or leg == OPEN_LEG else NO_MOMENT
    if rule == MarketFill.PREVIOUS_CLOSE:
        price = bars.close[row_before(state, cell, row)]
        return (OPEN_LEG, 0.0, price, price) if is_eligible(state, cell, row) else NO_MOMENT
    if rule == MarketFill.DECISION_CLOSE:
        price = record.since_price[cell]
        return (OPEN_LEG, 0.0, price, price) if is_eligible(state, cell, row) else NO_MOMENT
    if rule == MarketFill.NEXT_OPEN:
        return (OPEN_LEG, 0.0, bars.open[row], bars.open[row]) if meets_open(state, cell, row) else NO_MOMENT
    if part == AT_OPEN:
        return NO_MOMENT
    if rule == MarketFill.NEXT_VWAP:
        price = named(state, VWAP, row)
        return (CLOSE_LEG, 0.0, price, price) if meets_open(state, cell, row) else NO_MOMENT
    return (CLOSE_LEG, 0.0, bars.close[row], bars.close[row]) if is_eligible_for_close(state, cell, row) else NO_MOMENT


@inline
def moment_on_path(state: State, cell: int, row: int, part: int, now: int) -> Moment:
    """The first moment of the bar (at its open only, or anywhere) at which an order of a price reaches it."""
    if not (has_begun(state, cell, row) or is_eligible(state, cell, row)):
        return NO_MOMENT
    leg, progress, price = beginning(state, cell, row)
    if (part == AT_OPEN and leg != OPEN_LEG) or (part == AFTER_CLOSE) != (leg == AFTER_LEG):
        return NO_MOMENT
    last = last_leg(state, row) if part == IN_BAR else OPEN_LEG
    if now == WAITING and state.orders.type[cell] >= OrderType.TRAILING_STOP:
        return trail(state, cell, row, leg, progress, price, last)
    x, direction = level(state, cell, now)
    touch, is_bound = True, False
    if now == RESTING:
        touch, is_bound = fills_at_touch(state, cell, row), is_bound_to_moment(state.orders.tif[cell])
    is_first = touch or is_first_meeting(state, cell, row, leg, progress)
    if is_bound or is_passed(price, x, direction, is_first):  # bound: it fills here, or ends
        return leg, progress, price, x
    return first_reach(state, state.orders.symbol[cell], row, x, direction, leg, price, touch, last)


@inline
def moment(state: State, cell: int, row: int, part: int) -> Moment:
    """The first moment of this part of the bar at which something happens to the order, or NO_MOMENT."""
    if not is_working(state, cell) or (may_grow(state, cell) and is_used_up(state, cell)):
        return NO_MOMENT
    tif, now = state.orders.tif[cell], stage(state, cell)
    is_bound = is_bound_to_moment(tif)
    if is_halted(state, row) and not is_bound:
        return NO_MOMENT
    if state.progress.idle_row[cell] == row:
        is_for_all = state.rules[EXHAUSTION] == Exhaustion.SYMBOL or state.rules[SLIPPAGE_RANGE] != 0
        if now >= RESTING or is_for_all:
            return NO_MOMENT
    if tif == TimeInForce.OPG or tif == TimeInForce.CLS:
        return moment_at_auction(state, cell, row, part) if part != AFTER_CLOSE else NO_MOMENT
    if now == READY:
        return moment_of_market(state, cell, row, part)
    return moment_on_path(state, cell, row, part, now)
