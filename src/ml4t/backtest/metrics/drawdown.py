"""Losses from a peak, seen at the end of each period. `path` [P + 1] starts with the initial cash."""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined
from ml4t.backtest.metrics.returns import cagr


@defined
def max_drawdown(path: Array) -> float:
    """The deepest loss from a running peak, a fraction ≤ 0: min over t of E_t ÷ max(E_0 … E_t) − 1.

    Source: Magdon-Ismail & Atiya, "Maximum Drawdown", Risk 17 (2004).

    Example:
        >>> max_drawdown(np.array([100.0, 120.0, 90.0, 130.0]))
        -0.25

    """
    if len(path) < 2 or path[0] <= 0:
        return nan
    peak = np.maximum.accumulate(path)
    return float(np.min(np.divide(path, peak, out=peak))) - 1


def max_drawdown_duration(path: Array) -> int:
    """The longest time below a peak, in periods.

    It runs from the last period at the peak to the first that reaches it again, or to the end.
    It need not be the duration of the deepest drawdown.

    Example:
        >>> max_drawdown_duration(np.array([100.0, 120.0, 90.0, 110.0, 120.0, 119.0]))
        3

    """
    if len(path) == 0:
        return 0
    at_peak = np.flatnonzero(path == np.maximum.accumulate(path))
    steps = np.diff(at_peak)
    # One step from peak to peak is no drawdown; one step from a peak to the end is.
    recovered = int(np.max(steps, initial=0))
    return max(recovered if recovered > 1 else 0, len(path) - 1 - int(at_peak[-1]))


@defined
def calmar(path: Array, periods_per_year: float) -> float:
    """Calmar ratio over all periods: CAGR ÷ |maximum drawdown|. None without a drawdown.

    Source: Young, "Calmar Ratio: A Smoother Tool", Futures 20 (1991).

    Example:
        >>> round(calmar(np.array([100.0, 75.0, 110.0]), periods_per_year=2), 9)
        0.4

    """
    growth, depth = cagr(path, periods_per_year), max_drawdown(path)
    return nan if growth is None or not depth else growth / -depth
