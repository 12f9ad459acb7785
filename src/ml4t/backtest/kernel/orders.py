"""The only writer of orders: their states, their place in the book, and the record of every transition (docs/semantics/orders.md)."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import OrderState, OrderType, Reason, Sizing, TimeInForce
from ml4t.backtest.kernel.trigger import is_live, level
from ml4t.backtest.tables import (
    CLOSED,
    EVENTS,
    FREE_CELL,
    IDS,
    LIVE,
    NEVER,
    NONE,
    NOW,
    UNASSIGNED,
    UNCHECKED,
    UNSET,
    State,
)

CREATED, ACCEPTED, TRIGGERED, PARTIALLY_FILLED = (
    OrderState.CREATED,
    OrderState.ACCEPTED,
    OrderState.TRIGGERED,
    OrderState.PARTIALLY_FILLED,
)
FILLED, CANCELLED, EXPIRED, REJECTED = OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED

LEGAL_EDGES = {
    CREATED: (ACCEPTED, REJECTED, CANCELLED),
    ACCEPTED: (TRIGGERED, PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED),
    TRIGGERED: (PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED),
    PARTIALLY_FILLED: (PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED),
    FILLED: (),
    CANCELLED: (),
    EXPIRED: (),
    REJECTED: (),
}
"""The state machine. A replace is an event that keeps the state."""


@inline
def append_event(state: State, order: int, time: int, source: int, target: int, reason: int, fill: int) -> None:
    """The event is on record."""
    events, n = state.events, state.clock[EVENTS]
    events.order[n] = order
    events.time[n] = time
    events.source[n] = source
    events.target[n] = target
    events.reason[n] = reason
    events.fill[n] = fill
    state.clock[EVENTS] = n + 1
    state.clock[UNCHECKED] = 1


@inline
def widen_band(state: State, cell: int) -> None:
    """The symbol's band lets this order through."""
    market, symbol = state.market, state.orders.symbol[cell]
    if state.orders.type[cell] == OrderType.MARKET:
        market.below[symbol] = math.inf
        return
    x, direction = level(state, cell)
    if direction < 0:
        market.below[symbol] = max(market.below[symbol], x)
    else:
        market.above[symbol] = min(market.above[symbol], x)


@function(VOID, INT)
def renew_band(state: State, symbol: int) -> None:
    """The symbol's band lets exactly its live orders through."""
    state.market.below[symbol] = -math.inf
    state.market.above[symbol] = math.inf
    cell = state.market.oldest[symbol]
    while cell != NONE:
        widen_band(state, cell)
        cell = state.links.after[cell]


@inline
def leave_band(state: State, cell: int) -> None:
    """The band no longer waits for this order, which is not in the list any more."""
    market, symbol = state.market, state.orders.symbol[cell]
    bounds = True
    if state.orders.type[cell] != OrderType.MARKET:
        x, direction = level(state, cell)
        bounds = x >= market.below[symbol] if direction < 0 else x <= market.above[symbol]
    if bounds:
        renew_band(state, symbol)


@inline
def link(state: State, cell: int) -> None:
    """The order is the newest of its symbol's live orders."""
    links, market, symbol = state.links, state.market, state.orders.symbol[cell]
    links.after[cell] = NONE
    links.before[cell] = market.newest[symbol]
    if market.newest[symbol] == NONE:
        market.oldest[symbol] = cell
    else:
        links.after[market.newest[symbol]] = cell
    market.newest[symbol] = cell
    state.clock[LIVE] += 1


@inline
def unlink(state: State, cell: int) -> None:
    """The order is no longer among its symbol's live orders."""
    links, market, symbol = state.links, state.market, state.orders.symbol[cell]
    before, after = links.before[cell], links.after[cell]
    if before == NONE:
        market.oldest[symbol] = after
    else:
        links.after[before] = after
    if after == NONE:
        market.newest[symbol] = before
    else:
        links.before[after] = before
    state.clock[LIVE] -= 1


@function(VOID, INT)
def close_order(state: State, cell: int) -> None:
    """The order's cell is free; what was in it is row `clock[CLOSED]` of the closed orders."""
    clock = state.clock
    if state.terms.until[cell] == UNSET:
        clock[UNASSIGNED] -= 1
    unlink(state, cell)
    leave_band(state, cell)
    row = clock[CLOSED]
    state.places[state.orders.id[cell] - 1] = ~row
    a, b = state.orders, state.closed_orders
    b.id[row] = a.id[cell]
    b.symbol[row] = a.symbol[cell]
    b.slot[row] = a.slot[cell]
    b.side[row] = a.side[cell]
    b.type[row] = a.type[cell]
    b.sizing[row] = a.sizing[cell]
    b.origin[row] = a.origin[cell]
    b.tif[row] = a.tif[cell]
    b.state[row] = a.state[cell]
    b.reason[row] = a.reason[cell]
    c, d = state.terms, state.closed_terms
    d.quantity[row] = c.quantity[cell]
    d.request[row] = c.request[cell]
    d.limit[row] = c.limit[cell]
    d.stop[row] = c.stop[cell]
    d.reduce_only[row] = c.reduce_only[cell]
    d.until[row] = c.until[cell]
    d.submitted[row] = c.submitted[cell]
    d.eligible_from[row] = c.eligible_from[cell]
    d.tag[row] = c.tag[cell]
    e, f = state.progress, state.closed_progress
    f.filled[row] = e.filled[cell]
    f.value[row] = e.value[cell]
    f.commission[row] = e.commission[cell]
    f.reserved[row] = e.reserved[cell]
    f.closed[row] = e.closed[cell]
    f.trigger_row[row] = e.trigger_row[cell]
    f.trigger_segment[row] = e.trigger_segment[cell]
    f.trigger_progress[row] = e.trigger_progress[cell]
    f.trigger_price[row] = e.trigger_price[cell]
    clock[CLOSED] = row + 1
    a.id[cell] = 0
    state.links.after[cell] = clock[FREE_CELL]
    clock[FREE_CELL] = cell


