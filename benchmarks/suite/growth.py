"""Our time against bars, assets, orders, open positions and combinations."""

import tempfile
from typing import Any

import numpy as np

from suite.environment import OURS
from suite.market import many_assets, one_asset, untied_asset, write
from suite.race import Path, Process
from suite.work import GRID, MANY, ONE


def few_flags(bars: int, orders: int) -> dict[str, Any]:
    """One asset with so many flags, evenly spread, buys and sells by turns."""
    market = one_asset(bars)
    market["flag"] = np.zeros(bars)
    if orders:
        places = np.linspace(1, bars - 2, orders).astype(int)
        market["flag"][places] = np.where(np.arange(orders) % 2, -1.0, 1.0)
    return market


def held(assets: int, count: int) -> dict[str, Any]:
    """Many assets, bought once."""
    market = many_assets(assets, count, 1)
    market["weight"][1:] = np.nan
    return market


def combinations(bars: int, number: int) -> dict[str, Any]:
    """One asset, and the windows of so many combinations: ten slow ones for each fast one."""
    return untied_asset(bars) | GRID | {"fast_to": 5 + number // 10}


CURVES: dict[str, tuple[str, Any, list[tuple[int, int]], dict[str, float]]] = {
    "bars": ("signals", lambda n, _: one_asset(n), [(n, 0) for n in (1_000, 10_000, 100_000, 1_000_000)], ONE),
    "orders": ("signals", lambda n, bars: few_flags(bars, n), [(n, 200_000) for n in (0, 1_000, 10_000, 100_000)], ONE),
    "assets": ("weights", lambda n, days: many_assets(n, days, 1), [(n, 252) for n in (10, 100, 1_000)], MANY),
    "open positions": ("weights", held, [(n, 504) for n in (10, 100, 1_000)], MANY),
    "combinations": ("sweep", lambda n, bars: combinations(bars, n), [(n, 20_000) for n in (10, 50, 200)], ONE),
}


def growth(quick: bool = False) -> list[tuple[str, str, int, int, float]]:
    """Curve, work, place on it, what is constant, and seconds: the best of three warm runs."""
    rows = []
    for name, (work, make, places, terms) in CURVES.items():
        for n, constant in places[:2] if quick else places:
            with tempfile.TemporaryDirectory() as folder:
                files = [Path(folder) / "market.npz", Path(folder) / "small.npz"]
                write(files[0], make(n, constant) | terms)
                write(files[1], make(*places[1 if name == "orders" else 0]) | terms)
                process = Process(OURS, work, files)
                try:
                    process.answer()
                    rows.append((name, work, n, constant, min(process.run()["wall"] for _ in range(3))))
                except RuntimeError as error:  # the other curves are measured all the same
                    print(f"growth, {name}: NOT MEASURED. {error}")
                process.end()
    return rows
