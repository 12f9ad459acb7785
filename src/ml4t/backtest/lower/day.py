"""What the days before a bar say of its symbol: volatility and average volume; and the month it belongs to."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.feed import Stream
from ml4t.backtest.models.commission import MonthlyTieredCommission
from ml4t.backtest.models.slippage import SlippageTerms

F8 = NDArray[np.float64]


def daily_conditions(slippages: Sequence[SlippageTerms], bars: Stream) -> tuple[F8, F8]:
    """Volatility and average daily volume before each bar [N], each NaN where not known; [0] where no slippage needs it.

    The days of a bar are the sessions of its symbol before its own: all that was known when its session began.
    """
    needs_volatility = any(s.root_impact or s.volatility_share for s in slippages)
    needs_volume = any(s.root_impact for s in slippages)
    volatility = np.full(len(bars.end) if needs_volatility else 0, np.nan)
    average = np.full(len(bars.end) if needs_volume else 0, np.nan)
    if not needs_volatility:
        return volatility, average
    for terms, rows in zip(slippages, rows_by_symbol(bars), strict=True):
        if terms.window:
            first, day = days_of(bars.session[rows])
            last = np.append(first[1:], len(rows)) - 1
            volatility[rows] = volatility_before(bars.columns["close"][rows[last]], terms.window)[day]
            if needs_volume:
                average[rows] = mean_before(np.add.reduceat(bars.columns["volume"][rows], first), terms.window)[day]
    return volatility, average


def rows_by_symbol(bars: Stream) -> list[NDArray[np.int64]]:
    """The rows of each symbol, in order of time."""
    order = np.arange(len(bars.end)) if bars.by_symbol is None else bars.by_symbol
    return np.split(order, np.cumsum(bars.counts)[:-1])


def days_of(session: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first bar of each session [days], and which of them each bar belongs to [bars]."""
    first = np.flatnonzero(np.diff(session, prepend=session[0] - 1))
    return first, np.repeat(np.arange(len(first)), np.diff(first, append=len(session)))


def volume_before(bars: Stream, window: int) -> F8:
    """Mean volume of the bars of the `window` sessions before each bar's own [N]; 0 before there are so many."""
    out = np.zeros(len(bars.end))
    for rows in rows_by_symbol(bars):
        first, day = days_of(bars.session[rows])
        if len(first) > window:
            total = np.add.reduceat(bars.columns["volume"][rows], first)
            count = np.diff(first, append=len(rows))
            mean = np.zeros(len(first))
            mean[window:] = (
                sliding_window_view(total, window).sum(axis=1) / sliding_window_view(count, window).sum(axis=1)
            )[:-1]
            out[rows] = mean[day]
    return out


def volatility_before(close: F8, window: int) -> F8:
    """Sample standard deviation of the `window` daily log returns before each day; NaN before there are so many."""
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.log(close[1:] / close[:-1])
    out = np.full(len(close), np.nan)
    if len(returns) > window:
        with np.errstate(invalid="ignore"):  # a return from a price of zero or below is no number
            out[window + 1 :] = sliding_window_view(returns, window)[:-1].std(axis=1, ddof=1)
    return out


def mean_before(volume: F8, window: int) -> F8:
    """Mean of the `window` days before each day; NaN before there are so many."""
    out = np.full(len(volume), np.nan)
    if len(volume) > window:
        out[window:] = sliding_window_view(volume, window)[:-1].mean(axis=1)
    return out


def is_monthly(config: BacktestConfig, symbols: Sequence[str]) -> bool:
    """Whether a commission depends on what was traded in the month."""
    return any(isinstance(config.costs_of(symbol).commission, MonthlyTieredCommission) for symbol in symbols)


def month_of(bars: Stream) -> NDArray[np.int32]:
    """The number of the calendar month of each bar's session [N], from January 1970 on."""
    months: NDArray[np.int32] = bars.session.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)
    return months
