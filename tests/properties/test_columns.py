"""Columns, which are compiled, and plain Python ask for the same, and get the same bytes. ML4T_COLUMN_CASES draws more cases."""

import os
import random
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import Orders, Signal, Signals, Strategy, TargetWeights, run
from ml4t.backtest.datasets import us_indices
from plain_signals import PlainSignals
from told import bars, minute

LETTERS = {"entries": "E", "exits": "X", "short_entries": "S", "short_exits": "C"}
CASES = int(os.environ.get("ML4T_COLUMN_CASES", "60"))
INTERPRETED = 6  # every how many cases the columns run as plain Python, too


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
    config["data"] = {"frequency": "1m"}
    if rng.random() < 0.3:
        config["fills"] = {"participation": {"share": 0.003}}
    if rng.random() < 0.3:
        config["orders"] = {"latency": {"submit": "90s", "cancel": "30s"}}
    return data.with_columns(**{role: pl.Series(values) for role, values in letters.items()}), marks, rules, config


def test_random_signals_and_plain_python() -> None:
    traded = 0
    for seed in range(CASES):
        data, marks, rules, config = drawn(random.Random(seed))
        roles = {role: role for role in LETTERS}
        columns = run(Signals(**roles, **rules), data, config)
        assert same(columns, run(PlainSignals(marks, **rules), data, config)) == [], (seed, rules)
        if seed % INTERPRETED == 0:
            assert same(columns, run(Signals(**roles, **rules), data, config, compiled=False)) == [], (seed, rules)
        traded += columns.fills.height
    assert traded > 3 * CASES


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_and_the_bars_own_columns(seed: int) -> None:
    data, _, rules, config = drawn(random.Random(1_000 + seed))
    roles = {role: role for role in LETTERS}
    own = run(Signals(**roles, **rules), data, config)
    separate = data.select("timestamp", "symbol", *LETTERS).sample(fraction=1.0, shuffle=True, seed=seed)
    config = config | {"data": {"sort": True, "frequency": "1m"}}
    stream = run(Signals(frame=separate, **roles, **rules), data.drop(*LETTERS), config)
    assert same(own, stream) == []
    ends = data["timestamp"].unique().sort()
    cells = {role: np.zeros((len(ends), data["symbol"].n_unique())) for role in LETTERS}
    symbols = sorted(data["symbol"].unique())
    for row in data.iter_rows(named=True):
        for role, cell in cells.items():
            cell[ends.index_of(row["timestamp"]), symbols.index(row["symbol"])] = row[role]
    assert same(own, run(Signals(**cells, **rules), data.drop(*LETTERS), config)) == []


# -------------------------------------------------------------------------------------------------------------- weights
class PlainWeights(Strategy):
    """Target weights from a dictionary, by the broker's own rebalance."""

    def __init__(self, batches: dict[int, dict[str, float]], every: int | str, unnamed: str, **limits: float) -> None:
        super().__init__()
        self.batches, self.every, self.unnamed, self.limits = batches, every, unnamed, limits
        self.last: dict[str, float] | None = None

    def on_start(self) -> None:
        if self.every != "signal":
            self.schedule(self.follow, every=self.every)

    def follow(self) -> None:
        self.take()
        if self.last is not None:
            self.move()

    def on_bar(self) -> None:
        if self.take() and self.every == "signal":
            self.move()

    def take(self) -> bool:
        batch = self.batches.pop(self.clock.now_ns, None)
        if batch is not None:
            self.last = {**(self.last or {}), **batch} if self.unnamed == "last" else batch
        return batch is not None

    def move(self) -> None:
        assert self.last is not None
        if self.portfolio.equity <= 0:
            self.record("no_equity", self.portfolio.equity)
            return
        weights = {name: self.last.get(name, 0.0) for name in self.data.symbols}
        if self.unnamed == "last":  # what no batch has named is not held either
            weights = {name: weight for name, weight in weights.items() if name in self.last}
        self.broker.rebalance(weights, **self.limits)


