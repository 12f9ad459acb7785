"""What the oracle knows: the case, the clock, the books so far, and the terms of trade (sizing.md, orders.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from cases import Bar, Case
from outcome import FINAL, ZERO, Event, Moment, Order, Outcome, Position

if TYPE_CHECKING:
    from .path import Course

ONE, NEAR = Decimal(1), Decimal("1e-9")
UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}

DEFAULTS: dict[str, dict[str, Any]] = {
    "account": {
        "kind": "cash",
        "cash": 100_000.0,
        "initial_margin_rate": 0.5,
        "shortfall": "by_sizing",
        "mark": "last",
    },
    "fills": {
        "market": "next_open",
        "path": "worst_first",
        "schedule": "phased",
        "quote": "last",
        "touch": {"kind": "always"},
        "participation": None,
    },
    "orders": {
        "admission": "none",
        "batch_order": "submission",
        "valuation": "last_mark",
        "post_only": "reject",
        "latency": {},
    },
    "end": {"run": "mark", "symbol": "mark"},
    "run": {"seed": 0},
}


def number(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def sign(value: Decimal) -> int:
    return (value > 0) - (value < 0)


def duration(text: str) -> int:
    """Nanoseconds of a duration such as 90m."""
    unit = next(unit for unit in UNITS if text.endswith(unit))
    return int(text.removesuffix(unit)) * UNITS[unit]


def is_exact(value: Decimal) -> bool:
    """float64 holds it, and sums of such numbers, without rounding."""
    return (value * 1024) % 1 == 0


@dataclass(frozen=True)
class Filled:
    """A fill of an order happened: `kept` is the share of its remaining quantity that it still has to fill."""

    order: Order
    quantity: Decimal  # signed
    price: Decimal
    kept: Decimal
    course: Course | None
    moment: Moment


class World:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.config = {name: {**values, **case.config.get(name, {})} for name, values in DEFAULTS.items()}
        self.instruments = case.config.get("instruments", {})
        self.costs = case.config.get("costs", {})
        self.outcome = Outcome(positions={symbol: Position() for symbol in case.universe})
        self.positions = self.outcome.positions
        self.orders = self.outcome.orders
        self.cash = number(self.config["account"]["cash"])
        self.margin_rate = number(self.config["account"]["initial_margin_rate"])
        self.is_margin = self.config["account"]["kind"] == "margin"
        self.ended: list[Order] = []  # they became final, and what follows from that has not happened yet
        self.allowances: dict[Bar, Decimal] = {}
        self.traded: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)  # value by year and month
        self.month = (0, 0)  # the latest in which an order was to fill
        self.now = -1
        self.last = max(bar.end for bar in case.bars)
        self.bars_of = {
            symbol: sorted((bar for bar in case.bars if bar.symbol == symbol), key=lambda bar: bar.start)
            for symbol in case.universe
        }
        rows = sorted(case.bars, key=lambda bar: (bar.end, case.universe.index(bar.symbol)))
        self.row_of = {bar: row for row, bar in enumerate(rows)}
        self.number_of = {bar: n for bars in self.bars_of.values() for n, bar in enumerate(bars)}

    # ------------------------------------------------------------------------------------------------------- bars

    def bars_where(self, chosen: Callable[[Bar], bool]) -> list[Bar]:
        """In universe order."""
        return [bar for symbol in self.case.universe for bar in self.bars_of[symbol] if chosen(bar)]

    def ended_bars(self, symbol: str) -> int:
        return sum(bar.end <= self.now for bar in self.bars_of[symbol])

    def session(self, bar: Bar) -> list[Bar]:
        """The symbol's bars of the session of this bar."""
        return [other for other in self.bars_of[bar.symbol] if other.session_close == bar.session_close]

    # ------------------------------------------------------------------------------------------------------ books

    def live(self, symbol: str | None = None) -> list[Order]:
        """Accepted and not final, oldest first."""
        return [order for order in self.orders if order.is_live and symbol in (None, order.symbol)]

    def transition(self, order: Order, to: str, reason: str, time: int) -> None:
        self.outcome.order_events.append(Event(order.id, time, order.state, to, reason))
        order.state, order.reason = to, reason
        if to in FINAL:
            order.closed_at, order.reserved = time, ZERO
            self.ended.append(order)

    def note(self, order: Order, reason: str, time: int) -> None:
        """An event that keeps the state."""
        self.outcome.order_events.append(Event(order.id, time, order.state, order.state, reason))

    def equity(self, symbol: str | None = None, price: Decimal | None = None) -> Decimal:
        """Equity at the marks, with one symbol at another price."""
        total = self.cash
        for name, position in self.positions.items():
            mark = price if name == symbol else position.mark
            total += position.quantity * self.multiplier(name) * (mark or ZERO)
        return total

    def gross(self) -> Decimal:
        return sum(
            (abs(p.quantity) * self.multiplier(name) * (p.mark or ZERO) for name, p in self.positions.items()), ZERO
        )

    def is_less(self, left: Decimal, right: Decimal, *, exact: bool = True) -> bool:
        """left < right; counts it when float64 might see it the other way round. `exact`: neither is rounded in Decimal."""
        scale = max(abs(left), abs(right), ONE)
        if abs(left - right) <= NEAR * scale and not (left == right and exact and is_exact(left)):
            self.outcome.close_calls += 1
        return left < right

    # ---------------------------------------------------------------------------------------------- terms of trade

    def instrument(self, symbol: str, name: str, default: float) -> Decimal:
        own = self.instruments.get("symbols", {}).get(symbol, {})
        return number(own.get(name, self.instruments.get("default", {}).get(name, default)))

    def multiplier(self, symbol: str) -> Decimal:
        return self.instrument(symbol, "multiplier", 1.0)

    def whole_lots(self, symbol: str, quantity: Decimal) -> Decimal:
        """Towards zero; a number of lots within 1e-9 of an integer counts as that integer."""
        lot = self.instrument(symbol, "lot_size", 1.0)
        if lot == 0:
            return quantity
        lots = abs(quantity) / lot
        nearest = lots.to_integral_value()
        whole = nearest if abs(lots - nearest) <= NEAR * lots else lots.to_integral_value(ROUND_FLOOR)
        return sign(quantity) * whole * lot

    def to_tick(self, symbol: str, price: Decimal, up: bool) -> Decimal:
        tick = self.instrument(symbol, "tick_size", 0.0)
        if tick == 0:
            return price
        ticks = price / tick
        nearest = ticks.to_integral_value()
        if abs(ticks - nearest) > NEAR * abs(ticks):
            nearest = ticks.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        return nearest * tick


def reaches(direction: int, price: Decimal, level: Decimal) -> bool:
    return direction * (price - level) >= 0


def best(side: int, prices: Iterable[Decimal]) -> Decimal:
    """The highest for a sell, the lowest for a buy."""
    return max(prices) if side < 0 else min(prices)
