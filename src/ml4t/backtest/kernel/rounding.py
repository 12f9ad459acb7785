"""Rounding to lots and ticks."""

import math

from ml4t.backtest._jit import inline

NEARLY_WHOLE = 1e-9  # relative: 0.3 / 0.1 is a whole number of lots


@inline
def steps_down(x: float, step: float) -> float:
    """The whole number of steps in x ≥ 0, rounded down; a number within 1e-9 of a whole one is that one."""
    n = x / step
    nearest = math.floor(n + 0.5)
    if abs(n - nearest) <= NEARLY_WHOLE * max(abs(nearest), 1.0):
        return nearest
    return math.floor(n)


@inline
def steps_up(x: float, step: float) -> float:
    """The same, rounded up."""
    n = x / step
    nearest = math.floor(n + 0.5)
    if abs(n - nearest) <= NEARLY_WHOLE * max(abs(nearest), 1.0):
        return nearest
    return math.floor(n) + 1.0


@inline
def towards_zero(quantity: float, lot: float) -> float:
    """The largest multiple of the lot size that is not beyond `quantity`; any quantity where the lot size is 0."""
    if lot == 0.0:
        return quantity
    if quantity < 0.0:
        return -steps_down(-quantity, lot) * lot
    return steps_down(quantity, lot) * lot


@inline
def floored(quantity: float, lot: float) -> float:
    """The largest multiple of the lot size that is not beyond `quantity`, without tolerance; any quantity where the lot size is 0."""
    if lot == 0.0:
        return quantity
    return math.copysign(abs(quantity) // lot * lot, quantity)


@inline
def is_lot_multiple(quantity: float, lot: float) -> bool:
    """Whether an unsigned quantity is a whole number of lots."""
    return lot == 0.0 or abs(steps_down(quantity, lot) * lot - quantity) <= NEARLY_WHOLE * quantity


@inline
def on_tick(price: float, tick: float, direction: int) -> float:
    """The price on its tick: rounded up where direction > 0, else down. Any price where the tick size is 0; NaN stays NaN."""
    if tick == 0.0 or not price == price:
        return price
    if direction > 0:
        return steps_up(price, tick) * tick
    return steps_down(price, tick) * tick
