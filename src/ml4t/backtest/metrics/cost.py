"""What trading cost. P&L and equity already contain it: nothing here is to be subtracted again."""

import numpy as np

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.sample import Cost


@defined
def total(amount: float) -> float:
    """The sum over all fills of their traded values, commissions or slippage costs, money.

    Slippage cost is |price − reference price| · quantity · multiplier (docs/semantics/costs.md).

    Example:
        >>> total(Cost(commission=2.0).commission)
        2.0

    """
    return amount


@defined
def total_cost(cost: Cost) -> float:
    """Σ commission + Σ slippage cost, money.

    Example:
        >>> total_cost(Cost(commission=2.0, slippage=0.5))
        2.5

    """
    return cost.commission + cost.slippage


@defined
def cost_fraction(cost: Cost, base: float) -> float:
    """(Σ commission + Σ slippage cost) ÷ base, a fraction. None where the base (traded value, initial cash) is 0.

    Example:
        >>> cost_fraction(Cost(commission=3.0, slippage=2.0), base=10_000.0)
        0.0005

    """
    return float(np.divide(cost.commission + cost.slippage, base))
