"""One order at one moment: it is activated, triggered, filled as far as the market and the account allow, or ended."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import (
    MarketFill,
    OrderState,
    OrderType,
    Origin,
    PostOnly,
    PriceSource,
    Reason,
    Sizing,
    TimeInForce,
)
from ml4t.backtest.kernel.admission import admitted_quantity, funded, shortage
from ml4t.backtest.kernel.cost import fill_commission, model_price, slipped
from ml4t.backtest.kernel.group import cancel_exits, end_order, feed_children, follow, reduce_others
from ml4t.backtest.kernel.ledger import begin_month, book_fill, closing_snap
from ml4t.backtest.kernel.lot import fill_by_lot
from ml4t.backtest.kernel.orders import transition
from ml4t.backtest.kernel.path import OPEN_LEG, last_leg, segment_of
from ml4t.backtest.kernel.quantity import has_no_side, is_target, is_unresolved, on_grid, reducible, wanted_at_fill
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE, on_tick
from ml4t.backtest.kernel.terms import (
    begin_at,
    change_quantity,
    end_turns,
    record_activation,
    record_fill,
    record_reserve,
    record_trigger,
    release,
    reprice,
    resolve_quantity,
    stay_idle,
    trail_limit,
)
from ml4t.backtest.kernel.trigger import (
    RESTING,
    SLEEPING,
    WAITING,
    first_reach,
    is_bound_to_moment,
    is_first_meeting,
    is_halted,
    is_overdue,
    is_reached,
    is_working,
    may_grow,
    named,
    row_before,
    stage,
)
from ml4t.backtest.kernel.volume import allowance, hand_out
from ml4t.backtest.queue_rule import Executions, Exhaustion, LimitRule, LinkRule, Rescan, StopLimitRule
from ml4t.backtest.tables import (
    ASK,
    BID,
    EXECUTIONS,
    EXHAUSTION,
    FOLLOWING,
    LIMIT_DOWN,
    LIMIT_RULE,
    LIMIT_UP,
    LINKS,
    MARKET_FILL,
    NONE,
    NOW,
    OPEN_ASK,
    OPEN_BID,
    POST_ONLY,
    PRICE_MODEL,
    QUOTE,
    RESCAN,
    SLIPPAGE_RANGE,
    STOP_LIMIT_RULE,
    State,
)


@inline
def missed(tif: int) -> Reason:
    """Why an order that is bound to its moment ends unfilled, or filled in part."""
    if tif == TimeInForce.OPG:
        return Reason.MISSED_OPEN
    return Reason.MISSED_CLOSE if tif == TimeInForce.CLS else Reason.NOT_IMMEDIATE


@inline
def is_close_out(state: State, cell: int) -> bool:
    """Whether an end rule, and no market, takes the order."""
    origin = state.orders.origin[cell]
    return origin == Origin.END_OF_DATA or origin == Origin.END_OF_RUN


@inline
def is_for_auction(tif: int) -> bool:
    """Whether the order is for the open or the close of a session."""
    return tif == TimeInForce.OPG or tif == TimeInForce.CLS


@inline
def market_price(state: State, cell: int, row: int, leg: int, side: int, quantity: float, price: float) -> float:
    """The reference price of a market order that goes to this side: the bar's, or what quotes or the user's model say."""
    source = state.rules[QUOTE]
    if state.rules[MARKET_FILL] == MarketFill.NEXT_VWAP and not is_for_auction(state.orders.tif[cell]):
        source = PriceSource.LAST
    if source != PriceSource.LAST:
        is_open = leg == OPEN_LEG
        bid = named(state, OPEN_BID if is_open else BID, row)
        ask = named(state, OPEN_ASK if is_open else ASK, row)
        if source == PriceSource.MID:
            price = (bid + ask) / 2.0
        else:
            price = ask if side > 0 else bid
    return model_price(state, cell, row, side, quantity, price)


@function(FLOAT, INT, INT, INT, FLOAT)
def target_price(state: State, cell: int, row: int, leg: int, price: float) -> float:
    """The reference price of a target that is resolved there: that of the side which it has at it; NaN where neither side leads to it."""
    missing = abs(wanted_at_fill(state, cell, price))
    for side in (1, -1):  # with a bid below the ask, one of them at most
        reference = market_price(state, cell, row, leg, side, missing, price)
        if wanted_at_fill(state, cell, reference) * side > 0.0:
            return reference
    return math.nan


@inline
def dealt(state: State, cell: int, row: int, leg: int, price: float) -> tuple[float, float]:
    """The reference price of an order that the market meets at `price`, and the signed quantity that it wants there."""
    is_quoted = state.orders.type[cell] == OrderType.MARKET and not is_close_out(state, cell)
    if is_quoted and (state.rules[QUOTE] != PriceSource.LAST or state.rules[PRICE_MODEL] != 0):
        if has_no_side(state, cell) and is_target(state.orders.sizing[cell]):
            reference = target_price(state, cell, row, leg, price)
            return (reference, wanted_at_fill(state, cell, reference)) if reference == reference else (price, 0.0)
        wanted = wanted_at_fill(state, cell, price)
        if wanted != 0.0:
            price = market_price(state, cell, row, leg, 1 if wanted > 0.0 else -1, abs(wanted), price)
    return price, wanted_at_fill(state, cell, price)


@inline
def end_unfilled(state: State, cell: int, time: int, reason: int) -> None:
    """The order ends: rejected if it never filled, else cancelled."""
    target = OrderState.REJECTED if state.progress.filled[cell] == 0.0 else OrderState.CANCELLED
    end_order(state, cell, time, target, reason)


@inline
def follow_fill(
    state: State,
    cell: int,
    row: int,
    leg: int,
    progress: float,
    reference: float,
    price: float,
    taken: float,
    held: float,
    kept: float,
) -> None:
    """Children, linked orders and exits know of a fill of `taken` units that left `kept` of the rest, on a position that was `held`."""
    is_together = state.rules[LINKS] == LinkRule.TOGETHER
    if state.links.child[cell] != NONE and not is_together:
        feed_children(state, cell, row, leg, progress, reference, price, taken)
    elif state.links.child[cell] != NONE and state.orders.state[cell] == OrderState.FILLED:
        feed_children(state, cell, row, leg, progress, reference, price, state.progress.filled[cell])
    if state.links.ring[cell] != cell:
        reduce_others(state, cell, 0.0 if is_together else kept)
    now = state.positions.quantity[state.orders.slot[cell]]
    if held * now <= 0.0 and held != 0.0:
        cancel_exits(state, state.orders.symbol[cell], cell)


@inline
def is_blocked(state: State, direction: float, row: int, price: float) -> bool:
    """Whether the exchange's price limits keep an order of this direction from filling at the price."""
    if direction > 0.0:
        return state.columns[LIMIT_UP] != NONE and price >= named(state, LIMIT_UP, row)
    return state.columns[LIMIT_DOWN] != NONE and price <= named(state, LIMIT_DOWN, row)


