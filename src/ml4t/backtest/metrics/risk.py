"""Spread and tails of the period returns, and reward for them."""

from math import nan, sqrt

import numpy as np

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.sample import Growth, Tail, per_period

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""A return is known to about this, times one plus itself; a smaller deviation is the rounding of equal returns."""


@defined
def volatility(growth: Growth, periods_per_year: float) -> float:
    """Annualised volatility, a fraction: s(r) · √periods_per_year, with the sample standard deviation s (ddof = 1).

    None for fewer than two returns. Source: Bacon (2008), ch. 4.

    Example:
        >>> round(volatility(Growth(periods=2, mean=0.02, second=0.0002), periods_per_year=2), 9)
        0.02

    """
    return _spread(growth) * sqrt(periods_per_year)


@defined
def sharpe(growth: Growth, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Sharpe ratio, annualised: mean(r − f) ÷ s(r − f) · √periods_per_year. None where the volatility is 0.

    f is the yearly `risk_free_rate` per period. Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio
    Management 21 (1994).

    Example:
        >>> round(sharpe(Growth(periods=2, mean=0.02, second=0.0002), periods_per_year=2), 9)
        2.0

    """
    excess = growth.mean - per_period(risk_free_rate, periods_per_year)
    return float(np.divide(excess, _spread(growth))) * sqrt(periods_per_year)


@defined
def sortino(growth: Growth, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Sortino ratio, annualised: mean(e) ÷ √mean(min(e, 0)²) · √periods_per_year, with e = r − f as in `sharpe`.

    None without a shortfall. The mean square runs over all periods, not only the losing ones.
    Source: Sortino & Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).

    Example:
        >>> round(sortino(Growth(periods=2, mean=0.01, shortfall=0.0004), periods_per_year=2), 9)
        1.0

    """
    if growth.periods < 2:
        return nan
    mean = growth.mean - per_period(risk_free_rate, periods_per_year)
    downside = sqrt(growth.shortfall / growth.periods)
    return nan if downside <= ROUNDING * (1 + abs(mean)) else mean / downside * sqrt(periods_per_year)


@defined
def value_at_risk(tail: Tail | None) -> float:
    """Historical value at risk, a return (a loss is negative): a quantile, linear between neighbours.

    Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages", American Statistician 50 (1996), type 7.

    Example:
        >>> round(value_at_risk(Tail(np.array([-0.02]), following=0.0, beyond=0.5)), 9)
        -0.01

    """
    return nan if tail is None else tail.smallest[-1] + tail.beyond * (tail.following - tail.smallest[-1])


@defined
def conditional_value_at_risk(tail: Tail | None) -> float:
    """Historical expected shortfall, a return: the mean of the k smallest returns, k = ⌊(P − 1) · level⌋ + 1.

    Source: `conditional_value_at_risk` of empyrical; Acerbi & Tasche, "Expected Shortfall", Economic Notes 31 (2002).

    Example:
        >>> round(conditional_value_at_risk(Tail(np.array([-0.04, -0.02]), following=0.0, beyond=0.0)), 9)
        -0.03

    """
    return nan if tail is None else float(tail.smallest.mean())


@defined
def skew(growth: Growth) -> float:
    """Skewness, a number: m₃ ÷ m₂^1.5 with central moments m (biased). None where the volatility is 0.

    Source: Joanes & Gill, "Comparing Measures of Sample Skewness and Kurtosis", The Statistician 47 (1998), g₁.

    Example:
        >>> skew(Growth(periods=3, second=0.0002, third=0.0))
        0.0

    """
    variance = growth.second / growth.periods if _spread(growth) else nan
    return growth.third / growth.periods / (variance * sqrt(variance))


@defined
def kurtosis(growth: Growth) -> float:
    """Excess kurtosis, a number (0 for a normal distribution): m₄ ÷ m₂² − 3 (biased). None where the volatility is 0.

    Source: Joanes & Gill (1998), g₂.

    Example:
        >>> round(kurtosis(Growth(periods=2, second=0.0002, fourth=0.00000002)), 9)
        -2.0

    """
    variance = growth.second / growth.periods if _spread(growth) else nan
    return growth.fourth / growth.periods / variance**2 - 3


def _spread(growth: Growth) -> float:
    """Sample standard deviation, exactly 0 where the returns differ by rounding only."""
    if growth.periods < 2:
        return nan
    deviation = sqrt(growth.second / (growth.periods - 1))
    return 0.0 if deviation <= ROUNDING * (1 + abs(growth.mean)) else deviation
