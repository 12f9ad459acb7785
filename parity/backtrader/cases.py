"""Random cases for backtrader."""

import random
from typing import Any

from parity.bars import bars, near
from parity.case import Case

DEFAULTS: dict[str, Any] = {
    "cash": 10_000.0,
    "commission": {"kind": "none"},
    "percabs": True,
    "leverage": 1.0,
    "margin": None,
    "automargin": False,
    "mult": 1.0,
    "shortcash": True,
    "slip_perc": 0.0,
    "slip_fixed": 0.0,
    "slip_open": False,
    "slip_limit": True,
    "slip_match": True,
    "slip_out": False,
    "coc": False,
    "coo": False,
    "checksubmit": True,
}

CHOICES: dict[str, list[Any]] = {
    "cash": [10_000.0, 1_000_000.0, 777.0],
    "commission": [
        {"kind": "none"},
        {"kind": "percent", "rate": 0.002},
        {"kind": "percent", "rate": 0.03},
        {"kind": "per_unit", "amount": 0.05},
    ],
    "percabs": [True, True, False],
    "leverage": [1.0, 1.0, 2.0, 7.0],
    "margin": [None, None, 0.05, 0.7],  # of the first close
    "automargin": [False, False, 0.1, 1.5, -1],
    "mult": [1.0, 5.0, 0.3],
    "shortcash": [True, True, False],
    "slip_perc": [0.0, 0.0, 0.002, 0.02],
    "slip_fixed": [0.0, 0.0, 0.003, 0.02],  # of the first close
    "slip_open": [False, True],
    "slip_limit": [True, False],
    "slip_match": [True, False],
    "slip_out": [False, False, True],
    "coc": [False, False, True],
    "coo": [False, False, True],
    "checksubmit": [True, True, False],
}

GRAIN = 2**20  # sizes whose sums are exact: else dust of an order may stay alive (docs/parity/backtrader.md)
PLAIN = ("market", "market", "limit", "stop", "stop_limit")
GAPPED = (*PLAIN, "limit", "stop_limit", "trail", "trail_limit")
TYPES = (*GAPPED, "close")


def draw(draw: random.Random) -> Case:
    """A random case: up to 40 bars of up to three feeds, and up to 25 requests."""
    options = {key: draw.choice(values) for key, values in CHOICES.items()}
    options["coc"] = options["coc"] and not options["coo"]  # both at once: a close after the fill
    first = bars(draw, draw.randint(4, 40))
    unit = first[0][3]
    feeds: dict[str, list[list[float] | None]] = {"A": [*first]}
    for symbol in ("B", "C")[: draw.choice((0, 0, 1, 2))]:
        feeds[symbol] = [*bars(draw, len(first), unit)]
    has_gaps = len(feeds) > 1 and draw.random() < 0.5
    if has_gaps:
        options["coo"] = False
        for symbol in sorted(feeds)[1:]:
            feeds[symbol] = [row if draw.random() < 0.7 or not bar else None for bar, row in enumerate(feeds[symbol])]
    kinds = PLAIN if options["coo"] else GAPPED if has_gaps else TYPES
    scheme(draw, options, unit)
    options["cash"] *= unit / 100.0 * draw.uniform(0.8, 1.2)
    options["slip_fixed"] *= unit
    if options["commission"]["kind"] == "per_unit":
        options["commission"] = {"kind": "per_unit", "amount": 0.01 * unit}
    script: list[dict[str, Any]] = []
    for number, bar in enumerate(sorted(draw.randint(0, len(first) - 2) for _ in range(draw.randint(1, 25)))):
        script.append(request(draw, feeds, bar, f"r{number}", options, script, kinds))
    return Case("backtrader", feeds, options, script)


def is_futures_like(options: dict[str, Any]) -> bool:
    """Whether positions tie up a margin."""
    return bool(options["margin"] or options["automargin"])


def margin_of(options: dict[str, Any], price: float) -> float:
    """What a unit of a futures-like position ties up at this price (CommInfoBase.get_margin)."""
    if options["automargin"]:
        return float(price * (options["mult"] if options["automargin"] < 0 else options["automargin"]))
    return float(options["margin"])


