"""The only writer of cash, positions, lots, trades, fills and journal (docs/semantics/ledger.md)."""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import JournalCause
from ml4t.backtest.tables import (
    FILLS,
    FREE_LOT,
    GROSS,
    HELD,
    JOURNAL,
    LOTS,
    MONTH,
    MONTH_VALUE,
    NET,
    NONE,
    NOW,
    POINTS,
    TRADES,
    UNCHECKED,
    VALUED,
    State,
)

NEARLY_FLAT = 1e-9  # relative to the larger of position and fill
OPENING = -2  # in place of a lot: the fill opens one


@inline
def closing_snap(held: float, quantity: float) -> float:
    """The fill's quantity, made exact where it leaves next to nothing of the position."""
    if held != 0.0 and abs(held + quantity) < NEARLY_FLAT * max(abs(held), abs(quantity)):
        return -held
    return quantity


@inline
def position_value(state: State, slot: int, quantity: float, price: float) -> float:
    """Value of a position at a price, in account currency."""
    symbol = state.positions.symbol[slot]
    return quantity * state.instruments.multiplier[symbol] * (price - state.positions.basis[slot])


@inline
def marked_value(state: State, slot: int) -> float:
    """Value of the slot's position at its mark, 0 when flat."""
    quantity = state.positions.quantity[slot]
    if quantity == 0.0:
        return 0.0
    return position_value(state, slot, quantity, state.market.mark[state.positions.symbol[slot]])


@inline
def post(state: State, time: int, symbol: int, cause: int, fill: int, amount: float) -> None:
    """Cash has changed by `amount`, and the journal says why."""
    journal, n = state.journal, state.clock[JOURNAL]
    currency = state.instruments.currency[symbol]
    state.cash[currency] += amount
    journal.time[n] = time
    journal.currency[n] = currency
    journal.cause[n] = cause
    journal.fill[n] = fill
    journal.symbol[n] = symbol
    journal.amount[n] = amount
    state.clock[JOURNAL] = n + 1


@inline
def open_lot(state: State, slot: int, fill: int, quantity: float) -> None:
    """A new lot is the slot's newest."""
    lots, positions, clock = state.lots, state.positions, state.clock
    lot = clock[FREE_LOT]
    clock[FREE_LOT] = lots.next[lot]
    clock[LOTS] += 1
    lots.fill[lot] = fill
    lots.quantity[lot] = quantity
    lots.next[lot] = NONE
    if positions.oldest_lot[slot] == NONE:
        positions.oldest_lot[slot] = lot
    else:
        lots.next[positions.newest_lot[slot]] = lot
    positions.newest_lot[slot] = lot


@inline
def close_lots(state: State, slot: int, fill: int, quantity: float, everything: bool) -> None:
    """Lots worth `quantity` are closed, the oldest first, and each is a trade. `everything`: no lot is left, whatever rounding says."""
    lots, positions, trades, clock = state.lots, state.positions, state.trades, state.clock
    left = quantity
    lot = positions.oldest_lot[slot]
    while lot != NONE and (everything or left > NEARLY_FLAT * quantity):
        following = lots.next[lot]
        closes = everything or lots.quantity[lot] <= left * (1.0 + NEARLY_FLAT)
        part = lots.quantity[lot] if closes else left
        n = clock[TRADES]
        trades.slot[n] = slot
        trades.entry_fill[n] = lots.fill[lot]
        trades.exit_fill[n] = fill
        trades.quantity[n] = part
        clock[TRADES] = n + 1
        left -= part
        if not closes:
            lots.quantity[lot] -= part
            break
        lots.next[lot] = clock[FREE_LOT]
        clock[FREE_LOT] = lot
        clock[LOTS] -= 1
        lot = following
    positions.oldest_lot[slot] = lot
    if lot == NONE:
        positions.newest_lot[slot] = NONE


@inline
def side_of(state: State, lot: int) -> int:
    """+1 for a lot that is long, -1 for one that is short."""
    return 1 if state.fills.quantity[state.lots.fill[lot]] > 0.0 else -1


@inline
def lot_opened_by(state: State, slot: int, fill: int) -> int:
    """The open lot that this fill has opened, NONE where there is none any more."""
    lot = state.positions.oldest_lot[slot]
    while lot != NONE and state.lots.fill[lot] != fill:
        lot = state.lots.next[lot]
    return lot


