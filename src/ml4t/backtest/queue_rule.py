"""Closed choices of how a queue of orders meets a bar, of reached limits, and of lots; as those in `enums.py`."""

from enum import IntEnum


class Rescan(IntEnum):
    """When orders that a bar has met meet it again, where the schedule is a queue.

    ALWAYS: after every fill. NEVER: orders that came meanwhile wait for the next bar. EXITS: once more where a fill has brought
    exits that may fill on the same bar (docs/semantics/matching.md).
    """

    ALWAYS = 0
    NEVER = 1
    EXITS = 2


class StopLimitRule(IntEnum):
    """What a stop-limit order does on the bar that triggers it.

    PATH: its limit meets the rest of the path. AT_STOP: it fills at its stop where the bar reaches its limit beyond the stop.
    BY_CLOSE: at its stop where the limit is at or beyond it, else at the limit where the bar turns round and closes there
    (docs/semantics/turns.md).
    """

    PATH = 0
    AT_STOP = 1
    BY_CLOSE = 2


class Executions(IntEnum):
    """What one order's fill on a bar is booked as: one execution for each ORDER, or one for each LOT that it closes or opens."""

    ORDER = 0
    LOT = 1


class Netting(IntEnum):
    """Whether an order closes the lots of the other side first, the oldest first (FIFO), or leaves them alone (NONE)."""

    FIFO = 0
    NONE = 1


class SymbolEndRule(IntEnum):
    """What happens to a position at its symbol's last bar."""

    MARK = 0
    CLOSE = 1


class RuinRule(IntEnum):
    """What happens when equity is not above 0 as a bar ends: nothing, or everything is closed, what is owed is forgiven, the run ends."""

    CONTINUE = 0
    STOP = 1


class LimitRule(IntEnum):
    """What a limit is worth once the price has reached it.

    KEPT: the order pays no slippage, and never a price beyond its limit. RELEASED: it is an order without limit from then on, and pays
    slippage, even beyond the limit. CHECKED: the same, but it does not fill on a bar where the price with slippage is beyond its limit.
    """

    KEPT = 0
    CHECKED = 1
    RELEASED = 2


class Exhaustion(IntEnum):
    """Whose turn is over on a bar when an order finds no volume left: that ORDER's, or that of all later ones of its SYMBOL, too."""

    ORDER = 0
    SYMBOL = 1


class LinkRule(IntEnum):
    """What linked orders do. SHARE: children work at once, members give up what one fills. TOGETHER: the end of one is that of all."""

    SHARE = 0
    TOGETHER = 1


class ExpiryRule(IntEnum):
    """When an order whose time has come expires: at that TIME, or on its next TURN in the queue, as a bar meets it."""

    TIME = 0
    TURN = 1


class Beyond(IntEnum):
    """What becomes of a slipped price outside the bar: CAP, it is the bar's extreme; WAIT, there is no fill; KEEP, it stands."""

    CAP = 0
    WAIT = 1
    KEEP = 2


class MissingBar(IntEnum):
    """What orders with a price do where bars end, but none of their symbol: WAIT for one, or MEET_LAST (leaky), the last one again."""

    WAIT = 0
    MEET_LAST = 1
