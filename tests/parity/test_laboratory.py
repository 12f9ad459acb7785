"""The laboratory against itself, and a seeded sample of every peer. It builds the peers' environments: a failure to do so is a failure."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from parity.backtesting_py.cases import DEFAULTS
from parity.book import Book, Fill, difference
from parity.case import Case
from parity.environment import python_of
from parity.laboratory import coverage, drawn, examined, subject_of
from parity.process import Peer

FLAT = [[100.0, 101.0, 99.0, 100.0, 1.0]] * 6
BUY = {"bar": 1, "do": "order", "id": "a", "side": 1, "size": 10}
CASE = Case("backtesting_py", {"A": FLAT}, DEFAULTS, [BUY, {"bar": 3, "do": "close", "id": "b"}], "hand")


def altered(change: Callable[[Fill], Fill | None]) -> Callable[[Case], Book]:
    """Our engine with its last fill altered."""

    def run(case: Case) -> Book:
        book = subject_of(case.peer).run(case)
        last = [change(fill) for fill in book.fills[-1:]]
        return replace(book, fills=[*book.fills[:-1], *(fill for fill in last if fill is not None)])

    return run


ALTERATIONS: dict[str, Callable[[Fill], Fill | None]] = {
    "one cent": lambda fill: replace(fill, price=fill.price + 0.01),
    "one bar": lambda fill: replace(fill, bar=fill.bar + 1),
    "one side": lambda fill: replace(fill, quantity=-fill.quantity),
    "a fee of one cent": lambda fill: replace(fill, fee=fill.fee + 0.01),
    "one missing fill": lambda _: None,
}


@pytest.mark.parametrize("change", ALTERATIONS.values(), ids=ALTERATIONS)
def test_an_altered_output_is_found_and_shrunk(change: Callable[[Fill], Fill | None]) -> None:
    verdict = examined("backtesting_py", [CASE], ours=altered(change))
    assert not verdict.is_equal
    assert "theirs: Fill(" in verdict.mismatches[0]
    assert "fills.schedule = queue [backtesting/backtesting.py" in verdict.mismatches[0]


def test_an_unaltered_output_is_equal() -> None:
    verdict = examined("backtesting_py", [CASE])
    assert verdict.is_equal
    assert verdict.fills == 2


def test_a_seeded_sample_of_backtesting_py_is_equal() -> None:
    verdict = examined("backtesting_py", drawn("backtesting_py", 2026, 120))
    assert verdict.mismatches == []
    assert verdict.is_equal
    assert verdict.fills > 800


@pytest.mark.slow
def test_every_option_of_backtesting_py_is_covered() -> None:
    counts = coverage("backtesting_py", drawn("backtesting_py", 3, 4000))
    assert min(counts.values()) >= 50, counts


# ------------------------------------------------------------------------------------- the peer's own data and examples
def real(name: str, fast: int, slow: int, **terms: float) -> Case:
    """The peer's documented crossover of two averages on the bars it brings along; `terms`: sl and tp as fractions of the close."""
    code = f"import json; from backtesting.test import {name} as d; print(json.dumps(d.iloc[:, :5].values.tolist()))"
    done = subprocess.run(
        [str(python_of("backtesting_py")), "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    rows = json.loads(done.stdout)
    close, script = [row[3] for row in rows], []
    for bar in range(slow, len(rows)):
        now, before = (
            sum(close[t - fast + 1 : t + 1]) / fast - sum(close[t - slow + 1 : t + 1]) / slow for t in (bar, bar - 1)
        )
        side = 1 if before < 0 < now else -1 if before > 0 > now else 0
        if side:
            exits = {name: close[bar] * (1 + side * part) for name, part in terms.items()}
            script.append({"bar": bar, "do": "close", "id": f"c{bar}"})
            script.append({"bar": bar, "do": "order", "id": f"o{bar}", "side": side, "size": 0.9999, **exits})
    options = {
        **DEFAULTS,
        "commission": {"kind": "rate", "rate": 0.002},
        "exclusive_orders": False,
        "finalize_trades": True,
    }
    return Case("backtesting_py", {"A": rows}, options, script, f"{name} {fast}/{slow} {terms}")


@pytest.mark.parametrize("name", ["GOOG", "EURUSD"])
@pytest.mark.parametrize("terms", [{}, {"sl": -0.02, "tp": 0.03}], ids=["cross", "exits"])
def test_the_peers_examples_on_its_own_data_are_equal(name: str, terms: dict[str, float]) -> None:
    case = real(name, 10, 20, **terms)
    with Peer("backtesting_py") as peer:
        theirs = peer.run(case)
    ours = subject_of("backtesting_py").run(case)
    assert difference(ours, theirs) is None
    assert len(theirs.fills) > 100
