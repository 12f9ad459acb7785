"""What the account takes: at the fill always, at acceptance by rule (docs/semantics/account.md)."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import AccountKind, Admission, Basis, BatchOrder, OrderState, Reason, Shortfall, TimeInForce
from ml4t.backtest.kernel.clock import EXPIRY_TIMER, push_timer
from ml4t.backtest.kernel.cost import commission, fill_commission
from ml4t.backtest.kernel.group import end_order
from ml4t.backtest.kernel.ledger import equity, marked_value, position_value, total_cash
from ml4t.backtest.kernel.orders import transition
from ml4t.backtest.kernel.quantity import is_explicit, is_resolved_at_fill, reducible
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE, is_lot_multiple, steps_down
from ml4t.backtest.kernel.terms import record_reserve
from ml4t.backtest.tables import (
    ACCOUNT,
    ADMISSION,
    BATCH,
    BATCH_ORDER,
    GROSS,
    MARGIN_RATE,
    NET,
    NONE,
    NOW,
    SHORTFALL,
    State,
)


@inline
def is_reducing_allowed(state: State, cell: int) -> bool:
    """Whether this order is cut to what the account takes, instead of being rejected."""
    rule = state.rules[SHORTFALL]
    if rule == Shortfall.BY_SIZING:
        return not is_explicit(state.orders.sizing[cell])
    return rule == Shortfall.REDUCE


@inline
def has_cash(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether cash stays at 0 or above after this fill."""
    symbol = state.orders.symbol[cell]
    cash = state.cash[state.instruments.currency[symbol]]
    value = quantity * price * state.instruments.multiplier[symbol]
    return cash - value - fill_commission(state, cell, quantity, price, is_maker) >= 0.0


@inline
def has_margin(state: State, cell: int, quantity: float, price: float, reference: float, is_maker: bool) -> bool:
    """Whether equity after this fill covers the initial margin of all positions; always for a fill that only reduces."""
    slot, symbol, money = state.orders.slot[cell], state.orders.symbol[cell], state.money
    held = state.positions.quantity[slot]
    if held * quantity < 0.0 and abs(quantity) <= abs(held):
        return True
    before = marked_value(state, slot)
    after = position_value(state, slot, held + quantity, reference)
    value = quantity * price * state.instruments.multiplier[symbol]
    cash = total_cash(state) - value - fill_commission(state, cell, quantity, price, is_maker)
    return cash + (money[NET] - before + after) >= money[MARGIN_RATE] * (money[GROSS] - abs(before) + abs(after))


@inline
def is_affordable(state: State, cell: int, quantity: float, price: float, reference: float, is_maker: bool) -> bool:
    """Whether the account can pay for a fill of this signed quantity."""
    if state.rules[ACCOUNT] == AccountKind.CASH:
        return has_cash(state, cell, quantity, price, is_maker)
    return has_margin(state, cell, quantity, price, reference, is_maker)


@function(FLOAT, INT, FLOAT, FLOAT, FLOAT, INT)
def largest_affordable(
    state: State, cell: int, quantity: float, price: float, reference: float, is_maker: bool
) -> float:
    """The largest part of an unaffordable signed quantity that the account can pay for, by bisection over lots or floats."""
    lot = state.instruments.lot_size[state.orders.symbol[cell]]
    side = math.copysign(1.0, quantity)
    low, high = 0.0, abs(quantity) if lot == 0.0 else steps_down(abs(quantity), lot) + 1.0
    unit = 1.0 if lot == 0.0 else lot
    while True:
        middle = low + (high - low) / 2.0 if lot == 0.0 else math.floor((low + high) / 2.0)
        if middle <= low or middle >= high:
            return side * low * unit
        if is_affordable(state, cell, side * middle * unit, price, reference, is_maker):
            low = middle
        else:
            high = middle


@inline
def shortage(state: State) -> Reason:
    """What an account of this kind is short of."""
    return Reason.INSUFFICIENT_CASH if state.rules[ACCOUNT] == AccountKind.CASH else Reason.INSUFFICIENT_MARGIN


@inline
def admitted_quantity(
    state: State, cell: int, quantity: float, price: float, reference: float, is_maker: bool
) -> tuple[float, Reason]:
    """The signed quantity the account takes of a fill, and the reason why it is less than asked (Reason.NONE where it is not)."""
    cuts = is_reducing_allowed(state, cell)
    taken, reason = quantity, Reason.NONE
    if state.rules[ACCOUNT] == AccountKind.CASH:
        held = state.positions.quantity[state.orders.slot[cell]]
        if quantity < 0.0 and held + quantity < 0.0:
            reason = Reason.SHORT_NOT_ALLOWED
            taken = -max(held, 0.0) if cuts else 0.0
    if taken != 0.0 and not is_affordable(state, cell, taken, price, reference, is_maker):
        largest = largest_affordable(state, cell, taken, price, reference, is_maker)
        if abs(largest) < abs(taken) * (1.0 - NEARLY_WHOLE):  # less than that is rounding dust, and no cut
            reason = shortage(state)
            if not cuts or abs(largest) <= NEARLY_WHOLE * abs(quantity):
                largest = 0.0
        taken = largest
    return taken, reason