@inline
def time_of(state: State, row: int, leg: int) -> int:
    """When this leg of a bar is met: at its open, or now, which is also when a bar that is over is met again."""
    start = state.bars.start[row]
    return start if leg == OPEN_LEG and state.clock[NOW] <= state.bars.end[row] else state.clock[NOW]


@inline
def hold_back(state: State, cell: int, row: int, time: int, reason: int) -> None:
    """The order does not fill on this bar any more; one that is bound to its moment ends."""
    if is_bound_to_moment(state.orders.tif[cell]):
        end_order(state, cell, time, OrderState.EXPIRED, reason)
    else:
        stay_idle(state, cell, row)


@function(INT, INT, INT, INT, FLOAT, FLOAT, FLOAT)
def is_held_back(state: State, cell: int, row: int, leg: int, progress: float, reference: float, wanted: float) -> bool:
    """Whether price limits, the bar's volume or its own terms keep the order from filling now; it knows."""
    orders, symbol, tif = state.orders, state.orders.symbol[cell], state.orders.tif[cell]
    time = time_of(state, row, leg)
    if wanted != 0.0 and is_blocked(state, wanted, row, reference):
        hold_back(state, cell, row, time, missed(tif))
        return True
    units = allowance(state, symbol, row)
    if wanted != 0.0 and units <= NEARLY_WHOLE * abs(wanted):
        if state.rules[EXHAUSTION] == Exhaustion.SYMBOL:
            end_turns(state, cell, row)
        hold_back(state, cell, row, time, Reason.NOT_IN_FULL if tif == TimeInForce.FOK else missed(tif))
        return True
    if state.rules[SLIPPAGE_RANGE] != 0 and wanted != 0.0:
        price = slipped(state, cell, row, leg == OPEN_LEG, wanted, reference)
        if not price == price:
            hold_back(state, cell, row, time, Reason.NOT_IN_FULL if tif == TimeInForce.FOK else missed(tif))
            return True
    if state.terms.post_only[cell] != 0 and is_first_meeting(state, cell, row, leg, progress):
        side, tick = orders.side[cell], state.instruments.tick_size[symbol]
        if state.rules[POST_ONLY] == PostOnly.REPRICE and tick > 0.0:
            reprice(state, cell, time, on_tick(reference - side * tick, tick, -side))
            begin_at(state, cell, row, leg, progress, reference)
        else:
            end_order(state, cell, time, OrderState.REJECTED, Reason.WOULD_TAKE)
        return True
    return False


