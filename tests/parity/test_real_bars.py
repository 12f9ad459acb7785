"""Documented strategies on real bars, our engine against the installed vectorbt, backtesting.py and zipline: every fill, cash and equity.

A strategy is a list of crossings; each peer is asked in its own words. Expected numbers come from the peer, in the same run.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parity.book import Book, difference
from parity.case import Case
from parity.process import Peer
from parity.subject import subject_of
from real_bars import SOURCES, averages, crossings, real_bars, simple, swing

Crossings = list[tuple[int, int]]  # bar, +1 upwards or -1 downwards
Script = list[dict[str, Any]]


@pytest.fixture(scope="module", params=["vectorbt", "backtesting_py", "zipline"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with Peer(request.param) as process:
        yield process


def equal(case: Case, peer: Peer, fills: int) -> Book:
    """The two books are equal, and the peer has more than that many fills."""
    theirs = peer.run(case)
    assert theirs.error is None
    assert difference(subject_of(peer.name).run(case), theirs) is None
    assert len(theirs.fills) > fills
    return theirs


# ----------------------------------------------------------------------------------------------------------- strategies
def sma(close: list[float]) -> Crossings:
    """Averages of 10 and 20 (the quickstarts of both)."""
    return crossings(simple(close, 10), simple(close, 20), 20)


def macd(close: list[float]) -> Crossings:
    """MACD of 12 and 26 against its signal of 9."""
    line = [a - b for a, b in zip(averages(close, 2 / 13), averages(close, 2 / 27), strict=True)]
    return crossings(line, averages(line, 2 / 10), 35)


STRATEGIES: dict[str, tuple[Callable[[list[float]], Crossings], str]] = {
    "SMA cross": (sma, "none"),
    "stop-loss and take-profit": (sma, "stops"),
    "trailing stop": (sma, "trail"),
    "MACD": (macd, "none"),
    "MACD with exits": (macd, "stops"),
}


def of_vectorbt(rows: list[list[float]], found: Crossings, exits: str, far: float) -> Case:
    """Entries long, and short where there are stops, with all cash."""
    options = {
        **subject_of("vectorbt").defaults,
        "method": "signals",
        "engine": "numba",
        "default_size": float("inf"),
        "init_cash": 100_000.0,
        "fees": 0.001,
        "slippage": 0.0005,
        "sl_stop": None if exits == "none" else 3.0 * far,
        "tp_stop": 4.0 * far if exits == "stops" else None,
        "sl_trail": exits == "trail",
    }
    down = "exits" if exits == "none" else "short_entries"
    script = [{"bar": bar, "symbol": "A", "entries" if side > 0 else down: True} for bar, side in found]
    return Case("vectorbt", {"A": rows}, options, script)


def of_backtesting_py(rows: list[list[float]], found: Crossings, exits: str, far: float) -> Case:
    """Each crossing closes what is there and enters long or short with all equity."""
    options = {
        **subject_of("backtesting_py").defaults,
        "cash": 1_000_000.0,
        "commission": {"kind": "rate", "rate": 0.002},
        "finalize_trades": True,
    }
    close, script = [row[3] for row in rows], Script()
    for (bar, side), (end, _) in zip(found, [*found[1:], (len(rows), 0)], strict=True):
        terms = {"sl": close[bar] * (1.0 - 3.0 * far * side), "tp": close[bar] * (1.0 + 4.0 * far * side)}
        terms = terms if exits == "stops" else {}
        script.append({"bar": bar, "do": "close", "id": f"c{bar}"})
        script.append({"bar": bar, "do": "order", "id": f"o{bar}", "side": side, "size": 0.9999, **terms})
        if exits == "trail":
            script += trailed(close, bar + 1, end, side, 3.0 * far)
    return Case("backtesting_py", {"A": rows}, options, script)


def trailed(close: list[float], first: int, end: int, side: int, far: float) -> Script:
    """The stop-loss that follows the close and never falls back (`TrailingStrategy`)."""
    script, best = Script(), -float("inf")
    for bar in range(first, min(end, len(close))):
        if (price := side * close[bar]) > best:
            best = price
            stop = close[bar] * (1.0 - far * side)
            script.append({"bar": bar, "do": "protect", "trade": 0, "which": "sl", "price": stop})
    return script


def of_zipline(rows: list[list[float]], found: Crossings, exits: str, far: float) -> Case:
    """Each crossing targets a share long or short; a limit and a stop in whole cents lead out, and what is left of them is cancelled."""
    scale = 100.0 if rows[0][3] < 10.0 else 1.0  # a share of 100 euros
    rows = [[*(scale * price for price in row[:4]), row[4]] for row in rows]
    close, script = [row[3] for row in rows], Script()
    for (bar, side), (end, _) in zip(found, [*found[1:], (len(rows), 0)], strict=True):
        script.append({"bar": bar, "do": "target", "id": f"o{bar}", "symbol": "A", "size": side})
        back = {"do": "order", "symbol": "A", "size": -side}
        if exits == "stops":
            terms = {"stop": close[bar] * (1.0 - 3.0 * far * side), "limit": close[bar] * (1.0 + 4.0 * far * side)}
            for name, price in terms.items():
                script.append({**back, "bar": bar + 1, "id": f"{name}{bar}", name: round(price, 2)})
            inside = [side * (price - terms["stop"]) > 0.0 < side * (terms["limit"] - price) for price in close[:end]]
            out = next((n for n in range(bar + 2, end) if not inside[n]), end)
            script += [{"bar": min(out, len(rows) - 1), "do": "cancel", "order": f"{name}{bar}"} for name in terms]
        if exits == "trail":
            script += followed(close, bar + 1, end, side, 3.0 * far, back)
    script.sort(key=lambda one: int(one["bar"]))
    options = {
        **subject_of("zipline").defaults,
        "cash": 1_000_000.0,
        "commission": {"kind": "per_dollar", "cost": 0.0015},
    }
    return Case("zipline", {"A": rows}, options, script)


def followed(close: list[float], first: int, end: int, side: int, far: float, back: dict[str, Any]) -> Script:
    """A stop that follows the close, as orders that replace each other, until the close is beyond it or the next crossing comes."""
    script, best, stop = Script(), -float("inf"), 0.0
    for bar in range(first, min(end, len(close))):
        if best > -float("inf") and side * (close[bar] - stop) <= 0.0:
            break
        if side * close[bar] > best:
            best, stop = side * close[bar], round(close[bar] * (1.0 - far * side), 2)
            script.append({"bar": bar, "do": "cancel", "order": f"t{first}"})
            script.append({**back, "bar": bar, "id": f"t{first}", "stop": stop})
    script.append({"bar": min(end, len(close) - 1), "do": "cancel", "order": f"t{first}"})
    return script


CASES = {"vectorbt": of_vectorbt, "backtesting_py": of_backtesting_py, "zipline": of_zipline}


def pairs() -> Iterator[Any]:
    """Each strategy on each series; without `-m slow`, each strategy on one and each series once at least."""
    for i, strategy in enumerate(STRATEGIES):
        for j, name in enumerate(SOURCES):
            is_first = j == i % len(SOURCES)
            yield pytest.param(strategy, name, marks=() if is_first else pytest.mark.slow, id=f"{strategy}-{name}")


@pytest.mark.parametrize(("strategy", "name"), pairs())
def test_documented_strategies_on_real_bars_are_equal(strategy: str, name: str, peer: Peer) -> None:
    signal, exits = STRATEGIES[strategy]
    rows = real_bars(name)
    close = [row[3] for row in rows]
    found = signal(close)
    book = equal(CASES[peer.name](rows, found, exits, swing(close)), peer, 80)
    decided = {bar + (peer.name != "vectorbt") for bar, _ in found}  # this bar's close, or the next one's open
    hit = [fill for fill in book.fills if fill.bar not in decided | {len(rows) - 1}]
    assert len(hit) > 15 if exits != "none" else not hit
