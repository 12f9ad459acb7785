"""The state: NamedTuples of plain arrays, each field with its shape and unit, and their allocation.

Letters: K instants, N execution bars, M information rows, A symbols, S position slots (= A when netting), C currencies, Q series
((stream, symbol) pairs), T commission tiers. Growable tables: B book cells, Z closed orders, I order ids, F fills, E events, J journal
entries, R trades, L lots, W timers, M memories, V records; H names. Times: UTC nanoseconds; prices per unit; amounts in account currency.
"""

from typing import NamedTuple

import numpy as np

from ml4t.backtest.inputs import (
    F8,
    I1,
    I4,
    I8,
    Bars,
    Conditions,
    Costs,
    FinerBars,
    Information,
    Instruments,
    Names,
    Streams,
    Tiers,
    Timeline,
)

NONE = -1
NEVER = np.iinfo(np.int64).max
UNSET = np.iinfo(np.int64).min


# -------------------------------------------------------------------------------------------------------- what is known
class History(NamedTuple):
    """What a strategy may see: symbol-major columns, filled as time passes, 0 beyond now (where runs share it: complete)."""

    source: F8  # flat, columns of every stream in the order of its rows, read-only
    value: F8  # flat, columns of every stream in the order of its series
    begin: I8  # [Q] first row of the series
    known: I8  # [Q] one past the last known row of the series
    latest: F8  # [columns of the bars * A] last known value of column c of symbol a at c * A + a, NaN before the first


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
    lot: I8  # [B] the only lot it may close: 1 + the number of the fill that opened it, 0: any
    reduce_only: I1  # [B]
    until: I8  # [B] expiry; NEVER for GTC, UNSET for a DAY order without session yet
    submitted: I8  # [B]
    eligible_from: I8  # [B] time of submission or of the last replace
    tag: I4  # [B] index into the run's tags, NONE: none


class Progress(NamedTuple):
    """What has become of it."""

    rank: I8  # [B] its place in the queue
    filled: F8  # [B] unsigned units
    value: F8  # [B] Σ quantity · price · multiplier of its fills
    commission: F8  # [B]
    reserved: F8  # [B] cash held back for it
    closed: I8  # [B] time of its final state, UNSET while it lives
    is_triggered: I1  # [B]
    is_released: I1  # [B] 1: its limit was reached, and it waits for it no more
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
    cancel_at: I8  # [B] when its delayed cancel takes effect, NEVER; with a delay in bars the ordinal of the bar that it ends with


class ClosedTerms(NamedTuple):
    """What was asked for, as far as anyone asks once the order has ended: columns of `Terms`."""

    quantity: F8  # [B]
    limit: F8  # [B]
    stop: F8  # [B]
    limit_basis: I1  # [B]
    stop_basis: I1  # [B]
    activation: F8  # [B]
    activation_basis: I1  # [B]
    trail: F8  # [B]
    trail_is_rate: I1  # [B]
    post_only: I1  # [B]
    bars: I8  # [B]
    parent: I8  # [B]
    group: I8  # [B]
    lot: I8  # [B]
    reduce_only: I1  # [B]
    until: I8  # [B]
    submitted: I8  # [B]
    tag: I4  # [B]


class ClosedProgress(NamedTuple):
    """What became of it: columns of `Progress`."""

    rank: I8  # [B]
    filled: F8  # [B]
    value: F8  # [B]
    commission: F8  # [B]
    closed: I8  # [B]


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
    row_before: I8  # [A] the bar before it
    below: F8  # [A] no live order can fill while prices stay above this ...
    above: F8  # [A] ... and below this
    oldest: I8  # [A] cell of the oldest live order, NONE
    newest: I8  # [A]
    turn: I8  # [A] rank of the order with which it began to have live orders
    emptied: I8  # [A] when its last live order ended other than by a fill, NONE
    worst_is_high: I1  # [A] 1: the side that was resolved for the bar that is being matched suffers from its high
    allowance_row: I8  # [A] the bar of which `allowance` is what is left, NONE
    allowance: F8  # [A] units
    pretended: F8  # [A] signed units held while a batch is pretended to be executed


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


class Memories(NamedTuple):
    """What recursive indicators remember, as an open-addressing table; it may be emptied at any time between decisions."""

    key: I8  # [M] of kernel.memory.key_of, 0: empty
    used: I8  # [M] values consumed
    first: F8  # [M] what the indicator carries on
    second: F8  # [M]


