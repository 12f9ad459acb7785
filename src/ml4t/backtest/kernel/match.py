"""Who fills first: each symbol offers an order, the smallest key among the offers is taken (docs/semantics/matching.md).

The order between orders is always a key. `phased` and `queue` are the same rounds with another key.
"""

from ml4t.backtest._jit import INT, VOID, function, inline
from ml4t.backtest.enums import MarketFill, Schedule, TouchRule, Valuation
from ml4t.backtest.kernel.execution import take
from ml4t.backtest.kernel.path import CLOSE_LEG, OPEN_LEG, first_leg, last_leg
from ml4t.backtest.kernel.quantity import has_no_side, wanted_at_fill
from ml4t.backtest.kernel.terms import best_of_bar, follow_price, meet_again, move_up_queue
from ml4t.backtest.kernel.trigger import (
    AFTER_CLOSE,
    AT_OPEN,
    IN_BAR,
    READY,
    RESTING,
    beginning,
    first_reach,
    followed,
    has_begun,
    is_bound_to_moment,
    is_eligible,
    is_first_meeting,
    is_halted,
    is_overdue,
    is_reached,
    is_trailing,
    is_used_up,
    is_working,
    level,
    may_grow,
    moment,
    stage,
)
from ml4t.backtest.kernel.volume import taken_at_touch
from ml4t.backtest.queue_rule import Rescan
from ml4t.backtest.tables import (
    AGAIN,
    LAST_RANK,
    MARKET_FILL,
    MISSING_BAR,
    NEVER,
    NONE,
    OFFERS,
    PASS_END,
    PASSED,
    RESCAN,
    SCHEDULE,
    SPILLED,
    TOUCH,
    TRAILING,
    UNSET,
    VALUATION,
    State,
)


# ------------------------------------------------------------------------------------------------------------ the path
@inline
def may_fill_on_path(state: State, cell: int, row: int) -> bool:
    """Whether the order has a level yet to reach, on this bar."""
    if not is_working(state, cell) or stage(state, cell) == READY or is_bound_to_moment(state.orders.tif[cell]):
        return False
    is_asleep = (may_grow(state, cell) and is_used_up(state, cell)) or is_halted(state, row)
    return not is_asleep and (has_begun(state, cell, row) or is_eligible(state, cell, row))


@function(VOID, INT, INT)
def resolve_path(state: State, symbol: int, row: int) -> None:
    """Whose worst comes first on the bar's path is known: the position's, else that of the oldest order that may fill on it."""
    held, orders = state.positions.quantity[symbol], state.orders
    if held != 0.0:
        state.market.worst_is_high[symbol] = held < 0.0
        return
    cell, other = state.market.oldest[symbol], NONE
    while cell != NONE and not may_fill_on_path(state, cell, row):
        if other == NONE and is_working(state, cell) and is_eligible(state, cell, row):
            other = cell
        cell = state.links.after[cell]
    if cell != NONE or other == NONE:
        state.market.worst_is_high[symbol] = cell == NONE or orders.side[cell] > 0
    else:  # it fills before the path, and this is the position it makes
        state.market.worst_is_high[symbol] = orders.side[other] < 0


# ---------------------------------------------------------------------------------------------------------- the agenda
@inline
def precedes(state: State, a: int, b: int) -> bool:
    """Whether symbol a's offer comes before symbol b's: leg, reductions first, rank."""
    agenda = state.agenda
    if state.rules[SCHEDULE] == Schedule.PHASED:
        if agenda.leg[a] != agenda.leg[b]:
            return agenda.leg[a] < agenda.leg[b]
        if agenda.opens[a] != agenda.opens[b]:
            return agenda.opens[a] < agenda.opens[b]
    if state.rules[SCHEDULE] == Schedule.SYMBOL_QUEUE:
        return state.market.turn[a] < state.market.turn[b]
    return state.progress.rank[agenda.cell[a]] < state.progress.rank[agenda.cell[b]]


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
    direction = 1.0 * state.orders.side[cell]
    if has_no_side(state, cell):
        direction = wanted_at_fill(state, cell, price)
    return 0 if held * direction < 0.0 else 1


@inline
def is_better(state: State, symbol: int, cell: int, leg: int, progress: float, opens: int) -> bool:
    """Whether this order comes before the one its symbol offers so far. Orders are met in the order of their ids."""
    agenda = state.agenda
    if agenda.cell[symbol] == NONE:
        return True
    if state.rules[SCHEDULE] != Schedule.PHASED:
        return state.progress.rank[cell] < state.progress.rank[agenda.cell[symbol]]
    if leg != agenda.leg[symbol]:
        return leg < agenda.leg[symbol]
    if progress != agenda.progress[symbol]:
        return progress < agenda.progress[symbol]
    return opens < agenda.opens[symbol]