# ------------------------------------------------------------------------------------------------------- at acceptance
@inline
def reference_price(state: State, cell: int) -> float:
    """The price at which a new order is judged: its limit, else its stop, as far as they are known, else the mark."""
    terms, limit, stop = state.terms, state.terms.limit[cell], state.terms.stop[cell]
    if limit == limit and terms.limit_basis[cell] == Basis.PRICE:
        return limit
    if stop == stop and terms.stop_basis[cell] == Basis.PRICE:
        return stop
    return state.market.mark[state.orders.symbol[cell]]


@inline
def is_judged(state: State, cell: int) -> bool:
    """Whether the symbol has a mark, the order's quantity is known, and it does not wait for a parent."""
    mark = state.market.mark[state.orders.symbol[cell]]
    is_known = not is_resolved_at_fill(state, state.orders.sizing[cell])
    return mark == mark and is_known and state.links.parent[cell] == NONE


@inline
def reserve(state: State, cell: int) -> bool:
    """Whether free funds suffice for the order; what it holds back is noted."""
    orders, money, symbol = state.orders, state.money, state.orders.symbol[cell]
    quantity = orders.side[cell] * state.terms.quantity[cell]
    opening = abs(quantity) - abs(reducible(state, orders.slot[cell], quantity))
    if opening <= 0.0 or state.terms.reduce_only[cell] != 0:
        return True
    value = opening * abs(reference_price(state, cell)) * state.instruments.multiplier[symbol]
    is_cash = state.rules[ACCOUNT] == AccountKind.CASH
    need = value * (1.0 if is_cash else money[MARGIN_RATE]) + commission(state, symbol, opening, value)
    free = total_cash(state) if is_cash else equity(state) - money[MARGIN_RATE] * money[GROSS]
    for other in range(state.market.oldest.shape[0]):
        live = state.market.oldest[other]
        while live != NONE:
            free -= state.progress.reserved[live]
            live = state.links.after[live]
    if need > free:
        if not is_reducing_allowed(state, cell):
            return False
        need = max(free, 0.0)
    record_reserve(state, cell, need)
    return True


@inline
def running_cash_after(state: State, cell: int, cash: float) -> float:
    """The running cash after pretending to execute the order."""
    symbol = state.orders.symbol[cell]
    quantity = state.terms.quantity[cell]
    value = quantity * reference_price(state, cell) * state.instruments.multiplier[symbol]
    return cash - state.orders.side[cell] * value - commission(state, symbol, quantity, abs(value))


@inline
def sort_batch(state: State) -> None:
    """Reductions come first, in the order of submission; then the others (insertion: stable, and batches are short)."""
    batch, orders, front = state.batch, state.orders, 0
    for i in range(state.clock[BATCH]):
        number = batch[i]
        cell = state.places[number - 1]
        if cell >= 0 and state.positions.quantity[orders.slot[cell]] * orders.side[cell] < 0.0:
            for j in range(i, front, -1):
                batch[j] = batch[j - 1]
            batch[front] = number
            front += 1


@inline
def refusal(state: State, cell: int, running: float) -> tuple[Reason, float]:
    """Why a new order is rejected (Reason.NONE: it is not), and the running cash after it."""
    rule = state.rules[ADMISSION]
    lot = state.instruments.lot_size[state.orders.symbol[cell]]
    reason = Reason.NONE
    if is_explicit(state.orders.sizing[cell]) and not is_lot_multiple(state.terms.quantity[cell], lot):
        reason = Reason.NOT_A_LOT_MULTIPLE
    elif rule != Admission.NONE and is_judged(state, cell):
        if rule == Admission.RESERVE:
            if not reserve(state, cell):
                reason = shortage(state)
        else:
            running = running_cash_after(state, cell, running)
            if running < 0.0:
                reason = Reason.INSUFFICIENT_CASH
    return reason, running


@function(VOID)
def admit_batch(state: State) -> None:
    """Every order of this decision that is still wanted is accepted or rejected."""
    clock = state.clock
    if state.rules[BATCH_ORDER] == BatchOrder.REDUCTIONS_FIRST:
        sort_batch(state)
    running = total_cash(state)
    for i in range(clock[BATCH]):
        cell = state.places[state.batch[i] - 1]
        if cell < 0:  # cancelled in the decision that submitted it
            continue
        reason, running = refusal(state, cell, running)
        if reason != Reason.NONE:
            end_order(state, cell, clock[NOW], OrderState.REJECTED, reason)
        else:
            target = OrderState.ACCEPTED if state.links.parent[cell] == NONE else OrderState.PENDING
            transition(state, cell, clock[NOW], target, Reason.ADMITTED, NONE)
            if state.orders.tif[cell] == TimeInForce.GTD:
                push_timer(state, state.terms.until[cell], EXPIRY_TIMER, state.orders.id[cell])
    clock[BATCH] = 0
