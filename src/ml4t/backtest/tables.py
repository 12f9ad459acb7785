"""The state: NamedTuples of plain arrays, each field with its shape and unit, and their allocation.

Letters: K instants, N execution bars, M information rows, A symbols, S position slots (= A when netting), C currencies, Q series
((stream, symbol) pairs), T commission tiers. Growable tables: B book cells, Z closed orders, I order ids, F fills, E events, J journal
entries, R trades, L lots, W timers. Times are UTC nanoseconds; prices per unit; values and cash in account currency.
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

F8 = Annotated[NDArray[np.float64], "f8"]
I8 = Annotated[NDArray[np.int64], "i8"]
I4 = Annotated[NDArray[np.int32], "i4"]
I1 = Annotated[NDArray[np.int8], "i1"]

NONE = -1
NEVER = np.iinfo(np.int64).max
UNSET = np.iinfo(np.int64).min


# ---------------------------------------------------------------------------------------------------- input, read-only
class Bars(NamedTuple):
    """Execution bars, sorted by (end, symbol)."""

    symbol: I4  # [N] index into the universe
    start: I8  # [N]
    end: I8  # [N]
    session_close: I8  # [N]
    open: F8  # [N]
    high: F8  # [N]
    low: F8  # [N]
    close: F8  # [N]
    volume: F8  # [N] units
    ordinal: I4  # [N] number of the bar among its symbol's bars, from 0
    session_edge: I1  # [N] 1: first bar of its symbol's session, 2: last, 3: both


class FinerBars(NamedTuple):
    """Finer bars inside execution bars, in order of (bar, time)."""

    first: I8  # [N + 1] those of row r are first[r]:first[r + 1]; [0] where there are none at all
    open: F8
    high: F8
    low: F8
    close: F8


class Conditions(NamedTuple):
    """What was known of a symbol before each of its bars. [N] where a rule of the run needs it, else [0]."""

    volatility: F8  # [N] daily, standard deviation of log returns
    average_volume: F8  # [N] units a day
    allowance_volume: F8  # [N] units, of which `fills.participation.share` may be filled
    month: I4  # [N] number of the calendar month of the bar's session


class Timeline(NamedTuple):
    """The instants known before the run, and what happens at each. Rows of instant k are first[k]:first[k + 1]."""

    time: I8  # [K] increasing
    end_first: I4  # [K + 1] into Bars
    start_first: I4  # [K + 1] into start_row
    start_row: I4  # [N] rows of Bars sorted by (start, symbol)
    information_first: I4  # [K + 1] into Information


class Information(NamedTuple):
    """Rows of all information streams, sorted by (arrival, stream, row)."""

    stream: I4  # [M] 1, 2, ... (stream 0 are the execution bars)
    row: I8  # [M] row within its stream
    series: I4  # [M]


class Streams(NamedTuple):
    """Where the columns of a stream lie in the flat arrays of History. One entry a stream."""

    columns: I8  # number of columns; stream 0: only those after volume
    rows: I8
    source_first: I8  # column c of the stream is source[source_first + c * rows:][:rows]
    value_first: I8  # column c of the stream is value[value_first + c * rows:][:rows]
    wakes: I1  # 1: a row of this stream is a decision


class History(NamedTuple):
    """What a strategy may see: symbol-major columns, filled as time passes, 0 beyond now."""

    source: F8  # flat, columns of every stream in the order of its rows, read-only
    value: F8  # flat, columns of every stream in the order of its series
    begin: I8  # [Q] first row of the series
    known: I8  # [Q] one past the last known row of the series
    latest: F8  # [columns of the bars * A] last known value of column c of symbol a at c * A + a, NaN before the first


class Instruments(NamedTuple):
    """Terms of trade, one entry a symbol."""

    lot_size: F8  # [A] units, 0: any quantity
    tick_size: F8  # [A] price, 0: any price
    multiplier: F8  # [A] value of one unit at price 1
    currency: I4  # [A] index into cash
    final_row: I8  # [A] last row of Bars


class Costs(NamedTuple):
    """Parameters of the one commission and the one slippage formula, one entry a symbol."""

    fixed: F8  # [A] per order
    per_unit: F8  # [A]
    minimum: F8  # [A] per order
    maximum: F8  # [A] per order, inf: none
    cap_rate: F8  # [A] fraction of value, inf: none
    tier_first: I8  # [A + 1] into Tiers
    slippage_rate: F8  # [A] fraction of price
    slippage_amount: F8  # [A] price
    slippage_ticks: F8  # [A] ticks
    stop_rate: F8  # [A] further fraction of price, where a trigger caused the fill
    stop_ticks: F8  # [A] further ticks there
    is_conditional: I1  # [A] 1: one of the next four is not 0
    volume_impact: F8  # [A] fraction of price at a volume share of 1, times the share squared
    root_impact: F8  # [A] in daily volatilities, times the root of the share of a day's volume
    volatility_share: F8  # [A] fraction of daily volatility
    spread_share: F8  # [A] fraction of the difference between ask and bid
    buy_rate: F8  # [A] tax on buys, fraction of value
    sell_rate: F8  # [A] tax on sells
    sell_per_unit: F8  # [A] fee on sells ...
    sell_cap: F8  # [A] ... and its maximum per fill, inf: none
    by_fill: I1  # [A] 1: tiers are of fills and go by the month's traded value before, 0: of orders and their value


class Tiers(NamedTuple):
    """Commission rates by traded value."""

    up_to: F8  # [T] value, inf in the last tier of a symbol
    rate: F8  # [T]
    maker_rate: F8  # [T] for fills of orders that had rested; the rate itself where it makes no difference


# --------------------------------------------------------------------------------------------------------------- ledger
class Positions(NamedTuple):
    """One entry a slot. Written by `kernel.ledger` only."""

    symbol: I4  # [S]
    quantity: F8  # [S] signed units
    average_price: F8  # [S]
    realized: F8  # [S]
    basis: F8  # [S] price already paid for by settlement: 0 for what is paid in full
    held_at: I8  # [S] place in `held`, NONE when flat
    oldest_lot: I8  # [S] cell of Lots
    newest_lot: I8  # [S]
    stale_marks: I8  # [S] equity points at which the mark was older than the instant


class Lots(NamedTuple):
    """Open lots, linked oldest to newest by slot."""

    fill: I8  # [L] the fill that opened it
    quantity: F8  # [L] unsigned units left
    next: I8  # [L]


class Trades(NamedTuple):
    """A lot, or a part of one, with the fill that closed it."""

    slot: I4  # [R]
    entry_fill: I8  # [R]
    exit_fill: I8  # [R]
    quantity: F8  # [R] unsigned units


class Fills(NamedTuple):
    """Executions in the order in which they happened."""

    order: I8  # [F] order id
    symbol: I4  # [F]
    slot: I4  # [F]
    time: I8  # [F]
    row: I8  # [F] of Bars
    segment: I1  # [F] enums.Segment
    quantity: F8  # [F] signed units
    price: F8  # [F]
    reference: F8  # [F] price before slippage
    commission: F8  # [F]


class Aftermath(NamedTuple):
    """What a fill left behind."""

    position: F8  # [F] signed units in its slot
    cash: F8  # [F] in its currency


class Journal(NamedTuple):
    """Every change of cash: cash = initial + Σ amount, in this order."""

    time: I8  # [J]
    currency: I4  # [J]
    cause: I1  # [J] enums.JournalCause
    fill: I8  # [J] NONE where no fill caused it
    symbol: I4  # [J] NONE where it concerns no symbol
    amount: F8  # [J] signed


class Curve(NamedTuple):
    """The equity points, one for each instant at which an execution bar ends."""

    cash: F8  # [P]; equity is cash + net
    net: F8  # [P] Σ position value
    gross: F8  # [P] Σ |position value|


# --------------------------------------------------------------------------------------------------------------- orders
class Orders(NamedTuple):
    """Who an order is and where it stands. One entry a cell of the book, or a closed order."""

    id: I8  # [B] 1, 2, ... in submission order
    symbol: I4  # [B]
    slot: I4  # [B]
    side: I1  # [B] +1 / -1
    type: I1  # [B] enums.OrderType
    sizing: I1  # [B] enums.Sizing
    origin: I1  # [B] enums.Origin
    tif: I1  # [B] enums.TimeInForce
    state: I1  # [B] enums.OrderState
    reason: I1  # [B] enums.Reason of the last transition


class Terms(NamedTuple):
    """What was asked for."""

    quantity: F8  # [B] unsigned units; NaN while it is resolved at the fill
    request: F8  # [B] the quantity, value or fraction asked for, as `sizing` says
    before: F8  # [B] fraction of the parent's fills that older siblings of the same kind are for
    limit: F8  # [B] price, or offset from `limit_basis`; NaN: none
    stop: F8  # [B] the trigger's price, or offset from `stop_basis`; NaN: none, or not known yet
    limit_basis: I1  # [B] enums.Basis
    stop_basis: I1  # [B]
    activation: F8  # [B] price, or offset; NaN: none
    activation_basis: I1  # [B]
    trail: F8  # [B] distance of a trailing stop: price, or fraction of the watermark
    trail_is_rate: I1  # [B]
    ratchet: I1  # [B] enums.Ratchet
    post_only: I1  # [B]
    delay: I8  # [B] bars of its symbol that must end before it is eligible
    bars: I8  # [B] bars of its symbol on which it may fill, 0: any number
    parent: I8  # [B] order id, 0: none
    group: I8  # [B] smallest order id of its oco group, 0: none
    reduce_only: I1  # [B]
    until: I8  # [B] expiry; NEVER for GTC, UNSET for a DAY order without session yet
    submitted: I8  # [B]
    eligible_from: I8  # [B] time of submission or of the last replace
    tag: I4  # [B] index into the run's tags, NONE: none


class Progress(NamedTuple):
    """What has become of it."""

    filled: F8  # [B] unsigned units
    value: F8  # [B] Σ quantity · price · multiplier of its fills
    commission: F8  # [B]
    reserved: F8  # [B] cash held back for it
    closed: I8  # [B] time of its final state, UNSET while it lives
    is_triggered: I1  # [B]
    is_active: I1  # [B] its activation price was reached, or it has none
    watermark: F8  # [B] best price since a trailing stop works, NaN before the first
    since_row: I8  # [B] bar on which its present stage began, NONE: not inside a bar
    since_leg: I8  # [B] the moment on that bar ...
    since_progress: F8  # [B]
    since_price: F8  # [B] ... and the price there
    first_bar: I8  # [B] ordinal of the first bar at which it is eligible
    last_bar: I8  # [B] ordinal of the last bar on which it may fill, NEVER: none
    ahead: F8  # [B] units before it in the queue at its limit
    idle_row: I8  # [B] bar on which it does not fill any more, NONE
    is_cancelling: I1  # [B] 1: `until` is when its cancel takes effect


class Links(NamedTuple):
    """Live orders of a symbol, oldest to newest; free cells are linked by `after`. Groups of orders."""

    before: I8  # [B]
    after: I8  # [B]
    parent: I8  # [B] cell of the live parent, NONE
    child: I8  # [B] cell of the first child, NONE
    sibling: I8  # [B] cell of the parent's next child, NONE
    ring: I8  # [B] cell of the next member of the oco group, its own where it is alone


class Events(NamedTuple):
    """Every transition of every order, and every replace."""

    order: I8  # [E]
    time: I8  # [E]
    source: I1  # [E] state before
    target: I1  # [E] state after
    reason: I1  # [E] enums.Reason
    fill: I8  # [E] the fill that caused it, or NONE


class Market(NamedTuple):
    """What the matcher knows of a symbol now."""

    mark: F8  # [A] price, NaN before the first
    close: F8  # [A] last close
    previous_close: F8  # [A] the close before
    row: I8  # [A] last ended bar, NONE before the first
    below: F8  # [A] no live order can fill while prices stay above this ...
    above: F8  # [A] ... and below this
    oldest: I8  # [A] cell of the oldest live order, NONE
    newest: I8  # [A]
    worst_is_high: I1  # [A] 1: the side that was resolved for the bar that is being matched suffers from its high
    allowance_row: I8  # [A] the bar of which `allowance` is what is left, NONE
    allowance: F8  # [A] units


class Agenda(NamedTuple):
    """The matcher's heap: each symbol with the order it offers."""

    heap: I4  # [A] symbols
    place: I4  # [A] of the symbol in the heap, NONE when it offers nothing
    row: I8  # [A] the bar that is being matched
    cell: I8  # [A] the offered order ...
    leg: I8  # [A] ... the moment at which it can fill ...
    progress: F8  # [A]
    price: F8  # [A] ... the market's price then ...
    level: F8  # [A] ... and the level that is reached
    opens: I1  # [A] 0: it reduces the position, 1: it does not


