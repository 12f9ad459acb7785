"""What the account takes: at the fill always, at acceptance by rule (docs/semantics/account.md)."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import (
    AccountKind,
    Admission,
    Basis,
    BatchOrder,
    LotRule,
    OrderState,
    OrderType,
    Reason,
    Shortfall,
    Sizing,
    TimeInForce,
)
from ml4t.backtest.kernel.clock import EXPIRY_TIMER, push_timer
from ml4t.backtest.kernel.cost import commission, fill_commission
from ml4t.backtest.kernel.funds import (
    balance_after,
    cost,
    free_balance,
    free_cash,
    has_balance,
    has_cash,
    has_proceeds,
    is_too_little,
    tied,
    without_dust,
)
from ml4t.backtest.kernel.group import end_order
from ml4t.backtest.kernel.ledger import equity, marked_value, position_value, total_cash
from ml4t.backtest.kernel.orders import transition
from ml4t.backtest.kernel.quantity import (
    frozen_equity,
    is_explicit,
    is_resolved_at_fill,
    is_target,
    lot_asked,
    reducible,
)
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE, floored, is_lot_multiple, steps_down, towards_zero
from ml4t.backtest.kernel.terms import exchange_ranks, record_reserve
from ml4t.backtest.queue_rule import ExpiryRule, LinkRule
from ml4t.backtest.tables import (
    ACCOUNT,
    ADMISSION,
    BATCH,
    BATCH_ORDER,
    EXPIRY,
    GROSS,
    LINKS,
    LOT_RULE,
    MARGIN_RATE,
    NET,
    NONE,
    NOW,
    PARTLY_PAID,
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
    if state.rules[ACCOUNT] == AccountKind.UNCHECKED:
        return True
    if state.rules[ACCOUNT] == AccountKind.BALANCE:
        return has_balance(state, cell, quantity, price, is_maker)
    if state.rules[ACCOUNT] == AccountKind.CASH:
        return has_cash(state, cell, quantity, price, is_maker)
    if state.rules[ACCOUNT] != AccountKind.MARGIN:
        return has_proceeds(state, cell, quantity, price, is_maker)
    return has_margin(state, cell, quantity, price, reference, is_maker)


@function(FLOAT, INT, FLOAT, FLOAT, FLOAT, FLOAT, INT)
def largest_affordable(
    state: State, cell: int, quantity: float, price: float, reference: float, budget: float, is_maker: bool
) -> float:
    """The largest part of an unaffordable signed quantity that the account can pay for, and that costs no more than `budget`.

    By bisection over lots or floats; what is too little for its commission is below the part sought, not above it.
    """
    lot = lot_asked(state, state.orders.symbol[cell])
    side = math.copysign(1.0, quantity)
    low, high = 0.0, abs(quantity) if lot == 0.0 else steps_down(abs(quantity), lot) + 1.0
    unit = 1.0 if lot == 0.0 else lot
    while True:
        middle = low + (high - low) / 2.0 if lot == 0.0 else math.floor((low + high) / 2.0)
        if middle <= low or middle >= high:
            largest = side * low * unit
            return 0.0 if is_too_little(state, cell, largest, price, is_maker) else largest
        part = side * middle * unit
        is_within = budget == math.inf or cost(state, cell, part, price, is_maker) <= budget
        is_below = is_too_little(state, cell, part, price, is_maker)
        if is_below or (is_within and is_affordable(state, cell, part, price, reference, is_maker)):
            low = middle
        else:
            high = middle


@inline
def shortage(state: State) -> Reason:
    """What an account of this kind is short of."""
    return Reason.INSUFFICIENT_MARGIN if state.rules[ACCOUNT] == AccountKind.MARGIN else Reason.INSUFFICIENT_CASH


@function(FLOAT, INT, FLOAT, FLOAT, FLOAT, INT)
def funded(state: State, cell: int, side: float, price: float, reference: float, is_maker: bool) -> float:
    """The signed quantity of an order that is sized by funds."""
    held = state.positions.quantity[state.orders.slot[cell]]
    unit = price * state.instruments.multiplier[state.orders.symbol[cell]]
    share, is_reducing = min(state.terms.request[cell], 1.0), state.terms.reduce_only[cell] != 0
    lot = lot_asked(state, state.orders.symbol[cell])
    is_partly_paid = state.rules[PARTLY_PAID] != 0
    cash = free_balance(state) if is_partly_paid else total_cash(state)
    if side < 0.0 and is_reducing:
        return -towards_zero(share * max(held, 0.0), lot)
    if (
        state.rules[ACCOUNT] == AccountKind.UNCHECKED
        or not unit > 0.0
        or (side > 0.0 and without_dust(state, cash) == 0.0)
    ):
        return 0.0
    most = cash / unit + 2.0 * abs(held)
    if is_partly_paid and tied(state, state.orders.symbol[cell], side, price) > 0.0:
        back = reducible(state, state.orders.slot[cell], side * abs(held))
        free = balance_after(state, cell, back, price, is_maker)
        most = abs(held) + 2.0 * free / tied(state, state.orders.symbol[cell], side, price)
    if state.rules[ACCOUNT] == AccountKind.MARGIN:
        most += (abs(state.money[NET]) + state.money[GROSS]) / unit
        most /= state.money[MARGIN_RATE]
    elif side < 0.0 and state.rules[ACCOUNT] == AccountKind.CASH:
        most = max(held, 0.0)
    if not most > 0.0:
        return 0.0
    largest = side * towards_zero(most, lot)
    if not is_affordable(state, cell, largest, price, reference, is_maker):
        largest = largest_affordable(state, cell, largest, price, reference, math.inf, is_maker)
    if side < 0.0:
        return towards_zero(share * largest, lot)
    if share < 1.0:
        budget = share * cost(state, cell, largest, price, is_maker)
        largest = largest_affordable(state, cell, largest, price, reference, budget, is_maker)
    return min(largest, max(-held, 0.0)) if is_reducing else largest


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
        if state.rules[ACCOUNT] == AccountKind.BALANCE and not cuts:
            return reducible(state, state.orders.slot[cell], quantity), Reason.INSUFFICIENT_CASH
        largest = largest_affordable(state, cell, taken, price, reference, math.inf, is_maker)
        if abs(largest) < abs(taken) * (1.0 - NEARLY_WHOLE):  # less than that is rounding dust, and no cut
            reason = shortage(state)
            if not cuts or abs(largest) <= NEARLY_WHOLE * abs(quantity):
                largest = 0.0
            elif state.rules[LOT_RULE] == LotRule.FLOOR:
                largest = floored(largest, state.instruments.lot_size[state.orders.symbol[cell]])
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
    is_alone = state.links.parent[cell] == NONE or state.rules[LINKS] == LinkRule.TOGETHER
    return mark == mark and is_known and is_alone


@inline
def reserve(state: State, cell: int) -> bool:
    """Whether free funds suffice for the order; what it holds back is noted."""
    orders, money, symbol = state.orders, state.money, state.orders.symbol[cell]
    quantity = orders.side[cell] * state.terms.quantity[cell]
    opening = abs(quantity) - abs(reducible(state, orders.slot[cell], quantity))
    if opening <= 0.0 or state.terms.reduce_only[cell] != 0:
        return True
    value = opening * abs(reference_price(state, cell)) * state.instruments.multiplier[symbol]
    is_cash = state.rules[ACCOUNT] != AccountKind.MARGIN
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
def pretended_price(state: State, cell: int, first: int, last: int) -> float:
    """Where a new order is pretended to be executed: its stop, else its limit, as far as known, the open of its bar, or the mark."""
    terms, stop, symbol = state.terms, state.terms.stop[cell], state.orders.symbol[cell]
    if stop == stop and terms.stop_basis[cell] == Basis.PRICE:
        return stop
    if state.orders.type[cell] == OrderType.MARKET:
        for row in range(first, last):
            if state.bars.symbol[row] == symbol:
                return state.bars.open[row]
    return reference_price(state, cell)


@inline
def running_cash_after(state: State, cell: int, cash: float, first: int, last: int) -> float:
    """The running cash after pretending to execute the order."""
    symbol = state.orders.symbol[cell]
    quantity, price = state.terms.quantity[cell], pretended_price(state, cell, first, last)
    value = quantity * price * state.instruments.multiplier[symbol]
    if state.rules[PARTLY_PAID] != 0:
        before = state.market.pretended[symbol]
        after = before + state.orders.side[cell] * quantity
        state.market.pretended[symbol] = after
        taken = tied(state, symbol, after, price) - tied(state, symbol, before, price)
    else:
        taken = state.orders.side[cell] * value
    return cash - taken - commission(state, symbol, quantity, abs(value))


@inline
def approximate_value(state: State, cell: int) -> float:
    """What an order comes to at the mark, signed; NaN where that is not known."""
    slot, side = state.orders.slot[cell], state.orders.side[cell]
    mark = state.market.mark[state.orders.symbol[cell]]
    unit = mark * state.instruments.multiplier[state.orders.symbol[cell]]
    held, request, sizing = state.positions.quantity[slot] * unit, state.terms.request[cell], state.orders.sizing[cell]
    if sizing == Sizing.CLOSE:
        return -held
    if sizing == Sizing.FUNDS:
        if request == math.inf:
            return side * request
        if side > 0:
            return request * without_dust(state, total_cash(state))
        if state.terms.reduce_only[cell] != 0:
            return -request * held
        return -request * (2.0 * max(held, 0.0) + without_dust(state, free_cash(state)))
    value = request
    if sizing == Sizing.QUANTITY or sizing == Sizing.TARGET_QUANTITY:
        value = request * unit
    elif sizing == Sizing.PERCENT or sizing == Sizing.TARGET_PERCENT:
        value = request * frozen_equity(state)
    elif sizing == Sizing.PARENT:
        return math.nan
    return value - held if is_target(sizing) else side * value


@inline
def sort_batch_by_value(state: State) -> None:
    """The smallest approximate value comes first (sales are negative), NaN last; the ranks of the batch are handed out anew."""
    batch, n = state.batch, state.clock[BATCH]
    for i in range(1, n):
        number = batch[i]
        cell, j = state.places[number - 1], i
        if cell < 0:
            continue
        value = approximate_value(state, cell)
        while j > 0 and value == value:
            other = state.places[batch[j - 1] - 1]
            if other >= 0 and approximate_value(state, other) <= value:
                break
            batch[j] = batch[j - 1]
            j -= 1
        batch[j] = number
    for i in range(n):
        for j in range(i + 1, n):
            cell, other = state.places[batch[i] - 1], state.places[batch[j] - 1]
            if cell >= 0 and other >= 0 and state.progress.rank[other] < state.progress.rank[cell]:
                exchange_ranks(state, cell, other)


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
def refusal(state: State, cell: int, running: float, first: int, last: int) -> tuple[Reason, float]:
    """Why a new order is rejected (Reason.NONE: it is not), and the running cash after it."""
    rule = state.rules[ADMISSION]
    lot = state.instruments.lot_size[state.orders.symbol[cell]]
    reason = Reason.NONE
    is_strict = state.rules[LOT_RULE] == LotRule.REJECT
    if is_strict and is_explicit(state.orders.sizing[cell]) and not is_lot_multiple(state.terms.quantity[cell], lot):
        reason = Reason.NOT_A_LOT_MULTIPLE
    elif rule != Admission.NONE and is_judged(state, cell):
        if rule == Admission.RESERVE:
            if not reserve(state, cell):
                reason = shortage(state)
        else:
            running = running_cash_after(state, cell, running, first, last)
            if running < 0.0:
                reason = Reason.INSUFFICIENT_CASH
    return reason, running


@function(VOID, INT, INT)
def admit_batch(state: State, first: int, last: int) -> None:
    """Every order of this decision that is still wanted is accepted or rejected; those at the market are judged at the bars first:last."""
    clock = state.clock
    if state.rules[BATCH_ORDER] == BatchOrder.REDUCTIONS_FIRST:
        sort_batch(state)
    elif state.rules[BATCH_ORDER] == BatchOrder.VALUE:
        sort_batch_by_value(state)
    running = total_cash(state)
    if state.rules[PARTLY_PAID] != 0:
        running = free_balance(state)
        for symbol in range(state.market.pretended.shape[0]):
            state.market.pretended[symbol] = state.positions.quantity[symbol]
    for i in range(clock[BATCH]):
        cell = state.places[state.batch[i] - 1]
        if cell < 0:  # cancelled in the decision that submitted it
            continue
        reason, running = refusal(state, cell, running, first, last)
        if reason != Reason.NONE:
            end_order(state, cell, clock[NOW], OrderState.REJECTED, reason)
        else:
            target = OrderState.ACCEPTED if state.links.parent[cell] == NONE else OrderState.PENDING
            transition(state, cell, clock[NOW], target, Reason.ADMITTED, NONE)
            if state.orders.tif[cell] == TimeInForce.GTD and state.rules[EXPIRY] == ExpiryRule.TIME:
                push_timer(state, state.terms.until[cell], EXPIRY_TIMER, state.orders.id[cell])
    clock[BATCH] = 0
