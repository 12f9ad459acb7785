"""A case: bars, a config and a script of requests by decision number, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
EPOCH = 17_902 * DAY  # 2019-01-06 00:00 UTC
TICK = 0.25


@dataclass(frozen=True)
class Bar:
    """One bar of one symbol; times are UTC epoch nanoseconds."""

    symbol: str
    start: int
    end: int
    session_close: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 1000.0
    bid: float | None = None
    ask: float | None = None
    open_bid: float | None = None
    open_ask: float | None = None
    vwap: float | None = None
    halted: float | None = None
    limit_up: float | None = None
    limit_down: float | None = None


COLUMNS = ("bid", "ask", "open_bid", "open_ask", "vwap", "halted", "limit_up", "limit_down")
"""Fields of a bar that its data has only where a rule asks for them."""


@dataclass(frozen=True)
class Submit:
    """One call of a broker method that may make an order; `kwargs` holds the amount and the order's other fields.

    Relative prices are `{"rate" or "amount": x, "of": reference}`; `trail` is `{"rate" or "amount": x, "ratchet": rule}`; a distance may
    be `"atr": (count, multiple)`, too;
    `parent` is the nth `Submit` (skipped where that has no order, a final one, or one with fills). The exits `stop_loss`,
    `take_profit` (or a ladder of them with fractions), `trailing_stop`, `break_even` and `max_bars` are distances and a
    number; with them the request is skipped where the position, or a market order that waits, is in the other direction.
    """

    method: str
    symbol: str
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    """Cancel the order of the nth `Submit` that was executed (0-based over the run)."""

    nth: int


@dataclass(frozen=True)
class CancelAll:
    """Cancel all live orders of a symbol, or of all."""

    symbol: str | None = None


@dataclass(frozen=True)
class Replace:
    """Replace fields of the order of the nth `Submit`.

    Skipped when it is final, when `stop` or `touch` is given once triggered, and when `quantity` is not more than what is filled.
    """

    nth: int
    fields: dict[str, float]


@dataclass(frozen=True)
class Link:
    """One ring of the orders of these `Submit`s; those without an order, or with a final one, are left out."""

    nths: tuple[int, ...]


@dataclass(frozen=True)
class Protect:
    """The position has these exits, written as those of a `Submit`; without a position nothing is asked for."""

    symbol: str
    exits: dict[str, Any]


@dataclass(frozen=True)
class Rebalance:
    """A portfolio of these weights. Skipped where equity is not above zero."""

    weights: tuple[tuple[str, float], ...]
    minimum_trade: float = 0.0
    drift: float = 0.0
    cash_buffer: float = 0.0


Request = Submit | Cancel | CancelAll | Replace | Link | Protect | Rebalance


@dataclass(frozen=True)
class Case:
    """`script[n]` is what the strategy asks for on its nth `on_bar`; `label` is `session` or `start`.

    `exit_rules` are the strategy's own, written as the exits of a `Submit`, with `basis` and `profit_by`.
    """

    bars: list[Bar]
    universe: list[str]
    config: dict[str, Any]
    script: dict[int, list[Request]]
    label: str = "start"
    finer: list[Bar] = field(default_factory=list)
    exit_rules: dict[str, Any] | None = None
