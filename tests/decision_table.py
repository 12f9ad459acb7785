"""The decision table: every order type, side, time in force and way to meet a level, under every path and fill rule.

A row is one order of `QUANTITY` units, placed when bar 0 has closed at 100. Prices are written in u: `100 + d·u`, where d is the
direction in which the order's level lies (+1 or −1), so that a buy and a sell of the same name are mirror images. The level is u = 1.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from cases import DAY, EPOCH, HOUR, Bar, Case, Request, Submit

QUANTITY = 6.0
VOLUME, SHARE = 16.0, 0.25  # a bar has room for 4 units where volume counts

MEETINGS = {  # of bar 1: open, farthest towards the level, close
    "gap": (2.0, 3.0, 1.5),
    "touch_open": (1.0, 1.0, 0.25),
    "touch": (0.0, 1.0, 0.25),
    "cross": (0.0, 2.0, 0.75),
    "miss": (0.0, 0.75, 0.25),
}
WICKS = {"short": None, "long": -1.5}  # the other extreme of bar 1: none beyond open and close, or u = −1.5
LATER = ((0.25, 0.75, -0.25, 0.5), (0.5, 1.5, 0.0, 1.25))  # bars 2 and 3: one misses the level, one crosses it

LAYOUTS = {  # hours of the four bars; a session ends with its day
    "bars 1 and 2": (23, 34, 35, 58),  # are one session
    "bar 1": (10, 11, 34, 35),  # is the last of its session
}

PATHS = ("worst_first", "best_first", "open_high_low_close", "open_low_high_close", "nearest_extreme_first")
MARKETS = ("next_open", "next_close")
TOUCHES = ("always", "through")
VOLUMES = ("unlimited", "limited")

AT_ONCE = ("IOC", "FOK", "OPG", "CLS")
BY_SESSION = ("DAY", "OPG", "CLS")
VARIANTS = {  # of a type: of a limit that waits for a trigger, whether it is good enough there; of a trail, what moves it
    "market": ("",),
    "limit": ("",),
    "stop": ("",),
    "market_if_touched": ("",),
    "stop_limit": ("wide", "tight"),
    "limit_if_touched": ("wide", "tight"),
    "trailing_stop": ("path", "close"),
    "trailing_stop_limit": ("wide", "tight"),
}


@dataclass(frozen=True)
class Rules:
    """What the rows of one run share."""

    path: str
    market: str
    touch: str
    volume: str
    layout: str

    def config(self) -> dict[str, Any]:
        participation = {"share": SHARE} if self.volume == "limited" else None
        return {
            "account": {"kind": "margin", "cash": 1_000_000.0},
            "instruments": {"default": {"lot_size": 1.0, "tick_size": 0.0, "multiplier": 1.0}},
            "costs": {
                "commission": {"kind": "per_order", "fixed": 1.0},
                "slippage": {"kind": "fixed", "amount": 0.125},
            },
            "fills": {"path": self.path, "market": self.market, "touch": {"kind": self.touch}}
            | ({} if participation is None else {"participation": participation}),
        }

    def __str__(self) -> str:
        return f"{self.path}, {self.market}, touch {self.touch}, volume {self.volume}"


@dataclass(frozen=True)
class Row:
    type: str
    variant: str
    side: int
    tif: str
    meeting: str
    wick: str
    rules: Rules

    @property
    def direction(self) -> int:
        """In which the price must move to reach the order's level."""
        return -self.side if self.type in ("limit", "market_if_touched", "limit_if_touched") else self.side

    def price(self, u: float) -> float:
        return 100 + self.direction * u

    def bars(self) -> list[tuple[float, float, float, float]]:
        """Open, high, low and close of the four bars."""
        open_, far, close = MEETINGS[self.meeting]
        other = WICKS[self.wick]
        first = (open_, far, min(open_, close) if other is None else other, close)
        return [self._bar(*u) for u in ((0.0, 0.0, 0.0, 0.0), first, *LATER)]

    def _bar(self, open_: float, far: float, other: float, close: float) -> tuple[float, float, float, float]:
        up, down = (far, other) if self.direction > 0 else (other, far)
        return self.price(open_), self.price(up), self.price(down), self.price(close)

    def terms(self) -> dict[str, Any]:
        """The order's prices and life, as `Submit` takes them."""
        level, terms = self.price(1.0), dict[str, Any](tif=self.tif)
        if self.tif == "BARS":
            terms["bars"] = 1
        if self.type == "market":
            return terms
        if self.type == "limit":
            return terms | {"limit": level}
        behind = self.side * (0.5 if self.variant == "wide" else -0.5)  # a wide limit is good enough at the trigger
        if self.type in ("trailing_stop", "trailing_stop_limit"):
            if self.type == "trailing_stop":
                return terms | {"trail": {"amount": 1.0, "ratchet": self.variant}}
            return terms | {"trail": {"amount": 1.0}, "limit": {"amount": behind, "of": "stop"}}
        trigger = {"touch" if "touched" in self.type else "stop": level}
        return terms | trigger | ({"limit": level + behind} if self.variant else {})

    def submit(self, symbol: str) -> Submit:
        return Submit("buy" if self.side > 0 else "sell", symbol, {"quantity": QUANTITY, **self.terms()})

    def order(self) -> str:
        """The request in words."""
        terms = {name: value for name, value in self.terms().items() if name not in ("tif", "bars")}
        words = [f"{name} {_spelled(value)}" for name, value in terms.items()] or ["market"]
        tif = "BARS 1" if self.tif == "BARS" else self.tif
        return " ".join(["buy" if self.side > 0 else "sell", *words, tif])