class Records(NamedTuple):
    """What compiled strategies have recorded."""

    time: I8  # [V]
    name: I8  # [V] digest of the name
    value: F8  # [V]


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
    exits: F8  # [EXITS_SIZE] of every position that a compiled strategy opens; NaN, or 0 bars: none
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
    closed_terms: ClosedTerms
    closed_progress: ClosedProgress
    places: I8  # [I] of order id - 1: its cell, or ~row among the closed orders
    batch: I8  # [B] ids of the orders of this decision, the first clock[BATCH]
    following: I8  # [B] cells of linked orders that have ended, the first clock[FOLLOWING]
    events: Events
    market: Market
    agenda: Agenda
    timers: Timers
    due: I8  # [number of schedules] schedules due now, the first clock[DUE]
    names: Names
    memories: Memories
    records: Records


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
    COUNTED,  # live orders that expire after a number of bars, and cancels that take some
    FOLLOWING,  # orders that have ended and wait in `following`
    SPILLED,  # 1: a link has changed an order of another symbol in this round
    MONTH,  # the calendar month of MONTH_VALUE
    FAULT,  # enums.Fault: why a fill has no cost, the first of the run
    FAULT_ORDER,  # its order id
    FAULT_TIME,
    MEMORIES,  # cells in use
    RECORDS,
    AWAITS,  # 1: a compiled strategy has not yet made the decision that is due
    MISTAKE,  # enums.Mistake: what a compiled strategy asked for in vain, the first of the run
    MISTAKE_NAME,  # the digest of the name that it is about
    MISTAKE_SYMBOL,  # the symbol that it is about, NONE; of an unknown name its kind
    FIRST_RANK,  # the lowest rank that was given
    LAST_RANK,  # the highest
    PASSED,  # ranks up to it have had their turn in this pass over the queue
    PASS_END,  # ranks above it have none in this pass
    AGAIN,  # 1: the queue is to be passed over once more
    CLOCK_SIZE,
) = range(47)

# rules: enums and counts that do not change during a run
(
    MARKET_FILL,
    PATH,
    SCHEDULE,
    RESCAN,
    STOP_LIMIT_RULE,
    LINKS,
    EXPIRY,
    SLIPPAGE_RANGE,
    EXECUTIONS,
    NETTING,
    RUIN,
    LIMIT_RULE,
    EXHAUSTION,
    HALT_WITHOUT_VOLUME,
    MISSING_BAR,
    ACCOUNT,
    PARTLY_PAID,  # 1: some positions of a balance account are not paid in full
    SHORTFALL,
    ADMISSION,
    BATCH_ORDER,
    LOT_RULE,
    FILL_BASIS,  # 1: "fill" is the price before slippage, in prices relative to it
    VALUATION,
    END_OF_DATA,
    END_OF_RUN,
    WAKE_ON_BAR,
    WARMUP,  # bars before the first decision
    KEEP_HISTORY,  # one of the histories below
    TOUCH,
    VOLUME_BASIS,
    QUOTE,
    MARK_SOURCE,
    POST_ONLY,
    SUBMIT_DELAY,  # ns
    SUBMIT_DELAY_BARS,
    CANCEL_DELAY,  # ns
    CANCEL_DELAY_BARS,
    SEED,
    SLIPPAGE_MODEL,  # addresses of the user's own models, 0: none
    COMMISSION_MODEL,
    PRICE_MODEL,
    DECISION_ROOM,  # orders that one decision of a compiled strategy may place; 0: it is Python, which asks for room itself
    RULES_SIZE,
) = range(43)

# what a strategy may see: nothing; what is written as time passes; what all runs of the same rows share, complete (ADR 0023)
NO_HISTORY, OWN_HISTORY, SHARED_HISTORY = range(3)

INITIAL_CASH, NET, GROSS, MARGIN_RATE, MONTH_VALUE, MONEY_SIZE = range(6)  # money: amounts in account currency
PARTICIPATION, TOUCH_PROBABILITY, TOUCH_AHEAD, SHARES_SIZE = range(4)  # share: parameters of the fill rules
EXIT_LOSS, EXIT_PROFIT, EXIT_TRAIL, EXIT_EVEN, EXIT_BARS, EXITS_SIZE = range(6)  # exits: rates from the fill, and bars

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
    LOT,
    TICKET_SIZE,
) = range(17)

BEGIN, DECIDED = 0, 1
# kinds of names
SYMBOL_NAME, STREAM_NAME, TAG_NAME, RECORD_NAME, FIELD_NAME = range(5)

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
    ("memories",),
    ("records",),
)
"""Tables that grow between decisions; those of one line always have the same capacity. `needs` has one entry a line."""
BOOK_ROOM, CLOSED_ROOM, PLACES_ROOM, FILL_ROOM, EVENT_ROOM, JOURNAL_ROOM, TRADE_ROOM, LOT_ROOM, TIMER_ROOM = range(9)
MEMORY_ROOM, RECORD_ROOM = 9, 10
