"""Indicators that depend on every value since the first: each call continues where the last one stopped.

What they remember lies in a table of the state. A memory that is not there is made anew from the first value, which gives the same bits:
so the table may be emptied when it grows, and an indicator that finds no room only takes longer.
"""

import math

from ml4t.backtest._jit import FLOAT, INT, function, inline
from ml4t.backtest.tables import MEMORIES, NONE, UNCHECKED, State

# what `recursive` answers
EMA, RSI = range(2)
KINDS = 2
LONGEST = 1 << 19  # more values are counted anew at each call
SPREAD = 0x9E3779B97F4A7C15 - (
    1 << 64
)  # 2^64 divided by the golden ratio: multiples of it are spread evenly (Knuth, TAOCP 3, 6.4)


@inline
def key_of(what: int, begin: int, n: int) -> int:
    """A number for an indicator of n values over the series that begins there; 0 is none."""
    return (begin * KINDS + what + 1) ^ (n << 44)


@inline
def memory_of(state: State, key: int) -> int:
    """The cell of a memory, which is new where it was not there; NONE where the table is half full."""
    keys = state.memories.key
    mask = keys.shape[0] - 1
    cell = ((int(key) * SPREAD) >> 20) & mask
    while keys[cell] != 0 and keys[cell] != key:
        cell = (cell + 1) & mask
    if keys[cell] == key:
        return cell
    if 2 * (state.clock[MEMORIES] + 1) > keys.shape[0]:
        return NONE
    keys[cell] = key
    state.memories.used[cell] = 0
    state.clock[MEMORIES] += 1
    state.clock[UNCHECKED] = 1
    return cell


@inline
def exponential_mean(state: State, cell: int, first: int, last: int, n: int) -> float:
    """The exponential mean with weight 2 / (n + 1), started at the first value."""
    value, memories = state.history.value, state.memories
    used, average = 0, 0.0
    if cell != NONE:
        used, average = memories.used[cell], memories.first[cell]
    weight = 2.0 / (n + 1.0)
    for i in range(first + used, last):
        average = value[i] if i == first else average + weight * (value[i] - average)
    if cell != NONE:
        memories.used[cell] = last - first
        memories.first[cell] = average
    return average


@inline
def relative_strength(state: State, cell: int, first: int, last: int, n: int) -> float:
    """Wilder's relative strength index: 100 · gains / (gains + losses), 50 where nothing moved.

    Gains and losses are means of the first n changes, then (n − 1) / n of themselves and 1 / n of the newest change.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), ch. 6.
    """
    value, memories = state.history.value, state.memories
    used, gains, losses = 1, 0.0, 0.0
    if cell != NONE and memories.used[cell] > 0:
        used, gains, losses = memories.used[cell], memories.first[cell], memories.second[cell]
    for i in range(first + used, last):
        change = value[i] - value[i - 1]
        gain = 0.0 if change <= 0.0 else change  # NaN stays NaN
        loss = 0.0 if change >= 0.0 else -change
        if i - first < n:
            gains, losses = gains + gain, losses + loss
        elif i - first == n:
            gains, losses = (gains + gain) / n, (losses + loss) / n
        else:
            gains, losses = (gains * (n - 1) + gain) / n, (losses * (n - 1) + loss) / n
    if cell != NONE:
        memories.used[cell] = last - first
        memories.first[cell] = gains
        memories.second[cell] = losses
    total = gains + losses
    if not total == total:
        return math.nan
    return 100.0 * gains / total if total > 0.0 else 50.0


@function(FLOAT, INT, INT, INT, INT)
def recursive(state: State, what: int, first: int, last: int, n: int) -> float:
    """The indicator `what` over the rows first:last of the flat history."""
    cell = memory_of(state, key_of(what, first, n)) if n < LONGEST else NONE
    if what == EMA:
        return exponential_mean(state, cell, first, last, n)
    return relative_strength(state, cell, first, last, n)