@inline
def close_lot(state: State, slot: int, lot: int, fill: int, quantity: float) -> None:
    """So many units of this lot are closed."""
    lots, positions, trades, clock = state.lots, state.positions, state.trades, state.clock
    n = clock[TRADES]
    trades.slot[n] = slot
    trades.entry_fill[n] = lots.fill[lot]
    trades.exit_fill[n] = fill
    trades.quantity[n] = quantity
    clock[TRADES] = n + 1
    if quantity < lots.quantity[lot] * (1.0 - NEARLY_FLAT):
        lots.quantity[lot] -= quantity
        return
    before = positions.oldest_lot[slot]
    if before == lot:
        before = NONE
        positions.oldest_lot[slot] = lots.next[lot]
    else:
        while lots.next[before] != lot:
            before = lots.next[before]
        lots.next[before] = lots.next[lot]
    if positions.newest_lot[slot] == lot:
        positions.newest_lot[slot] = before
    lots.next[lot] = clock[FREE_LOT]
    clock[FREE_LOT] = lot
    clock[LOTS] -= 1


@inline
def hold(state: State, slot: int) -> None:
    """The slot is among those with a position."""
    state.positions.held_at[slot] = state.clock[HELD]
    state.held[state.clock[HELD]] = slot
    state.clock[HELD] += 1


@inline
def release(state: State, slot: int) -> None:
    """The slot is no longer among those with a position."""
    positions, held = state.positions, state.held
    last = state.clock[HELD] - 1
    moved = held[last]
    held[positions.held_at[slot]] = moved
    positions.held_at[moved] = positions.held_at[slot]
    positions.held_at[slot] = NONE
    state.clock[HELD] = last


@inline
def apply(state: State, slot: int, fill: int, quantity: float, price: float) -> None:
    """The position after a fill: increase, reduce, close or flip."""
    positions = state.positions
    held = positions.quantity[slot]
    now = held + quantity
    if held * quantity >= 0.0:  # increase
        average = positions.average_price[slot]
        grown = (average * abs(held) + price * abs(quantity)) / abs(now)
        positions.average_price[slot] = price if held == 0.0 else grown  # (102 q) / q may be 101.99999999999999
        open_lot(state, slot, fill, abs(quantity))
        if held == 0.0:
            hold(state, slot)
    else:
        closed = min(abs(quantity), abs(held))
        profit = position_value(state, slot, closed, price) - position_value(
            state, slot, closed, positions.average_price[slot]
        )
        positions.realized[slot] += profit if held > 0.0 else -profit
        close_lots(state, slot, fill, closed, now * held <= 0.0)
        if now == 0.0:  # close
            positions.average_price[slot] = 0.0
            release(state, slot)
        elif now * held < 0.0:  # flip
            positions.average_price[slot] = price
            open_lot(state, slot, fill, abs(now))
    positions.quantity[slot] = now


@function(VOID, INT, INT, FLOAT, FLOAT, INT)
def apply_to_lot(state: State, slot: int, fill: int, quantity: float, price: float, lot: int) -> None:
    """The position after a fill that closes units of one lot, or opens a new one (OPENING). Its average is that of its lots, net."""
    positions, lots = state.positions, state.lots
    held = positions.quantity[slot]
    now = held + quantity
    if lot == OPENING:
        open_lot(state, slot, fill, abs(quantity))
    else:
        entry = state.fills.price[lots.fill[lot]]
        positions.realized[slot] += position_value(state, slot, -quantity, price) - position_value(
            state, slot, -quantity, entry
        )
        close_lot(state, slot, lot, fill, abs(quantity))
    net, cost, at = 0.0, 0.0, positions.oldest_lot[slot]
    while at != NONE:
        part = side_of(state, at) * lots.quantity[at] if lots.fill[at] != fill else quantity
        net += part
        cost += part * (state.fills.price[lots.fill[at]] if lots.fill[at] != fill else price)
        at = lots.next[at]
    if positions.oldest_lot[slot] == NONE or abs(now) < NEARLY_FLAT * abs(quantity):
        now = 0.0
    positions.average_price[slot] = cost / net if now != 0.0 and net != 0.0 else 0.0
    if held == 0.0 and now != 0.0:
        hold(state, slot)
    elif held != 0.0 and now == 0.0:
        release(state, slot)
    positions.quantity[slot] = now


@inline
def begin_month(state: State, row: int) -> None:
    """The value traded this month is that of the bar's month, or a later one. Before the commission of a fill on it is asked for."""
    month = state.conditions.month
    if month.shape[0] > 0 and month[row] > state.clock[MONTH]:
        state.clock[MONTH] = month[row]
        state.money[MONTH_VALUE] = 0.0


