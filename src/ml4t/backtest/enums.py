"""Closed choices. One IntEnum per choice: config spells it by name, the kernel sees its int, results show the name."""

from enum import IntEnum


class Side(IntEnum):
    """Direction of an order; multiplies its unsigned quantity.

    >>> Side.SELL * 10.0
    -10.0
    """

    SELL = -1
    BUY = 1


class OrderType(IntEnum):
    """What an order waits for: twice its trigger (none, stop, touch, trail), plus 1 where it has a limit.

    >>> OrderType.TRAILING_STOP // 2, OrderType.TRAILING_STOP_LIMIT % 2
    (3, 1)
    """

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    MARKET_IF_TOUCHED = 4
    LIMIT_IF_TOUCHED = 5
    TRAILING_STOP = 6
    TRAILING_STOP_LIMIT = 7


class Trigger(IntEnum):
    """What must happen before an order is one of its second stage."""

    NONE = 0
    STOP = 1
    TOUCH = 2
    TRAIL = 3


class Basis(IntEnum):
    """What a price of an order is given relative to, as an amount or as a rate. PRICE: to nothing, it is the price."""

    PRICE = 0
    FILL_AMOUNT = 1
    FILL_RATE = 2
    AVERAGE_AMOUNT = 3
    AVERAGE_RATE = 4
    STOP_AMOUNT = 5
    STOP_RATE = 6


class Ratchet(IntEnum):
    """Which prices move a trailing stop: all along the path, closes only, or the best price of every bar, once the bar has ended."""

    PATH = 0
    CLOSE = 1
    BAR = 2


class OrderState(IntEnum):
    """Where an order is in its life. The legal edges are `kernel.orders.LEGAL_EDGES`.

    >>> OrderState.FILLED.name, OrderState.ACCEPTED < OrderState.FILLED <= OrderState.REJECTED  # from FILLED on, final
    ('FILLED', True)
    """

    CREATED = 0
    PENDING = 1
    ACCEPTED = 2
    TRIGGERED = 3
    PARTIALLY_FILLED = 4
    FILLED = 5
    CANCELLED = 6
    EXPIRED = 7
    REJECTED = 8


class TimeInForce(IntEnum):
    """How long an order lives, and where it may fill.

    For its session (DAY), until cancelled (GTC), until a time (GTD), at its first meeting in part (IOC) or in full (FOK), at a
    session's open (OPG) or close (CLS), for a number of bars (BARS).

    >>> [tif.name for tif in TimeInForce]
    ['DAY', 'GTC', 'GTD', 'IOC', 'FOK', 'OPG', 'CLS', 'BARS']
    """

    DAY = 0
    GTC = 1
    GTD = 2
    IOC = 3
    FOK = 4
    OPG = 5
    CLS = 6
    BARS = 7


class Sizing(IntEnum):
    """How the quantity of an order was asked for."""

    QUANTITY = 0
    VALUE = 1
    PERCENT = 2
    TARGET_QUANTITY = 3
    TARGET_VALUE = 4
    TARGET_PERCENT = 5
    CLOSE = 6
    PARENT = 7
    FUNDS = 8


class Origin(IntEnum):
    """Who caused an order; a trade's exit reason is the origin of its exit order.

    >>> Origin["close".upper()].name
    'CLOSE'
    """

    STRATEGY = 0
    TARGET = 1
    CLOSE = 2
    END_OF_DATA = 3
    END_OF_RUN = 4
    STOP_LOSS = 5
    TAKE_PROFIT = 6
    TRAILING_STOP = 7
    BREAK_EVEN = 8
    MAX_BARS = 9
    RUIN = 10


class Reason(IntEnum):
    """Why an order changed its state.

    >>> Reason.INSUFFICIENT_CASH.name.lower()  # as results show it
    'insufficient_cash'
    """

    NONE = 0
    ADMITTED = 1
    STOP_REACHED = 2
    EXECUTED = 3
    CANCEL_REQUESTED = 4
    REPLACE_REQUESTED = 5
    SUPERSEDED_BY_TARGET = 6
    SESSION_CLOSED = 7
    GOOD_TILL_DATE_REACHED = 8
    INSUFFICIENT_CASH = 9
    INSUFFICIENT_MARGIN = 10
    SHORT_NOT_ALLOWED = 11
    NOT_A_LOT_MULTIPLE = 12
    NOTHING_TO_REDUCE = 13
    NOTHING_TO_TRADE = 14
    PARENT_FILLED = 15
    ACTIVATED = 16
    LAST_BAR_ENDED = 17
    NOT_IMMEDIATE = 18
    NOT_IN_FULL = 19
    MISSED_OPEN = 20
    MISSED_CLOSE = 21
    WOULD_TAKE = 22
    LINKED_ORDER_FILLED = 23
    PARENT_ENDED = 24
    POSITION_CLOSED = 25
    ABOVE_MAXIMUM = 26
    BELOW_MINIMUM = 27
    LINKED_ORDER_ENDED = 28


