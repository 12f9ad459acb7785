"""Means, deviations, extremes and exponential averages of the last n known values: one implementation for every driver.

Sums run from the oldest value to the newest, so that compiled and interpreted code give the same bits (NumPy's pairwise sums do not).
Each answers NaN while fewer than n values are known.
"""

import math

from ml4t.backtest._jit import inline
from ml4t.backtest.tables import F8


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
def exponential_mean(value: F8, last: int, n: int, memory: F8) -> float:
    """The exponential mean with weight 2 / (n + 1), started at the first value; `memory` = [mean, values used, first index]."""
    weight = 2.0 / (n + 1.0)
    used = int(memory[1])
    first = int(memory[2])
    average = memory[0]
    for i in range(first + used, last):
        average = value[i] if i == first else average + weight * (value[i] - average)
    memory[0] = average
    memory[1] = last - first
    return average
