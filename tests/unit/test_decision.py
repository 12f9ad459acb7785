"""What compiled strategies call of the kernel, called as plain Python: the same orders as the broker's, the same refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ml4t.backtest import Engine, Price, Strategy, Trail, allocation, run
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.allocation import frozen, grow
from ml4t.backtest.compilation.strategy import NO_EXITS
from ml4t.backtest.enums import Mistake, OrderType, Origin, Ratchet, Sizing, TimeInForce
from ml4t.backtest.inputs import Names
from ml4t.backtest.kernel import decision
from ml4t.backtest.kernel.exit import write_ticket
from ml4t.backtest.kernel.room import has_room
from ml4t.backtest.kernel.step import DONE, GROW, READY
from ml4t.backtest.lookup import digest
from ml4t.backtest.tables import (
    DECISION_ROOM,
    MISTAKE,
    MISTAKE_SYMBOL,
    NONE,
    RECORD_ROOM,
    RECORDS,
    SYMBOL_NAME,
    TAG_NAME,
    State,
)
from told import FLAT, bars

pytestmark = pytest.mark.skipif(
    IS_COMPILED, reason="units have no entry from Python; tests/drivers calls them compiled"
)

NAN, GTC, STRATEGY = math.nan, int(TimeInForce.GTC), int(Origin.STRATEGY)
MOVING = bars(
    FLAT, FLAT, FLAT, (100, 104, 97, 102), (102, 103, 96, 98), (98, 110, 97, 108), (108, 109, 90, 92), FLAT, FLAT
)


def ask(
    state: State, side: int = 1, sizing: int = 0, size: float = 5.0, limit: float = NAN, stop: float = NAN, **more: int
) -> int:
    """`decision.order` for A."""
    terms = {"tif": GTC, "reduce_only": 0, "origin": STRATEGY, "tag": NONE, "extended": 0} | more
    return decision.order(state, 0, side, sizing, size, limit, stop, *terms.values())


def guarded(state: State, side: int = 1, size: float = 5.0, *, prices: int = 0, is_own: int = 1, **rules: float) -> int:
    """`decision.order_with_exits` for a market order of A."""
    found = [rules.get(rule, NAN) for rule in ("stop_loss", "take_profit", "trail", "break_even")]
    plain = (GTC, 0, STRATEGY, NONE, 0)
    rest = (int(rules.get("max_bars", 0)), 1, prices, is_own)
    return decision.order_with_exits(state, 0, side, Sizing.QUANTITY, size, NAN, NAN, *plain, *found, *rest)


def of_numbers(state: State, size: float = 5.0, limit: float = NAN, stop: float = NAN, **more: float) -> int:
    """`decision.order_of_numbers` for a buy of A, by a strategy without exits."""
    state.exits[:] = NO_EXITS
    terms = {"tif": GTC, "bars": 0, "tag": NONE, "stop_loss": NAN, "take_profit": NAN, "trail": NAN, "max_bars": 0}
    terms |= {"stop_is_price": 0, "reduce_only": 0} | more
    return decision.order_of_numbers(state, 0, 1, Sizing.QUANTITY, size, limit, stop, *terms.values())


def ticketed(
    state: State, kind: OrderType, tif: int = GTC, limit: float = NAN, stop: float = NAN, **ticket: float
) -> int:
    terms = {"activation": NAN, "trail": NAN, "is_rate": 0, "ratchet": int(Ratchet.PATH), "post_only": 0, "bars": 0}
    write_ticket(state, int(kind), *(terms | ticket).values())
    return ask(state, limit=limit, stop=stop, tif=tif, extended=1)


def twice(first: Callable[[State], int], then: Callable[[State, int], None]) -> Callable[[State], None]:
    return lambda state: then(state, first(state))


PAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[State], Any]]] = {
    "market": (lambda b: b.buy("A", 5), ask),
    "limit": (lambda b: b.buy("A", 5, limit=97.5), lambda s: ask(s, limit=97.5)),
    "stop": (lambda b: b.sell("A", 5, stop=97.5), lambda s: ask(s, -1, stop=97.5)),
    "value": (lambda b: b.buy("A", value=700), lambda s: ask(s, sizing=Sizing.VALUE, size=700.0)),
    "target": (
        lambda b: b.order_target_quantity("A", 3),
        lambda s: ask(s, sizing=Sizing.TARGET_QUANTITY, size=3.0, origin=int(Origin.TARGET)),
    ),
    "nothing": (
        lambda b: b.order_target_quantity("A", 10),
        lambda s: ask(s, sizing=Sizing.TARGET_QUANTITY, size=10.0, origin=int(Origin.TARGET)),
    ),
    "trailing stop": (
        lambda b: b.buy("A", 5, stop=Trail(rate=0.03)),
        lambda s: ticketed(s, OrderType.TRAILING_STOP, trail=0.03, is_rate=1),
    ),
    "touch": (lambda b: b.buy("A", 5, touch=97), lambda s: ticketed(s, OrderType.MARKET_IF_TOUCHED, stop=97.0)),
    "for bars": (
        lambda b: b.buy("A", 5, limit=90.5, tif="BARS", bars=2),
        lambda s: ticketed(s, OrderType.LIMIT, int(TimeInForce.BARS), limit=90.5, bars=2),
    ),
    "bracket": (
        lambda b: b.buy("A", 5, stop_loss=0.03, take_profit=0.04),
        lambda s: guarded(s, stop_loss=0.03, take_profit=0.04),
    ),
    "exits at prices": (
        lambda b: b.buy("A", 5, stop_loss=Price(96.5), take_profit=Price(105)),
        lambda s: guarded(s, stop_loss=96.5, take_profit=105.0, prices=3),
    ),
    "trail and break even": (
        lambda b: b.buy("A", 5, trail=0.05, break_even=0.02, max_bars=4),
        lambda s: guarded(s, trail=0.05, break_even=0.02, max_bars=4),
    ),
    "exits of the strategy, order that closes": (
        lambda b: b.sell("A", 5),
        lambda s: guarded(s, -1, stop_loss=0.03, is_own=0),
    ),
    "exits after an order under way": (
        lambda b: (b.sell("A", 3), b.buy("A", 5, stop_loss=0.03)),
        lambda s: (ask(s, -1, size=3.0), guarded(s, stop_loss=0.03)),
    ),
    "exits after a close under way": (
        lambda b: (b.close("A"), b.sell("A", 5, stop_loss=0.03)),
        lambda s: (
            ask(s, sizing=Sizing.CLOSE, size=0.0, reduce_only=1, origin=int(Origin.CLOSE)),
            guarded(s, -1, stop_loss=0.03),
        ),
    ),
    "numbers": (lambda b: b.place("A", 1, 0, 5.0), of_numbers),
    "numbers with a limit": (lambda b: b.place("A", 1, 0, 5.0, limit=97.5), lambda s: of_numbers(s, limit=97.5)),
    "numbers with exits": (
        lambda b: b.place("A", 1, 0, 5.0, stop_loss=96.5, take_profit=105.0, stop_is_price=True),
        lambda s: of_numbers(s, stop_loss=96.5, take_profit=105.0, stop_is_price=1),
    ),
    "cancel": (
        lambda b: b.cancel(b.buy("A", 5, limit=97.5)),
        twice(lambda s: ask(s, limit=97.5), decision.cancel),
    ),
    "replace": (
        lambda b: b.replace(b.buy("A", 5, limit=90.0), quantity=7, limit=97.5),
        twice(lambda s: ask(s, limit=90.0), lambda s, n: decision.replace(s, n, 7.0, 97.5, NAN)),
    ),
    "cancel all": (
        lambda b: (b.buy("A", 5, limit=97.5), b.buy("A", 5, limit=96.5, stop_loss=0.02), b.cancel_all()),
        lambda s: (
            ask(s, limit=97.5),
            decision.order_with_exits(
                s, 0, 1, 0, 5.0, 96.5, NAN, GTC, 0, STRATEGY, NONE, 0, 0.02, NAN, NAN, NAN, 0, 1, 0, 1
            ),
            decision.cancel_all(s, NONE),
        ),
    ),
    "cancel the target": (
        lambda b: (b.buy("A", 5), b.order_target_quantity("A", 3), b.cancel_target("A")),
        lambda s: (
            ask(s),
            ask(s, sizing=Sizing.TARGET_QUANTITY, size=3.0, origin=int(Origin.TARGET)),
            decision.cancel_target(s, 0),
        ),
    ),
}


class Once(Strategy):
    """Buys ten, and asks for one thing on the third bar, with room for a hundred orders."""

    def on_bar(self) -> None:
        if self.data.count("A") == 1:
            self.broker.buy("A", 10)
        if self.data.count("A") == 3:
            while not has_room(self.broker.handle.state, 100):
                grow(self.broker.handle)
            self.ask()

    def ask(self) -> None:
        pass


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_orders_as_the_brokers(name: str) -> None:
    by_broker, by_kernel = PAIRS[name]

    class Broker(Once):
        def ask(self) -> None:
            by_broker(self.broker)

    class Kernel(Once):
        def ask(self) -> None:
            by_kernel(self.broker.handle.state)
            assert self.broker.handle.state.clock[MISTAKE] == Mistake.NONE

    one, two = run(Broker(), MOVING), run(Kernel(), MOVING)
    assert name == "nothing" or one.orders.height > 1
    for frame in ("orders", "order_events", "fills", "journal", "equity"):
        assert getattr(one, frame).equals(getattr(two, frame)), frame


REFUSED: dict[Mistake, Callable[[State], Any]] = {
    Mistake.BAD_SIZE: lambda s: ask(s, size=0.0),
    Mistake.BAD_TARGET: lambda s: ask(s, size=NAN, origin=int(Origin.TARGET), sizing=Sizing.TARGET_VALUE),
    Mistake.BAD_PRICE: lambda s: of_numbers(s, limit=-1.0),
    Mistake.BAD_RATE: lambda s: guarded(s, stop_loss=1.0),
    Mistake.ONLY_CLOSES: lambda s: guarded(s, -1, stop_loss=0.1),
    Mistake.NO_ORDER: lambda s: (decision.replace(s, 0, NAN, NAN, NAN), decision.cancel(s, 0)),
    Mistake.NOT_LIVE: lambda s: decision.cancel(s, 1),
    Mistake.NO_SUCH_PRICE: lambda s: decision.replace(s, ask(s), NAN, 3.0, NAN),
    Mistake.UNKNOWN_NAME: lambda s: decision.named_number(s, digest("B"), SYMBOL_NAME),
    Mistake.TOO_MANY_RECORDS: lambda s: [decision.record(s, 1, 1.0) for _ in range(500)],
}


@pytest.mark.parametrize("mistake", REFUSED, ids=lambda m: m.name)
def test_what_is_asked_for_in_vain(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first mistake is on record, and no order follows from it."""
    monkeypatch.setattr(allocation, "RESERVED", 0)  # there is room for millions of records otherwise

    class Wrong(Once):
        def ask(self) -> None:
            state = self.broker.handle.state
            REFUSED[mistake](state)
            assert state.clock[MISTAKE] == mistake
            ask(state, size=-1.0)  # a second one changes nothing
            assert state.clock[MISTAKE] == mistake
            state.clock[MISTAKE] = Mistake.NONE

    orders = run(Wrong(), MOVING).orders
    assert orders.height == (2 if mistake == Mistake.NO_SUCH_PRICE else 1)


