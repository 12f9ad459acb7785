"""Losses from a peak, seen at the end of each period; the initial cash is the first peak."""

from math import nan

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.returns import cagr
from ml4t.backtest.metrics.sample import Growth


@defined
def max_drawdown(growth: Growth) -> float:
    """The deepest loss from a running peak, a fraction ≤ 0: min over t of E_t ÷ max(E_0 … E_t) − 1.

    Source: Magdon-Ismail & Atiya, "Maximum Drawdown", Risk 17 (2004).

    Example:
        >>> max_drawdown(Growth(first=100.0, periods=2, depth=-0.25))
        -0.25

    """
    return growth.depth if growth.periods > 0 and growth.first > 0 else nan


def max_drawdown_duration(growth: Growth) -> int:
    """The longest time below a peak, in periods.

    It runs from the last period at the peak to the first that reaches it again, or to the end.
    It need not be the duration of the deepest drawdown.

    Example:
        >>> max_drawdown_duration(Growth(longest=3))
        3

    """
    return int(growth.longest)


@defined
def calmar(growth: Growth, periods_per_year: float) -> float:
    """Calmar ratio over all periods: CAGR ÷ |maximum drawdown|. None without a drawdown.

    Source: Young, "Calmar Ratio: A Smoother Tool", Futures 20 (1991).

    Example:
        >>> round(calmar(Growth(first=100.0, last=110.0, periods=2, depth=-0.25), periods_per_year=2), 9)
        0.4

    """
    rate, depth = cagr(growth, periods_per_year), max_drawdown(growth)
    return nan if rate is None or not depth else rate / -depth
