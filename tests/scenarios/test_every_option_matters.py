"""An option that nothing reads is a lie. Every leaf of the configuration has a row here, with two runs that differ by it.

The leaves come from the JSON schema, so a new option without a row fails the first test. A row says which part of the outcome
must differ; the two runs have everything but the option in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import BacktestConfig, BacktestError, Engine, Strategy
from ml4t.backtest.config import config_json_schema
from ml4t.backtest.source import load_strategy
from scenarios.table import FLAT, Ask, Scenario, Scripted, buy, cancel, close, frame, minute, oco, sell

# ------------------------------------------------------------------------------------------------------------ the walk


def leaves(schema: dict[str, Any]) -> dict[str, list[str]]:
    """The dotted options of a JSON schema, each with the values of a closed choice.

    `*` stands for any name, `[kind]` for one of several descriptions. One that stands in two places is walked in both.
    """

    def walk(node: dict[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
        choices = [part for part in node.get("anyOf", [node]) if part.get("type") != "null"]
        if len(choices) == 1 and (union := choices[0].get("discriminator")):
            refs = list(dict(union["mapping"]).items())
            yield f"{path}.kind", []
            for kind, ref in refs:
                yield from enter(ref, f"{path}[{kind}]")
        elif len(choices) == 1 and "$ref" in choices[0]:
            yield from enter(choices[0]["$ref"], path)
        elif len(choices) == 1 and isinstance(choices[0].get("additionalProperties"), dict):
            yield from walk(choices[0]["additionalProperties"], f"{path}.*")
        elif len(choices) == 1 and "$ref" in choices[0].get("items", {}):
            yield from enter(choices[0]["items"]["$ref"], f"{path}.*")
        else:
            yield path, [value for part in choices for value in part.get("enum", [])]

    def enter(ref: str, path: str) -> Iterator[tuple[str, list[str]]]:
        for name, node in schema["$defs"][ref.rsplit("/", 1)[1]]["properties"].items():
            if "const" not in node:  # the kind of a description is a leaf of the choice
                yield from walk(node, f"{path}.{name}")

    return dict(leaf for name, node in schema["properties"].items() for leaf in walk(node, name))


# ------------------------------------------------------------------------------------------------------------ the runs
@dataclass(frozen=True)
class Row:
    """`one` and `other` are values of the option; `differs` names what must not be the same."""

    one: Any
    other: Any
    differs: str = "fills"
    also: dict[str, Any] = field(default_factory=dict)  # what both runs have in common, by dotted key
    asks: dict[float, list[Ask]] = field(default_factory=lambda: {0: [buy(10)]})
    data: Any = None
    strategy: type[Strategy] | None = None
    key: str | None = None  # the dotted key, where it is not the leaf's name


def outcome(row: Row, config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Everything that a run leaves behind, or the error that it ended with."""
    try:
        settings = BacktestConfig.load({}, **{"output.root": str(folder)} | config)
        engine = Engine(_strategy(row, settings, folder), _data(row, settings), settings)
        room = len(engine.state.orders.id)
        result = engine.run()
        saved = result.save()
    except BacktestError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {name: table.rows() for name, table in result.frames().items()} | {
        "error": None,
        "metrics": result.metrics,
        "folder": saved.parent,
        "name": saved.name,
        "room": room,
    }


def _data(row: Row, settings: BacktestConfig) -> Any:
    if settings.data.bars is not None:
        return None
    return row.data if row.data is not None else frame(BARS)


def _strategy(row: Row, settings: BacktestConfig, folder: Path) -> Strategy:
    if settings.strategy is not None:
        return load_strategy(settings.strategy.name, folder)(**settings.strategy.parameters)
    if row.strategy is not None:
        return row.strategy()
    strategy = Scripted()
    strategy._scenario = Scenario("", [], row.asks, [], 0.0)
    return strategy


BARS = [FLAT, (101, 106, 95, 102), (103, 104, 99, 100), (100, 101, 94, 96)]
TWO = frame({"A": BARS, "B": BARS})


class OnSignal(Strategy):
    """Buys what the signal says, when it arrives."""

    def on_signal(self, signal: Any) -> None:
        self.broker.buy("A", signal.values["score"])


class OnStream(Strategy):
    """Buys as soon as the stream says something."""

    def on_bar(self) -> None:
        value = self.data.value(None, "score", stream="weekly")
        if value == value and not self.portfolio.positions:
            self.broker.buy("A", value)


class Draw(Strategy):
    """Buys a random number of units."""

    def on_start(self) -> None:
        self.broker.buy("A", int(self.random.integers(1, 900)))


class BuyAll(Strategy):
    """Buys 10 of every symbol in the first decision."""

    def on_bar(self) -> None:
        if self.data.count(self.data.symbols[0]) == 1:
            for name in self.data.symbols:
                self.broker.buy(name, 10)


class BuyLate(Strategy):
    """Buys 10 when five days are known."""

    def on_bar(self) -> None:
        if self.data.count("A") == 5:
            self.broker.buy("A", 10)


def scores(first: datetime, score: float = 5.0, gap: int = 60) -> pl.DataFrame:
    """Two rows of a stream, `gap` seconds apart."""
    return pl.DataFrame({"timestamp": [first, first + timedelta(seconds=gap)], "score": [score, score]})


