"""What trading cost, from the fills [F]. P&L and equity already contain it: nothing here is to be subtracted again."""

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined


@defined
def total(amounts: Array) -> float:
    """Σ amounts, money: the commissions, slippage costs or traded values of all fills.

    Slippage cost is |price − reference price| · quantity · multiplier (docs/semantics/costs.md).

    Example:
        >>> total(np.array([1.0, 2.5]))
        3.5

    """
    return float(np.sum(amounts))


@defined
def total_cost(commission: Array, slippage: Array) -> float:
    """Σ commission + Σ slippage cost, money.

    Example:
        >>> total_cost(np.array([1.0, 1.0]), np.array([0.5, 0.0]))
        2.5

    """
    return float(np.sum(commission) + np.sum(slippage))


@defined
def cost_fraction(commission: Array, slippage: Array, base: float) -> float:
    """(Σ commission + Σ slippage cost) ÷ base, a fraction. None where the base (traded value, initial cash) is 0.

    Example:
        >>> cost_fraction(np.array([3.0]), np.array([2.0]), base=10_000.0)
        0.0005

    """
    return float(np.divide(np.sum(commission) + np.sum(slippage), base))
