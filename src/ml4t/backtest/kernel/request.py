"""What a strategy may ask for in a decision: submit, cancel, replace."""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import Basis, MarketFill, OrderState, OrderType, Origin, Reason, Sizing
from ml4t.backtest.kernel.clock import EXPIRY_TIMER, push_timer
from ml4t.backtest.kernel.group import adopt, end_order, join_rings
from ml4t.backtest.kernel.orders import create
from ml4t.backtest.kernel.quantity import (
    frozen_equity,
    frozen_price,
    is_explicit,
    is_resolved_at_fill,
    is_target,
    wanted,
)
from ml4t.backtest.kernel.room import has_room
from ml4t.backtest.kernel.rounding import on_tick
from ml4t.backtest.kernel.terms import add_rare_terms, cancel_after_bars, cancel_later, change_terms, delay
from ml4t.backtest.kernel.trigger import is_bound_to_moment, is_live, is_touch
from ml4t.backtest.queue_rule import Executions
from ml4t.backtest.tables import (
    BATCH,
    CANCEL_DELAY,
    CANCEL_DELAY_BARS,
    EXECUTIONS,
    FRACTION,
    IDS,
    KIND,
    LIMIT_BASIS,
    LOT,
    MARKET_FILL,
    NONE,
    NOW,
    OCO,
    PARENT,
    STOP_BASIS,
    State,
)

# answers that are not order ids
FULL, NOTHING_TO_DO, NO_PRICE, NOT_LIVE, NOT_ABOVE_FILLED, NO_SUCH_PRICE, NO_DIRECTION = -1, -2, -3, -4, -5, -6, -7
GROUP_TOO_LARGE = -8
DONE_AS_ASKED = 0

# limits of groups of orders, so that the room one phase needs is known before it
MOST_MEMBERS, MOST_GENERATIONS = 32, 8


@inline
def order_type(limit: float, stop: float) -> OrderType:
    """The type that follows from the prices given."""
    if limit == limit:
        return OrderType.STOP_LIMIT if stop == stop else OrderType.LIMIT
    return OrderType.STOP if stop == stop else OrderType.MARKET


@function(VOID, INT)
def supersede_target(state: State, symbol: int) -> None:
    """The symbol's live target order is cancelled."""
    cell = state.market.oldest[symbol]
    while cell != NONE:
        following = state.links.after[cell]
        if state.orders.origin[cell] == Origin.TARGET and is_live(state.orders.state[cell]):
            end_order(state, cell, state.clock[NOW], OrderState.CANCELLED, Reason.SUPERSEDED_BY_TARGET)
        cell = following


@inline
def live_cell(state: State, order: int) -> int:
    """The cell of a live order, NONE where it is not live."""
    if order < 1 or order > state.clock[IDS]:
        return NONE
    cell = state.places[order - 1]
    return cell if cell >= 0 else NONE


@inline
def members(state: State, cell: int) -> int:
    """How many orders the oco group of an order has."""
    n, member = 1, state.links.ring[cell]
    while member != cell:
        n += 1
        member = state.links.ring[member]
    return n


@inline
def refusal_of_links(state: State) -> int:
    """Why the ticket's parent or group cannot be; DONE_AS_ASKED where it can."""
    parent, other = int(state.ticket[PARENT]), int(state.ticket[OCO])
    if parent != 0:
        cell = live_cell(state, parent)
        if cell == NONE:
            return NOT_LIVE
        generations, children, child = 1, 0, state.links.child[cell]
        while child != NONE:
            children += 1
            child = state.links.sibling[child]
        while state.links.parent[cell] != NONE:
            generations += 1
            cell = state.links.parent[cell]
        if children >= MOST_MEMBERS or generations >= MOST_GENERATIONS:
            return GROUP_TOO_LARGE
    if other != 0:
        cell = live_cell(state, other)
        if cell == NONE:
            return NOT_LIVE
        if members(state, cell) >= MOST_MEMBERS:
            return GROUP_TOO_LARGE
    return DONE_AS_ASKED


@inline
def add_links(state: State, cell: int) -> None:
    """The new order has the parent and the oco group that the ticket names."""
    parent, other = int(state.ticket[PARENT]), int(state.ticket[OCO])
    if parent != 0:
        adopt(state, cell, live_cell(state, parent))
    if other != 0:
        join_rings(state, live_cell(state, other), cell)


@inline
def is_for_lots(state: State, sizing: int, tif: int, reduce_only: int, extended: int) -> bool:
    """Whether an order of this kind can be filled lot by lot: by quantity or percent, reducing only as a child or of one lot."""
    if is_bound_to_moment(tif):
        return False
    if sizing == Sizing.CLOSE or sizing == Sizing.PARENT:
        return True
    is_exit = extended != 0 and (state.ticket[PARENT] != 0.0 or state.ticket[LOT] != 0.0)
    return (sizing == Sizing.QUANTITY or sizing == Sizing.PERCENT) and (reduce_only == 0 or is_exit)


