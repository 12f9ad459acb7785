"""The book: which orders are live, their states, the record of every transition, and the price bands (docs/semantics/orders.md)."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import Basis, OrderState, OrderType, Ratchet, TimeInForce
from ml4t.backtest.kernel.trigger import (
    READY,
    is_bound_to_moment,
    is_live,
    is_trailing,
    is_working,
    level,
    may_expire_in_turn,
    stage,
)
from ml4t.backtest.queue_rule import ExpiryRule
from ml4t.backtest.tables import (
    CANCEL_DELAY_BARS,
    CLOSED,
    COUNTED,
    EVENTS,
    EXPIRY,
    FIRST_RANK,
    FOLLOWING,
    FREE_CELL,
    IDS,
    LAST_RANK,
    LINKED,
    LIVE,
    NEVER,
    NONE,
    NOW,
    TOUCH_AHEAD,
    TRAILING,
    UNASSIGNED,
    UNCHECKED,
    UNSET,
    State,
)

CREATED, PENDING, ACCEPTED, TRIGGERED, PARTIALLY_FILLED = (
    OrderState.CREATED,
    OrderState.PENDING,
    OrderState.ACCEPTED,
    OrderState.TRIGGERED,
    OrderState.PARTIALLY_FILLED,
)
FILLED, CANCELLED, EXPIRED, REJECTED = OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED

LEGAL_EDGES = {
    CREATED: (PENDING, ACCEPTED, REJECTED, CANCELLED),
    PENDING: (ACCEPTED, CANCELLED, EXPIRED),
    ACCEPTED: (TRIGGERED, PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED),
    TRIGGERED: (PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED),
    PARTIALLY_FILLED: (PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED),
    FILLED: (),
    CANCELLED: (),
    EXPIRED: (),
    REJECTED: (),
}
"""The state machine. An event may also keep the state: a replace, an activation, a change by a linked order."""


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
def meets_every_bar(state: State, cell: int) -> bool:
    """Whether something can happen to the order at any price."""
    return stage(state, cell) == READY or is_trailing(state, cell) or is_bound_to_moment(state.orders.tif[cell])


@inline
def widen_band(state: State, cell: int) -> None:
    """The symbol's band lets this order through."""
    market, symbol = state.market, state.orders.symbol[cell]
    if may_expire_in_turn(state, cell):
        market.below[symbol] = math.inf
        return
    if not is_working(state, cell):
        return
    if meets_every_bar(state, cell):
        market.below[symbol] = math.inf
        return
    x, direction = level(state, cell, stage(state, cell))
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
    if not meets_every_bar(state, cell) and state.rules[EXPIRY] == ExpiryRule.TIME:
        x, direction = level(state, cell, stage(state, cell))
        bounds = x >= market.below[symbol] if direction < 0 else x <= market.above[symbol]
    if bounds:
        renew_band(state, symbol)


@inline
def queue_last(state: State, cell: int) -> None:
    """The order is the last of the queue."""
    state.clock[LAST_RANK] += 1
    state.progress.rank[cell] = state.clock[LAST_RANK]


@inline
def queue_first(state: State, cell: int) -> None:
    """The order is the first of the queue."""
    state.clock[FIRST_RANK] -= 1
    state.progress.rank[cell] = state.clock[FIRST_RANK]


@inline
def link(state: State, cell: int) -> None:
    """The order is the newest of its symbol's live orders."""
    links, market, symbol = state.links, state.market, state.orders.symbol[cell]
    links.after[cell] = NONE
    links.before[cell] = market.newest[symbol]
    if market.newest[symbol] == NONE:
        market.oldest[symbol] = cell
        if market.emptied[symbol] != state.clock[NOW]:
            market.turn[symbol] = state.progress.rank[cell]
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
    if market.newest[symbol] == NONE:
        market.emptied[symbol] = NONE if state.orders.state[cell] == FILLED else state.clock[NOW]
    state.clock[LIVE] -= 1


@inline
def is_grouped(state: State, cell: int) -> bool:
    """Whether the order has, or had, a parent or an oco group."""
    return state.terms.parent[cell] != 0 or state.terms.group[cell] != 0


