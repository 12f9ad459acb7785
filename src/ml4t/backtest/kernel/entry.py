"""The functions that Python calls, bound once per process. Each takes a handle's key."""

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import types

from ml4t.backtest import allocation  # noqa: F401  the layout of the state must be known before anything is compiled
from ml4t.backtest._jit import bind, bind_loop, borrow, entry
from ml4t.backtest.inputs import I4, I8
from ml4t.backtest.kernel import indicator
from ml4t.backtest.kernel.callback import advance_to_decision, call_at_decisions
from ml4t.backtest.kernel.clock import merge, push_timer
from ml4t.backtest.kernel.exit import is_under_way
from ml4t.backtest.kernel.measure import measure_entry
from ml4t.backtest.kernel.memory import recursive
from ml4t.backtest.kernel.request import change_order, link_orders, place, withdraw_order
from ml4t.backtest.kernel.round_trip import excursion_entry, round_trip_entry
from ml4t.backtest.kernel.step import reveal_information


@entry
def advance_entry(key: Any) -> int:
    """`kernel.callback.advance_to_decision`."""
    return advance_to_decision(borrow(key))


@entry
def submit_entry(
    key: Any,
    symbol: int,
    side: int,
    sizing: int,
    request: float,
    limit: float,
    stop: float,
    tif: int,
    until: int,
    reduce_only: int,
    origin: int,
    tag: int,
    extended: int,
) -> int:
    """`kernel.request.place`."""
    state = borrow(key)
    return place(state, symbol, side, sizing, request, limit, stop, tif, until, reduce_only, origin, tag, extended)


@entry
def cancel_entry(key: Any, order: int) -> int:
    """`kernel.request.withdraw_order`."""
    return withdraw_order(borrow(key), order)


@entry
def link_entry(key: Any, a: int, b: int) -> int:
    """`kernel.request.link_orders`."""
    return link_orders(borrow(key), a, b)


@entry
def replace_entry(key: Any, order: int, quantity: float, limit: float, stop: float) -> int:
    """`kernel.request.change_order`."""
    return change_order(borrow(key), order, quantity, limit, stop)


@entry
def timer_entry(key: Any, time: int, kind: int, number: int) -> None:
    """`kernel.clock.push_timer`."""
    push_timer(borrow(key), time, kind, number)


@entry
def inform_entry(key: Any, last: int) -> None:
    """Information rows up to `last` are visible, as no decision."""
    reveal_information(borrow(key), last)


@entry
def window_entry(key: Any, what: int, first: int, last: int) -> float:
    """`kernel.indicator.of_window`."""
    return indicator.of_window(borrow(key), what, first, last)


@entry
def recursive_entry(key: Any, what: int, first: int, last: int, n: int) -> float:
    """`kernel.memory.recursive`."""
    return recursive(borrow(key), what, first, last, n)


@entry
def regression_entry(key: Any, y: int, x: int, n: int, part: int) -> float:
    """`kernel.indicator.regression`."""
    return indicator.regression(borrow(key), y, x, n, part)


@entry
def under_way_entry(key: Any, symbol: int) -> int:
    """`kernel.exit.is_under_way`."""
    return is_under_way(borrow(key), symbol)


@entry
def range_entry(key: Any, symbol: int, n: int) -> float:
    """`kernel.indicator.average_true_range`."""
    return indicator.average_true_range(borrow(key), symbol, n)


@entry
def merge_entry(
    ends: I8, starts: I8, arrivals: I8, time: I8, end_first: I4, start_first: I4, information_first: I4
) -> int:
    """`kernel.clock.merge`."""
    return merge(ends, starts, arrivals, time, end_first, start_first, information_first)


_INT, _FLOAT = types.intp, types.float64
_INTS, _SHORTS, _FLOATS = (types.Array(dtype, 1, "C") for dtype in (types.int64, types.int32, types.float64))
ENTRY_POINTS: dict[str, tuple[Any, ...]] = {
    "advance": (advance_entry, _INT),
    "submit": (submit_entry, *[_INT] * 4, *[_FLOAT] * 3, *[_INT] * 6),
    "link": (link_entry, *[_INT] * 3),
    "cancel": (cancel_entry, _INT, _INT),
    "replace": (replace_entry, _INT, _INT, *[_FLOAT] * 3),
    "timer": (timer_entry, *[_INT] * 4),
    "inform": (inform_entry, _INT, _INT),
    "merge": (merge_entry, *[types.Array(types.int64, 1, "C", readonly=True)] * 3, _INTS, *[_SHORTS] * 3),
    "window": (window_entry, *[_INT] * 4),
    "recursive": (recursive_entry, *[_INT] * 5),
    "regression": (regression_entry, *[_INT] * 5),
    "under_way": (under_way_entry, _INT, _INT),
    "range": (range_entry, *[_INT] * 3),
    "round_trips": (round_trip_entry, _INT, *[_INTS] * 6, *[_FLOATS] * 9),
    "measure": (measure_entry, *[_FLOATS] * 3, _INTS, _FLOAT, _FLOAT, *[_FLOATS] * 7),
    "excursion": (excursion_entry, _INT, _INTS, _INTS, *[_FLOATS] * 5),
}
"""Name → function and the types of its arguments."""


@cache
def entry_point(name: str) -> Callable[..., Any]:
    """The entry point of this name, compiled or loaded when it is first asked for."""
    if name == "drive":
        return bind_loop(call_at_decisions)
    function, *arguments = ENTRY_POINTS[name]
    return bind(function, *arguments)


def functions() -> dict[str, Callable[..., Any]]:
    """Every entry point, compiled or loaded."""
    return {name: entry_point(name) for name in (*ENTRY_POINTS, "drive")}