def halves(*prices: tuple[float, float, float, float]) -> pl.DataFrame:
    """The two halves of bar 1 as finer bars."""
    columns = dict(zip(("open", "high", "low", "close"), map(list, zip(*prices, strict=True)), strict=True))
    times = {"bar_start": [minute(1), minute(1.5)], "bar_end": [minute(1.5), minute(2)]}
    return pl.DataFrame(times | {"symbol": ["A", "A"]} | columns)


def labelled(times: list[Any], prices: list[tuple[float, ...]] = BARS, **more: Any) -> pl.DataFrame:
    """Bars with a `timestamp` only, of symbol A unless `more` says otherwise."""
    columns = dict(zip(("open", "high", "low", "close"), map(list, zip(*prices, strict=True)), strict=True))
    return pl.DataFrame(
        {"timestamp": times, "symbol": ["A"] * len(times)} | columns | {"volume": [1.0] * len(times)} | more,
        strict=False,
    )


FILES = {
    "bars.parquet": frame(BARS),
    "dearer.parquet": frame([(p + 1, q + 1, r + 1, s + 1) for p, q, r, s in BARS]),
    "early.parquet": scores(minute(0)),
    "late.parquet": scores(minute(1)),
    "days.parquet": pl.DataFrame({"timestamp": [date(2024, 3, 4), date(2024, 3, 5)], "score": [5.0, 6.0]}),
    "cheap.csv": pl.DataFrame({"symbol": ["A"], "rate": [0.001]}),
    "dear.csv": pl.DataFrame({"symbol": ["A"], "rate": [0.002]}),
    "rising.parquet": pl.DataFrame({"timestamp": [minute(0), minute(1)], "score": [5.0, 6.0]}),
    "half.parquet": labelled([minute(1.5), minute(2)], [(101, 103, 101, 103), (103, 103, 100, 100)]).drop("volume"),
    "dates.parquet": labelled([date(2024, 3, 4 + n) for n in range(4)]),
    "low_first.parquet": halves((101, 101, 95, 96), (96, 106, 96, 102)),
    "high_first.parquet": halves((101, 106, 101, 105), (105, 105, 95, 102)),
}
STRATEGIES = """
from ml4t.backtest import Strategy

class One(Strategy):
    quantity: int = 1
    def on_bar(self):
        if not self.portfolio.positions:
            self.broker.buy("A", self.quantity)

class Two(Strategy):
    def on_bar(self):
        self.broker.buy("A", 2)
"""


MINUTES = [minute(n) for n in range(4)]
DAYS = [date(2024, 3, 4 + n) for n in range(4)]
NAIVE = [datetime(2024, 3, 5, 10, n) for n in range(4)]
UNNAMED = labelled(MINUTES).drop("symbol")
BOTH_LAST = pl.concat([labelled(MINUTES), labelled(MINUTES[-1:], [(50, 50, 50, 50)])]).sort(
    "timestamp", maintain_order=True
)
BELOW_ZERO = labelled(MINUTES, [FLAT, (-5, -4, -6, -5), FLAT, FLAT])
SPLIT_BY_NAN = labelled(MINUTES, [FLAT, (float("nan"), 106, 95, 102), FLAT, FLAT])
NEW_YORK = {"open": "09:30", "close": "16:00", "timezone": "America/New_York"}

# ------------------------------------------------------------------------------------------------------------ the rows
LIMITS = {1: [buy(10, limit=96), buy(10, limit=98)]}
EXITS = {0: [buy(10)], 1: [sell(10, limit=105, reduce_only=True), sell(10, stop=96, reduce_only=True)]}
MARGIN = {"account.kind": "margin"}
POOR = {"account.cash": 1_000.0}
QUEUE = {"fills.schedule": "queue"}
LOTS = QUEUE | {
    "account.kind": "margin",
    "fills.executions": "lot",
    "orders.valuation": "bar_close",
    "run.acknowledge_leaky": True,
}
TWO_SIDES = {0: [buy(10)], 1: [sell(10)]}
BREAKOUT = {1: [buy(10, stop=105)]}
WORSE = {"costs.slippage": {"kind": "fixed", "amount": 1.0}}
TICKS = {"instruments.default.tick_size": 0.25}
PROCEEDS = {"account.kind": "proceeds"}
UNCHECKED = {"account.kind": "unchecked"}
SHARED = {"fills.participation.share": 0.008} | {"fills.schedule": "queue"}  # 8 units of 1 000 a bar
BALANCE = {"account.kind": "balance"}
SPARSE = QUEUE | {"fills.rescan": "never", "run.acknowledge_leaky": True}
SPARE = frame({"A": BARS, "B": [(100, 105, 95, 101), None, None, None]})
RANGE = {"costs.slippage": {"kind": "rate", "rate": 0.2}, "costs.slippage_range.kind": "bar"}


def commission(kind: str, **terms: Any) -> dict[str, Any]:
    return {"costs.commission": {"kind": kind, **terms}}


def daily(kind: str, **terms: Any) -> dict[str, Any]:
    return {"costs.slippage": {"kind": kind, **terms}}


# Closes of six days; the days 3 and 4 are known when the last one begins
SWINGS = labelled([date(2024, 3, 4 + n) for n in range(6)], [(p, p, p, p) for p in (100, 110, 100, 105, 100, 100)])
RESTING = {0: [buy(10, limit=95)]}  # touched by bar 1, gone beyond by bar 3
QUOTED = frame(BARS).with_columns(open_bid=99.0, open_ask=100.0, bid=99.0, ask=100.0)

