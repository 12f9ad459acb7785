"""Who fills first: each symbol offers an order, the smallest key among the offers is taken (docs/semantics/matching.md).

The order between orders is always a key. `phased` and `queue` are the same rounds with another key.
"""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import OrderState, OrderType, PathRule, Reason, Schedule, Segment, Valuation
from ml4t.backtest.kernel.admission import admitted_quantity
from ml4t.backtest.kernel.cost import fill_commission, slipped
from ml4t.backtest.kernel.ledger import book_fill, closing_snap
from ml4t.backtest.kernel.orders import record_fill, record_trigger, resolve_quantity, transition
from ml4t.backtest.kernel.quantity import has_no_side, is_resolved_at_fill, reducible, wanted_at_fill
from ml4t.backtest.kernel.trigger import AFTER_CLOSE, AT_OPEN, IN_BAR, moment, waits_for_stop
from ml4t.backtest.tables import NONE, NOW, OFFERS, PATH, SCHEDULE, VALUATION, State


# ----------------------------------------------------------------------------------------------------------- one order
@function(VOID, INT, INT, INT, FLOAT)
def fill(state: State, cell: int, row: int, segment: int, reference: float) -> None:
    """The order is filled at this reference price, in part or in full, or has ended because it cannot be."""
    orders, terms, symbol, slot = state.orders, state.terms, state.orders.symbol[cell], state.orders.slot[cell]
    time = state.bars.start[row] if segment == Segment.OPEN else state.clock[NOW]
    quantity = wanted_at_fill(state, cell, reference)
    nothing, short = Reason.NOTHING_TO_TRADE, Reason.NONE
    if terms.reduce_only[cell] != 0:
        reduced = reducible(state, slot, quantity)
        if quantity != 0.0 or state.positions.quantity[slot] == 0.0:
            nothing = Reason.NOTHING_TO_REDUCE
        if reduced != quantity:
            short = Reason.NOTHING_TO_REDUCE
        quantity = reduced
    if quantity == 0.0:
        transition(state, cell, time, OrderState.CANCELLED, nothing, NONE)
        return
    if is_resolved_at_fill(state, orders.sizing[cell]):
        resolve_quantity(state, cell, quantity)
    side, kind = orders.side[cell], orders.type[cell]
    price = reference
    if kind == OrderType.MARKET or kind == OrderType.STOP:
        price = slipped(state, symbol, side, reference)
    quantity = closing_snap(state.positions.quantity[slot], quantity)
    taken, reason = admitted_quantity(state, cell, quantity, price, reference)
    if taken == 0.0:
        transition(state, cell, time, OrderState.REJECTED, reason, NONE)
        return
    if reason != Reason.NONE:
        short = reason
    commission = fill_commission(state, cell, taken, price)
    value = abs(taken) * price * state.instruments.multiplier[symbol]
    number = book_fill(state, orders.id[cell], symbol, slot, time, row, segment, taken, price, reference, commission)
    record_fill(state, cell, abs(taken), abs(value), commission)
    if short == Reason.NONE:
        transition(state, cell, time, OrderState.FILLED, Reason.EXECUTED, number)
    else:
        transition(state, cell, time, OrderState.PARTIALLY_FILLED, Reason.EXECUTED, number)
        transition(state, cell, time, OrderState.CANCELLED, short, NONE)


@inline
def take(state: State, cell: int, row: int, segment: int, progress: float, price: float) -> None:
    """The order has triggered, filled or ended."""
    if waits_for_stop(state, cell):
        time = state.bars.start[row] if segment == Segment.OPEN else state.clock[NOW]
        record_trigger(state, cell, row, segment, progress, price)
        transition(state, cell, time, OrderState.TRIGGERED, Reason.STOP_REACHED, NONE)
        if state.orders.type[cell] == OrderType.STOP_LIMIT:
            return
    fill(state, cell, row, segment, price)


# ------------------------------------------------------------------------------------------------------------ the path
@inline
def may_fill_on_path(state: State, cell: int, row: int) -> bool:
    """Whether the order could fill inside this bar, should prices reach it."""
    return state.orders.type[cell] != OrderType.MARKET and state.terms.eligible_from[cell] <= state.bars.start[row]


