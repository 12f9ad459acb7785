"""What each pair of an entry and an exit made, and how far prices went in between, after a run."""

from typing import Any

from ml4t.backtest._jit import borrow, entry, inline
from ml4t.backtest.inputs import F8, I8
from ml4t.backtest.tables import NONE, TRADES, State


@inline
def cost_of(state: State, fill: int) -> float:
    """What slippage cost at a fill, by unit of its multiplier."""
    fills = state.fills
    return abs(fills.price[fill] - fills.reference[fill]) * abs(fills.quantity[fill])


@entry
def round_trip_entry(
    key: Any,
    slot: I8,
    symbol: I8,
    entry_fill: I8,
    exit_fill: I8,
    first_bar: I8,
    last_bar: I8,
    quantity: F8,
    side: F8,
    entry_price: F8,
    exit_price: F8,
    value: F8,
    gross: F8,
    commission: F8,
    slippage: F8,
    pnl: F8,
) -> None:
    """Fills the columns of `round_trip.RoundTrips` [R]: the trades, then the open lots at their marks."""
    state = borrow(key)
    lots, trades, n = state.lots, state.trades, state.clock[TRADES]
    for r in range(n):
        slot[r], quantity[r] = trades.slot[r], trades.quantity[r]
        entry_fill[r], exit_fill[r] = trades.entry_fill[r], trades.exit_fill[r]
    r = n
    for s in range(state.positions.quantity.shape[0]):
        lot = state.positions.oldest_lot[s]
        while lot != NONE:
            slot[r], quantity[r] = s, lots.quantity[lot]
            entry_fill[r] = exit_fill[r] = lots.fill[lot]
            lot = lots.next[lot]
            r += 1
    fills, ordinal = state.fills, state.bars.ordinal
    for r in range(slot.shape[0]):
        opened, closed, units = entry_fill[r], exit_fill[r], quantity[r]
        of = state.positions.symbol[slot[r]]
        multiplier, direction = state.instruments.multiplier[of], 1.0 if fills.quantity[opened] > 0.0 else -1.0
        share = units / abs(fills.quantity[opened])
        fee, cost = fills.commission[opened] * share, cost_of(state, opened) * share
        left, row = state.market.mark[of], state.market.row[of]
        if r < n:
            share = units / abs(fills.quantity[closed])
            fee += fills.commission[closed] * share
            cost += cost_of(state, closed) * share
            left, row = fills.price[closed], fills.row[closed]
        made = units * (left - fills.price[opened]) * direction * multiplier
        symbol[r], side[r], entry_price[r], exit_price[r] = of, direction, fills.price[opened], left
        first_bar[r], last_bar[r] = ordinal[fills.row[opened]], ordinal[row]
        value[r] = units * abs(fills.price[opened]) * multiplier
        gross[r], commission[r], slippage[r], pnl[r] = made, fee, cost * multiplier, made - fee


@entry
def excursion_entry(
    key: Any, first: I8, last: I8, entry_price: F8, exit_price: F8, side: F8, best: F8, worst: F8
) -> None:
    """Fills `best` and `worst` [R] with the furthest prices of each trade: exit and entry price, and bars first:last in between."""
    history = borrow(key).history
    n = borrow(key).bars.symbol.shape[0]
    for r in range(best.shape[0]):
        high, low = max(entry_price[r], exit_price[r]), min(entry_price[r], exit_price[r])
        for i in range(first[r], last[r]):
            high, low = max(high, history.value[n + i]), min(low, history.value[2 * n + i])
        best[r] = high if side[r] > 0.0 else low
        worst[r] = low if side[r] > 0.0 else high
