"""Cost of a fill against the number of past orders and of open positions, and of a daily rebalance of many symbols. Must be flat.

Timed by the CPU clock of the one thread that does the work.

Run: python benchmarks/fills.py [--rounds 3] [--orders 1000000] [--symbols 30 300 3000]
"""

import argparse
import time
from typing import Any

import numpy as np
import polars as pl
from measure import MINUTE, SEED, environment, random_bars, table

from ml4t.backtest import Strategy, run

DAY = 1440 * MINUTE
SLICE = 1_000  # bars between two readings of the clock
MARGIN = {"account": {"kind": "margin"}}


class Alternating(Strategy):
    """Buys and sells in turn; reads the clock every SLICE bars."""

    every: int = 1

    def on_start(self) -> None:
        self.bars = 0
        self.readings = [time.thread_time()]
        for symbol in self.data.symbols:
            if symbol != "A":
                self.broker.buy(symbol, 1)

    def on_bar(self) -> None:
        self.bars += 1
        if not self.bars % SLICE:
            self.readings.append(time.thread_time())
        if self.bars % self.every:
            return
        if self.bars // self.every % 2:
            self.broker.buy("A", 1)
        else:
            self.broker.sell("A", 1)


def past_orders(count: int, rounds: int) -> list[list[Any]]:
    """Microseconds a bar with a fill, in slices after so many orders; the least of the rounds for each slice."""
    bars = random_bars(count + 10 * SLICE).with_columns(symbol=pl.lit("A"))
    slices = []
    for _ in range(rounds):
        strategy = Alternating()
        result = run(strategy, bars, MARGIN, cash=1e6)
        assert len(result.fills) == len(bars) - 1
        slices.append(np.diff(strategy.readings) / SLICE)
    best = np.min(slices, axis=0)
    marks = [10**k for k in range(3, 10) if 10**k <= count]
    return [[m, 1e6 * float(np.median(best[m // SLICE :][: max(5, m // SLICE // 10)]))] for m in marks]


def holding(positions: int, n: int) -> pl.DataFrame:
    """Minute bars of A, and of `positions` - 1 symbols that trade only once."""
    bars = random_bars(n).with_columns(symbol=pl.lit("A"))
    names = pl.DataFrame({"symbol": [f"B{i:04}" for i in range(1, positions)]}, schema={"symbol": pl.String})
    return pl.concat([names.join(bars.drop("symbol").head(2), how="cross").select(bars.columns), bars]).sort(
        "timestamp", "symbol"
    )


def open_positions(rounds: int, n: int = 20_000) -> list[list[Any]]:
    """Microseconds of a bar without and with a fill."""
    rows = []
    for positions in (1, 10, 100, 1_000):
        bars, seconds = holding(positions, n), {}
        for every in (n + 1, 1):
            slices = []
            for _ in range(rounds):
                strategy = Alternating(every=every)
                result = run(strategy, bars, MARGIN, cash=1e9)
                assert len(result.fills) >= positions - 1 + (n - 1 if every == 1 else 0)
                slices.append(np.diff(strategy.readings)[2:] / SLICE)
            seconds[every] = float(np.median(np.min(slices, axis=0)))
        idle, busy = 1e6 * seconds[n + 1], 1e6 * seconds[1]
        rows.append([positions, idle, busy, busy - idle])
    return rows


class Rebalance(Strategy):
    """Every day a new weight for every symbol; `asking` are the seconds in Python."""

    def on_start(self) -> None:
        self.weights = np.random.default_rng(SEED).uniform(0.2, 0.9, (300, len(self.data.symbols))) / len(
            self.data.symbols
        )
        self.day = self.asking = 0

    def on_bar(self) -> None:
        start = time.thread_time()
        target = self.broker.order_target_percent
        for symbol, weight in zip(self.data.symbols, self.weights[self.day].tolist(), strict=True):
            target(symbol, weight)
        self.day += 1
        self.asking += time.thread_time() - start


def panel(symbols: int, days: int) -> pl.DataFrame:
    """Daily bars of many symbols."""
    parts = [
        random_bars(days, seed=SEED + i, step=DAY, volatility=0.02).with_columns(symbol=pl.lit(f"S{i:04}"))
        for i in range(symbols)
    ]
    return pl.concat(parts).sort("timestamp", "symbol").with_columns(pl.col("timestamp").dt.date())


RULES: dict[str, dict[str, Any]] = {
    "default": {},
    "reductions first": {"orders": {"batch_order": "reductions_first"}},
    "reserve": {"orders": {"admission": "reserve"}},
    "previous close": {"orders": {"valuation": "previous_close"}},
    "queue": {"fills": {"schedule": "queue"}},
}


def rebalance(symbols: list[int], rounds: int) -> list[list[Any]]:
    """Microseconds an order of a daily rebalance, by rules and number of symbols."""
    rows = []
    for count in symbols:
        days = max(10, min(250, 90_000 // count))
        bars = panel(count, days)
        for name, rule in RULES.items():
            whole, asking, loops = [], [], []
            for _ in range(rounds):
                strategy = Rebalance()
                start = time.thread_time()
                result = run(strategy, bars, rule, cash=1e9)
                frames = result.fills, result.orders, result.trades, result.equity, result.metrics
                whole.append(time.thread_time() - start)
                orders = len(frames[1])
                asking.append(strategy.asking)
            loops = [w / orders for w in whole]
            rows.append(
                [
                    f"{count:,} symbols, {days} days, {name}",
                    orders,
                    len(frames[0]),
                    1e6 * min(asking) / orders,
                    1e6 * min(loops),
                ]
            )
    return rows


def main() -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--symbols", type=int, nargs="+", default=[30, 300, 3_000])
    options = parser.parse_args()
    environment()
    past_orders(2_000, 1)  # the first run loads what is compiled
    heads = ["past orders", "µs a bar with an order and a fill"]
    table(
        f"Past orders (least of {options.rounds} rounds, medians of slices)",
        heads,
        past_orders(options.orders, options.rounds),
    )
    heads = ["open positions", "µs a bar without fill", "with fill", "difference"]
    table("Open positions (each equity point sums them all)", heads, open_positions(options.rounds))
    heads = ["daily rebalance", "orders", "fills", "µs an order, in on_bar", "whole run with results"]
    table("Rebalance (least of the rounds)", heads, rebalance(options.symbols, options.rounds))


if __name__ == "__main__":
    main()
