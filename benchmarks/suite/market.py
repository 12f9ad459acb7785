"""Seeded markets as plain arrays in one .npz file: every engine reads the same one, with nothing but NumPy."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SEED = 20_260
MINUTE, DAY = 60_000_000_000, 86_400_000_000_000
FIRST = int(datetime(2010, 1, 4, tzinfo=UTC).timestamp()) * 1_000_000_000
MONTH = 21  # sessions


def walk(shape: tuple[int, ...], volatility: float, tick: float) -> dict[str, Floats]:
    """Prices [T] or [T, A]: a lognormal walk, opens near the last close, wicks outside the body, all on ticks."""
    rng = np.random.default_rng(SEED)
    steps = rng.normal(0.0, volatility, shape)
    close = 100.0 * np.exp(np.cumsum(steps - 0.5 * volatility**2, axis=0))
    before = np.concatenate((np.full_like(close[:1], 100.0), close[:-1]))
    open_ = before * np.exp(rng.normal(0.0, volatility / 5, shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, volatility / 2, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, volatility / 2, shape)))
    prices = {"open": open_, "high": high, "low": low, "close": close}
    return {name: np.round(np.round(price / tick) * tick, 9) for name, price in prices.items()}


def crossings(close: Floats, fast: int, slow: int) -> Floats:
    """+1 where the fast mean rises above the slow one, -1 where it falls below, else 0 [T]; the first one is +1, the last bar has none."""
    total = np.concatenate(([0.0], np.cumsum(close)))
    fast_mean, slow_mean = ((total[slow:] - total[slow - n : len(total) - n]) / n for n in (fast, slow))
    flags = np.zeros(len(close))
    flags[slow:] = np.diff((fast_mean > slow_mean).astype(int))
    flags[: int(np.argmax(flags > 0))] = 0.0
    flags[-1] = 0.0
    return flags


def one_asset(bars: int, fast: int = 10, slow: int = 30) -> dict[str, Any]:
    """Minute bars of one asset, and the crossings of two means of its closes."""
    prices = walk((bars,), 5e-4, 0.001)
    volume = np.random.default_rng(SEED + 1).integers(1_000_000, 2_000_000, bars).astype(float)
    time = FIRST + MINUTE * np.arange(bars)
    return {"time": time, **prices, "volume": volume, "flag": crossings(prices["close"], fast, slow)}


def untied_asset(bars: int) -> dict[str, Any]:
    """Minute bars of one asset whose prices are not on ticks, so that no two means are equal by chance."""
    prices = walk((bars,), 5e-4, 1e-9)
    return {"time": FIRST + MINUTE * np.arange(bars), **prices, "volume": np.full(bars, 1e6), "flag": np.zeros(bars)}


def sessions(count: int) -> NDArray[np.int64]:
    """Midnights of weekdays [T], nanoseconds."""
    days = np.arange(count * 7 // 5 + 7)
    return FIRST + DAY * days[days % 7 < 5][:count]


def many_assets(assets: int, count: int, every: int) -> dict[str, Any]:
    """Daily bars of many assets, and their target weights every so many sessions (NaN between), 90 % invested."""
    prices = walk((count, assets), 0.015, 0.01)
    weights = np.random.default_rng(SEED + 1).uniform(0.5, 1.5, (count, assets))
    weights *= 0.9 / weights.sum(axis=1, keepdims=True)
    weights[np.arange(count) % every != 0] = np.nan
    weights[-1] = np.nan  # nothing could fill after the last bar
    volume = np.full((count, assets), 1e9)
    return {"time": sessions(count), **prices, "volume": volume, "weight": weights}


def write(path: Path, market: Mapping[str, Any]) -> None:
    """The arrays and numbers are in the file."""
    np.savez(path, **market)


def read(path: str | Path) -> SimpleNamespace:
    """The arrays of the file, and its numbers as Python floats, as attributes."""
    with np.load(path) as file:
        return SimpleNamespace(**{name: x if x.ndim else float(x) for name, x in file.items()})
