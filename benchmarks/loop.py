"""The compiled loop alone: marks, equity and one resting order that never fills, on random bars; against a NumPy copy.

Both have one thread and are timed by its CPU clock, in the same round. What the operating system needs for the first
touch of fresh memory (the equity curve) is a column of its own. Feed and lowering are not part of "with results".

Run: python benchmarks/loop.py [--bars 1 5 20] [--rounds 5]   (millions of bars)
"""

import argparse
import resource
import statistics
import time
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from measure import METRICS, environment, random_bars, table, timed

from ml4t.backtest import Strategy
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.engine import Engine
from ml4t.backtest.tables import KEEP_HISTORY

# Bytes the loop must move for one bar of one symbol whose bars follow each other without gaps. Read: time, end_first,
# start_first, start_row of the instant; symbol, open, high, low, close of the bar. Written: three columns of the equity curve.
# The history copies five prices more, in a pass of its own before the strategy (here: the result) can look.
LOOP, HISTORY = 8 + 3 * 4 + 4 + 4 * 8 + 3 * 8, 4 + 2 * 5 * 8
COPIED = 256 * 1024 * 1024
TICKS = 0.1  # seconds below which the system does not know how to divide CPU time


class Resting(Strategy):
    """One order far from the market; no hook is called between the first bar and the last."""

    def on_start(self) -> None:
        self.broker.buy("X", 1, limit=1e-6)


class Loop(NamedTuple):
    """Seconds: of the loop's own work, of the system's work for it (first touch of memory), of the run with its results."""

    user: float
    system: float
    whole: float


def looped(bars: pl.DataFrame, keep_history: bool) -> Loop:
    """Durations of a run."""
    engine = Engine(Resting(), bars, BacktestConfig.load(None, **{"data.symbol": "X"}))
    engine.state.rules[KEEP_HISTORY] = keep_history
    drive, usage = engine._drive, []

    def watched(report: Any) -> None:
        usage.append(resource.getrusage(resource.RUSAGE_SELF))
        drive(report)
        usage.append(resource.getrusage(resource.RUSAGE_SELF))

    engine._drive = watched
    start = time.perf_counter()
    result = engine.run()
    frames = result.fills, result.orders, result.trades, result.equity
    [result.metrics[name] for name in METRICS]
    whole = time.perf_counter() - start
    assert (len(frames[0]), len(frames[3])) == (0, len(bars))
    assert frames[1]["state"].to_list() == ["accepted"]
    before, after = usage
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    if user + system < TICKS:
        user, system = user + system, 0.0
    return Loop(user, system, whole)


def copy_speed() -> float:
    """Bytes moved a second (read and written) by a NumPy copy of an array that fits no cache."""
    source, target = np.ones(COPIED // 8), np.empty(COPIED // 8)
    np.copyto(target, source)
    return 2 * COPIED / min(timed(lambda: np.copyto(target, source))[0].cpu for _ in range(3))


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=float, nargs="+", default=[1, 5], help="millions")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    environment()
    looped(random_bars(1_000), keep_history=True)
    rows = []
    for millions in options.bars:
        n = int(millions * 1e6)
        bars = random_bars(n)
        for keep, label, moved in ((False, "", LOOP), (True, ", history", LOOP + HISTORY)):
            loops, shares = [], []
            for _ in range(options.rounds):
                speed = copy_speed()
                loops.append(looped(bars, keep))
                shares.append(n * moved / loops[-1].user / speed)
            user, system, whole = (statistics.median(column) / n for column in zip(*loops, strict=True))
            best, share = min(loop.user for loop in loops) / n, statistics.median(shares)
            name = f"{millions:g} M bars{label}"
            rows.append([name, 1e9 * user, 1e-6 / user, 1e-6 / best, share, 1e9 * system, 1e-6 / whole])
    heads = ["", "ns a bar", "M bars/s", "best", "of copy bandwidth", "system ns a bar", "M bars/s with results"]
    work = f"{LOOP} bytes a bar, {HISTORY} more with history, copy {speed / 1e9:.1f} GB/s"
    table(f"Compiled loop, no strategy, one resting order; {work}; medians of {options.rounds}", heads, rows)


if __name__ == "__main__":
    main()
