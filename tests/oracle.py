"""The specification once more, slowly: `simulate(case)` says what docs/semantics demands, in `Decimal` and plain lists.

Written from docs/semantics alone, sharing no code with the engine. Where a page leaves a choice, a comment `Choice:`
says which reading is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from itertools import pairwise
from typing import Any

from cases import Bar, Cancel, Case, Replace, Submit
from outcome import FINAL, ZERO, Entry, Equity, Event, Fill, Lot, Moment, Order, Outcome, Position, Trade

ONE, NEAR = Decimal(1), Decimal("1e-9")
LIVE = ("accepted", "triggered")
SEGMENTS = ("open", "first_leg", "second_leg", "third_leg", "close", "after_close")


def number(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def sign(value: Decimal) -> int:
    return (value > 0) - (value < 0)


@dataclass
class Course:
    """One bar as a round sees it: which segments count, and the corners O, P1, P2, C of its path."""

    bar: Bar
    segments: tuple[int, ...]
    corners: list[Decimal] = field(default_factory=list)


DEFAULTS: dict[str, dict[str, Any]] = {
    "account": {"kind": "cash", "cash": 100_000.0, "initial_margin_rate": 0.5, "shortfall": "by_sizing"},
    "fills": {"market": "next_open", "path": "worst_first", "schedule": "phased"},
    "orders": {"admission": "none", "batch_order": "submission", "valuation": "last_mark"},
    "end": {"run": "mark", "symbol": "mark"},
}


def simulate(case: Case) -> Outcome:
    """The outcome of a case under docs/semantics."""
    with localcontext() as context:
        context.prec = 50
        simulation = Simulation(case)
        simulation.run()
        return simulation.outcome


class Simulation:
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
        self.submitted: list[Order | None] = []
        self.decisions = 0
        self.now = -1
        self.ended: list[Bar] = []

    # ------------------------------------------------------------------------------------------------ time.md

    def run(self) -> None:
        # Choice: the run ends with the last bar; a timer after it never fires.
        last = max(bar.end for bar in self.case.bars)
        while True:
            times = [time for bar in self.case.bars for time in (bar.start, bar.end)]
            times += [order.expires_at for order in self.live() if order.expires_at is not None]
            times = [time for time in times if self.now < time <= last]
            if not times:
                break
            self.now = min(times)
            self.instant()
        for symbol in self.case.universe:
            for lot in self.positions[symbol].lots:
                self.write_trade(symbol, lot, lot.quantity, None)

    def instant(self) -> None:
        phased = self.config["fills"]["schedule"] == "phased"
        self.ended = self.bars_where(lambda bar: bar.end == self.now)
        if self.ended:
            courses = [Course(bar, (1, 2, 3, 4) if phased else (0, 1, 2, 3, 4), self.path(bar)) for bar in self.ended]
            self.round(courses)
            for bar in self.ended:
                self.positions[bar.symbol].mark = number(bar.close)
                self.positions[bar.symbol].closes.append(number(bar.close))
            self.decide()
            if self.config["fills"]["market"] == "same_close":
                self.round([Course(bar, (5,)) for bar in self.ended])
            self.close_out()
            self.write_equity()
        for order in self.live():
            if order.expires_at is not None and order.expires_at <= self.now:
                day = order.tif == "DAY"
                self.transition(order, "expired", "session_closed" if day else "good_till_date_reached", self.now)
        if phased:
            self.round([Course(bar, (0,)) for bar in self.bars_where(lambda bar: bar.start == self.now)])

    def bars_where(self, chosen: Callable[[Bar], bool]) -> list[Bar]:
        found = [bar for bar in self.case.bars if chosen(bar)]
        return sorted(found, key=lambda bar: self.case.universe.index(bar.symbol))

    def live(self) -> list[Order]:
        return [order for order in self.orders if order.state in LIVE]

    def decide(self) -> None:
        """The script's requests, sized at prices and equity frozen now, then the batch of new orders."""
        prices = {symbol: self.valuation_price(symbol) for symbol in self.case.universe}
        equity = self.cash
        for symbol, position in self.positions.items():
            equity += position.quantity * self.multiplier(symbol) * (prices[symbol] or ZERO)
        for request in self.case.script.get(self.decisions, []):
            if isinstance(request, Submit):
                self.submitted.append(self.submit(request, prices[request.symbol], equity))
                continue
            order = self.submitted[request.nth]
            if order is None or order.state in FINAL:
                continue
            if isinstance(request, Cancel):
                self.transition(order, "cancelled", "cancel_requested", self.now)
            else:
                self.replace(order, request)
        self.decisions += 1
        self.admit([order for order in self.orders if order.state == "created"])

    def close_out(self) -> None:
        is_last = max(bar.end for bar in self.case.bars) == self.now
        for symbol in self.case.universe:
            ended = symbol in [bar.symbol for bar in self.ended]
            later = [bar for bar in self.case.bars if bar.symbol == symbol and bar.end > self.now]
            if self.config["end"]["symbol"] == "close" and ended and not later:
                self.close_position(symbol, "end_of_data")
        for symbol in self.case.universe:
            if self.config["end"]["run"] == "close" and is_last:
                self.close_position(symbol, "end_of_run")

    def close_position(self, symbol: str, origin: str) -> None:
        position = self.positions[symbol]
        if position.quantity == 0:
            return
        order = self.create(symbol, -sign(position.quantity), "close", origin, None, None, {})
        self.transition(order, "accepted", "admitted", self.now)
        assert position.mark is not None
        self.execute(order, Moment(5, ZERO, position.mark), self.now)

    def write_equity(self) -> None:
        gross = net = ZERO
        for symbol, position in self.positions.items():
            value = position.quantity * self.multiplier(symbol) * (position.mark or ZERO)
            gross, net = gross + abs(value), net + value
        self.outcome.equity.append(Equity(self.now, self.cash, self.cash + net, gross, net))

    # ---------------------------------------------------------------------------------------------- orders.md

    def create(
        self,
        symbol: str,
        side: int,
        sizing: str,
        origin: str,
        quantity: Decimal | None,
        amount: Decimal | None,
        kwargs: dict[str, Any],
    ) -> Order:
        limit, stop = kwargs.get("limit"), kwargs.get("stop")
        kind = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}
        tif = kwargs.get("tif", "GTC")
        order = Order(
            id=len(self.orders) + 1,
            symbol=symbol,
            side=side,
            type=kind[limit is not None, stop is not None],
            sizing=sizing,
            origin=origin,
            tif=tif,
            quantity=quantity,
            amount=amount,
            limit=None if limit is None else self.to_tick(symbol, number(limit), up=side < 0),
            stop=None if stop is None else self.to_tick(symbol, number(stop), up=side > 0),
            reduce_only=kwargs.get("reduce_only", False) or sizing == "close",
            submitted_at=self.now,
            eligible_from=self.now,
            expires_at=self.session_close(symbol) if tif == "DAY" else kwargs.get("until"),
        )
        self.orders.append(order)
        return order

    def session_close(self, symbol: str) -> int | None:
        """The close of the session of the symbol's first bar that starts at or after now; None where there is none."""
        later = [bar for bar in self.case.bars if bar.symbol == symbol and bar.start >= self.now]
        return min(later, key=lambda bar: bar.start).session_close if later else None

    def transition(self, order: Order, to: str, reason: str, time: int) -> None:
        self.outcome.order_events.append(Event(order.id, time, order.state, to, reason))
        order.state, order.reason = to, reason
        if to in FINAL:
            order.closed_at, order.reserved = time, ZERO

    def submit(self, request: Submit, price: Decimal | None, equity: Decimal) -> Order | None:
        symbol, kwargs = request.symbol, request.kwargs
        position = self.positions[symbol].quantity
        if request.method == "close":
            return None if position == 0 else self.create(symbol, -sign(position), "close", "close", None, None, kwargs)
        if request.method in ("buy", "sell"):
            sizing = next(name for name in ("quantity", "value", "percent") if kwargs.get(name) is not None)
            amount, side, origin = number(kwargs[sizing]), 1 if request.method == "buy" else -1, "strategy"
        else:
            sizing, amount, side, origin = request.method.removeprefix("order_"), number(kwargs["target"]), 0, "target"
            for order in self.orders:
                if order.origin == "target" and order.symbol == symbol and order.state not in FINAL:
                    self.transition(order, "cancelled", "superseded_by_target", self.now)
        if sizing == "quantity":
            return self.create(symbol, side, sizing, origin, amount, amount, kwargs)
        if price is None and sizing != "target_quantity":
            raise ValueError(f"{symbol} has no mark at decision {self.decisions}")
        if self.config["orders"]["valuation"] == "fill_price":
            return self.create(symbol, side, sizing, origin, None, amount, kwargs)
        wanted = self.wanted(symbol, side, sizing, amount, price or ZERO, equity)
        if wanted == 0:
            return None
        return self.create(symbol, sign(wanted), sizing, origin, abs(wanted), amount, kwargs)

    def replace(self, order: Order, request: Replace) -> None:
        fields = {name: number(value) for name, value in request.fields.items()}
        if "stop" in fields and order.state == "triggered":
            return
        if "limit" in fields:
            order.limit = self.to_tick(order.symbol, fields["limit"], up=order.side < 0)
        if "stop" in fields:
            order.stop = self.to_tick(order.symbol, fields["stop"], up=order.side > 0)
        # Choice: a reservation made at acceptance stays what it was.
        order.quantity = fields.get("quantity", order.quantity)
        order.eligible_from = self.now
        self.outcome.order_events.append(Event(order.id, self.now, order.state, order.state, "replace_requested"))

    # ---------------------------------------------------------------------------------------------- sizing.md

    def valuation_price(self, symbol: str) -> Decimal | None:
        position = self.positions[symbol]
        if self.config["orders"]["valuation"] == "previous_close" and position.closes:
            # Choice: where there is one close only, that one.
            return position.closes[-2] if len(position.closes) > 1 else position.closes[-1]
        return position.mark

    def wanted(self, symbol: str, side: int, sizing: str, amount: Decimal, price: Decimal, equity: Decimal) -> Decimal:
        """The signed quantity that a request asks for at this price and equity."""
        unit = price * self.multiplier(symbol)
        lots = {
            "value": lambda: side * amount / unit,
            "percent": lambda: side * amount * equity / unit,
            "target_quantity": lambda: amount,
            "target_value": lambda: amount / unit,
            "target_percent": lambda: amount * equity / unit,
        }[sizing]()
        held = self.positions[symbol].quantity if sizing.startswith("target") else ZERO
        units = self.whole_lots(symbol, lots)
        if held != 0 and abs(units - held) < NEAR * max(abs(units), abs(held)):
            return ZERO
        return units - held

    def whole_lots(self, symbol: str, quantity: Decimal) -> Decimal:
        """Towards zero; a number of lots within 1e-9 of an integer counts as that integer."""
        lot = self.instrument(symbol, "lot_size", 1.0)
        if lot == 0:
            return quantity
        lots = abs(quantity) / lot
        nearest = lots.to_integral_value()
        whole = nearest if abs(lots - nearest) <= NEAR * lots else lots.to_integral_value(ROUND_FLOOR)
        return sign(quantity) * whole * lot

    def instrument(self, symbol: str, name: str, default: float) -> Decimal:
        own = self.instruments.get("symbols", {}).get(symbol, {})
        return number(own.get(name, self.instruments.get("default", {}).get(name, default)))

    def multiplier(self, symbol: str) -> Decimal:
        return self.instrument(symbol, "multiplier", 1.0)

    def wanted_at_fill(self, order: Order, price: Decimal) -> Decimal:
        """The signed quantity the order stands for if it filled at this reference price now, before reduce-only."""
        if order.sizing == "close":
            return -self.positions[order.symbol].quantity
        if order.quantity is not None:
            return order.side * (order.quantity - order.filled)
        assert order.amount is not None
        equity = self.equity(order.symbol, price)
        return self.wanted(order.symbol, order.side, order.sizing, order.amount, price, equity)

    def equity(self, symbol: str | None = None, price: Decimal | None = None) -> Decimal:
        """Equity at the marks, with one symbol at another price."""
        total = self.cash
        for name, position in self.positions.items():
            mark = price if name == symbol else position.mark
            total += position.quantity * self.multiplier(name) * (mark or ZERO)
        return total

    # --------------------------------------------------------------------------------------------- account.md

    def admit(self, batch: list[Order]) -> None:
        if self.config["orders"]["batch_order"] == "reductions_first":
            batch = sorted(batch, key=lambda order: (not self.is_reduction(order, None), order.id))
        running = self.cash
        for order in batch:
            reason = "none"
            mark, quantity = self.positions[order.symbol].mark, order.quantity
            explicit = order.sizing == "quantity" and quantity is not None
            if explicit and self.whole_lots(order.symbol, quantity or ZERO) != quantity:
                reason = "not_a_lot_multiple"
            elif quantity is not None and mark is not None:
                reference = next(price for price in (order.limit, order.stop, mark) if price is not None)
                if self.config["orders"]["admission"] == "reserve":
                    reason = self.reserve(order, quantity, reference)
                elif self.config["orders"]["admission"] == "pseudo_execute":
                    value = quantity * reference * self.multiplier(order.symbol)
                    running -= order.side * value + self.commission(order, quantity, value)
                    # Choice: "stays where it is" means below zero, with the rejected order taken off.
                    reason = "insufficient_cash" if self.is_less(running, ZERO) else "none"
            if reason == "none":
                self.transition(order, "accepted", "admitted", self.now)
            else:
                self.transition(order, "rejected", reason, self.now)

    def reserve(self, order: Order, quantity: Decimal, reference: Decimal) -> str:
        """Reserves what the opening part of the order needs, or returns why it may not."""
        held = self.positions[order.symbol].quantity
        opening = max(quantity - abs(held), ZERO) if sign(held) == -order.side else quantity
        if opening == 0 or order.reduce_only:
            return "none"
        value = opening * reference * self.multiplier(order.symbol)
        rate = self.margin_rate if self.is_margin else ONE
        need = value * rate + self.commission(order, opening, value)
        free = self.cash
        if self.is_margin:
            free = self.equity() - self.margin_rate * self.gross()
        for other in self.live():
            free -= other.reserved
        if self.is_less(free, need) and self.rejects_shortfall(order):
            return "insufficient_margin" if self.is_margin else "insufficient_cash"
        order.reserved = max(min(need, free), ZERO)
        return "none"

    def gross(self) -> Decimal:
        total = ZERO
        for symbol, position in self.positions.items():
            total += abs(position.quantity) * self.multiplier(symbol) * (position.mark or ZERO)
        return total

    def rejects_shortfall(self, order: Order) -> bool:
        rule = self.config["account"]["shortfall"]
        return bool(rule == "reject" or (rule == "by_sizing" and order.sizing == "quantity"))

    def is_less(self, left: Decimal, right: Decimal) -> bool:
        """left < right; counts it when float64 might see it the other way round."""
        scale = max(abs(left), abs(right), ONE)
        exact = left == right and (left * 1024) % 1 == 0
        if abs(left - right) <= NEAR * scale and not exact:
            self.outcome.close_calls += 1
        return left < right

    def affordable(self, order: Order, wanted: Decimal, reference: Decimal) -> tuple[Decimal, str]:
        """The signed quantity that the account takes, and the reason of the last test that took less than wanted."""
        held = self.positions[order.symbol].quantity
        quantity, reason = wanted, "none"
        if not self.is_margin and held + quantity < 0:
            reason = "short_not_allowed"
            if self.rejects_shortfall(order) or held == 0:
                return ZERO, reason
            quantity = -held

        def fits(size: Decimal) -> bool:
            return self.can_pay(order, sign(quantity) * size, reference)

        if fits(abs(quantity)):
            return quantity, reason
        short = "insufficient_margin" if self.is_margin else "insufficient_cash"
        lot = self.instrument(order.symbol, "lot_size", 1.0)
        if lot == 0:
            size = self.largest_fraction(order, abs(quantity), reference, fits)
            if size >= abs(quantity) * (1 - NEAR):
                return sign(quantity) * size, reason
            if self.rejects_shortfall(order) or size <= NEAR * abs(wanted):
                return ZERO, short
            return sign(quantity) * size, short
        reason = short
        if self.rejects_shortfall(order):
            return ZERO, reason
        size = abs(self.whole_lots(order.symbol, quantity))
        while size > 0 and not fits(size):
            size -= lot
        return sign(quantity) * max(size, ZERO), reason

    def can_pay(self, order: Order, quantity: Decimal, reference: Decimal) -> bool:
        position, multiplier = self.positions[order.symbol], self.multiplier(order.symbol)
        held = position.quantity
        side = sign(quantity)
        price = self.slipped(order, reference, side)
        paid = self.commission(order, abs(quantity), abs(quantity) * price * multiplier)
        cash = self.cash - quantity * price * multiplier - paid
        if not self.is_margin:
            return not self.is_less(cash, ZERO)
        if sign(held) == -side and abs(quantity) <= abs(held):
            return True
        exposure = abs(held + quantity) * multiplier * reference
        equity = cash + (held + quantity) * multiplier * reference
        for symbol, other in self.positions.items():
            if symbol != order.symbol and other.mark is not None:
                exposure += abs(other.quantity) * self.multiplier(symbol) * other.mark
                equity += other.quantity * self.multiplier(symbol) * other.mark
        return not self.is_less(equity, self.margin_rate * exposure)

    def largest_fraction(
        self, order: Order, most: Decimal, reference: Decimal, fits: Callable[[Decimal], bool]
    ) -> Decimal:
        """Bisection between the points where the need jumps or bends: position zero and the tiers' borders."""
        held = self.positions[order.symbol].quantity
        price = self.slipped(order, reference, order.side or 1)
        tiers = self.commission_model(order.symbol).get("tiers", [])
        bends = {ZERO, most, abs(held)}
        bends |= {number(tier["up_to"]) / (price * self.multiplier(order.symbol)) for tier in tiers if "up_to" in tier}
        points = sorted((point for point in bends if point <= most), reverse=True)
        for high, low in pairwise(points):
            if fits(high):
                return high
            left, right = low + Decimal("1e-30"), high
            if not fits(left):
                continue
            close_calls = self.outcome.close_calls
            for _ in range(160):
                middle = (left + right) / 2
                left, right = (middle, right) if fits(middle) else (left, middle)
            # Near its limit all is close; what matters is whether float64 finds nothing where Decimal finds dust.
            self.outcome.close_calls = close_calls + (left < NEAR * most)
            return left
        self.outcome.close_calls += 1 if fits(ZERO) else 0
        return ZERO

    # ----------------------------------------------------------------------------------------------- costs.md

    def model(self, symbol: str, name: str) -> dict[str, Any]:
        own: dict[str, Any] | None = self.costs.get("symbols", {}).get(symbol, {}).get(name)
        return own if own is not None else self.costs.get(name, {"kind": "none"})

    def commission_model(self, symbol: str) -> dict[str, Any]:
        return self.model(symbol, "commission")

    def commission(self, order: Order, quantity: Decimal, value: Decimal) -> Decimal:
        """What a fill of this size adds to the order's commission. Choice: an order without a fill has paid nothing."""
        total = self.total_commission(order.symbol, order.filled + quantity, order.value + value)
        return max(total - order.commission, ZERO)

    def total_commission(self, symbol: str, quantity: Decimal, value: Decimal) -> Decimal:
        model = self.commission_model(symbol)
        if model["kind"] == "tiered":
            tiers = model["tiers"]
            rate = next(number(t["rate"]) for t in tiers if t.get("up_to") is None or value <= number(t["up_to"]))
        else:
            rate = number(model.get("rate", 0.0))
        total = number(model.get("fixed", 0.0)) + number(model.get("per_share", 0.0)) * quantity + rate * value
        total = max(total, number(model.get("minimum", 0.0)))
        cap = model.get("cap_rate")
        return total if cap is None else min(total, number(cap) * value)

    def slipped(self, order: Order, reference: Decimal, side: int) -> Decimal:
        model = self.model(order.symbol, "slippage")
        if order.type in ("limit", "stop_limit") or model["kind"] == "none":
            return reference
        tick = self.instrument(order.symbol, "tick_size", 0.0)
        distance = number(model.get("rate", 0.0)) * reference + number(model.get("amount", 0.0))
        distance += number(model.get("ticks", 0.0)) * tick
        price = self.to_tick(order.symbol, reference + side * distance, up=side > 0)
        return max(price, ZERO) if side < 0 and reference >= 0 else price

    def to_tick(self, symbol: str, price: Decimal, up: bool) -> Decimal:
        tick = self.instrument(symbol, "tick_size", 0.0)
        if tick == 0:
            return price
        ticks = price / tick
        nearest = ticks.to_integral_value()
        if abs(ticks - nearest) > NEAR * abs(ticks):
            nearest = ticks.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        return nearest * tick

    # -------------------------------------------------------------------------------------------- matching.md

    def path(self, bar: Bar) -> list[Decimal]:
        """The corners O, P1, P2, C. Choice: under `queue` the position is the one before the whole round."""
        first, high, low, last = (number(price) for price in (bar.open, bar.high, bar.low, bar.close))
        up, down = [first, high, low, last], [first, low, high, last]
        rule = self.config["fills"]["path"]
        if rule == "open_high_low_close":
            return up
        if rule == "open_low_high_close":
            return down
        if rule == "nearest_extreme_first":
            return up if high - first < first - low else down
        side = -sign(self.positions[bar.symbol].quantity)  # the side that suffers from the high first
        if side == 0:
            # Choice: market orders never fill on the path, so they have no say.
            waiting = [o for o in self.live() if o.symbol == bar.symbol and o.type != "market"]
            waiting = [order for order in waiting if order.eligible_from <= bar.start]
            side = waiting[0].side if waiting else 1
        worst, best = (up, down) if side > 0 else (down, up)
        return worst if rule == "worst_first" else best

    def is_reduction(self, order: Order, price: Decimal | None) -> bool:
        """The order's direction is against the position as it is now."""
        position = self.positions[order.symbol]
        side = order.side
        if side == 0:  # a target at the fill price: the direction it has now
            reference = price if price is not None else position.mark
            side = 0 if reference is None else sign(self.wanted_at_fill(order, reference))
        return position.quantity != 0 and (order.sizing == "close" or side == -sign(position.quantity))

    def round(self, courses: list[Course]) -> None:
        """Takes the order that comes first until nothing can fill any more."""
        queue = self.config["fills"]["schedule"] == "queue"
        while True:
            best: tuple[Any, Order, Moment, Course] | None = None
            for course in courses:
                offer: tuple[Any, Order, Moment] | None = None
                for order in self.live():
                    moment = self.moment(order, course) if order.symbol == course.bar.symbol else None
                    if moment is None:
                        continue
                    growth = not self.is_reduction(order, moment.price)
                    key: Any = (order.id,) if queue else (moment.segment, moment.progress, growth, order.id)
                    if offer is None or key < offer[0]:
                        offer = (key, order, moment)
                if offer is None:
                    continue
                key = offer[0] if queue else (offer[0][0], offer[0][2], offer[0][3])
                if best is None or key < best[0]:
                    best = (key, offer[1], offer[2], course)
            if best is None:
                return
            self.take(best[1], best[2], best[3].bar)

    def moment(self, order: Order, course: Course) -> Moment | None:
        """When the order is next triggered or filled on this course; None if never."""
        bar, segments = course.bar, course.segments
        if order.type == "market":
            if 5 in segments:
                return Moment(5, ZERO, self.positions[bar.symbol].mark or ZERO)
            if self.config["fills"]["market"] == "next_open":
                is_due = 0 in segments and order.eligible_from <= bar.start
                return Moment(0, ZERO, number(bar.open)) if is_due else None
            is_due = 4 in segments and order.eligible_from < bar.end
            return Moment(4, ZERO, number(bar.close)) if is_due else None
        if order.eligible_from > bar.start:
            return None
        if order.stop is not None and order.state == "accepted":
            return self.reach(order.stop, order.side, course, None)
        assert order.limit is not None
        triggered_here = order.trigger is not None and order.trigger[0] == bar
        return self.reach(
            order.limit, -order.side, course, order.trigger[1] if triggered_here and order.trigger else None
        )

    def reach(self, level: Decimal, direction: int, course: Course, after: Moment | None) -> Moment | None:
        """The first moment, not before `after`, at which the price reaches the level from direction's wrong side."""
        start = number(course.bar.open)
        if after is not None and direction * (after.price - level) >= 0:
            return after if after.segment in course.segments else None
        if after is None and 0 in course.segments and direction * (start - level) >= 0:
            return Moment(0, ZERO, start, level, "touch" if start == level else "gap")
        for segment in (1, 2, 3):
            if segment not in course.segments or (after is not None and segment < after.segment):
                continue
            begin, end = course.corners[segment - 1], course.corners[segment]
            if direction * (end - level) >= 0:
                progress = abs(level - begin) / abs(end - begin) if end != begin else ZERO
                return Moment(segment, progress, level, level, "touch" if end == level else "cross")
        return None

    def take(self, order: Order, moment: Moment, bar: Bar) -> None:
        time = bar.start if moment.segment == 0 else bar.end
        if order.stop is not None and order.state == "accepted":
            self.transition(order, "triggered", "stop_reached", time)
            order.trigger = (bar, moment)
            if order.type == "stop_limit":
                return
        self.execute(order, moment, time)

    # ---------------------------------------------------------------------------------- fills.md and ledger.md

    def execute(self, order: Order, moment: Moment, time: int) -> None:
        """Fills the order at the moment's price as far as reduce-only and the account allow, or ends it."""
        held = self.positions[order.symbol].quantity
        wanted = self.wanted_at_fill(order, moment.price)
        if order.reduce_only and (held == 0 or sign(wanted) == sign(held)):
            return self.transition(order, "cancelled", "nothing_to_reduce", time)
        if wanted == 0:
            return self.transition(order, "cancelled", "nothing_to_trade", time)
        order.side = sign(wanted)
        capped = order.side * min(abs(wanted), abs(held)) if order.reduce_only else wanted
        if 0 < abs(held + capped) < NEAR * max(abs(held), abs(capped)):
            wanted = capped = -held
        quantity, reason = self.affordable(order, capped, moment.price)
        if quantity == 0:
            return self.transition(order, "rejected", reason, time)
        self.book(order, quantity, moment, time)
        if abs(quantity - wanted) <= NEAR * abs(wanted):
            return self.transition(order, "filled", "executed", time)
        self.transition(order, "partially_filled", "executed", time)
        # Choice: what a reduce-only order has left over is cancelled at once, for there is nothing to reduce any more.
        return self.transition(order, "cancelled", "nothing_to_reduce" if reason == "none" else reason, time)

    def book(self, order: Order, quantity: Decimal, moment: Moment, time: int) -> None:
        symbol, position = order.symbol, self.positions[order.symbol]
        multiplier = self.multiplier(symbol)
        if 0 < abs(position.quantity + quantity) < NEAR * max(abs(position.quantity), abs(quantity)):
            quantity = -position.quantity
        price = self.slipped(order, moment.price, sign(quantity))
        value = abs(quantity) * price * multiplier
        paid = self.commission(order, abs(quantity), value)
        slippage = abs(price - moment.price) * abs(quantity) * multiplier
        order.filled, order.value, order.commission = (
            order.filled + abs(quantity),
            order.value + value,
            order.commission + paid,
        )
        self.pay(time, "fill", -quantity * price * multiplier)
        if paid != 0:
            self.pay(time, "commission", -paid)
        fill = Fill(
            order.id, time, symbol, quantity, price, moment.price, paid, slippage, SEGMENTS[moment.segment], order.type,
            moment.kind, position.quantity + quantity, self.cash,
        )  # fmt: skip
        self.outcome.fills.append(fill)
        self.move(position, quantity, price, multiplier)
        self.match_lots(position, fill)
        position.mark = moment.price

    def pay(self, time: int, cause: str, amount: Decimal) -> None:
        self.outcome.journal.append(Entry(time, cause, amount))
        self.cash += amount

    def move(self, position: Position, dq: Decimal, price: Decimal, multiplier: Decimal) -> None:
        held, average = position.quantity, position.average_price
        closed = ZERO
        if held * dq >= 0:  # increase
            position.average_price = (average * abs(held) + price * abs(dq)) / abs(held + dq)
        elif abs(dq) < abs(held):  # reduce
            closed = abs(dq)
        elif held + dq == 0:  # close
            closed, position.average_price = abs(held), ZERO
        else:  # flip
            closed, position.average_price = abs(held), price
        position.realised += closed * (price - average) * sign(held) * multiplier
        position.quantity = held + dq

    def match_lots(self, position: Position, fill: Fill) -> None:
        left = fill.quantity
        while left != 0 and position.lots and sign(position.lots[0].quantity) == -sign(left):
            lot = position.lots[0]
            size = min(abs(lot.quantity), abs(left))
            self.write_trade(fill.symbol, lot, sign(lot.quantity) * size, fill)
            left -= sign(left) * size
            lot.quantity -= sign(lot.quantity) * size
            if abs(lot.quantity) <= NEAR * size:  # what the fiftieth digit leaves of 0.1 + 0.2 - 0.3
                position.lots.pop(0)
            if abs(left) <= NEAR * size:
                left = ZERO
        if left != 0:
            position.lots.append(Lot(fill, left))

    def write_trade(self, symbol: str, lot: Lot, quantity: Decimal, closing: Fill | None) -> None:
        size, entry = abs(quantity), lot.fill
        entry_part = size / abs(entry.quantity)
        paid, slippage = entry.commission * entry_part, entry.slippage * entry_part
        gross = ZERO
        if closing is not None:
            exit_part = size / abs(closing.quantity)
            paid, slippage = paid + closing.commission * exit_part, slippage + closing.slippage * exit_part
            gross = quantity * (closing.price - entry.price) * self.multiplier(symbol)
        direction = "long" if quantity > 0 else "short"
        self.outcome.trades.append(Trade(symbol, direction, size, entry, closing, gross, paid, slippage, gross - paid))
