"""What a fill costs: slippage, then commission on the slipped price (docs/semantics/costs.md)."""

import math

from ml4t.backtest._jit import FLOAT, INT, VOID, call_pointer, function, inline
from ml4t.backtest.enums import Fault, TimeInForce
from ml4t.backtest.kernel.path import OPEN_LEG
from ml4t.backtest.kernel.rounding import on_tick
from ml4t.backtest.kernel.volume import handed_out
from ml4t.backtest.queue_rule import Beyond, LimitRule
from ml4t.backtest.tables import (
    ASK,
    BID,
    COMMISSION_MODEL,
    FAULT,
    FAULT_ORDER,
    FAULT_TIME,
    LIMIT_RULE,
    MONTH_VALUE,
    NOW,
    OPEN_ASK,
    OPEN_BID,
    PRICE_MODEL,
    SLIPPAGE_MODEL,
    SLIPPAGE_RANGE,
    State,
)


@function(VOID, INT, INT)
def report(state: State, cell: int, fault: int) -> None:
    """The first fault of the run is known, and `engine` ends the run."""
    clock = state.clock
    if clock[FAULT] == Fault.NONE:
        clock[FAULT] = fault
        clock[FAULT_ORDER] = state.orders.id[cell]
        clock[FAULT_TIME] = clock[NOW]


# ------------------------------------------------------------------------------------------------------------ slippage
@function(FLOAT, INT, INT, INT, FLOAT, FLOAT)
def impact(state: State, symbol: int, row: int, is_open: int, units: float, reference: float) -> float:
    """The terms of slippage that depend on volume, volatility and quotes; NaN where one of them is not known."""
    costs, conditions, worse = state.costs, state.conditions, 0.0
    if costs.volume_impact[symbol] > 0.0:
        volume, traded = state.bars.volume[row], units
        if costs.shares_bar[symbol] != 0:
            traded += handed_out(state, symbol, row)
        share = traded / volume if volume > traded else 1.0
        worse += costs.volume_impact[symbol] * share * share * reference
    if costs.root_impact[symbol] > 0.0:
        days = units / conditions.average_volume[row] if conditions.average_volume[row] > 0.0 else math.nan
        worse += costs.root_impact[symbol] * conditions.volatility[row] * math.sqrt(days) * reference
    if costs.volatility_share[symbol] > 0.0:
        worse += costs.volatility_share[symbol] * conditions.volatility[row] * reference
    if costs.spread_share[symbol] > 0.0:
        source = state.history.source
        bid = source[state.columns[OPEN_BID if is_open != 0 else BID] + row]
        ask = source[state.columns[OPEN_ASK if is_open != 0 else ASK] + row]
        worse += costs.spread_share[symbol] * (ask - bid)
    return worse


@function(FLOAT, INT, FLOAT, FLOAT)
def modelled_slippage(state: State, row: int, quantity: float, reference: float) -> float:
    """The price that the user's model makes of the reference."""
    bars, side = state.bars, 1 if quantity > 0.0 else -1
    return call_pointer(
        state.rules[SLIPPAGE_MODEL],
        (
            side,
            abs(quantity),
            reference,
            bars.open[row],
            bars.high[row],
            bars.low[row],
            bars.close[row],
            bars.volume[row],
        ),
    )


@inline
def pays_in_bar(state: State, cell: int, row: int, is_open: int, reference: float) -> bool:
    """Whether a fill pays slippage that ends with the bar: at opens by rule, at a stop always, at limits and orders for a close never."""
    if state.orders.tif[cell] == TimeInForce.CLS:
        return False
    if is_open != 0:
        return state.rules[SLIPPAGE_RANGE] & 2 != 0
    record = state.progress
    is_at_stop = record.is_triggered[cell] != 0 and record.since_row[cell] == row and record.since_leg[cell] != OPEN_LEG
    return state.orders.type[cell] % 2 == 0 or (is_at_stop and reference == state.terms.stop[cell])


@function(FLOAT, INT, INT, INT, INT, FLOAT)
def slipped_in_bar(state: State, cell: int, row: int, is_open: int, side: int, reference: float) -> float:
    """The price after slippage that ends with the bar; NaN where the order is to wait instead."""
    costs, symbol, rule = state.costs, state.orders.symbol[cell], state.rules[SLIPPAGE_RANGE]
    tick, has_limit = state.instruments.tick_size[symbol], state.orders.type[cell] % 2 == 1
    amount = costs.slippage_amount[symbol] + costs.slippage_ticks[symbol] * tick
    rate = costs.slippage_rate[symbol]
    if (rate == 0.0 and amount == 0.0) or not pays_in_bar(state, cell, row, is_open, reference):
        return reference
    price = on_tick(reference * (1.0 + side * rate) + side * amount, tick, side)
    bound = state.bars.high[row] if side > 0 else state.bars.low[row]
    if has_limit and is_open != 0:
        bound = min(bound, state.terms.limit[cell]) if side > 0 else state.terms.limit[cell]
    if side * (bound - price) >= 0.0:
        return price
    beyond = (rule >> 4) & 3 if has_limit else (rule >> 2) & 3
    if beyond == Beyond.WAIT:
        return math.nan
    return price if beyond == Beyond.KEEP else bound


