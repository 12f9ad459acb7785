"""Random cases for vectorbt: options are its arguments under their own names, None for what it spells NaN or infinite."""

import math
import random
from collections.abc import Sequence
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
    "upon_stop_exit": "close",
    "upon_stop_update": "override",
    "price": "close",  # or open, or the middle of high and low
    "val_price": None,  # or "previous": the close before
    "update_value": False,
}
STOP_MODES = ("close", "closereduce", "reverse", "reversereduce")
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


def of_column(value: Any, column: int) -> Any:
    """An option's value for a column: a list has one for each."""
    return value[column] if isinstance(value, list) else value


def sequence(options: dict[str, Any], bar: int, columns: int) -> list[int]:
    """The columns in the order in which a row calls them; `call_seq` is a name, or the seed of an order for each row."""
    called = list(range(columns))
    if options["call_seq"] == "reversed":
        called.reverse()
    elif isinstance(options["call_seq"], int):
        random.Random(f"{options['call_seq']}:{bar}").shuffle(called)  # noqa: S311
    return called


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
        options |= {"cash_sharing": True, "call_seq": draw.choice(("default", "reversed", "auto", 7))}
    if draw.random() < 0.3:
        options["price"] = draw.choice(("open", "middle"))
    if draw.random() < 0.2 and not options["lock_cash"]:
        options["val_price"] = "previous"
    if options["call_seq"] == "auto":  # sorts by values at the close
        options |= {"price": "close", "val_price": None}
    script = (_orders if options["method"] == "orders" else _signals)(draw, options, symbols, count, unit)
    return Case("vectorbt", rows, options, script)


def _size(draw: random.Random, kind: str, unit: float) -> float:
    return draw.choice(SIZES[kind]) * (unit if kind.endswith("value") else 1.0)


def _orders(
    draw: random.Random, options: dict[str, Any], symbols: list[str], count: int, unit: float
) -> list[dict[str, Any]]:
    options["size_type"] = kind = draw.choice(list(SIZES))
    kinds = draw.choice(((kind,), (kind,), tuple(SIZES)))  # of one type, or each of its own
    if options["cash_sharing"] and "targetpercent" in kinds:
        if options["price"] != "close":  # all columns are valued at prices that only one of them trades at
            kinds = ("value", "targetvalue", "percent")
        elif draw.random() < 0.7 and options["val_price"] is None:
            options |= {"update_value": True, "slippage": 0.0}
    density, script = draw.choice((0.2, 0.6)), list[dict[str, Any]]()
    for bar in range(count):
        for symbol in symbols:
            own = draw.choice(kinds)
            if draw.random() >= density or (bar == 0 and options["val_price"] and is_of_value(own)):
                continue
            size = draw.choice((-1.0, 1.0)) * _size(draw, own, unit)
            script.append({"bar": bar, "symbol": symbol, "size": size, **({"size_type": own} if own != kind else {})})
            if draw.random() < 0.02:
                script[-1]["slippage"] = 0.003
    return script


def is_of_value(size_type: str) -> bool:
    """Whether sizes of this type need a price to become units."""
    return size_type.endswith("value") or size_type == "targetpercent"


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
    accumulates = ("disabled", "addonly") if kind == "percent" else CHOICES["accumulate"]
    if draw.random() < 0.6:
        _stops(draw, options, accumulates)
    else:
        options["accumulate"] = draw.choice(accumulates)
    names = FLAGS if draw.random() < 0.5 else FLAGS[:2]
    own = [name for name in ("sl", "tp") if options[f"{name}_stop"] is not None and draw.random() < 0.3]
    script = []
    for bar in range(count):
        for symbol in symbols:
            flags = {name: True for name in names if draw.random() < 0.25}
            if flags and not (bar == 0 and options["val_price"] and kind == "value"):
                size = {"size": _size(draw, kind, unit)} if draw.random() < 0.3 else {}
                stops = {name: draw.choice((0.01, 0.04, None)) for name in own if draw.random() < 0.2}
                script.append({"bar": bar, "symbol": symbol, **flags, **size, **stops})
    return script


def _stops(draw: random.Random, options: dict[str, Any], accumulates: Sequence[str]) -> None:
    """Stops: one half such that orders in the book come to the same (docs/parity/vectorbt.md), the other half of every kind."""
    kind = draw.choice(("stop", "target", "both", "trail", "trail and target"))
    if kind != "target":
        options["sl_stop"] = draw.choice((0.005, 0.02, 0.05))
    if kind in ("target", "both", "trail and target"):
        options["tp_stop"] = draw.choice((0.005, 0.02, 0.08))
    options["sl_trail"] = kind.startswith("trail")
    bases = ["close", "price", "valprice", "fillprice"]
    if draw.random() < 0.5:
        options["stop_exit_price"] = draw.choice(("stoplimit", "stopmarket", "close", "price"))
        options["stop_entry_price"] = draw.choice(bases)
        options["accumulate"] = draw.choice(accumulates)
        options["upon_stop_update"] = draw.choice(("override", "keep", "overridenan"))
        modes = ("close", "closereduce") if options["size_type"] == "percent" else STOP_MODES
        options["upon_stop_exit"] = draw.choice(modes)
        return
    options["stop_exit_price"] = draw.choice(("stoplimit", "stoplimit", "stopmarket"))
    nearest = min(options[key] for key in ("sl_stop", "tp_stop") if options[key] is not None)
    if options["sl_trail"] or nearest <= 2.0 * options["slippage"]:  # else the stop is hit where it is armed
        bases = ["close", "price", "valprice"]  # of a row that trades at its close, all the same
    options["stop_entry_price"] = draw.choice([*bases, bases[-1]])
    options |= {"cash_sharing": False, "call_seq": "default", "allow_partial": True, "max_size": None, "min_size": 1e-8}
    options |= {"price": "close", "val_price": None}
    if options["size_granularity"] == 0.1:  # leaves a rest of 0.1 that keeps its stops
        options["size_granularity"] = 0.5
