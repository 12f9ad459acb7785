"""How much of a bar's volume there is for our orders, and whether a touched limit fills (docs/semantics/fills.md)."""

import math
from typing import Any

from ml4t.backtest._jit import IS_COMPILED, inline
from ml4t.backtest.enums import TouchRule, VolumeBasis
from ml4t.backtest.kernel.rounding import towards_zero
from ml4t.backtest.tables import PARTICIPATION, SEED, TOUCH, TOUCH_PROBABILITY, VOLUME_BASIS, State


@inline
def allowance(state: State, symbol: int, row: int) -> float:
    """The units of this bar that are not handed out yet; without a limit infinite."""
    if state.rules[VOLUME_BASIS] == VolumeBasis.NONE:
        return math.inf
    market = state.market
    if market.allowance_row[symbol] != row:
        units = state.share[PARTICIPATION] * state.conditions.allowance_volume[row]
        market.allowance_row[symbol] = row
        market.allowance[symbol] = towards_zero(units, state.instruments.lot_size[symbol])
    return market.allowance[symbol]


@inline
def handed_out(state: State, symbol: int, row: int) -> float:
    """The units of this bar that are handed out already."""
    if state.market.allowance_row[symbol] != row:
        return 0.0
    units = state.share[PARTICIPATION] * state.conditions.allowance_volume[row]
    return towards_zero(units, state.instruments.lot_size[symbol]) - state.market.allowance[symbol]


@inline
def hand_out(state: State, symbol: int, quantity: float) -> None:
    """So many units of the bar at hand are gone."""
    if state.rules[VOLUME_BASIS] != VolumeBasis.NONE:
        state.market.allowance[symbol] -= quantity


if IS_COMPILED:
    from numpy import uint64

    GOLDEN, FIRST, SECOND = uint64(0x9E3779B97F4A7C15), uint64(0xBF58476D1CE4E5B9), uint64(0x94D049BB133111EB)
    S27, S30, S31, S11 = uint64(27), uint64(30), uint64(31), uint64(11)

    @inline
    def mixed(x: Any) -> Any:
        """One step of splitmix64."""
        z = uint64(x) + GOLDEN
        z = (z ^ (z >> S30)) * FIRST
        z = (z ^ (z >> S27)) * SECOND
        return z ^ (z >> S31)

    @inline
    def draw(seed: int, a: int, b: int) -> float:
        """A number in [0, 1) that depends on the seed and two more numbers only."""
        return (mixed(mixed(uint64(seed)) ^ mixed(uint64((a << 32) + b))) >> S11) * 2.0**-53

else:
    MASK = (1 << 64) - 1

    def mixed(x: Any) -> Any:
        """One step of splitmix64."""
        z = (x + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def draw(seed: int, a: int, b: int) -> float:
        """A number in [0, 1) that depends on the seed and two more numbers only."""
        return (mixed(mixed(int(seed)) ^ mixed((int(a) << 32) + int(b))) >> 11) * 2.0**-53


@inline
def taken_at_touch(state: State, row: int) -> float:
    """The units that leave the queue at a limit when a bar touches it."""
    share = state.share[PARTICIPATION] if state.rules[VOLUME_BASIS] != VolumeBasis.NONE else 1.0
    return share * state.bars.volume[row]


@inline
def fills_at_touch(state: State, cell: int, row: int) -> bool:
    """Whether a resting limit order fills on this bar where the price touches its limit and goes no further."""
    rule = state.rules[TOUCH]
    if rule == TouchRule.ALWAYS:
        return True
    if rule == TouchRule.PROBABILITY:
        return draw(state.rules[SEED], state.orders.id[cell], row) < state.share[TOUCH_PROBABILITY]
    return rule == TouchRule.QUEUE and state.progress.ahead[cell] - taken_at_touch(state, row) <= 0.0