ROWS = {
    "profile": Row(None, "backtesting_py", asks={0: [buy(1)]}),
    "strategy.name": Row("strategy:One", "strategy:Two"),
    "strategy.parameters": Row({"quantity": 3}, {"quantity": 4}, also={"strategy.name": "strategy:One"}),
    "data.bars": Row("bars.parquet", "dearer.parquet"),
    "data.symbol": Row("A", "B", data=UNNAMED, strategy=BuyAll),
    "data.universe": Row(["A", "B"], ["B", "A"], data=TWO, strategy=BuyAll),
    "data.label": Row("start", "end", data=labelled(MINUTES)),
    "data.frequency": Row("1m", "30s", "equity", data=labelled(MINUTES)),
    "data.timezone": Row("UTC", "America/New_York", data=labelled(NAIVE)),
    "data.start": Row(minute(0), minute(1)),
    "data.end": Row(minute(2), minute(3), "equity"),
    "data.sort": Row(False, True, "error", data=labelled(MINUTES[::-1])),
    "data.session.open": Row("09:30", "10:00", also={"data.session": NEW_YORK}, data=labelled(DAYS)),
    "data.session.close": Row("16:00", "13:00", "equity", {"data.session": NEW_YORK}, data=labelled(DAYS)),
    "data.session.timezone": Row("UTC", "America/New_York", also={"data.session": NEW_YORK}, data=labelled(DAYS)),
    "data.calendar": Row("XNYS", "CMES", data=labelled(DAYS)),
    "data.policy.missing": Row("error", "drop", "error", data=SPLIT_BY_NAN),
    "data.policy.duplicates": Row("keep_first", "keep_last", data=BOTH_LAST, asks={3: [buy(10)]}),
    "data.policy.non_positive": Row("drop", "allow", "equity", data=BELOW_ZERO),
    "data.signals.path": Row("early.parquet", "late.parquet", strategy=OnSignal),
    "data.signals.label": Row("start", "end", also={"data.signals.path": "late.parquet"}, strategy=OnSignal),
    "data.signals.frequency": Row("1m", "2m", also={"data.signals.path": "early.parquet"}, strategy=OnSignal),
    **{
        f"data.streams.*.{name}": Row(*values, also=also, strategy=OnStream, key=f"data.streams.weekly.{name}")
        for name, values, also in (
            ("path", ("early.parquet", "late.parquet"), {}),
            ("label", ("start", "end"), {"data.streams.weekly.path": "rising.parquet"}),
            ("frequency", ("1m", "2m"), {"data.streams.weekly.path": "early.parquet"}),
        )
    },
    "data.finer.path": Row("low_first.parquet", "high_first.parquet", asks=EXITS),
    # the second half falls to 100: within bar 2, or within bar 1
    "data.finer.label": Row(
        "start", "end", also={"data.finer.path": "half.parquet"}, asks={0: [buy(10)], 1: [sell(10, stop=100.5)]}
    ),
    # bars of a minute would lie in two bars
    "data.finer.frequency": Row("30s", "1m", "error", {"data.finer.path": "half.parquet"}),
    "account.kind": Row("cash", "margin", asks={1: [sell(10)]}),
    "account[cash].cash": Row(1_000.0, 2_000.0, asks={1: [buy(15)]}),
    "account[cash].currency": Row("USD", "EUR", "journal"),
    "account[cash].shortfall": Row("reject", "reduce", also=POOR, asks={1: [buy(15)]}),
    "account[cash].mark": Row("last", "mid", "equity", data=QUOTED),
    "account[margin].cash": Row(1_000.0, 2_000.0, also=MARGIN, asks={1: [buy(25)]}),
    "account[margin].currency": Row("USD", "EUR", "journal", MARGIN),
    "account[margin].shortfall": Row("reject", "reduce", also=MARGIN | POOR, asks={1: [buy(25)]}),
    "account[margin].mark": Row("last", "bid_ask", "equity", MARGIN, data=QUOTED),
    "account[margin].initial_margin_rate": Row(0.5, 0.25, also=MARGIN | POOR, asks={1: [buy(25)]}),
    "account[margin].netting": Row("fifo", "none", "trades", also=LOTS, asks=TWO_SIDES),
    "account[margin].ruin": Row(
        "continue", "stop", "equity", LOTS | POOR | {"account.initial_margin_rate": 0.01}, {0: [buy(500)]}
    ),
    "account[proceeds].cash": Row(1_000.0, 2_000.0, also=PROCEEDS, asks={1: [buy(15)]}),
    "account[proceeds].currency": Row("USD", "EUR", "journal", PROCEEDS),
    "account[proceeds].shortfall": Row("reject", "reduce", also=PROCEEDS | POOR, asks={1: [buy(15)]}),
    "account[proceeds].mark": Row("last", "bid_ask", "equity", PROCEEDS, data=QUOTED),
    "account[proceeds].lock": Row(False, True, also=PROCEEDS | POOR, asks={1: [sell(15)]}),
    "account[unchecked].cash": Row(1_000.0, 2_000.0, "equity", also=UNCHECKED),
    "account[unchecked].currency": Row("USD", "EUR", "journal", UNCHECKED),
    "account[unchecked].mark": Row("last", "bid_ask", "equity", UNCHECKED, data=QUOTED),
    "account[balance].cash": Row(1_000.0, 2_000.0, also=BALANCE, asks={1: [buy(15)]}),
    "account[balance].currency": Row("USD", "EUR", "journal", BALANCE),
    "account[balance].shortfall": Row("reject", "reduce", also=BALANCE | POOR, asks={1: [buy(15)]}),
    "account[balance].mark": Row("last", "bid_ask", "equity", BALANCE, data=QUOTED),
    "account[balance].short_proceeds": Row("cash", "held", also=BALANCE | POOR, asks={1: [sell(15)]}),
    "instruments.default.lot_size": Row(1.0, 10.0, asks={1: [buy(value=1_550)]}),
    "instruments.default.tick_size": Row(0.0, 0.25, asks={1: [buy(10, limit=96.1)]}),
    "instruments.default.multiplier": Row(1.0, 5.0, "journal"),
    "instruments.default.min_quantity": Row(10.0, 11.0),
    "instruments.default.max_quantity": Row(None, 4.0),
    "instruments.default.leverage": Row(1.0, 2.0, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.default.margin": Row(None, 20.0, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.default.margin_rate": Row(None, 0.5, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.symbols.*.leverage": Row(1.0, 2.0, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.symbols.*.margin": Row(20.0, 90.0, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.symbols.*.margin_rate": Row(0.5, 1.0, also=BALANCE | POOR, asks={1: [buy(15)]}),
    "instruments.symbols.*.min_quantity": Row(10.0, 11.0),
    "instruments.symbols.*.max_quantity": Row(4.0, 5.0),
    "instruments.symbols.*.lot_size": Row(1.0, 10.0, asks={1: [buy(value=1_550)]}),
    "instruments.symbols.*.tick_size": Row(0.0, 0.25, asks={1: [buy(10, limit=96.1)]}),
    "instruments.symbols.*.multiplier": Row(1.0, 5.0, "journal"),
    "costs.commission.kind": Row({"kind": "none"}, {"kind": "rate", "rate": 0.01}, key="costs.commission"),
    "costs.commission[rate].rate": Row(0.001, 0.002, also=commission("rate")),
    "costs.commission[rate].minimum": Row(0.0, 5.0, also=commission("rate", rate=0.001)),
    "costs.commission[rate].maximum": Row(0.5, 0.25, also=commission("rate", rate=0.001)),
    "costs.commission[per_share].per_share": Row(0.1, 0.2, also=commission("per_share")),
    "costs.commission[per_share].minimum": Row(0.0, 5.0, also=commission("per_share", per_share=0.1)),
    "costs.commission[per_share].cap_rate": Row(0.1, 0.0001, also=commission("per_share", per_share=0.1)),
    "costs.commission[per_contract].per_contract": Row(0.1, 0.2, also=commission("per_contract")),
    "costs.commission[per_contract].minimum": Row(0.0, 5.0, also=commission("per_contract", per_contract=0.1)),
    "costs.commission[per_contract].maximum": Row(0.5, 0.25, also=commission("per_contract", per_contract=0.1)),
    "costs.commission[per_order].fixed": Row(1.0, 2.0, also=commission("per_order")),
    "costs.commission[rate_plus_fixed].rate": Row(0.001, 0.002, also=commission("rate_plus_fixed", fixed=1.0)),
    "costs.commission[rate_plus_fixed].fixed": Row(1.0, 2.0, also=commission("rate_plus_fixed", rate=0.001)),
    # 10 · 100: within the first tier of 5 000, beyond one of 500
    "costs.commission[per_fill].fixed": Row(1.0, 2.0, also=commission("per_fill")),
    "costs.commission[per_fill].rate": Row(0.001, -0.001, also=commission("per_fill")),
    "costs.commission[tiered].tiers.*.rate": Row(
        [{"up_to": 5e3, "rate": 0.1}, {"rate": 0.2}],
        [{"up_to": 5e3, "rate": 0.3}, {"rate": 0.2}],
        also=commission("tiered"),
        key="costs.commission.tiers",
    ),
    "costs.commission[tiered].tiers.*.up_to": Row(
        [{"up_to": 5e3, "rate": 0.1}, {"rate": 0.2}],
        [{"up_to": 5e2, "rate": 0.1}, {"rate": 0.2}],
        also=commission("tiered"),
        key="costs.commission.tiers",
    ),
    # a limit order that rests until the path of bar 1 reaches it, and a market order
    "costs.commission[maker_taker].maker": Row(0.001, 0.002, also=commission("maker_taker", taker=0.005), asks=LIMITS),
    "costs.commission[maker_taker].taker": Row(0.001, 0.002, also=commission("maker_taker", maker=0.0)),
    # of 1 000 and about 1 000: the second fill comes after 1 000
    "costs.commission[monthly_tiered].tiers.*.rate": Row(
        [{"up_to": 5e2, "rate": 0.1}, {"rate": 0.2}],
        [{"up_to": 5e2, "rate": 0.3}, {"rate": 0.2}],
        also=commission("monthly_tiered"),
        key="costs.commission.tiers",
    ),
    "costs.commission[monthly_tiered].tiers.*.maker": Row(
        [{"rate": 0.1, "maker": 0.05}],
        [{"rate": 0.1, "maker": -0.05}],
        also=commission("monthly_tiered"),
        asks=LIMITS,
        key="costs.commission.tiers",
    ),
    "costs.commission[monthly_tiered].tiers.*.up_to": Row(
        [{"up_to": 5e2, "rate": 0.1}, {"rate": 0.2}],
        [{"up_to": 5e3, "rate": 0.1}, {"rate": 0.2}],
        also=commission("monthly_tiered"),
        asks={0: [buy(10), buy(10)]},
        key="costs.commission.tiers",
    ),
    "costs.commission[table].path": Row("cheap.csv", "dear.csv", also=commission("table")),
    "costs.slippage.kind": Row({"kind": "none"}, {"kind": "fixed", "amount": 1.0}, key="costs.slippage"),
    "costs.slippage[rate].rate": Row(0.001, 0.002, also={"costs.slippage": {"kind": "rate"}}),
    "costs.slippage[fixed].amount": Row(0.1, 0.2, also={"costs.slippage": {"kind": "fixed"}}),
    "costs.slippage[ticks].ticks": Row(
        1, 2, also={"costs.slippage": {"kind": "ticks"}, "instruments.default.tick_size": 0.25}
    ),
    "costs.slippage[volume_share].impact": Row(1.0, 2.0, also={"costs.slippage": {"kind": "volume_share"}}),
    "costs.slippage[volume_share].of": Row(
        "fill",
        "bar",
        also=SHARED | {"costs.slippage": {"kind": "volume_share", "impact": 1_000.0}},
        asks={0: [buy(4), buy(4)]},
    ),
    "costs.slippage[square_root].coefficient": Row(
        0.5, 1.0, also=daily("square_root", window=2), data=SWINGS, strategy=BuyLate
    ),
    "costs.slippage[square_root].window": Row(
        2, 3, also=daily("square_root", coefficient=1.0), data=SWINGS, strategy=BuyLate
    ),
    "costs.slippage[volatility].share": Row(
        0.5, 1.0, also=daily("volatility", window=2), data=SWINGS, strategy=BuyLate
    ),
    "costs.slippage[volatility].window": Row(2, 3, also=daily("volatility", share=1.0), data=SWINGS, strategy=BuyLate),
    "costs.slippage[spread].share": Row(0.5, 1.0, also={"costs.slippage": {"kind": "spread"}}, data=QUOTED),
    "costs.spread.kind": Row({"kind": "none"}, {"kind": "rate", "rate": 0.001}, key="costs.spread"),
    "costs.spread[rate].rate": Row(0.001, 0.002, also={"costs.spread": {"kind": "rate"}}),
    "costs.spread[fixed].amount": Row(0.1, 0.2, also={"costs.spread": {"kind": "fixed"}}),
    "costs.spread[ticks].ticks": Row(1, 2, also={"costs.spread": {"kind": "ticks"}} | TICKS),
    "costs.stop_slippage.kind": Row(
        {"kind": "none"}, {"kind": "exempt"}, also=WORSE, asks={1: [buy(10, stop=105)]}, key="costs.stop_slippage"
    ),
    "costs.stop_slippage[rate].rate": Row(0.001, 0.002, also={"costs.stop_slippage": {"kind": "rate"}}, asks=BREAKOUT),
    "costs.stop_slippage[ticks].ticks": Row(
        1, 2, also={"costs.stop_slippage": {"kind": "ticks"}} | TICKS, asks=BREAKOUT
    ),
    "costs.tax.buy_rate": Row(0.0, 0.005),
    "costs.tax.sell_rate": Row(0.0, 0.001, asks={0: [buy(10)], 1: [sell(10)]}),
    "costs.tax.sell_per_unit": Row(0.0, 0.01, asks={0: [buy(10)], 1: [sell(10)]}),
    "costs.tax.sell_cap": Row(
        0.5, 0.25, also={"costs.tax": {"sell_per_unit": 0.1}}, asks={0: [buy(10)], 1: [sell(10)]}
    ),
    "costs.slippage_range.kind": Row(
        {"kind": "any"}, {"kind": "bar"}, also={"costs.slippage": RANGE["costs.slippage"]}, key="costs.slippage_range"
    ),
    "costs.slippage_range[bar].opens": Row(True, False, also=RANGE, asks={1: [buy(10)]}),
    "costs.slippage_range[bar].beyond": Row("cap", "keep", also=RANGE, asks={1: [buy(10)]}),
    "costs.slippage_range[bar].beyond_limit": Row("cap", "keep", also=RANGE, asks={1: [buy(10, limit=110)]}),
    "fills.market": Row("next_open", "next_close", asks={1: [buy(10)]}),
    "fills.path": Row("worst_first", "best_first", asks=EXITS),
    "fills.rescan": Row("never", "exits", also=LOTS, asks={1: [buy(10, stop_loss=0.05)]}),
    "fills.stop_limit": Row("path", "at_stop", also=QUEUE, asks={0: [buy(10, stop=103, limit=101)]}),
    "fills.executions": Row(
        "order", "lot", "error", {key: value for key, value in LOTS.items() if key != "fills.executions"}
    ),
    "fills.limit": Row("kept", "released", also=WORSE, asks=RESTING),
    # the first takes all, the second finds nothing, and so the stop is not triggered on that bar
    "fills.missing_bar": Row("wait", "meet_last", also=SPARSE, asks={1: [buy(1, "B", limit=96)]}, data=SPARE),
    "fills.exhausted": Row("order", "symbol", "orders", SHARED, {3: [buy(8), buy(8), sell(8, stop=97)]}),
    "fills.halt_without_volume": Row(False, True, data=frame(BARS).with_columns(volume=0.0)),
    "fills.schedule": Row("phased", "queue", asks=LIMITS),
    "fills.quote": Row("last", "mid", data=QUOTED),
    # of 1 000 units a bar
    "fills.participation.share": Row(0.005, 0.01),
    "fills.participation.basis": Row("bar", "previous", also={"fills.participation.share": 1.0}),
    "fills.participation.window": Row(
        1, 2, also={"fills.participation.share": 1.0, "fills.participation.basis": "average"}
    ),
    "fills.touch.kind": Row({"kind": "always"}, {"kind": "through"}, asks=RESTING, key="fills.touch"),
    "fills.touch[probability].probability": Row(0.0, 1.0, also={"fills.touch.kind": "probability"}, asks=RESTING),
    "fills.touch[queue].ahead": Row(500.0, 1_500.0, also={"fills.touch.kind": "queue"}, asks=RESTING),
    # two orders for 900 each of 1 000: without a reservation both are accepted
    "orders.admission": Row("none", "reserve", "orders", POOR, {1: [buy(10, limit=90), buy(10, limit=90)]}),
    # the sale first makes room for the purchase
    "orders.batch_order": Row(
        "submission",
        "reductions_first",
        also=POOR | {"orders.admission": "pseudo_execute"},
        asks={0: [buy(9)], 1: [buy(9, "B"), close(), sell(9)]},
        data=TWO,
    ),
    "orders.lots": Row("reject", "floor", also={"instruments.default.lot_size": 4.0}),
    # the cancel of one ends the other
    "orders.links": Row(
        "share",
        "together",
        "orders",
        QUEUE,
        {0: [buy(10, limit=50), sell(5, limit=150)], 1: [oco(1, 2)], 2: [cancel(1)]},
    ),
    # until comes inside bar 2, whose turn for it is bar 3
    "orders.expiry": Row(
        "time", "turn", "orders", also=QUEUE, asks={0: [buy(10, limit=50, tif="GTD", until=minute(1.5))]}
    ),
    "orders.fill_basis": Row(
        "price",
        "reference",
        "orders",
        WORSE,
        asks={0: [buy(10, stop_loss=0.05)]},
    ),
    "orders.valuation": Row("last_mark", "fill_price", asks={1: [buy(value=10_150)]}),
    "orders.post_only": Row(
        "reject",
        "reprice",
        "orders",
        {"instruments.default.tick_size": 0.25},
        {1: [buy(10, limit=102, post_only=True)]},
    ),
    "orders.latency.submit": Row("90s", 1),
    # the cancel comes inside bar 1, which reaches the limit on its path, or when it has ended
    "orders.latency.cancel": Row("30s", 1, asks=RESTING | {1: [cancel(1)]}),
    "orders.reserve": Row(8, 80, "room"),  # of memory only: a run that needs more gets more
    "end.run": Row("mark", "close"),
    "end.symbol": Row("mark", "close"),
    "metrics.basis": Row("session", "bar", "metrics"),
    "metrics.periods_per_year": Row(252.0, 365.0, "metrics", {"metrics.basis": "bar"}),
    "metrics.risk_free_rate": Row(0.0, 0.05, "metrics", {"metrics.basis": "bar"}),
    "metrics.var_level": Row(0.05, 0.5, "metrics", {"metrics.basis": "bar"}),
    "run.warmup": Row(0, 1, asks={1: [buy(10)]}),
    "run.seed": Row(1, 2, strategy=Draw),
    "run.acknowledge_leaky": Row(False, True, "error", {"fills.market": "same_close"}),
    "output.root": Row("here", "there", "folder"),
    "output.run_id": Row("one", "two", "name"),
}


PER_SYMBOL = re.compile(r"^costs\.(?=(commission|slippage|spread|stop_slippage|tax)\b)")


def of_a_symbol(row: Row, option: str) -> Row:
    """The row of a cost with the same as the costs of the symbol alone."""

    def moved(key: str) -> str:
        return PER_SYMBOL.sub("costs.symbols.A.", key)

    also = {moved(key): value for key, value in row.also.items()}
    return replace(row, also=also, key=moved(row.key or dotted(option)))


def dotted(option: str) -> str:
    """The key of an option: symbol A for any name, and no kinds."""
    return re.sub(r"\[\w+\]", "", option.replace("*", "A"))


ROWS |= {
    PER_SYMBOL.sub("costs.symbols.*.", option): of_a_symbol(row, option)
    for option, row in ROWS.items()
    if PER_SYMBOL.match(option)
}


def test_every_option_has_a_row() -> None:
    assert sorted(leaves(config_json_schema())) == sorted(ROWS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    for name, table in FILES.items():
        table.write_csv(folder / name) if name.endswith(".csv") else table.write_parquet(folder / name)
    (folder / "strategy.py").write_text(STRATEGIES)
    return folder


@pytest.mark.parametrize("option", ROWS)
def test_option(option: str, inputs: Path, tmp_path: Path) -> None:
    row = ROWS[option]
    key = row.key or dotted(option)
    folders = (tmp_path / "0", tmp_path / "1")
    one, other = (
        with_value(row, key, tmp_path / value if key == "output.root" else value, inputs, folder)
        for value, folder in zip((row.one, row.other), folders, strict=True)
    )
    if row.differs == "error":
        assert (one["error"] is None) + (other["error"] is None) == 1
        return
    assert one.get("error") is None, one["error"]
    assert other.get("error") is None, other["error"]
    assert one[row.differs] != other[row.differs]


def with_value(row: Row, key: str, value: Any, inputs: Path, folder: Path) -> dict[str, Any]:
    """The outcome of the row with this value of the option."""
    config = {"output.run_id": "run", "output.root": str(folder)}
    config |= {name: _found(setting, inputs) for name, setting in row.also.items()}
    return outcome(row, config | {key: _found(value, inputs)}, inputs)


# -------------------------------------------------------------------------------------------- every value of a choice
ANY = None
LEAKY = {"run.acknowledge_leaky": True}
SHORT_EXITS = {0: [sell(10)], 1: [buy(10, limit=96, reduce_only=True), buy(10, stop=105, reduce_only=True)]}
PRICED = frame(BARS).with_columns(vwap=pl.Series([100.0, 99.5, 99.5, 99.5]))
NEAR_LOW = frame([FLAT, (98, 106, 95, 102), FLAT, FLAT])  # the bar of BARS is nearer to its high
VOLUMES = frame(BARS).with_columns(volume=pl.Series([10.0, 4.0, 6.0, 9.0]))
SWITCH = {0: [buy(9)], 1: [sell(9), buy(9, "B")]}  # the sale pays for the purchase
MARKS = [Row(ANY, ANY, data=QUOTED)]
SHORTFALLS = [Row(ANY, ANY, also=POOR, asks={1: [ask]}) for ask in (buy(15), buy(value=1_550))]


def of(rows: list[Row], also: dict[str, Any]) -> list[Row]:
    """The rows under more settings."""
    return [replace(row, also=row.also | also) for row in rows]


WEEKLY = "data.streams.weekly"
CHOICES = {
    "data.label": [Row(ANY, ANY, data=labelled(MINUTES)), Row(ANY, ANY, data=labelled(DAYS))],
    "data.policy.duplicates": [Row(ANY, ANY, data=BOTH_LAST)],
    "data.policy.non_positive": [Row(ANY, ANY, data=BELOW_ZERO)],
    "data.signals.label": [
        Row(ANY, ANY, also={"data.signals.path": "early.parquet"}, strategy=OnSignal),
        Row(ANY, ANY, also={"data.signals.path": "days.parquet"}, strategy=OnSignal, data=labelled(DAYS)),
    ],
    "data.streams.*.label": [
        Row(ANY, ANY, also={f"{WEEKLY}.path": name}, strategy=OnStream, data=data, key=f"{WEEKLY}.label")
        for name, data in (("rising.parquet", None), ("days.parquet", labelled(DAYS)))
    ],
    # half minutes, which are no dates; dates, whose sessions are shorter than days
    "data.finer.label": [
        Row(ANY, ANY, also={"data.finer.path": "half.parquet"}, asks={0: [buy(10)], 1: [sell(10, stop=100.5)]}),
        Row(ANY, ANY, also={"data.finer.path": "dates.parquet", "data.session": NEW_YORK}, data=labelled(DAYS)),
    ],
    "account[cash].shortfall": SHORTFALLS,
    "account[cash].mark": MARKS,
    "account[margin].shortfall": of(SHORTFALLS, MARGIN | {"account.initial_margin_rate": 1.0}),
    "account[margin].mark": of(MARKS, MARGIN),
    "account[proceeds].shortfall": of(SHORTFALLS, PROCEEDS),
    "account[proceeds].mark": of(MARKS, PROCEEDS),
    "account[balance].shortfall": of(SHORTFALLS, BALANCE),
    "account[balance].mark": of(MARKS, BALANCE),
    "costs.slippage_range[bar].beyond": [Row(ANY, ANY, also=RANGE, asks={1: [buy(10)]})],
    "costs.slippage_range[bar].beyond_limit": [Row(ANY, ANY, also=RANGE, asks={1: [buy(10, limit=110)]})],
    # a stop below the open fills at the close before it, or at the open
    "fills.market": [
        Row(ANY, ANY, also=LEAKY | QUEUE, data=PRICED, asks={2: [ask]}) for ask in (buy(10), buy(10, stop=101))
    ],
    # bar 1 rises to 102, and bar 2 falls to 100: only that is a turn
    "fills.stop_limit": [
        Row(ANY, ANY, also=QUEUE, asks=asks)
        for asks in ({0: [buy(10, stop=103, limit=101)]}, {2: [buy(10, stop=103.5, limit=101)]})
    ],
    "fills.path": [
        Row(ANY, ANY, asks=EXITS),
        Row(ANY, ANY, also=MARGIN, asks=SHORT_EXITS),
        Row(ANY, ANY, data=NEAR_LOW, asks=EXITS),
    ],
    "account[unchecked].mark": of(MARKS, UNCHECKED),
    # the limit of 95 is touched: `kept` pays 95, `released` 96, and to `checked` 96 is too much
    "fills.limit": [Row(ANY, ANY, also=WORSE, asks=RESTING)],
    # the limits of A make it the first symbol, that of B the market order of A the second
    "fills.schedule": [
        Row(ANY, ANY, also=MARGIN, asks=LIMITS),
        Row(ANY, ANY, also=MARGIN, data=TWO, asks={1: [buy(1, limit=50), buy(2, "B"), buy(3)]}),
    ],
    "fills.rescan": [
        Row(ANY, ANY, also=LOTS, asks={1: [buy(10, stop_loss=0.05)]}),
        Row(ANY, ANY, also=QUEUE, asks={1: [buy(10, stop=101.5, activation=96)]}),
    ],
    "fills.quote": [Row(ANY, ANY, data=QUOTED, asks={1: [buy(10)]})],
    "fills.participation.basis": [
        Row(ANY, ANY, also={"fills.participation.share": 1.0} | more, data=VOLUMES, asks={2: [buy(10)]})
        for more in ({}, {"fills.participation.window": 2})
    ],
    "orders.admission": [
        Row(ANY, ANY, also=POOR, asks={1: [buy(10, limit=90), buy(10, limit=90)]}),
        Row(ANY, ANY, also=POOR, asks=SWITCH, data=TWO),
        Row(ANY, ANY, also=POOR | LEAKY | QUEUE, asks={1: [buy(10)]}),  # 1 000 at the mark, 1 010 at the open
    ],
    "orders.batch_order": [
        Row(ANY, ANY, also=POOR | {"orders.admission": "pseudo_execute"}, asks=asks, data=TWO)
        for asks in ({0: [buy(9)], 1: [buy(9, "B"), sell(9)]}, {1: [buy(9), buy(1, "B")]})
    ],
    "orders.valuation": [
        Row(ANY, ANY, also=QUEUE, asks={2: [buy(value=10_150)]}),
        Row(ANY, ANY, also=LOTS, asks={2: [buy(percent=0.1)]}),
    ],
    "end.run": [Row(ANY, ANY, also=also) for also in (QUEUE, LOTS)],
}
"""Of each choice of three or more: runs of which at least one tells every two of its values apart. Of two values, ROWS has both."""
REFUSED = {"data.policy.duplicates": {"error"}, "data.policy.non_positive": {"error"}}
"""Values that are meant to end such a run."""


def test_every_choice_has_runs_for_all_its_values() -> None:
    choices = {leaf: values for leaf, values in leaves(config_json_schema()).items() if len(values) > 1}
    assert {leaf for leaf, values in choices.items() if len(values) > 2} == set(CHOICES)
    for leaf, values in choices.items():
        if len(values) == 2:
            assert {ROWS[leaf].one, ROWS[leaf].other} == set(values), leaf


def test_every_kind_of_account_is_another(inputs: Path, tmp_path: Path) -> None:
    """By what they let an order do: sell short, spend more than the cash or what a short has brought, close a part of what it asks for."""
    asks: list[dict[float, list[Ask]]] = [
        {1: [sell(5)]},
        {1: [buy(15)]},
        {1: [buy(25)]},
        {1: [sell(30)]},
        {1: [sell(5)], 2: [buy(15, "B")]},
        {0: [sell(5)], 1: [buy(40)]},
    ]
    seen: dict[str, list[Any]] = {}
    for kind in ("cash", "margin", "proceeds", "unchecked", "balance"):
        rows = [Row(ANY, ANY, also=POOR, asks=each, data=TWO) for each in asks]
        found = [with_value(row, "account.kind", kind, inputs, tmp_path / f"{kind}{n}") for n, row in enumerate(rows)]
        seen[kind] = [(each["error"], each["fills"], each["orders"]) for each in found]
    assert set(seen) == set(config_json_schema()["properties"]["account"]["discriminator"]["mapping"])
    for one, other in combinations(seen, 2):
        assert seen[one] != seen[other], f"{one} and {other}"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_value_of_a_choice_matters(choice: str, inputs: Path, tmp_path: Path) -> None:
    """No two values are one: a member that nothing reads would behave as another."""
    seen: dict[str, list[Any]] = {value: [] for value in leaves(config_json_schema())[choice]}
    for value, outcomes in seen.items():
        for n, row in enumerate(CHOICES[choice]):
            found = with_value(row, row.key or dotted(choice), value, inputs, tmp_path / f"{value}{n}")
            outcomes.append({name: part for name, part in found.items() if name not in ("folder", "name", "room")})
    assert {value for value, outcomes in seen.items() if all(found.get("error") for found in outcomes)} == REFUSED.get(
        choice, set()
    )
    for one, other in combinations(seen, 2):
        assert seen[one] != seen[other], f"{choice}: {one} and {other}"


def test_two_runs_of_one_configuration_are_the_same(inputs: Path, tmp_path: Path) -> None:
    """So what differs above differs by the option."""
    runs = [outcome(Row(1, 1), {"output.root": str(tmp_path / name)}, inputs) for name in "ab"]
    for run in runs:
        del run["folder"], run["name"]
    assert runs[0] == runs[1]
    assert runs[0]["error"] is None


def _found(value: Any, folder: Path) -> Any:
    """The value with files of the inputs by their path."""
    if isinstance(value, dict):
        return {name: _found(inner, folder) for name, inner in value.items()}
    return str(folder / value) if isinstance(value, str) and value.endswith((".parquet", ".csv")) else value


def test_the_walk_finds_a_new_option() -> None:
    """A leaf that is added to a section, a description or a tier is one more leaf."""
    schema = config_json_schema()
    known = set(leaves(schema))
    for name, found in (
        ("FillsConfig", {"fills.new"}),
        ("TieredCommission", {"costs.commission[tiered].new", "costs.symbols.*.commission[tiered].new"}),
        ("Tier", {"costs.commission[tiered].tiers.*.new", "costs.symbols.*.commission[tiered].tiers.*.new"}),
        ("InstrumentOverride", {"instruments.symbols.*.new"}),
    ):
        changed = config_json_schema()
        changed["$defs"][name]["properties"]["new"] = {"type": "number"}
        assert set(leaves(changed)) - known == found
