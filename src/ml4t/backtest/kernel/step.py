"""The loop over instants: the eight steps, from one decision to the next (docs/semantics/time.md)."""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import (
    Admission,
    EndRule,
    MarketFill,
    OrderState,
    OrderType,
    Origin,
    PriceSource,
    Reason,
    Sizing,
    TimeInForce,
    Valuation,
)
from ml4t.backtest.kernel.admission import admit_batch
from ml4t.backtest.kernel.clock import (
    DECISION_TIMER,
    EXPIRY_TIMER,
    is_timer_due,
    pop_timer,
    timeline_time,
    timer_time,
)
from ml4t.backtest.kernel.execution import fill
from ml4t.backtest.kernel.group import end_order
from ml4t.backtest.kernel.ledger import equity, forgive, record_equity, revalue, side_of
from ml4t.backtest.kernel.match import match_bars, match_opens, match_same_close
from ml4t.backtest.kernel.orders import create, queue_first, transition
from ml4t.backtest.kernel.path import AFTER_LEG
from ml4t.backtest.kernel.room import has_room
from ml4t.backtest.kernel.terms import assign_session, meet_from, name_lot
from ml4t.backtest.kernel.trigger import is_eligible, is_working, named
from ml4t.backtest.queue_rule import RuinRule, SymbolEndRule
from ml4t.backtest.tables import (
    ADMISSION,
    ASK,
    BAR_ENDED,
    BATCH,
    BEGIN,
    BID,
    CANCEL_DELAY_BARS,
    COUNTED,
    CURRENT,
    DECIDED,
    DECISION_ROOM,
    DUE,
    END_OF_DATA,
    END_OF_RUN,
    FILLS,
    HELD,
    INFORMED,
    KEEP_HISTORY,
    LIVE,
    MARK_SOURCE,
    MARKET_FILL,
    MISSING_BAR,
    NEVER,
    NEXT,
    NO_HISTORY,
    NONE,
    NOW,
    OWN_HISTORY,
    PHASE,
    POINTS,
    REVEALED,
    RUIN,
    TIMERS,
    UNASSIGNED,
    UNCHECKED,
    UNSET,
    VALUATION,
    VALUED,
    WAKE_ON_BAR,
    WARMUP,
    State,
)

# what `advance` returns
READY, DONE, GROW, UNDECIDED = 0, 1, 2, 3

NAN = float("nan")


# ------------------------------------------------------------------------------------------------ rows becoming visible
@inline
def reveal(state: State, symbol: int, column: int, at: int, value: float) -> None:
    """The newest row of a symbol's history has this value in a column of the bars."""
    if state.rules[KEEP_HISTORY] == OWN_HISTORY:  # a shared one holds it already
        state.history.value[column * state.bars.symbol.shape[0] + at] = value
    state.history.latest[column * state.market.mark.shape[0] + symbol] = value


@function(VOID)
def reveal_bars(state: State) -> None:
    """The bars that have ended are the newest rows of their symbols' histories."""
    bars, history, streams = state.bars, state.history, state.streams
    last = state.timeline.end_first[state.clock[NEXT]]
    for row in range(state.clock[REVEALED], last):
        symbol = bars.symbol[row]
        at = history.known[symbol]
        reveal(state, symbol, 0, at, bars.open[row])
        reveal(state, symbol, 1, at, bars.high[row])
        reveal(state, symbol, 2, at, bars.low[row])
        reveal(state, symbol, 3, at, bars.close[row])
        reveal(state, symbol, 4, at, bars.volume[row])
        for c in range(streams.columns[0]):
            reveal(state, symbol, 5 + c, at, history.source[streams.source_first[0] + c * bars.symbol.shape[0] + row])
        history.known[symbol] = at + 1
    state.clock[REVEALED] = last


@function(INT, INT)
def reveal_information(state: State, last: int) -> bool:
    """Information rows up to `last` are visible. Whether one of them is a decision."""
    information, streams, history = state.information, state.streams, state.history
    wakes = False
    for i in range(state.clock[INFORMED], last):
        stream, series = information.stream[i], information.series[i]
        n = streams.rows[stream]
        at = history.known[series]
        for c in range(streams.columns[stream] if state.rules[KEEP_HISTORY] == OWN_HISTORY else 0):
            source = streams.source_first[stream] + c * n + information.row[i]
            history.value[streams.value_first[stream] + c * n + at] = history.source[source]
        history.known[series] = at + 1
        wakes = wakes or streams.wakes[stream] != 0
    state.clock[INFORMED] = last
    return wakes


