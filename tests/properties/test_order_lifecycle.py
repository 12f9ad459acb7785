"""Orders of every kind are submitted, linked, replaced and cancelled at random while time passes; the book stays sound.

Every step is a request, or a bar whose prices are drawn only then. After each step what is live is looked at; after the run its records:
the invariants of every run, and those of tests/lifecycle.py, which know what was asked.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

import lifecycle_requests as draw
from case import HOUR, Cancel, CancelAll, Link, Replace, Request, Submit
from drawn_cases import HEAVY
from invariants import INVARIANTS
from lifecycle import Watch
from ml4t.backtest._jit import IS_COMPILED
from observation import Observation
from stepped import FLAT, Prices, Stepped

BARS = 9
PRICES = ("limit", "stop", "touch", "activation")


class OrderLifecycle(RuleBasedStateMachine):
    """Prices are drawn as ticks from the last close; an order is known by the number of its `Submit`."""

    orders = Bundle("orders")

    @initialize(chosen=draw.CONFIGS)
    def begin(self, chosen: dict[str, Any]) -> None:
        self.run = Stepped(draw.config(chosen), draw.UNIVERSE, BARS)
        self.watch = Watch(self.run)
        self.is_broken = False
        self.run.pass_bar(dict.fromkeys(draw.UNIVERSE, FLAT))

    # ---------------------------------------------------------------------------------------------------- requests
    @rule(target=orders, side=draw.SIDES, symbol=draw.SYMBOLS, size=draw.SIZES, terms=draw.orders())
    def submit(self, side: str, symbol: str, size: dict[str, float], terms: draw.Terms) -> int:
        return self.submitted(side, symbol, {**size, **terms})

    @rule(
        target=orders,
        side=draw.SIDES,
        symbol=draw.SYMBOLS,
        size=draw.SIZES,
        terms=draw.prices(),
        exits=draw.exits(),
    )
    def submit_with_exits(
        self, side: str, symbol: str, size: dict[str, float], terms: draw.Terms, exits: draw.Terms
    ) -> int:
        return self.submitted(side, symbol, {**size, **terms, **exits})

    @rule(
        target=orders,
        parent=orders,
        side=draw.SIDES,
        symbol=draw.SYMBOLS,
        size=draw.CHILD_SIZES,
        terms=draw.orders(),
    )
    def submit_child(self, parent: int, side: str, symbol: str, size: dict[str, float], terms: draw.Terms) -> int:
        return self.submitted(side, symbol, {**size, **terms, "parent": parent})

    @rule(target=orders, symbol=draw.SYMBOLS, wanted=st.sampled_from((0.0, 10.0, 25.0)))
    def set_target(self, symbol: str, wanted: float) -> int:
        return self.submitted("order_target_quantity", symbol, {"target": wanted})

    @rule(target=orders, symbol=draw.SYMBOLS)
    def close(self, symbol: str) -> int:
        return self.submitted("close", symbol, {})

    @rule(symbol=draw.SYMBOLS, ticks=draw.SMALL)
    def protect(self, symbol: str, ticks: int) -> None:
        rate = ticks / 100
        self.run.broker.protect(symbol, stop_loss=rate, take_profit=[(rate, 0.5), (2 * rate, 0.5)])

    @rule(a=orders, b=orders)
    def link(self, a: int, b: int) -> None:
        self.ask(Link((a, b)))

    @rule(order=orders, name=st.sampled_from(("quantity", "limit", "stop", "touch")), ticks=draw.AROUND)
    def replace(self, order: int, name: str, ticks: int) -> None:
        symbol, terms = self.run.submitted_terms(order)
        if name == "quantity":
            self.ask(Replace(order, {name: 12.0}))
        elif isinstance(terms.get(name), float):
            self.ask(Replace(order, {name: self.price(symbol, ticks)}))

    @rule(order=orders)
    def cancel(self, order: int) -> None:
        self.ask(Cancel(order))

    @precondition(lambda self: self.run.broker.orders())
    @rule(symbol=st.sampled_from(("A", None)))
    def cancel_all(self, symbol: str | None) -> None:
        self.ask(CancelAll(symbol))

    # -------------------------------------------------------------------------------------------------------- time
    @precondition(lambda self: self.run.passed < BARS)
    @rule(a=draw.shapes(), b=draw.shapes(), volume=st.sampled_from((100.0, 40.0, 0.0)))
    def pass_bar(self, a: draw.Shape, b: draw.Shape, volume: float) -> None:
        self.run.pass_bar({"A": self.shaped("A", a, volume), "B": self.shaped("B", b, volume)})

    @invariant()
    def the_book_is_sound(self) -> None:
        self.is_broken = True
        self.watch.look()
        self.is_broken = False

    def teardown(self) -> None:
        if not self.is_broken:  # else that failure is the one to tell
            self.judge(self.run.finish())

    def judge(self, run: Observation) -> None:
        """The records of the whole run hold what every run's do."""
        self.watch.look()
        for each in INVARIANTS:
            each(run)

    # ---------------------------------------------------------------------------------------------------- in words
    def submitted(self, method: str, symbol: str, terms: draw.Terms) -> int:
        """The number of the `Submit` with these terms."""
        kwargs = {
            name: self.price(symbol, value) if name in PRICES and isinstance(value, int) else value
            for name, value in terms.items()
        }
        if "until" in kwargs:
            kwargs["until"] = self.run.last_bars()[0].end + kwargs["until"] * HOUR // 2
        self.ask(Submit(method, symbol, kwargs))
        return len(self.run.script.submitted) - 1

    def ask(self, request: Request) -> None:
        self.watch.expect(request)
        self.run.ask(request)

    def price(self, symbol: str, ticks: int) -> float:
        return self.run.last_close(symbol) + ticks

    def shaped(self, symbol: str, shape: draw.Shape, volume: float) -> Prices:
        open_ = self.price(symbol, shape.gap)
        close = open_ + shape.body
        return open_, max(open_, close) + shape.above, min(open_, close) - shape.below, close, volume


TestOrderLifecycle = OrderLifecycle.TestCase
TestOrderLifecycle.settings = settings(
    max_examples=5000 if HEAVY else 500 if IS_COMPILED else 50,
    stateful_step_count=25,
    derandomize=not HEAVY,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
