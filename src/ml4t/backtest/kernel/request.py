"""What a strategy may ask for in a decision: submit, cancel, replace."""

from ml4t.backtest._jit import INT, VOID, function, inline
from ml4t.backtest.enums import OrderState, OrderType, Origin, Reason, Sizing
from ml4t.backtest.kernel.orders import change_terms, create, transition
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
from ml4t.backtest.tables import BATCH, IDS, NONE, NOW, State

# answers that are not order ids
FULL, NOTHING_TO_DO, NO_PRICE, NOT_LIVE, NOT_ABOVE_FILLED, NO_SUCH_PRICE, NO_DIRECTION = -1, -2, -3, -4, -5, -6, -7
DONE_AS_ASKED = 0


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
        if state.orders.origin[cell] == Origin.TARGET:
            transition(state, cell, state.clock[NOW], OrderState.CANCELLED, Reason.SUPERSEDED_BY_TARGET, NONE)
        cell = following


@inline
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
) -> int:
    """The id of a new order that waits for admission, or why there is none."""
    if not has_room(state, 1):
        return FULL
    slot = symbol  # netting: one slot a symbol
    quantity = request
    if sizing == Sizing.CLOSE:
        held = state.positions.quantity[slot]
        if held == 0.0:
            return NOTHING_TO_DO
        side = -1 if held > 0.0 else 1
        quantity = abs(held)
    elif not is_explicit(sizing):
        price = frozen_price(state, symbol)
        if not price == price and sizing != Sizing.TARGET_QUANTITY:
            return NO_PRICE
        waits = is_resolved_at_fill(state, sizing)
        if is_target(sizing):
            if waits and order_type(limit, stop) != OrderType.MARKET:
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
    limit, stop = on_tick(limit, tick, -side), on_tick(stop, tick, side)
    cell = create(
        state,
        symbol,
        side,
        order_type(limit, stop),
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
    state.batch[state.clock[BATCH]] = state.orders.id[cell]
    state.clock[BATCH] += 1
    return state.clock[IDS]


@inline
def live_cell(state: State, order: int) -> int:
    """The cell of a live order, NONE where it is not live."""
    if order < 1 or order > state.clock[IDS]:
        return NONE
    cell = state.places[order - 1]
    return cell if cell >= 0 else NONE


@inline
def withdraw_order(state: State, order: int) -> int:
    """The order is cancelled."""
    if not has_room(state, 0):
        return FULL
    cell = live_cell(state, order)
    if cell == NONE:
        return NOT_LIVE
    transition(state, cell, state.clock[NOW], OrderState.CANCELLED, Reason.CANCEL_REQUESTED, NONE)
    return DONE_AS_ASKED


@inline
def change_order(state: State, order: int, quantity: float, limit: float, stop: float) -> int:
    """The order has the terms given (NaN: as they were) and the eligibility of a new one."""
    if not has_room(state, 1):
        return FULL
    cell = live_cell(state, order)
    if cell == NONE:
        return NOT_LIVE
    terms, progress = state.terms, state.progress
    has_limit = terms.limit[cell] == terms.limit[cell]
    has_stop = terms.stop[cell] == terms.stop[cell] and progress.trigger_row[cell] == NONE
    if (limit == limit and not has_limit) or (stop == stop and not has_stop):
        return NO_SUCH_PRICE
    if quantity == quantity and quantity <= progress.filled[cell]:
        return NOT_ABOVE_FILLED
    tick, side = state.instruments.tick_size[state.orders.symbol[cell]], state.orders.side[cell]
    change_terms(state, cell, quantity, on_tick(limit, tick, -side), on_tick(stop, tick, side))
    return DONE_AS_ASKED
