"""Small functions of the kernel, called directly: the same source runs here compiled and, in its own process, interpreted."""

from __future__ import annotations

import heapq
import inspect
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from fresh_process import python
from ml4t.backtest._jit import IS_COMPILED, Handle, bind, borrow
from ml4t.backtest.allocation import allocate, frozen, prototype
from ml4t.backtest.enums import PathRule, Schedule
from ml4t.backtest.inputs import Bars, Costs, FinerBars, Instruments, Tiers
from ml4t.backtest.kernel import clock, cost, indicator, match, rounding, trigger
from ml4t.backtest.tables import (
    CLOCK_SIZE,
    MONEY_SIZE,
    MONTH_VALUE,
    NONE,
    OFFERS,
    PATH,
    RULES_SIZE,
    SCHEDULE,
    TIMERS,
    Agenda,
    Market,
    Orders,
    Progress,
    State,
    Timers,
)

MANY = settings(max_examples=200, deadline=None, derandomize=True, database=None)
INT, FLOAT = types.intp, types.float64


def bound(function: Callable[..., Any], *signature: Any) -> Callable[..., Any]:
    """A function that takes a handle's key first, compiled unless nothing is. Not cached: the cache does not know this file."""
    return bind(numba.njit(function), INT, *signature)


def called(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for Python to call: inlined functions have no entry of their own when compiled."""

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return numba.njit(call) if IS_COMPILED else function  # type: ignore[no-any-return]


towards_zero, on_tick, is_lot_multiple = map(
    called, (rounding.towards_zero, rounding.on_tick, rounding.is_lot_multiple)
)
steps_down, steps_up = called(rounding.steps_down), called(rounding.steps_up)
merge = called(clock.merge)
mean, standard_deviation = called(indicator.mean), called(indicator.standard_deviation)
minimum, maximum = called(indicator.minimum), called(indicator.maximum)


def blank(**groups: Any) -> State:
    """A state of empty tables but for these."""
    clock_, rules = np.zeros(CLOCK_SIZE, np.int64), np.zeros(RULES_SIZE, np.int64)
    return prototype()._replace(clock=clock_, rules=rules, **groups)


def test_the_same_without_a_compiler() -> None:
    """This file's other tests, interpreted."""
    if IS_COMPILED:
        done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__)), NUMBA_DISABLE_JIT="1")
        assert "[100%]" in done.stdout, done.stdout


# ------------------------------------------------------------------------------------------------------------ rounding
@pytest.mark.parametrize(
    ("quantity", "lot", "expected"),
    [
        (7.0, 1.0, 7.0),
        (7.9, 1.0, 7.0),
        (-7.9, 1.0, -7.0),
        (0.3, 0.1, 3 * 0.1),  # 0.3 / 0.1 is 2.9999999999999996
        (8.0 - 1e-12, 1.0, 8.0),
        (8.0 - 1e-7, 1.0, 7.0),
        (19.0, 10.0, 10.0),
        (-19.0, 10.0, -10.0),
        (0.0, 10.0, 0.0),
        (2.345, 0.0, 2.345),
        (-2.345, 0.0, -2.345),
    ],
)
def test_lots_go_towards_zero(quantity: float, lot: float, expected: float) -> None:
    assert towards_zero(quantity, lot) == expected


@pytest.mark.parametrize(
    ("price", "tick", "direction", "expected"),
    [
        (100.1, 0.25, 1, 100.25),
        (100.1, 0.25, -1, 100.0),
        (100.25, 0.25, 1, 100.25),
        (100.25, 0.25, -1, 100.25),
        (0.3, 0.1, -1, 3 * 0.1),
        (0.7, 0.1, 1, 7 * 0.1),
        (100.1, 0.0, 1, 100.1),
    ],
)
def test_prices_go_to_their_tick(price: float, tick: float, direction: int, expected: float) -> None:
    assert on_tick(price, tick, direction) == expected


def test_no_price_stays_no_price() -> None:
    assert math.isnan(on_tick(math.nan, 0.25, 1))


@MANY
@given(steps=st.integers(0, 10**6), rest=st.floats(0.01, 0.99), step=st.sampled_from((1.0, 0.25, 0.1, 0.01, 100.0)))
def test_between_steps_down_is_below_and_up_is_above(steps: int, rest: float, step: float) -> None:
    x = (steps + rest) * step
    assert steps_down(x, step) == steps
    assert steps_up(x, step) == steps + 1


