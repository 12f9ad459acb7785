"""What a fill costs (costs.md)."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from cases import Bar
from outcome import OPEN, ZERO, Moment, Order

from .path import Course
from .trigger import is_first_meeting, is_same
from .world import World, number, sign

DAY = 86_400 * 10**9
MARKET = ("volume_share", "square_root", "volatility", "spread")


class NoPriceLeft(Exception):
    """A sale of this order is beyond what its model of the market can tell: the run ends with an error."""


@dataclass(frozen=True)
class Deal:
    """An order meets the market: `side`, reference price and price of each unit, and what its fees depend on."""

    order: Order
    bar: Bar
    side: int
    reference: Decimal
    price: Decimal
    is_maker: bool


def deal(world: World, order: Order, quantity: Decimal, moment: Moment, course: Course | None) -> Deal:
    """The deal for this signed quantity. A close-out is one on the last bar that has ended."""
    bar = last_bar(world, order.symbol) if course is None else course.bar
    price = slipped(world, order, quantity, moment, bar)
    return Deal(order, bar, sign(quantity), moment.price, price, is_maker(world, order, moment, bar))


def last_bar(world: World, symbol: str) -> Bar:
    """The symbol's last bar that has ended."""
    return [bar for bar in world.bars_of[symbol] if bar.end <= world.now][-1]


def is_maker(world: World, order: Order, moment: Moment, bar: Bar) -> bool:
    """A limit order that had rested: not at its first meeting, not at the moment of its trigger."""
    if not order.has_limit or is_first_meeting(world, order, bar, moment):
        return False
    return not (
        order.is_triggered and order.since is not None and order.since[0] is bar and is_same(moment, order.since[1])
    )


def model(world: World, symbol: str, name: str) -> dict[str, Any]:
    own: dict[str, Any] | None = world.costs.get("symbols", {}).get(symbol, {}).get(name)
    terms = own if own is not None else world.costs.get(name, {"kind": "none"})
    return terms if terms.get("kind") != "table" else row_of(terms["path"], symbol)


def row_of(path: str, symbol: str) -> dict[str, Any]:
    """What a table of fees says of the symbol, or else of `*`; an empty cell is no such term."""
    with Path(path).open(encoding="utf-8") as file:
        rows = {row["symbol"]: row for row in csv.DictReader(file)}
    cells = {
        name: float(cell) for name, cell in rows.get(symbol, rows.get("*", {})).items() if name != "symbol" and cell
    }
    for written, meant in (("per_unit", "per_share"), ("maker_rate", "maker"), ("taker_rate", "taker")):
        if written in cells:
            cells[meant] = cells.pop(written)
    return {"kind": "table", **cells}


# ---------------------------------------------------------------------------------------------------------- commission


def commission(world: World, of: Deal, quantity: Decimal) -> Decimal:
    """What a fill of this size pays: what it adds to the commission of its order, its own fees and taxes."""
    value = quantity * abs(of.price) * world.multiplier(of.order.symbol)
    own = fill_commission(world, of, value) + tax(world, of, quantity, value)
    return added_commission(world, of.order, quantity, value) + own


def added_commission(world: World, order: Order, quantity: Decimal, value: Decimal) -> Decimal:
    """Choice: an order without a fill has paid nothing."""
    terms = model(world, order.symbol, "commission")
    before = order_commission(world, terms, order.filled, order.value) if order.filled > 0 else ZERO
    return max(order_commission(world, terms, order.filled + quantity, order.value + value) - before, ZERO)


def order_commission(world: World, terms: dict[str, Any], quantity: Decimal, value: Decimal) -> Decimal:
    """commission(Q, V)."""
    if terms["kind"] in ("monthly_tiered", "per_fill"):
        return ZERO
    if terms["kind"] == "tiered":
        tiers = terms["tiers"]
        rate = next(
            number(t["rate"]) for t in tiers if t.get("up_to") is None or not world.is_less(number(t["up_to"]), value)
        )
    else:
        rate = number(terms.get("rate", 0.0))
    per_unit = number(terms.get("per_share", terms.get("per_contract", 0.0)))
    total = number(terms.get("fixed", 0.0)) + per_unit * quantity + rate * value
    total = max(total, number(terms.get("minimum", 0.0)))
    caps = [number(terms["maximum"])] if terms.get("maximum") is not None else []
    caps += [number(terms["cap_rate"]) * value] if terms.get("cap_rate") is not None else []
    return min([total, *caps])


