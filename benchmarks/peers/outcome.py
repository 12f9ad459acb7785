"""What a peer's run came to: what is checked, and the metrics of engines that have none of their own."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

METRICS = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")


class Outcome(NamedTuple):
    """`kept` keeps the frames alive until the clock has stopped."""

    fills: int
    equity: float  # at the end
    metrics: dict[str, float]
    kept: Any = None


def metrics_of(equity: NDArray[np.float64], pnl: NDArray[np.float64], periods: float) -> dict[str, float]:
    """The five metrics from equity at the end of each bar and the result of each closed trade."""
    returns = equity[1:] / equity[:-1] - 1.0
    peak = np.maximum.accumulate(equity)
    return {
        "total_return": float(equity[-1] / equity[0] - 1.0),
        "sharpe": float(returns.mean() / returns.std(ddof=1) * np.sqrt(periods)),
        "max_drawdown": float((equity / peak - 1.0).min()),
        "trades": len(pnl),
        "win_rate": float((pnl > 0).mean()) if len(pnl) else float("nan"),
    }


def windows(market: SimpleNamespace) -> tuple[list[int], list[int]]:
    """Fast and slow window of each combination of the sweep."""
    fast = range(int(market.fast_from), int(market.fast_to))
    slow = range(int(market.slow_from), int(market.slow_to), int(market.slow_step))
    pairs = [(a, b) for a in fast for b in slow]
    return [a for a, _ in pairs], [b for _, b in pairs]