def scheme(draw: random.Random, options: dict[str, Any], unit: float) -> None:
    """The commission scheme is one of the package's kinds: like stocks, perhaps with leverage, or like futures."""
    kind = draw.choice(("stock", "stock", "leverage", "margin", "automargin"))
    if kind != "leverage":
        options["leverage"] = 1.0
    if kind != "margin" and kind != "automargin":
        options.update(margin=None, automargin=False, mult=1.0)
    elif kind == "margin":
        options.update(margin=(options["margin"] or 0.2) * unit, automargin=False)
    elif not options["automargin"]:
        options["automargin"] = 0.25
    elif draw.random() < 0.5:
        options["margin"] = None


def request(
    draw: random.Random,
    feeds: dict[str, list[list[float] | None]],
    bar: int,
    name: str,
    options: dict[str, Any],
    before: list[dict[str, Any]],
    kinds: tuple[str, ...],
) -> dict[str, Any]:
    """One thing a strategy may ask for when a bar has ended."""
    kind, symbol = draw.random(), draw.choice(sorted(feeds))
    if before and kind < 0.06:
        return {"bar": bar, "do": "close", "id": name, "symbol": symbol}
    if before and kind < 0.14:
        one = draw.choice(before[-6:]).get("id", "r0")
        return {"bar": bar, "do": "cancel", "order": draw.choice((one, one, f"{one}.sl", f"{one}.tp"))}
    row = next(row for row in reversed(feeds[symbol][: bar + 1]) if row is not None)
    made = order(draw, row, options, kinds)
    made = {"bar": bar, "do": "order", "id": name, "symbol": symbol, **made}
    if kind > 0.82:
        return bracket(draw, row, made, options)
    alone = [one["id"] for one in before if one["do"] == "order" and one["bar"] >= bar - 3]
    if alone and kind > 0.65:
        made["oco"] = draw.choice(alone)
    return made


def order(draw: random.Random, row: list[float], options: dict[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
    """The terms of one order."""
    units = options["cash"] / (margin_of(options, row[3]) if is_futures_like(options) else row[3] / options["leverage"])
    size = units * draw.choice((0.05, 0.2, 0.5, 0.9, 1.5))
    size = (
        max(1.0, float(round(size)))
        if draw.random() < 0.5
        else round(size * draw.uniform(0.7, 1.3) * GRAIN + 1) / GRAIN
    )
    made: dict[str, Any] = {"side": draw.choice((1, 1, -1)), "size": size, "type": draw.choice(kinds)}
    if made["type"] in ("limit", "stop", "stop_limit"):
        made["price"] = near(draw, row)
    if made["type"] == "stop_limit":
        made["second"] = near(draw, row)
    if made["type"] in ("trail", "trail_limit"):
        made.update(trail(draw, row))
    if made["type"] == "trail_limit":  # the limit's distance from the close is that from the stop
        made.update(price=row[3], second=near(draw, row, 0.5))
    if made["type"] not in ("market", "close") and draw.random() < 0.4:
        lives: tuple[int | str, ...] = (0, 1, 2, 3, 7, "zero")
        made["valid"] = draw.choice(lives if kinds is GAPPED else (*lives, "float"))  # a float ends at an old bar, too
    return made


def trail(draw: random.Random, row: list[float]) -> dict[str, float]:
    """How far a trailing stop is from the close."""
    span = max(row[1] - row[2], 0.002 * row[3]) * draw.uniform(0.1, 2.0)
    return {"amount": min(span, 0.9 * row[3])} if draw.random() < 0.5 else {"percent": min(span / row[3], 0.9)}


def bracket(draw: random.Random, row: list[float], made: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The same order with a stop and a limit that end each other."""
    price = made.get("price", row[3])
    span = max(row[1] - row[2], 0.002 * price)
    made = {**made, "do": "bracket", "stop_type": "stop"}
    made["guard"] = max(price - made["side"] * span * draw.uniform(0.05, 2.0), 0.05 * price)
    if draw.random() < 0.3 and not options["coo"]:
        made["stop_type"], made["stop_trail"] = "trail", trail(draw, row)
    for ends in ("stop_valid", "limit_valid"):
        if draw.random() < 0.2:
            made[ends] = draw.choice((0, 1, 3, 7))
    made["take"] = max(price + made["side"] * span * draw.uniform(0.05, 2.0), 0.05 * price)
    return made
