"""What a run leaves behind, in the same words for every engine, and the first place where two of them differ."""

import math
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fill:
    """One execution. `bar`: number of the bar; `order`: the script's name for the order; `quantity` signed."""

    bar: int
    symbol: str
    order: str
    price: float
    quantity: float
    fee: float


@dataclass(frozen=True)
class Point:
    """The account after bar number `bar`."""

    bar: int
    cash: float
    equity: float


@dataclass(frozen=True)
class Book:
    """Fills and account points in order of time; `orders`: what became of each order, by its name; `error`: why the run failed."""

    fills: list[Fill] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> "Book":
        """The book that a peer sent."""
        fills = [Fill(*row) for row in table["fills"]]
        points = [Point(*row) for row in table["points"]]
        return cls(fills, points, table["orders"], table.get("error"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Book) and difference(self, other) is None

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Difference:
    """The first divergence: `kind` fill, order, cash, equity or error; where; the two values."""

    kind: str
    bar: int
    ours: Any
    theirs: Any
    detail: str


def is_close(a: float, b: float, scale: float = 1.0) -> bool:
    """Whether two numbers are equal at 1e-9, relative to the largest of them, `scale` and 1."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b), scale, 1.0)


def difference(ours: Book, theirs: Book) -> Difference | None:
    """The first divergence in time of two books, None where they are equal. Errors come before everything."""
    if (ours.error is None) != (theirs.error is None):
        return Difference("error", 0, ours.error, theirs.error, "one of the engines refused the case")
    found = [*_fills(ours, theirs), *_points(ours, theirs), *_orders(ours, theirs)]
    return min(found, key=lambda one: one.bar) if found else None  # stable: of one bar, fills come first


def _fills(ours: Book, theirs: Book) -> list[Difference]:
    for mine, other in zip(ours.fills, theirs.fills, strict=False):
        for name in ("bar", "symbol", "order"):
            if getattr(mine, name) != getattr(other, name):
                return [Difference("fill", min(mine.bar, other.bar), mine, other, name)]
        for name in ("price", "quantity", "fee"):
            if not is_close(getattr(mine, name), getattr(other, name), 0.0 if name == "price" else 1.0):
                return [Difference("fill", mine.bar, mine, other, name)]
    shorter = min(len(ours.fills), len(theirs.fills))
    if len(ours.fills) == len(theirs.fills):
        return []
    extra = (ours.fills if len(ours.fills) > shorter else theirs.fills)[shorter]
    who = (extra, None) if len(ours.fills) > shorter else (None, extra)
    return [Difference("fill", extra.bar, *who, "missing")]


def _points(ours: Book, theirs: Book) -> list[Difference]:
    if [point.bar for point in ours.points] != [point.bar for point in theirs.points]:
        return [Difference("equity", 0, len(ours.points), len(theirs.points), "number of account points")]
    scale = max((abs(point.equity) for point in theirs.points), default=1.0)
    for mine, other in zip(ours.points, theirs.points, strict=True):
        for name in ("cash", "equity"):
            if not is_close(getattr(mine, name), getattr(other, name), scale):
                return [Difference(name, mine.bar, getattr(mine, name), getattr(other, name), name)]
    return []


def _orders(ours: Book, theirs: Book) -> list[Difference]:
    last = max((point.bar for point in theirs.points), default=0)
    for name in sorted(ours.orders.keys() | theirs.orders.keys()):
        mine, other = ours.orders.get(name), theirs.orders.get(name)
        if mine != other:
            return [Difference("order", last, mine, other, f"outcome of order {name}")]
    return []
