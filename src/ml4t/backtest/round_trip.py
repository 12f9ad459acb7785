"""What fills cost, and what each pair of an entry and an exit made: arrays, computed from the ledger in one place."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.tables import FILLS, NONE, TRADES, State

Numbers = NDArray[Any]


class RoundTrips(NamedTuple):
    """The (lot, closing fill) pairs in the order of their exits, then the open lots, valued at the mark. [R] each."""

    slot: Numbers
    symbol: Numbers
    entry: Numbers  # fill
    exit: Numbers  # fill; of an open lot its entry
    is_open: Numbers
    quantity: Numbers  # unsigned units
    side: Numbers  # +1.0 long, -1.0 short
    entry_price: Numbers
    exit_price: Numbers
    value: Numbers  # money, at the entry
    gross: Numbers  # money, before commission, after slippage
    commission: Numbers  # money, the trade's share of both fills
    slippage: Numbers  # money, likewise
    pnl: Numbers  # money
    first_bar: Numbers  # ordinal of the entry's bar among its symbol's bars ...
    last_bar: Numbers  # ... and of the exit's, or of the newest

    @property
    def bars_held(self) -> Numbers:
        """Bars of the symbol from the entry's to the exit's."""
        return self.last_bar - self.first_bar


def slippage(state: State) -> Numbers:
    """What slippage cost at each fill [F]: |price − reference price| · quantity · multiplier, money."""
    n, f = int(state.clock[FILLS]), state.fills
    by_unit = np.abs(f.price[:n] - f.reference[:n]) * np.abs(f.quantity[:n])
    cost: Numbers = by_unit * state.instruments.multiplier[f.symbol[:n]]
    return cost


def traded_value(state: State) -> Numbers:
    """The value of each fill [F], unsigned money."""
    n, f = int(state.clock[FILLS]), state.fills
    value: Numbers = np.abs(f.quantity[:n]) * np.abs(f.price[:n]) * state.instruments.multiplier[f.symbol[:n]]
    return value


def round_trips(state: State) -> RoundTrips:
    """The trades of a run so far."""
    n, t, f = int(state.clock[TRADES]), state.trades, state.fills
    slots, opening, left = _open_lots(state)
    slot = np.concatenate((t.slot[:n], np.array(slots, np.int64)))
    entry = np.concatenate((t.entry_fill[:n], np.array(opening, np.int64)))
    # an open lot has no exit: its entry stands in, and is masked
    exit_ = np.concatenate((t.exit_fill[:n], np.array(opening, np.int64)))
    quantity = np.concatenate((t.quantity[:n], left))
    is_open = np.arange(len(slot)) >= n
    symbol = state.positions.symbol[slot]
    side = np.sign(f.quantity[entry])
    multiplier = state.instruments.multiplier[symbol]
    entry_price, exit_price = f.price[entry], np.where(is_open, state.market.mark[symbol], f.price[exit_])
    share_in = quantity / np.abs(f.quantity[entry])
    share_out = np.where(is_open, 0.0, quantity / np.abs(f.quantity[exit_]))
    commission = f.commission[entry] * share_in + f.commission[exit_] * share_out
    cost_in, cost_out = (np.abs(f.price[i] - f.reference[i]) * np.abs(f.quantity[i]) for i in (entry, exit_))
    gross = quantity * (exit_price - entry_price) * side * multiplier
    ordinal = state.bars.ordinal
    return RoundTrips(
        slot=slot,
        symbol=symbol,
        entry=entry,
        exit=exit_,
        is_open=is_open,
        quantity=quantity,
        side=side,
        entry_price=entry_price,
        exit_price=exit_price,
        value=quantity * np.abs(entry_price) * multiplier,
        gross=gross,
        commission=commission,
        slippage=(cost_in * share_in + cost_out * share_out) * multiplier,
        pnl=gross - commission,
        first_bar=ordinal[f.row[entry]].astype(np.int64),
        last_bar=ordinal[np.where(is_open, state.market.row[symbol], f.row[exit_])].astype(np.int64),
    )


def _open_lots(state: State) -> tuple[list[int], list[int], list[float]]:
    """Slot, opening fill and quantity of every open lot."""
    slots, opening, quantities = [], [], []
    for slot in np.flatnonzero(state.positions.quantity).tolist():
        lot = int(state.positions.oldest_lot[slot])
        while lot != NONE:
            slots.append(slot)
            opening.append(int(state.lots.fill[lot]))
            quantities.append(float(state.lots.quantity[lot]))
            lot = int(state.lots.next[lot])
    return slots, opening, quantities
