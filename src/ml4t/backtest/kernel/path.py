"""The path of prices inside a bar: corners joined by straight legs (docs/semantics/matching.md).

Leg 0 is the open; legs 1, 2, 3 lead to P1, P2 and C. Where a bar has finer bars, each of them adds a jump to its open and three
legs, and a last jump leads to C. Two more legs have no corner: the close, and what comes after it.
"""

from ml4t.backtest._jit import FLOAT, INT, function, inline
from ml4t.backtest.enums import PathRule, Segment
from ml4t.backtest.tables import PATH, State

OPEN_LEG, CLOSE_LEG, AFTER_LEG = 0, 1 << 40, (1 << 40) + 1


@inline
def finer_bars(state: State, row: int) -> int:
    """How many finer bars there are inside a bar."""
    first = state.finer.first
    return first[row + 1] - first[row] if first.shape[0] > 0 else 0


@inline
def last_leg(state: State, row: int) -> int:
    """The leg that ends at the bar's close."""
    finer = finer_bars(state, row)
    return 3 if finer == 0 else 4 * finer + 1


@inline
def first_leg(state: State) -> int:
    """The leg on which a bar is met first: the open, or, where orders meet nothing else, the close."""
    return CLOSE_LEG if state.rules[PATH] == PathRule.CLOSE_ONLY else OPEN_LEG


@inline
def is_jump(state: State, row: int, leg: int) -> bool:
    """Whether the price is at the leg's end without having been in between."""
    return (leg - 1) % 4 == 0 and finer_bars(state, row) > 0


@inline
def is_high_first(state: State, symbol: int, o: float, high: float, low: float) -> bool:
    """Whether the high of a bar of this symbol comes before its low."""
    rule = state.rules[PATH]
    if rule == PathRule.OPEN_HIGH_LOW_CLOSE:
        return True
    if rule == PathRule.OPEN_LOW_HIGH_CLOSE:
        return False
    if rule == PathRule.NEAREST_EXTREME_FIRST:
        return high - o < o - low
    return (state.market.worst_is_high[symbol] != 0) == (rule == PathRule.WORST_FIRST)


@inline
def point(state: State, symbol: int, part: int, o: float, high: float, low: float, close: float) -> float:
    """O, P1, P2 or C (part 0 to 3) of a bar of this symbol."""
    if part == 0:
        return o
    if part == 3:
        return close
    return high if is_high_first(state, symbol, o, high, low) == (part == 1) else low


@function(FLOAT, INT, INT, INT)
def corner(state: State, symbol: int, row: int, leg: int) -> float:
    """The price at the end of a leg."""
    bars, finer = state.bars, state.finer
    if leg == OPEN_LEG or finer_bars(state, row) == 0:
        return point(state, symbol, leg, bars.open[row], bars.high[row], bars.low[row], bars.close[row])
    at = finer.first[row] + (leg - 1) // 4
    if at == finer.first[row + 1]:
        return bars.close[row]
    return point(state, symbol, (leg - 1) % 4, finer.open[at], finer.high[at], finer.low[at], finer.close[at])


@inline
def segment_of(state: State, row: int, leg: int) -> int:
    """The part of the bar to which a leg belongs, as results show it."""
    if leg >= CLOSE_LEG:
        return Segment.CLOSE + (leg - CLOSE_LEG)
    if leg == OPEN_LEG:
        return Segment.OPEN
    return leg if finer_bars(state, row) == 0 else Segment.FINER_BAR
