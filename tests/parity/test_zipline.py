"""Our engine against the installed zipline-reloaded: a seeded sample, its documented examples on real bars."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from ml4t.backtest.datasets import us_indices
from parity.book import Book, difference
from parity.case import Case
from parity.laboratory import coverage, drawn, examined
from parity.process import Peer
from parity.subject import Defect
from parity.zipline.cases import DEFAULTS
from parity.zipline.defects import EXCEPTIONS
from parity.zipline.ours import run_case as run

EXAMPLE = {  # what zipline's own examples set, because their stored results are older than its defaults
    **DEFAULTS,
    "commission": {"kind": "per_share", "cost": 0.0075, "min_trade_cost": 1.0},
    "slippage": {"kind": "volume_share", "volume_limit": 0.025, "price_impact": 0.1},
}


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer("zipline") as process:
        yield process


def test_a_seeded_sample_is_equal() -> None:
    verdict = examined("zipline", drawn("zipline", 2026, 100))
    assert verdict.mismatches == []
    assert verdict.is_equal
    assert verdict.fills > 1_000


@pytest.mark.slow
def test_ten_thousand_random_cases_are_equal() -> None:
    verdict = examined("zipline", drawn("zipline", 7, 10_000))
    assert verdict.mismatches == []
    assert verdict.is_equal


@pytest.mark.slow
def test_every_option_is_covered() -> None:
    counts = coverage("zipline", drawn("zipline", 3, 10_000))
    assert min(counts.values()) >= 50, counts


@pytest.mark.parametrize("defect", EXCEPTIONS, ids=lambda defect: defect.name)
def test_an_exception_is_one(defect: Defect, peer: Peer) -> None:
    """Its example differs, its predicate says so, and without what it is about there is no difference."""
    assert defect.applies(defect.example)
    assert difference(run(defect.example), peer.run(defect.example)) is not None
    plain = defect.example.with_(options=DEFAULTS)
    assert not defect.applies(plain)
    assert difference(run(plain), peer.run(plain)) is None


def walk(draw: random.Random, count: int) -> list[list[float]]:
    """Days of 1.5 % with gaps, in cents, and volumes that some orders are too large for."""
    rows, close = [], draw.uniform(20.0, 200.0)
    for _ in range(count):
        open_ = round(close * (1.0 + draw.gauss(0.0, 0.005)), 2)
        close = max(round(open_ * (1.0 + draw.gauss(0.0002, 0.015)), 2), 1.0)
        high, low = max(open_, close) + 0.1, min(open_, close) - 0.1
        rows.append([open_, high, low, close, float(draw.randint(1_000, 1_000_000))])
    return rows


@pytest.mark.slow
def test_a_hundred_assets_for_ten_years_are_equal(peer: Peer) -> None:
    """Long or short in each, by chance, every week: more than 50,000 fills, equal in every one, and in cash and equity of every day."""
    draw = random.Random(5)
    symbols = ["A", "B", "C", *(f"S{number:03}" for number in range(3, 100))]
    bars = {symbol: walk(draw, 2_520) for symbol in symbols}
    script = [
        {
            "bar": bar,
            "do": "target_percent",
            "id": f"{symbol}{bar}",
            "symbol": symbol,
            "size": draw.uniform(-0.02, 0.02),
        }
        for bar in range(0, 2_520, 5)
        for symbol in symbols
    ]
    case = Case("zipline", bars, {**DEFAULTS, "cash": 10_000_000.0}, script, "scale")
    theirs = peer.run(case)
    assert theirs.error is None
    assert len(theirs.fills) > 50_000
    assert difference(run(case), theirs) is None


# ------------------------------------------------------------------------------------------- documented examples, real bars
def indices(per_volume: float) -> dict[str, list[list[float]]]:
    """20 years of days of the S&P 500 (A) and the NASDAQ (B), a volume of one for `per_volume`."""
    columns = ("open", "high", "low", "close", "volume")
    parts = us_indices().partition_by("symbol", as_dict=True)
    return {
        name: [[*row[:4], float(row[4] // per_volume)] for row in parts[symbol,].select(columns).iter_rows()]
        for name, symbol in (("A", "SPX"), ("B", "NASDAQ"))
    }


def dual_moving_average(bars: dict[str, list[list[float]]]) -> list[dict[str, Any]]:
    """zipline's example of this name: 100 shares while the mean of 100 closes is above that of 300, else none."""
    script = []
    for symbol, rows in bars.items():
        close = [row[3] for row in rows]
        for bar in range(299, len(rows)):
            short, long = (sum(close[bar + 1 - n : bar + 1]) / n for n in (100, 300))
            target = 100 if short > long else 0
            script.append({"bar": bar, "do": "target", "id": f"{symbol}{bar}", "symbol": symbol, "size": target})
    return sorted(script, key=lambda one: int(one["bar"]))


def momentum(bars: dict[str, list[list[float]]]) -> list[dict[str, Any]]:
    """Every 21 days: half of the equity in the index that rose more in the last 126, a quarter of it short in the other."""
    script = []
    for bar in range(126, len(bars["A"]), 21):
        gain = {symbol: rows[bar][3] / rows[bar - 126][3] for symbol, rows in bars.items()}
        for symbol in bars:
            weight = 0.5 if gain[symbol] == max(gain.values()) else -0.25
            script.append(
                {"bar": bar, "do": "target_percent", "id": f"{symbol}{bar}", "symbol": symbol, "size": weight}
            )
    return script


@pytest.mark.parametrize(("example", "per_volume"), [(dual_moving_average, 2e6), (momentum, 1.0)])
def test_documented_examples_on_real_bars_are_equal(example: Any, per_volume: float, peer: Peer) -> None:
    bars = indices(per_volume)
    case = Case("zipline", bars, {**EXAMPLE, "cash": 10_000_000.0}, example(bars), example.__name__)
    theirs: Book = peer.run(case)
    assert theirs.error is None
    assert len(theirs.points) == 5_031
    assert len(theirs.fills) > 20
    assert difference(run(case), theirs) is None
