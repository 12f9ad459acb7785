"""Terms of trade of every symbol."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import frozen
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.inputs import Instruments
from ml4t.backtest.models.instrument import Instrument


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
    paid = [payment(instrument, config.has_held_proceeds) for instrument in instruments]
    return frozen(
        Instruments,
        lot_size=[i.lot_size for i in instruments],
        min_quantity=[i.min_quantity for i in instruments],
        max_quantity=[np.inf if i.max_quantity is None else i.max_quantity for i in instruments],
        tick_size=[i.tick_size for i in instruments],
        multiplier=[i.multiplier for i in instruments],
        margin=[i.margin or 0.0 for i in instruments],
        long_rate=[rates[0] for rates in paid],
        short_rate=[rates[1] for rates in paid],
        on_margin=[i.on_margin for i in instruments],
        currency=np.zeros(len(instruments)),
        final_row=final,
    )


def payment(instrument: Instrument, held: bool) -> tuple[float, float]:
    """The fractions of its value that a long and a short take from free cash. `held`: what a short brings is no cash.

    >>> payment(Instrument(leverage=4.0), held=False)
    (0.25, -1.0)
    """
    if instrument.on_margin:
        return instrument.margin_rate or 0.0, instrument.margin_rate or 0.0
    return 1.0 / instrument.leverage, 1.0 / instrument.leverage if held else -1.0


def check_known(section: str, named: Sequence[str], symbols: Sequence[str]) -> None:
    """Every symbol named in a section has bars. Raises: ConfigError with the nearest one that has."""
    for symbol in named:
        if symbol not in symbols:
            raise ConfigError(
                f"{section}.{symbol}: no bars of this symbol.{nearest(symbol, symbols)} Remove the entry or give its bars."
            )