@inline
def has_turn(state: State, cell: int) -> bool:
    """Whether the order has not had its turn yet in this pass over the queue, and is part of it."""
    return state.clock[PASSED] < state.progress.rank[cell] <= state.clock[PASS_END]


@function(VOID, INT, INT, INT)
def choose(state: State, symbol: int, row: int, part: int) -> None:
    """The symbol's offer is the first of its orders to which something happens in this part of the bar; none: cell NONE."""
    agenda = state.agenda
    agenda.cell[symbol] = NONE
    agenda.row[symbol] = row
    cell = state.market.oldest[symbol]
    while cell != NONE:
        leg, progress, price, x = moment(state, cell, row, part)
        if part == IN_BAR and is_overdue(state, cell, row):
            leg, progress, price, x = OPEN_LEG, 0.0, state.bars.open[row], state.bars.open[row]
        if leg >= 0 and has_turn(state, cell):
            opens = is_opening(state, cell, price)
            if is_better(state, symbol, cell, leg, progress, opens):
                agenda.cell[symbol] = cell
                agenda.leg[symbol] = leg
                agenda.progress[symbol] = progress
                agenda.price[symbol] = price
                agenda.level[symbol] = x
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
        x, price, progress = agenda.level[symbol], agenda.price[symbol], agenda.progress[symbol]
        if state.rules[RESCAN] != Rescan.ALWAYS:
            state.clock[PASSED] = state.progress.rank[agenda.cell[symbol]]
        take(state, agenda.cell[symbol], row, agenda.leg[symbol], progress, price, x)
        if state.rules[VALUATION] == Valuation.FILL_PRICE or state.clock[SPILLED] != 0:
            state.clock[SPILLED] = 0
            renew_offers(
                state, part
            )  # equity has changed, and so the direction of targets; or orders of other symbols have
            continue
        choose(state, symbol, row, part)
        if agenda.cell[symbol] == NONE:
            withdraw(state, 0)
        else:
            sift(state, 0)


# ---------------------------------------------------------------------------------------------------------- the rounds
@function(VOID, INT, INT)
def age_orders(state: State, first: int, last: int) -> None:
    """Trailing stops have followed the bars that end now, rows first:last, and the queues at touched limits are shorter."""
    for row in range(first, last):
        cell = NONE if is_halted(state, row) else state.market.oldest[state.bars.symbol[row]]
        while cell != NONE:
            if is_working(state, cell) and (has_begun(state, cell, row) or is_eligible(state, cell, row)):
                leg, progress, price = beginning(state, cell, row)
                if is_trailing(state, cell):
                    watermark = followed(state, cell, row, leg, price, last_leg(state, row))
                    is_whole = not has_begun(state, cell, row) or state.progress.since_leg[cell] < CLOSE_LEG
                    follow_price(state, cell, watermark, best_of_bar(state, cell, row) if is_whole else watermark)
                elif state.rules[TOUCH] == TouchRule.QUEUE and stage(state, cell) == RESTING:
                    x, direction = level(state, cell, RESTING)
                    is_touched, symbol = is_reached(price, x, direction), state.orders.symbol[cell]
                    if is_touched:  # a first meeting knows no queue
                        is_touched = not is_first_meeting(state, cell, row, leg, progress)
                    else:
                        end = last_leg(state, row)
                        is_touched = first_reach(state, symbol, row, x, direction, leg, price, True, end)[0] >= 0
                    if is_touched:
                        move_up_queue(state, cell, taken_at_touch(state, row))
            cell = state.links.after[cell]


@function(VOID, INT, INT)
def follow_opens(state: State, first: int, last: int) -> None:
    """Trailing stops have followed the opens of the bars that start now, `timeline.start_row[first:last]`."""
    for i in range(first, last):
        row = state.timeline.start_row[i]
        cell = NONE if is_halted(state, row) else state.market.oldest[state.bars.symbol[row]]
        while cell != NONE:
            is_whole = is_eligible(state, cell, row) and not has_begun(state, cell, row)
            if is_whole and is_working(state, cell) and is_trailing(state, cell):
                watermark = followed(state, cell, row, OPEN_LEG, state.bars.open[row], OPEN_LEG)
                follow_price(state, cell, watermark, watermark)
            cell = state.links.after[cell]


