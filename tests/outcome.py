"""Records of the oracle: what a case must lead to, in Decimal and nanoseconds, as docs/semantics words it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cases import Bar

ZERO = Decimal(0)
FINAL = ("filled", "cancelled", "expired", "rejected")
LIVE = ("accepted", "triggered", "partially_filled")

OPEN, CLOSE, AFTER_CLOSE = 0, 10**9, 10**9 + 1
"""Legs of a bar; between the open and the close lie those of its path, numbered from 1."""


@dataclass(frozen=True)
class Moment:
    """Where on a bar something happens. `level` is what was reached, None for a market order."""

    leg: int
    progress: Decimal
    price: Decimal
    level: Decimal | None = None
    kind: str = "market"


@dataclass(frozen=True)
class Trail:
    """How a trailing stop follows its watermark: at a distance, or at a rate of it; along the path, or with closes only."""

    distance: Decimal
    is_rate: bool
    ratchet: str = "path"


@dataclass(eq=False)
class Order:
    id: int
    symbol: str
    side: int
    type: str
    sizing: str
    origin: str
    tif: str
    quantity: Decimal | None  # None: not known before the fill
    amount: Decimal | None
    submitted_at: int
    eligible_from: int

    # prices: a number, or an offset that is not resolved yet
    trigger: str = "none"  # none, stop, touch, trail
    limit: Decimal | None = None
    stop: Decimal | None = None  # of the trigger; of a trail what it is now
    activation: Decimal | None = None
    offsets: dict[str, dict[str, Any]] = field(default_factory=dict)  # limit, stop, activation
    trail: Trail | None = None
    watermark: Decimal | None = None
    mark_at_submission: Decimal | None = None
    is_inexact: bool = False  # a price of it is the result of arithmetic that float64 rounds

    # terms
    reduce_only: bool = False
    post_only: bool = False
    expires_at: int | None = None
    session_bar: Bar | None = None  # the first that a DAY order may meet
    bars: int | None = None  # of tif BARS
    delay: int = 0  # bars
    bars_before: int = 0  # bars of its symbol that had ended when it was submitted, or replaced

    # links
    parent: Order | None = None
    fraction: Decimal = Decimal(1)
    fraction_before: Decimal = ZERO  # of the rungs of a ladder before its own
    is_exit: bool = False
    ring: list[Order] = field(default_factory=list)

    # progress
    state: str = "created"
    reason: str = "submitted"
    closed_at: int | None = None
    accepted_at: int | None = None
    cancel_at: int | None = None
    cancel_bar: int | None = None  # number of the bar with which it is cancelled
    is_active: bool = True
    is_triggered: bool = False
    since: tuple[Bar, Moment] | None = None  # where on a bar its present stage began
    first_bar: int | None = None  # number of the bar of its first meeting
    last_bar: int | None = None  # number of the last bar of BARS
    idle_on: Bar | None = None  # the bar on which it does not fill any more
    ahead: Decimal = ZERO  # units before it in the queue at its limit
    filled: Decimal = ZERO
    resolved: Decimal | None = None  # the quantity of an order that did not know it before its first fill
    value: Decimal = ZERO
    commission: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def has_limit(self) -> bool:
        return self.type in ("limit", "stop_limit", "limit_if_touched", "trailing_stop_limit")

    @property
    def is_market(self) -> bool:
        """It is a market order, or has become one by its trigger."""
        return not self.has_limit and (self.trigger == "none" or self.is_triggered)

    @property
    def may_grow(self) -> bool:
        """Further fills of its parent may add to its quantity."""
        return self.sizing == "parent" and self.parent is not None and not self.parent.is_final

    @property
    def left(self) -> Decimal | None:
        """What is not filled yet; None while it is not known."""
        quantity = self.quantity if self.quantity is not None else self.resolved
        if quantity is None:
            return None
        left = quantity - self.filled
        return left if left > Decimal("1e-9") * quantity else ZERO


@dataclass
class Event:
    order_id: int
    time: int
    from_state: str
    to_state: str
    reason: str


@dataclass
class Fill:
    order_id: int
    time: int
    symbol: str
    quantity: Decimal  # signed
    price: Decimal
    reference_price: Decimal
    commission: Decimal
    slippage: Decimal
    segment: str
    order_type: str
    kind: str
    position_after: Decimal
    cash_after: Decimal


@dataclass
class Entry:
    time: int
    cause: str
    amount: Decimal


@dataclass
class Equity:
    time: int
    cash: Decimal
    equity: Decimal
    gross: Decimal
    net: Decimal


@dataclass
class Lot:
    """What is left of the opening part of a fill."""

    fill: Fill
    quantity: Decimal  # signed


@dataclass
class Trade:
    symbol: str
    direction: str
    quantity: Decimal
    entry: Fill
    exit: Fill | None
    gross_pnl: Decimal
    commission: Decimal
    slippage: Decimal
    pnl: Decimal


@dataclass
class Position:
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realised: Decimal = ZERO
    mark: Decimal | None = None
    closes: list[Decimal] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)


@dataclass
class Outcome:
    """What the case must lead to. `close_calls` counts comparisons that float64 may decide otherwise than Decimal."""

    orders: list[Order] = field(default_factory=list)
    order_events: list[Event] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    equity: list[Equity] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    close_calls: int = 0
