"""Terms of trade of every symbol."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import frozen
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.inputs import Instruments


def final_rows(bars: Stream) -> NDArray[np.int64]:
    """The last bar of each symbol."""
    final = np.cumsum(bars.counts) - 1
    return final if bars.by_symbol is None else bars.by_symbol[final]


def instruments_of(config: BacktestConfig, symbols: Sequence[str], final: NDArray[np.int64]) -> Instruments:
    """The instrument of every symbol, and its last bar.

    Raises:
        ConfigError: an instrument of a symbol that has no bars.

    """
    check_known("instruments.symbols", list(config.instruments.symbols), symbols)
    instruments = [config.instrument_of(symbol) for symbol in symbols]
    return frozen(
        Instruments,
        lot_size=[i.lot_size for i in instruments],
        min_quantity=[i.min_quantity for i in instruments],
        max_quantity=[np.inf if i.max_quantity is None else i.max_quantity for i in instruments],
        tick_size=[i.tick_size for i in instruments],
        multiplier=[i.multiplier for i in instruments],
        currency=np.zeros(len(instruments)),
        final_row=final,
    )


def check_known(section: str, named: Sequence[str], symbols: Sequence[str]) -> None:
    """Every symbol named in a section has bars. Raises: ConfigError with the nearest one that has."""
    for symbol in named:
        if symbol not in symbols:
            raise ConfigError(
                f"{section}.{symbol}: no bars of this symbol.{nearest(symbol, symbols)} Remove the entry or give its bars."
            )