@inline
def match_opens(state: State, first: int, last: int) -> None:
    """Round of the bars that start now: `timeline.start_row[first:last]`."""
    bars, market = state.bars, state.market
    if state.rules[SCHEDULE] != Schedule.PHASED:
        return
    is_met = False
    for i in range(first, last):
        row = state.timeline.start_row[i]
        symbol = bars.symbol[row]
        if bars.open[row] <= market.below[symbol] or bars.open[row] >= market.above[symbol]:
            if not is_met:
                begin_pass(state)
            offer(state, symbol, row, AT_OPEN)
            is_met = True
    if is_met:
        settle_offers(state, AT_OPEN)
        if state.clock[TRAILING] > 0 and first_leg(state) == OPEN_LEG:
            follow_opens(state, first, last)


@inline
def begin_pass(state: State) -> None:
    """Every order that is there now has a turn."""
    clock = state.clock
    clock[AGAIN] = 0
    clock[PASSED] = UNSET
    clock[PASS_END] = NEVER if state.rules[RESCAN] == Rescan.ALWAYS else clock[LAST_RANK]


@inline
def is_met(state: State, row: int) -> bool:
    """Whether an order of the bar's symbol may fill inside it."""
    bars, market, symbol = state.bars, state.market, state.bars.symbol[row]
    return bars.low[row] <= market.below[symbol] or bars.high[row] >= market.above[symbol]


@inline
def is_met_again(state: State, cell: int) -> bool:
    """Whether the order meets the last bar of its symbol again: it has a price, or is at a close that is over anyway."""
    is_there = is_working(state, cell) and not is_bound_to_moment(state.orders.tif[cell])
    return is_there and (stage(state, cell) != READY or state.rules[MARKET_FILL] == MarketFill.DECISION_CLOSE)


@function(INT, INT, INT)
def offer_last_bars(state: State, first: int, last: int) -> bool:
    """The symbols that have none of the bars that end now, rows first:last, have offered their last one again. Whether one could."""
    market, is_any = state.market, False
    for row in range(first, last):
        state.agenda.row[state.bars.symbol[row]] = row
    for symbol in range(market.row.shape[0]):
        row, cell = market.row[symbol], market.oldest[symbol]
        if row == NONE or cell == NONE or state.agenda.row[symbol] >= first:
            continue
        while cell != NONE:
            if is_met_again(state, cell):
                meet_again(state, cell, row)
            cell = state.links.after[cell]
        resolve_path(state, symbol, row)
        offer(state, symbol, row, IN_BAR)
        is_any = True
    return is_any


@inline
def age_on_last_bars(state: State, first: int) -> None:
    """Trailing stops have followed the last bars of symbols without one that ends now: those that came after it had not yet."""
    for symbol in range(state.market.row.shape[0]):
        row = state.market.row[symbol]
        if row != NONE and state.agenda.row[symbol] < first:
            age_orders(state, row, row + 1)


@function(VOID, INT, INT)
def pass_bars(state: State, first: int, last: int) -> None:
    """Every symbol whose bar is met has been offered to the queue, as often as the queue wants."""
    is_wanted = True
    while is_wanted:
        begin_pass(state)
        is_any = False
        for row in range(first, last):
            if is_met(state, row):
                symbol = state.bars.symbol[row]
                resolve_path(state, symbol, row)
                offer(state, symbol, row, IN_BAR)
                is_any = True
        if state.rules[MISSING_BAR] != 0 and offer_last_bars(state, first, last):
            is_any = True
        if is_any:
            settle_offers(state, IN_BAR)
            if state.clock[TRAILING] > 0 or state.rules[TOUCH] == TouchRule.QUEUE:
                age_orders(state, first, last)
                if state.rules[MISSING_BAR] != 0:
                    age_on_last_bars(state, first)
        is_wanted = state.clock[AGAIN] != 0


@inline
def match_bars(state: State, first: int, last: int) -> None:
    """Round of the bars that end now, rows first:last: their paths and closes (and opens, where the schedule is a queue)."""
    is_any = state.rules[MISSING_BAR] != 0
    for row in range(first, last):
        is_any = is_any or is_met(state, row)
        if is_any:  # rarely: most bars pass by here
            pass_bars(state, first, last)
            return


@function(VOID, INT, INT)
def match_same_close(state: State, first: int, last: int) -> None:
    """The same-close pass: market orders trade at the close of the bars that ended now, rows first:last."""
    begin_pass(state)
    for row in range(first, last):
        offer(state, state.bars.symbol[row], row, AFTER_CLOSE)
    settle_offers(state, AFTER_CLOSE)