def fill_commission(world: World, of: Deal, value: Decimal) -> Decimal:
    """What the fill pays of its own value: by maker and taker, by the month, or by itself."""
    terms = model(world, of.order.symbol, "commission")
    if terms["kind"] == "per_fill":
        return number(terms.get("fixed", 0.0)) + number(terms.get("rate", 0.0)) * value
    if terms["kind"] == "monthly_tiered":
        before = world.traded[world.month]
        tiers = terms["tiers"]
        tier = next(t for t in tiers if t.get("up_to") is None or not world.is_less(number(t["up_to"]), before))
        is_better = of.is_maker and tier.get("maker") is not None
        return number(tier["maker" if is_better else "rate"]) * value
    return number(terms.get("maker" if of.is_maker else "taker", 0.0)) * value


def tax(world: World, of: Deal, quantity: Decimal, value: Decimal) -> Decimal:
    own: dict[str, Any] | None = world.costs.get("symbols", {}).get(of.order.symbol, {}).get("tax")
    terms = own if own is not None else world.costs.get("tax", {})
    if of.side > 0:
        return number(terms.get("buy_rate", 0.0)) * value
    by_unit = number(terms.get("sell_per_unit", 0.0)) * quantity
    if terms.get("sell_cap") is not None:
        by_unit = min(by_unit, number(terms["sell_cap"]))
    return number(terms.get("sell_rate", 0.0)) * value + by_unit


def month_of(bar: Bar) -> tuple[int, int]:
    """Year and month of the bar's session."""
    day = dt.date(1970, 1, 1) + dt.timedelta(days=(bar.session_close - 1) // DAY)
    return day.year, day.month


# ------------------------------------------------------------------------------------------------------------ slippage


def slipped(world: World, order: Order, quantity: Decimal, moment: Moment, bar: Bar) -> Decimal:
    """The price after slippage, spread and rounding to the tick."""
    reference, side = moment.price, sign(quantity)
    stop = model(world, order.symbol, "stop_slippage")
    is_exempt = order.trigger != "none" and stop["kind"] == "exempt"
    if order.has_limit or is_exempt:
        return reference
    models = [model(world, order.symbol, name) for name in ("slippage", "spread")]
    models += [stop] if order.trigger != "none" else []
    tick = world.instrument(order.symbol, "tick_size", 0.0)
    distance = market(world, models[0], abs(quantity), moment, bar)
    for terms in models:
        distance += number(terms.get("rate", 0.0)) * reference + number(terms.get("amount", 0.0))
        distance += number(terms.get("ticks", 0.0)) * tick
    if distance == 0:
        return reference
    if side < 0 and models[0]["kind"] in MARKET and 0 < reference <= distance:
        raise NoPriceLeft(order.id)
    price = world.to_tick(order.symbol, reference + side * distance, up=side > 0)
    return max(price, ZERO) if side < 0 and reference >= 0 else price


def market(world: World, terms: dict[str, Any], quantity: Decimal, moment: Moment, bar: Bar) -> Decimal:
    """What the state of the market adds per unit."""
    kind, reference = terms["kind"], moment.price
    if kind == "volume_share":
        volume = number(bar.volume)
        share = min(quantity / volume, Decimal(1)) if volume else Decimal(1)
        return number(terms["impact"]) * share * share * reference
    if kind == "square_root":
        volumes = [sum((number(b.volume) for b in day), ZERO) for day in days_before(world, bar)][-terms["window"] :]
        average = sum(volumes, ZERO) / len(volumes)
        root = (quantity / average).sqrt()
        return number(terms["coefficient"]) * volatility(world, bar, terms["window"]) * root * reference
    if kind == "volatility":
        return number(terms["share"]) * volatility(world, bar, terms["window"]) * reference
    if kind == "spread":
        bid, ask = (bar.open_bid, bar.open_ask) if moment.leg == OPEN else (bar.bid, bar.ask)
        assert bid is not None
        assert ask is not None
        return number(terms["share"]) * (number(ask) - number(bid))
    return ZERO


def days_before(world: World, bar: Bar) -> list[list[Bar]]:
    """The bars of each session of the symbol before that of the bar."""
    days: dict[int, list[Bar]] = {}
    for each in world.bars_of[bar.symbol]:
        if each.session_close < bar.session_close:
            days.setdefault(each.session_close, []).append(each)
    return list(days.values())


def volatility(world: World, bar: Bar, window: int) -> Decimal:
    """Sample standard deviation of the last daily log returns."""
    closes = [number(day[-1].close) for day in days_before(world, bar)][-window - 1 :]
    assert len(closes) == window + 1, "the cases trade where volatility is known"
    returns = [(later / earlier).ln() for earlier, later in pairwise(closes)]
    mean = sum(returns, ZERO) / window
    return (sum(((r - mean) ** 2 for r in returns), ZERO) / (window - 1)).sqrt()