@function(VOID, INT, INT, INT, INT, INT)
def transition(state: State, cell: int, time: int, target: int, reason: int, fill: int) -> None:
    """The order is in the target state and the event on record; in a final state it has left the book."""
    orders = state.orders
    append_event(state, orders.id[cell], time, orders.state[cell], target, reason, fill)
    orders.state[cell] = target
    orders.reason[cell] = reason
    if not is_live(target):
        state.progress.closed[cell] = time
        close_order(state, cell)


@function(INT, INT, INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, FLOAT, INT, INT, INT, INT)
def create(
    state: State,
    symbol: int,
    side: int,
    kind: int,
    sizing: int,
    origin: int,
    quantity: float,
    request: float,
    limit: float,
    stop: float,
    tif: int,
    until: int,
    reduce_only: int,
    tag: int,
) -> int:
    """The cell of a new order, which is in the book but not yet accepted."""
    clock, orders, terms, progress = state.clock, state.orders, state.terms, state.progress
    cell = clock[FREE_CELL]
    clock[FREE_CELL] = state.links.after[cell]
    number = clock[IDS] + 1
    clock[IDS] = number
    state.places[number - 1] = cell
    orders.id[cell] = number
    orders.symbol[cell] = symbol
    orders.slot[cell] = symbol  # netting: one slot a symbol
    orders.side[cell] = side
    orders.type[cell] = kind
    orders.sizing[cell] = sizing
    orders.origin[cell] = origin
    orders.tif[cell] = tif
    orders.state[cell] = CREATED
    orders.reason[cell] = 0
    terms.quantity[cell] = quantity
    terms.request[cell] = request
    terms.limit[cell] = limit
    terms.stop[cell] = stop
    terms.reduce_only[cell] = reduce_only
    terms.until[cell] = until if tif == TimeInForce.GTD else UNSET if tif == TimeInForce.DAY else NEVER
    terms.submitted[cell] = clock[NOW]
    terms.eligible_from[cell] = clock[NOW]
    terms.tag[cell] = tag
    progress.filled[cell] = 0.0
    progress.value[cell] = 0.0
    progress.commission[cell] = 0.0
    progress.reserved[cell] = 0.0
    progress.closed[cell] = UNSET
    progress.trigger_row[cell] = NONE
    if tif == TimeInForce.DAY:
        clock[UNASSIGNED] += 1
    link(state, cell)
    widen_band(state, cell)
    clock[UNCHECKED] = 1
    return cell


@inline
def resolve_quantity(state: State, cell: int, quantity: float) -> None:
    """An order whose signed quantity is known only now has it, and its side."""
    state.terms.quantity[cell] = abs(quantity)
    state.orders.side[cell] = 1 if quantity > 0.0 else -1


@inline
def change_terms(state: State, cell: int, quantity: float, limit: float, stop: float) -> None:
    """The order has the terms given (NaN: as they were) and the eligibility of a new one; the replace is on record."""
    orders, terms, now = state.orders, state.terms, state.clock[NOW]
    if limit == limit:
        terms.limit[cell] = limit
    if stop == stop:
        terms.stop[cell] = stop
    if quantity == quantity:
        terms.quantity[cell] = quantity
        terms.request[cell] = quantity
        orders.sizing[cell] = Sizing.QUANTITY
    terms.eligible_from[cell] = now
    renew_band(state, orders.symbol[cell])
    append_event(state, orders.id[cell], now, orders.state[cell], orders.state[cell], Reason.REPLACE_REQUESTED, NONE)


@inline
def record_reserve(state: State, cell: int, amount: float) -> None:
    """The order holds back this much of the account's funds."""
    state.progress.reserved[cell] = amount


@inline
def record_trigger(state: State, cell: int, row: int, segment: int, progress: float, price: float) -> None:
    """The order's stop was reached at this moment; from now on it waits for its limit, or fills."""
    record = state.progress
    record.trigger_row[cell] = row
    record.trigger_segment[cell] = segment
    record.trigger_progress[cell] = progress
    record.trigger_price[cell] = price
    renew_band(state, state.orders.symbol[cell])


@inline
def record_fill(state: State, cell: int, quantity: float, value: float, commission: float) -> None:
    """The order has filled `quantity` more units."""
    progress = state.progress
    progress.filled[cell] += quantity
    progress.value[cell] += value
    progress.commission[cell] += commission


@inline
def assign_session(state: State, cell: int, session_close: int) -> None:
    """The DAY order expires at this session's close."""
    state.terms.until[cell] = session_close
    state.clock[UNASSIGNED] -= 1
