"""Our engine against the installed vectorbt: the validation roadmap with its parameters, and a seeded sample of random cases.

Every expected number comes from vectorbt, in the same run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from parity.book import Book, difference
from parity.case import Case
from parity.laboratory import coverage, drawn, examined
from parity.process import Peer
from parity.vectorbt.cases import DEFAULTS
from parity.vectorbt.ours import run_case as run

OPTIONS = {**DEFAULTS, "engine": "rust", "default_size": 1.0, "init_cash": 1_000_000.0}
COSTS = {"2.1 a thousandth": {"fees": 0.001}, "2.2 a thousandth and $2": {"fees": 0.001, "fixed_fees": 2.0}}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer("vectorbt") as process:
        yield process


def minutes(count: int, seed: int = 1, start: float = 40_000.0) -> list[list[float]]:
    """Open, high, low, close, volume of a walk in minutes."""
    draw, rows, close = random.Random(seed), [], start
    for _ in range(count):
        open_ = close * (1.0 + draw.gauss(0.0, 0.0002))
        close = open_ * (1.0 + draw.gauss(0.0, 0.001))
        swing = close * abs(draw.gauss(0.0, 0.0005))
        rows.append([open_, max(open_, close) + swing, min(open_, close) - swing, close, 1.0])
    return rows


def trips(count: int, hold: int, every: int, symbols: str = "A", **more: Any) -> list[dict[str, Any]]:
    """Entries `every` bars, each with its exit `hold` bars later."""
    return [
        {"bar": every * trip + 1 + (0 if name == "entries" else hold), "symbol": symbol, name: True, **more}
        for trip in range(count)
        for name in ("entries", "exits")
        for symbol in symbols
    ]


def signals(script: list[dict[str, Any]], bars: int = 450, symbols: str = "A", **options: Any) -> Case:
    rows = {symbol: minutes(bars, seed) for seed, symbol in enumerate(symbols)}
    return Case("vectorbt", rows, {**OPTIONS, "method": "signals", **options}, script)


def equal(case: Case, peer: Peer, fills: int) -> Book:
    """The two books are equal, and vectorbt's has that many fills."""
    theirs = peer.run(case)
    assert theirs.error is None
    assert len(theirs.fills) == fills
    assert difference(run(case), theirs) is None
    return theirs


# --------------------------------------------------------------------------------------------------------- the roadmap
def test_1_1_baseline_entries_and_exits(peer: Peer) -> None:
    script = [
        {"bar": 7 * k + 3 + (0 if name == "entries" else 1 + k % 6), "symbol": "A", name: True}
        for k in range(20)
        for name in ("entries", "exits")
    ]
    equal(signals(script), peer, 40)


@pytest.mark.parametrize("size", [1.0, float("inf")], ids=["1.2 one unit", "1.3 all cash"])
def test_40_round_trips(peer: Peer, size: float) -> None:
    equal(signals(trips(40, 5, 10), default_size=size), peer, 80)


@pytest.mark.parametrize("size", [1.0, float("inf")])
@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
def test_2_commission(peer: Peer, costs: dict[str, float], size: float) -> None:
    book = equal(signals(trips(40, 5, 10), default_size=size, **costs), peer, 80)
    assert all(fill.fee > 30.0 for fill in book.fills)


def test_2_3_fees_by_asset(peer: Peer) -> None:
    case = signals(trips(40, 5, 10, "AB"), symbols="AB", fees=[0.001, 0.002], cash_sharing=True)
    book = equal(case, peer, 160)
    assert len({round(fill.fee / fill.price, 9) for fill in book.fills}) == 2


def test_3_1_ten_dollars_of_slippage(peer: Peer) -> None:
    """vectorbt knows fractions only: 10 ÷ the close of every bar, which is an argument by row."""
    case = signals(trips(40, 5, 10))
    by_row = [[10.0 / row[3]] for row in case.bars["A"]]
    theirs = peer.run(case.with_(options={**case.options, "slippage": by_row}))
    mine = run(case.with_(options={**case.options, "slippage_model": {"kind": "fixed", "amount": 10.0}}))
    assert theirs.error is None
    assert len(theirs.fills) == 80
    assert difference(mine, theirs) is None


