"""What every benchmark needs: seeded bars, interleaved timing, tables, and on what machine it was measured."""

import gc
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

SEED = 20_260
MINUTE = 60_000_000_000
FIRST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
METRICS = ("total_return", "sharpe", "max_drawdown", "trades", "win_rate")


def random_bars(n: int, *, seed: int = SEED, step: int = MINUTE, volatility: float = 5e-4) -> pl.DataFrame:
    """Minute-like bars of one symbol: a lognormal walk, opens near the last close, wicks outside the body."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, volatility, n)) - 0.5 * volatility**2 * np.arange(n))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0.0, volatility / 5, n))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, volatility / 2, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, volatility / 2, n)))
    return pl.DataFrame(
        {
            "timestamp": pl.Series(FIRST + step * np.arange(n)).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": rng.integers(1, 10_000, n).astype(float),
        }
    )


def crossovers(close: np.ndarray, fast: int, slow: int) -> np.ndarray:
    """+1 where the fast mean rises above the slow one, -1 where it falls below, 0 elsewhere; the first one is +1."""
    total = np.concatenate(([0.0], np.cumsum(close)))
    above = np.zeros(len(close), bool)
    means = [(total[slow:] - total[slow - n : len(total) - n]) / n for n in (fast, slow)]
    above[slow - 1 :] = means[0] > means[1]
    flags = np.zeros(len(close))
    flags[slow:] = np.diff(above[slow - 1 :].astype(int))
    flags[: int(np.argmax(flags > 0))] = 0.0
    return flags


class Seconds(NamedTuple):
    """Duration of a piece of work: on the clock, and of all processor threads (other processes disturb that less)."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any], *, collect: bool = True) -> tuple[Seconds, Any]:
    """Duration of one call, without the collection of earlier garbage, and its answer."""
    if collect:
        gc.collect()
    start, start_cpu = time.perf_counter(), time.process_time()
    answer = work()
    return Seconds(time.perf_counter() - start, time.process_time() - start_cpu), answer


def interleaved(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Seconds]]:
    """Duration of each work in each round; every round runs all of them, in alternating order."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in works}
    for i in range(rounds):
        for name in sorted(works, reverse=bool(i % 2)):
            seconds[name].append(timed(works[name])[0])
    return seconds


def median(seconds: Sequence[Seconds]) -> Seconds:
    """Medians, of each clock for itself."""
    return Seconds(*(statistics.median(column) for column in zip(*seconds, strict=True)))


def ratio(slow: Sequence[Seconds], fast: Sequence[Seconds]) -> Seconds:
    """Medians of the ratios of the rounds: noise that hits a whole round cancels."""
    return median([Seconds(a.wall / b.wall, a.cpu / b.cpu) for a, b in zip(slow, fast, strict=True)])


def number(x: Any) -> str:
    """A number with three digits, anything else as it is."""
    if not isinstance(x, int | float):
        return str(x)
    return f"{x:,.0f}" if isinstance(x, int) or abs(x) >= 1000 else f"{x:.3g}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The rows are printed."""
    cells = [list(columns), *([number(x) for x in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    cells.insert(1, ["-" * width for width in widths])
    print(f"\n{title}")
    for row in cells:
        pairs = list(zip(row, widths, strict=True))
        print("  ".join(["", pairs[0][0].ljust(pairs[0][1]), *(text.rjust(width) for text, width in pairs[1:])]))


def environment(*packages: str) -> None:
    """Machine, load and versions are printed."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{platform.system()} {platform.machine()}, {model}, {cores} of {os.cpu_count()} cores, load {load:.1f}")
    names = ("ml4t-backtest", "numba", "numpy", "polars", *packages)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}")
