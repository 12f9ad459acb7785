"""Records of the oracle: what a case must lead to, in Decimal and nanoseconds, as docs/semantics words it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from cases import Bar

ZERO = Decimal(0)
FINAL = ("filled", "cancelled", "expired", "rejected")


@dataclass
class Moment:
    """Where on a bar something happens. `level` is what was reached, None for a market order."""

    segment: int
    progress: Decimal
    price: Decimal
    level: Decimal | None = None
    kind: str = "market"


@dataclass
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
    limit: Decimal | None
    stop: Decimal | None
    reduce_only: bool
    submitted_at: int
    eligible_from: int
    expires_at: int | None
    state: str = "created"
    reason: str = "submitted"
    closed_at: int | None = None
    filled: Decimal = ZERO
    value: Decimal = ZERO
    commission: Decimal = ZERO
    reserved: Decimal = ZERO
    trigger: tuple[Bar, Moment] | None = None


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
