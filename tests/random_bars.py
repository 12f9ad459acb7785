"""Random bars on the quarter grid: full of exact touches, gaps, flat bars; their quotes, limits and finer bars."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from case import DAY, EPOCH, HOUR, TICK, Bar

VOLUMES = (0.0, 4.0, 8.0, 10.0, 20.0, 40.0, 100.0, 1000.0)
Slot = tuple[int, int, int]
"""Start, end and session close of a bar."""


def session_grid(rng: random.Random) -> tuple[list[Slot], None]:
    """Session-labelled days, weekends left out: S = D 00:00, E = session close = D+1 00:00 − 1 ns."""
    days = [day for day in range(60) if day % 7 < 5][: rng.randint(5, 40)]
    return [(EPOCH + day * DAY, EPOCH + (day + 1) * DAY - 1, EPOCH + (day + 1) * DAY - 1) for day in days], None


def intraday_grid(rng: random.Random) -> tuple[list[Slot], dict[str, str] | None]:
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


def merge(grid: list[Slot], length: int) -> list[Slot]:
    """Joins pairs of slots of one session into bars of twice the length."""
    if length == 1:
        return grid
    merged = []
    for first, second in zip(grid[::2], grid[1::2], strict=False):
        same_session = first[2] == second[2] and first[1] == second[0]
        merged.append((first[0], second[1] if same_session else first[1], first[2]))
    return merged or grid


def walk(rng: random.Random, symbol: str, grid: list[Slot], missing: float) -> list[Bar]:
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


def dressed(rng: random.Random, bars: list[Bar], config: dict[str, Any], *, scarce: bool, events: bool) -> list[Bar]:
    """The bars with what the config's rules ask for, and, where asked for, with scarce volume, halts and price limits."""
    fills, account = config["fills"], config["account"]
    slippage = config["costs"]["slippage"]["kind"]
    needs_quotes = slippage == "spread" or {fills.get("quote", "last"), account.get("mark", "last")} != {"last"}
    volumes = VOLUMES[1:] if slippage == "square_root" else VOLUMES  # no day without volume
    found = []
    for bar in bars:
        fields: dict[str, Any] = {}
        if scarce:
            fields["volume"] = rng.choice(volumes)
        if needs_quotes:
            fields |= _quotes(rng, bar)
        if fills["market"] == "next_vwap":
            fields["vwap"] = rng.choice((bar.low, bar.high, bar.open))
        if events:
            fields |= _events(rng, bar)
        found.append(dataclasses.replace(bar, **fields))
    return found


def _quotes(rng: random.Random, bar: Bar) -> dict[str, float]:
    below, above = (rng.choice((0, 1, 2)) * TICK for _ in range(2))
    return {
        "bid": bar.close - below,
        "ask": bar.close + above,
        "open_bid": bar.open - above,
        "open_ask": bar.open + below,
    }


def _events(rng: random.Random, bar: Bar) -> dict[str, float]:
    """Sometimes a halt; limits that the bar just touches, and that are away from it."""
    found: dict[str, float] = {"halted": float(rng.random() < 0.12)}
    if rng.random() < 0.2:
        found["limit_up"] = bar.high + rng.choice((0, 0, 4)) * TICK
    if rng.random() < 0.2:
        found["limit_down"] = bar.low - rng.choice((0, 0, 4)) * TICK
    return found


def finer_bars(rng: random.Random, bars: list[Bar]) -> list[Bar]:
    """Quarters of some of the bars, inside them in price, with jumps between them; sometimes one is missing."""
    found = []
    for bar in bars:
        if rng.random() < 0.4:
            continue
        length = (bar.end - bar.start + 1) // 4
        for n in range(4):
            if rng.random() < 0.25:
                continue
            ticks = round((bar.high - bar.low) / TICK)
            prices = [bar.low + rng.randint(0, ticks) * TICK for _ in range(4)]
            if n == 0 and rng.random() < 0.7:
                prices[0] = bar.open
            start = bar.start + n * length
            end = min(start + length, bar.end)
            high, low = max(prices), min(prices)
            found.append(Bar(bar.symbol, start, end, bar.session_close, prices[0], high, low, prices[1]))
    return found