class JournalCause(IntEnum):
    """Why cash changed. Everything after COMMISSION is reserved for the work on accounts."""

    FILL = 0
    COMMISSION = 1
    DIVIDEND = 2
    INTEREST = 3
    BORROW = 4
    FUNDING = 5
    SETTLEMENT = 6
    DEPOSIT = 7
    WITHDRAWAL = 8
    FORGIVEN = 9


class Segment(IntEnum):
    """The part of a bar in which a fill happens, in order of time."""

    OPEN = 0
    FIRST_LEG = 1
    SECOND_LEG = 2
    THIRD_LEG = 3
    CLOSE = 4
    AFTER_CLOSE = 5
    FINER_BAR = 6


class Fault(IntEnum):
    """Why the cost of a fill is unknown, which ends the run: a model's answer, or a market that is not known yet or takes all."""

    NONE = 0
    SLIPPAGE_MODEL = 1
    COMMISSION_MODEL = 2
    FILL_PRICE_MODEL = 3
    UNKNOWN_MARKET = 4
    NO_PRICE_LEFT = 5


class Mistake(IntEnum):
    """What a compiled strategy asked for in vain, which ends the run. 1 to 8 are answers of `kernel.request`, negated."""

    NONE = 0
    TOO_MANY_ORDERS = 1
    NO_PRICE_YET = 3
    NOT_LIVE = 4
    NOT_ABOVE_FILLED = 5
    NO_SUCH_PRICE = 6
    NO_DIRECTION = 7
    GROUP_TOO_LARGE = 8
    UNKNOWN_NAME = 9
    BAD_SIZE = 10
    BAD_PRICE = 11
    BAD_TARGET = 12
    BAD_RATE = 13
    BAD_COUNT = 14
    ONLY_CLOSES = 15
    NO_ORDER = 16
    TOO_MANY_RECORDS = 17
    INTERRUPTED = 18  # by whoever started the run, from another thread


class MarketFill(IntEnum):
    """Where a market order fills. SAME_CLOSE, PREVIOUS_CLOSE and DECISION_CLOSE are leaky: the decision has seen the close it trades at.

    PREVIOUS_CLOSE: with the next bar, at the close before it. DECISION_CLOSE: with the next bar, at the mark of the decision.
    """

    NEXT_OPEN = 0
    NEXT_CLOSE = 1
    SAME_CLOSE = 2
    NEXT_VWAP = 3
    PREVIOUS_CLOSE = 4
    DECISION_CLOSE = 5


class TouchRule(IntEnum):
    """What becomes of a resting limit order when the price touches its limit and goes no further."""

    ALWAYS = 0
    THROUGH = 1
    PROBABILITY = 2
    QUEUE = 3


class VolumeBasis(IntEnum):
    """Whose volume limits the fills of a bar. NONE: nothing limits them. DAILY_AVERAGE: the mean of the bars of the sessions before."""

    NONE = 0
    BAR = 1
    PREVIOUS = 2
    AVERAGE = 3
    DAILY_AVERAGE = 4


class PriceSource(IntEnum):
    """Which price market orders fill at, or positions are marked at: the last trade, the middle of bid and ask, or the worse of them."""

    LAST = 0
    MID = 1
    BID_ASK = 2


class PostOnly(IntEnum):
    """What happens to a post-only order that would fill at its first meeting."""

    REJECT = 0
    REPRICE = 1


class PathRule(IntEnum):
    """Which extreme of a bar comes first. CLOSE_ONLY: neither, orders meet the bar at its close and nowhere else."""

    WORST_FIRST = 0
    BEST_FIRST = 1
    OPEN_HIGH_LOW_CLOSE = 2
    OPEN_LOW_HIGH_CLOSE = 3
    NEAREST_EXTREME_FIRST = 4
    CLOSE_ONLY = 5


class Schedule(IntEnum):
    """In which order the orders that could fill on a bar are taken.

    PHASED: as prices move. QUEUE: by rank. SYMBOL_QUEUE: by rank within a symbol, one symbol after the other.
    """

    PHASED = 0
    QUEUE = 1
    SYMBOL_QUEUE = 2


class AccountKind(IntEnum):
    """CASH: no shorts, cash never negative. MARGIN: leverage. PROCEEDS: what shorts bring is cash; LOCKED_PROCEEDS: once covered.

    UNCHECKED: every fill is taken. BALANCE: what shorts bring is cash, what closes passes, and what opens must leave cash of 0 or more.
    """

    CASH = 0
    MARGIN = 1
    PROCEEDS = 2
    LOCKED_PROCEEDS = 3
    UNCHECKED = 4
    BALANCE = 5