@inline
def fill(state: State, cell: int, row: int, leg: int, progress: float, price: float) -> None:
    """The order is filled at this price of the market, in part or in full, or has ended because it cannot be."""
    if state.rules[EXECUTIONS] == Executions.LOT:
        fill_by_lot(state, cell, row, leg, price)
    else:
        fill_order(state, cell, row, leg, progress, price)


@inline
def is_filled_at_stop(state: State, cell: int, row: int, stop: float) -> bool:
    """Whether a stop-limit order that this bar has triggered reaches its limit on it, beyond the stop."""
    limit, side = state.terms.limit[cell], state.orders.side[cell]
    best = state.bars.low[row] if side > 0 else state.bars.high[row]
    return side * (limit - best) >= 0.0 and side * (limit - stop) > 0.0


@inline
def is_cut(units: float, wanted: float) -> bool:
    """Whether units are less than what was wanted; what partial fills leave of 5.5 - 4.5 - 0.8 - 0.2 is dust, and no rest."""
    return abs(units) < abs(wanted) * (1.0 - NEARLY_WHOLE)


@function(VOID, INT, INT, INT, FLOAT, FLOAT)
def fill_order(state: State, cell: int, row: int, leg: int, progress: float, price: float) -> None:
    """The order is filled at this price of the market, in part or in full, or has ended because it cannot be."""
    begin_month(state, row)
    orders, terms, symbol, slot = state.orders, state.terms, state.orders.symbol[cell], state.orders.slot[cell]
    time = time_of(state, row, leg)
    reference, wanted = dealt(state, cell, row, leg, price)
    held, tif, units = state.positions.quantity[slot], orders.tif[cell], math.inf
    if not is_close_out(state, cell):
        if is_held_back(state, cell, row, leg, progress, reference, wanted):
            return
        units = allowance(state, symbol, row)
    quantity, nothing, short = wanted, Reason.NOTHING_TO_TRADE, Reason.NONE
    if terms.reduce_only[cell] != 0:
        quantity = reducible(state, slot, wanted)
        if wanted != 0.0 or held == 0.0:
            nothing = Reason.NOTHING_TO_REDUCE
        if is_cut(quantity, wanted):
            short = Reason.NOTHING_TO_REDUCE
    if quantity == 0.0:
        end_order(state, cell, time, OrderState.CANCELLED, nothing)
        return
    is_maker = stage(state, cell) == RESTING and not is_first_meeting(state, cell, row, leg, progress)
    is_unknown = is_unresolved(state, cell)
    if is_unknown and orders.sizing[cell] == Sizing.FUNDS:
        price = slipped(state, cell, row, leg == OPEN_LEG, quantity, reference)
        quantity = funded(state, cell, 1.0 * orders.side[cell], price, reference, is_maker)
        short = Reason.NONE
        if quantity == 0.0:
            end_unfilled(state, cell, time, shortage(state))
            return
        resolve_quantity(state, cell, quantity)
    elif is_unknown:
        resolve_quantity(state, cell, wanted)
    if not is_close_out(state, cell):
        quantity, reason = on_grid(state, cell, quantity)
        if quantity == 0.0:
            end_unfilled(state, cell, time, Reason.NOT_A_LOT_MULTIPLE)
            return
        if reason != Reason.NONE:
            short = reason
    is_limited = is_cut(units, quantity)
    if tif == TimeInForce.FOK and (is_limited or short != Reason.NONE):
        end_order(state, cell, time, OrderState.EXPIRED, Reason.NOT_IN_FULL)
        return
    if is_limited:
        quantity = units if quantity > 0.0 else -units
    price = slipped(state, cell, row, leg == OPEN_LEG, quantity, reference)
    if state.rules[LIMIT_RULE] == LimitRule.CHECKED and orders.side[cell] * (price - terms.limit[cell]) > 0.0:
        hold_back(state, cell, row, time, missed(tif))
        return
    quantity = closing_snap(held, quantity)
    taken, reason = admitted_quantity(state, cell, quantity, price, reference, is_maker)
    if taken != 0.0 and abs(taken) < state.instruments.min_quantity[symbol] * (1.0 - NEARLY_WHOLE):
        taken, reason = 0.0, Reason.BELOW_MINIMUM
    if taken == 0.0:
        end_unfilled(state, cell, time, reason)
        return
    if reason != Reason.NONE:
        short, is_limited = reason, False
        if tif == TimeInForce.FOK:
            end_order(state, cell, time, OrderState.EXPIRED, Reason.NOT_IN_FULL)
            return
    commission = fill_commission(state, cell, taken, price, is_maker)
    value = abs(taken) * price * state.instruments.multiplier[symbol]
    segment = segment_of(state, row, leg)
    number = book_fill(
        state, orders.id[cell], symbol, slot, time, row, segment, taken, price, reference, commission, NONE
    )
    record_fill(state, cell, abs(taken), abs(value), commission)
    if not is_close_out(state, cell):
        hand_out(state, symbol, abs(taken))
    is_done = short == Reason.NONE and not is_limited
    left = max(terms.quantity[cell] - state.progress.filled[cell], 0.0)
    kept = 0.0 if is_done else left / (left + abs(taken))
    record_reserve(state, cell, state.progress.reserved[cell] * kept)
    if is_done and may_grow(state, cell):
        change_quantity(state, cell, state.progress.filled[cell])  # exactly used up
    if is_done and not may_grow(state, cell):
        transition(state, cell, time, OrderState.FILLED, Reason.EXECUTED, number)
    else:
        transition(state, cell, time, OrderState.PARTIALLY_FILLED, Reason.EXECUTED, number)
    follow_fill(state, cell, row, leg, progress, reference, price, abs(taken), held, kept)
    if is_limited:
        hold_back(state, cell, row, time, missed(tif))
    elif short != Reason.NONE:
        transition(state, cell, time, OrderState.CANCELLED, short, NONE)
    if state.clock[FOLLOWING] > 0:
        follow(state)


