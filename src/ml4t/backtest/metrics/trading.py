"""Statistics of the closed trades. `pnl` [T] is after commission and slippage, in account currency, in order of exit.

A win has P&L above zero, a loss below; a trade at exactly zero is neither. Source for the ratios: Tharp, Trade Your
Way to Financial Freedom (2nd ed., 2007), ch. 7, and Kaufman, Trading Systems and Methods (6th ed., 2020), ch. 21.
"""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import Array, defined


@defined
def win_rate(pnl: Array) -> float:
    """Wins ÷ trades, a fraction.

    Example:
        >>> win_rate(np.array([10.0, -5.0, 0.0, 20.0]))
        0.5

    """
    return float(np.mean(pnl > 0)) if len(pnl) else nan


@defined
def profit_factor(pnl: Array) -> float:
    """Σ wins ÷ |Σ losses|. None without a loss.

    Example:
        >>> profit_factor(np.array([10.0, -5.0, 0.0, 20.0]))
        6.0

    """
    return float(np.divide(np.sum(pnl[pnl > 0]), -np.sum(pnl[pnl < 0])))


@defined
def average_win(pnl: Array) -> float:
    """Mean P&L of the wins, money.

    Example:
        >>> average_win(np.array([10.0, -5.0, 0.0, 20.0]))
        15.0

    """
    return float(np.mean(pnl[pnl > 0])) if np.any(pnl > 0) else nan


@defined
def average_loss(pnl: Array) -> float:
    """Mean P&L of the losses, money, negative.

    Example:
        >>> average_loss(np.array([10.0, -5.0, 0.0, 20.0]))
        -5.0

    """
    return float(np.mean(pnl[pnl < 0])) if np.any(pnl < 0) else nan


@defined
def payoff_ratio(pnl: Array) -> float:
    """Average win ÷ |average loss|. None without a win or without a loss.

    Example:
        >>> payoff_ratio(np.array([10.0, -5.0, 0.0, 20.0]))
        3.0

    """
    win, loss = average_win(pnl), average_loss(pnl)
    return nan if win is None or loss is None else float(np.divide(win, -loss))


@defined
def expectancy(pnl: Array) -> float:
    """Mean P&L of a trade, money.

    Example:
        >>> expectancy(np.array([10.0, -5.0, 0.0, 20.0]))
        6.25

    """
    return float(np.mean(pnl)) if len(pnl) else nan


@defined
def largest_win(pnl: Array) -> float:
    """The largest P&L of the wins, money.

    Example:
        >>> largest_win(np.array([10.0, -5.0, 0.0, 20.0]))
        20.0

    """
    return float(np.max(pnl)) if np.any(pnl > 0) else nan


@defined
def largest_loss(pnl: Array) -> float:
    """The smallest P&L of the losses, money, negative.

    Example:
        >>> largest_loss(np.array([10.0, -5.0, 0.0, 20.0]))
        -5.0

    """
    return float(np.min(pnl)) if np.any(pnl < 0) else nan


@defined
def average_bars_held(bars_held: Array) -> float:
    """Mean number of bars a closed trade was held.

    Example:
        >>> average_bars_held(np.array([1.0, 4.0]))
        2.5

    """
    return float(np.mean(bars_held)) if len(bars_held) else nan


def longest_losing_streak(pnl: Array) -> int:
    """The largest number of losses in a row, by time of exit.

    Example:
        >>> longest_losing_streak(np.array([-1.0, 5.0, -1.0, -2.0, 3.0]))
        2

    """
    breaks = np.flatnonzero(np.concatenate(([True], ~(pnl < 0), [True])))
    return int(np.max(np.diff(breaks))) - 1
