"""The compiled loop alone: marks, equity and one resting order that never fills, on random bars; against a NumPy copy in the same round.

Run: python benchmarks/loop.py [--bars 1 5 20] [--rounds 5]   (millions of bars)
"""

import argparse
import statistics
import time

import numpy as np
from measure import METRICS, environment, random_bars, table, timed

from ml4t.backtest import Strategy
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.engine import Engine

# Bytes the loop must move for one bar of one symbol whose bars follow each other without gaps. Read: time, end_first,
# start_first, start_row, information_first of the instant; symbol, open, high, low, close, volume of the bar. Written:
# five columns of history, four of the equity curve. (Columns for checks that did not arise are not counted.)
READ, WRITTEN = 5 * 8 + 4 + 5 * 8, 9 * 8
COPIED = 256 * 1024 * 1024


class Resting(Strategy):
    """One order far from the market; no hook is called between the first bar and the last."""

    def on_start(self) -> None:
        self.broker.buy("X", 1, limit=1e-6)


def loop_seconds(bars: object) -> tuple[float, float, int]:
    """Seconds of the loop, seconds of the whole run with its results, and points of the equity curve."""
    engine = Engine(Resting(), bars, BacktestConfig.load(None, **{"data.symbol": "X"}))
    inner, drive = 0.0, engine._drive

    def timed_drive(report: object) -> None:
        nonlocal inner
        inner = timed(lambda: drive(report))[0].wall

    engine._drive = timed_drive
    start = time.perf_counter()
    result = engine.run()
    frames = result.fills, result.orders, result.trades, result.equity
    [result.metrics[name] for name in METRICS]
    assert len(frames[1]) == 1
    assert frames[1]["state"][0] == "accepted"
    return inner, time.perf_counter() - start, len(frames[3])


def copy_speed() -> float:
    """Bytes moved a second (read and written) by a NumPy copy of an array that fits no cache."""
    source, target = np.ones(COPIED // 8), np.empty(COPIED // 8)
    np.copyto(target, source)
    return 2 * COPIED / min(timed(lambda: np.copyto(target, source))[0].wall for _ in range(3))


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=float, nargs="+", default=[1, 5], help="millions")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    environment()
    loop_seconds(random_bars(1_000))
    rows = []
    for millions in options.bars:
        n = int(millions * 1e6)
        bars = random_bars(n)
        loops, wholes, shares = [], [], []
        for _ in range(options.rounds):
            speed = copy_speed()
            inner, whole, points = loop_seconds(bars)
            assert points == n
            loops.append(inner / n)
            wholes.append(whole / n)
            shares.append(n * (READ + WRITTEN) / inner / speed)
        loop, best = statistics.median(loops), min(loops)
        share, whole = statistics.median(shares), statistics.median(wholes)
        rows.append([f"{millions:g} M bars", 1e9 * loop, 1e-6 / loop, 1e-6 / best, share, max(shares), 1e-6 / whole])
    heads = ["", "ns a bar", "M bars/s", "best", "share of the copy's bandwidth", "best", "M bars/s with results"]
    work = f"{READ + WRITTEN} bytes a bar, copy {speed / 1e9:.1f} GB/s"
    table(f"Compiled loop, no strategy, one resting order; {work}; medians of {options.rounds}", heads, rows)


if __name__ == "__main__":
    main()
