"""Growth of the account: period returns and what they add up to."""

from math import isfinite, nan

import numpy as np

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.sample import Growth


@defined
def total_return(growth: Growth) -> float:
    """Growth over all periods, a fraction: E_P ÷ E_0 − 1.

    Example:
        >>> round(total_return(Growth(first=100.0, last=120.0, periods=2)), 9)
        0.2

    """
    return growth.last / growth.first - 1 if growth.periods > 0 and growth.first > 0 else nan


@defined
def cagr(growth: Growth, periods_per_year: float) -> float:
    """Compound annual growth rate, a fraction: (E_P ÷ E_0)^(periods_per_year ÷ P) − 1. None for negative equity.

    Years are periods ÷ periods_per_year, not calendar years. Source: `annual_return` of empyrical;
    Bacon, Practical Portfolio Performance Measurement and Attribution (2nd ed., 2008), ch. 2.

    Example:
        >>> round(cagr(Growth(first=100.0, last=121.0, periods=2), periods_per_year=1), 9)
        0.1

    """
    if growth.periods < 1 or growth.first <= 0 or growth.last < 0:
        return nan
    return float(np.power(growth.last / growth.first, periods_per_year / growth.periods)) - 1


@defined
def best_period(growth: Growth) -> float:
    """The largest return of a period, a fraction. None where a return does not exist.

    Example:
        >>> best_period(Growth(mean=-0.005, best=0.01, worst=-0.02))
        0.01

    """
    return growth.best if isfinite(growth.mean) else nan


@defined
def worst_period(growth: Growth) -> float:
    """The smallest, likewise.

    Example:
        >>> worst_period(Growth(mean=-0.005, best=0.01, worst=-0.02))
        -0.02

    """
    return growth.worst if isfinite(growth.mean) else nan