@MANY
@given(steps=st.integers(0, 10**6), step=st.sampled_from((1.0, 0.25, 0.1, 0.01, 1 / 3, 100.0)))
def test_on_a_step_nothing_is_rounded(steps: int, step: float) -> None:
    assert steps_down(steps * step, step) == steps == steps_up(steps * step, step)
    assert is_lot_multiple(steps * step, step)


# ------------------------------------------------------------------------------------------------------------- trigger
def slow_reach(level: float, direction: int, corners: list[float]) -> tuple[int, float, float]:
    """The same by walking along the path in exact steps of an eighth."""
    for segment in (1, 2, 3):
        begin, end = Fraction(corners[segment - 1]), Fraction(corners[segment])
        for n in range(1 + 8 * int(abs(end - begin))):
            length = abs(end - begin)
            price = begin + (end - begin) * (Fraction(n, 8) / length if length else 0)
            if direction * (price - Fraction(level)) >= 0:
                if segment == 1 and n == 0:
                    return 0, 0.0, corners[0]
                return segment, float(Fraction(n, 8) / length), float(price)
    return -1, 0.0, 0.0


def _reach(key, level, direction, leg, progress, price):
    """As `trigger.moment_on_path` does: there already, or from there on."""
    if trigger.is_passed(price, level, direction, True):
        return leg, progress, price
    return trigger.first_reach(borrow(key), 0, 0, level, direction, leg, price, True, 3)[:3]


reach = bound(_reach, FLOAT, INT, INT, FLOAT, FLOAT)


def first_reach(
    level: float, direction: int, start: tuple[int, float, float], corners: list[float]
) -> tuple[int, float, float]:
    """Where a path through these corners reaches the level, from a moment and price on."""
    o, p1, p2, c = ([corner] for corner in corners)
    nothing = {name: [0] for name in Bars._fields}
    bars = frozen(Bars, **(nothing | {"open": o, "high": p1, "low": p2, "close": c}))
    state = blank(bars=bars, finer=frozen(FinerBars, first=[], open=[], high=[], low=[], close=[]))
    state.rules[PATH] = PathRule.OPEN_HIGH_LOW_CLOSE
    handle = Handle(state)
    return reach(handle.key, level, direction, *start)  # type: ignore[no-any-return]


@MANY
@given(
    level=st.integers(80, 120),
    direction=st.sampled_from((-1, 1)),
    corners=st.lists(st.integers(85, 115), min_size=4, max_size=4),
)
def test_first_reach_is_where_a_walk_first_meets_the_level(level: int, direction: int, corners: list[int]) -> None:
    path = list(map(float, corners))
    expected = slow_reach(float(level), direction, path)
    assert first_reach(float(level), direction, (0, 0.0, path[0]), path) == pytest.approx(expected)


NEVER = (-1, 0.0, 0.0)


# O 100 → L 95 → H 110 → C 104, unless the table says otherwise
@pytest.mark.parametrize(
    ("level", "direction", "start", "expected"),
    [
        (101.0, -1, (0, 0.0, 100.0), (0, 0.0, 100.0)),  # a buy limit above the open
        (97.5, -1, (0, 0.0, 100.0), (1, 0.5, 97.5)),
        (95.0, -1, (0, 0.0, 100.0), (1, 1.0, 95.0)),
        (102.0, 1, (0, 0.0, 100.0), (2, 7 / 15, 102.0)),
        (110.5, 1, (0, 0.0, 100.0), NEVER),
        (94.0, -1, (0, 0.0, 100.0), NEVER),
        (98.0, -1, (2, 7 / 15, 102.0), NEVER),  # from 102 on the way up: the low is over
        (105.0, -1, (2, 1.0, 110.0), (3, 5 / 6, 105.0)),
        (103.0, -1, (2, 7 / 15, 102.0), (2, 7 / 15, 102.0)),  # there already, and at a better price
    ],
)
def test_first_reach_by_hand(level: float, direction: int, start: tuple[int, float, float], expected: Any) -> None:
    assert first_reach(level, direction, start, [100.0, 95.0, 110.0, 104.0]) == pytest.approx(expected)