@inline
def slipped(state: State, cell: int, row: int, leg_is_open: bool, quantity: float, reference: float) -> float:
    """The price after slippage, on the tick, against the order; never below 0 where the reference was not.

    `quantity` is signed. A price that cannot be told is the reference, and a fault. NaN: slippage keeps the order from filling.
    """
    if state.rules[SLIPPAGE_RANGE] != 0 and quantity != 0.0:
        return slipped_in_bar(state, cell, row, 1 if leg_is_open else 0, 1 if quantity > 0.0 else -1, reference)
    is_free = state.orders.type[cell] % 2 == 1 and state.rules[LIMIT_RULE] == LimitRule.KEPT
    if is_free or quantity == 0.0:
        return reference
    costs, symbol, side = state.costs, state.orders.symbol[cell], 1 if quantity > 0.0 else -1
    if state.progress.is_triggered[cell] != 0 and costs.stop_exempt[symbol] != 0:
        return reference
    tick, fault = state.instruments.tick_size[symbol], Fault.UNKNOWN_MARKET
    if state.rules[SLIPPAGE_MODEL] != 0:
        price = modelled_slippage(state, row, quantity, reference)
        fault = Fault.SLIPPAGE_MODEL
    else:
        worse = (
            costs.slippage_rate[symbol] * reference
            + costs.slippage_amount[symbol]
            + costs.slippage_ticks[symbol] * tick
        )
        if state.progress.is_triggered[cell] != 0:
            worse += costs.stop_rate[symbol] * reference + costs.stop_ticks[symbol] * tick
        if costs.is_conditional[symbol] != 0:
            worse += impact(state, symbol, row, 1 if leg_is_open else 0, abs(quantity), reference)
            if side < 0 and worse >= reference > 0.0:
                report(state, cell, Fault.NO_PRICE_LEFT)
        price = reference + side * worse
    if price == reference:
        return reference
    if not price - price == 0.0:  # NaN or infinite
        report(state, cell, fault)
        return reference
    price = on_tick(price, tick, side)
    if price < 0.0 and reference >= 0.0:
        return 0.0
    return price


@function(FLOAT, INT, INT, INT, FLOAT, FLOAT)
def modelled_price(state: State, cell: int, row: int, side: int, quantity: float, price: float) -> float:
    """The price at which the user's model fills a market order; one outside the bar is a fault, and `price` stands."""
    bars = state.bars
    found = call_pointer(
        state.rules[PRICE_MODEL],
        (side, quantity, bars.open[row], bars.high[row], bars.low[row], bars.close[row], bars.volume[row]),
    )
    if bars.low[row] <= found <= bars.high[row]:
        return found
    report(state, cell, Fault.FILL_PRICE_MODEL)
    return price


@inline
def model_price(state: State, cell: int, row: int, side: int, quantity: float, price: float) -> float:
    """The reference price of a market order: the user's model's where there is one, else `price`."""
    if state.rules[PRICE_MODEL] == 0:
        return price
    return modelled_price(state, cell, row, side, quantity, price)


# ---------------------------------------------------------------------------------------------------------- commission
@inline
def tier_of(state: State, symbol: int, value: float) -> int:
    """The first tier that goes as far as this value."""
    tier = state.costs.tier_first[symbol]
    while value > state.tiers.up_to[tier]:
        tier += 1
    return tier


@inline
def commission(state: State, symbol: int, quantity: float, value: float) -> float:
    """The commission of an order that has filled `quantity` units for `value` in total, without what single fills pay."""
    costs = state.costs
    if quantity == 0.0:
        return 0.0
    rate = 0.0
    if costs.by_fill[symbol] == 0:
        rate = state.tiers.rate[tier_of(state, symbol, value)]
    amount = costs.fixed[symbol] + costs.per_unit[symbol] * quantity + rate * value
    amount = min(max(amount, costs.minimum[symbol]), costs.maximum[symbol])
    cap_rate = costs.cap_rate[symbol]
    return min(amount, cap_rate * value) if cap_rate < math.inf else amount  # a value of 0 times no cap is NaN


@inline
def charges(state: State, symbol: int, quantity: float, value: float, is_maker: bool) -> float:
    """What a fill of this signed quantity pays by itself: rates of the month, taxes and fees. Maker rates may be negative."""
    costs, amount = state.costs, state.costs.fill_fixed[symbol]
    if costs.by_fill[symbol] != 0:
        tier = tier_of(state, symbol, state.money[MONTH_VALUE])
        amount += value * (state.tiers.maker_rate[tier] if is_maker else state.tiers.rate[tier])
    if quantity > 0.0:
        return amount + costs.buy_rate[symbol] * value
    return (
        amount + costs.sell_rate[symbol] * value + min(costs.sell_per_unit[symbol] * -quantity, costs.sell_cap[symbol])
    )


@function(FLOAT, INT, FLOAT, FLOAT)
def modelled_commission(state: State, cell: int, quantity: float, price: float) -> float:
    """What the user's model takes for a fill; an amount that is no number is a fault, and 0."""
    progress, side = state.progress, 1 if quantity > 0.0 else -1
    amount = call_pointer(
        state.rules[COMMISSION_MODEL], (side, abs(quantity), price, progress.filled[cell], progress.value[cell])
    )
    if amount - amount == 0.0:
        return amount
    report(state, cell, Fault.COMMISSION_MODEL)
    return 0.0


@inline
def fill_commission(state: State, cell: int, quantity: float, price: float, is_maker: bool) -> float:
    """The commission of the next fill of an order: what its order's grows by, never less than 0, and the fill's own charges."""
    symbol, units = state.orders.symbol[cell], abs(quantity)
    value = abs(units * price * state.instruments.multiplier[symbol])
    if state.rules[COMMISSION_MODEL] != 0:
        grows = modelled_commission(state, cell, quantity, price)
    else:
        filled, before = state.progress.filled[cell], state.progress.value[cell]
        grows = commission(state, symbol, filled + units, before + value) - commission(state, symbol, filled, before)
        grows = max(grows, 0.0)
    return grows + charges(state, symbol, quantity, value, is_maker)
