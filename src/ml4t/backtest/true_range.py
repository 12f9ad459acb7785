"""Average true range: how far a symbol's price moves in a bar."""

import math

import numpy as np

from ml4t.backtest.tables import State

HIGH, LOW, CLOSE = 1, 2, 3  # places of the columns in the history


def average_true_range(state: State, symbol: int, count: int) -> float:
    """The arithmetic mean of the last `count` true ranges that are known, in price; NaN before count + 1 bars.

    True range = max(high, close before) − min(low, close before).

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), ch. 3; his smoothing, which remembers every bar
    since the first, is replaced by a plain mean, so that the value depends on count + 1 bars and nothing else.
    """
    known = int(state.history.known[symbol])
    if known - int(state.history.begin[symbol]) <= count:
        return math.nan
    rows = state.bars.symbol.shape[0]
    high, low, close = (
        state.history.value[column * rows + known - count - 1 : column * rows + known] for column in (HIGH, LOW, CLOSE)
    )
    ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    return float(ranges.mean())
