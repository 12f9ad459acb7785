"""What a run is given: groups of read-only arrays, each field with its shape and unit. Letters as in `tables`."""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

F8 = Annotated[NDArray[np.float64], "f8"]
I8 = Annotated[NDArray[np.int64], "i8"]
I4 = Annotated[NDArray[np.int32], "i4"]
I1 = Annotated[NDArray[np.int8], "i1"]


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
    event: I8  # [M] when what the row tells happened
    arrival: I8  # [M] when it becomes known


class Streams(NamedTuple):
    """Where the columns of a stream lie in the flat arrays of History. One entry a stream."""

    columns: I8  # number of columns; stream 0: only those after volume
    rows: I8
    source_first: I8  # column c of the stream is source[source_first + c * rows:][:rows]
    value_first: I8  # column c of the stream is value[value_first + c * rows:][:rows]
    wakes: I1  # 1: a row of this stream is a decision


class Instruments(NamedTuple):
    """Terms of trade, one entry a symbol."""

    lot_size: F8  # [A] units, 0: any quantity
    min_quantity: F8  # [A] units
    max_quantity: F8  # [A] units
    tick_size: F8  # [A] price, 0: any price
    multiplier: F8  # [A] value of one unit at price 1
    margin: F8  # [A] what a unit of a position takes from free cash ...
    long_rate: F8  # [A] ... and the fraction of its value that one of a long takes ...
    short_rate: F8  # [A] ... or one of a short, below 0: brings
    on_margin: I1  # [A] 1: its gains are free cash at once
    currency: I4  # [A] index into cash
    final_row: I8  # [A] last row of Bars


class Costs(NamedTuple):
    """Parameters of the one commission and the one slippage formula, one entry a symbol."""

    fixed: F8  # [A] per order
    per_unit: F8  # [A]
    fill_fixed: F8  # [A] per fill
    minimum: F8  # [A] per order
    maximum: F8  # [A] per order, inf: none
    cap_rate: F8  # [A] fraction of value, inf: none
    tier_first: I8  # [A + 1] into Tiers
    slippage_rate: F8  # [A] fraction of price
    opening_rate: F8  # [A] half-spread of what opens a lot, where executions are by lot: fraction of price
    slippage_amount: F8  # [A] price
    slippage_ticks: F8  # [A] ticks
    stop_exempt: I1  # [A] 1: where a trigger caused the fill it pays no slippage at all
    stop_rate: F8  # [A] further fraction of price, where a trigger caused the fill
    stop_ticks: F8  # [A] further ticks there
    is_conditional: I1  # [A] 1: one of the four kinds of impact is not 0
    volume_impact: F8  # [A] fraction of price at a volume share of 1, times the share squared
    shares_bar: I1  # [A] 1: the volume share is of all fills of the bar so far, 0: of the fill alone
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


class Names(NamedTuple):
    """Names that compiled strategies use, as an open-addressing table of their digests (`lookup.digest`); a power of two of cells."""

    digest: I8  # [H] 0: empty
    kind: I4  # [H] SYMBOL_NAME, STREAM_NAME, TAG_NAME, RECORD_NAME, or FIELD_NAME + number of the stream
    number: I4  # [H] what the name stands for
