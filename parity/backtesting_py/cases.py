"""Random cases for backtesting.py."""

import math
import random
from collections.abc import Iterator
from typing import Any

from parity.bars import bars, near
from parity.case import Case

DEFAULTS: dict[str, Any] = {
    "cash": 10_000.0,
    "spread": 0.0,
    "commission": {"kind": "none"},
    "margin": 1.0,
    "trade_on_close": False,
    "hedging": False,
    "exclusive_orders": False,
    "finalize_trades": False,
}

NUDGE = 4.0 * 2.0**-53

CHOICES: dict[str, list[Any]] = {
    "cash": [10_000.0, 1_000_000.0, 777.0],
    "spread": [0.0, 0.0, 0.0002, 0.01],
    "commission": [
        {"kind": "none"},
        {"kind": "rate", "rate": 0.002},
        {"kind": "rate", "rate": -0.0005},
        {"kind": "fixed_and_rate", "fixed": 3.0, "rate": 0.001},
        {"kind": "per_unit"},
    ],
    "margin": [1.0, 1.0, 0.5, 0.02],
    "trade_on_close": [False, False, True],
    "hedging": [False, False, True],
    "exclusive_orders": [False, False, True],
    "finalize_trades": [False, True],
}


def draw(draw: random.Random) -> Case:
    """A random case: up to 40 bars of one asset and up to 25 requests."""
    options = {key: draw.choice(values) for key, values in CHOICES.items()}
    rows = bars(draw, draw.randint(4, 40))
    if draw.random() < 0.8:
        options["cash"] *= max(rows[0][3] / 100.0, 1e-6) * draw.uniform(0.8, 1.2)
    script: list[dict[str, Any]] = []
    count = draw.randint(1, 25)
    for number, bar in enumerate(sorted(draw.randint(1, len(rows) - 1) for _ in range(count))):
        script.append(request(draw, rows, bar, f"r{number}", options, script))
    return Case("backtesting_py", {"A": rows}, options, script)


def request(
    draw: random.Random,
    rows: list[list[float]],
    bar: int,
    name: str,
    options: dict[str, Any],
    before: list[dict[str, Any]],
) -> dict[str, Any]:
    """One thing a strategy may ask for when a bar has ended."""
    kind, row = draw.random(), rows[bar]
    if before and kind < 0.12:
        return {"bar": bar, "do": "close", "id": name, "portion": draw.choice((1.0, 1.0, 0.5, 0.3))}
    if before and kind < 0.22:
        trade, portion = draw.randint(0, 5), draw.choice((1.0, 0.5, 0.25))
        return {"bar": bar, "do": "close_trade", "id": name, "trade": trade, "portion": portion}
    if before and kind < 0.30:
        one = draw.choice(before).get("id", "r0")
        return {"bar": bar, "do": "cancel", "order": draw.choice((one, f"{one}.sl", f"{one}.tp", one))}
    if before and kind < 0.36:
        which = draw.choice(("sl", "tp"))
        return {"bar": bar, "do": "protect", "trade": draw.randint(0, 5), "which": which, "price": near(draw, row, 2.0)}
    return order(draw, row, bar, name, options)


def order(draw: random.Random, row: list[float], bar: int, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """An order whose exits are on the right side of its price."""
    side = draw.choice((1, 1, -1))
    units = options["cash"] / row[3]
    size: float = draw.choice(
        (draw.uniform(0.01, 0.9), 0.5, 0.9999, max(1.0, round(units * draw.choice((0.05, 0.3, 0.9, 3.0)))))
    )
    made: dict[str, Any] = {"bar": bar, "do": "order", "id": name, "side": side, "size": size}
    kind = draw.random()
    if 0.4 <= kind < 0.65 or kind > 0.88:
        made["limit"] = near(draw, row)
    if kind >= 0.65:
        made["stop"] = near(draw, row)
    price = made.get("limit") or made.get("stop") or row[3] * (1.0 + side * options["spread"])
    span = max(row[1] - row[2], 0.002 * price)
    if draw.random() < 0.4:
        made["sl"] = price - side * span * draw.uniform(0.05, 2.0)
    if draw.random() < 0.4:
        made["tp"] = price + side * span * draw.uniform(0.05, 2.0)
    for exit_ in ("sl", "tp"):
        if made.get(exit_, 1.0) <= 0.0:
            del made[exit_]
    return made


def nudged(case: Case) -> Iterator[Case]:
    """The case with the fraction of one relative order moved so far that its quotient, which grows with it, moves by at most 4 ulp.

    4 · 2⁻⁵³ of a number is never more than 4 of its ulp. A fixed commission is divided by the fraction, too, which doubles the move.
    """
    most = NUDGE / (
        2.0 if case.options["commission"].get("fixed") or case.options["commission"]["kind"] == "per_unit" else 1.0
    )
    for i, request in enumerate(case.script):
        if request["do"] == "order" and request["size"] < 1.0:
            for towards in (0.0, 2.0):
                size = math.nextafter(request["size"], towards)
                while abs(size - request["size"]) <= most * request["size"]:
                    yield case.with_(script=[*case.script[:i], {**request, "size": size}, *case.script[i + 1 :]])
                    size = math.nextafter(size, towards)
