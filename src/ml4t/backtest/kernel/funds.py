"""What an account without margin can pay: cash, the proceeds of shorts, and what of them is locked (docs/semantics/account.md)."""

from ml4t.backtest._jit import FLOAT, INT, function, inline
from ml4t.backtest.enums import AccountKind, Sizing
from ml4t.backtest.kernel.cost import fill_commission
from ml4t.backtest.kernel.ledger import total_cash
from ml4t.backtest.kernel.quantity import reducible
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE
from ml4t.backtest.tables import ACCOUNT, GROSS, HELD, PARTLY_PAID, VALUED, State


@function(FLOAT)
def debt(state: State) -> float:
    """What all shorts together were sold for."""
    owed = 0.0
    for i in range(state.clock[HELD]):
        slot = state.held[i]
        if state.positions.quantity[slot] < 0.0:
            owed += debt_of(state, slot, state.positions.quantity[slot])
    return owed


@inline
def debt_of(state: State, slot: int, quantity: float) -> float:
    """What a short of `quantity` (signed) was sold for, at the position's average price; 0 for what is no short."""
    unit = state.positions.average_price[slot] * state.instruments.multiplier[state.positions.symbol[slot]]
    return max(-quantity, 0.0) * unit


@inline
def free_cash(state: State) -> float:
    """Cash without the proceeds of shorts, and without as much again."""
    return total_cash(state) - 2.0 * debt(state)


@inline
def free_change(state: State, slot: int, quantity: float, price: float) -> float:
    """By how much a fill of this signed quantity changes what is locked: less than 0 where it locks more."""
    held = state.positions.quantity[slot]
    owed = debt_of(state, slot, held)
    if quantity > 0.0:
        return 2.0 * (owed - debt_of(state, slot, held + quantity))
    sold = max(-(held + quantity), 0.0) - max(-held, 0.0)
    return -2.0 * sold * price * state.instruments.multiplier[state.positions.symbol[slot]]


