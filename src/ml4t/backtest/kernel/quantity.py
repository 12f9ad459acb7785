"""How many units a request comes to (docs/semantics/sizing.md)."""

import math

from ml4t.backtest._jit import inline
from ml4t.backtest.enums import LotRule, Reason, Sizing, Valuation
from ml4t.backtest.kernel.ledger import equity, marked_value, position_value, total_cash
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE, floored, towards_zero
from ml4t.backtest.tables import HELD, LOT_RULE, NET, VALUATION, State


@inline
def is_explicit(sizing: int) -> bool:
    """Whether the caller gave the quantity itself."""
    return sizing == Sizing.QUANTITY


@inline
def is_target(sizing: int) -> bool:
    """Whether the request names the position wanted, not the order's quantity."""
    return sizing >= Sizing.TARGET_QUANTITY and sizing <= Sizing.TARGET_PERCENT


@inline
def is_resolved_at_fill(state: State, sizing: int) -> bool:
    """Whether the quantity is known only when the order fills."""
    if sizing == Sizing.CLOSE or sizing == Sizing.FUNDS:
        return True
    return sizing != Sizing.QUANTITY and sizing != Sizing.PARENT and state.rules[VALUATION] >= Valuation.FILL_PRICE


@inline
def is_unresolved(state: State, cell: int) -> bool:
    """Whether the quantity of an order follows from what is there when it fills."""
    quantity = state.terms.quantity[cell]
    return state.orders.sizing[cell] == Sizing.CLOSE or not quantity == quantity


@inline
def has_no_side(state: State, cell: int) -> bool:
    """Whether even the direction of an order is known only when it fills."""
    sizing, quantity = state.orders.sizing[cell], state.terms.quantity[cell]
    return sizing == Sizing.CLOSE or (is_target(sizing) and not quantity == quantity)


@inline
def frozen_equity(state: State) -> float:
    """Equity as sizing sees it in a decision."""
    if state.rules[VALUATION] != Valuation.PREVIOUS_CLOSE:
        return equity(state)
    net = 0.0
    for i in range(state.clock[HELD]):
        slot = state.held[i]
        price = state.market.previous_close[state.positions.symbol[slot]]
        if price == price:
            net += position_value(state, slot, state.positions.quantity[slot], price)
        else:
            net += marked_value(state, slot)
    return total_cash(state) + net


@inline
def frozen_price(state: State, symbol: int) -> float:
    """The symbol's price as sizing sees it in a decision, NaN where there is none yet."""
    previous = state.market.previous_close[symbol]
    if state.rules[VALUATION] == Valuation.PREVIOUS_CLOSE and previous == previous:
        return previous
    return state.market.mark[symbol]


@inline
def equity_at(state: State, slot: int, price: float) -> float:
    """Equity with this slot's symbol at `price`."""
    value = 0.0
    if state.positions.quantity[slot] != 0.0:
        value = position_value(state, slot, state.positions.quantity[slot], price)
    return total_cash(state) + (state.money[NET] - marked_value(state, slot) + value)


@inline
def difference(units: float, held: float) -> float:
    """What is missing to a target position; rounding dust is nothing."""
    missing = units - held
    return 0.0 if abs(missing) < NEARLY_WHOLE * max(abs(units), abs(held)) else missing


@inline
def lot_asked(state: State, symbol: int) -> float:
    """The lot size that quantities are asked for in; 0 where fills are cut to lots afterwards."""
    return 0.0 if state.rules[LOT_RULE] == LotRule.FLOOR else state.instruments.lot_size[symbol]


@inline
def wanted(
    state: State, sizing: int, side: int, request: float, symbol: int, slot: int, price: float, total: float
) -> float:
    """The signed quantity a request comes to at `price` with equity `total`; 0 where nothing is to be done."""
    held = state.positions.quantity[slot]
    lot = lot_asked(state, symbol)
    if sizing == Sizing.QUANTITY:
        return side * request
    if sizing == Sizing.CLOSE:
        return -held
    if sizing == Sizing.FUNDS:  # its sign counts; how many the account takes is known at the fill, after slippage
        return side * (
            min(request, 1.0) * max(total, total_cash(state)) / (abs(price) * state.instruments.multiplier[symbol])
            + abs(held)
        )
    if sizing == Sizing.TARGET_QUANTITY:
        return difference(towards_zero(request, lot), held)
    value = request
    if sizing == Sizing.PERCENT or sizing == Sizing.TARGET_PERCENT:
        value = request * total
    units = towards_zero(value / (price * state.instruments.multiplier[symbol]), lot)
    if is_target(sizing):
        return difference(units, held)
    return side * units


@inline
def is_past_its_position(state: State, cell: int) -> bool:
    """Whether an order that closes has filled in part, and the position is no longer on the side that it was."""
    if state.orders.sizing[cell] != Sizing.CLOSE or state.progress.filled[cell] == 0.0:
        return False
    return state.positions.quantity[state.orders.slot[cell]] * state.orders.side[cell] >= 0.0


@inline
def wanted_at_fill(state: State, cell: int, price: float) -> float:
    """The signed quantity an order still wants when the market's price is `price`."""
    orders, terms = state.orders, state.terms
    sizing, slot = orders.sizing[cell], orders.slot[cell]
    if is_past_its_position(state, cell):
        return orders.side[cell] * abs(state.positions.quantity[slot])  # which reduces nothing; none if it is gone
    if is_unresolved(state, cell):
        total = equity_at(state, slot, price)
        return wanted(state, sizing, orders.side[cell], terms.request[cell], orders.symbol[cell], slot, price, total)
    return orders.side[cell] * (terms.quantity[cell] - state.progress.filled[cell])


@inline
def on_grid(state: State, cell: int, quantity: float) -> tuple[float, Reason]:
    """The signed quantity as far as the instrument's maximum and lots allow it, and why it is less (NONE: it is not)."""
    instruments, symbol, reason = state.instruments, state.orders.symbol[cell], Reason.NONE
    if abs(quantity) > instruments.max_quantity[symbol]:
        quantity, reason = math.copysign(instruments.max_quantity[symbol], quantity), Reason.ABOVE_MAXIMUM
    if state.rules[LOT_RULE] == LotRule.FLOOR:
        lots = floored(quantity, instruments.lot_size[symbol])
        if state.orders.sizing[cell] != Sizing.FUNDS and abs(lots) < abs(quantity) * (1.0 - NEARLY_WHOLE):
            reason = Reason.NOT_A_LOT_MULTIPLE
        quantity = lots
    return quantity, reason


@inline
def reducible(state: State, slot: int, quantity: float) -> float:
    """The part of a signed quantity that only reduces the position."""
    held = state.positions.quantity[slot]
    if held * quantity >= 0.0:
        return 0.0
    return math.copysign(min(abs(quantity), abs(held)), quantity)
