"""Growth of the account: period returns and what they add up to.

`path` [P + 1] is the initial cash followed by the equity at the end of each of P periods.
"""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined


@defined
def total_return(path: Array) -> float:
    """Growth over all periods, a fraction: E_P ÷ E_0 − 1.

    Example:
        >>> round(total_return(np.array([100.0, 90.0, 120.0])), 9)
        0.2

    """
    return float(path[-1] / path[0]) - 1 if len(path) > 1 and path[0] > 0 else nan


@defined
def cagr(path: Array, periods_per_year: float) -> float:
    """Compound annual growth rate, a fraction: (E_P ÷ E_0)^(periods_per_year ÷ P) − 1. None for negative equity.

    Years are periods ÷ periods_per_year, not calendar years. Source: `annual_return` of empyrical;
    Bacon, Practical Portfolio Performance Measurement and Attribution (2nd ed., 2008), ch. 2.

    Example:
        >>> round(cagr(np.array([100.0, 110.0, 121.0]), periods_per_year=1), 9)
        0.1

    """
    periods = len(path) - 1
    if periods < 1 or path[0] <= 0 or path[-1] < 0:
        return nan
    return float(np.power(path[-1] / path[0], periods_per_year / periods)) - 1


@defined
def best_period(returns: Array) -> float:
    """The largest of the returns [P], a fraction.

    Example:
        >>> best_period(np.array([0.01, -0.02]))
        0.01

    """
    return float(np.max(returns, initial=-np.inf))


@defined
def worst_period(returns: Array) -> float:
    """The smallest of the returns [P], a fraction.

    Example:
        >>> worst_period(np.array([0.01, -0.02]))
        -0.02

    """
    return float(np.min(returns, initial=np.inf))
