"""Indicators of the last n known values: one implementation for every driver.

Sums run from the oldest value to the newest, so that compiled and interpreted code give the same bits (NumPy's pairwise sums do not).
`kernel.memory` has those that remember all values since the first.
"""

import math

from ml4t.backtest._jit import FLOAT, INT, function, inline
from ml4t.backtest.inputs import F8
from ml4t.backtest.tables import State

HIGH, LOW, CLOSE = 1, 2, 3  # places of the columns in the history

# what `of_window` answers
MEAN, STD, MIN, MAX, WEIGHTED_MEAN, RANK, SLOPE = range(7)


@inline
def mean(value: F8, first: int, last: int) -> float:
    """The mean of value[first:last]."""
    total = 0.0
    for i in range(first, last):
        total += value[i]
    return total / (last - first)


@inline
def standard_deviation(value: F8, first: int, last: int) -> float:
    """The sample standard deviation (n - 1) of value[first:last], NaN for one value."""
    n = last - first
    if n < 2:
        return math.nan
    center = mean(value, first, last)
    total = 0.0
    for i in range(first, last):
        total += (value[i] - center) * (value[i] - center)
    return math.sqrt(total / (n - 1))


@inline
def minimum(value: F8, first: int, last: int) -> float:
    """The smallest of value[first:last], NaN where one of them is."""
    least = math.inf
    for i in range(first, last):
        if not value[i] == value[i]:
            return math.nan
        least = min(least, value[i])
    return least


@inline
def maximum(value: F8, first: int, last: int) -> float:
    """The largest of value[first:last], NaN where one of them is."""
    most = -math.inf
    for i in range(first, last):
        if not value[i] == value[i]:
            return math.nan
        most = max(most, value[i])
    return most


@inline
def weighted_mean(value: F8, first: int, last: int) -> float:
    """The mean of value[first:last] with weights 1, 2, ... n, oldest first."""
    total, n = 0.0, last - first
    for i in range(n):
        total += (i + 1.0) * value[first + i]
    return total / (0.5 * n * (n + 1.0))


@inline
def rank(value: F8, first: int, last: int) -> float:
    """The average rank of the newest of value[first:last] among them, as a fraction of n, 1 for the largest; NaN where one is NaN."""
    newest, below, equal = value[last - 1], 0, 0
    for i in range(first, last):
        if not value[i] == value[i]:
            return math.nan
        below += value[i] < newest
        equal += value[i] == newest
    return (below + 0.5 * (equal + 1.0)) / (last - first)


@inline
def slope(value: F8, first: int, last: int) -> float:
    """The slope of the least-squares line through value[first:last] at 0, 1, ... n − 1: change a row; NaN for one value."""
    n = last - first
    middle, center = 0.5 * (n - 1.0), mean(value, first, last)
    above, below = 0.0, 0.0
    for i in range(n):
        above += (i - middle) * (value[first + i] - center)
        below += (i - middle) * (i - middle)
    return above / below


@inline
def regress(value: F8, y: int, x: int, n: int) -> tuple[float, float, float]:
    """Slope, intercept and residual deviation (n − 2) of the least-squares line of value[y:y + n] on value[x:x + n]."""
    mean_y, mean_x = mean(value, y, y + n), mean(value, x, x + n)
    both, square = 0.0, 0.0
    for i in range(n):
        both += (value[x + i] - mean_x) * (value[y + i] - mean_y)
        square += (value[x + i] - mean_x) * (value[x + i] - mean_x)
    if n < 3 or square == 0.0:
        return math.nan, math.nan, math.nan
    steepness = both / square
    level = mean_y - steepness * mean_x
    rest = 0.0
    for i in range(n):
        miss = value[y + i] - level - steepness * value[x + i]
        rest += miss * miss
    return steepness, level, math.sqrt(rest / (n - 2))


@inline
def true_range(state: State, high: int, low: int, close: int, last: int, n: int) -> float:
    """The mean of the last n true ranges before row `last`: max(high, close before) − min(low, close before)."""
    value, total = state.history.value, 0.0
    for i in range(last - n, last):
        before = value[close + i - 1]
        total += max(value[high + i], before) - min(value[low + i], before)
    return total / n


@function(FLOAT, INT, INT, INT)
def of_window(state: State, what: int, first: int, last: int) -> float:
    """The indicator `what` of the rows first:last of the flat history."""
    value = state.history.value
    if what == MEAN:
        return mean(value, first, last)
    if what == STD:
        return standard_deviation(value, first, last)
    if what == MIN:
        return minimum(value, first, last)
    if what == MAX:
        return maximum(value, first, last)
    if what == WEIGHTED_MEAN:
        return weighted_mean(value, first, last)
    if what == RANK:
        return rank(value, first, last)
    return slope(value, first, last)


@function(FLOAT, INT, INT)
def average_true_range(state: State, symbol: int, n: int) -> float:
    """The mean of the last n true ranges of a symbol, in price; NaN before n + 1 bars.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), ch. 3; his smoothing, which remembers every bar
    since the first, is replaced by a plain mean, so that the value depends on n + 1 bars and nothing else.
    """
    rows, last = state.bars.symbol.shape[0], state.history.known[symbol]
    if last - state.history.begin[symbol] <= n:
        return math.nan
    return true_range(state, HIGH * rows, LOW * rows, CLOSE * rows, last, n)


@function(FLOAT, INT, INT, INT, INT)
def regression(state: State, y: int, x: int, n: int, part: int) -> float:
    """Slope (0), intercept (1) or residual deviation (2) of n rows of the flat history from y on those from x."""
    steepness, level, deviation = regress(state.history.value, y, x, n)
    if part == 0:
        return steepness
    return level if part == 1 else deviation