@function(FLOAT, INT)
def quoted_mark(state: State, row: int) -> float:
    """The mark of the bar's symbol by the quotes at its end."""
    bid, ask = named(state, BID, row), named(state, ASK, row)
    held = state.positions.quantity[state.bars.symbol[row]]
    if state.rules[MARK_SOURCE] == PriceSource.MID or held == 0.0:
        return (bid + ask) / 2.0
    return bid if held > 0.0 else ask


@inline
def mark_close(state: State, row: int) -> None:
    """The symbol is marked at the close of its bar."""
    market, symbol = state.market, state.bars.symbol[row]
    close = state.bars.close[row]
    if state.rules[VALUATION] == Valuation.PREVIOUS_CLOSE:
        market.previous_close[symbol] = close if market.row[symbol] == NONE else market.close[symbol]
        market.close[symbol] = close
    market.mark[symbol] = close if state.rules[MARK_SOURCE] == PriceSource.LAST else quoted_mark(state, row)
    market.row_before[symbol] = market.row[symbol]
    market.row[symbol] = row


@function(VOID, INT)
def mark_last_bars(state: State, first: int) -> None:
    """The symbols that have none of the bars that end now, from row `first` on, are marked at their last close, whatever was filled."""
    for symbol in range(state.market.row.shape[0]):
        row = state.market.row[symbol]
        if row != NONE and state.agenda.row[symbol] < first:
            state.market.mark[symbol] = state.bars.close[row]


# ----------------------------------------------------------------------------------------------------- after a decision
@function(VOID, INT, INT)
def close_out(state: State, slot: int, origin: int) -> None:
    """The slot's position is closed at its mark by an order of the engine's own."""
    symbol, held = state.positions.symbol[slot], state.positions.quantity[slot]
    side = -1 if held > 0.0 else 1
    cell = create(
        state,
        symbol,
        side,
        OrderType.MARKET,
        Sizing.CLOSE,
        origin,
        abs(held),
        NAN,
        NAN,
        NAN,
        TimeInForce.GTC,
        NEVER,
        1,
        NONE,
    )
    transition(state, cell, state.clock[NOW], OrderState.ACCEPTED, Reason.ADMITTED, NONE)
    fill(state, cell, state.market.row[symbol], AFTER_LEG, 0.0, state.market.mark[symbol])


@function(VOID, INT, INT)
def end_positions(state: State, first: int, last: int) -> None:
    """Positions whose symbol, or whose run, ends with these bars are closed where the end rules say so."""
    rules, positions = state.rules, state.positions
    if rules[END_OF_DATA] == SymbolEndRule.CLOSE:
        for row in range(first, last):
            symbol = state.bars.symbol[row]
            if state.instruments.final_row[symbol] == row and positions.quantity[symbol] != 0.0:
                close_out(state, symbol, Origin.END_OF_DATA)
    if rules[END_OF_RUN] == EndRule.CLOSE and last == state.bars.symbol.shape[0]:
        for slot in range(positions.quantity.shape[0]):
            if positions.quantity[slot] != 0.0:
                close_out(state, slot, Origin.END_OF_RUN)


@function(VOID, INT, INT)
def order_closes(state: State, slot: int, origin: int) -> None:
    """There is an order at the market for each lot of the slot, that for the oldest lot first in the queue."""
    symbol, lot, count = state.positions.symbol[slot], state.positions.oldest_lot[slot], 0
    while lot != NONE:
        side = -side_of(state, lot)
        cell = create(
            state,
            symbol,
            side,
            OrderType.MARKET,
            Sizing.QUANTITY,
            origin,
            state.lots.quantity[lot],
            state.lots.quantity[lot],
            NAN,
            NAN,
            TimeInForce.GTC,
            NEVER,
            1,
            NONE,
        )
        name_lot(state, cell, state.lots.fill[lot])
        count += 1
        transition(state, cell, state.clock[NOW], OrderState.ACCEPTED, Reason.ADMITTED, NONE)
        lot = state.lots.next[lot]
    cell = state.market.newest[symbol]
    for _ in range(count):
        queue_first(state, cell)
        cell = state.links.before[cell]


