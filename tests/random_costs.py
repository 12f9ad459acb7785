"""Random costs beyond those of `random_config`: by month, fill, table and tax; by volume, volatility and spread."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from case import Bar

FEES = str(Path(__file__).with_name("fees.csv"))
WINDOW = 2
DAYS_KNOWN = WINDOW + 2
"""Days of a symbol, that of the decision included, after which an order meets no day with an unknown volatility."""


def add_costs(rng: random.Random, config: dict[str, Any], bars: list[Bar]) -> bool:
    """The config has some of these costs; whether they need `DAYS_KNOWN` days before the first order."""
    costs, is_daily = config["costs"], False
    tick = config["instruments"]["default"]["tick_size"]
    if rng.random() < 0.6:
        costs["commission"] = commission(rng)
    if rng.random() < 0.3:
        costs["tax"] = tax(rng)
    if rng.random() < 0.6:
        costs["slippage"] = rng.choice(
            (
                {
                    "kind": "volume_share",
                    "impact": rng.choice((0.5, 0.9)),
                },  # at 1 a sale of all the volume has no price
                {"kind": "spread", "share": rng.choice((0.5, 1.0))},
                {"kind": "square_root", "coefficient": rng.choice((0.125, 0.25)), "window": WINDOW},
                {"kind": "volatility", "share": rng.choice((0.25, 1.0)), "window": WINDOW},
            )
        )
        if costs["slippage"]["kind"] in ("square_root", "volatility"):
            is_daily = all(days(bars, symbol) > DAYS_KNOWN for symbol in {bar.symbol for bar in bars})
            if not is_daily:
                costs["slippage"] = {"kind": "volume_share", "impact": 0.75}
    if rng.random() < 0.3:
        costs["spread"] = rng.choice(({"kind": "rate", "rate": 0.0005}, {"kind": "fixed", "amount": 0.1}))
    if rng.random() < 0.4:
        stop = ({"kind": "rate", "rate": 0.001}, {"kind": "exempt"}, {"kind": "ticks", "ticks": 2})
        costs["stop_slippage"] = rng.choice(stop if tick else stop[:2])
    return is_daily


def days(bars: list[Bar], symbol: str) -> int:
    return len({bar.session_close for bar in bars if bar.symbol == symbol})


def commission(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        (
            {"kind": "rate", "rate": 0.001, "minimum": rng.choice((0.0, 1.0)), "maximum": rng.choice((1.5, 3.0))},
            {"kind": "per_contract", "per_contract": 0.25, "minimum": 1.0, "maximum": 4.0},
            {"kind": "per_fill", "fixed": rng.choice((0.0, 1.0)), "rate": rng.choice((0.001, -0.0001))},
            {"kind": "maker_taker", "maker": rng.choice((-0.0001, 0.0002)), "taker": 0.0005},
            {
                "kind": "monthly_tiered",
                "tiers": [
                    {"up_to": 1500.0, "rate": 0.004, "maker": 0.001},
                    {"up_to": 6000.0, "rate": 0.002},
                    {"rate": 0.001, "maker": -0.0001},
                ],
            },
            {"kind": "table", "path": FEES},
        )
    )


def tax(rng: random.Random) -> dict[str, Any]:
    return rng.choice(
        (
            {"buy_rate": 0.005},
            {"sell_rate": 0.001, "sell_per_unit": 0.05, "sell_cap": rng.choice((0.25, 2.0))},
            {"buy_rate": 0.001, "sell_per_unit": 0.01},
        )
    )
