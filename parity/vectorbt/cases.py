"""Random cases for vectorbt: options are its arguments under their own names, None for what it spells NaN or infinite."""

import math
import random
from typing import Any

from parity.bars import bars
from parity.case import Case

FLAGS = ("entries", "exits", "short_entries", "short_exits")
DEFAULTS: dict[str, Any] = {
    "init_cash": 100.0,
    "size_type": "amount",
    "direction": None,
    "fees": 0.0,
    "fixed_fees": 0.0,
    "slippage": 0.0,
    "min_size": 1e-8,
    "max_size": None,
    "size_granularity": None,
    "lock_cash": False,
    "allow_partial": True,
    "cash_sharing": False,
    "call_seq": "default",
    "accumulate": "disabled",
    "upon_long_conflict": "ignore",
    "upon_short_conflict": "ignore",
    "upon_dir_conflict": "ignore",
    "upon_opposite_entry": "reversereduce",
    "sl_stop": None,
    "sl_trail": False,
    "tp_stop": None,
    "stop_entry_price": "close",
    "stop_exit_price": "stoplimit",
}
CONFLICTS = ["ignore", "entry", "exit", "adjacent", "opposite"]
CHOICES: dict[str, list[Any]] = {
    "init_cash": [100.0, 1_000.0],  # times the first close
    "fees": [0.0, 0.001, 0.01],
    "fixed_fees": [0.0, 0.0, 0.5],  # times the first close
    "slippage": [0.0, 0.0, 0.005],
    "min_size": [1e-8, 1e-8, 1e-8, 1.0, 3.0],
    "max_size": [None, None, None, 4.0, 10.0],
    "size_granularity": [None, None, None, 1.0, 0.1, 0.25],
    "lock_cash": [False, False, False, True],
    "allow_partial": [True, True, True, False],
    "direction": [None, "both", "longonly", "shortonly"],
    "upon_long_conflict": CONFLICTS,
    "upon_short_conflict": CONFLICTS,
    "upon_dir_conflict": ["ignore", "long", "short", "adjacent", "opposite"],
    "upon_opposite_entry": ["ignore", "close", "closereduce", "reverse", "reversereduce"],
    "accumulate": ["disabled", "disabled", "both", "addonly", "removeonly"],
}
SIZES: dict[str, list[float]] = {
    "amount": [1.0, 5.5, 3.0, 7.25, 20.0, math.inf],
    "value": [10.0, 20.0, 55.5, 200.0, 300.0],  # times the first close / 10
    "percent": [0.1, 0.25, 0.5, 1.0],
    "targetamount": [0.0, 1.0, 5.0, 12.3, 30.0],
    "targetvalue": [0.0, 50.0, 120.0, 200.0],  # times the first close / 10
    "targetpercent": [0.0, 0.33, 0.5, 1.0, 1.5],
}


def draw(draw: random.Random) -> Case:
    """A random case: up to 40 bars of up to 3 symbols."""
    options = {**DEFAULTS, "method": draw.choice(("orders", "signals")), "engine": "numba", "default_size": math.inf}
    for key in ("init_cash", "fees", "fixed_fees", "slippage", "min_size", "max_size", "lock_cash", "allow_partial"):
        options[key] = draw.choice(CHOICES[key])
    options["direction"], options["size_granularity"] = (
        draw.choice(CHOICES["direction"]),
        draw.choice(CHOICES["size_granularity"]),
    )
    if options["size_granularity"] is None and draw.random() < 0.3:  # the two engines round granularities differently
        options["engine"] = "rust"
    count, scale = draw.randint(3, 40), draw.choice((0.01, 1.0, 10.0, 10.0, 300.0, 1e5))
    symbols = [f"S{column}" for column in range(draw.randint(1, 3))]
    rows = {symbol: bars(draw, count, scale) for symbol in symbols}
    unit = scale / 10.0
    for key in ("init_cash", "fixed_fees"):
        options[key] *= unit
    if len(symbols) > 1 and draw.random() < 0.7:
        options |= {"cash_sharing": True, "call_seq": draw.choice(("default", "reversed", "auto"))}
    script = (_orders if options["method"] == "orders" else _signals)(draw, options, symbols, count, unit)
    return Case("vectorbt", rows, options, script)


def _size(draw: random.Random, kind: str, unit: float) -> float:
    return draw.choice(SIZES[kind]) * (unit if kind.endswith("value") else 1.0)


def _orders(
    draw: random.Random, options: dict[str, Any], symbols: list[str], count: int, unit: float
) -> list[dict[str, Any]]:
    options["size_type"] = kind = draw.choice(list(SIZES))
    density = draw.choice((0.2, 0.6))
    return [
        {"bar": bar, "symbol": symbol, "size": draw.choice((-1.0, 1.0)) * _size(draw, kind, unit)}
        for bar in range(count)
        for symbol in symbols
        if draw.random() < density
    ]


def _signals(
    draw: random.Random, options: dict[str, Any], symbols: list[str], count: int, unit: float
) -> list[dict[str, Any]]:
    options["size_type"] = kind = draw.choice(("amount", "amount", "value", "percent"))
    options["default_size"] = _size(draw, kind, unit)
    for key in ("upon_long_conflict", "upon_short_conflict", "upon_dir_conflict"):
        if draw.random() < 0.6:
            options[key] = draw.choice(CHOICES[key])
    options["upon_opposite_entry"] = draw.choice(
        ("ignore", "close") if kind == "percent" else CHOICES["upon_opposite_entry"]
    )
    if draw.random() < 0.5:
        _stops(draw, options)
    else:
        options["accumulate"] = draw.choice(("disabled", "addonly") if kind == "percent" else CHOICES["accumulate"])
    names = FLAGS if draw.random() < 0.5 else FLAGS[:2]
    script = []
    for bar in range(count):
        for symbol in symbols:
            flags = {name: True for name in names if draw.random() < 0.25}
            if flags:
                size = {"size": _size(draw, kind, unit)} if draw.random() < 0.3 else {}
                script.append({"bar": bar, "symbol": symbol, **flags, **size})
    return script


def _stops(draw: random.Random, options: dict[str, Any]) -> None:
    """Stops; of symbols with a common purse they would fill before the orders of the close (docs/parity/vectorbt.md)."""
    kind = draw.choice(("stop", "target", "both", "trail", "trail and target"))
    if kind != "target":
        options["sl_stop"] = draw.choice((0.005, 0.02, 0.05))
    if kind in ("target", "both", "trail and target"):
        options["tp_stop"] = draw.choice((0.005, 0.02, 0.08))
    options["sl_trail"] = kind.startswith("trail")
    options["stop_exit_price"] = draw.choice(("stoplimit", "stoplimit", "stopmarket"))
    nearest = min(options[key] for key in ("sl_stop", "tp_stop") if options[key] is not None)
    bases = ["close", "price", "valprice"]  # of a row that trades at its close, all the same
    if not options["sl_trail"] and nearest > 2.0 * options["slippage"]:  # else the stop is hit where it is armed
        bases = ["close", "price", "fillprice", "fillprice"]
    options["stop_entry_price"] = draw.choice(bases)
    options |= {"cash_sharing": False, "call_seq": "default", "allow_partial": True, "max_size": None, "min_size": 1e-8}
    if options["size_granularity"] == 0.1:  # leaves a rest of 0.1 that keeps its stops
        options["size_granularity"] = 0.5
