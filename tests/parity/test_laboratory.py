"""The laboratory against itself, and a seeded sample of every peer. It builds the peers' environments: a failure to do so is a failure."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from parity.backtesting_py.cases import DEFAULTS
from parity.book import Book, Fill
from parity.case import Case
from parity.laboratory import coverage, drawn, examined
from parity.subject import subject_of

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


# ----------------------------------------------------------------------------------------------------------- at a floor
HALF = {**BUY, "size": 0.5}  # of 10,000 at 100: exactly 50 units


def off_by(part: float, change: Callable[[Fill], Fill | None] = lambda fill: fill) -> Callable[[Case], Book]:
    """Our engine where every quotient before a floor is off by a part of itself, and the last fill is altered."""

    def run(case: Case) -> Book:
        return altered(change)(case.with_(script=[{**one, "size": one["size"] * part} for one in case.script]))

    return run


@pytest.mark.parametrize("part", [1.0 - 2.0**-53, 1.0 - 2.0**-52], ids=["one ulp", "two ulp"])
def test_rounding_at_a_floor_is_excused_and_counted(part: float) -> None:
    verdict = examined("backtesting_py", [CASE.with_(script=[HALF])], ours=off_by(part))
    assert (verdict.cases, verdict.floors, verdict.mismatches) == (1, 1, [])
    assert verdict.is_equal
    assert verdict.line() == "1 cases, 1 fills, 0 mismatches, 0 exceptions, 1 at a floor"


NOT_ROUNDING: dict[str, tuple[float, Callable[[Case], Book]]] = {
    "a unit at a floor, by more than 4 ulp": (0.5, off_by(1.0 - 2.0**-49)),
    "a unit away from a floor": (0.5037, off_by(0.5 / 0.51)),
    "a floor, and a cent elsewhere": (0.5, off_by(1.0 - 2.0**-53, ALTERATIONS["one cent"])),
}


@pytest.mark.parametrize(("size", "ours"), NOT_ROUNDING.values(), ids=NOT_ROUNDING)
def test_an_error_of_a_unit_is_not_excused(size: float, ours: Callable[[Case], Book]) -> None:
    verdict = examined("backtesting_py", [CASE.with_(script=[{**HALF, "size": size}])], ours=ours)
    assert verdict.floors == 0
    assert len(verdict.mismatches) == 1
    assert not verdict.is_equal


def test_no_nudge_moves_a_quotient_by_more_than_4_ulp() -> None:
    nudged = subject_of("backtesting_py").nudged
    for commission in ({"kind": "none"}, {"kind": "fixed_and_rate", "fixed": 3.0, "rate": 0.001}):
        for size in (0.01, 0.5, 0.9999, 2.0**-7, 1.0 - 2.0**-53):
            case = CASE.with_(options={**CASE.options, "commission": commission}, script=[{**HALF, "size": size}])
            units = [
                quotient(one.script[0]["size"], 987_654.0, 3.21, commission.get("fixed", 0.0))
                for one in (case, *nudged(case))
            ]
            assert len(units) > 2
            assert all(abs(one - units[0]) <= 4 * Fraction(math.ulp(units[0])) for one in units[1:])


def quotient(size: float, power: float, price: float, fixed: float) -> Fraction:
    """What `_Broker._process_orders` floors, without rounding."""
    return Fraction(power) * Fraction(size) / (Fraction(price) + Fraction(fixed) / Fraction(size))


def test_a_seeded_sample_of_backtesting_py_is_equal() -> None:
    verdict = examined("backtesting_py", drawn("backtesting_py", 2026, 120))
    assert verdict.mismatches == []
    assert verdict.is_equal
    assert verdict.fills > 800


@pytest.mark.slow
def test_every_option_of_backtesting_py_is_covered() -> None:
    counts = coverage("backtesting_py", drawn("backtesting_py", 3, 4000))
    assert min(counts.values()) >= 50, counts
