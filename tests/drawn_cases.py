"""Hypothesis strategies of cases: few bars, few requests, simple where they can be, so that a failure shrinks to something readable."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cases import (
    DAY,
    EPOCH,
    HOUR,
    TICK,
    Bar,
    Cancel,
    CancelAll,
    Case,
    Link,
    Replace,
    Request,
    Submit,
    random_case,
    random_config,
)
from random_bars import dressed

Draw = Any
"""What Hypothesis passes to a composite strategy."""

HEAVY = os.environ.get("ML4T_PROPERTIES") == "heavy"
EFFORT = settings(
    max_examples=3000 if HEAVY else 100,
    derandomize=not HEAVY,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""CI draws the same cases every time; `ML4T_PROPERTIES=heavy` draws thirty times as many, and new ones."""

TICKS = st.integers(-6, 6)
MISSING = st.sampled_from((False, False, False, False, True))
WICKS = st.sampled_from((0, 1, 2, 6))
SHAPES = st.lists(st.tuples(MISSING, TICKS, TICKS, WICKS, WICKS), min_size=3, max_size=12)
QUANTITIES = st.sampled_from((1.0, 2.0, 5.0, 10.0, 20.0, 40.0))
FRACTIONS = st.sampled_from((0.5, 0.1, 1.0, 1.25))
METHODS = st.sampled_from(
    (
        "buy",
        "sell",
        "buy",
        "buy",
        "sell",
        "buy",
        "close",
        "order_target_quantity",
        "order_target_value",
        "order_target_percent",
    )
)
CHANGES = st.sampled_from(("submit",) * 6 + ("child", "child", "link", "cancel", "cancel", "replace", "cancel_all"))
TRIGGERS = st.sampled_from(("stop", "stop", "touch", "trail"))
DISTANCES = st.integers(1, 8).map(lambda ticks: {"amount": ticks * TICK})
EXITS = st.fixed_dictionaries(
    {"stop_loss": DISTANCES},
    optional={
        "take_profit": DISTANCES,
        "trailing_stop": DISTANCES,
        "break_even": DISTANCES,
        "max_bars": st.integers(1, 3),
    },
)
PER_DAY = 4


@st.composite
def cases(draw: Draw, config: dict[str, dict[str, Any]] | None = None) -> Case:
    """A case; `config` fixes fields of its sections."""
    universe = draw(st.permutations(["A", "B", "C"][: draw(st.integers(1, 3))]))
    bars = [bar for symbol in universe for bar in draw(walks(symbol))]
    rng = draw(st.randoms(use_true_random=False))
    settings = random_config(rng, universe, rich=draw(st.booleans()))
    for section, fields in (config or {}).items():
        settings[section] = {**settings.get(section, {}), **fields}
    bars = dressed(rng, bars, settings, scarce="participation" in settings["fills"], events=False)
    return Case(bars, universe, settings, draw(scripts(bars, universe, settings)))


def seeded_cases() -> st.SearchStrategy[Case]:
    """The cases of the oracle's suite, at seeds it does not use: longer and wilder, but shrinking nowhere."""
    return st.integers(10**6, 2 * 10**6).map(random_case)


@st.composite
def walks(draw: Draw, symbol: str) -> list[Bar]:
    """Bars of a symbol in some of the first hours, on the quarter grid; at least one."""
    bars, close = [], 100.0
    for n, (is_missing, gap, body, above, below) in enumerate(draw(SHAPES)):
        open_ = close + gap * TICK
        close = open_ + body * TICK
        high, low = max(open_, close) + above * TICK, min(open_, close) - below * TICK
        if not is_missing or n == 0:
            bars.append(Bar(symbol, *_slot(n), open_, high, low, close))
    return bars


def _slot(n: int) -> tuple[int, int, int]:
    day = EPOCH + n // PER_DAY * DAY
    start = day + (10 + n % PER_DAY) * HOUR
    return start, start + HOUR, day + DAY


@st.composite
def scripts(draw: Draw, bars: list[Bar], universe: list[str], config: dict[str, Any]) -> dict[int, list[Request]]:
    """Up to three requests a decision, none that the broker must refuse."""
    script: dict[int, list[Request]] = {}
    submitted: list[Submit] = []
    for n, now in enumerate(sorted({bar.end for bar in bars})):
        last = {bar.symbol: bar for bar in sorted(bars, key=lambda bar: bar.end) if bar.end <= now}
        for _ in range(draw(st.sampled_from((0, 1, 1, 2, 3)))):
            request = draw(requests(universe, last, now, submitted, config))
            script.setdefault(n, []).append(request)
            if isinstance(request, Submit):
                submitted.append(request)
    return script