@function(VOID, INT, INT)
def meet_last_bars_again(state: State, first: int, last: int) -> None:
    """Every lot has been ordered to be closed, and the last bars have met all orders, also those of the last decision, once more."""
    for slot in range(state.positions.quantity.shape[0]):
        order_closes(state, slot, Origin.END_OF_RUN)
    for row in range(first, last):
        cell = state.market.oldest[state.bars.symbol[row]]
        while cell != NONE:
            meet_from(state, cell, state.bars.start[row])
            cell = state.links.after[cell]
    match_bars(state, first, last)
    for row in range(first, last):
        state.market.mark[state.bars.symbol[row]] = state.bars.close[row]
    revalue(state)


@function(VOID)
def go_under(state: State) -> None:
    """Every lot is closed at its mark, cash is 0, and no further instant comes."""
    clock = state.clock
    for slot in range(state.positions.quantity.shape[0]):
        symbol = state.positions.symbol[slot]
        if state.positions.oldest_lot[slot] == NONE:
            continue
        order_closes(state, slot, Origin.RUIN)
        cell = state.market.oldest[symbol]
        while cell != NONE:
            following = state.links.after[cell]
            if state.orders.origin[cell] == Origin.RUIN and is_working(state, cell):
                fill(state, cell, state.market.row[symbol], AFTER_LEG, 0.0, state.market.mark[symbol])
                following = state.market.oldest[symbol]
            cell = following
    forgive(state, clock[NOW])
    revalue(state)
    clock[NEXT] = state.timeline.time.shape[0]


@inline
def is_ruined(state: State) -> bool:
    """Whether the account's rule ends the run at this equity."""
    return state.rules[RUIN] == RuinRule.STOP and equity(state) <= 0.0


@function(INT, INT)
def gather_due(state: State, now: int) -> bool:
    """The schedules that are due now are known. Whether there are any."""
    n = 0
    while is_timer_due(state, now, DECISION_TIMER):
        state.due[n] = pop_timer(state)
        n += 1
    state.clock[DUE] = n
    return n > 0


@function(VOID)
def expire(state: State) -> None:
    """Orders whose time has come are expired, or cancelled where a cancel was under way."""
    now = state.clock[NOW]
    while is_timer_due(state, now, EXPIRY_TIMER):
        cell = state.places[pop_timer(state) - 1]
        if cell < 0:
            continue
        if UNSET < state.terms.until[cell] <= now and is_working(state, cell):  # before a cancel of the same time
            is_day = state.orders.tif[cell] == TimeInForce.DAY
            reason = Reason.SESSION_CLOSED if is_day else Reason.GOOD_TILL_DATE_REACHED
            end_order(state, cell, now, OrderState.EXPIRED, reason)
        elif state.rules[CANCEL_DELAY_BARS] == 0 and state.progress.cancel_at[cell] <= now:
            end_order(state, cell, now, OrderState.CANCELLED, Reason.CANCEL_REQUESTED)


@function(VOID, INT, INT)
def expire_counted(state: State, first: int, last: int) -> None:
    """Orders are expired whose last bar is among those that ended now, rows first:last, and cancelled where a cancel took until then."""
    has_cancels = state.rules[CANCEL_DELAY_BARS] > 0
    for row in range(first, last):
        cell = state.market.oldest[state.bars.symbol[row]]
        while cell != NONE:
            following = state.links.after[cell]
            is_last = state.progress.last_bar[cell] <= state.bars.ordinal[row] and is_working(state, cell)
            if is_last or (has_cancels and state.progress.cancel_at[cell] <= state.bars.ordinal[row]):
                target = OrderState.EXPIRED if is_last else OrderState.CANCELLED
                reason = Reason.LAST_BAR_ENDED if is_last else Reason.CANCEL_REQUESTED
                end_order(state, cell, state.clock[NOW], target, reason)
                following = state.market.oldest[state.bars.symbol[row]]  # the one after it may have ended with it
            cell = following