# ---------------------------------------------------------------------------------------------------------------- cost
def priced(tick: float = 0.0, tiers: tuple[tuple[float, float], ...] = ((math.inf, 0.0),), **costs: float) -> State:
    """The state of a symbol with these costs, and one order that has filled 10 units for 1000 at a commission of 4."""
    none = {name: [math.inf] for name in ("maximum", "cap_rate", "sell_cap")}
    zero = {name: [0.0] for name in Costs._fields} | none | {"tier_first": [0, len(tiers)]}
    progress = allocate(Progress, 1)
    progress.filled[0], progress.value[0], progress.commission[0] = 10.0, 1000.0, 4.0
    terms = {"min_quantity": [0.0], "max_quantity": [math.inf], "currency": [0], "final_row": [0]}
    terms |= {"margin": [0.0], "long_rate": [1.0], "short_rate": [-1.0], "on_margin": [0]}
    instruments = frozen(Instruments, lot_size=[1.0], tick_size=[tick], multiplier=[1.0], **terms)
    return blank(
        costs=frozen(Costs, **(zero | {name: [value] for name, value in costs.items()})),
        tiers=frozen(
            Tiers, up_to=[t[0] for t in tiers], rate=[t[1] for t in tiers], maker_rate=[-0.5 * t[1] for t in tiers]
        ),
        instruments=instruments,
        orders=allocate(Orders, 1),
        progress=progress,
        money=np.zeros(MONEY_SIZE),
    )


def _slipped(key, side, reference):
    return cost.slipped(borrow(key), 0, 0, True, 10.0 * side, reference)


def _commission(key, quantity, value):
    return cost.commission(borrow(key), 0, quantity, value)


def _fill_commission(key, quantity, price):
    return cost.fill_commission(borrow(key), 0, quantity, price, False)


def _maker_commission(key, quantity, price):
    return cost.fill_commission(borrow(key), 0, quantity, price, True)


slipped = bound(_slipped, INT, FLOAT)
commission = bound(_commission, FLOAT, FLOAT)
fill_commission = bound(_fill_commission, FLOAT, FLOAT)
maker_commission = bound(_maker_commission, FLOAT, FLOAT)


@pytest.mark.parametrize(
    ("tick", "costs", "side", "reference", "expected"),
    [
        (0.0, {}, 1, 100.0, 100.0),
        (0.25, {}, 1, 100.1, 100.1),  # what does not slip is not rounded
        (0.0, {"slippage_rate": 0.001}, 1, 100.0, 100.1),
        (0.0, {"slippage_rate": 0.001}, -1, 100.0, 99.9),
        (0.25, {"slippage_rate": 0.001}, 1, 100.0, 100.25),
        (0.25, {"slippage_rate": 0.001}, -1, 100.0, 99.75),
        (0.25, {"slippage_ticks": 2.0}, -1, 100.0, 99.5),
        (0.0, {"slippage_amount": 3.0}, -1, 2.0, 0.0),
        (0.0, {"slippage_amount": 3.0}, -1, -2.0, -5.0),  # was below zero before
        (0.5, {"slippage_rate": 0.01, "slippage_amount": 0.25, "slippage_ticks": 1.0}, 1, 100.0, 102.0),
    ],
)
def test_slippage(tick: float, costs: dict[str, float], side: int, reference: float, expected: float) -> None:
    handle = Handle(priced(tick, **costs))
    assert slipped(handle.key, side, reference) == pytest.approx(expected, rel=1e-15)


TIERS = ((1000.0, 0.002), (5000.0, 0.001), (math.inf, 0.0005))


