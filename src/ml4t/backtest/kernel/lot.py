"""Orders that are filled lot by lot: each lot that is closed, and the one that is opened, is an execution with its own commission.

Source: docs/semantics/lots.md.
"""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import MarketFill, OrderState, OrderType, Reason, Sizing
from ml4t.backtest.kernel.cost import fill_commission
from ml4t.backtest.kernel.group import end_order, follow
from ml4t.backtest.kernel.ledger import OPENING, book_fill, lot_opened_by, side_of, total_cash
from ml4t.backtest.kernel.orders import transition
from ml4t.backtest.kernel.path import OPEN_LEG, segment_of
from ml4t.backtest.kernel.quantity import is_unresolved
from ml4t.backtest.kernel.terms import (
    accept_child,
    begin_at,
    change_quantity,
    meet_from,
    name_lot,
    rank_exit,
    record_fill,
    resolve_quantity,
)
from ml4t.backtest.kernel.trigger import is_live, row_before
from ml4t.backtest.queue_rule import Netting, Rescan
from ml4t.backtest.tables import (
    AGAIN,
    FOLLOWING,
    MARGIN_RATE,
    MARKET_FILL,
    NETTING,
    NONE,
    NOW,
    RESCAN,
    State,
)


@function(FLOAT, INT)
def buying_power(state: State, row: int) -> float:
    """What equity leaves above the margin of all lots, divided by the margin rate; the bar's symbol is valued at the bar's close."""
    leverage = 1.0 / state.money[MARGIN_RATE]
    equity, used = total_cash(state), 0.0
    for slot in range(state.positions.quantity.shape[0]):
        symbol = state.positions.symbol[slot]
        lot = state.positions.oldest_lot[slot]
        if lot != NONE:
            price = state.bars.close[row] if symbol == state.bars.symbol[row] else state.market.mark[symbol]
            unit = price * state.instruments.multiplier[symbol]
            equity += state.positions.quantity[slot] * unit
            while lot != NONE:
                used += state.lots.quantity[lot] * unit / leverage
                lot = state.lots.next[lot]
    return max(0.0, equity - used) * leverage


@inline
def cancel_exits_of(state: State, symbol: int, fill: int, cell: int) -> None:
    """The priced orders for the lot that this fill had opened are cancelled, but for the order in `cell`."""
    other = state.market.oldest[symbol]
    while other != NONE:
        following = state.links.after[other]
        is_priced = state.orders.type[other] != OrderType.MARKET
        if other != cell and state.terms.lot[other] == fill + 1 and is_priced and is_live(state.orders.state[other]):
            transition(state, other, state.clock[NOW], OrderState.CANCELLED, Reason.POSITION_CLOSED, NONE)
        other = following


@function(INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, INT)
def book_part(
    state: State, cell: int, row: int, leg: int, quantity: float, price: float, reference: float, lot: int
) -> int:
    """An execution of a signed quantity that closes units of a lot, or opens one (OPENING), is in the books. Returns the fill's number."""
    orders, symbol, bars = state.orders, state.orders.symbol[cell], state.bars
    time = bars.start[row] if leg == OPEN_LEG else state.clock[NOW]
    if (
        state.rules[MARKET_FILL] == MarketFill.PREVIOUS_CLOSE
        and orders.type[cell] == OrderType.MARKET
        and leg == OPEN_LEG
    ):
        row = row_before(state, cell, row)
        time = bars.end[row]
    opened, before = NONE, 0.0
    if lot != OPENING:
        opened, before = state.lots.fill[lot], state.lots.quantity[lot]
    commission = fill_commission(state, cell, quantity, price, False)
    segment = segment_of(state, row, leg)
    number = book_fill(
        state,
        orders.id[cell],
        symbol,
        orders.slot[cell],
        time,
        row,
        segment,
        quantity,
        price,
        reference,
        commission,
        lot,
    )
    value = abs(quantity * price * state.instruments.multiplier[symbol])
    record_fill(state, cell, abs(quantity), value, commission)
    if opened != NONE and abs(quantity) == before:
        cancel_exits_of(state, symbol, opened, cell)
    return number


@inline
def finish(state: State, cell: int, time: int, fill: int) -> None:
    """The order is filled, and what depends on it knows."""
    transition(state, cell, time, OrderState.FILLED, Reason.EXECUTED, fill)
    if state.clock[FOLLOWING] > 0:
        follow(state)


