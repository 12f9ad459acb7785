"""Random small cases for the oracle and the engine: bars, a config and a script of requests by decision number."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outcome import Outcome

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
EPOCH = 17_902 * DAY  # 2019-01-06 00:00 UTC
TICK = 0.25

ORDER_TYPES = ("market", "limit", "stop", "stop_limit")
KINDS = ("gap", "touch", "cross")


@dataclass(frozen=True)
class Bar:
    """One bar of one symbol; times are UTC epoch nanoseconds."""

    symbol: str
    start: int
    end: int
    session_close: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 1000.0


@dataclass(frozen=True)
class Submit:
    """One call of a broker method that may make an order; `kwargs` holds the amount and the order's other fields."""

    method: str
    symbol: str
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancel:
    """Cancel the order of the nth `Submit` that was executed (0-based over the run)."""

    nth: int


@dataclass(frozen=True)
class Replace:
    """Replace fields of the order of the nth `Submit`; skipped when it is final, or `stop` is given once triggered."""

    nth: int
    fields: dict[str, float]


Request = Submit | Cancel | Replace


@dataclass(frozen=True)
class Case:
    """`script[n]` is what the strategy asks for on its nth `on_bar`; `label` is `session` or `start`."""

    bars: list[Bar]
    universe: list[str]
    config: dict[str, Any]
    script: dict[int, list[Request]]
    label: str = "start"


def random_case(seed: int) -> Case:
    """A small case that is full of exact touches, gaps, flat bars and scarce cash; the same for the same seed."""
    rng = random.Random(seed)
    layout = rng.choice(("session", "intraday", "intraday", "ragged"))
    universe = ["A", "B", "C"][: rng.choice((1, 1, 2, 2, 3))]
    rng.shuffle(universe)
    grid, session = _session_grid(rng) if layout == "session" else _intraday_grid(rng)
    bars: list[Bar] = []
    for symbol in universe:
        length = 2 if layout == "ragged" and rng.random() < 0.5 else 1
        missing = rng.choice((0.0, 0.0, 0.15, 0.4)) if len(universe) > 1 else rng.choice((0.0, 0.1))
        bars += _walk(rng, symbol, _merge(grid, length), missing)
    config = random_config(rng, universe)
    if session is not None:
        config["data"] = {"session": session}
    script = _Script(rng, bars, universe, config).requests()
    return Case(bars, universe, config, script, "session" if layout == "session" else "start")


Slot = tuple[int, int, int]
"""Start, end and session close of a bar."""


def _session_grid(rng: random.Random) -> tuple[list[Slot], None]:
    """Session-labelled days, weekends left out: S = D 00:00, E = session close = D+1 00:00 − 1 ns."""
    days = [day for day in range(60) if day % 7 < 5][: rng.randint(5, 40)]
    return [(EPOCH + day * DAY, EPOCH + (day + 1) * DAY - 1, EPOCH + (day + 1) * DAY - 1) for day in days], None