@inline
def record_month(state: State, row: int, value: float) -> None:
    """The value traded this month has grown by that of a fill on this bar."""
    begin_month(state, row)
    state.money[MONTH_VALUE] += abs(value)


@function(INT, INT, INT, INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, FLOAT, INT)
def book_fill(
    state: State,
    order: int,
    symbol: int,
    slot: int,
    time: int,
    row: int,
    segment: int,
    quantity: float,
    price: float,
    reference: float,
    commission: float,
    lot: int,
) -> int:
    """One execution is in the books: position, cash, journal, lots, trades, marks and the fill itself. Returns the fill's number.

    `lot`: the one that it closes, OPENING: it opens one; NONE: it closes the oldest and opens what is over.
    """
    clock, fills, money = state.clock, state.fills, state.money
    fill = clock[FILLS]
    before = marked_value(state, slot)
    value = quantity * price * state.instruments.multiplier[symbol]
    if lot == NONE:
        apply(state, slot, fill, quantity, price)
    else:
        apply_to_lot(state, slot, fill, quantity, price, lot)
    post(state, time, symbol, JournalCause.FILL, fill, -value)
    if commission != 0.0:
        post(state, time, symbol, JournalCause.COMMISSION, fill, -commission)
    state.market.mark[symbol] = reference
    after = marked_value(state, slot)
    money[NET] += after - before
    money[GROSS] += abs(after) - abs(before)
    fills.order[fill] = order
    fills.symbol[fill] = symbol
    fills.slot[fill] = slot
    fills.time[fill] = time
    fills.row[fill] = row
    fills.segment[fill] = segment
    fills.quantity[fill] = quantity
    fills.price[fill] = price
    fills.reference[fill] = reference
    fills.commission[fill] = commission
    state.aftermath.position[fill] = state.positions.quantity[slot]
    state.aftermath.cash[fill] = state.cash[state.instruments.currency[symbol]]
    record_month(state, row, value)
    clock[FILLS] = fill + 1
    clock[UNCHECKED] = 1
    return fill


@inline
def forgive(state: State, time: int) -> None:
    """What the account owes is forgiven, what little it has is taken: cash is 0."""
    for currency in range(state.cash.shape[0]):
        amount, n = -state.cash[currency], state.clock[JOURNAL]
        if amount != 0.0:
            state.cash[currency] = 0.0
            state.journal.time[n] = time
            state.journal.currency[n] = currency
            state.journal.cause[n] = JournalCause.FORGIVEN
            state.journal.fill[n] = NONE
            state.journal.symbol[n] = NONE
            state.journal.amount[n] = amount
            state.clock[JOURNAL] = n + 1


@function(VOID)
def revalue(state: State) -> None:
    """Net and gross exposure are the sums over all positions at their marks, exactly."""
    net = 0.0
    gross = 0.0
    for i in range(state.clock[HELD]):
        value = marked_value(state, state.held[i])
        net += value
        gross += abs(value)
    state.money[NET] = net
    state.money[GROSS] = gross
    state.clock[VALUED] = state.clock[FILLS]


@inline
def total_cash(state: State) -> float:
    """Cash over all currencies, in account currency."""
    cash = state.cash[0]
    for i in range(1, state.cash.shape[0]):
        cash += state.cash[i]
    return cash


@inline
def equity(state: State) -> float:
    """Cash and positions at their marks, in account currency."""
    return total_cash(state) + state.money[NET]


@function(VOID)
def count_stale_marks(state: State) -> None:
    """Every held position whose mark is older than now has one stale mark more."""
    for i in range(state.clock[HELD]):
        slot = state.held[i]
        row = state.market.row[state.positions.symbol[slot]]
        if row == NONE or state.bars.end[row] < state.clock[NOW]:
            state.positions.stale_marks[slot] += 1


@inline
def record_equity(state: State) -> None:
    """The equity point of this instant is written, stale marks are counted."""
    clock, curve = state.clock, state.curve
    point = clock[POINTS]
    if clock[VALUED] != clock[FILLS]:  # something was filled since the marks
        revalue(state)
    if clock[HELD] > 0:
        count_stale_marks(state)
    curve.cash[point] = total_cash(state)
    curve.net[point] = state.money[NET]
    curve.gross[point] = state.money[GROSS]
    clock[POINTS] = point + 1