def _spelled(value: Any) -> str:
    if not isinstance(value, dict):
        return f"{value:g}"
    if "of" in value:
        return f"{value['of']} {value['amount']:+g}"
    return f"{value['amount']:g}" + (" by closes" if value.get("ratchet") == "close" else "")


def table() -> Iterator[Row]:
    """Every row, in a fixed order."""
    for path, market, touch, volume, layout in product(PATHS, MARKETS, TOUCHES, VOLUMES, LAYOUTS):
        rules = Rules(path, market, touch, volume, layout)
        for order_type, side in product(VARIANTS, (1, -1)):
            has_limit = "limit" in order_type
            if touch != "always" and not has_limit:
                continue  # the rule is about limits
            tifs = ("GTC", "DAY", "BARS", *(AT_ONCE if order_type in ("market", "limit") else ()))
            for variant, tif, meeting, wick in product(VARIANTS[order_type], tifs, MEETINGS, WICKS):
                if layout != "bars 1 and 2" and tif not in BY_SESSION:
                    continue  # sessions do not matter to it
                yield Row(order_type, variant, side, tif, meeting, wick, rules)


def drawn(rows: list[Row], count: int, seed: int) -> list[Row]:
    """Rows by seed, of every type nearly as many: there are far more of those with two prices."""
    rng, chosen = random.Random(seed), list[Row]()
    by_type = [[row for row in rows if row.type == order_type] for order_type in VARIANTS]
    for nth in range(count):
        pool = by_type[nth % len(by_type)]
        chosen.append(pool.pop(rng.randrange(len(pool))))
    return chosen


def case(rows: Iterable[Row]) -> Case:
    """Rows of one set of rules as one case: a symbol for each, and an account that can take them all."""
    rows = list(rows)
    (rules,) = {row.rules for row in rows}
    symbols = [f"S{n:02}" for n in range(len(rows))]
    bars = [bar for symbol, row in zip(symbols, rows, strict=True) for bar in bars_of(symbol, row)]
    script: dict[int, list[Request]] = {0: [row.submit(symbol) for symbol, row in zip(symbols, rows, strict=True)]}
    return Case(bars, symbols, rules.config(), script)


def bars_of(symbol: str, row: Row) -> list[Bar]:
    starts = [EPOCH + hour * HOUR for hour in LAYOUTS[row.rules.layout]]
    return [
        Bar(symbol, start, start + HOUR, start - start % DAY + DAY, *prices, volume=VOLUME)
        for start, prices in zip(starts, row.bars(), strict=True)
    ]