def _intraday_grid(rng: random.Random) -> tuple[list[Slot], dict[str, str] | None]:
    """Hourly bars from 10:00, several a day; the session closes at midnight or where the declared hours end."""
    per_day = rng.choice((2, 3, 4, 6))
    declared = rng.random() < 0.5
    hours = per_day + rng.choice((0, 0, 1))
    slots = []
    for n in range(rng.randint(5, 40)):
        day = EPOCH + (n // per_day) * DAY
        start = day + (10 + n % per_day) * HOUR
        slots.append((start, start + HOUR, day + (10 + hours) * HOUR if declared else day + DAY))
    session = {"open": "10:00", "close": f"{10 + hours}:00", "timezone": "UTC"} if declared else None
    return slots, session


def _merge(grid: list[Slot], length: int) -> list[Slot]:
    """Joins pairs of slots of one session into bars of twice the length."""
    if length == 1:
        return grid
    merged = []
    for first, second in zip(grid[::2], grid[1::2], strict=False):
        same_session = first[2] == second[2] and first[1] == second[0]
        merged.append((first[0], second[1] if same_session else first[1], first[2]))
    return merged or grid


def _walk(rng: random.Random, symbol: str, grid: list[Slot], missing: float) -> list[Bar]:
    """Bars on the quarter grid around 100 with flat bars, gaps and bars without wicks; at least one bar."""
    bars: list[Bar] = []
    close = 100 + rng.randint(-8, 8) * TICK
    wild = rng.choice((3, 6, 12))
    for start, end, session_close in grid:
        if rng.random() < missing and (bars or start != grid[-1][0]):
            continue
        pull = 1 if close < 85 else -1 if close > 115 else 0
        open_ = close + (rng.choice((0, 0, 0, 1, -1, 2, -2, wild, -wild)) + pull) * TICK
        if rng.random() < 0.1:
            high = low = close = open_
        else:
            close = open_ + (rng.randint(-wild, wild) + pull) * TICK
            high = max(open_, close) + rng.choice((0, 0, 1, 2, wild)) * TICK
            low = min(open_, close) - rng.choice((0, 0, 1, 2, wild)) * TICK
        bars.append(Bar(symbol, start, end, session_close, open_, high, low, close))
    return bars


def random_config(rng: random.Random, universe: list[str]) -> dict[str, Any]:
    """A config that differs from the defaults in a random set of rules and costs."""
    lot = rng.choice((1.0, 1.0, 1.0, 0.0, 10.0))
    tick = rng.choice((0.0, 0.0, 0.25, 0.5, 1.0))
    multiplier = 50.0 if rng.random() < 0.08 else 1.0
    margin = rng.random() < 0.45
    market = rng.choice(("next_open",) * 6 + ("next_close",) * 2 + ("same_close",))
    config: dict[str, Any] = {
        "account": {
            "kind": "margin" if margin else "cash",
            "cash": rng.choice((100_000.0, 20_000.0, 5_000.0, 2_000.0, 1_000.0)) * multiplier,
            "shortfall": rng.choice(("by_sizing", "by_sizing", "reject", "reduce")),
        },
        "instruments": {"default": {"lot_size": lot, "tick_size": tick, "multiplier": multiplier}},
        "costs": {"commission": _commission(rng), "slippage": _slippage(rng, tick)},
        "fills": {
            "market": market,
            "path": rng.choice(
                ("worst_first",) * 3
                + ("best_first", "open_high_low_close", "open_low_high_close", "nearest_extreme_first")
            ),
            "schedule": rng.choice(("phased", "phased", "queue")),
        },
        "orders": {
            "admission": rng.choice(("none", "none", "reserve", "pseudo_execute")),
            "batch_order": rng.choice(("submission", "reductions_first")),
            "valuation": rng.choice(("last_mark", "last_mark", "previous_close", "fill_price")),
        },
        "end": {"run": rng.choice(("mark", "close")), "symbol": rng.choice(("mark", "mark", "close"))},
    }
    if margin:
        config["account"]["initial_margin_rate"] = rng.choice((0.5, 0.25, 1.0))
    if market == "same_close":
        config["run"] = {"acknowledge_leaky": True}
    if rng.random() < 0.2:
        special = rng.choice(universe)
        config["instruments"]["symbols"] = {special: {"lot_size": rng.choice((0.0, 1.0, 10.0))}}
        config["costs"]["symbols"] = {special: {"commission": _commission(rng)}}
        if rng.random() < 0.5:
            config["costs"]["symbols"][special]["slippage"] = _slippage(rng, tick)
    return config


def _commission(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(("none", "none", "rate", "per_share", "per_order", "rate_plus_fixed", "tiered"))
    if kind == "per_share":
        minimum = rng.choice((0.0, 1.0, 5.0))
        cap = rng.choice((None, 0.01, 0.002))
        per_share = {"kind": kind, "per_share": rng.choice((0.005, 0.25)), "minimum": minimum}
        return per_share if cap is None else {**per_share, "cap_rate": cap}
    if kind == "tiered":
        return {
            "kind": kind,
            "tiers": [{"up_to": 1000.0, "rate": 0.002}, {"up_to": 5000.0, "rate": 0.001}, {"rate": 0.0005}],
        }
    rates = {"rate": rng.choice((0.001, 0.0025)), "fixed": rng.choice((1.0, 2.5))}
    fields = {"none": (), "rate": ("rate",), "per_order": ("fixed",), "rate_plus_fixed": ("rate", "fixed")}[kind]
    return {"kind": kind, **{name: rates[name] for name in fields}}


def _slippage(rng: random.Random, tick: float) -> dict[str, Any]:
    kind = rng.choice(("none", "none", "rate", "fixed", "ticks" if tick else "none"))
    value = {
        "rate": rng.choice((0.001, 0.0005)),
        "fixed": rng.choice((0.1, 0.25, 1.0)),
        "ticks": rng.choice((1.0, 2.0)),
    }
    name = {"rate": "rate", "fixed": "amount", "ticks": "ticks"}.get(kind)
    return {"kind": kind} if name is None else {"kind": kind, name: value[kind]}


class _Script:
    """Draws the requests of each decision near the prices that the decision can see."""

    def __init__(self, rng: random.Random, bars: list[Bar], universe: list[str], config: dict[str, Any]) -> None:
        self.rng = rng
        self.bars = bars
        self.universe = universe
        self.config = config
        self.margin = config["account"]["kind"] == "margin"
        self.valuation = config["orders"]["valuation"]
        self.busy = rng.choice((0.35, 0.6, 0.9))
        self.submitted: list[Submit] = []

    def requests(self) -> dict[int, list[Request]]:
        decisions = sorted({bar.end for bar in self.bars})
        script: dict[int, list[Request]] = {}
        for n, now in enumerate(decisions):
            if self.rng.random() < self.busy:
                script[n] = [self._request(now, decisions) for _ in range(self.rng.choice((1, 1, 2, 3)))]
        return script

    def _request(self, now: int, decisions: list[int]) -> Request:
        recent = list(enumerate(self.submitted))[-5:]
        draw = self.rng.random()
        if recent and draw < 0.08:
            return Cancel(self.rng.choice(recent)[0])
        if recent and draw < 0.2:
            nth, submit = self.rng.choice(recent)
            fields = self._replacement(submit, now)
            if fields:
                return Replace(nth, fields)
        submit = self._submit(now, decisions)
        self.submitted.append(submit)
        return submit

    def _known(self, symbol: str, now: int) -> list[Bar]:
        return [bar for bar in self.bars if bar.symbol == symbol and bar.end <= now]

    def _lot(self, symbol: str) -> float:
        instruments = self.config["instruments"]
        return float(instruments.get("symbols", {}).get(symbol, instruments["default"])["lot_size"])

    def _quantity(self, symbol: str) -> float:
        lot = self._lot(symbol)
        if lot == 10.0:
            return self.rng.choice((10.0, 10.0, 20.0, 30.0, 40.0, 5.0))
        small = self.rng.choice((1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 30.0))
        return small + (0.5 if lot == 0.0 and self.rng.random() < 0.5 else 0.0)

    def _level(self, symbol: str, now: int, side: int = 0) -> float:
        known = self._known(symbol, now)
        near = known[-1] if known else next(bar for bar in self.bars if bar.symbol == symbol)
        price = self.rng.choice((near.open, near.high, near.low, near.close, near.close))
        return float(price + (self.rng.randint(-3, 3) + side * self.rng.choice((0, 0, 2))) * TICK)

    def _submit(self, now: int, decisions: list[int]) -> Submit:
        rng = self.rng
        seen = 2 if self.valuation == "previous_close" else 1
        known = [symbol for symbol in self.universe if len(self._known(symbol, now)) >= seen]
        symbol = rng.choice(known) if known and rng.random() < 0.97 else rng.choice(self.universe)
        method = rng.choice(("buy",) * 6 + ("sell",) * 4 + ("order_target_quantity", "order_target_value"))
        method = rng.choice((method,) * 7 + ("order_target_percent", "close"))
        if symbol not in known and method not in ("buy", "sell"):
            method = "buy"
        if method == "close":
            return Submit(method, symbol)
        kwargs = self._amount(method, symbol, sized=symbol in known)
        deferred_target = self.valuation == "fill_price" and method.startswith("order_target")
        if not deferred_target:  # such an order has no direction before its fill, so no price to wait for
            kwargs |= self._prices(method, symbol, now)
        if rng.random() < 0.25:
            kwargs["tif"] = "DAY"
        elif rng.random() < 0.15:
            kwargs |= {"tif": "GTD", "until": self._until(now, decisions)}
        if method in ("buy", "sell") and rng.random() < 0.1:
            kwargs["reduce_only"] = True
        return Submit(method, symbol, kwargs)

    def _amount(self, method: str, symbol: str, sized: bool) -> dict[str, Any]:
        rng = self.rng
        multiplier = self.config["instruments"]["default"]["multiplier"]
        if method in ("buy", "sell"):
            kind = rng.choice(("quantity",) * 5 + ("value", "percent")) if sized else "quantity"
            if kind == "quantity":
                return {"quantity": self._quantity(symbol)}
            if kind == "value":
                return {"value": rng.choice((250.0, 500.0, 1500.0, 4000.0)) * multiplier}
            return {"percent": rng.choice((0.1, 0.25, 0.5, 0.75, 1.0, 1.25))}
        sign = rng.choice((1, 1, -1)) if self.margin else 1
        if method == "order_target_quantity":
            return {"target": sign * rng.choice((0.0, self._quantity(symbol), self._quantity(symbol) + 2.0))}
        if method == "order_target_value":
            return {"target": sign * rng.choice((0.0, 600.0, 2000.0, 5000.0)) * multiplier}
        return {"target": sign * rng.choice((0.0, 0.2, 0.5, 0.9, 1.0))}

    def _prices(self, method: str, symbol: str, now: int) -> dict[str, float]:
        kind = self.rng.choice(("market", "market", "limit", "limit", "stop", "stop", "stop_limit", "stop_limit"))
        if kind == "market":
            return {}
        side = {"buy": 1, "sell": -1}.get(method, 0)
        if kind == "limit":
            return {"limit": self._level(symbol, now, -side)}
        if kind == "stop":
            return {"stop": self._level(symbol, now, side)}
        stop = self._level(symbol, now, side)
        return {"stop": stop, "limit": stop + self.rng.randint(-3, 3) * TICK}

    def _until(self, now: int, decisions: list[int]) -> int:
        """A later decision, or a moment inside or between bars; whole microseconds, as the API takes datetimes."""
        later = [time for time in decisions if time > now][:4]
        if later and self.rng.random() < 0.6:
            return -(-self.rng.choice(later) // 1000) * 1000
        return (now // HOUR + 1) * HOUR + self.rng.choice((0, HOUR // 2, 2 * HOUR, 30 * HOUR))

    def _replacement(self, submit: Submit, now: int) -> dict[str, float]:
        """New values for fields that the order is sure to have."""
        fields: dict[str, float] = {}
        for name in ("limit", "stop"):
            if name in submit.kwargs and self.rng.random() < 0.7:
                fields[name] = self._level(submit.symbol, now)
        if "quantity" in submit.kwargs and self.rng.random() < 0.5:
            lot = self._lot(submit.symbol)
            fields["quantity"] = self.rng.choice((1.0, 2.0, 4.0)) * (lot or 1.5)
        return fields


def coverage(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Number of fills by `type/kind`, `fills/market`, number of cases, and of cases that filled nothing.

    A fill is a gap when the open was strictly beyond the level, a touch when the level is exactly the open or the
    end of its segment (an extreme or the close), a cross when the path went strictly through it.
    """
    counts: Counter[str] = Counter()
    counts.update({f"{order_type}/{kind}": 0 for order_type in ORDER_TYPES[1:] for kind in KINDS})
    for outcome in outcomes:
        counts["cases"] += 1
        counts["empty"] += not outcome.fills
        for fill in outcome.fills:
            counts[f"{fill.order_type}/{fill.kind}"] += 1
    return dict(counts)