@function(VOID, INT, INT, INT, FLOAT, FLOAT)
def meet_limit_by_close(state: State, cell: int, row: int, leg: int, progress: float, stop: float) -> None:
    """A stop-limit order that this bar has triggered fills as far as open, stop and close tell; else it rests from the next bar on."""
    limit, side, bars = state.terms.limit[cell], state.orders.side[cell], state.bars
    if leg == OPEN_LEG:
        if is_reached(bars.open[row], limit, -side):
            fill(state, cell, row, leg, progress, bars.open[row])
        else:
            found = first_reach(
                state, state.orders.symbol[cell], row, limit, -side, leg, bars.open[row], True, last_leg(state, row)
            )
            if found[0] >= 0:
                fill(state, cell, row, found[0], found[1], limit)
    elif side * (limit - stop) >= 0.0:
        fill(state, cell, row, leg, progress, stop)
    else:
        turns = bars.open[row] > bars.close[row] if side > 0 else bars.open[row] <= bars.close[row]
        if turns and is_reached(bars.close[row], limit, -side):
            fill(state, cell, row, last_leg(state, row), 1.0, limit)
    if is_working(state, cell):
        stay_idle(state, cell, row)
        if state.orders.type[cell] == OrderType.TRAILING_STOP_LIMIT:
            trail_limit(state, cell, bars.close[row])


@inline
def take(state: State, cell: int, row: int, leg: int, progress: float, price: float, level: float) -> None:
    """What was to happen to the order at this moment has happened."""
    orders, now = state.orders, stage(state, cell)
    time = time_of(state, row, leg)
    if is_overdue(state, cell, row):
        end_order(state, cell, time, OrderState.EXPIRED, Reason.GOOD_TILL_DATE_REACHED)
        return
    if is_halted(state, row) or (now == RESTING and not is_reached(price, state.terms.limit[cell], -orders.side[cell])):
        # bound to a moment that has passed; of a child never before it began, though its parent's open did (queue)
        end_order(state, cell, max(time, state.terms.eligible_from[cell]), OrderState.EXPIRED, missed(orders.tif[cell]))
        return
    if now == SLEEPING:
        record_activation(state, cell, time, row, leg, progress, price)
        return
    if now == WAITING:
        if state.rules[SLIPPAGE_RANGE] != 0 and orders.type[cell] % 2 == 0:
            slid = slipped(state, cell, row, leg == OPEN_LEG, 1.0 * orders.side[cell], price)
            if not slid == slid:  # it keeps waiting for its stop
                stay_idle(state, cell, row)
                return
        record_trigger(state, cell, row, leg, progress, price, level)
        transition(state, cell, time, OrderState.TRIGGERED, Reason.STOP_REACHED, NONE)
        if stage(state, cell) == RESTING:
            if state.rules[STOP_LIMIT_RULE] == StopLimitRule.AT_STOP:
                begin_at(state, cell, row, OPEN_LEG, 0.0, state.bars.open[row])
                if is_filled_at_stop(state, cell, row, level):
                    fill(state, cell, row, leg, progress, level)
                elif state.rules[RESCAN] == Rescan.ALWAYS:
                    stay_idle(state, cell, row)
            elif state.rules[STOP_LIMIT_RULE] == StopLimitRule.BY_CLOSE:
                meet_limit_by_close(state, cell, row, leg, progress, level)
            return
        if state.rules[MARKET_FILL] == MarketFill.PREVIOUS_CLOSE and state.terms.lot[cell] == 0:
            before = state.bars.close[row_before(state, cell, row)]
            price = max(before, level) if orders.side[cell] > 0 else min(before, level)
    if state.rules[LIMIT_RULE] != LimitRule.KEPT and now == RESTING:
        release(state, cell)
    fill(state, cell, row, leg, progress, price)