class Shortfall(IntEnum):
    """What happens to a fill the account cannot afford."""

    BY_SIZING = 0
    REJECT = 1
    REDUCE = 2


class Admission(IntEnum):
    """The check of new orders at acceptance, beside that at the fill. PSEUDO_EXECUTE_AT_OPEN is leaky: it knows the open."""

    NONE = 0
    RESERVE = 1
    PSEUDO_EXECUTE = 2
    PSEUDO_EXECUTE_AT_OPEN = 3


class BatchOrder(IntEnum):
    """In which order the new orders of one decision are admitted."""

    SUBMISSION = 0
    REDUCTIONS_FIRST = 1
    VALUE = 2


class LotRule(IntEnum):
    """What becomes of a quantity that is no multiple of the lot size: explicit ones are REJECTed, or every fill is cut to the FLOOR."""

    REJECT = 0
    FLOOR = 1


class Valuation(IntEnum):
    """The prices at which values, percentages and targets become quantities.

    BAR_CLOSE is leaky: at the fill, with positions at the close of the bar it happens on.
    """

    LAST_MARK = 0
    PREVIOUS_CLOSE = 1
    FILL_PRICE = 2
    BAR_CLOSE = 3


class EndRule(IntEnum):
    """What happens to positions at the run's end. LAST_OPEN: all lots are ordered closed, and the last bar is met once more (leaky)."""

    MARK = 0
    CLOSE = 1
    LAST_OPEN = 2


class TimestampLabel(IntEnum):
    """What the `timestamp` of a row names. AUTO: SESSION where every timestamp is a midnight, START otherwise."""

    AUTO = 0
    START = 1
    END = 2
    SESSION = 3


class MissingPolicy(IntEnum):
    """What to do with rows that have a NaN, infinite or null price or volume."""

    ERROR = 0
    DROP = 1


class DuplicatePolicy(IntEnum):
    """What to do with rows that share (timestamp, symbol)."""

    ERROR = 0
    KEEP_FIRST = 1
    KEEP_LAST = 2


class PricePolicy(IntEnum):
    """What to do with rows that have a price of zero or below."""

    ERROR = 0
    DROP = 1
    ALLOW = 2


class Size(IntEnum):
    """What the size of a signal is: units, value, a fraction of equity or of cash, equity lost at the stop, or volatility aimed at.

    >>> Size["RISK"].name
    'RISK'
    """

    QUANTITY = 0
    VALUE = 1
    EQUITY = 2
    CASH = 3
    RISK = 4
    VOLATILITY = 5


class Conflict(IntEnum):
    """What counts of an entry and an exit of the same side at once.

    CHANGE: the exit where the position is held, else the entry. KEEP: the entry where it is held, else the exit, which does nothing.
    """

    NEITHER = 0
    ENTRY = 1
    EXIT = 2
    CHANGE = 3
    KEEP = 4


class SideConflict(IntEnum):
    """What counts of a long and a short entry at once. CHANGE: the one against the position. KEEP: the one in favour of it."""

    NEITHER = 0
    LONG = 1
    SHORT = 2
    CHANGE = 3
    KEEP = 4


class Reentry(IntEnum):
    """When a side may be entered again: at any entry; once the entry was absent on a bar since the last one; never."""

    ALWAYS = 0
    RESET = 1
    NEVER = 2


class Accumulation(IntEnum):
    """What an entry does where its side is held: nothing, or one more size. REDUCE: exits give back one size, too, not the whole."""

    NONE = 0
    ADD = 1
    REDUCE = 2


class Reversal(IntEnum):
    """What an entry does where the other side is held: nothing, close it, or close it and enter."""

    IGNORE = 0
    CLOSE = 1
    FLIP = 2


class Unnamed(IntEnum):
    """What becomes of a symbol that a batch of weights does not name: its target is 0, it is left alone, or its last target stays."""

    CLOSE = 0
    HOLD = 1
    LAST = 2


class Book(IntEnum):
    """What is made of scores: the best are bought, the worst are sold short, or both, each for half of the gross weight."""

    LONG = 0
    SHORT = 1
    LONG_SHORT = 2


class Weighting(IntEnum):
    """How weight is divided on one side: equally, by score, by rank, or by the inverse of volatility."""

    EQUAL = 0
    SCORE = 1
    RANK = 2
    INVERSE_VOLATILITY = 3


LEAKY = frozenset(
    {
        MarketFill.SAME_CLOSE,
        MarketFill.PREVIOUS_CLOSE,
        MarketFill.DECISION_CLOSE,
        Valuation.BAR_CLOSE,
        EndRule.LAST_OPEN,
        Admission.PSEUDO_EXECUTE_AT_OPEN,
    }
)
"""Rules that use information from after the decision. A run that uses one must acknowledge it and says so."""
