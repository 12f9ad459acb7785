"""Scale: 250 assets for 20 years, long and short every few days, against the installed vectorbt and backtrader.

`python -m pytest -m slow tests/parity/test_scale.py`: a quarter of an hour. Every expected number comes from the peer, in the same run.
"""

import math
import random
from typing import Any

import pytest

from parity.backtrader.cases import DEFAULTS as OF_BACKTRADER
from parity.backtrader.ours import run_case as backtrader
from parity.book import Book, difference
from parity.case import Case
from parity.process import Peer
from parity.vectorbt.cases import DEFAULTS as OF_VECTORBT
from parity.vectorbt.ours import run_case as vectorbt

ASSETS, DAYS, MOST = 250, 20 * 252, 200_000
Rows = list[list[float] | None]


def walk(draw: random.Random, days: int) -> list[list[float]]:
    """Days of 1.5 % with gaps over night; every hundredth is flat."""
    rows, close = [], draw.uniform(20.0, 200.0)
    for _ in range(days):
        open_ = close * (1.0 + draw.gauss(0.0, 0.005))
        close = open_ if draw.random() < 0.01 else max(open_ * (1.0 + draw.gauss(0.0002, 0.015)), 1.0)
        top, bottom = max(open_, close), min(open_, close)
        rows.append([open_, top * (1.0 + draw.random() * 0.01), bottom * (1.0 - draw.random() * 0.01), close, 1e6])
    return rows


def market(draw: random.Random) -> dict[str, Rows]:
    """The first asset is there from the first day to the last, the others begin in the first and end in the last quarter."""
    bars: dict[str, Rows] = {}
    for number in range(ASSETS):
        first, last = (draw.randrange(DAYS // 4), DAYS - draw.randrange(DAYS // 4)) if number else (0, DAYS)
        bars[f"S{number:03}"] = [None] * first + walk(draw, last - first) + [None] * (DAYS - last)
    return bars


def turns(draw: random.Random, rows: Rows) -> list[tuple[int, int]]:
    """Bars on which the side changes, and the new side: long, short, or none; none two bars before the asset ends."""
    known = [bar for bar, row in enumerate(rows) if row is not None]
    bar, side, found = known[0] + draw.randrange(5), 0, list[tuple[int, int]]()
    while bar < known[-1] - 2:
        side = draw.choice([one for one in (-1, 0, 1) if one != side])
        found.append((bar, side))
        bar += draw.randint(1, 5)
    return [*found, (known[-1] - 2, 0)] if side else found


def trades(book: Book) -> int:
    """How many positions were closed, or turned round."""
    held: dict[str, float] = {}
    count = 0
    for fill in book.fills:
        before = held.get(fill.symbol, 0.0)
        held[fill.symbol] = after = before + fill.quantity
        count += before != 0.0 and (abs(after) < 1e-9 * abs(before) or before * after < 0.0)
        if abs(after) < 1e-9 * abs(before):
            held[fill.symbol] = 0.0
    return count


def equal(ours: Book, theirs: Book) -> None:
    """The books are equal in every fill, and in cash and equity of every bar, also to the cent."""
    assert theirs.error is None
    assert trades(theirs) > MOST
    found = difference(ours, theirs)
    assert found is None, found
    assert len(ours.points) == DAYS
    for mine, other in zip(ours.points, theirs.points, strict=True):
        assert abs(mine.cash - other.cash) < 0.005
        assert abs(mine.equity - other.equity) < 0.005


@pytest.mark.slow
def test_a_portfolio_of_shares_of_equity_is_that_of_vectorbt() -> None:
    """from_orders: a purse for all, targets of up to 2 % of equity each way, sales first."""
    draw = random.Random(20)
    bars: dict[str, Rows] = {f"S{number:03}": [*walk(draw, DAYS)] for number in range(ASSETS)}
    script = [
        {"bar": bar, "symbol": symbol, "size": side * draw.uniform(0.0005, 0.02)}
        for symbol, rows in bars.items()
        for bar, side in turns(draw, rows)
    ]
    purse = {"init_cash": 1e7, "cash_sharing": True, "call_seq": "auto", "fees": 0.0002, "slippage": 0.0001}
    options = {**OF_VECTORBT, "method": "orders", "engine": "numba", "size_type": "targetpercent", **purse}
    case = Case("vectorbt", bars, options, script, "scale")
    with Peer("vectorbt") as peer:
        theirs = peer.run(case)
    equal(vectorbt(case), theirs)


@pytest.mark.slow
def test_signals_with_stops_are_those_of_vectorbt() -> None:
    """from_signals: a purse an asset, long and short entries and exits, stop-loss and take-profit."""
    draw = random.Random(21)
    bars: dict[str, Rows] = {f"S{number:03}": [*walk(draw, DAYS)] for number in range(ASSETS)}
    flags = {1: {"entries": True}, -1: {"short_entries": True}, 0: {"exits": True, "short_exits": True}}
    script = [
        {"bar": bar, "symbol": symbol, **flags[side]}
        for symbol, rows in bars.items()
        for bar, side in turns(draw, rows)
    ]
    stops = {"sl_stop": 0.03, "tp_stop": 0.04, "fees": 0.0002, "slippage": 0.0001, "upon_opposite_entry": "reverse"}
    options = {**OF_VECTORBT, "method": "signals", "engine": "numba", "init_cash": 1e5, "default_size": 50.0, **stops}
    case = Case("vectorbt", bars, options, script, "scale")
    with Peer("vectorbt") as peer:
        theirs = peer.run(case)
    equal(vectorbt(case), theirs)


@pytest.mark.slow
def test_a_portfolio_of_market_orders_is_that_of_backtrader() -> None:
    """10,000 an asset each way, turned round by one order."""
    draw = random.Random(22)
    bars = market(draw)
    script: list[dict[str, Any]] = []
    for symbol, rows in bars.items():
        held = 0.0
        for bar, side in turns(draw, rows):
            row = rows[bar]
            assert row is not None
            wanted = side * math.floor(10_000.0 / row[3])
            size = wanted - held
            held = wanted
            name = f"{symbol}.{bar}"
            if size:
                terms = {"side": 1 if size > 0 else -1, "size": abs(size), "type": "market"}
                script.append({"bar": bar, "do": "order", "id": name, "symbol": symbol, **terms})
    script.sort(key=lambda request: int(request["bar"]))
    costs = {"commission": {"kind": "percent", "rate": 0.0002}, "slip_perc": 0.0001, "slip_open": True}
    case = Case("backtrader", bars, {**OF_BACKTRADER, "cash": 5e6, **costs}, script, "scale")
    with Peer("backtrader") as peer:
        theirs = peer.run(case)
    equal(backtrader(case), theirs)
