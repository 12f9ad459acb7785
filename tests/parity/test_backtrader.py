"""Our engine against the installed backtrader: a seeded sample of random cases, its defect, and examples on real bars.

Every expected number comes from backtrader, in the same run.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from ml4t.backtest import Result
from ml4t.backtest import run as engine
from parity.backtrader.cases import DEFAULTS, TYPES, request
from parity.backtrader.defects import EXCEPTIONS
from parity.backtrader.ours import run_case as run
from parity.bars import bars
from parity.book import difference
from parity.case import Case
from parity.laboratory import coverage, drawn, examined
from parity.limit_orders import FOUR, FOURTEEN, Limits, Rules, minutes
from parity.process import Peer
from parity.subject import Defect
from real_bars import SOURCES, averages, crossings, real_bars, simple, swing

COSTS = {"commission": {"kind": "percent", "rate": 0.001}}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer("backtrader") as process:
        yield process


def test_a_seeded_sample_is_equal() -> None:
    verdict = examined("backtrader", drawn("backtrader", 2026, 100))
    assert verdict.mismatches == []
    assert verdict.is_equal
    assert verdict.fills > 600


@pytest.mark.parametrize("defect", EXCEPTIONS, ids=lambda defect: defect.name)
def test_the_defect_is_one(defect: Defect, peer: Peer) -> None:
    assert defect.applies(defect.example)
    assert difference(run(defect.example), peer.run(defect.example)) is not None


@pytest.mark.slow
def test_every_option_is_covered() -> None:
    counts = coverage("backtrader", drawn("backtrader", 3, 4000))
    assert min(counts.values()) >= 50, counts


@pytest.mark.slow
def test_a_large_portfolio_is_equal(peer: Peer) -> None:
    """100 feeds, 750 days, 15,000 requests of every kind, with cash for some of them."""
    draw, feeds = random.Random(5), {f"S{n:03}": list[Any]() for n in range(100)}
    for symbol in feeds:
        feeds[symbol] = bars(draw, 750, 100.0)
    options = {**DEFAULTS, **COSTS, "cash": 3_000_000.0, "slip_perc": 0.001, "slip_open": True}
    script: list[dict[str, Any]] = []
    small = {**options, "cash": 10_000.0}  # what the sizes of orders go by
    for number, bar in enumerate(sorted(draw.randint(0, 748) for _ in range(15_000))):
        script.append(request(draw, feeds, bar, f"r{number}", small, script[-200:], TYPES))
    case = Case("backtrader", feeds, options, script, "a large portfolio")
    theirs = peer.run(case)
    assert theirs.error is None
    assert difference(run(case), theirs) is None
    assert len(theirs.fills) > 5_000


# --------------------------------------------------------------------------------------- documented examples, real bars
def sma_cross(close: list[float], size: float) -> list[dict[str, Any]]:
    """Long while the average of 10 is above that of 30 (the quickstart's SmaCross)."""
    script: list[dict[str, Any]] = []
    for bar, side in crossings(simple(close, 10), simple(close, 30), 30):
        if side > 0:
            script.append({"bar": bar, "do": "order", "id": f"o{bar}", "side": 1, "size": size, "type": "market"})
        else:
            script.append({"bar": bar, "do": "close", "id": f"c{bar}"})
    return script


def stop_trailing(close: list[float], size: float) -> list[dict[str, Any]]:
    """Entries at crossings of 5 and 20, out with a trailing stop or a target (the StopTrail sample)."""
    far = swing(close)
    script: list[dict[str, Any]] = []
    for bar, side in crossings(simple(close, 5), simple(close, 20), 20):
        terms = {"type": "market", "stop_type": "trail", "stop_trail": {"percent": 3.0 * far}}
        take = close[bar] * (1.0 + 6.0 * far * side)
        script.append(
            {
                "bar": bar,
                "do": "bracket",
                "id": f"b{bar}",
                "side": side,
                "size": size,
                "guard": 0.0,
                "take": take,
                **terms,
            }
        )
    return script


def macd(close: list[float], size: float) -> list[dict[str, Any]]:
    """Brackets where MACD crosses its signal, a limit off the close for three days (the MACD and bracket samples)."""
    far = swing(close)
    fast, slow = averages(close, 2 / 13), averages(close, 2 / 27)
    line = [a - b for a, b in zip(fast, slow, strict=True)]
    script: list[dict[str, Any]] = []
    for bar, side in crossings(line, averages(line, 2 / 10), 35):
        price = close[bar] * (1.0 - 0.5 * far * side)
        ends = {
            "guard": price * (1.0 - 3.0 * far * side),
            "take": price * (1.0 + 3.0 * far * side),
            "stop_type": "stop",
        }
        terms = {"type": "limit", "price": price, "valid": 3, **ends}
        script.append({"bar": bar, "do": "bracket", "id": f"b{bar}", "side": side, "size": size, **terms})
    return script


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("strategy", [sma_cross, stop_trailing, macd], ids=lambda strategy: strategy.__name__)
def test_the_peers_examples_on_real_bars_are_equal(name: str, strategy: Any, peer: Peer) -> None:
    rows = real_bars(name)
    close = [row[3] for row in rows]
    options = {**DEFAULTS, **COSTS, "cash": 100_000.0, "slip_perc": 0.0005, "slip_open": True}
    case = Case("backtrader", {"A": rows}, options, strategy(close, 10_000.0 // close[0] or 1.0), f"{name}")
    theirs = peer.run(case)
    assert theirs.error is None
    assert difference(run(case), theirs) is None
    assert len(theirs.fills) > 40


# ------------------------------------------------------------------- the validation roadmap where vectorbt has no answer
def asked(rules: Rules) -> tuple[Case, Result]:
    """Twenty limit entries and exits 0.3 % away on minute bars, as requests; and our run that made them."""
    bars = minutes()
    result = engine(Limits(rules), bars, {"profile": "backtrader"})
    number = {time: bar for bar, time in enumerate(bars["timestamp"])}
    script: list[dict[str, Any]] = []
    for order in result.orders.iter_rows(named=True):
        bar, name = number[order["submitted_at"]] - 1, f"o{order['order_id']}"
        terms = {"side": 1 if order["side"] == "buy" else -1, "size": 10.0, "type": "limit", "price": order["limit"]}
        life = {"valid": 1} if order["time_in_force"].lower() == "bars" else {}
        script.append({"bar": bar, "do": "order", "id": name, **terms, **life})
        if order["reason"] == "cancel_requested":
            script.append({"bar": number[order["closed_at"]] - 1, "do": "cancel", "order": name})
    script.sort(key=lambda request: (request["bar"], request["do"]))
    rows = [list(row) for row in bars.select("open", "high", "low", "close", "volume").iter_rows()]
    return Case("backtrader", {"A": rows}, DEFAULTS, script, "roadmap 4.1"), result


@pytest.mark.parametrize(("rules", "trades"), [(FOURTEEN, 14), (FOUR, 4)], ids=["exits rest", "exits have one bar"])
def test_4_1_limit_orders_a_third_of_a_percent_away(rules: Rules, trades: int, peer: Peer) -> None:
    case, result = asked(rules)
    theirs = peer.run(case)
    assert len(theirs.fills) // 2 == trades
    assert difference(run(case), theirs) is None
    assert [(fill.price, abs(fill.quantity)) for fill in theirs.fills] == list(
        result.fills.select("price", "quantity").iter_rows()
    )


def test_4_3_stop_limit_orders(peer: Peer) -> None:
    """20 entries 0.2 % above the close, 20 exits 0.2 % below, each with a limit 0.1 % further on; the other side is cancelled."""
    rows = [list(row) for row in minutes().select("open", "high", "low", "close", "volume").iter_rows()]
    script: list[dict[str, Any]] = []
    for k in range(40):
        bar, side = 15 * k, 1 - 2 * (k % 2)
        stop = rows[bar][3] * (1.0 + 0.002 * side)
        terms = {"type": "stop_limit", "price": stop, "second": stop * (1.0 + 0.001 * side)}
        script.append({"bar": bar, "do": "cancel", "order": f"o{k - 1}"})
        script.append({"bar": bar, "do": "order", "id": f"o{k}", "side": side, "size": 10.0, **terms})
    for slip in (0.0, 0.0005):
        case = Case("backtrader", {"A": rows}, {**DEFAULTS, **COSTS, "slip_perc": slip}, script, "roadmap 4.3")
        theirs = peer.run(case)
        assert difference(run(case), theirs) is None
        assert len(theirs.fills) > 25
