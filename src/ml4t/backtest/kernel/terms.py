"""What an order asks for and what has become of it: resolved prices, quantities, delays, stages (docs/semantics/orders.md)."""

import math

from ml4t.backtest._jit import inline
from ml4t.backtest.enums import Basis, OrderState, OrderType, Ratchet, Reason, Schedule, Sizing, TimeInForce
from ml4t.backtest.kernel.clock import EXPIRY_TIMER, push_timer
from ml4t.backtest.kernel.orders import note, queue_first, queue_last, renew_band, transition
from ml4t.backtest.kernel.path import CLOSE_LEG, OPEN_LEG
from ml4t.backtest.kernel.rounding import on_tick
from ml4t.backtest.kernel.trigger import (
    is_touch,
    trailing_level,
)
from ml4t.backtest.queue_rule import ExpiryRule, LinkRule
from ml4t.backtest.tables import (
    ACTIVATION,
    ACTIVATION_BASIS,
    BARS,
    BEFORE,
    COUNTED,
    DELAY,
    EXPIRY,
    FILL_BASIS,
    LIMIT_BASIS,
    LINKS,
    LOT,
    NEVER,
    NONE,
    NOW,
    ORDER_POST_ONLY,
    RATCHET,
    SCHEDULE,
    STOP_BASIS,
    SUBMIT_DELAY,
    SUBMIT_DELAY_BARS,
    TOUCH_AHEAD,
    TRAIL,
    TRAIL_IS_RATE,
    TRAILING,
    UNASSIGNED,
    UNSET,
    State,
)


@inline
def bars_known(state: State, symbol: int) -> int:
    """How many bars of the symbol have ended."""
    row = state.market.row[symbol]
    return 0 if row == NONE else state.bars.ordinal[row] + 1


@inline
def delay(state: State, cell: int) -> None:
    """The order is eligible after the delays of the run and its own, counted from now."""
    terms, progress = state.terms, state.progress
    if terms.parent[cell] != 0:  # a child is in the market already
        terms.eligible_from[cell] = state.clock[NOW]
        return
    terms.eligible_from[cell] = state.clock[NOW] + state.rules[SUBMIT_DELAY]
    bars = state.rules[SUBMIT_DELAY_BARS] + terms.delay[cell]
    if bars > 0:
        progress.first_bar[cell] = bars_known(state, state.orders.symbol[cell]) + bars
    if terms.bars[cell] > 0 and progress.last_bar[cell] == NEVER:  # a replace does not count anew
        progress.last_bar[cell] = bars_known(state, state.orders.symbol[cell]) + bars + terms.bars[cell] - 1


@inline
def add_rare_terms(state: State, cell: int) -> None:
    """The order has what the ticket says beside the plain terms."""
    terms, ticket, clock = state.terms, state.ticket, state.clock
    terms.limit_basis[cell] = int(ticket[LIMIT_BASIS])
    terms.stop_basis[cell] = int(ticket[STOP_BASIS])
    terms.activation[cell] = ticket[ACTIVATION]
    terms.activation_basis[cell] = int(ticket[ACTIVATION_BASIS])
    terms.trail[cell] = ticket[TRAIL]
    terms.trail_is_rate[cell] = int(ticket[TRAIL_IS_RATE])
    terms.ratchet[cell] = int(ticket[RATCHET])
    terms.post_only[cell] = int(ticket[ORDER_POST_ONLY])
    terms.delay[cell] = int(ticket[DELAY])
    terms.bars[cell] = int(ticket[BARS])
    terms.before[cell] = ticket[BEFORE]
    if ticket[LOT] > 0.0:
        terms.lot[cell] = int(ticket[LOT])
        rank_exit(state, cell)
    state.progress.is_active[cell] = 0 if ticket[ACTIVATION] == ticket[ACTIVATION] else 1
    if terms.bars[cell] > 0:
        clock[COUNTED] += 1
    if state.orders.type[cell] >= OrderType.TRAILING_STOP:
        clock[TRAILING] += 1
        start_trail(state, cell, state.market.mark[state.orders.symbol[cell]])


