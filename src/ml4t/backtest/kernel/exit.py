"""Orders with the exits of what they open, for strategies that are compiled (docs/semantics/orders.md, Exits)."""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import Basis, OrderState, OrderType, Origin, Ratchet, Sizing, TimeInForce
from ml4t.backtest.kernel.request import place
from ml4t.backtest.tables import (
    ACTIVATION,
    ACTIVATION_BASIS,
    BARS,
    BEFORE,
    DELAY,
    FRACTION,
    KIND,
    LIMIT_BASIS,
    NEVER,
    NONE,
    OCO,
    ORDER_POST_ONLY,
    PARENT,
    RATCHET,
    STOP_BASIS,
    TRAIL,
    TRAIL_IS_RATE,
    State,
)

NAN = float("nan")
# as numbers, for columns of floats
PRICE, FILL_RATE, FILL_AMOUNT, ON_PATH = (
    int(Basis.PRICE),
    int(Basis.FILL_RATE),
    int(Basis.FILL_AMOUNT),
    int(Ratchet.PATH),
)


@function(VOID, INT, FLOAT, FLOAT, INT, INT, INT, INT, cold=False)
def write_ticket(
    state: State, kind: int, activation: float, trail: float, is_rate: int, ratchet: int, post_only: int, bars: int
) -> None:
    """The ticket has these terms, absolute prices, and no kin."""
    ticket = state.ticket
    ticket[KIND] = kind
    ticket[LIMIT_BASIS] = PRICE
    ticket[STOP_BASIS] = PRICE
    ticket[ACTIVATION_BASIS] = PRICE
    ticket[ACTIVATION] = activation
    ticket[TRAIL] = trail
    ticket[TRAIL_IS_RATE] = is_rate
    ticket[RATCHET] = ratchet
    ticket[ORDER_POST_ONLY] = post_only
    ticket[DELAY] = 0.0
    ticket[BARS] = bars
    ticket[PARENT] = 0.0
    ticket[BEFORE] = 0.0
    ticket[OCO] = 0.0
    ticket[FRACTION] = 1.0


@inline
def is_exit(origin: int) -> bool:
    """Whether an order is an exit of a position."""
    return origin >= Origin.STOP_LOSS and origin <= Origin.MAX_BARS


@function(FLOAT, INT, INT)
def expected_position(state: State, symbol: int, origin: int) -> float:
    """The position as it will be once the live market orders have filled; exits and targets that a new one ends not counted."""
    orders, held = state.orders, state.positions.quantity[symbol]
    cell = state.market.oldest[symbol]
    while cell != NONE:
        counts = orders.type[cell] == OrderType.MARKET and orders.state[cell] != OrderState.PENDING
        superseded = origin == Origin.TARGET and orders.origin[cell] == Origin.TARGET
        if counts and not superseded and not is_exit(orders.origin[cell]):
            quantity = state.terms.quantity[cell]
            if orders.sizing[cell] == Sizing.CLOSE:
                held = 0.0
            elif quantity == quantity:
                held += orders.side[cell] * (quantity - state.progress.filled[cell])
        cell = state.links.after[cell]
    return held


@function(INT, INT)
def is_under_way(state: State, symbol: int) -> int:
    """Whether a live order of the symbol is more than an exit: 1 or 0."""
    cell = state.market.oldest[symbol]
    while cell != NONE:
        if not is_exit(state.orders.origin[cell]):
            return 1
        cell = state.links.after[cell]
    return 0


@inline
def only_closes(held: float, quantity: float) -> bool:
    """Whether a signed quantity leaves of the position nothing but a part; not where it is unknown (NaN)."""
    return held * quantity < 0.0 and abs(quantity) <= abs(held)


@inline
def place_exit(
    state: State, parent: int, first: int, symbol: int, side: int, limit: float, stop: float, origin: int, basis: int
) -> int:
    """The id of an exit of the parent's fills, in the group of `first` (0: a group of its own). The ticket has the rest."""
    ticket = state.ticket
    ticket[LIMIT_BASIS] = basis if limit == limit else PRICE
    ticket[STOP_BASIS] = basis if stop == stop else PRICE
    ticket[ACTIVATION_BASIS] = FILL_RATE if ticket[ACTIVATION] == ticket[ACTIVATION] else PRICE
    ticket[PARENT], ticket[OCO] = parent, first
    number = place(state, symbol, side, Sizing.PARENT, 1.0, limit, stop, TimeInForce.GTC, NEVER, 1, origin, NONE, 1)
    return first if first > 0 else number


@function(INT, INT, FLOAT, FLOAT, FLOAT, FLOAT, INT, INT, INT)
def place_exits(
    state: State,
    parent: int,
    stop_loss: float,
    take_profit: float,
    trail: float,
    break_even: float,
    max_bars: int,
    trail_is_rate: int,
    prices: int,
) -> int:
    """The parent has these exits (NaN, 0: without), rates from its fill; they cancel each other. The first one's id, or why there is none.

    `prices`: 1 where the stop-loss is a price and no rate, plus 2 where the take-profit is one.
    """
    cell = state.places[parent - 1]
    symbol, side = state.orders.symbol[cell], state.orders.side[cell]
    first = 0
    if stop_loss == stop_loss:
        write_ticket(state, OrderType.STOP, NAN, NAN, 0, ON_PATH, 0, 0)
        stop, basis = -side * stop_loss, FILL_RATE
        if prices & 1:
            stop, basis = stop_loss, PRICE
        first = place_exit(state, parent, first, symbol, -side, NAN, stop, Origin.STOP_LOSS, basis)
    if take_profit == take_profit:
        write_ticket(state, OrderType.LIMIT, NAN, NAN, 0, ON_PATH, 0, 0)
        limit, basis = side * take_profit, FILL_RATE
        if prices & 2:
            limit, basis = take_profit, PRICE
        first = place_exit(state, parent, first, symbol, -side, limit, NAN, Origin.TAKE_PROFIT, basis)
    if trail == trail:
        write_ticket(state, OrderType.TRAILING_STOP, NAN, trail, trail_is_rate, ON_PATH, 0, 0)
        first = place_exit(state, parent, first, symbol, -side, NAN, NAN, Origin.TRAILING_STOP, PRICE)
    if break_even == break_even:
        write_ticket(state, OrderType.STOP, side * break_even, NAN, 0, ON_PATH, 0, 0)
        first = place_exit(state, parent, first, symbol, -side, NAN, 0.0, Origin.BREAK_EVEN, FILL_AMOUNT)
    if max_bars > 0:
        write_ticket(state, OrderType.MARKET, NAN, NAN, 0, ON_PATH, 0, 0)
        state.ticket[DELAY] = max_bars
        first = place_exit(state, parent, first, symbol, -side, NAN, NAN, Origin.MAX_BARS, PRICE)
    return first
