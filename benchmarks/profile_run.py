"""Where the time of a whole warm run goes, phase by phase.

Run: python benchmarks/profile_run.py [--bars 200000] [--rounds 9] [--variant flags|reading|nothing|none]
"""

import argparse
from collections import defaultdict
from typing import Any

from callback import CASH, RATE, UNITS, WINDOW, prepare
from measure import METRICS, Seconds, environment, median, table, timed

from ml4t.backtest import Strategy, broker, engine
from ml4t.backtest.config import BacktestConfig


class Nothing(Strategy):
    """Woken at every bar, for nothing."""

    def on_bar(self) -> None:
        pass


class Flags(Strategy):
    """Market orders at precomputed flags."""

    def on_bar(self) -> None:
        flag = self.data.cross("X")
        if flag > 0:
            self.broker.buy("X", UNITS)
        elif flag < 0:
            self.broker.sell("X", UNITS)


class Reading(Flags):
    """Reads a window and the position, too."""

    def on_bar(self) -> None:
        self.window, self.held = self.data.close("X", WINDOW), self.portfolio.position("X").quantity
        super().on_bar()


VARIANTS = {"none": Strategy, "nothing": Nothing, "flags": Flags, "reading": Reading}


class Phases:
    """Durations by phase; a phase inside another is counted in both."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[Seconds]] = defaultdict(list)
        self.round: dict[str, Seconds] = {}

    def __call__(self, name: str, work: Any, *arguments: Any, **named: Any) -> Any:
        """What the work answers; its time is added to the phase."""
        seconds, answer = timed(lambda: work(*arguments, **named), collect=False)
        past = self.round.get(name, Seconds(0.0, 0.0))
        self.round[name] = Seconds(past.wall + seconds.wall, past.cpu + seconds.cpu)
        return answer

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """From now on the function's calls are a phase."""
        work = getattr(owner, attribute)
        setattr(owner, attribute, lambda *a, **k: self(name, work, *a, **k))

    def end_round(self) -> None:
        """The round's sums are on record."""
        for name, seconds in self.round.items():
            self.seconds[name].append(seconds)
        self.round = {}


def one_run(phases: Phases, strategy: Strategy, bars: Any) -> None:
    """A run and its results."""
    costs = {"costs": {"commission": {"kind": "rate", "rate": RATE}}}
    config = phases("config", BacktestConfig.load, costs, **{"account.cash": CASH, "data.symbol": "X"})
    built = phases("engine", engine.Engine, strategy, bars, config)
    result = phases("run", built.run)
    for frame in ("orders", "fills", "trades", "equity"):
        phases(f"frame: {frame}", getattr, result, frame)
    phases("five metrics", lambda: [result.metrics[name] for name in METRICS])


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--variant", choices=VARIANTS, default="flags")
    options = parser.parse_args()
    environment()
    bars, _ = prepare(options.bars)
    phases = Phases()
    phases.watch(engine, "_load", "engine: feed (validate, timeline)")
    phases.watch(engine, "lower", "engine: lower")
    phases.watch(engine, "Handle", "engine: handle")
    phases.watch(engine, "describe", "run: describe the strategy")
    phases.watch(engine.Engine, "_start", "run: on_start")
    for place in (engine, broker):
        phases.watch(place, "grow", "run: growth of tables")
    phases.watch(engine.Engine, "_drive", "run: loop")
    for _ in range(options.rounds + 1):
        phases("TOTAL", one_run, phases, VARIANTS[options.variant](), bars)
        phases.end_round()
    total = median(phases.seconds["TOTAL"][1:]).wall
    rows = []
    for name, seconds in phases.seconds.items():
        middle = median(seconds[1:])
        best = min(s.wall for s in seconds[1:])
        rows.append([name, 1e3 * middle.wall, 1e3 * middle.cpu, 1e3 * best, f"{middle.wall / total:.1%}"])
    title = f"{options.variant}: {options.bars:,} bars, {options.rounds} warm rounds; phases after a colon are part of those before"
    table(title, ["phase", "median ms", "CPU ms", "best ms", "share"], rows)


if __name__ == "__main__":
    main()