def test_names() -> None:
    """A name stands for a number of its kind only; two that meet in the table are both found."""
    cell = 5
    names = frozen(Names, digest=[0] * cell + [8 + cell, 16 + cell, 0], kind=[0] * 8, number=[0] * cell + [3, 4, 0])

    class Asks(Once):
        def ask(self) -> None:
            handle = self.broker.handle
            handle.replace(handle.state._replace(names=names))
            assert decision.named_number(handle.state, 8 + cell, SYMBOL_NAME) == 3
            assert decision.named_number(handle.state, 16 + cell, SYMBOL_NAME) == 4
            assert handle.state.clock[MISTAKE] == Mistake.NONE
            assert decision.named_number(handle.state, 8 + cell, TAG_NAME) == 0
            assert handle.state.clock[MISTAKE] == Mistake.UNKNOWN_NAME
            assert handle.state.clock[MISTAKE_SYMBOL] == TAG_NAME
            handle.state.clock[MISTAKE] = Mistake.NONE

    run(Asks(), MOVING)


def test_the_loop_makes_room_before_a_decision_and_stops_after_a_mistake() -> None:
    engine = Engine(Once(), MOVING)
    engine.strategy.on_start()
    handle, decided = engine._handle, 0
    handle.state.rules[DECISION_ROOM] = 500
    grown = 0
    while (answer := decision.next_decision(handle.state)) != DONE:
        if answer == GROW:  # the decision that was due comes after it, not the next
            grown += 1
            grow(handle)
        else:
            assert answer == READY
            decided += 1
    assert decided == 9
    assert grown >= 1
    handle.state.clock[MISTAKE] = Mistake.BAD_SIZE
    assert decision.next_decision(handle.state) == decision.STOPPED


def test_records() -> None:
    class Notes(Once):
        def ask(self) -> None:
            handle = self.broker.handle
            handle.state.needs[:] = 0
            handle.state.needs[RECORD_ROOM] = 4
            grow(handle)
            decision.record(handle.state, 7, 2.5)
            assert handle.state.clock[RECORDS] == 1
            assert (handle.state.records.name[0], handle.state.records.value[0]) == (7, 2.5)

    run(Notes(), MOVING)