class Timers(NamedTuple):
    """One queue, a heap by (time, kind, number)."""

    time: I8  # [W]
    kind: I1  # [W]
    number: I8  # [W] schedule, or order id


class State(NamedTuple):
    """Everything. `clock`, `rules` and `money` are indexed by the names below."""

    clock: I8
    rules: I8
    money: F8
    cash: F8  # [C]
    needs: I8  # [number of growable groups] room that the next phase may need
    ticket: F8  # [TICKET_SIZE] rare terms of the order that is being asked for
    columns: I8  # [COLUMNS_SIZE] first element of a named column in `history.source`, NONE
    share: F8  # [SHARES_SIZE] parameters of the fill rules
    bars: Bars
    finer: FinerBars
    conditions: Conditions
    timeline: Timeline
    information: Information
    streams: Streams
    history: History
    instruments: Instruments
    costs: Costs
    tiers: Tiers
    positions: Positions
    held: I8  # [S] slots with a position, the first clock[HELD]
    lots: Lots
    trades: Trades
    fills: Fills
    aftermath: Aftermath
    journal: Journal
    curve: Curve
    orders: Orders
    terms: Terms
    progress: Progress
    links: Links
    closed_orders: Orders
    closed_terms: Terms
    closed_progress: Progress
    places: I8  # [I] of order id - 1: its cell, or ~row among the closed orders
    batch: I8  # [B] ids of the orders of this decision, the first clock[BATCH]
    following: I8  # [B] cells of linked orders that have ended, the first clock[FOLLOWING]
    events: Events
    market: Market
    agenda: Agenda
    timers: Timers
    due: I8  # [number of schedules] schedules due now, the first clock[DUE]


