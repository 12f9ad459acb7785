"""How long a newcomer waits: import and first result, cold compile, and an edit of a strategy. Each in fresh processes.

Run: python benchmarks/start.py [--rounds 5]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Seconds, environment, median, table

IMPORT = "import ml4t.backtest; from ml4t.backtest import Strategy, run"
COMPILE = "from ml4t.backtest.kernel.entry import functions; functions()"
RESULT = """
from strategy import Crossover
from ml4t.backtest import run
from ml4t.backtest.datasets import us_indices
result = run(Crossover(), us_indices())
frames = result.fills, result.orders, result.trades, result.equity
metrics = [result.metrics[name] for name in ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")]
assert len(frames[0]) > 10, frames
"""
STRATEGY = """
from ml4t.backtest import Strategy

class Crossover(Strategy):
    fast: int = {fast}

    def on_bar(self):
        above = self.data.mean("SPX", self.fast) > self.data.mean("SPX", 200)
        self.broker.order_target_percent("SPX", 0.9 if above else 0.0)
"""
FIRST_BAR = """
from strategy import Crossover
from ml4t.backtest import run
from ml4t.backtest.datasets import us_indices
class Stop(Exception): pass
class Once(Crossover):
    def on_bar(self):
        super().on_bar()
        raise Stop
try:
    run(Once(), us_indices())
except Exception as error:
    assert isinstance(error.__cause__, Stop), error
"""


def process(code: str, folder: Path, cache: Path) -> Seconds:
    """Duration of a fresh interpreter that runs the code; CPU time of all its threads."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environ = os.environ | {"ML4T_BACKTEST_CACHE": str(cache), "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def edited(folder: Path, fast: int) -> None:
    """The strategy's source has changed."""
    (folder / "strategy.py").write_text(STRATEGY.format(fast=fast))


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    environment()
    with tempfile.TemporaryDirectory() as name:
        folder, warm = Path(name), Path(name) / "warm"
        edited(folder, 20)
        cold = [process(COMPILE, folder, folder / f"cold{i}") for i in range(max(1, options.rounds // 3))]
        process(RESULT, folder, warm)  # fills the cache
        works: dict[str, list[Seconds]] = {"python": [], "import": [], "result": [], "edit": []}
        for i in range(options.rounds):
            works["python"].append(process("pass", folder, warm))
            works["import"].append(process(IMPORT, folder, warm))
            works["result"].append(process(RESULT, folder, warm))
            edited(folder, 21 + i)
            works["edit"].append(process(FIRST_BAR, folder, warm))
    rows = [
        ["compile everything, empty cache, with imports", *median(cold), 10.0],
        ["import and first result (frames, five metrics), warm cache", *median(works["result"]), 1.2],
        ["edit of a strategy to its first bar, new process", *median(works["edit"]), 2.0],
        ["import of the public names", *median(works["import"]), "-"],
        ["an empty interpreter", *median(works["python"]), "-"],
    ]
    table(f"Start, medians of {options.rounds} fresh processes", ["", "seconds", "CPU seconds", "aim"], rows)


if __name__ == "__main__":
    main()