@inline
def link_orders(state: State, a: int, b: int) -> int:
    """The oco groups of two live orders are one."""
    if not has_room(state, 0):
        return FULL
    first, second = live_cell(state, a), live_cell(state, b)
    if first == NONE or second == NONE:
        return NOT_LIVE
    if members(state, first) + members(state, second) > MOST_MEMBERS:
        return GROUP_TOO_LARGE
    join_rings(state, first, second)
    return DONE_AS_ASKED


@function(INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, INT, INT, INT, INT, INT, INT, cold=False)
def place(
    state: State,
    symbol: int,
    side: int,
    sizing: int,
    request: float,
    limit: float,
    stop: float,
    tif: int,
    until: int,
    reduce_only: int,
    origin: int,
    tag: int,
    extended: int,
) -> int:
    """The id of a new order that waits for admission, or why there is none. `extended`: the ticket has further terms."""
    if not has_room(state, 1):
        return FULL
    kind: int = order_type(limit, stop)
    if extended != 0:
        kind = int(state.ticket[KIND])
        refused = refusal_of_links(state)
        if refused != DONE_AS_ASKED:
            return refused
    if state.rules[EXECUTIONS] == Executions.LOT and not is_for_lots(state, sizing, tif, reduce_only, extended):
        return NO_DIRECTION
    slot = symbol  # netting: one slot a symbol
    quantity = request
    if sizing == Sizing.CLOSE:
        held = state.positions.quantity[slot]
        if held == 0.0:
            return NOTHING_TO_DO
        side = -1 if held > 0.0 else 1
        quantity = abs(held)
    elif sizing == Sizing.PARENT:
        quantity, request = 0.0, state.ticket[FRACTION]
    elif not is_explicit(sizing):
        price = frozen_price(state, symbol)
        if not price == price and sizing != Sizing.TARGET_QUANTITY:
            return NO_PRICE
        waits = is_resolved_at_fill(state, sizing)
        if is_target(sizing):
            if waits and kind != OrderType.MARKET:
                return NO_DIRECTION
            supersede_target(state, symbol)
        quantity = float("nan")
        if not waits:
            signed = wanted(state, sizing, side, request, symbol, slot, price, frozen_equity(state))
            if signed == 0.0:
                return NOTHING_TO_DO
            side = 1 if signed > 0.0 else -1
            quantity = abs(signed)
    tick = state.instruments.tick_size[symbol]
    if extended == 0 or int(state.ticket[LIMIT_BASIS]) == Basis.PRICE:
        limit = on_tick(limit, tick, -side)
    if extended == 0 or int(state.ticket[STOP_BASIS]) == Basis.PRICE:
        stop = on_tick(stop, tick, -side if is_touch(kind) else side)
    if state.rules[MARKET_FILL] == MarketFill.DECISION_CLOSE and kind == OrderType.MARKET:
        if not state.market.mark[symbol] == state.market.mark[symbol]:
            return NO_PRICE
    cell = create(
        state,
        symbol,
        side,
        kind,
        sizing,
        origin,
        quantity,
        request,
        limit,
        stop,
        tif,
        until,
        reduce_only,
        tag,
    )
    if extended != 0:
        add_rare_terms(state, cell)
        add_links(state, cell)
    delay(state, cell)
    state.batch[state.clock[BATCH]] = state.orders.id[cell]
    state.clock[BATCH] += 1
    return state.clock[IDS]


@function(INT, INT)
def withdraw_order(state: State, order: int) -> int:
    """The order is cancelled."""
    if not has_room(state, 0):
        return FULL
    cell = live_cell(state, order)
    if cell == NONE:
        return NOT_LIVE
    now, later, bars = state.clock[NOW], state.rules[CANCEL_DELAY], state.rules[CANCEL_DELAY_BARS]
    if later + bars == 0 or state.orders.state[cell] == OrderState.CREATED:
        end_order(state, cell, now, OrderState.CANCELLED, Reason.CANCEL_REQUESTED)
    elif bars > 0:
        cancel_after_bars(state, cell, bars)
    elif cancel_later(state, cell, now + later):
        push_timer(state, now + later, EXPIRY_TIMER, order)
    return DONE_AS_ASKED


@function(INT, INT, FLOAT, FLOAT, FLOAT)
def change_order(state: State, order: int, quantity: float, limit: float, stop: float) -> int:
    """The order has the terms given (NaN: as they were) and the eligibility of a new one."""
    if not has_room(state, 1):
        return FULL
    cell = live_cell(state, order)
    if cell == NONE:
        return NOT_LIVE
    terms, progress = state.terms, state.progress
    has_limit = terms.limit[cell] == terms.limit[cell]
    is_fixed = state.orders.type[cell] < OrderType.TRAILING_STOP and progress.is_triggered[cell] == 0
    has_stop = terms.stop[cell] == terms.stop[cell] and is_fixed
    if (limit == limit and not has_limit) or (stop == stop and not has_stop):
        return NO_SUCH_PRICE
    if quantity == quantity and quantity <= progress.filled[cell]:
        return NOT_ABOVE_FILLED
    tick, side = state.instruments.tick_size[state.orders.symbol[cell]], state.orders.side[cell]
    against = -side if is_touch(state.orders.type[cell]) else side
    change_terms(state, cell, quantity, on_tick(limit, tick, -side), on_tick(stop, tick, against))
    return DONE_AS_ASKED