@inline
def rank_exit(state: State, cell: int) -> None:
    """An order that closes one lot is the last of the queue where it waits for a limit, else the first."""
    if state.orders.type[cell] == OrderType.LIMIT:
        queue_last(state, cell)
    else:
        queue_first(state, cell)


@inline
def name_lot(state: State, cell: int, fill: int) -> None:
    """The order may close only the lot that this fill has opened."""
    state.terms.lot[cell] = fill + 1


@inline
def meet_from(state: State, cell: int, time: int) -> None:
    """The order is eligible from this time on, if it was not before."""
    state.terms.eligible_from[cell] = min(state.terms.eligible_from[cell], time)


@inline
def meet_again(state: State, cell: int, row: int) -> None:
    """The order may meet the whole of this bar, whatever became of it there before."""
    meet_from(state, cell, state.bars.start[row])
    if state.progress.since_row[cell] == row:
        state.progress.since_row[cell] = NONE
    state.progress.idle_row[cell] = NONE


@inline
def start_trail(state: State, cell: int, price: float) -> None:
    """A trailing stop follows the market from this price on."""
    state.progress.watermark[cell] = price
    state.terms.stop[cell] = trailing_level(state, cell, price)


@inline
def begin_at(state: State, cell: int, row: int, leg: int, progress: float, price: float) -> None:
    """The order's present stage begins at this moment of a bar."""
    record = state.progress
    record.since_row[cell] = row
    record.since_leg[cell] = leg
    record.since_progress[cell] = progress
    record.since_price[cell] = price


@inline
def resolved(value: float, basis: int, fill: float, average: float, stop: float) -> float:
    """A price given relative to a reference (docs/semantics/orders.md, Relative prices)."""
    reference = fill
    if basis == Basis.AVERAGE_AMOUNT or basis == Basis.AVERAGE_RATE:
        reference = average
    elif basis == Basis.STOP_AMOUNT or basis == Basis.STOP_RATE:
        reference = stop
    if basis == Basis.FILL_RATE or basis == Basis.AVERAGE_RATE or basis == Basis.STOP_RATE:
        return reference * (1.0 + value)
    return reference + value


@inline
def resolve_prices(state: State, cell: int, fill: float, average: float) -> None:
    """The prices that are relative to a parent's fill or to the position are numbers from now on."""
    terms, side = state.terms, state.orders.side[cell]
    tick = state.instruments.tick_size[state.orders.symbol[cell]]
    basis = terms.limit_basis[cell]
    if basis != Basis.PRICE and basis < Basis.STOP_AMOUNT:
        terms.limit[cell] = on_tick(resolved(terms.limit[cell], basis, fill, average, math.nan), tick, -side)
        terms.limit_basis[cell] = Basis.PRICE
    if terms.stop_basis[cell] != Basis.PRICE:
        stop = resolved(terms.stop[cell], terms.stop_basis[cell], fill, average, math.nan)
        terms.stop[cell] = on_tick(stop, tick, -side if is_touch(state.orders.type[cell]) else side)
        terms.stop_basis[cell] = Basis.PRICE
    if terms.activation_basis[cell] != Basis.PRICE:
        terms.activation[cell] = resolved(terms.activation[cell], terms.activation_basis[cell], fill, average, math.nan)
        terms.activation_basis[cell] = Basis.PRICE


@inline
def assign_session(state: State, cell: int, session_close: int) -> None:
    """The DAY order expires at this session's close."""
    state.terms.until[cell] = session_close
    state.clock[UNASSIGNED] -= 1
    push_timer(state, session_close, EXPIRY_TIMER, state.orders.id[cell])


