"""The state: NamedTuples of plain arrays, each field with its shape and unit, and their allocation.

Letters: K instants, N execution bars, M information rows, A symbols, S position slots (= A when netting), C currencies, Q series
((stream, symbol) pairs), T commission tiers. Growable tables: B book cells, Z closed orders, I order ids, F fills, E events, J journal
entries, R trades, L lots, W timers. Times are UTC nanoseconds; prices per unit; values and cash in account currency.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest._jit import Handle, define_state

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
    cap_rate: F8  # [A] fraction of value, inf: none
    tier_first: I8  # [A + 1] into Tiers
    slippage_rate: F8  # [A] fraction of price
    slippage_amount: F8  # [A] price
    slippage_ticks: F8  # [A] ticks


class Tiers(NamedTuple):
    """Commission rates by traded value."""

    up_to: F8  # [T] value, inf in the last tier of a symbol
    rate: F8  # [T]


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
    limit: F8  # [B] NaN: none
    stop: F8  # [B] NaN: none
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
    trigger_row: I8  # [B] bar on which its stop was reached, NONE: not yet
    trigger_segment: I1  # [B] the moment on that bar ...
    trigger_progress: F8  # [B]
    trigger_price: F8  # [B] ... and the price there


class Links(NamedTuple):
    """Live orders of a symbol, oldest to newest; free cells are linked by `after`."""

    before: I8  # [B]
    after: I8  # [B]


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
    first_extreme: F8  # [A] P1 of the bar that is being matched
    second_extreme: F8  # [A] P2


class Agenda(NamedTuple):
    """The matcher's heap: each symbol with the order it offers."""

    heap: I4  # [A] symbols
    place: I4  # [A] of the symbol in the heap, NONE when it offers nothing
    row: I8  # [A] the bar that is being matched
    cell: I8  # [A] the offered order ...
    segment: I1  # [A] ... the moment at which it can fill ...
    progress: F8  # [A]
    price: F8  # [A] ... and the market's price then
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
    bars: Bars
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
    batch: I8  # [B] cells of the orders of this decision, the first clock[BATCH]
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
    CLOCK_SIZE,
) = range(27)

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
    RULES_SIZE,
) = range(14)

# money: amounts in account currency
INITIAL_CASH, NET, GROSS, MARGIN_RATE, MONEY_SIZE = range(5)

BEGIN, DECIDED = 0, 1

GROWABLE = (
    ("orders", "terms", "progress", "links", "batch"),
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

G = TypeVar("G")


@cache
def dtypes(group: Any) -> dict[str, str]:
    """Field → dtype of a group."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(group, include_extras=True).items()}


def allocate(group: Callable[..., G], n: int) -> G:
    """A group of zeroed arrays of n entries."""
    return group(**{name: np.zeros(n, dtype) for name, dtype in dtypes(group).items()})


def freeze(values: Any, dtype: str) -> np.ndarray[Any, Any]:
    """Read-only and contiguous: one Numba type whether it came from Polars, NumPy or a memory map. Copies only where it must."""
    array = np.ascontiguousarray(values, dtype).view()
    array.flags.writeable = False
    return array


def frozen(group: Callable[..., G], **columns: Any) -> G:
    """A group of read-only arrays."""
    return group(**{name: freeze(columns[name], dtype) for name, dtype in dtypes(group).items()})


def enlarged(table: Any, n: int) -> Any:
    """The same table with room for n entries; free cells stay linked."""
    if isinstance(table, np.ndarray):
        out = np.zeros(n, table.dtype)
        out[: table.shape[0]] = table
        return out
    return type(table)(*(enlarged(column, n) for column in table))


def grow(handle: Handle) -> None:
    """Every table that is more than half full has four times its room, and what the next phase needs. Between calls of the kernel only."""
    state: State = handle.state
    changes: dict[str, Any] = {}
    for room, group in enumerate(GROWABLE):
        first = getattr(state, group[0])
        capacity = (first if isinstance(first, np.ndarray) else first[0]).shape[0]
        need = int(state.needs[room])
        if 2 * need > capacity:
            changes.update({name: enlarged(getattr(state, name), max(4 * capacity, need)) for name in group})
            if room == BOOK_ROOM:
                link_free(state.clock, FREE_CELL, changes["links"].after, capacity)
            if room == LOT_ROOM:
                link_free(state.clock, FREE_LOT, changes["lots"].next, capacity)
    handle.replace(state._replace(**changes))


def link_free(clock: I8, head: int, following: I8, first: int) -> None:
    """The cells from `first` on are free: taken in increasing order, before the cells that were free already."""
    n = following.shape[0]
    following[first : n - 1] = np.arange(first + 1, n)
    following[n - 1] = clock[head]
    clock[head] = first


def prototype() -> State:
    """A state with one entry a table, read-only where it is input: fixes the types that the kernel is compiled for."""
    inputs = (Bars, Timeline, Information, Streams, Instruments, Costs, Tiers)
    groups: dict[str, Any] = {}
    for name, hint in get_type_hints(State, include_extras=True).items():
        if hasattr(hint, "__metadata__"):
            groups[name] = np.zeros(1, hint.__metadata__[0])
        elif hint in inputs:
            groups[name] = frozen(hint, **{field: np.zeros(1, dtype) for field, dtype in dtypes(hint).items()})
        elif hint is History:
            known, value, latest = np.zeros(1, np.int64), np.zeros(1), np.zeros(1)
            groups[name] = History(freeze([0.0], "f8"), value, freeze([0], "i8"), known, latest)
        else:
            groups[name] = allocate(hint, 1)
    return State(**groups)


define_state(prototype())
