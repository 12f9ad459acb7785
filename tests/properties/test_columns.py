"""Columns and plain Python ask for the same, and get the same bytes."""

import random
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import Signals, Strategy, run
from ml4t.backtest.datasets import us_indices
from plain_signals import PlainSignals
from told import bars

LETTERS = {"entries": "E", "exits": "X", "short_entries": "S", "short_exits": "C"}
CASES = 60


def same(one: Any, other: Any) -> list[str]:
    """The frames in which two results differ, bit for bit."""
    others = other.frames()
    return [name for name, frame in one.frames().items() if not frame.equals(others[name], null_equal=True)]


def test_a_crossover_on_real_data() -> None:
    data = us_indices().with_columns(
        fast=pl.col("close").rolling_mean(10).over("symbol"), slow=pl.col("close").rolling_mean(50).over("symbol")
    )
    data = data.with_columns(up=pl.col("fast") > pl.col("slow"), down=pl.col("fast") <= pl.col("slow"))

    class Plain(Strategy):
        def on_bar(self) -> None:
            for symbol in self.data.symbols:
                held = self.portfolio.position(symbol).quantity
                if not held and self.data.fast(symbol) > self.data.slow(symbol):
                    self.broker.buy(symbol, percent=0.45, stop_loss=0.08)
                elif held and self.data.fast(symbol) <= self.data.slow(symbol):
                    self.broker.close(symbol)

    columns = run(Signals(entries="up", exits="down", size=0.45, sizing="equity", stop_loss=0.08), data)
    assert columns.fills.height > 200
    assert same(columns, run(Plain(), data)) == []


def drawn(rng: random.Random) -> tuple[pl.DataFrame, dict[tuple[str, int], str], dict[str, Any], dict[str, Any]]:
    """Bars with columns, the marks in them, the rules of the signals, and a config."""
    symbols, count = "ABC"[: rng.randint(1, 3)], rng.randint(3, 40)
    table, price = [], 100.0
    for _ in range(count):
        price = max(20.0, price + rng.choice((-3.0, -1.0, 0.0, 0.5, 2.0)))
        table.append((price, price + rng.choice((0.0, 2.0)), price - rng.choice((0.0, 4.0)), price))
    data = bars(*table, symbols=symbols)
    data = data.filter(pl.Series([rng.random() < 0.9 or n < len(symbols) for n in range(data.height)]))
    data = data.with_columns(number=pl.int_range(1, pl.len() + 1).over("symbol"))
    busy = rng.choice((0.1, 0.4))
    letters = {role: [rng.random() < busy for _ in range(data.height)] for role in LETTERS}
    marks: dict[tuple[str, int], str] = {}
    for n, (symbol, number) in enumerate(data.select("symbol", "number").rows()):
        marks[symbol, number] = "".join(letter for role, letter in LETTERS.items() if letters[role][n])
    rules: dict[str, Any] = {
        "conflict": rng.choice(("neither", "entry", "exit", "change", "keep")),
        "side_conflict": rng.choice(("neither", "long", "short", "change", "keep")),
        "reentry": rng.choice(("always", "reset", "never")),
        "accumulation": rng.choice(("none", "add", "reduce")),
        "reversal": rng.choice(("ignore", "close", "flip")),
        "sizing": rng.choice(("quantity", "value", "equity", "cash", "risk", "volatility")),
    }
    rules["size"] = {"quantity": 7.0, "value": 900.0, "risk": 0.01, "volatility": 0.2}.get(rules["sizing"], 0.15)
    if rules["sizing"] == "volatility":
        rules |= {"window": rng.randint(2, 5), "bars_per_year": 252.0}
    if rules["sizing"] == "risk" or rng.random() < 0.5:
        rules["stop_loss"] = rng.choice((0.02, 0.05))
    rules |= {"take_profit": 0.04} if rng.random() < 0.3 else {}
    rules |= {"trail": 0.03} if rng.random() < 0.3 else {}
    rules |= {"max_bars": 3} if rng.random() < 0.3 else {}
    config: dict[str, Any] = {"account": {"cash": 10_000.0, "kind": rng.choice(("cash", "margin"))}}
    if rng.random() < 0.3:
        config["fills"] = {"participation": {"share": 0.003}}
    if rng.random() < 0.3:
        config["orders"] = {"latency": {"submit": "90s", "cancel": "30s"}}
    return data.with_columns(**{role: pl.Series(values) for role, values in letters.items()}), marks, rules, config


def test_random_signals_and_plain_python() -> None:
    traded = 0
    for seed in range(CASES):
        data, marks, rules, config = drawn(random.Random(seed))
        columns = run(Signals(**{role: role for role in LETTERS}, **rules), data, config)
        assert same(columns, run(PlainSignals(marks, **rules), data, config)) == [], (seed, rules)
        traded += columns.fills.height
    assert traded > 5 * CASES


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_and_the_bars_own_columns(seed: int) -> None:
    data, _, rules, config = drawn(random.Random(1_000 + seed))
    roles = {role: role for role in LETTERS}
    own = run(Signals(**roles, **rules), data, config)
    separate = data.select("timestamp", "symbol", *LETTERS).sample(fraction=1.0, shuffle=True, seed=seed)
    config = config | {"data": {"sort": True}}
    stream = run(Signals(frame=separate, **roles, **rules), data.drop(*LETTERS), config)
    assert same(own, stream) == []
    ends = data["timestamp"].unique().sort()
    cells = {role: np.zeros((len(ends), data["symbol"].n_unique())) for role in LETTERS}
    symbols = sorted(data["symbol"].unique())
    for row in data.iter_rows(named=True):
        for role, cell in cells.items():
            cell[ends.index_of(row["timestamp"]), symbols.index(row["symbol"])] = row[role]
    assert same(own, run(Signals(**cells, **rules), data.drop(*LETTERS), config)) == []
