"""Random configs: rules, instruments and costs."""

from __future__ import annotations

import random
from typing import Any


def random_config(rng: random.Random, universe: list[str], *, rich: bool = False) -> dict[str, Any]:
    """A config that differs from the defaults in a random set of rules and costs; `rich`: of fill rules, too."""
    lot = rng.choice((1.0, 1.0, 1.0, 0.0, 10.0))
    tick = rng.choice((0.0, 0.0, 0.25, 0.5, 1.0))
    multiplier = 50.0 if rng.random() < 0.08 else 1.0
    margin = rng.random() < 0.45
    market = rng.choice(("next_open",) * 6 + ("next_close",) * 2 + ("same_close",))
    config: dict[str, Any] = {
        "account": {
            "kind": "margin" if margin else "cash",
            "cash": rng.choice((100_000.0, 20_000.0, 5_000.0, 2_000.0, 1_000.0)) * multiplier,
            "shortfall": rng.choice(("by_sizing", "by_sizing", "reject", "reduce")),
        },
        "instruments": {"default": {"lot_size": lot, "tick_size": tick, "multiplier": multiplier}},
        "costs": {"commission": _commission(rng), "slippage": _slippage(rng, tick)},
        "fills": {
            "market": market,
            "path": rng.choice(
                ("worst_first",) * 3
                + ("best_first", "open_high_low_close", "open_low_high_close", "nearest_extreme_first")
            ),
            "schedule": rng.choice(("phased", "phased", "queue")),
        },
        "orders": {
            "admission": rng.choice(("none", "none", "reserve", "pseudo_execute")),
            "batch_order": rng.choice(("submission", "reductions_first")),
            "valuation": rng.choice(("last_mark", "last_mark", "previous_close", "fill_price")),
        },
        "end": {"run": rng.choice(("mark", "close")), "symbol": rng.choice(("mark", "mark", "close"))},
    }
    if margin:
        config["account"]["initial_margin_rate"] = rng.choice((0.5, 0.25, 1.0))
    if market == "same_close":
        config["run"] = {"acknowledge_leaky": True}
    if rng.random() < 0.2:
        special = rng.choice(universe)
        config["instruments"]["symbols"] = {special: {"lot_size": rng.choice((0.0, 1.0, 10.0))}}
        config["costs"]["symbols"] = {special: {"commission": _commission(rng)}}
        if rng.random() < 0.5:
            config["costs"]["symbols"][special]["slippage"] = _slippage(rng, tick)
    if rich:
        enrich(rng, config)
    return config


def enrich(rng: random.Random, config: dict[str, Any]) -> None:
    """Some rules about volume, touches, quotes and delays are in force."""
    fills, orders = config["fills"], config["orders"]
    if rng.random() < 0.4:
        basis = rng.choice(("bar", "bar", "previous", "average", "daily_average"))
        fills["participation"] = {"share": rng.choice((0.25, 0.5, 0.1, 1.0)), "basis": basis}
        if basis in ("average", "daily_average"):
            fills["participation"]["window"] = rng.choice((1, 2, 4))
    if rng.random() < 0.35:
        fills["touch"] = rng.choice(
            (
                {"kind": "through"},
                {"kind": "probability", "probability": rng.choice((0.25, 0.5, 0.9))},
                {"kind": "queue", "ahead": rng.choice((5.0, 100.0, 1500.0))},
            )
        )
    if rng.random() < 0.15:
        fills["quote"] = rng.choice(("mid", "bid_ask"))
    if rng.random() < 0.15:
        config["account"]["mark"] = rng.choice(("mid", "bid_ask"))
    if fills["market"] == "next_close" and rng.random() < 0.4:
        fills["market"] = "next_vwap"
    latency: dict[str, Any] = {}
    if rng.random() < 0.15:
        latency["submit"] = rng.choice(("30m", "1h", "90m", "36h", 1, 2))
    if rng.random() < 0.2:
        latency["cancel"] = rng.choice(("30m", "1h", 2, "36h"))
    if latency:
        orders["latency"] = latency
    orders["post_only"] = rng.choice(("reject", "reprice"))
    config["run"] = {**config.get("run", {}), "seed": rng.randint(0, 1000)}


def _commission(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(("none", "none", "rate", "per_share", "per_order", "rate_plus_fixed", "tiered"))
    if kind == "per_share":
        minimum = rng.choice((0.0, 1.0, 5.0))
        cap = rng.choice((None, 0.01, 0.002))
        per_share = {"kind": kind, "per_share": rng.choice((0.005, 0.25)), "minimum": minimum}
        return per_share if cap is None else {**per_share, "cap_rate": cap}
    if kind == "tiered":
        return {
            "kind": kind,
            "tiers": [{"up_to": 1000.0, "rate": 0.002}, {"up_to": 5000.0, "rate": 0.001}, {"rate": 0.0005}],
        }
    rates = {"rate": rng.choice((0.001, 0.0025)), "fixed": rng.choice((1.0, 2.5))}
    fields = {"none": (), "rate": ("rate",), "per_order": ("fixed",), "rate_plus_fixed": ("rate", "fixed")}[kind]
    return {"kind": kind, **{name: rates[name] for name in fields}}


def _slippage(rng: random.Random, tick: float) -> dict[str, Any]:
    kind = rng.choice(("none", "none", "rate", "fixed", "ticks" if tick else "none"))
    value = {
        "rate": rng.choice((0.001, 0.0005)),
        "fixed": rng.choice((0.1, 0.25, 1.0)),
        "ticks": rng.choice((1.0, 2.0)),
    }
    name = {"rate": "rate", "fixed": "amount", "ticks": "ticks"}.get(kind)
    return {"kind": kind} if name is None else {"kind": kind, name: value[kind]}
