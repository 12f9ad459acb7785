"""Cost of an instant against the number of resting orders that cannot fill, of those that could, and of orders that follow the price.

100 symbols, 100,000 instants, one bar of one symbol at each: 1,000 bars a symbol. The cost may depend on the orders that could fill.

Run: python benchmarks/resting.py [--rounds 3] [--instants 100000]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from measure import FIRST, MINUTE, SEED, environment, table

from ml4t.backtest import Strategy, Trail, run

SYMBOLS = 100
SETTINGS = {"account": {"kind": "margin"}, "orders": {"reserve": 65_536}}

Request = Callable[[Strategy, str, int], Any]


def panel(instants: int) -> pl.DataFrame:
    """Bars of one minute in turn: at minute n the symbol n mod 100 has one; prices wander within 95 to 105."""
    n = np.arange(instants)
    rng = np.random.default_rng(SEED)
    close = 100.0 + 5.0 * np.sin(n / SYMBOLS / 50.0) * rng.uniform(0.9, 1.0, instants)
    open_ = np.clip(close + rng.normal(0.0, 0.1, instants), 95.0, 105.0)
    wick = rng.uniform(0.0, 0.1, instants)
    return pl.DataFrame(
        {
            "timestamp": pl.Series(FIRST + MINUTE * n).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
            "symbol": [f"S{k:02}" for k in (n % SYMBOLS).tolist()],
            "open": open_,
            "high": np.maximum(open_, close) + wick,
            "low": np.minimum(open_, close) - wick,
            "close": close,
            "volume": np.full(instants, 1_000.0),
        }
    )


class Resting(Strategy):
    """Places `count` orders before the first bar, turn about among the symbols; then only time passes."""

    def __init__(self, count: int, request: Request) -> None:
        super().__init__()
        self._count, self._request = count, request

    def on_start(self) -> None:
        for n in range(self._count):
            self._request(self, self.data.symbols[n % SYMBOLS], n)
        self.started = time.thread_time()

    def on_end(self) -> None:
        self.seconds = time.thread_time() - self.started


def far_limit(strategy: Strategy, symbol: str, n: int) -> None:
    """A buy far below the market."""
    strategy.broker.buy(symbol, 1, limit=10.0 + n % 50)


def far_bracket(strategy: Strategy, symbol: str, n: int) -> None:
    """An entry far below the market with two children that wait for it: three orders."""
    strategy.broker.buy(symbol, 1, limit=10.0 + n % 50, stop_loss=0.05, take_profit=0.05)


def asleep(strategy: Strategy, symbol: str, n: int) -> None:
    """A trailing stop that sleeps until a price far above the market."""
    strategy.broker.sell(symbol, 1, stop=Trail(rate=0.05, activation=200.0 + n % 50))


def trailing(strategy: Strategy, symbol: str, _: int) -> None:
    """A trailing stop that follows every bar and is never reached."""
    strategy.broker.sell(symbol, 1, stop=Trail(rate=0.5))


def near(strategy: Strategy, symbol: str, n: int) -> None:
    """A buy just above the lows: a few fill at a time, all in the end."""
    strategy.broker.buy(symbol, 1, limit=95.0 + n % 97 / 10.0)


WORKS: dict[str, tuple[Request, int]] = {
    "far limits": (far_limit, 1),
    "far entries with two children each": (far_bracket, 3),
    "sleeping trailing stops": (asleep, 1),
    "working trailing stops": (trailing, 1),
    "limits that fill": (near, 1),
}
"""Name → the request, and the orders that each makes."""


def nanoseconds(bars: pl.DataFrame, count: int, request: Request, rounds: int) -> tuple[float, int]:
    """The least time of an instant among the rounds, and the fills."""
    least, fills = float("inf"), 0
    for _ in range(rounds):
        strategy = Resting(count, request)
        result = run(strategy, bars, SETTINGS, cash=1e9)
        fills = len(result.fills)
        least = min(least, 1e9 * strategy.seconds / len(bars))
    return least, fills


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--instants", type=int, default=100_000)
    options = parser.parse_args()
    environment()
    bars = panel(options.instants)
    nanoseconds(bars, 1_000, near, 2)  # the first runs load what is compiled, and wake the processor
    empty, _ = nanoseconds(bars, 0, far_limit, 2 * options.rounds)
    rows: list[list[Any]] = [["no orders", 0, 0, empty, 0.0]]
    for name, (request, orders) in WORKS.items():
        for count in (10, 1_000, 10_000):
            cost, fills = nanoseconds(bars, count // orders, request, options.rounds)
            rows.append([name, count // orders * orders, fills, cost, cost - empty])
    heads = ["resting orders", "orders", "fills", "ns an instant", "above none"]
    table(f"{options.instants:,} instants, {SYMBOLS} symbols (least of {options.rounds} rounds)", heads, rows)


if __name__ == "__main__":
    main()
