"""What is known of a symbol before, or at, each of its bars, where a rule of the run needs it."""

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import frozen
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.enums import VolumeBasis
from ml4t.backtest.feed import Stream
from ml4t.backtest.inputs import Conditions
from ml4t.backtest.lower.day import daily_conditions, is_monthly, month_of, volume_before
from ml4t.backtest.lower.rule import volume_basis

LARGEST_EXACT = 2.0**53


def conditions_of(config: BacktestConfig, bars: Stream) -> Conditions:
    """The conditions that the rules of the run need; the others are empty."""
    slippages = [config.costs_of(symbol).slippage.terms() for symbol in bars.symbols]
    volatility, average_volume = daily_conditions(slippages, bars)
    return frozen(
        Conditions,
        volatility=volatility,
        average_volume=average_volume,
        allowance_volume=allowance_volume(config, bars),
        month=month_of(bars) if is_monthly(config, bars.symbols) else [],
    )


def allowance_volume(config: BacktestConfig, bars: Stream) -> NDArray[np.float64]:
    """The volume of which `fills.participation.share` may be filled on each bar [N], units; empty where nothing limits fills."""
    basis, volume = volume_basis(config), bars.columns["volume"]
    if basis == VolumeBasis.NONE:
        return np.zeros(0)
    if basis == VolumeBasis.BAR:
        return volume
    participation = config.fills.participation
    window = participation.window if participation and participation.window else 1  # one bar before: its own mean
    if basis == VolumeBasis.DAILY_AVERAGE:
        return volume_before(bars, window)
    order = bars.by_symbol
    if order is None:
        return _mean_before(volume, window)
    mean = _mean_before(volume[order], window)
    symbol = bars.symbol[order]
    mean[:window] = 0.0
    mean[window:][symbol[window:] != symbol[:-window]] = 0.0  # the window reaches into another symbol
    out = np.empty_like(mean)
    out[order] = mean
    return out


def _mean_before(volume: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of the `window` values before each, 0 where there are not so many; added in order of time."""
    out = np.zeros(len(volume))
    n = len(volume) - window
    if n <= 0:
        return out
    if (
        volume.sum() < LARGEST_EXACT and (volume == np.floor(volume)).all()
    ):  # every partial sum is exact: one pass will do
        total = np.concatenate(([0.0], np.cumsum(volume)))
        out[window:] = total[window:-1] - total[: -window - 1]
    else:
        for first in range(window):
            out[window:] += volume[first : first + n]
    out /= window
    return out
