"""Random cases for zipline."""

import random
from typing import Any

from parity.bars import bars, near
from parity.case import Case

DEFAULTS: dict[str, Any] = {
    "cash": 100_000.0,
    "frequency": "daily",
    "slippage": {"kind": "basis_points", "basis_points": 5.0, "volume_limit": 0.1},
    "commission": {"kind": "per_share", "cost": 0.001, "min_trade_cost": 0.0},
    "cancel": "never",
}

CHOICES: dict[str, list[Any]] = {
    "cash": [100_000.0, 1_000.0, 10_000_000.0],
    "frequency": ["daily", "daily", "minute"],
    "slippage": [
        {"kind": "basis_points", "basis_points": 5.0, "volume_limit": 0.1},
        {"kind": "basis_points", "basis_points": 5.0, "volume_limit": 0.1},
        {"kind": "basis_points", "basis_points": 50.0, "volume_limit": 0.5},
        {"kind": "volume_share", "volume_limit": 0.025, "price_impact": 0.1},
        {"kind": "volume_share", "volume_limit": 0.25, "price_impact": 0.1},
        {"kind": "volume_share", "volume_limit": 1.0, "price_impact": 0.01},
        {"kind": "fixed", "spread": 0.02},
        {"kind": "none"},
    ],
    "commission": [
        {"kind": "per_share", "cost": 0.001, "min_trade_cost": 0.0},
        {"kind": "per_share", "cost": 0.01, "min_trade_cost": 1.0},
        {"kind": "per_trade", "cost": 5.0},
        {"kind": "per_dollar", "cost": 0.0015},
        {"kind": "none"},
    ],
    "cancel": ["never", "eod"],
}
RARE_LIMIT = {"kind": "basis_points", "basis_points": 5.0, "volume_limit": 0.29}  # 0.29 · 100 is 28.999999999999996


def draw(draw: random.Random) -> Case:
    """A random case: up to 40 bars of one to three assets and up to 25 requests."""
    options = {key: draw.choice(values) for key, values in CHOICES.items()}
    is_daily = options["frequency"] == "daily"
    if is_daily and draw.random() < 0.99:  # by day that policy is none, but for a defect
        options["cancel"] = "never"
    if draw.random() < 0.005:
        options["slippage"] = RARE_LIMIT
    length, busy = draw.randint(4, 40), draw.choice((0.01, 0.1, 1.0))
    prices = {
        symbol: bars(draw, length, draw.choice((2.0, 20.0, 100.0, 100.0, 3000.0)))
        for symbol in ("A", "B", "C")[: draw.randint(1, 3)]
    }
    for rows in prices.values():
        for row in rows:
            row[4] = float(round(row[4] * busy)) if draw.random() < 0.95 or not is_daily else 0.0
            row[4] = row[4] or (0.0 if is_daily else 1.0)
    script = [
        request(draw, prices, draw.randint(0, length - 1), f"r{number}", number)
        for number in range(draw.randint(1, 25))
    ]
    script.sort(key=lambda one: one["bar"])
    gaps = {symbol: list(rows) for symbol, rows in prices.items()}
    for symbol in list(gaps)[1:]:  # the first has every row, so that every bar is an instant
        for i in range(1, length):
            if draw.random() < 0.06:
                gaps[symbol][i] = None  # type: ignore[call-overload]
    return Case("zipline", gaps, options, script)


def request(
    draw: random.Random, prices: dict[str, list[list[float]]], bar: int, name: str, number: int
) -> dict[str, Any]:
    """One thing an algorithm may ask for when a bar has ended. Limits and stops are whole cents."""
    if number and draw.random() < 0.12:
        return {"bar": bar, "do": "cancel", "order": f"r{draw.randint(0, number - 1)}"}
    symbol = draw.choice(list(prices))
    row = prices[symbol][bar]
    kind = draw.choice(("order", "order", "order", "value", "percent", "target", "target_value", "target_percent"))
    side = draw.choice((1, 1, -1))
    size: Any = draw.choice((draw.randint(1, 30), draw.randint(1, 500), max(1, round(row[4] * 0.3))))
    if "value" in kind:
        size = size * row[3] * draw.uniform(0.9, 1.1)
    elif "percent" in kind:
        size = draw.choice((0.0, 0.5, 1.0, 2.0, draw.uniform(0.01, 1.5)))
    made = {"bar": bar, "do": kind, "id": name, "symbol": symbol, "size": side * size}
    wanted = draw.random()
    if wanted < 0.3 or wanted > 0.9:
        made["limit"] = max(round(near(draw, row), 2), 0.01)
    if wanted > 0.75:
        made["stop"] = max(round(near(draw, row), 2), 0.01)
    return made