def test_3_2_slippage_of_five_basis_points(peer: Peer) -> None:
    equal(signals(trips(40, 5, 10), slippage=0.0005), peer, 80)


@pytest.mark.parametrize("size", [1.0, float("inf")])
def test_3_3_slippage_and_commission(peer: Peer, size: float) -> None:
    equal(signals(trips(40, 5, 10), slippage=0.0005, fees=0.001, fixed_fees=2.0, default_size=size), peer, 80)


def test_4_2_stops_of_five_percent(peer: Peer) -> None:
    rows = [[price / 10.0 for price in row] for row in minutes(450)]
    draw = random.Random(4)
    drops = [row if draw.random() < 0.95 else [row[0], row[1], row[2] * 0.93, row[3] * 0.96, 1.0] for row in rows]
    case = replace(signals(trips(40, 5, 10), sl_stop=0.05, fees=0.001), bars={"A": drops})
    book = equal(case, peer, 80)
    at_close = {(fill.bar, fill.price) for fill in book.fills} & {(n, row[3]) for n, row in enumerate(drops)}
    assert len(book.fills) - len(at_close) >= 5  # stops that were hit


def test_5_1_three_assets(peer: Peer) -> None:
    equal(signals(trips(40, 5, 10, "ABC"), symbols="ABC", cash_sharing=True, fees=0.001), peer, 240)


def test_5_2_a_tenth_of_equity(peer: Peer) -> None:
    script = [
        {"bar": one["bar"], "symbol": one["symbol"], "size": 0.1 if "entries" in one else 0.0}
        for one in trips(40, 5, 10, "ABC")
    ]
    options = {
        "method": "orders",
        "size_type": "targetpercent",
        "cash_sharing": True,
        "fees": 0.001,
        "call_seq": "auto",
    }
    equal(signals(script, symbols="ABC", **options), peer, 240)


def test_6_1_a_thousand_trades_of_two_bars(peer: Peer) -> None:
    equal(signals(trips(1000, 2, 4), bars=4100, fees=0.0005), peer, 2000)


def test_6_2_gaps(peer: Peer) -> None:
    draw = random.Random(6)
    gapped = []
    level = 1.0
    for row in minutes(450):
        level *= 1.0 if draw.random() < 0.9 else draw.choice((0.92, 1.08))
        gapped.append([level * price for price in row[:4]] + [1.0])
    case = replace(signals(trips(40, 5, 10), sl_stop=0.05, tp_stop=0.05, slippage=0.0005), bars={"A": gapped})
    equal(case, peer, 80)


# --------------------------------------------------------------------------------------------------- options of stops
STOPS = {
    "stop_exit_price": ["stoplimit", "stopmarket", "close", "price"],
    "upon_stop_exit": ["close", "closereduce", "reverse", "reversereduce"],
    "upon_stop_update": ["keep", "override", "overridenan"],
    "stop_entry_price": ["close", "price", "valprice", "fillprice"],
}


@pytest.mark.parametrize("name", STOPS)
def test_every_way_of_a_stop_is_equal_and_none_like_another(name: str, peer: Peer) -> None:
    """Entries that add to a position, each with its own stop or none; stops and targets hit in some rows."""
    draw, script = random.Random(9), list[dict[str, Any]]()
    for bar in range(2, 180, 3):
        side = draw.choice(("entries", "entries", "short_entries", "exits"))
        stop = {} if draw.random() < 0.6 else {"sl": draw.choice((0.01, None))}
        script.append({"bar": bar, "symbol": "A", side: True, "size": draw.choice((1.0, 3.0)), **stop})
    rows = [[open_, high * 1.004, low * 0.996, close, 1.0] for open_, high, low, close, _ in minutes(200, 3)]
    options = {"sl_stop": 0.006, "tp_stop": 0.008, "slippage": 0.001, "accumulate": "both", "price": "open"}
    options["default_size"] = 2.0  # of the rows in which only a stop trades
    options |= {"val_price": "previous"} if name == "stop_entry_price" else {}
    books = []
    for way in STOPS[name]:
        case = replace(signals(script, **{**options, name: way}), bars={"A": rows})
        books.append(peer.run(case))
        assert books[-1].error is None
        assert len(books[-1].fills) > 40
        assert difference(run(case), books[-1]) is None
    for number, book in enumerate(books):
        assert all(difference(book, other) is not None for other in books[:number])


