"""A library of strategies as plain Python, compiled, and as columns: the same bytes. ML4T_THREE_WAYS draws more cases."""

import os
import random
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivers.library import LIBRARY, Member
from ml4t.backtest import BacktestConfig, Engine, Strategy, sweep
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.result import FRAMES
from tight import capacities, shrink
from told import bars, minute

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="without the compiler there is one driver")
CASES = int(os.environ.get("ML4T_THREE_WAYS", "8"))


def frames(engine: Engine) -> dict[str, pl.DataFrame]:
    result = engine.run()
    return {name: getattr(result, name) for name in FRAMES}


def differing(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> list[str]:
    return [name for name, frame in one.items() if not frame.equals(other[name], null_equal=True)]


class Market:
    """Bars with the columns that the library reads, orders and the same as signals, and a configuration."""

    def __init__(self, data: pl.DataFrame, orders: pl.DataFrame, config: dict[str, Any]) -> None:
        self.data, self.orders, self.config = data, orders, BacktestConfig.load(config)

    def engines(self, member: Member) -> dict[str, Engine]:
        """The member in each way."""
        signals = self.orders if member.hears else None
        made: dict[str, tuple[Strategy, bool, pl.DataFrame | None]] = {
            "plain": (member.written(), False, signals),
            "compiled": (member.written(), True, signals),
            "columns": (member.columns(self.orders), True, None),
            "plain columns": (member.columns(self.orders), False, None),
        }
        return {
            way: Engine(strategy, self.data, self.config, signals=heard, compiled=compiled)
            for way, (strategy, compiled, heard) in made.items()
        }


def dressed(data: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The bars with flags, weights and scores by chance."""
    chance = np.random.default_rng(seed)
    draw = lambda: pl.Series(chance.random(data.height))  # noqa: E731
    weights = pl.Series(chance.integers(0, 5, data.height) / 10.0)
    return data.with_columns(up=draw() < 0.2, down=draw() < 0.15, score=draw(), w=pl.when(draw() < 0.3).then(weights))


def drawn(seed: int) -> Market:
    """Minute bars of one to four symbols with holes, rules by chance."""
    rng = random.Random(seed)
    symbols, count = "ABCD"[: rng.randint(1, 4)], rng.randint(5, 60)
    table, price = [], 100.0
    for _ in range(count):
        open_, price = (
            price + rng.choice((0.0, 0.0, -1.0, 1.5)),
            max(20.0, price + rng.choice((-3.0, -1.0, 0.0, 0.5, 2.5))),
        )
        table.append(
            (open_, max(open_, price) + rng.choice((0.0, 2.0)), min(open_, price) - rng.choice((0.0, 3.0)), price)
        )
    data = bars(*table, symbols=symbols)
    data = data.filter(pl.Series([rng.random() < 0.9 or n < len(symbols) for n in range(data.height)]))
    times = sorted(minute(rng.randint(2, 2 * count) / 2) for _ in range(rng.randint(1, 12)))
    orders = [
        (time, time, rng.choice(symbols), rng.choice((-9.0, -2.0, 1.0, 8.0)), rng.choice((95.0, 100.0, 104.0)))
        for time in times
    ]
    orders = sorted({(row[0], row[2]): row for row in orders}.values())
    config: dict[str, Any] = {
        "account": {"cash": 10_000.0, "kind": rng.choice(("cash", "margin"))},
        "data": {"frequency": "1m"},
        "costs": {
            "commission": {"kind": "rate", "rate": rng.choice((0.0, 0.001))},
            "slippage": {"kind": "rate", "rate": rng.choice((0.0, 0.0005))},
        },
        "instruments": {"default": {"lot_size": rng.choice((0.0, 1.0))}},
        "fills": {"path": rng.choice(("worst_first", "best_first", "open_high_low_close"))},
    }
    if rng.random() < 0.3:
        config["fills"]["participation"] = {"share": 0.01}
    if rng.random() < 0.3:
        config["orders"] = {"latency": {"submit": "90s", "cancel": "30s"}}
    schema = ["timestamp", "arrival", "symbol", "quantity", "limit"]
    return Market(dressed(data, seed), pl.DataFrame(orders, schema=schema, orient="row"), config)


def real() -> Market:
    """Twenty years of two indices."""
    data = dressed(us_indices(), 1)
    chosen = data.filter(symbol="SPX").gather_every(7)
    size = pl.Series(np.random.default_rng(2).choice([-20.0, 10.0, 30.0], chosen.height))
    orders = chosen.select("timestamp", "symbol", quantity=size, limit=pl.col("close") * 1.001)
    return Market(data, orders, {"account": {"cash": 1e6, "kind": "margin"}})


@pytest.mark.parametrize("name", LIBRARY)
def test_real_data(name: str) -> None:
    found = {way: frames(engine) for way, engine in real().engines(LIBRARY[name]).items()}
    plain = found.pop("plain")
    assert plain["fills"].height > 300
    assert {way: names for way, other in found.items() if (names := differing(plain, other))} == {}


@pytest.mark.parametrize("name", LIBRARY)
def test_random_cases(name: str) -> None:
    """Every fourth once more with room for one entry in every table."""
    filled = 0
    for seed in range(CASES):
        market = drawn(seed)
        found = {way: frames(engine) for way, engine in market.engines(LIBRARY[name]).items()}
        if seed % 4 == 0:
            small = {way: shrink(engine) for way, engine in market.engines(LIBRARY[name]).items()}
            assert {size for engine in small.values() for size in capacities(engine).values()} == {1}
            found |= {f"{way}, tight": frames(engine) for way, engine in small.items()}
        plain = found.pop("plain")
        assert {way: names for way, other in found.items() if (names := differing(plain, other))} == {}, seed
        filled += plain["fills"].height
    assert filled > 2 * CASES


@pytest.mark.parametrize("way", ["compiled", "columns"])
def test_threads_change_nothing(way: str) -> None:
    """The frames of every run of a sweep are those of the run alone, in one thread and in four."""
    member, market = LIBRARY["crossing"], real()
    made = member.columns if way == "columns" else lambda _: member.written()
    space = {("size" if way == "columns" else "share"): [0.1, 0.2, 0.3, 0.4]}
    alone = frames(Engine(made(None), market.data, market.config, compiled=True))
    for threads in (1, 4):
        table = sweep(made(None), market.data, space, market.config, compiled=True, threads=threads, keep="results")
        results = [{name: getattr(result, name) for name in FRAMES} for result in table["result"]]
        assert differing(alone, results[3]) == []
        if threads == 1:
            first = results
        assert [differing(*pair) for pair in zip(first, results, strict=True)] == [[]] * 4