@function(VOID, INT, INT)
def assign_sessions(state: State, first: int, last: int) -> None:
    """DAY orders that may meet the bars that start now belong to the session of these bars."""
    for i in range(first, last):
        row = state.timeline.start_row[i]
        cell = state.market.oldest[state.bars.symbol[row]]
        while cell != NONE:
            if state.terms.until[cell] == UNSET and is_working(state, cell) and is_eligible(state, cell, row):
                assign_session(state, cell, state.bars.session_close[row])
            cell = state.links.after[cell]


# ------------------------------------------------------------------------------------------------------------ the steps
@inline
def begin_instant(state: State, now: int, on_timeline: bool) -> bool:
    """Steps 1 to 4 and the first half of 5. Whether the strategy is to decide."""
    clock, timeline = state.clock, state.timeline
    clock[NOW] = now
    k, ended, wakes = NONE, 0, False
    if on_timeline:
        k = clock[NEXT]
        clock[NEXT] = k + 1
        first, last = timeline.end_first[k], timeline.end_first[k + 1]
        if last > first:
            if clock[LIVE] > 0:
                if clock[BATCH] > 0:
                    admit_batch(state, first, last)
                match_bars(state, first, last)
                if state.rules[MISSING_BAR] != 0:
                    mark_last_bars(state, first)
            for row in range(first, last):
                mark_close(state, row)
            ended = 1
            wakes = state.rules[WAKE_ON_BAR] != 0
        if clock[INFORMED] < state.information.row.shape[0]:
            wakes = reveal_information(state, timeline.information_first[k + 1]) or wakes
    clock[CURRENT] = k
    clock[BAR_ENDED] = ended
    if ended != 0 and (clock[HELD] > 0 or clock[VALUED] != clock[FILLS]):
        revalue(state)
    clock[DUE] = 0
    if ended != 0 and is_ruined(state):
        go_under(state)
        return False
    if clock[TIMERS] > 0:
        wakes = gather_due(state, now) or wakes
    return wakes and clock[POINTS] >= state.rules[WARMUP]


@inline
def finish_instant(state: State) -> None:
    """The second half of step 5, and steps 6 to 8."""
    clock, timeline, k = state.clock, state.timeline, state.clock[CURRENT]
    if clock[BATCH] > 0 and state.rules[ADMISSION] != Admission.PSEUDO_EXECUTE_AT_OPEN:
        admit_batch(state, 0, 0)
    if clock[BAR_ENDED] != 0:
        first, last = timeline.end_first[k], timeline.end_first[k + 1]
        if state.rules[MARKET_FILL] == MarketFill.SAME_CLOSE and clock[LIVE] > 0:
            match_same_close(state, first, last)
        if clock[HELD] > 0:
            end_positions(state, first, last)
        if state.rules[END_OF_RUN] == EndRule.LAST_OPEN and last == state.bars.symbol.shape[0]:
            if not is_ruined(state):
                meet_last_bars_again(state, first, last)
            if is_ruined(state):
                go_under(state)
        record_equity(state)
    if clock[TIMERS] > 0:
        expire(state)
    if clock[COUNTED] > 0 and clock[BAR_ENDED] != 0:
        expire_counted(state, timeline.end_first[k], timeline.end_first[k + 1])
    if k != NONE and clock[LIVE] > 0:
        first, last = timeline.start_first[k], timeline.start_first[k + 1]
        match_opens(state, first, last)
        if clock[UNASSIGNED] > 0:
            assign_sessions(state, first, last)


@function(INT, cold=False)
def advance(state: State) -> int:
    """The state at the next decision: READY. DONE at the end of the timeline; GROW where tables need room first, nothing consumed."""
    clock = state.clock
    phase, answer = clock[PHASE], UNDECIDED
    while answer == UNDECIDED:
        if clock[UNCHECKED] != 0 and not has_room(state, state.rules[DECISION_ROOM]):
            answer = GROW
        elif phase == DECIDED:
            finish_instant(state)
            phase = BEGIN
        else:
            instant, timer = timeline_time(state), timer_time(state)
            if instant == NEVER:
                answer = DONE
            else:
                phase = DECIDED
                if begin_instant(state, min(instant, timer), instant <= timer):
                    answer = READY
    clock[PHASE] = phase
    if answer != GROW and state.rules[KEEP_HISTORY] != NO_HISTORY:  # only now can anyone look
        reveal_bars(state)
    return answer
