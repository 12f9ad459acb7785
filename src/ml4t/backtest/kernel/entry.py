"""The functions that Python calls, bound once per process. Each takes a handle's key."""

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import types

from ml4t.backtest._jit import bind, borrow, entry
from ml4t.backtest.kernel import indicator
from ml4t.backtest.kernel.clock import push_timer
from ml4t.backtest.kernel.request import change_order, place, withdraw_order
from ml4t.backtest.kernel.step import advance, reveal_information


@entry
def advance_entry(key):
    return advance(borrow(key))


@entry
def submit_entry(key, symbol, side, sizing, request, limit, stop, tif, until, reduce_only, origin, tag):
    return place(borrow(key), symbol, side, sizing, request, limit, stop, tif, until, reduce_only, origin, tag)


@entry
def cancel_entry(key, order):
    return withdraw_order(borrow(key), order)


@entry
def replace_entry(key, order, quantity, limit, stop):
    return change_order(borrow(key), order, quantity, limit, stop)


@entry
def timer_entry(key, time, kind, number):
    push_timer(borrow(key), time, kind, number)


@entry
def inform_entry(key, last):
    reveal_information(borrow(key), last)


@entry
def window_entry(key, what, offset, first, last):
    """Mean (0), standard deviation (1), minimum (2) or maximum (3) of rows first:last of the column at `offset`."""
    value = borrow(key).history.value
    if what == 0:
        return indicator.mean(value, offset + first, offset + last)
    if what == 1:
        return indicator.standard_deviation(value, offset + first, offset + last)
    if what == 2:
        return indicator.minimum(value, offset + first, offset + last)
    return indicator.maximum(value, offset + first, offset + last)


@entry
def ema_entry(key, offset, last, n, memory):
    return indicator.exponential_mean(borrow(key).history.value, offset + last, n, memory)


@entry
def excursion_entry(key, first, last, entry_price, exit_price, side, best, worst):
    """Fills `best` and `worst` [R] with the furthest prices of each trade: exit and entry price, and bars first:last in between."""
    history = borrow(key).history
    n = borrow(key).bars.symbol.shape[0]
    for r in range(best.shape[0]):
        high, low = max(entry_price[r], exit_price[r]), min(entry_price[r], exit_price[r])
        for i in range(first[r], last[r]):
            high, low = max(high, history.value[n + i]), min(low, history.value[2 * n + i])
        best[r] = high if side[r] > 0.0 else low
        worst[r] = low if side[r] > 0.0 else high


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """The entry points, compiled or loaded once per process."""
    i, f = types.intp, types.float64
    memory, rows = types.Array(f, 1, "C"), types.Array(types.int64, 1, "C")
    return {
        "advance": bind(advance_entry, i),
        "submit": bind(submit_entry, i, i, i, i, f, f, f, i, i, i, i, i),
        "cancel": bind(cancel_entry, i, i),
        "replace": bind(replace_entry, i, i, f, f, f),
        "timer": bind(timer_entry, i, i, i, i),
        "inform": bind(inform_entry, i, i),
        "window": bind(window_entry, i, i, i, i, i),
        "excursion": bind(excursion_entry, i, rows, rows, memory, memory, memory, memory, memory),
        "ema": bind(ema_entry, i, i, i, i, memory),
    }