def drawn_weights(rng: random.Random) -> tuple[pl.DataFrame, pl.DataFrame, dict[int, dict[str, float]], dict[str, Any]]:
    """Bars, a long frame of weights, the same by instant, and a config."""
    symbols, count = "ABCD"[: rng.randint(1, 4)], rng.randint(4, 30)
    table, price = [], 100.0
    for _ in range(count):
        price = max(20.0, price + rng.choice((-6.0, -1.0, 0.0, 0.5, 5.0)))
        table.append((price, price + 2.0, price - 2.0, price + rng.choice((-1.0, 0.0, 2.0))))
    data = bars(*table, symbols=symbols)
    data = data.filter(pl.Series([rng.random() < 0.9 or n < len(symbols) for n in range(data.height)]))
    kind = rng.choice(("cash", "margin"))
    least = -4 if kind == "margin" else 0
    batches: dict[int, dict[str, float]] = {}
    rows = []
    ends = set(data["timestamp"].to_list())
    for n in range(count):
        named = [symbol for symbol in symbols if rng.random() < 0.6]
        if named and minute(n) in ends and rng.random() < 0.5:
            batch = {symbol: rng.randint(least, 5) / 10 for symbol in named}
            batches[int(minute(n + 1).timestamp()) * 1_000_000_000] = batch
            rows += [(minute(n), symbol, weight) for symbol, weight in batch.items()]
    rows = rows or [(minute(0), "A", 0.5)]
    batches = batches or {int(minute(1).timestamp()) * 1_000_000_000: {"A": 0.5}}
    rng.shuffle(rows)
    weights = pl.DataFrame(rows, schema=["timestamp", "symbol", "w"], orient="row")
    config: dict[str, Any] = {
        "account": {"cash": 10_000.0, "kind": kind},
        "data": {"sort": True, "frequency": "1m"},
        "instruments": {"default": {"lot_size": rng.choice((0.0, 1.0))}},
    }
    if rng.random() < 0.3:
        config["fills"] = {"participation": {"share": 0.01}}
    if rng.random() < 0.3:
        config["orders"] = {"latency": {"submit": "90s", "cancel": "30s"}}
    return data, weights, batches, config


def test_random_weights_and_plain_python() -> None:
    traded = 0
    for seed in range(CASES):
        rng = random.Random(5_000 + seed)
        data, weights, batches, config = drawn_weights(rng)
        rules = {"every": rng.choice(("signal", "signal", 1, 3, "session")), "unnamed": rng.choice(("close", "last"))}
        limits = {"drift": rng.choice((0.0, 0.05)), "cash_buffer": rng.choice((0.0, 0.02))}
        limits |= {"minimum_trade": 300.0} if rng.random() < 0.3 else {}
        columns = run(TargetWeights(weights, **rules, **limits), data, config)
        if seed % INTERPRETED == 0:
            interpreted = run(TargetWeights(weights, **rules, **limits), data, config, compiled=False)
            assert same(columns, interpreted) == [], (seed, rules, limits)
        assert same(columns, run(PlainWeights(batches, **rules, **limits), data, config)) == [], (seed, rules, limits)
        traded += columns.fills.height
    assert traded > 3 * CASES


def test_a_monthly_book_on_real_data() -> None:
    data = us_indices().with_columns(change=pl.col("close").pct_change(60).over("symbol"))

    class Plain(Strategy):
        def on_start(self) -> None:
            self.schedule(self.follow, every="month")

        def follow(self) -> None:
            scores = {symbol: self.data.change(symbol) for symbol in self.data.symbols}
            scores = {symbol: score for symbol, score in scores.items() if score == score}
            if scores:
                best, worst = max(scores, key=scores.__getitem__), min(scores, key=scores.__getitem__)
                self.broker.rebalance(
                    {name: 0.4 * (name == best) - 0.4 * (name == worst) for name in scores}, drift=0.02
                )

    rules: dict[str, Any] = {"book": "long_short", "top": 1, "bottom": 1, "gross": 0.8, "every": "month", "drift": 0.02}
    columns = run(TargetWeights(scores="change", **rules), data, {"account": {"kind": "margin"}})
    assert columns.fills.height > 100
    assert same(columns, run(Plain(), data, {"account": {"kind": "margin"}})) == []


