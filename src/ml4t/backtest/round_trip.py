"""What fills cost, and what each pair of an entry and an exit made: arrays, computed from the ledger in one place."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest._jit import Handle
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.pages import empty
from ml4t.backtest.tables import FILLS, LOTS, TRADES, State

Numbers = NDArray[Any]


WHOLE, REAL = 6, 9
"""How many of the columns below hold integers, and how many floats."""


class RoundTrips(NamedTuple):
    """The (lot, closing fill) pairs in the order of their exits, then the open lots, valued at the mark. [R] each."""

    slot: Numbers
    symbol: Numbers
    entry: Numbers  # fill
    exit: Numbers  # fill; of an open lot its entry
    first_bar: Numbers  # ordinal of the entry's bar among its symbol's bars ...
    last_bar: Numbers  # ... and of the exit's, or of the newest
    quantity: Numbers  # unsigned units
    side: Numbers  # +1.0 long, -1.0 short
    entry_price: Numbers
    exit_price: Numbers
    value: Numbers  # money, at the entry
    gross: Numbers  # money, before commission, after slippage
    commission: Numbers  # money, the trade's share of both fills
    slippage: Numbers  # money, likewise
    pnl: Numbers  # money
    is_open: Numbers

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


def round_trips(handle: Handle) -> RoundTrips:
    """The trades of a run so far."""
    state: State = handle.state
    closed = int(state.clock[TRADES])
    count = closed + int(state.clock[LOTS])
    whole = empty(WHOLE * count, np.int64).reshape(WHOLE, count)
    real = empty(REAL * count, np.float64).reshape(REAL, count)
    entry_point("round_trips")(handle.key, *whole, *real)
    return RoundTrips._make([*whole, *real, np.arange(count) >= closed])