@inline
def cost(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> float:
    """What a fill of this signed quantity takes from cash: its value and its commission."""
    value = quantity * price * state.instruments.multiplier[state.orders.symbol[cell]]
    return value + fill_commission(state, cell, quantity, price, is_maker)


@inline
def has_cash(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether cash stays at 0 or above after this fill."""
    symbol = state.orders.symbol[cell]
    cash = state.cash[state.instruments.currency[symbol]]
    value = quantity * price * state.instruments.multiplier[symbol]
    return cash - value - fill_commission(state, cell, quantity, price, is_maker) >= 0.0


@inline
def has_free_cash(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether free cash pays for this fill.

    - A sale that may only reduce: as far as the position goes. So is one where selling all of a long position leaves nothing free, the
      fixed commission aside.
    - Any other sale from a long position: free cash is not below 0 after it; each unit left counts as bought back from a short.
    - A purchase where covering all of the short leaves free cash: it costs no more than what is free then.
    - Any other purchase on a short: no further than to where free cash is 0, if every unit of it freed what a unit of the short locks.
    - Else free cash is not below 0 after it.
    """
    slot = state.orders.slot[cell]
    held, free = state.positions.quantity[slot], free_cash(state)
    if quantity < 0.0 and held > 0.0:
        is_closing = state.terms.reduce_only[cell] != 0 or state.orders.sizing[cell] == Sizing.CLOSE
        fixed = state.costs.fixed[state.positions.symbol[slot]]
        if is_closing or free - cost(state, cell, -held, price, is_maker) + fixed <= 0.0:
            return held + quantity >= 0.0
        short = (held + quantity) * price * state.instruments.multiplier[state.positions.symbol[slot]]
        return free + 2.0 * short - cost(state, cell, quantity, price, is_maker) >= 0.0
    if quantity > 0.0 and held < 0.0:
        freed, whole = 2.0 * debt_of(state, slot, held), cost(state, cell, -held, price, is_maker)
        if free + freed > whole:
            return cost(state, cell, quantity, price, is_maker) <= free + freed
        left = free - freed * quantity / held - cost(state, cell, quantity, price, is_maker)
        frees_more = freed > cost(state, cell, -2.0 * held, price, is_maker) - whole
        return left <= 0.0 if frees_more else left >= 0.0
    return free + free_change(state, slot, quantity, price) - cost(state, cell, quantity, price, is_maker) >= 0.0


@inline
def is_too_little(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether this fill is a sale that would bring less than its commission, where proceeds must cover it."""
    rule = state.rules[ACCOUNT]
    has_rule = rule == AccountKind.PROCEEDS or rule == AccountKind.LOCKED_PROCEEDS
    return has_rule and quantity < 0.0 and cost(state, cell, quantity, price, is_maker) > 0.0


@function(INT, INT, FLOAT, FLOAT, INT)
def has_proceeds(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether an account that spends the proceeds of its shorts takes this fill.

    - A sale brings at least what it costs.
    - A purchase leaves cash at 0 or above.
    - Where proceeds are locked, and for a short that is sized by funds, free cash is not below 0 after it.
    """
    if quantity > 0.0:
        if not has_cash(state, cell, quantity, price, is_maker):
            return False
    elif is_too_little(state, cell, quantity, price, is_maker):
        return False
    is_locked = state.rules[ACCOUNT] == AccountKind.LOCKED_PROCEEDS
    if is_locked or (quantity < 0.0 and state.orders.sizing[cell] == Sizing.FUNDS):
        return has_free_cash(state, cell, quantity, price, is_maker)
    return True


# -------------------------------------------------------------------------------------------- positions not paid in full
@inline
def tied(state: State, symbol: int, quantity: float, price: float) -> float:
    """What a position of so many signed units, entered at this price, takes from free cash; below 0 where it brings some."""
    instruments = state.instruments
    rate = instruments.long_rate[symbol] if quantity > 0.0 else instruments.short_rate[symbol]
    return abs(quantity) * (instruments.margin[symbol] + rate * price * instruments.multiplier[symbol])


@inline
def base_price(state: State, slot: int) -> float:
    """Up to which price the gains of a position are free cash: on margin that of its last opening, or the close since; else its average."""
    symbol = state.positions.symbol[slot]
    if state.instruments.on_margin[symbol] == 0:
        return state.positions.average_price[slot]
    opening, last = state.lots.fill[state.positions.newest_lot[slot]], state.market.row[symbol]
    is_settled = opening < state.clock[VALUED] and state.fills.row[opening] <= last
    return state.bars.close[last] if is_settled else state.fills.price[opening]


@function(FLOAT)
def free_balance(state: State) -> float:
    """Cash, were every position paid as its instrument says."""
    free = total_cash(state)
    for i in range(state.clock[HELD]):
        slot = state.held[i]
        symbol, quantity = state.positions.symbol[slot], state.positions.quantity[slot]
        free += quantity * base_price(state, slot) * state.instruments.multiplier[symbol]
        free -= tied(state, symbol, quantity, state.positions.average_price[slot])
    return free


@function(FLOAT, INT, FLOAT, FLOAT, INT)
def balance_after(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> float:
    """Free cash after this fill, what is left of the position not yet settled at its price."""
    slot, symbol = state.orders.slot[cell], state.orders.symbol[cell]
    closed = reducible(state, slot, quantity)
    free = free_balance(state) - fill_commission(state, cell, quantity, price, is_maker)
    if closed != 0.0:
        free += tied(state, symbol, -closed, state.positions.average_price[slot])
        free -= closed * (price - base_price(state, slot)) * state.instruments.multiplier[symbol]
    return free - tied(state, symbol, quantity - closed, price)


@function(INT, INT, FLOAT, FLOAT, INT)
def has_balance(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> bool:
    """Whether this fill only closes, or leaves cash at 0 or above; of a short that is sized by funds, free cash, too."""
    held = state.positions.quantity[state.orders.slot[cell]]
    if held * quantity < 0.0 and abs(quantity) <= abs(held):
        return True
    is_limited = quantity < 0.0 and state.orders.sizing[cell] == Sizing.FUNDS
    if is_limited and not has_free_cash(state, cell, quantity, price, is_maker):
        return False
    if state.rules[PARTLY_PAID] != 0:
        return balance_after(state, cell, quantity, price, is_maker) >= 0.0
    return has_cash(state, cell, quantity, price, is_maker)


@inline
def without_dust(state: State, amount: float) -> float:
    """The amount; 0 where it is below 0, or next to nothing beside cash and positions."""
    return amount if amount > NEARLY_WHOLE * (abs(total_cash(state)) + state.money[GROSS]) else 0.0
