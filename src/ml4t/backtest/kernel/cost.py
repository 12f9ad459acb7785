"""What a fill costs: slippage, then commission on the slipped price (docs/semantics/costs.md)."""

import math

from ml4t.backtest._jit import inline
from ml4t.backtest.kernel.rounding import on_tick
from ml4t.backtest.tables import State


@inline
def slipped(state: State, symbol: int, side: int, reference: float) -> float:
    """The price after slippage, on the tick, against the order; never below 0 where the reference was not."""
    costs, tick = state.costs, state.instruments.tick_size[symbol]
    worse = (
        costs.slippage_rate[symbol] * reference + costs.slippage_amount[symbol] + costs.slippage_ticks[symbol] * tick
    )
    if worse == 0.0:
        return reference
    price = on_tick(reference + side * worse, tick, side)
    if price < 0.0 and reference >= 0.0:
        return 0.0
    return price


@inline
def commission(state: State, symbol: int, quantity: float, value: float) -> float:
    """The commission of an order that has filled `quantity` units for `value` in total."""
    costs, tiers = state.costs, state.tiers
    if quantity == 0.0:
        return 0.0
    tier = costs.tier_first[symbol]
    while value > tiers.up_to[tier]:
        tier += 1
    amount = costs.fixed[symbol] + costs.per_unit[symbol] * quantity + tiers.rate[tier] * value
    amount = max(amount, costs.minimum[symbol])
    cap_rate = costs.cap_rate[symbol]
    return min(amount, cap_rate * value) if cap_rate < math.inf else amount  # a value of 0 times no cap is NaN


@inline
def fill_commission(state: State, cell: int, quantity: float, price: float) -> float:
    """The commission of the next fill of an order: what its commission grows by, never less than 0."""
    symbol = state.orders.symbol[cell]
    value = abs(quantity) * price * state.instruments.multiplier[symbol]
    filled, before = state.progress.filled[cell], state.progress.commission[cell]
    total = commission(state, symbol, filled + abs(quantity), state.progress.value[cell] + abs(value))
    return max(total - before, 0.0)