# ------------------------------------------------------------------------------------------------------- random cases
def test_a_sample_of_random_cases() -> None:
    rust = (case.with_(options={**case.options, "engine": "rust"}) for case in drawn("vectorbt", 1, 150))
    exact = (case for case in rust if case.options["size_granularity"] != 0.1)
    verdict = examined("vectorbt", exact)
    assert verdict.mismatches == []
    assert verdict.fills > 1000


def test_a_search_by_halves_does_not_stop_at_a_sale_too_small_for_its_fee(peer: Peer) -> None:
    """Free cash lets a part of a sale pass, half of which would not pay the fixed fee (of a random case, the rows that trade)."""
    first = {
        "A": [67022.37220735717, 63431.52976615611, 63134.837022863576, 62260.781740494844, 64093.815846157326],
        "B": [54150.6948393115, 56806.30823771714, 59900.280361518584, 51068.741425184366, 49940.039161400695],
    }
    last = {
        "A": [74711.9516644978, 72101.94108713201, 71304.64394380758, 68833.12469823501, 66472.87331509724],
        "B": [52404.66454538096, 55000.35145525614, 51391.6982646838, 66870.42132564126, 64163.17691706999],
    }
    asked = [(0, "A", 2e6), (0, "B", -3e6), (1, "A", 2e5), (2, "B", 2e6), (3, "B", 1e5), (4, "A", -2e6), (5, "B", -2e6)]
    asked += [(6, "A", 555e3), (7, "B", 555e3), (8, "A", 555e3), (9, "B", -1e5)]
    script = [{"bar": bar, "symbol": symbol, "size": size} for bar, symbol, size in asked]
    options = {
        **OPTIONS,
        "engine": "numba",
        "method": "orders",
        "size_type": "value",
        "direction": "both",
        "fees": 0.001,
    }
    options |= {"fixed_fees": 5e3, "lock_cash": True, "cash_sharing": True, "call_seq": "auto", "init_cash": 1e6}
    rows = {
        symbol: [[price] * 4 + [1.0] for price in prices]
        for symbol, prices in ((name, first[name] + last[name]) for name in "AB")
    }
    book = equal(Case("vectorbt", rows, options, script), peer, 6)
    assert any(0.0 < -fill.quantity * fill.price < 2e5 for fill in book.fills)


@pytest.mark.parametrize(("price", "sold"), [(122.0, 19.0), (119.0, 20.0)], ids=["40 free", "nothing free"])
def test_a_fixed_fee_keeps_a_unit_of_a_sale_of_everything(price: float, sold: float, peer: Peer) -> None:
    """Long 20 of B, short 12 of A, which locks 2,400: of what the sale of B leaves free, less than the fee of 100 is there, or nothing."""
    flat, last = [100.0] * 4 + [1.0], [price] * 4 + [1.0]
    options = {**OPTIONS, "method": "orders", "engine": "numba", "init_cash": 1_000.0, "fixed_fees": 100.0}
    script = [
        {"bar": 0, "symbol": "A", "size": -12.0},
        {"bar": 0, "symbol": "B", "size": 20.0},
        {"bar": 1, "symbol": "B", "size": -float("inf")},
    ]
    case = Case(
        "vectorbt",
        {"A": [flat, flat], "B": [flat, last]},
        {**options, "cash_sharing": True, "size_granularity": 1.0},
        script,
    )
    assert equal(case, peer, 3).fills[-1].quantity == -sold


@pytest.mark.slow
def test_every_option_is_covered() -> None:
    counts = coverage("vectorbt", drawn("vectorbt", 3, 20_000))
    assert min(counts.values()) >= 50, counts


@pytest.mark.slow
def test_ten_thousand_random_cases() -> None:
    verdict = examined("vectorbt", drawn("vectorbt", 1, 10_000))
    assert verdict.mismatches == []