# clock: what has been consumed and produced so far
(
    NOW,  # time
    NEXT,  # next instant of the timeline
    CURRENT,  # instant of the timeline that is being processed, NONE between them
    PHASE,  # BEGIN or DECIDED
    BAR_ENDED,  # 1: an execution bar ended now
    POINTS,  # equity points
    REVEALED,  # bars that are in the history
    INFORMED,  # information rows that are visible
    DUE,
    BATCH,
    LIVE,  # live orders
    HELD,
    LOTS,  # open lots
    FREE_CELL,
    FREE_LOT,
    IDS,  # orders ever submitted
    CLOSED,
    FILLS,
    EVENTS,
    JOURNAL,
    TRADES,
    TIMERS,
    VALUED,  # fills that net and gross exposure know
    UNCHECKED,  # 1: something was appended since the room was last checked
    UNASSIGNED,  # live DAY orders that do not know their session yet
    OFFERS,  # symbols in the agenda
    TRAILING,  # live orders with a trailing stop
    LINKED,  # live orders that have, or had, a parent or an oco group
    COUNTED,  # live orders that expire after a number of bars
    FOLLOWING,  # orders that have ended and wait in `following`
    SPILLED,  # 1: a link has changed an order of another symbol in this round
    MONTH,  # the calendar month of MONTH_VALUE
    FAULT,  # enums.Fault: why a fill has no cost, the first of the run
    FAULT_ORDER,  # its order id
    FAULT_TIME,
    CLOCK_SIZE,
) = range(36)