@inline
def is_high_first(state: State, symbol: int, row: int) -> bool:
    """Whether the bar's high comes before its low."""
    rule, bars = state.rules[PATH], state.bars
    if rule == PathRule.OPEN_HIGH_LOW_CLOSE:
        return True
    if rule == PathRule.OPEN_LOW_HIGH_CLOSE:
        return False
    if rule == PathRule.NEAREST_EXTREME_FIRST:
        return bars.high[row] - bars.open[row] < bars.open[row] - bars.low[row]
    held = state.positions.quantity[symbol]
    if held == 0.0:
        cell = state.market.oldest[symbol]
        while cell != NONE and not may_fill_on_path(state, cell, row):
            cell = state.links.after[cell]
        worst_is_high = cell != NONE and state.orders.side[cell] > 0
    else:
        worst_is_high = held < 0.0
    return worst_is_high == (rule == PathRule.WORST_FIRST)


@function(VOID, INT, INT)
def resolve_path(state: State, symbol: int, row: int) -> None:
    """The order of the bar's extremes is known."""
    market, high, low = state.market, state.bars.high[row], state.bars.low[row]
    high_first = is_high_first(state, symbol, row)
    market.first_extreme[symbol] = high if high_first else low
    market.second_extreme[symbol] = low if high_first else high


# ---------------------------------------------------------------------------------------------------------- the agenda
@inline
def precedes(state: State, a: int, b: int) -> bool:
    """Whether symbol a's offer comes before symbol b's: segment, reductions first, order id."""
    agenda = state.agenda
    if state.rules[SCHEDULE] == Schedule.PHASED:
        if agenda.segment[a] != agenda.segment[b]:
            return agenda.segment[a] < agenda.segment[b]
        if agenda.opens[a] != agenda.opens[b]:
            return agenda.opens[a] < agenda.opens[b]
    return state.orders.id[agenda.cell[a]] < state.orders.id[agenda.cell[b]]


@inline
def put(state: State, place: int, symbol: int) -> None:
    """The symbol stands at this place of the heap."""
    state.agenda.heap[place] = symbol
    state.agenda.place[symbol] = place


