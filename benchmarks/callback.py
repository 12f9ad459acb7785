"""A Python strategy on 200,000 minute bars, here and in backtesting.py: same flags, same fills, same final equity, whole run.

Run: pip install -e ".[benchmark]"; python benchmarks/callback.py [--rounds 7] [--bars 200000]
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import warnings
from typing import Any

from measure import METRICS, crossovers, environment, interleaved, median, random_bars, ratio, table, timed

CASH, RATE, UNITS, WINDOW = 1_000_000.0, 0.001, 1_000, 30
FAST, SLOW = 20, 50


def prepare(n: int) -> tuple[Any, Any]:
    """The same bars with the same flags, as each engine wants them."""
    ours = random_bars(n)
    ours = ours.with_columns(cross=crossovers(ours["close"].to_numpy(), FAST, SLOW))
    theirs = ours.to_pandas().set_index("timestamp")
    theirs.index = theirs.index.tz_localize(None)
    return ours, theirs.rename(columns=str.capitalize)


def ours(variant: str, bars: Any) -> tuple[int, float]:
    """One run with its frames and five metrics; the number of fills and the final equity."""
    from ml4t.backtest import Strategy, run

    class Flags(Strategy):
        def on_bar(self) -> None:
            flag = self.data.cross("X")
            if flag > 0:
                self.broker.buy("X", UNITS)
            elif flag < 0:
                self.broker.sell("X", UNITS)

    class Reading(Flags):
        def on_bar(self) -> None:
            self.window, self.held = self.data.close("X", WINDOW), self.portfolio.position("X").quantity
            flag = self.data.cross("X")
            if flag > 0:
                self.broker.buy("X", UNITS)
            elif flag < 0:
                self.broker.sell("X", UNITS)

    strategy = {"flags": Flags, "flags, theirs as I()": Flags, "window and position": Reading}[variant]()
    result = run(strategy, bars, {"costs": {"commission": {"kind": "rate", "rate": RATE}}}, cash=CASH, symbol="X")
    frames = result.fills, result.orders, result.trades, result.equity
    [result.metrics[name] for name in METRICS]
    return len(frames[0]), frames[3]["equity"][-1]


def theirs(variant: str, bars: Any) -> tuple[int, float]:
    """The same in backtesting.py."""
    from backtesting import Backtest
    from backtesting import Strategy as Base

    class Flags(Base):
        def init(self) -> None:
            pass

        def next(self) -> None:
            flag = self.data.Cross[-1]
            if flag > 0:
                self.buy(size=UNITS)
            elif flag < 0:
                self.sell(size=UNITS)

    class Reading(Flags):
        def next(self) -> None:
            self.window, self.held = self.data.Close[-WINDOW:], self.position.size
            flag = self.data.Cross[-1]
            if flag > 0:
                self.buy(size=UNITS)
            elif flag < 0:
                self.sell(size=UNITS)

    class Indicator(Flags):
        def init(self) -> None:
            self.cross = self.I(lambda: self.data.Cross, plot=False)

        def next(self) -> None:
            flag = self.cross[-1]
            if flag > 0:
                self.buy(size=UNITS)
            elif flag < 0:
                self.sell(size=UNITS)

    strategy = {"flags": Flags, "flags, theirs as I()": Indicator, "window and position": Reading}[variant]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trades that are open at the end
        stats = Backtest(bars, strategy, cash=CASH, commission=RATE).run()
    fills = 2 * len(stats["_trades"]) + sum(t.is_long for t in stats["_strategy"].trades)
    return fills, float(stats["Equity Final [$]"])


VARIANTS = ("flags", "flags, theirs as I()", "window and position")


def check(variant: str, mine: Any, other: Any) -> tuple[int, float]:
    """Both engines did the same: fills and final equity."""
    (fills, equity), (their_fills, their_equity) = ours(variant, mine), theirs(variant, other)
    assert fills == their_fills, (variant, fills, their_fills)
    assert math.isclose(equity, their_equity, rel_tol=0.0, abs_tol=1e-6), (variant, equity, their_equity)
    return fills, equity


def first(engine: str, n: int) -> None:
    """The seconds of this process's first run, imports included, are printed."""
    mine, other = prepare(n)
    work = (lambda: ours("flags", mine)) if engine == "ours" else lambda: theirs("flags", other)
    print(timed(work)[0].wall)


def first_seconds(engine: str, n: int, cache: str) -> float:
    """Seconds of the first run in a fresh process."""
    command = [sys.executable, __file__, "--first", engine, "--bars", str(n)]
    done = subprocess.run(
        command, env=os.environ | {"ML4T_BACKTEST_CACHE": cache}, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--first", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"
    if options.first:
        first(options.first, options.bars)
        return
    environment("backtesting", "pandas")
    mine, other = prepare(options.bars)
    rows = []
    for variant in VARIANTS:
        fills, _ = check(variant, mine, other)  # also the warm-up
        works = {"ours": lambda v=variant: ours(v, mine), "theirs": lambda v=variant: theirs(v, other)}
        seconds = interleaved(works, options.rounds)
        a, b = median(seconds["ours"]).wall, median(seconds["theirs"]).wall
        times = ratio(seconds["theirs"], seconds["ours"])
        rows.append([variant, fills, 1e3 * a, options.bars / a / 1e6, 1e3 * b, options.bars / b / 1e6, *times])
    heads = ["warm, whole run", "fills", "ours ms", "M bars/s", "theirs ms", "M bars/s", "ratio", "ratio of CPU time"]
    title = (
        f"{options.bars:,} minute bars, medians of {options.rounds} interleaved rounds; same fills, same final equity"
    )
    table(f"{title}; theirs: backtesting.py", heads, rows)
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = first_seconds("ours", options.bars, cache), first_seconds("ours", options.bars, cache)
    peer = first_seconds("theirs", options.bars, tempfile.gettempdir())
    heads = ["flags, first run of a process with imports", "ours s", "theirs s", "ratio"]
    rows = [["empty cache: everything is compiled", cold, peer, peer / cold], ["warm cache", warm, peer, peer / warm]]
    table("Cold and warm", heads, rows)


if __name__ == "__main__":
    main()