@function(VOID, INT)
def close_order(state: State, cell: int) -> None:
    """The order's cell is free; what was in it is row `clock[CLOSED]` of the closed orders."""
    clock = state.clock
    if state.terms.until[cell] == UNSET:
        clock[UNASSIGNED] -= 1
    if state.terms.bars[cell] > 0:
        clock[COUNTED] -= 1
    if state.rules[CANCEL_DELAY_BARS] > 0 and state.progress.cancel_at[cell] != NEVER:
        clock[COUNTED] -= 1
    if is_grouped(state, cell):
        clock[LINKED] -= 1
    if state.orders.type[cell] >= OrderType.TRAILING_STOP:
        clock[TRAILING] -= 1
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
    d.limit[row] = c.limit[cell]
    d.stop[row] = c.stop[cell]
    d.limit_basis[row] = c.limit_basis[cell]
    d.stop_basis[row] = c.stop_basis[cell]
    d.activation[row] = c.activation[cell]
    d.activation_basis[row] = c.activation_basis[cell]
    d.trail[row] = c.trail[cell]
    d.trail_is_rate[row] = c.trail_is_rate[cell]
    d.post_only[row] = c.post_only[cell]
    d.bars[row] = c.bars[cell]
    d.parent[row] = c.parent[cell]
    d.group[row] = c.group[cell]
    d.lot[row] = c.lot[cell]
    d.reduce_only[row] = c.reduce_only[cell]
    d.until[row] = c.until[cell]
    d.submitted[row] = c.submitted[cell]
    d.tag[row] = c.tag[cell]
    e, f = state.progress, state.closed_progress
    f.filled[row] = e.filled[cell]
    f.value[row] = e.value[cell]
    f.commission[row] = e.commission[cell]
    f.closed[row] = e.closed[cell]
    f.rank[row] = e.rank[cell]
    clock[CLOSED] = row + 1
    a.id[cell] = 0
    state.links.after[cell] = clock[FREE_CELL]
    clock[FREE_CELL] = cell


@inline
def is_linked(state: State, cell: int) -> bool:
    """Whether other orders depend on this one, or it on them."""
    links = state.links
    return links.child[cell] != NONE or links.parent[cell] != NONE or links.ring[cell] != cell


@function(VOID, INT, INT, INT, INT, INT)
def transition(state: State, cell: int, time: int, target: int, reason: int, fill: int) -> None:
    """The order is in the target state and the event on record.

    In a final state it has left the book; a linked order has done so only after `link.follow`, which the caller must call.
    """
    orders = state.orders
    append_event(state, orders.id[cell], time, orders.state[cell], target, reason, fill)
    orders.state[cell] = target
    orders.reason[cell] = reason
    if is_live(target):
        if target == ACCEPTED or target == PENDING:
            widen_band(state, cell)
        return
    state.progress.closed[cell] = time
    if is_linked(state, cell):
        state.following[state.clock[FOLLOWING]] = cell
        state.clock[FOLLOWING] += 1
    else:
        close_order(state, cell)


@inline
def note(state: State, cell: int, time: int, reason: int) -> None:
    """Something has happened to the order that is on record and keeps its state."""
    standing = state.orders.state[cell]
    append_event(state, state.orders.id[cell], time, standing, standing, reason, NONE)


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
    """The cell of a new order without rare terms, which is in the book but not yet accepted."""
    clock, orders, terms, progress, links = state.clock, state.orders, state.terms, state.progress, state.links
    cell = clock[FREE_CELL]
    clock[FREE_CELL] = links.after[cell]
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
    terms.before[cell] = 0.0
    terms.limit[cell] = limit
    terms.stop[cell] = stop
    terms.limit_basis[cell] = Basis.PRICE
    terms.stop_basis[cell] = Basis.PRICE
    terms.activation[cell] = math.nan
    terms.activation_basis[cell] = Basis.PRICE
    terms.trail[cell] = math.nan
    terms.trail_is_rate[cell] = 0
    terms.ratchet[cell] = Ratchet.PATH
    terms.post_only[cell] = 0
    terms.delay[cell] = 0
    terms.bars[cell] = 0
    terms.parent[cell] = 0
    terms.group[cell] = 0
    terms.lot[cell] = 0
    terms.reduce_only[cell] = reduce_only
    terms.until[cell] = until if tif == TimeInForce.GTD else UNSET if tif == TimeInForce.DAY else NEVER
    terms.submitted[cell] = clock[NOW]
    terms.eligible_from[cell] = clock[NOW]
    terms.tag[cell] = tag
    queue_last(state, cell)
    progress.filled[cell] = 0.0
    progress.value[cell] = 0.0
    progress.commission[cell] = 0.0
    progress.reserved[cell] = 0.0
    progress.closed[cell] = UNSET
    progress.is_triggered[cell] = 0
    progress.is_released[cell] = 0
    progress.is_active[cell] = 1
    progress.watermark[cell] = math.nan
    progress.since_row[cell] = NONE
    progress.since_price[cell] = state.market.mark[symbol]
    progress.first_bar[cell] = 0
    progress.last_bar[cell] = NEVER
    progress.ahead[cell] = state.share[TOUCH_AHEAD]
    progress.idle_row[cell] = NONE
    progress.cancel_at[cell] = NEVER
    links.parent[cell] = NONE
    links.child[cell] = NONE
    links.sibling[cell] = NONE
    links.ring[cell] = cell
    if tif == TimeInForce.DAY:
        clock[UNASSIGNED] += 1
    link(state, cell)
    clock[UNCHECKED] = 1
    return cell