@pytest.mark.parametrize(
    ("costs", "tiers", "quantity", "value", "expected"),
    [
        ({}, ((math.inf, 0.001),), 10.0, 1000.0, 1.0),
        ({"per_unit": 0.005, "minimum": 1.0}, ((math.inf, 0.0),), 100.0, 5000.0, 1.0),
        ({"per_unit": 0.005, "minimum": 1.0}, ((math.inf, 0.0),), 1000.0, 5000.0, 5.0),
        ({"per_unit": 0.25, "cap_rate": 0.01}, ((math.inf, 0.0),), 100.0, 100.0, 1.0),
        ({"minimum": 5.0, "cap_rate": 0.01}, ((math.inf, 0.0),), 1.0, 100.0, 1.0),  # the cap is above the minimum
        ({"fixed": 2.0}, ((math.inf, 0.001),), 10.0, 1000.0, 3.0),
        ({}, TIERS, 1.0, 1000.0, 2.0),
        ({}, TIERS, 1.0, 1000.5, 1.0005),
        ({}, TIERS, 1.0, 10000.0, 5.0),
        ({"fixed": 2.0, "minimum": 3.0}, ((math.inf, 0.0),), 0.0, 0.0, 0.0),  # nothing filled, nothing paid
    ],
)
def test_commission(costs: dict[str, float], tiers: Any, quantity: float, value: float, expected: float) -> None:
    handle = Handle(priced(tiers=tiers, **costs))
    assert commission(handle.key, quantity, value) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("costs", "tiers", "quantity", "expected"),
    [
        ({}, ((math.inf, 0.004),), 10.0, 4.0),  # 8 of 2000, less the 4 of the first half
        ({"fixed": 4.0}, ((math.inf, 0.0),), -10.0, 0.0),  # once an order
        ({"minimum": 7.0}, ((math.inf, 0.001),), 10.0, 0.0),  # the first half paid it
        ({"minimum": 7.0}, ((math.inf, 0.005),), 10.0, 3.0),  # 10 of 2000, less the minimum
        ({"maximum": 6.0}, ((math.inf, 0.005),), 10.0, 1.0),  # at most 6, less the 5 of the first half
        ({"buy_rate": 0.1, "sell_rate": 0.2}, ((math.inf, 0.0),), 10.0, 100.0),  # taxes by the fill's own value of 1000
        ({"buy_rate": 0.1, "sell_rate": 0.2}, ((math.inf, 0.0),), -10.0, 200.0),
        ({"sell_per_unit": 0.5, "sell_cap": 3.0}, ((math.inf, 0.0),), -10.0, 3.0),
        ({"sell_per_unit": 0.25, "sell_cap": 3.0}, ((math.inf, 0.0),), -10.0, 2.5),
        ({"sell_per_unit": 0.25}, ((math.inf, 0.0),), 10.0, 0.0),
        ({"by_fill": 1.0, "fixed": 4.0}, ((math.inf, 0.002),), 10.0, 2.0),  # the order has paid its fixed part
        ({}, ((1500.0, 0.004), (math.inf, 0.001)), 10.0, 0.0),  # the cheaper tier never pays back
    ],
)
def test_a_fill_pays_what_its_order_has_not_yet(
    costs: dict[str, float], tiers: Any, quantity: float, expected: float
) -> None:
    handle = Handle(priced(tiers=tiers, **costs))
    assert fill_commission(handle.key, quantity, 100.0) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(("traded", "rate"), [(0.0, 0.004), (1500.0, 0.004), (1500.5, 0.002)])
def test_a_month_before_the_fill_decides_its_tier(traded: float, rate: float) -> None:
    """Of a fill's 1000, whatever its order; makers are given half of it here."""
    state = priced(tiers=((1500.0, 0.004), (math.inf, 0.002)), by_fill=1.0)
    state.money[MONTH_VALUE] = traded
    handle = Handle(state)
    assert fill_commission(handle.key, 10.0, 100.0) == pytest.approx(1000.0 * rate)
    assert maker_commission(handle.key, 10.0, 100.0) == pytest.approx(-500.0 * rate)


# -------------------------------------------------------------------------------------------------------------- timers
def _push(key, time, kind, number):
    clock.push_timer(borrow(key), time, kind, number)


def _pop(key):
    return clock.pop_timer(borrow(key))


def _due(key, now, kind):
    return clock.is_timer_due(borrow(key), now, kind)


push, pop, due = bound(_push, INT, INT, INT), bound(_pop), bound(_due, INT, INT)
TIMER = st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1000))


