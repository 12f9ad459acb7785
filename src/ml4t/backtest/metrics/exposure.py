"""How much of the account is at work, and how often it is turned over, seen at every equity point."""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.sample import Exposure


@defined
def exposure(held: Exposure) -> float:
    """The share of equity points with a position, a fraction: mean(gross exposure > 0).

    Example:
        >>> exposure(Exposure(points=4, invested=2))
        0.5

    """
    return held.invested / held.points if held.points else nan


@defined
def average_gross_exposure(held: Exposure) -> float:
    """Mean of gross exposure ÷ equity, a fraction (2.0: twice the equity). None where equity was ever zero or below.

    Example:
        >>> average_gross_exposure(Exposure(points=2, gross=1.5, lowest=100.0))
        0.75

    """
    return held.gross / held.points if held.lowest > 0 and held.points else nan


@defined
def average_net_exposure(held: Exposure) -> float:
    """Mean of net exposure ÷ equity, likewise; negative where shorts prevail.

    Example:
        >>> average_net_exposure(Exposure(points=2, net=-1.5, lowest=100.0))
        -0.75

    """
    return held.net / held.points if held.lowest > 0 and held.points else nan


@defined
def turnover(traded: float, held: Exposure, years: float) -> float:
    """How often equity is traded per year: Σ traded ÷ mean(equity) ÷ years, over the values of all buys and sells.

    Example:
        >>> turnover(400.0, Exposure(points=2, equity=200.0, lowest=100.0), years=2.0)
        2.0

    """
    if years <= 0 or held.lowest <= 0 or not held.points:
        return nan
    return float(np.divide(traded, held.equity / held.points * years))
