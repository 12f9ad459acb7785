"""The loop of a compiled strategy: from decision to decision without Python."""

from typing import Any

from ml4t.backtest._jit import borrow
from ml4t.backtest.compilation.instance import METHODS, StrategyType
from ml4t.backtest.compilation.name import inlined, record_name
from ml4t.backtest.compilation.price import number
from ml4t.backtest.compilation.view import EVENT, FILL, SIGNAL, function, maker, method, state_of
from ml4t.backtest.kernel.decision import next_decision, record
from ml4t.backtest.kernel.step import READY
from ml4t.backtest.tables import BAR_ENDED, DUE, EVENTS, INFORMED, NONE, NOW, WAKE_ON_BAR

fill_of, event_of, signal_of = maker(FILL), maker(EVENT), maker(SIGNAL)


def run(key, strategy, told, heard):
    """Every decision is made: DONE; or GROW, or STOPPED. `told`, `heard`: [1] events and signals that the strategy knows."""
    state = borrow(key)
    while True:
        answer = next_decision(state)
        if answer != READY:
            return answer
        tell(strategy, state, told)
        announce(strategy, state, heard)
        for i in range(state.clock[DUE]):
            call_due(strategy, state.due[i])
        if state.rules[WAKE_ON_BAR] != 0 and state.clock[BAR_ENDED] != 0:
            call_bar(strategy)


def tell(strategy: Any, state: Any, told: Any) -> None:
    """`on_fill` and `on_order` have been called for what happened since they were called last."""


def announce(strategy: Any, state: Any, heard: Any) -> None:
    """`on_signal` has been called for the signals that arrived now."""


def call_due(strategy: Any, number: int) -> None:
    """The schedule of this number has been called."""


def call_bar(strategy: Any) -> None:
    """`on_bar` has been called."""


@function(call_bar)
def _call_bar(strategy: StrategyType) -> Any:
    return (lambda strategy: strategy.on_bar()) if "on_bar" in strategy.methods else (lambda strategy: None)


@function(tell)
def _tell(strategy: StrategyType, state: Any, told: Any) -> Any:
    hears_fills, hears_orders = "on_fill" in strategy.methods, "on_order" in strategy.methods
    if not (hears_fills or hears_orders):
        return lambda strategy, state, told: None
    on_fill = inlined((lambda s, n: s.on_fill(fill_of(s.data, n))) if hears_fills else (lambda s, n: None))
    on_order = inlined((lambda s, n: s.on_order(event_of(s.data, n))) if hears_orders else (lambda s, n: None))

    def tell(strategy, state, told):
        first, last = told[0], state.clock[EVENTS]
        told[0] = last
        for i in range(first, last):
            if state.events.fill[i] == NONE:
                on_order(strategy, i)
            else:
                on_fill(strategy, state.events.fill[i])

    return tell


@function(announce)
def _announce(strategy: StrategyType, state: Any, heard: Any) -> Any:
    if "on_signal" not in strategy.methods:
        return lambda strategy, state, heard: None

    def announce(strategy, state, heard):
        first, last = heard[0], state.clock[INFORMED]
        heard[0] = last
        for i in range(first, last):
            if (
                state.streams.wakes[state.information.stream[i]] != 0
                and state.information.arrival[i] == state.clock[NOW]
            ):
                strategy.on_signal(signal_of(strategy.data, i))

    return announce


@function(call_due)
def _call_due(strategy: StrategyType, number: Any) -> Any:
    call = inlined(lambda strategy, number: None)
    for place, name in enumerate(strategy.schedules):
        call = _one_or(place, METHODS[strategy.source, name], call)
    return lambda strategy, number: call(strategy, number)


def _one_or(place: int, method: Any, others: Any) -> Any:
    def call(strategy, number):
        if number == place:
            method(strategy)
        else:
            others(strategy, number)

    return inlined(call)


@method(StrategyType, "record")
def _record(self: StrategyType, name: Any, value: Any) -> Any:
    digest, plain = record_name(name), number(value, "what is recorded")

    def note(self, name, value):
        state = state_of(self.data)
        record(state, digest(state, name), plain(value))

    return note
