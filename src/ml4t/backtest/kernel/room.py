"""Room in the growable tables: checked before each phase, so that nothing can overflow inside one."""

from ml4t.backtest._jit import INT, function
from ml4t.backtest.queue_rule import Executions
from ml4t.backtest.tables import (
    BOOK_ROOM,
    CLOSED,
    CLOSED_ROOM,
    DECISION_ROOM,
    EVENT_ROOM,
    EVENTS,
    EXECUTIONS,
    FILL_ROOM,
    FILLS,
    HELD,
    IDS,
    JOURNAL,
    JOURNAL_ROOM,
    LINKED,
    LIVE,
    LOT_ROOM,
    LOTS,
    MEMORIES,
    MEMORY_ROOM,
    PLACES_ROOM,
    RECORD_ROOM,
    RECORDS,
    TIMER_ROOM,
    TIMERS,
    TRADE_ROOM,
    TRADES,
    UNCHECKED,
    State,
)

EVENTS_PER_ORDER = 8  # a phase can accept, activate, trigger, fill in part, fill and end an order; two to spare
JOURNAL_PER_FILL = 2
# a child fills again when its parent does, up to MOST_GENERATIONS times, and hears of every fill in its group of MOST_MEMBERS
FILLS_PER_LINKED_ORDER, EVENTS_PER_LINKED_ORDER = 8, 320


@function(INT, INT)
def has_room(state: State, new: int) -> bool:
    """Whether one phase with `new` more orders fits; `needs` says what each table must hold."""
    clock, needs = state.clock, state.needs
    held = clock[HELD]
    is_whole = (
        new >= state.rules[DECISION_ROOM]
    )  # a request of a compiled strategy asks for less than its next decision
    orders, linked = clock[LIVE] + held + new, clock[LINKED] + new  # a close-out is an order, too
    fills = orders + FILLS_PER_LINKED_ORDER * linked
    if state.rules[EXECUTIONS] == Executions.LOT:
        fills += 2 * (clock[LOTS] + orders)
    needs[BOOK_ROOM] = orders
    needs[CLOSED_ROOM] = clock[CLOSED] + orders
    needs[PLACES_ROOM] = clock[IDS] + held + new
    needs[FILL_ROOM] = clock[FILLS] + fills
    needs[EVENT_ROOM] = clock[EVENTS] + fills + EVENTS_PER_ORDER * orders + EVENTS_PER_LINKED_ORDER * linked
    needs[JOURNAL_ROOM] = clock[JOURNAL] + JOURNAL_PER_FILL * fills + 1
    needs[TRADE_ROOM] = clock[TRADES] + clock[LOTS] + fills
    needs[LOT_ROOM] = clock[LOTS] + fills
    needs[TIMER_ROOM] = clock[TIMERS] + orders
    needs[MEMORY_ROOM] = 2 * (clock[MEMORIES] + 1) if is_whole else 0
    needs[RECORD_ROOM] = clock[RECORDS] + (new if is_whole else 0)
    fits = (
        needs[BOOK_ROOM] <= state.orders.id.shape[0]
        and needs[CLOSED_ROOM] <= state.closed_orders.id.shape[0]
        and needs[PLACES_ROOM] <= state.places.shape[0]
        and needs[FILL_ROOM] <= state.fills.order.shape[0]
        and needs[EVENT_ROOM] <= state.events.order.shape[0]
        and needs[JOURNAL_ROOM] <= state.journal.time.shape[0]
        and needs[TRADE_ROOM] <= state.trades.slot.shape[0]
        and needs[LOT_ROOM] <= state.lots.fill.shape[0]
        and needs[TIMER_ROOM] <= state.timers.time.shape[0]
        and needs[MEMORY_ROOM] <= state.memories.key.shape[0]
        and needs[RECORD_ROOM] <= state.records.time.shape[0]
    )
    if fits and is_whole:
        clock[UNCHECKED] = 0
    return fits
