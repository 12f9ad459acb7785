"""What the decisions of compiled strategies need: when one is due, what names stand for, what was asked for in vain, records."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import Fault, Mistake, Origin, Sizing, TimeInForce
from ml4t.backtest.kernel.exit import ON_PATH, expected_position, only_closes, place_exits, write_ticket
from ml4t.backtest.kernel.request import NOTHING_TO_DO, change_order, place, withdraw_order
from ml4t.backtest.kernel.room import has_room
from ml4t.backtest.kernel.step import GROW, READY, advance
from ml4t.backtest.tables import (
    AWAITS,
    DECISION_ROOM,
    EXIT_BARS,
    EXIT_EVEN,
    EXIT_LOSS,
    EXIT_PROFIT,
    EXIT_TRAIL,
    FAULT,
    IDS,
    MISTAKE,
    MISTAKE_NAME,
    MISTAKE_SYMBOL,
    NEVER,
    NONE,
    NOW,
    RECORDS,
    UNCHECKED,
    State,
)

# what `next_decision` returns beside the answers of `advance`
STOPPED = 3


@inline
def next_decision(state: State) -> int:
    """As `advance`, with room for the orders of the decision; STOPPED after a mistake, or where a fill has no cost."""
    clock = state.clock
    if clock[MISTAKE] != Mistake.NONE:
        return STOPPED
    if clock[AWAITS] == 0:
        answer = advance(state)
        if clock[FAULT] != Fault.NONE:
            return STOPPED
        if answer != READY:
            return answer
        clock[AWAITS] = 1
    if clock[UNCHECKED] != 0 and not has_room(state, state.rules[DECISION_ROOM]):
        return GROW
    clock[AWAITS] = 0
    return READY


@function(VOID, INT, INT, INT)
def note_mistake(state: State, mistake: int, name: int, symbol: int) -> None:
    """The first mistake of the run is on record."""
    clock = state.clock
    if clock[MISTAKE] == Mistake.NONE:
        clock[MISTAKE] = mistake
        clock[MISTAKE_NAME] = name
        clock[MISTAKE_SYMBOL] = symbol


@function(INT, INT, INT, cold=False)
def named_number(state: State, digest: int, kind: int) -> int:
    """What a name of this kind stands for. An unknown one is a mistake, and 0."""
    names = state.names
    mask = names.digest.shape[0] - 1
    cell = (digest + kind) & mask
    while names.digest[cell] != 0:
        if names.digest[cell] == digest and names.kind[cell] == kind:
            return names.number[cell]
        cell = (cell + 1) & mask
    note_mistake(state, Mistake.UNKNOWN_NAME, digest, kind)
    return 0


@inline
def answered(state: State, code: int, symbol: int) -> int:
    """The id of an order, 0 where the request comes to nothing; any other answer is a mistake, and 0."""
    if code > 0:
        return code
    if code != NOTHING_TO_DO:
        note_mistake(state, -code, 0, symbol)
    return 0


@inline
def is_a_size(size: float) -> bool:
    """Whether it is above 0 and finite."""
    return size > 0.0 and size < math.inf


@function(INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, INT, INT, INT, INT, INT, cold=False)
def order(
    state: State,
    symbol: int,
    side: int,
    sizing: int,
    size: float,
    limit: float,
    stop: float,
    tif: int,
    reduce_only: int,
    origin: int,
    tag: int,
    extended: int,
) -> int:
    """The id of an order, 0 where there is none."""
    if origin == Origin.STRATEGY and not is_a_size(size):
        note_mistake(state, Mistake.BAD_SIZE, 0, symbol)
        return 0
    if origin == Origin.TARGET and not abs(size) < math.inf:
        note_mistake(state, Mistake.BAD_TARGET, 0, symbol)
        return 0
    code = place(state, symbol, side, sizing, size, limit, stop, tif, NEVER, reduce_only, origin, tag, extended)
    return answered(state, code, symbol)


@inline
def is_no_rate(rate: float, most: float) -> bool:
    """Whether it is given and not inside (0, most)."""
    return rate == rate and not (rate > 0.0 and rate < most)


@function(INT, *[INT] * 3, *[FLOAT] * 3, *[INT] * 5, *[FLOAT] * 4, INT, INT, INT, INT)
def order_with_exits(
    state: State,
    symbol: int,
    side: int,
    sizing: int,
    size: float,
    limit: float,
    stop: float,
    tif: int,
    reduce_only: int,
    origin: int,
    tag: int,
    extended: int,
    stop_loss: float,
    take_profit: float,
    trail: float,
    break_even: float,
    max_bars: int,
    trail_is_rate: int,
    prices: int,
    is_own: int,
) -> int:
    """The id of an order with the exits of what it opens, 0 where there is none. `is_own`: the exits were asked for with the order.

    `prices`: 1 where the stop-loss is a price and no rate, plus 2 where the take-profit is one.
    """
    most_loss = math.inf if prices & 1 else 1.0
    most_trail = 1.0 if trail_is_rate else math.inf
    wrong = is_no_rate(stop_loss, most_loss) or is_no_rate(take_profit, math.inf)
    if wrong or is_no_rate(trail, most_trail) or is_no_rate(break_even, math.inf):
        note_mistake(state, Mistake.BAD_RATE, 0, symbol)
        return 0
    held = expected_position(state, symbol, origin)
    if is_own and sizing == Sizing.QUANTITY and only_closes(held, side * size):
        note_mistake(state, Mistake.ONLY_CLOSES, 0, symbol)
        return 0
    number = order(state, symbol, side, sizing, size, limit, stop, tif, reduce_only, origin, tag, extended)
    if number > 0 and not reduce_only:
        cell = state.places[number - 1]
        if not only_closes(held, state.orders.side[cell] * state.terms.quantity[cell]):
            code = place_exits(
                state, number, stop_loss, take_profit, trail, break_even, max_bars, trail_is_rate, prices
            )
            answered(state, code, symbol)
    return number


@function(INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, *[INT] * 3, *[FLOAT] * 3, *[INT] * 3)
def order_of_numbers(
    state: State,
    symbol: int,
    side: int,
    sizing: int,
    size: float,
    limit: float,
    stop: float,
    tif: int,
    bars: int,
    tag: int,
    stop_loss: float,
    take_profit: float,
    trail: float,
    max_bars: int,
    stop_is_price: int,
    reduce_only: int,
) -> int:
    """The id of an order whose terms are all numbers (NaN, 0: not given), 0 where there is none.

    One that is given no exit has those of the strategy, rates from its fill.
    """
    has_limit, has_stop = limit == limit, stop == stop
    if (has_limit and not is_a_size(limit)) or (has_stop and not is_a_size(stop)):
        note_mistake(state, Mistake.BAD_PRICE, 0, symbol)
        return 0
    is_own = stop_loss == stop_loss or take_profit == take_profit or trail == trail or max_bars > 0
    even = math.nan
    if not is_own:
        rules = state.exits
        stop_loss, take_profit, trail, even = rules[EXIT_LOSS], rules[EXIT_PROFIT], rules[EXIT_TRAIL], rules[EXIT_EVEN]
        max_bars = int(rules[EXIT_BARS])
    is_any = stop_loss == stop_loss or take_profit == take_profit or trail == trail or even == even or max_bars > 0
    if not (is_any or has_limit or has_stop or tif > TimeInForce.GTC):
        return order(state, symbol, side, sizing, size, limit, stop, tif, reduce_only, Origin.STRATEGY, tag, 0)
    write_ticket(state, 2 * has_stop + has_limit, math.nan, math.nan, 0, ON_PATH, 0, bars)
    return order_with_exits(
        state, symbol, side, sizing, size, limit, stop, tif, reduce_only, Origin.STRATEGY, tag, 1,
        stop_loss, take_profit, trail, even, max_bars, 1, 3 * stop_is_price * is_own, is_own,
    )  # fmt: skip


@function(VOID, INT)
def cancel(state: State, number: int) -> None:
    """The order is cancelled; one that is not live is a mistake."""
    if number < 1 or number > state.clock[IDS]:
        note_mistake(state, Mistake.NO_ORDER, 0, NONE)
        return
    code = withdraw_order(state, number)
    if code < 0:
        note_mistake(state, -code, number, NONE)


@function(VOID, INT, FLOAT, FLOAT, FLOAT)
def replace(state: State, number: int, quantity: float, limit: float, stop: float) -> None:
    """The order has these terms (NaN: as they were); one that cannot have them is a mistake."""
    if number < 1 or number > state.clock[IDS]:
        note_mistake(state, Mistake.NO_ORDER, 0, NONE)
        return
    code = change_order(state, number, quantity, limit, stop)
    if code < 0:
        note_mistake(state, -code, number, NONE)


@inline
def next_live(state: State, symbol: int, after: int) -> int:
    """The smallest id above `after` of the live orders of a symbol, or of all (NONE); 0 where there is none."""
    found = 0
    first = 0 if symbol == NONE else symbol
    last = state.market.oldest.shape[0] if symbol == NONE else symbol + 1
    for s in range(first, last):
        cell = state.market.oldest[s]
        while cell != NONE:
            number = state.orders.id[cell]
            if number > after and (found == 0 or number < found):
                found = number
            cell = state.links.after[cell]
    return found


@function(VOID, INT)
def cancel_target(state: State, symbol: int) -> None:
    """The symbol has no live target order."""
    number = next_live(state, symbol, 0)
    while number > 0:
        if state.orders.origin[state.places[number - 1]] == Origin.TARGET:
            cancel(state, number)
        number = next_live(state, symbol, number)


@function(VOID, INT)
def cancel_all(state: State, symbol: int) -> None:
    """The live orders of a symbol, or of all (NONE), are cancelled, oldest first; a child ends with its parent."""
    number = next_live(state, symbol, 0)
    while number > 0:
        cancel(state, number)
        number = next_live(state, symbol, number)


@function(VOID, INT, FLOAT)
def record(state: State, digest: int, value: float) -> None:
    """The value is on record under the name, with the time of the decision."""
    n = state.clock[RECORDS]
    if n >= state.records.time.shape[0]:
        note_mistake(state, Mistake.TOO_MANY_RECORDS, digest, NONE)
        return
    state.records.time[n] = state.clock[NOW]
    state.records.name[n] = digest
    state.records.value[n] = value
    state.clock[RECORDS] = n + 1
    state.clock[UNCHECKED] = 1
