"""bt, as its users write it."""

from collections.abc import Callable
from types import SimpleNamespace

import bt
import pandas as pd

from peers.outcome import Outcome


def weights_free(market: SimpleNamespace) -> Callable[[], Outcome]:
    """All assets to their weights at the dates that have some."""
    names = [f"A{i:04}" for i in range(market.close.shape[1])]
    index = pd.DatetimeIndex(market.time)
    prices = pd.DataFrame(market.close, index, names)
    weights = pd.DataFrame(market.weight, index, names).dropna()

    def run() -> Outcome:
        strategy = bt.Strategy("weights", [bt.algos.SelectAll(), bt.algos.WeighTarget(weights), bt.algos.Rebalance()])
        test = bt.Backtest(strategy, prices, initial_capital=market.cash, integer_positions=False, progress_bar=False)
        result = bt.run(test)
        orders, equity, positions = result.get_transactions(), test.strategy.values, test.positions
        stats = result.stats["weights"]
        metrics = {
            "total_return": float(stats["total_return"]),
            "sharpe": float(stats["daily_sharpe"]),
            "max_drawdown": float(stats["max_drawdown"]),
            "trades": len(orders),  # it knows transactions, not pairs of entry and exit
            "win_rate": float(stats["win_year_perc"]),
        }
        return Outcome(len(orders), float(equity.iloc[-1]), metrics, (orders, equity, positions))

    return run


WORKS = {"weights_free": weights_free}
