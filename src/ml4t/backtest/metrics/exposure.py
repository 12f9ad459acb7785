"""How much of the account is at work, and how often it is turned over. Arrays are at every equity point [N]."""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined


@defined
def exposure(gross: Array) -> float:
    """The share of equity points with a position, a fraction: mean(gross exposure > 0).

    Example:
        >>> exposure(np.array([0.0, 50.0, 50.0, 0.0]))
        0.5

    """
    return float(np.mean(gross > 0)) if len(gross) else nan


@defined
def average_exposure(value: Array, equity: Array) -> float:
    """Mean of exposure ÷ equity, a fraction (2.0: twice the equity). None where equity was ever zero or below.

    Example:
        >>> average_exposure(np.array([50.0, 100.0]), np.array([100.0, 100.0]))
        0.75

    """
    return float(np.mean(value / equity)) if _is_positive(equity) else nan


@defined
def turnover(traded: Array, equity: Array, years: float) -> float:
    """How often equity is traded per year: Σ traded ÷ mean(equity) ÷ years, over the values of all buys and sells [F].

    Example:
        >>> turnover(np.array([200.0, 200.0]), np.array([100.0, 100.0]), years=2.0)
        2.0

    """
    if years <= 0 or not _is_positive(equity):
        return nan
    return float(np.divide(np.sum(traded), np.mean(equity) * years))


def _is_positive(equity: Array) -> bool:
    """There is equity, and it never was zero or below."""
    return bool(np.min(equity, initial=np.inf) > 0) and len(equity) > 0
