"""How much of a bar's volume is filled (docs/semantics/fills.md, Volume)."""

from __future__ import annotations

import math
from collections import defaultdict

from case import Bar
from observation import ENGINE_ORIGINS, Observation


def participation_is_never_exceeded(run: Observation) -> None:
    """By all orders of a symbol together, on any bar; close-outs are not limited."""
    rule = run.case.config["fills"].get("participation")
    if rule is None:
        return
    filled: dict[Bar, float] = defaultdict(float)
    for fill in run.fills:
        if run.orders[fill["order_id"]]["origin"] not in ENGINE_ORIGINS:
            filled[fill["bar"]] += fill["quantity"]
    for bar, quantity in filled.items():
        lot = run.instrument(bar.symbol)["lot_size"]
        allowed = rule["share"] * volume(run, bar)
        if lot:
            allowed = math.floor(allowed / lot * (1 + 1e-9)) * lot
        assert quantity <= allowed * (1 + 1e-9), bar


def volume(run: Observation, bar: Bar) -> float:
    """The volume that the share is of: the bar's own, that of the bar before, or the mean of bars, or of sessions, before."""
    rule = run.case.config["fills"]["participation"]
    if rule.get("basis", "bar") == "bar":
        return bar.volume
    window = rule.get("window", 1)
    before = [each for each in run.bars if each.symbol == bar.symbol and each.end <= bar.start]
    if rule["basis"] == "daily_average":
        sessions = sorted({each.session_close for each in before} - {bar.session_close})[-window:]
        volumes = [each.volume for each in before if each.session_close in sessions]
        return sum(volumes) / len(volumes) if len(sessions) == window else 0.0
    volumes = [each.volume for each in before[-window:]]
    return sum(volumes) / window if len(volumes) == window else 0.0


INVARIANTS = (participation_is_never_exceeded,)
