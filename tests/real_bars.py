"""Real bars, and the averages and crossings that documented examples make of them."""

import json
import subprocess
from itertools import pairwise

import polars as pl

from ml4t.backtest.datasets import us_indices
from parity.environment import python_of


def index(symbol: str) -> list[list[float]]:
    """The bars of a bundled index."""
    bars = us_indices().filter(pl.col("symbol") == symbol)
    return [list(row) for row in bars.select("open", "high", "low", "close", "volume").iter_rows()]


def bundled(name: str) -> list[list[float]]:
    """GOOG or EURUSD, as another peer's package brings them along."""
    code = f"import json; from backtesting.test import {name} as d; print(json.dumps(d.iloc[:, :5].values.tolist()))"
    python = str(python_of("backtesting_py"))
    done = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    rows: list[list[float]] = json.loads(done.stdout)
    return rows


SOURCES = {"SPX": index, "NASDAQ": index, "GOOG": bundled, "EURUSD": bundled}


def real_bars(name: str) -> list[list[float]]:
    """Rows (open, high, low, close, volume) of SPX, NASDAQ, GOOG (daily) or EURUSD (hourly)."""
    return SOURCES[name](name)


def averages(close: list[float], alpha: float) -> list[float]:
    """The exponential averages."""
    found = close[:1]
    for price in close[1:]:
        found.append(found[-1] + alpha * (price - found[-1]))
    return found


def crossings(fast: list[float], slow: list[float], first: int) -> list[tuple[int, int]]:
    """The bars at which `fast` crosses `slow`, with +1 upwards and -1 downwards."""
    signs = [1 if a > b else -1 for a, b in zip(fast, slow, strict=True)]
    return [(bar, signs[bar]) for bar in range(first, len(signs)) if signs[bar] != signs[bar - 1]]


def simple(close: list[float], count: int) -> list[float]:
    """The simple averages; of the first bars, of as many as there are."""
    return [sum(close[max(0, t - count + 1) : t + 1]) / min(count, t + 1) for t in range(len(close))]


def swing(close: list[float]) -> float:
    """How far the close moves from bar to bar, as a fraction, on average."""
    return sum(abs(b / a - 1.0) for a, b in pairwise(close)) / (len(close) - 1)
