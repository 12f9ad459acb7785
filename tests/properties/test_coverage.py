"""What the property suites cover, counted on the engine's own runs of the corpus and printed; too little is a failure."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import fields
from typing import get_args

import pytest

from cases import KINDS, ORDER_TYPES
from invariants.order import EDGES
from ml4t.backtest.enums import (
    AccountKind,
    Admission,
    BatchOrder,
    EndRule,
    MarketFill,
    OrderType,
    Origin,
    PathRule,
    Reason,
    Schedule,
    Segment,
    Shortfall,
    Sizing,
    TimeInForce,
    Valuation,
)
from ml4t.backtest.models.commission import Commission
from ml4t.backtest.models.slippage import HalfSpread, Slippage, StopSlippage
from ml4t.backtest.models.tax import Tax
from ml4t.backtest.queue_rule import SymbolEndRule
from observation import Observation, Row

LEAST = 50
"""Fills of each order type and kind."""

RULES = {
    ("account", "kind"): AccountKind,
    ("account", "shortfall"): Shortfall,
    ("fills", "market"): MarketFill,
    ("fills", "path"): PathRule,
    ("fills", "schedule"): Schedule,
    ("orders", "admission"): Admission,
    ("orders", "batch_order"): BatchOrder,
    ("orders", "valuation"): Valuation,
    ("end", "run"): EndRule,
    ("end", "symbol"): SymbolEndRule,
}
IN_THE_LABORATORY = {
    "account.kind=proceeds",
    "account.kind=locked_proceeds",
    "account.kind=balance",
    "account.kind=unchecked",
    "end.run=last_open",
    "fills.market=previous_close",
    "fills.market=decision_close",
    "fills.path=close_only",
    "fills.schedule=symbol_queue",
    "orders.admission=pseudo_execute_at_open",
    "orders.batch_order=value",
    "orders.valuation=bar_close",
}
"""Rules that exist for profiles: the oracle does not know them, the engine that has them is their judge (`parity/`, `tests/parity`)."""
COSTS = {
    "commission": Commission,
    "slippage": Slippage,
    "spread": HalfSpread,
    "stop_slippage": StopSlippage,
}
"""The union of the kinds of each cost."""
NOT_DRAWN = {"spread=none", "spread=ticks", "stop_slippage=none"}
"""Kinds that cases do not name: the first and last are what is in force without a name."""


def kind(run: Observation, fill: Row) -> str:
    """How the price met the level: market; gap: the open was beyond it; touch: an open or a corner is just it; cross."""
    order, bar = run.orders[fill["order_id"]], fill["bar"]
    if fill["order_type"] == "market":
        return "market"
    if fill["at_open"]:
        return "touch" if bar.open in (order["limit"], order["stop"]) else "gap"
    corners = (bar.close,) if fill["segment"] == "third_leg" else (bar.high, bar.low)
    return "touch" if fill["reference_price"] in corners else "cross"


@pytest.fixture(scope="module")
def counts(corpus: list[Observation]) -> dict[str, Counter[str]]:
    """Table of the report → what was met how often."""
    tables: dict[str, Counter[str]] = {
        name: Counter()
        for name in (
            "cases",
            "fills",
            "segments",
            "sizings",
            "origins",
            "times in force",
            "transitions",
            "reasons",
            "rules",
            "costs",
        )
    }
    for run in corpus:
        tables["cases"].update(["all"] + ["without a fill"] * (not run.fills))
        for fill in run.fills:
            order = run.orders[fill["order_id"]]
            tables["fills"][f"{fill['order_type']}/{kind(run, fill)}"] += 1
            tables["segments"][fill["segment"]] += 1
            tables["sizings"][order["sizing"]] += 1
            tables["origins"][order["origin"]] += 1
            tables["times in force"][order["time_in_force"]] += 1
        for event in run.events:
            tables["reasons"][event["reason"]] += 1
            if event["reason"] != "replace_requested":
                tables["transitions"][f"{event['from_state']} > {event['to_state']}"] += 1
        config = run.case.config
        for section, name in RULES:
            tables["rules"][f"{section}.{name}={config[section][name]}"] += bool(run.fills)
        for model in COSTS.keys() & config["costs"]:
            tables["costs"][f"{model}={config['costs'][model]['kind']}"] += bool(run.fills)
        for rate in config["costs"].get("tax", {}):
            tables["costs"][f"tax.{rate}"] += bool(run.fills)
    return tables


def names(choice: type) -> set[str]:
    return {member.name.lower() for member in choice}


def test_the_report(counts: dict[str, Counter[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Printed whether or not it suffices."""
    lines = [
        f"{name}: " + ", ".join(f"{what} {n}" for what, n in sorted(table.items())) for name, table in counts.items()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert counts["cases"]["all"] > 0


def test_every_order_type_fills_in_every_way(counts: dict[str, Counter[str]]) -> None:
    assert set(ORDER_TYPES) == names(OrderType)
    wanted = ["market/market", *(f"{order}/{how}" for order in ORDER_TYPES[1:] for how in KINDS)]
    assert {name: counts["fills"][name] for name in wanted if counts["fills"][name] < LEAST} == {}


def test_few_cases_fill_nothing(counts: dict[str, Counter[str]]) -> None:
    assert counts["cases"]["without a fill"] <= counts["cases"]["all"] / 5


def test_every_transition_is_reached(counts: dict[str, Counter[str]]) -> None:
    wanted = {f"{a} > {b}" for a, b in EDGES}
    assert wanted - set(counts["transitions"]) == {
        "pending > expired"
    }  # of orders.expiry = turn, see IN_THE_LABORATORY


NO_EVENT = {"none", "submitted"}


@pytest.mark.parametrize(
    ("table", "choice", "without"),
    [
        ("segments", Segment, set()),
        ("sizings", Sizing, {"funds"}),  # of profiles, as the rules below
        ("origins", Origin, {"ruin"}),
        ("times in force", TimeInForce, set()),
        ("reasons", Reason, NO_EVENT | {"above_maximum", "below_minimum", "linked_order_ended"}),
    ],
)
def test_every_member_is_met(counts: dict[str, Counter[str]], table: str, choice: type, without: set[str]) -> None:
    assert names(choice) - without - set(+counts[table]) == set()


def test_every_rule_and_cost_has_had_fills(counts: dict[str, Counter[str]]) -> None:
    rules = {f"{section}.{name}={value}" for (section, name), choice in RULES.items() for value in names(choice)}
    assert rules - set(+counts["rules"]) == IN_THE_LABORATORY
    costs = {f"{name}={model.kind}" for name, union in COSTS.items() for model in get_args(union)}
    costs |= {f"tax.{each.name}" for each in fields(Tax)}
    assert costs - set(+counts["costs"]) == NOT_DRAWN
