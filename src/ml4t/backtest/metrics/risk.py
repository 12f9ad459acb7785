"""Spread and tails of the period returns, and reward for them. `returns` [P] are fractions per period.

Arrays are changed in place where they are our own: for long runs a fresh array costs more than the arithmetic on it.
"""

from math import inf, nan, sqrt

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""A return is known to about this, times one plus itself; a smaller deviation is the rounding of equal returns."""


def per_period(rate: float, periods_per_year: float) -> float:
    """A yearly rate as the rate per period that compounds to it: (1 + rate)^(1 ÷ periods_per_year) − 1.

    Example:
        >>> round(per_period(0.21, periods_per_year=2), 9)
        0.1

    """
    return float(np.power(1 + rate, 1 / periods_per_year)) - 1


@defined
def volatility(returns: Array, periods_per_year: float) -> float:
    """Annualised volatility, a fraction: s(r) · √periods_per_year, with the sample standard deviation s (ddof = 1).

    None for fewer than two returns. Source: Bacon (2008), ch. 4.

    Example:
        >>> round(volatility(np.array([0.01, 0.03]), periods_per_year=2), 9)
        0.02

    """
    return _spread(returns) * sqrt(periods_per_year)


@defined
def sharpe(returns: Array, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Sharpe ratio, annualised: mean(r − f) ÷ s(r − f) · √periods_per_year. None where the volatility is 0.

    f is the yearly `risk_free_rate` per period. Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio
    Management 21 (1994).

    Example:
        >>> round(sharpe(np.array([0.01, 0.03]), periods_per_year=2), 9)
        2.0

    """
    excess = _mean(returns) - per_period(risk_free_rate, periods_per_year)
    return float(np.divide(excess, _spread(returns))) * sqrt(periods_per_year)


@defined
def sortino(returns: Array, periods_per_year: float, risk_free_rate: float = 0.0) -> float:
    """Sortino ratio, annualised: mean(e) ÷ √mean(min(e, 0)²) · √periods_per_year, with e = r − f as in `sharpe`.

    None without a shortfall. The mean square runs over all periods, not only the losing ones.
    Source: Sortino & Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).

    Example:
        >>> round(sortino(np.array([-0.02, 0.04]), periods_per_year=2), 9)
        1.0

    """
    if len(returns) < 2:
        return nan
    excess = returns - per_period(risk_free_rate, periods_per_year)
    mean = _mean(excess)
    np.minimum(excess, 0.0, out=excess)
    excess *= excess
    downside = sqrt(_mean(excess))
    return nan if downside <= ROUNDING * (1 + abs(mean)) else mean / downside * sqrt(periods_per_year)


@defined
def value_at_risk(returns: Array, level: float = 0.05) -> float:
    """Historical value at risk, a return (a loss is negative): the `level` quantile, linear between neighbours.

    Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages", American Statistician 50 (1996), type 7.

    Example:
        >>> round(value_at_risk(np.array([-0.02, 0.0, 0.01]), level=0.25), 9)
        -0.01

    """
    return float(np.quantile(returns, level)) if len(returns) else nan


@defined
def conditional_value_at_risk(returns: Array, level: float = 0.05) -> float:
    """Historical expected shortfall, a return: the mean of the k smallest returns, k = ⌊(P − 1) · level⌋ + 1.

    Source: `conditional_value_at_risk` of empyrical; Acerbi & Tasche, "Expected Shortfall", Economic Notes 31 (2002).

    Example:
        >>> round(conditional_value_at_risk(np.array([0.01, -0.04, 0.0, -0.02, 0.02]), level=0.25), 9)
        -0.03

    """
    if not len(returns):
        return nan
    last = int((len(returns) - 1) * level)
    return _mean(np.partition(returns, last)[: last + 1])


@defined
def skew(returns: Array) -> float:
    """Skewness, a number: m₃ ÷ m₂^1.5 with central moments m (biased). None where the volatility is 0.

    Source: Joanes & Gill, "Comparing Measures of Sample Skewness and Kurtosis", The Statistician 47 (1998), g₁.

    Example:
        >>> skew(np.array([-0.01, 0.0, 0.01]))
        0.0

    """
    deviation = _standardised(returns)
    square = deviation * deviation
    variance = _mean(square)
    square *= deviation
    return _mean(square) / float(variance**1.5)


@defined
def kurtosis(returns: Array) -> float:
    """Excess kurtosis, a number (0 for a normal distribution): m₄ ÷ m₂² − 3 (biased). None where the volatility is 0.

    Source: Joanes & Gill (1998), g₂.

    Example:
        >>> round(kurtosis(np.array([-0.01, 0.01])), 9)
        -2.0

    """
    square = _standardised(returns)
    square *= square
    variance = _mean(square)
    square *= square
    return _mean(square) / variance**2 - 3


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else nan


def _spread(returns: Array) -> float:
    """Sample standard deviation, exactly 0 where the returns differ by rounding only."""
    if len(returns) < 2:
        return nan
    deviation = float(returns.std(ddof=1))
    return 0.0 if deviation <= ROUNDING * (1 + abs(float(returns.mean()))) else deviation


def _standardised(returns: Array) -> Array:
    """Deviations from the mean in units of s, so that no power of them underflows; NaN where s is 0."""
    spread = _spread(returns)
    deviation = returns - _mean(returns)
    deviation /= spread if 0 < spread < inf else nan
    return deviation