@inline
def accept_child(
    state: State, cell: int, time: int, row: int, leg: int, progress: float, reference: float, price: float
) -> None:
    """A pending child works from the moment at which its parent was filled at `price`; row NONE: by an order of another symbol."""
    terms, record, symbol = state.terms, state.progress, state.orders.symbol[cell]
    fill = reference if state.rules[FILL_BASIS] != 0 else price
    resolve_prices(state, cell, fill, state.positions.average_price[state.orders.slot[cell]])
    first, start = bars_known(state, symbol), state.market.mark[symbol]
    is_later = state.rules[LINKS] == LinkRule.TOGETHER  # on the next bar only, and a trail has its watermark already
    if row != NONE:
        first, start = state.bars.ordinal[row], reference
        if not is_later and (
            leg >= CLOSE_LEG or terms.eligible_from[cell] <= state.bars.start[row]
        ):  # else it came in the middle of the bar
            begin_at(state, cell, row, leg, progress, reference)
            if leg < CLOSE_LEG and terms.until[cell] == UNSET:
                assign_session(state, cell, state.bars.session_close[row])
    terms.eligible_from[cell] = time
    if row == NONE and leg == OPEN_LEG and state.rules[SCHEDULE] == Schedule.PHASED:
        terms.eligible_from[cell] = time + 1  # the opens of this instant are being matched already
    if state.orders.type[cell] >= OrderType.TRAILING_STOP and not is_later:
        start_trail(state, cell, start)
    record.first_bar[cell] = first + terms.delay[cell] if terms.delay[cell] > 0 else 0
    if terms.bars[cell] > 0:
        record.last_bar[cell] = first + terms.delay[cell] + terms.bars[cell] - 1
    transition(state, cell, time, OrderState.ACCEPTED, Reason.PARENT_FILLED, NONE)
    is_timed = state.orders.tif[cell] == TimeInForce.GTD and state.rules[EXPIRY] == ExpiryRule.TIME
    if is_timed and terms.until[cell] <= time:
        transition(state, cell, time, OrderState.EXPIRED, Reason.GOOD_TILL_DATE_REACHED, NONE)


@inline
def resolve_quantity(state: State, cell: int, quantity: float) -> None:
    """An order whose signed quantity is known only now has it, and its side."""
    state.terms.quantity[cell] = state.progress.filled[cell] + abs(quantity)
    state.orders.side[cell] = 1 if quantity > 0.0 else -1


@inline
def change_quantity(state: State, cell: int, quantity: float) -> None:
    """The order is for so many units in total."""
    state.terms.quantity[cell] = quantity


@inline
def change_terms(state: State, cell: int, quantity: float, limit: float, stop: float) -> None:
    """The order has the terms given (NaN: as they were) and the eligibility of a new one; the replace is on record."""
    terms, progress = state.terms, state.progress
    if limit == limit:
        terms.limit[cell] = limit
        terms.limit_basis[cell] = Basis.PRICE
        progress.is_released[cell] = 0
    if stop == stop:
        terms.stop[cell] = stop
        terms.stop_basis[cell] = Basis.PRICE
    if quantity == quantity:
        terms.quantity[cell] = quantity
        terms.request[cell] = quantity
        state.orders.sizing[cell] = Sizing.QUANTITY
    progress.since_row[cell] = NONE
    progress.ahead[cell] = state.share[TOUCH_AHEAD]
    delay(state, cell)
    renew_band(state, state.orders.symbol[cell])
    note(state, cell, state.clock[NOW], Reason.REPLACE_REQUESTED)


@inline
def cancel_later(state: State, cell: int, time: int) -> bool:
    """The order ends at this time, or with the bar of this ordinal, as cancelled, unless it ends before. Whether that is new."""
    if state.progress.cancel_at[cell] != NEVER:
        return False
    state.progress.cancel_at[cell] = time
    return True


@inline
def cancel_after_bars(state: State, cell: int, bars: int) -> None:
    """The order ends as cancelled when so many further bars of its symbol have ended, unless it ends before."""
    if cancel_later(state, cell, bars_known(state, state.orders.symbol[cell]) + bars - 1):
        state.clock[COUNTED] += 1


@inline
def exchange_ranks(state: State, a: int, b: int) -> None:
    """Each of two orders has the other's place in the queue."""
    rank = state.progress.rank
    rank[a], rank[b] = rank[b], rank[a]