@MANY
@given(steps=st.lists(st.one_of(TIMER, st.none()), max_size=60))
def test_timers_leave_in_the_order_of_time_kind_and_number(steps: list[tuple[int, int, int] | None]) -> None:
    """As from the standard library's heap; and after every step each timer is behind its parent."""
    handle = Handle(blank(timers=allocate(Timers, 60)))
    expected: list[tuple[int, int, int]] = []
    for step in steps:
        if step is not None:
            push(handle.key, *step)
            heapq.heappush(expected, step)
        elif expected:
            assert pop(handle.key) == heapq.heappop(expected)[2]
        timers, n = handle.state.timers, handle.state.clock[TIMERS]
        entries = [(int(timers.time[i]), int(timers.kind[i]), int(timers.number[i])) for i in range(n)]
        assert sorted(entries) == sorted(expected)
        assert all(entries[(i - 1) // 2] <= entries[i] for i in range(1, n))
        for now, kind in ((2, 0), (2, 1), (5, 1)):
            is_due = bool(expected) and expected[0][0] <= now and expected[0][1] == kind
            assert bool(due(handle.key, now, kind)) == is_due


TIMES = st.lists(st.integers(0, 12), max_size=12).map(sorted)


@MANY
@given(streams=st.tuples(TIMES, TIMES, TIMES))
def test_sorted_streams_merge_into_one_timeline(streams: tuple[list[int], list[int], list[int]]) -> None:
    """Instant k is one of the distinct times, and finds its rows of each stream at first[k]:first[k + 1]."""
    arrays = [np.array(stream, np.int64) for stream in streams]
    most = sum(map(len, streams))
    time, firsts = np.zeros(most, np.int64), [np.zeros(most + 1, np.int32) for _ in streams]
    count = merge(*arrays, time, *firsts)
    assert time[:count].tolist() == sorted({value for stream in streams for value in stream})
    for stream, first in zip(streams, firsts, strict=True):
        rows = [stream[first[k] : first[k + 1]] for k in range(count)]
        assert rows == [[value for value in stream if value == now] for now in time[:count]]
        assert first[count] == len(stream)


# -------------------------------------------------------------------------------------------------------------- agenda
def _enter(key, symbol):
    state = borrow(key)
    n = state.clock[OFFERS]
    state.clock[OFFERS] = n + 1
    match.put(state, n, symbol)
    match.sift(state, n)


def _resift(key, symbol):
    state = borrow(key)
    match.sift(state, state.agenda.place[symbol])


def _leave(key, symbol):
    state = borrow(key)
    match.withdraw(state, state.agenda.place[symbol])


enter, resift, leave = bound(_enter, INT), bound(_resift, INT), bound(_leave, INT)
SYMBOLS = 7
OFFER = st.tuples(st.integers(0, SYMBOLS - 1), st.integers(0, 3), st.integers(0, 1), st.booleans())


@MANY
@given(
    offers=st.lists(OFFER, max_size=40), schedule=st.sampled_from(Schedule), ids=st.permutations(range(1, SYMBOLS + 1))
)
def test_the_agenda_is_a_heap_by_leg_reduction_and_rank(offers: list[Any], schedule: Schedule, ids: list[int]) -> None:
    """Symbols come, change their offers and go; the first is always the smallest. `queue` looks at ranks only, `symbol_queue` at turns."""
    agenda, progress, market = allocate(Agenda, SYMBOLS), allocate(Progress, SYMBOLS), allocate(Market, SYMBOLS)
    agenda.place[:], agenda.cell[:], progress.rank[:], market.turn[:] = NONE, np.arange(SYMBOLS), ids, ids[::-1]
    handle = Handle(blank(agenda=agenda, progress=progress, market=market))
    handle.state.rules[SCHEDULE] = schedule

    def rank(symbol: int) -> tuple[int, ...]:
        own = (int(agenda.leg[symbol]), int(agenda.opens[symbol])) if schedule == Schedule.PHASED else ()
        return (*own, (ids[::-1] if schedule == Schedule.SYMBOL_QUEUE else ids)[symbol])

    present: set[int] = set()
    for symbol, leg, opens, goes in offers:
        if goes and symbol in present:
            leave(handle.key, symbol)
            present.remove(symbol)
        else:
            agenda.leg[symbol], agenda.opens[symbol] = leg, opens
            (resift if symbol in present else enter)(handle.key, symbol)
            present.add(symbol)
        heap = agenda.heap[: handle.state.clock[OFFERS]].tolist()
        assert set(heap) == present
        assert [int(agenda.place[s]) for s in heap] == list(range(len(heap)))
        assert all(rank(heap[(i - 1) // 2]) < rank(heap[i]) for i in range(1, len(heap)))
        assert {s for s in range(SYMBOLS) if agenda.place[s] != NONE} == present


# ---------------------------------------------------------------------------------------------------------- indicators
@MANY
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_indicators_of_the_engine_are_those_of_numpy(values: list[float]) -> None:
    column, n = np.array(values), len(values)
    assert mean(column, 0, n) == pytest.approx(np.mean(column), rel=1e-9, abs=1e-6)
    assert standard_deviation(column, 0, n) == pytest.approx(np.std(column, ddof=1), rel=1e-9, abs=1e-6)
    assert minimum(column, 0, n) == min(values)
    assert maximum(column, 0, n) == max(values)


def test_every_function_here_is_the_kernel_s_own() -> None:
    """Guards against a test that calls a copy: the functions live in the package that is tested."""
    for function in (rounding.on_tick, trigger.first_reach, indicator.mean):
        plain = getattr(function, "py_func", function)
        assert "ml4t/backtest/kernel" in Path(inspect.getfile(plain)).as_posix()