@function(VOID, INT, INT, INT, INT, FLOAT)
def close_one(state: State, cell: int, row: int, leg: int, time: int, price: float) -> None:
    """The order has closed what there is of the lot that it names."""
    slot, side = state.orders.slot[cell], state.orders.side[cell]
    lot = lot_opened_by(state, slot, state.terms.lot[cell] - 1)
    if lot == NONE or side_of(state, lot) == side:
        end_order(state, cell, time, OrderState.CANCELLED, Reason.NOTHING_TO_REDUCE)
        return
    part = min(state.terms.quantity[cell], state.lots.quantity[lot])
    change_quantity(state, cell, part)
    number = book_part(state, cell, row, leg, side * part, price, price, lot)
    finish(state, cell, time, number)


@inline
def worst_exit_is_unreached(state: State, cell: int, row: int) -> bool:
    """Whether of the exits of a stop order the limit is reached by this bar, and the stop is not."""
    side, high, low = state.orders.side[cell], state.bars.high[row], state.bars.low[row]
    stop, limit = -side * math.inf, side * math.inf
    child = state.links.child[cell]
    while child != NONE:
        if state.orders.type[child] == OrderType.LIMIT:
            limit = state.terms.limit[child]
        else:
            stop = state.terms.stop[child]
        child = state.links.sibling[child]
    if side > 0:
        return limit <= high and stop < low
    return limit >= low and stop > high and limit > -math.inf


@inline
def begin_exits(
    state: State, cell: int, row: int, leg: int, time: int, price: float, fill: int, quantity: float
) -> None:
    """The order's children are exits of the lot that it has opened; whether they meet this bar is known."""
    kind, child, n = state.orders.type[cell], state.links.child[cell], 0
    again = kind == OrderType.MARKET or (kind == OrderType.STOP and worst_exit_is_unreached(state, cell, row))
    while child != NONE:
        following = state.links.sibling[child]
        name_lot(state, child, fill)
        change_quantity(state, child, quantity)
        rank_exit(state, child)
        accept_child(state, child, time, row, leg, 0.0, price, price)
        begin_at(state, child, row, OPEN_LEG, 0.0, state.bars.open[row])
        meet_from(state, child, state.bars.start[row])
        n += 1
        child = following
    if n > 0 and again and state.rules[RESCAN] == Rescan.EXITS:
        state.clock[AGAIN] = 1


@function(VOID, INT, INT, INT, FLOAT)
def fill_by_lot(state: State, cell: int, row: int, leg: int, price: float) -> None:
    """The order is filled at this price, or has ended because it cannot be.

    - One for a lot closes what is left of it.
    - Any other closes lots of the other side, the oldest first, at the price; the rest opens a lot at the price and half the spread.
    - The rest is cancelled where it would cost more than the buying power, commission included.
    """
    orders, terms, symbol, slot = state.orders, state.terms, state.orders.symbol[cell], state.orders.slot[cell]
    time = state.bars.start[row] if leg == OPEN_LEG else state.clock[NOW]
    if terms.lot[cell] != 0:
        close_one(state, cell, row, leg, time, price)
        return
    side, asked = orders.side[cell], terms.quantity[cell]
    worse = price * (1.0 + side * state.costs.opening_rate[symbol])
    if orders.sizing[cell] == Sizing.CLOSE:
        asked = abs(state.positions.quantity[slot])
        if asked == 0.0:
            end_order(state, cell, time, OrderState.CANCELLED, Reason.NOTHING_TO_REDUCE)
            return
    elif is_unresolved(state, cell):
        asked = terms.request[cell]
    unit = worse + fill_commission(state, cell, side * asked, price, False) / asked
    left = asked
    if orders.sizing[cell] == Sizing.PERCENT:
        left = float((buying_power(state, row) * asked) // unit)
        if left == 0.0:
            end_order(state, cell, time, OrderState.REJECTED, Reason.INSUFFICIENT_MARGIN)
            return
        resolve_quantity(state, cell, side * left)
    number, lot = NONE, state.positions.oldest_lot[slot]
    while state.rules[NETTING] == Netting.FIFO and lot != NONE and left > 0.0:
        following = state.lots.next[lot]
        if side_of(state, lot) != side:
            part = min(left, state.lots.quantity[lot])
            number = book_part(state, cell, row, leg, side * part, price, price, lot)
            left -= part
        lot = following
    if left * unit > buying_power(state, row):
        target = OrderState.REJECTED if number == NONE else OrderState.CANCELLED
        end_order(state, cell, time, target, Reason.INSUFFICIENT_MARGIN)
        return
    if left > 0.0:
        number = book_part(state, cell, row, leg, side * left, worse, price, OPENING)
        begin_exits(state, cell, row, leg, time, worse, number, left)
    finish(state, cell, time, number)