@inline
def record_reserve(state: State, cell: int, amount: float) -> None:
    """The order holds back this much of the account's funds."""
    state.progress.reserved[cell] = amount


@inline
def record_activation(state: State, cell: int, time: int, row: int, leg: int, progress: float, price: float) -> None:
    """The order's activation price was reached at this moment; from now on it waits for its trigger."""
    begin_at(state, cell, row, leg, progress, price)
    state.progress.is_active[cell] = 1
    if state.orders.type[cell] >= OrderType.TRAILING_STOP:
        start_trail(state, cell, price)
    renew_band(state, state.orders.symbol[cell])
    note(state, cell, time, Reason.ACTIVATED)


@inline
def record_trigger(state: State, cell: int, row: int, leg: int, progress: float, price: float, stop: float) -> None:
    """The order's trigger was reached at this moment; from now on it waits for its limit, or is ready to trade."""
    begin_at(state, cell, row, leg, progress, price)
    terms = state.terms
    state.progress.is_triggered[cell] = 1
    terms.stop[cell] = stop
    if terms.limit_basis[cell] >= Basis.STOP_AMOUNT:
        tick, side = state.instruments.tick_size[state.orders.symbol[cell]], state.orders.side[cell]
        limit = resolved(terms.limit[cell], terms.limit_basis[cell], math.nan, math.nan, stop)
        terms.limit[cell] = on_tick(limit, tick, -side)
        terms.limit_basis[cell] = Basis.PRICE
    renew_band(state, state.orders.symbol[cell])


@inline
def release(state: State, cell: int) -> None:
    """The order's limit was reached: it waits for nothing any more."""
    state.progress.is_released[cell] = 1
    renew_band(state, state.orders.symbol[cell])


@inline
def trail_limit(state: State, cell: int, price: float) -> None:
    """The limit of a trailing stop-limit order that was just triggered has followed the market to this price with its stop."""
    terms, watermark = state.terms, state.progress.watermark[cell]
    if state.orders.side[cell] * (watermark - price) > 0.0:
        stop = trailing_level(state, cell, price)
        terms.limit[cell] += stop - terms.stop[cell]
        renew_band(state, state.orders.symbol[cell])


@inline
def record_fill(state: State, cell: int, quantity: float, value: float, commission: float) -> None:
    """The order has filled `quantity` more units."""
    progress = state.progress
    progress.filled[cell] += quantity
    progress.value[cell] += value
    progress.commission[cell] += commission


@inline
def reprice(state: State, cell: int, time: int, limit: float) -> None:
    """A post-only order that would have taken waits at this limit."""
    state.terms.limit[cell] = limit
    renew_band(state, state.orders.symbol[cell])
    note(state, cell, time, Reason.WOULD_TAKE)


@inline
def best_of_bar(state: State, cell: int, row: int) -> float:
    """The price that a whole bar moves a trailing stop to, where its path does not: the close, or the best."""
    if state.terms.ratchet[cell] != Ratchet.BAR:
        return state.bars.close[row]
    return state.bars.high[row] if state.orders.side[cell] < 0 else state.bars.low[row]


@inline
def follow_price(state: State, cell: int, watermark: float, price: float) -> None:
    """A trailing stop has followed a bar; `price` is what the bar as a whole moves it to."""
    if state.terms.ratchet[cell] != Ratchet.PATH and state.orders.side[cell] * (watermark - price) > 0.0:
        watermark = price
    start_trail(state, cell, watermark)


@inline
def stay_idle(state: State, cell: int, row: int) -> None:
    """The order does not fill on this bar any more."""
    state.progress.idle_row[cell] = row


@inline
def end_turns(state: State, cell: int, row: int) -> None:
    """Nothing happens on this bar any more to the orders of the symbol that come after this one."""
    other, rank = state.market.oldest[state.orders.symbol[cell]], state.progress.rank
    while other != NONE:
        if rank[other] > rank[cell]:
            stay_idle(state, other, row)
        other = state.links.after[other]


@inline
def move_up_queue(state: State, cell: int, units: float) -> None:
    """So many units before the order are gone."""
    state.progress.ahead[cell] -= units