@st.composite
def requests(
    draw: Draw, universe: list[str], last: dict[str, Bar], now: int, submitted: list[Submit], config: dict[str, Any]
) -> Request:
    """A request at a time at which these bars were the last of their symbols."""
    change = draw(CHANGES) if submitted else "submit"
    if change == "submit":
        return draw(submissions(universe, last, now, config))
    if change == "cancel_all":
        return CancelAll(draw(st.sampled_from((None, *universe))))
    nth = draw(st.integers(0, len(submitted) - 1))
    if change == "link":
        return Link(tuple({nth, draw(st.integers(0, len(submitted) - 1))}))
    if change == "child" and submitted[nth].method in ("buy", "sell"):
        return draw(children(nth, submitted[nth]))
    kwargs = submitted[nth].kwargs
    fields = {
        name: kwargs[name] + draw(TICKS) * TICK for name in ("limit", "stop") if isinstance(kwargs.get(name), float)
    }
    if "quantity" in kwargs and draw(st.booleans()):
        fields["quantity"] = draw(QUANTITIES)
    return Replace(nth, fields) if change == "replace" and fields else Cancel(nth)


@st.composite
def submissions(draw: Draw, universe: list[str], last: dict[str, Bar], now: int, config: dict[str, Any]) -> Submit:
    """A new order, at prices near the symbol's last bar."""
    symbol, method = draw(st.sampled_from(universe)), draw(METHODS)
    if symbol not in last and method not in ("buy", "sell"):
        method = "buy"
    if method == "close":
        return Submit(method, symbol)
    kwargs = draw(amounts(method, symbol in last, config))
    price = last[symbol].close if symbol in last else 100.0
    if not (method.startswith("order_target") and config["orders"]["valuation"] == "fill_price"):
        kwargs |= draw(prices(price))
    kwargs |= draw(lives(now, waits=not {"stop", "touch", "trail"}.isdisjoint(kwargs)))
    if method == "buy" and draw(MISSING):
        return Submit(method, symbol, {**kwargs, **draw(EXITS)})
    if method in ("buy", "sell") and draw(st.booleans()) and draw(st.booleans()):
        kwargs["reduce_only"] = True
    return Submit(method, symbol, kwargs)


@st.composite
def children(draw: Draw, nth: int, parent: Submit) -> Submit:
    """A child on the other side, at prices relative to the parent's fill."""
    kwargs: dict[str, Any] = {"parent": nth, "fraction": draw(st.sampled_from((1.0, 0.5)))}
    kind = draw(st.sampled_from(("market", "limit", "stop", "trail")))
    way = draw(TICKS) * TICK
    if kind == "trail":
        kwargs["trail"] = draw(DISTANCES)
    elif kind != "market":
        kwargs[kind] = {"amount": way, "of": draw(st.sampled_from(("fill", "average")))}
    return Submit("sell" if parent.method == "buy" else "buy", parent.symbol, kwargs)


@st.composite
def prices(draw: Draw, price: float) -> dict[str, Any]:
    """What the order waits for, near this price."""
    kind = draw(st.sampled_from(("market", "limit", "trigger", "both")))
    kwargs: dict[str, Any] = {}
    if kind in ("trigger", "both"):
        trigger = draw(TRIGGERS)
        kwargs[trigger] = draw(DISTANCES) if trigger == "trail" else price + draw(TICKS) * TICK
        if draw(MISSING):
            kwargs["activation"] = price + draw(TICKS) * TICK
    if kind in ("limit", "both"):
        kwargs["limit"] = price + draw(TICKS) * TICK
    return kwargs


@st.composite
def lives(draw: Draw, now: int, *, waits: bool) -> dict[str, Any]:
    """A time in force with what belongs to it."""
    tif = draw(st.sampled_from(("GTC", "GTC", "DAY", "GTD", "BARS", *(() if waits else ("IOC", "FOK", "OPG", "CLS")))))
    if tif == "GTD":
        return {"tif": tif, "until": now + draw(st.sampled_from((HOUR, HOUR // 2, 20 * HOUR)))}
    return {"GTC": {}, "BARS": {"tif": tif, "bars": draw(st.integers(1, 3))}}.get(tif, {"tif": tif})


@st.composite
def amounts(draw: Draw, method: str, has_price: bool, config: dict[str, Any]) -> dict[str, float]:
    """How much is asked for."""
    multiplier = config["instruments"]["default"]["multiplier"]
    if method in ("buy", "sell"):
        kind = draw(st.sampled_from(("quantity", "quantity", "value", "percent"))) if has_price else "quantity"
        value = {"quantity": QUANTITIES, "value": st.just(1500.0 * multiplier), "percent": FRACTIONS}[kind]
        return {kind: draw(value)}
    sign = -1 if config["account"]["kind"] == "margin" and draw(st.booleans()) else 1
    wanted = {"quantity": QUANTITIES, "value": st.just(2000.0 * multiplier), "percent": FRACTIONS}
    return {"target": sign * draw(wanted[method.removeprefix("order_target_")])}
