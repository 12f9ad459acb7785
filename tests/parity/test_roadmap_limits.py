"""4.1 and 4.3 of the validation roadmap, which vectorbt cannot express: backtesting.py (inside bars) and zipline (closes) judge them."""

from collections.abc import Iterator
from typing import Any

import pytest

from parity.backtesting_py.cases import DEFAULTS as INSIDE_BARS
from parity.book import Book, difference
from parity.case import Case
from parity.limit_orders import AWAY, EVERY, HOLD, minutes
from parity.process import Peer
from parity.subject import subject_of
from parity.zipline.cases import DEFAULTS as AT_CLOSES

OPTIONS = {
    "backtesting_py": {**INSIDE_BARS, "cash": 1_000_000.0, "commission": {"kind": "rate", "rate": 0.001}},
    "zipline": {**AT_CLOSES, "cash": 1_000_000.0, "commission": {"kind": "per_dollar", "cost": 0.001}},
}
BARS = [list(row) for row in minutes().select("open", "high", "low", "close", "volume").iter_rows()]


@pytest.fixture(scope="module", params=OPTIONS)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with Peer(request.param) as process:
        yield process


def script(peer: str, terms: Any) -> list[dict[str, Any]]:
    """Entries and exits of 10 units, by the limits and stops that `terms` makes of side and close; each cancels its predecessor."""
    made: list[dict[str, Any]] = []
    for bar in range(EVERY, len(BARS), HOLD):
        side = 1 if bar % EVERY == 0 else -1
        made.append({"bar": bar, "do": "cancel", "order": f"o{bar - EVERY}"})
        order = {"bar": bar, "do": "order", "id": f"o{bar}", **terms(side, BARS[bar][3])}
        sized = {"symbol": "A", "size": 10 * side} if peer == "zipline" else {"side": side, "size": 10}
        made.append(order | sized)
    return made


def equal(peer: Peer, terms: Any) -> Book:
    """The two books are equal."""
    case = Case(peer.name, {"A": BARS}, OPTIONS[peer.name], script(peer.name, terms), "roadmap")
    theirs = peer.run(case)
    assert theirs.error is None
    assert difference(subject_of(peer.name).run(case), theirs) is None
    return theirs


def test_4_1_limit_orders(peer: Peer) -> None:
    book = equal(peer, lambda side, close: {"limit": round(close * (1.0 - side * AWAY), 2)})
    assert len(book.fills) >= 20
    assert "live" in book.orders.values()


def test_4_3_stop_limit_orders(peer: Peer) -> None:
    """Triggered 0.1 % above, limited to 0.3 % above; the exit the other way round."""
    book = equal(
        peer,
        lambda side, close: {
            "stop": round(close * (1.0 + side * 0.001), 2),
            "limit": round(close * (1.0 + side * AWAY), 2),
        },
    )
    assert len(book.fills) >= 20
