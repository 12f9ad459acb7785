"""When an order can fill on a bar: the moment (segment, progress) and the market's price then (docs/semantics/matching.md)."""

from typing import TypeAlias

from ml4t.backtest._jit import inline
from ml4t.backtest.enums import MarketFill, OrderState, OrderType, Segment
from ml4t.backtest.tables import MARKET_FILL, State

Moment: TypeAlias = tuple[int, float, float]
"""Segment (-1: never), progress inside it, and the market's price then."""

NO_MOMENT = (-1, 0.0, 0.0)

# the parts of a bar that a round may meet
AT_OPEN, IN_BAR, AFTER_CLOSE = 0, 1, 2


@inline
def waits_for_stop(state: State, cell: int) -> bool:
    """Whether the order is a stop or stop-limit whose stop has not been reached."""
    kind = state.orders.type[cell]
    return (kind == OrderType.STOP or kind == OrderType.STOP_LIMIT) and state.progress.trigger_row[cell] < 0


@inline
def level(state: State, cell: int) -> tuple[float, int]:
    """The price the order waits for, and the direction from which it is reached: +1 by rising to it, -1 by falling."""
    side = state.orders.side[cell]
    if waits_for_stop(state, cell):
        return state.terms.stop[cell], side
    return state.terms.limit[cell], -side


@inline
def is_reached(price: float, level: float, direction: int) -> bool:
    """Whether the price is at the level or beyond."""
    return direction * (price - level) >= 0.0


@inline
def first_reach(
    level: float, direction: int, segment: int, progress: float, price: float, o: float, p1: float, p2: float, c: float
) -> Moment:
    """The first moment on the path O → P1 → P2 → C, from (segment, progress) at `price` on, that reaches the level."""
    if is_reached(price, level, direction):
        return segment, progress, price
    if segment <= Segment.FIRST_LEG and is_reached(p1, level, direction):
        return 1, abs(level - o) / abs(p1 - o), level
    if segment <= Segment.SECOND_LEG and is_reached(p2, level, direction):
        return 2, abs(level - p1) / abs(p2 - p1), level
    if segment <= Segment.THIRD_LEG and is_reached(c, level, direction):
        return 3, abs(level - p2) / abs(c - p2), level
    return NO_MOMENT


@inline
def moment_at_open(state: State, cell: int, row: int) -> Moment:
    """The moment at which the order can fill at the open of this bar, or NO_MOMENT."""
    price = state.bars.open[row]
    if state.orders.type[cell] == OrderType.MARKET:
        return (0, 0.0, price) if state.rules[MARKET_FILL] == MarketFill.NEXT_OPEN else NO_MOMENT
    x, direction = level(state, cell)
    return (0, 0.0, price) if is_reached(price, x, direction) else NO_MOMENT


@inline
def moment_in_bar(state: State, cell: int, row: int) -> Moment:
    """The first moment of this bar, from its open to its close, at which the order can trigger or fill, or NO_MOMENT.

    - on-close orders: at the close, if submitted before the bar's end
    - every other order: only if submitted at or before the bar's start
    - the second stage of a stop-limit starts at the moment and price at which its stop was reached
    """
    bars, symbol = state.bars, state.orders.symbol[cell]
    eligible = state.terms.eligible_from[cell]
    if state.orders.type[cell] == OrderType.MARKET:
        if state.rules[MARKET_FILL] != MarketFill.NEXT_OPEN:
            return (4, 0.0, bars.close[row]) if eligible < bars.end[row] else NO_MOMENT
        return (0, 0.0, bars.open[row]) if eligible <= bars.start[row] else NO_MOMENT
    if eligible > bars.start[row]:
        return NO_MOMENT
    segment, progress, price = 0, 0.0, bars.open[row]
    if state.progress.trigger_row[cell] == row:
        segment = state.progress.trigger_segment[cell]
        progress = state.progress.trigger_progress[cell]
        price = state.progress.trigger_price[cell]
    x, direction = level(state, cell)
    market = state.market
    p1, p2 = market.first_extreme[symbol], market.second_extreme[symbol]
    return first_reach(x, direction, segment, progress, price, bars.open[row], p1, p2, bars.close[row])


@inline
def moment(state: State, cell: int, row: int, part: int) -> Moment:
    """The first moment of this part of the bar at which the order can trigger or fill, or NO_MOMENT."""
    if part == AT_OPEN:
        return moment_at_open(state, cell, row)
    if part == IN_BAR:
        return moment_in_bar(state, cell, row)
    if state.orders.type[cell] == OrderType.MARKET:
        return 5, 0.0, state.bars.close[row]
    return NO_MOMENT


@inline
def is_live(order_state: int) -> bool:
    """Whether an order in this state can still change."""
    return order_state < OrderState.FILLED