# rules: enums and counts that do not change during a run
(
    MARKET_FILL,
    PATH,
    SCHEDULE,
    ACCOUNT,
    SHORTFALL,
    ADMISSION,
    BATCH_ORDER,
    VALUATION,
    END_OF_DATA,
    END_OF_RUN,
    WAKE_ON_BAR,
    WARMUP,  # bars before the first decision
    KEEP_HISTORY,
    TOUCH,
    VOLUME_BASIS,
    QUOTE,
    MARK_SOURCE,
    POST_ONLY,
    SUBMIT_DELAY,  # ns
    SUBMIT_DELAY_BARS,
    CANCEL_DELAY,  # ns
    SEED,
    SLIPPAGE_MODEL,  # addresses of the user's own models, 0: none
    COMMISSION_MODEL,
    PRICE_MODEL,
    RULES_SIZE,
) = range(26)

# money: amounts in account currency
INITIAL_CASH, NET, GROSS, MARGIN_RATE, MONTH_VALUE, MONEY_SIZE = range(6)

# share: parameters of the fill rules
PARTICIPATION, TOUCH_PROBABILITY, TOUCH_AHEAD, SHARES_SIZE = range(4)

# columns: what the bars may have beside prices
BID, ASK, OPEN_BID, OPEN_ASK, VWAP, HALTED, LIMIT_UP, LIMIT_DOWN, COLUMNS_SIZE = range(9)

# ticket: what `submit` reads where it is told to (every field, every time)
(
    KIND,  # enums.OrderType
    LIMIT_BASIS,
    STOP_BASIS,
    ACTIVATION,
    ACTIVATION_BASIS,
    TRAIL,
    TRAIL_IS_RATE,
    RATCHET,
    ORDER_POST_ONLY,
    DELAY,
    BARS,
    PARENT,  # order id, 0: none
    FRACTION,  # of the parent's fills, where sizing is PARENT ...
    BEFORE,  # ... after this fraction, which older siblings are for
    OCO,  # order id of a member of the group, 0: none
    TICKET_SIZE,
) = range(16)

BEGIN, DECIDED = 0, 1

GROWABLE = (
    ("orders", "terms", "progress", "links", "batch", "following"),
    ("closed_orders", "closed_terms", "closed_progress"),
    ("places",),
    ("fills", "aftermath"),
    ("events",),
    ("journal",),
    ("trades",),
    ("lots",),
    ("timers",),
)
"""Tables that grow between decisions; those of one line always have the same capacity. `needs` has one entry a line."""
BOOK_ROOM, CLOSED_ROOM, PLACES_ROOM, FILL_ROOM, EVENT_ROOM, JOURNAL_ROOM, TRADE_ROOM, LOT_ROOM, TIMER_ROOM = range(9)