@inline
def sift(state: State, place: int) -> None:
    """The heap is in order again after the offer at `place` changed."""
    heap, n = state.agenda.heap, state.clock[OFFERS]
    symbol = heap[place]
    while place > 0 and precedes(state, symbol, heap[(place - 1) // 2]):
        put(state, place, heap[(place - 1) // 2])
        place = (place - 1) // 2
    while True:
        child = 2 * place + 1
        if child >= n:
            break
        if child + 1 < n and precedes(state, heap[child + 1], heap[child]):
            child += 1
        if not precedes(state, heap[child], symbol):
            break
        put(state, place, heap[child])
        place = child
    put(state, place, symbol)


@inline
def withdraw(state: State, place: int) -> None:
    """The symbol at this place offers nothing any more."""
    agenda, clock = state.agenda, state.clock
    agenda.place[agenda.heap[place]] = NONE
    clock[OFFERS] -= 1
    last = clock[OFFERS]
    if place != last:
        put(state, place, agenda.heap[last])
        sift(state, place)


@inline
def is_opening(state: State, cell: int, price: float) -> int:
    """1 where the order's direction is not against the position as it is now, else 0."""
    held = state.positions.quantity[state.orders.slot[cell]]
    direction, sizing = 1.0 * state.orders.side[cell], state.orders.sizing[cell]
    if has_no_side(state, sizing):
        direction = wanted_at_fill(state, cell, price)
    return 0 if held * direction < 0.0 else 1


@inline
def is_better(state: State, symbol: int, cell: int, segment: int, progress: float, opens: int) -> bool:
    """Whether this order comes before the one its symbol offers so far. Orders are met in the order of their ids."""
    agenda = state.agenda
    if agenda.cell[symbol] == NONE:
        return True
    if state.rules[SCHEDULE] == Schedule.QUEUE:
        return state.orders.id[cell] < state.orders.id[agenda.cell[symbol]]
    if segment != agenda.segment[symbol]:
        return segment < agenda.segment[symbol]
    if progress != agenda.progress[symbol]:
        return progress < agenda.progress[symbol]
    return opens < agenda.opens[symbol]


@function(VOID, INT, INT, INT)
def choose(state: State, symbol: int, row: int, part: int) -> None:
    """The symbol's offer is its first order that can fill in this part of the bar; none: cell NONE."""
    agenda = state.agenda
    agenda.cell[symbol] = NONE
    agenda.row[symbol] = row
    cell = state.market.oldest[symbol]
    while cell != NONE:
        segment, progress, price = moment(state, cell, row, part)
        if segment >= 0:
            opens = is_opening(state, cell, price)
            if is_better(state, symbol, cell, segment, progress, opens):
                agenda.cell[symbol] = cell
                agenda.segment[symbol] = segment
                agenda.progress[symbol] = progress
                agenda.price[symbol] = price
                agenda.opens[symbol] = opens
        cell = state.links.after[cell]


@function(VOID, INT, INT, INT)
def offer(state: State, symbol: int, row: int, part: int) -> None:
    """The symbol is in the agenda if an order of it can fill."""
    choose(state, symbol, row, part)
    if state.agenda.cell[symbol] != NONE:
        place = state.clock[OFFERS]
        state.clock[OFFERS] = place + 1
        put(state, place, symbol)
        sift(state, place)


@inline
def renew_offers(state: State, part: int) -> None:
    """Every symbol in the agenda has made its offer anew."""
    agenda, n = state.agenda, state.clock[OFFERS]
    state.clock[OFFERS] = 0
    for i in range(n):  # the offers made so far stand before place i
        symbol = agenda.heap[i]
        agenda.place[symbol] = NONE
        offer(state, symbol, agenda.row[symbol], part)


@function(VOID, INT)
def settle_offers(state: State, part: int) -> None:
    """Nothing in the agenda can fill any more."""
    agenda = state.agenda
    while state.clock[OFFERS] > 0:
        symbol = agenda.heap[0]
        row = agenda.row[symbol]
        take(state, agenda.cell[symbol], row, agenda.segment[symbol], agenda.progress[symbol], agenda.price[symbol])
        if state.rules[VALUATION] == Valuation.FILL_PRICE:  # a fill changes equity, and so the direction of any target
            renew_offers(state, part)
            continue
        choose(state, symbol, row, part)
        if agenda.cell[symbol] == NONE:
            withdraw(state, 0)
        else:
            sift(state, 0)


# ---------------------------------------------------------------------------------------------------------- the rounds
@inline
def match_opens(state: State, first: int, last: int) -> None:
    """Round of the bars that start now: `timeline.start_row[first:last]`."""
    bars, market = state.bars, state.market
    if state.rules[SCHEDULE] == Schedule.QUEUE:
        return
    is_met = False
    for i in range(first, last):
        row = state.timeline.start_row[i]
        symbol = bars.symbol[row]
        if bars.open[row] <= market.below[symbol] or bars.open[row] >= market.above[symbol]:
            offer(state, symbol, row, AT_OPEN)
            is_met = True
    if is_met:
        settle_offers(state, AT_OPEN)


@inline
def match_bars(state: State, first: int, last: int) -> None:
    """Round of the bars that end now, rows first:last: their paths and closes (and opens, where the schedule is `queue`)."""
    bars, market = state.bars, state.market
    is_met = False
    for row in range(first, last):
        symbol = bars.symbol[row]
        if bars.low[row] <= market.below[symbol] or bars.high[row] >= market.above[symbol]:
            resolve_path(state, symbol, row)
            offer(state, symbol, row, IN_BAR)
            is_met = True
    if is_met:
        settle_offers(state, IN_BAR)


@function(VOID, INT, INT)
def match_same_close(state: State, first: int, last: int) -> None:
    """The same-close pass: market orders trade at the close of the bars that ended now, rows first:last."""
    for row in range(first, last):
        offer(state, state.bars.symbol[row], row, AFTER_CLOSE)
    settle_offers(state, AFTER_CLOSE)