# --------------------------------------------------------------------------------------------------------------- orders
class PlainOrders(Strategy):
    """Orders from a list, each batch when its signal arrives."""

    def __init__(self, batches: list[list[dict[str, Any]]]) -> None:
        super().__init__()
        self.batches = batches

    def on_signal(self, signal: Signal) -> None:
        for terms in self.batches[int(signal.values["batch"])]:
            given = {name: value for name, value in terms.items() if value is not None}
            side = given.pop("side")
            (self.broker.buy if side == "buy" else self.broker.sell)(given.pop("symbol"), **given)


def drawn_order(rng: random.Random, symbols: str) -> dict[str, Any]:
    """An order that opens, with any terms."""
    size = rng.choice(("quantity", "value", "percent"))
    terms: dict[str, Any] = dict.fromkeys(
        ("quantity", "value", "percent", "limit", "stop", "bars", "tag", "reduce_only")
    )
    terms |= dict.fromkeys(("stop_loss", "take_profit", "trail", "max_bars"))
    terms |= {"symbol": rng.choice(symbols), "side": rng.choice(("buy", "sell")), "tif": "GTC"}
    terms[size] = {"quantity": float(rng.randint(1, 20)), "value": 900.0, "percent": 0.1}[size]
    if rng.random() < 0.4:
        terms["limit"] = rng.choice((97.0, 100.0, 103.0))
    if rng.random() < 0.3:
        terms["stop"] = rng.choice((97.0, 100.0, 103.0))
    terms["tif"] = rng.choice(("GTC", "DAY", "BARS") if terms["stop"] else ("GTC", "DAY", "IOC", "FOK", "BARS"))
    if terms["tif"] == "BARS":
        terms["bars"] = rng.randint(1, 4)
    if rng.random() < 0.2:
        terms["reduce_only"] = True
    elif size != "quantity":  # an order of that quantity may only close, and then it has no exits
        terms["stop_loss"] = rng.choice((None, 0.03))
        terms["take_profit"] = rng.choice((None, 0.04))
        terms["trail"] = rng.choice((None, None, 0.05))
        terms["max_bars"] = rng.choice((None, None, 3))
    terms["tag"] = rng.choice((None, "first", "second"))
    return terms


def test_random_orders_and_plain_python() -> None:
    traded = 0
    for seed in range(CASES):
        rng = random.Random(9_000 + seed)
        data, _, _, config = drawn_weights(rng)
        symbols, count = "".join(sorted(set(data["symbol"]))), data["timestamp"].n_unique()
        times = sorted({minute(rng.randint(2, 2 * count) / 2) for _ in range(rng.randint(1, 8))})
        batches = [[drawn_order(rng, symbols) for _ in range(rng.randint(1, 4))] for _ in times]
        signals = pl.DataFrame({"timestamp": times, "arrival": times, "batch": list(range(len(times)))})
        flat = [{"timestamp": time} | terms for time, batch in zip(times, batches, strict=True) for terms in batch]
        frame = pl.DataFrame(flat, infer_schema_length=None)
        columns = run(Orders(frame), data, config)
        if seed % INTERPRETED == 0:
            assert same(columns, run(Orders(frame), data, config, compiled=False)) == [], seed
        assert same(columns, run(PlainOrders(batches), data, config, signals=signals)) == [], seed
        traded += columns.fills.height
    assert traded > 3 * CASES
