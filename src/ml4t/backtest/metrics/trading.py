"""Statistics of the closed trades, their P&L after commission and slippage, in account currency.

A win has P&L above zero, a loss below; a trade at exactly zero is neither. Source for the ratios: Tharp, Trade Your
Way to Financial Freedom (2nd ed., 2007), ch. 7, and Kaufman, Trading Systems and Methods (6th ed., 2020), ch. 21.
"""

from math import nan

import numpy as np

from ml4t.backtest.metrics.metric import defined
from ml4t.backtest.metrics.sample import Trading


@defined
def win_rate(closed: Trading) -> float:
    """Wins ÷ trades, a fraction.

    Example:
        >>> win_rate(Trading(trades=4, wins=2, losses=1))
        0.5

    """
    return closed.wins / closed.trades if closed.trades else nan


@defined
def profit_factor(closed: Trading) -> float:
    """Σ wins ÷ |Σ losses|. None without a loss.

    Example:
        >>> profit_factor(Trading(won=30.0, lost=-5.0))
        6.0

    """
    return float(np.divide(closed.won, -closed.lost))


@defined
def average_win(closed: Trading) -> float:
    """Mean P&L of the wins, money.

    Example:
        >>> average_win(Trading(wins=2, won=30.0))
        15.0

    """
    return closed.won / closed.wins if closed.wins else nan


@defined
def average_loss(closed: Trading) -> float:
    """Mean P&L of the losses, money, negative.

    Example:
        >>> average_loss(Trading(losses=1, lost=-5.0))
        -5.0

    """
    return closed.lost / closed.losses if closed.losses else nan


@defined
def payoff_ratio(closed: Trading) -> float:
    """Average win ÷ |average loss|. None without a win or without a loss.

    Example:
        >>> payoff_ratio(Trading(wins=2, won=30.0, losses=1, lost=-5.0))
        3.0

    """
    win, loss = average_win(closed), average_loss(closed)
    return nan if win is None or loss is None else float(np.divide(win, -loss))


@defined
def expectancy(closed: Trading) -> float:
    """Mean P&L of a trade, money.

    Example:
        >>> expectancy(Trading(trades=4, pnl=25.0))
        6.25

    """
    return closed.pnl / closed.trades if closed.trades else nan


@defined
def largest_win(closed: Trading) -> float:
    """The largest P&L of the wins, money.

    Example:
        >>> largest_win(Trading(wins=2, best=20.0))
        20.0

    """
    return closed.best if closed.wins else nan


@defined
def largest_loss(closed: Trading) -> float:
    """The smallest P&L of the losses, money, negative.

    Example:
        >>> largest_loss(Trading(losses=1, worst=-5.0))
        -5.0

    """
    return closed.worst if closed.losses else nan


@defined
def average_bars_held(closed: Trading) -> float:
    """Mean number of bars a closed trade was held.

    Example:
        >>> average_bars_held(Trading(trades=2, bars=5))
        2.5

    """
    return closed.bars / closed.trades if closed.trades else nan
