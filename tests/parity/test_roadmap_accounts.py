"""5.3 and the halts of 6.2 of the validation roadmap, which vectorbt cannot express.

backtesting.py judges leverage; backtrader and zipline judge halts.
"""

from typing import Any

import pytest

from parity.backtesting_py.cases import DEFAULTS as MARGIN
from parity.backtrader.cases import DEFAULTS as FEEDS
from parity.book import Book, difference
from parity.case import Case
from parity.limit_orders import minutes
from parity.process import Peer
from parity.subject import subject_of
from parity.zipline.cases import DEFAULTS as CLOSES

BARS = [list(row) for row in minutes().select("open", "high", "low", "close", "volume").iter_rows()]
EVERY, HOLD, TRIPS = 10, 5, 40
HALTS = [
    range(100, 108),
    range(203, 204),
    range(305, 309),
    range(377, 392),
]  # at an exit, at neither, at both, at several


def equal(case: Case) -> Book:
    """The book of both."""
    with Peer(case.peer) as peer:
        theirs = peer.run(case)
    assert theirs.error is None
    assert difference(subject_of(case.peer).run(case), theirs) is None
    return theirs


# ------------------------------------------------------------------------------------------------------------- leverage
def leveraged(rows: list[list[float]], margin: float, **terms: float) -> Case:
    """40 round trips, long and short in turn, each with all that the margin allows; `terms`: sl and tp as fractions of the close."""
    options = {**MARGIN, "margin": margin, "cash": 1_000_000.0, "commission": {"kind": "rate", "rate": 0.0005}}
    script: list[dict[str, Any]] = []
    for trip in range(TRIPS):
        bar, side = EVERY * trip + 2, 1 if trip % 2 == 0 else -1
        exits = {name: rows[bar][3] * (1.0 + side * part) for name, part in terms.items()}
        script.append({"bar": bar, "do": "order", "id": f"o{trip}", "side": side, "size": 0.99, **exits})
        script.append({"bar": bar + HOLD, "do": "close", "id": f"c{trip}"})
    return Case("backtesting_py", {"A": rows}, options, script, "roadmap 5.3")


@pytest.mark.parametrize("terms", [{}, {"sl": -0.002, "tp": 0.003}], ids=["round trips", "exits"])
def test_5_3_twice_the_equity(terms: dict[str, float]) -> None:
    book = equal(leveraged(BARS, 0.5, **terms))
    equity = {point.bar: point.equity for point in book.points}
    entries = [fill for fill in book.fills if fill.order.startswith("o") and "." not in fill.order]
    carried = [fill.price * abs(fill.quantity) / equity[fill.bar - 1] for fill in entries]
    assert len(carried) == TRIPS
    assert all(1.95 < one < 2.0 for one in carried)
    assert len(book.fills) == 2 * TRIPS


def test_5_3_ruin_at_twice_the_equity() -> None:
    """Half of the price is gone in a bar in which twice the equity is long: all is lost, and no more."""
    rows = BARS[:200] + [[price * 0.45 for price in row[:4]] + row[4:] for row in BARS[200:]]
    case = leveraged(rows, 0.5)
    case = case.with_(script=[one for one in case.script if one["id"] != "c18" and one["bar"] < 190])
    book = equal(case)
    assert all(point.equity > 0.0 for point in book.points if point.bar < 200)
    assert {point.equity for point in book.points if point.bar >= 200} == {0.0}


# ---------------------------------------------------------------------------------------------------------------- halts
def halted() -> dict[str, list[list[float] | None]]:
    """A trades always. B has no bars in a halt, and comes back 4 % lower or higher."""
    level, rows = 1.0, list[list[float] | None]()
    for bar, row in enumerate(BARS):
        if any(bar == halt.stop for halt in HALTS):
            level *= 0.96 if bar % 2 else 1.04
        is_halted = any(bar in halt for halt in HALTS)
        rows.append(None if is_halted else [round(level * price / 2.0, 2) for price in row[:4]] + [row[4]])
    return {"A": list(BARS), "B": rows}


def order(peer: str, name: str, symbol: str, bar: int, side: int, **terms: float) -> dict[str, Any]:
    """An order of 10 units in the peer's words: at the market, or with a `stop`."""
    made = {"bar": bar, "do": "order", "id": name, "symbol": symbol}
    if peer == "zipline":
        return {**made, "size": 10 * side, **terms}
    kind = {"type": "stop", "price": terms["stop"]} if terms else {"type": "market"}
    return {**made, "side": side, "size": 10.0, **kind}


@pytest.mark.parametrize(
    ("peer", "options"),
    [
        ("backtrader", {**FEEDS, "cash": 1_000_000.0, "commission": {"kind": "percent", "rate": 0.001}}),
        ("zipline", {**CLOSES, "cash": 1_000_000.0, "commission": {"kind": "per_dollar", "cost": 0.001}}),
    ],
    ids=["backtrader", "zipline"],
)
def test_6_2_halts(peer: str, options: dict[str, Any]) -> None:
    bars, script = halted(), list[dict[str, Any]]()
    for trip in range(TRIPS):
        for symbol in "AB":
            first = EVERY * trip + 2
            script.append(order(peer, f"o{symbol}{trip}", symbol, first, 1))
            script.append(order(peer, f"c{symbol}{trip}", symbol, first + HOLD, -1))
    for number, halt in enumerate(HALTS):  # stops that the gap at the end of a halt jumps over
        close = bars["B"][halt.start - 2][3]  # type: ignore[index]
        for side in (1, -1):
            stop = {"stop": round(close * (1.0 + 0.02 * side), 2)}
            script.append(order(peer, f"s{number}{side}", "B", halt.start - 2, side, **stop))
    script.sort(key=lambda one: int(one["bar"]))
    book = equal(Case(peer, bars, options, script, "roadmap 6.2"))
    of_b = [fill for fill in book.fills if fill.symbol == "B"]
    assert not [fill for fill in of_b if any(fill.bar in halt for halt in HALTS)]
    late = [fill for fill in of_b if any(fill.bar == halt.stop for halt in HALTS)]
    assert len({fill.bar for fill in late}) == len(HALTS)
    assert sum(fill.order.startswith("s") for fill in late) >= 3
    assert len(book.fills) >= 4 * TRIPS
