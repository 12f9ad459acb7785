"""The laboratory against itself, and a seeded sample of every peer. It builds the peers' environments: a failure to do so is a failure."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from parity.backtesting_py.cases import DEFAULTS
from parity.book import Book, Fill, difference
from parity.case import Case
from parity.environment import peers
from parity.laboratory import Verdict, coverage, drawn, examined
from parity.process import Peer
from parity.report import weighed
from parity.subject import subject_of

FLAT = [[100.0, 101.0, 99.0, 100.0, 1_000.0]] * 6
BUY = {"bar": 1, "do": "order", "id": "a", "side": 1, "size": 10}
CASE = Case("backtesting_py", {"A": FLAT}, DEFAULTS, [BUY, {"bar": 3, "do": "close", "id": "b"}], "hand")


def bought(peer: str, bar: int, size: float) -> dict[str, Any]:
    """The request to buy, in the peer's words."""
    order = {"bar": bar, "do": "order", "id": f"o{bar}", "side": 1, "size": size}
    if peer == "backtrader":
        return {**order, "symbol": "A", "type": "market"}
    if peer == "vectorbt":
        return {"bar": bar, "symbol": "A", "size": size}
    return {**order, "symbol": "A"} if peer == "zipline" else order


def hand(peer: str, script: list[dict[str, Any]], **options: Any) -> Case:
    """Flat bars of one asset, and cash for everything."""
    own = {"vectorbt": {"method": "orders", "engine": "numba", "default_size": 1.0}}.get(peer, {})
    options = {"cash": 1e6, "init_cash": 1e6} | options
    defaults = subject_of(peer).defaults
    known = {name: value for name, value in options.items() if name in defaults}
    return Case(peer, {"A": FLAT * 4}, {**defaults, **own, **known}, script, "hand")


# ------------------------------------------------------------------------------------------------- an output is altered
def of_last_fill(change: Callable[[Fill], Fill | None]) -> Callable[[Book], Book]:
    """The book with its last fill altered."""

    def alter(book: Book) -> Book:
        last = [change(fill) for fill in book.fills[-1:]]
        return replace(book, fills=[*book.fills[:-1], *(fill for fill in last if fill is not None)])

    return alter


def of_point(bar: int, **more: float) -> Callable[[Book], Book]:
    """The book with more cash or equity after one bar."""

    def alter(book: Book) -> Book:
        points = [
            replace(one, **{name: getattr(one, name) + more[name] for name in more}) if one.bar == bar else one
            for one in book.points
        ]
        return replace(book, points=points)

    return alter


ALTERATIONS: dict[str, tuple[str, Callable[[Book], Book]]] = {
    "one cent": ("fill", of_last_fill(lambda fill: replace(fill, price=fill.price + 0.01))),
    "one bar": ("fill", of_last_fill(lambda fill: replace(fill, bar=fill.bar + 1))),
    "one side": ("fill", of_last_fill(lambda fill: replace(fill, quantity=-fill.quantity))),
    "one unit": ("fill", of_last_fill(lambda fill: replace(fill, quantity=fill.quantity - 1.0))),
    "a fee of one cent": ("fill", of_last_fill(lambda fill: replace(fill, fee=fill.fee + 0.01))),
    "one missing fill": ("fill", of_last_fill(lambda _: None)),
    "one fill too many": ("fill", lambda book: replace(book, fills=[*book.fills, *book.fills[-1:]])),
    "a cent of cash": ("cash", of_point(5, cash=0.01)),
    "a cent of equity": ("equity", of_point(5, equity=0.01)),
    "an account point less": ("equity", lambda book: replace(book, points=book.points[:-1])),
    "what became of an order": ("order", lambda book: replace(book, orders={**book.orders, "o1": "lost"})),
    "an error": ("error", lambda book: replace(book, error="refused")),
}


TOLD = ("one cent", "one bar", "one side", "one missing fill")


@pytest.mark.parametrize("peer", peers())
def test_every_alteration_of_our_output_is_found(peer: str) -> None:
    case = hand(peer, [bought(peer, 1, 10), bought(peer, 3, 20)])
    ours = subject_of(peer).run(case)
    with Peer(peer) as process:
        theirs = process.run(case)
    assert len(theirs.fills) == 2
    assert difference(ours, theirs) is None
    for name, (kind, alter) in ALTERATIONS.items():
        found = difference(alter(ours), theirs)
        assert found is not None, name
        assert found.kind == kind, name


@pytest.mark.parametrize("peer", peers())
def test_what_is_found_is_told(peer: str) -> None:
    case = hand(peer, [bought(peer, 1, 10), bought(peer, 3, 20)])
    run = subject_of(peer).run
    cases = [case.with_(name=name) for name in TOLD]
    verdict = examined(peer, cases, ours=lambda one: ALTERATIONS[one.name][1](run(one)), most=len(cases))
    assert len(verdict.mismatches) == len(cases)
    assert not verdict.is_equal
    for name, told in zip(TOLD, verdict.mismatches, strict=True):
        assert told.startswith(f"{peer}, {name}: {ALTERATIONS[name][0]} differs at bar ")
        assert "\n  ours:" in told
        assert "\n  theirs:" in told
        assert f"rules that differ from our default:\n    profile = {peer}\n" in told
    told = verdict.mismatches[0]
    assert "  theirs: Fill(bar=" in told
    assert "[" in told.partition("rules that differ")[2]  # a place in the peer's source
    equal = examined(peer, [case])
    assert equal.is_equal
    assert equal.fills == 2


@pytest.mark.parametrize("peer", peers())
def test_a_mismatch_is_shrunk_to_the_smallest_case(peer: str) -> None:
    """Of nine orders, the one of 7 units is a cent off: it alone is left, with default options and no bar that is not needed."""
    subject = subject_of(peer)
    script = [bought(peer, bar, 7 if bar == 9 else 10) for bar in range(1, 18, 2)]
    more = {"commission": {"kind": "rate", "rate": 0.001}} if peer == "backtesting_py" else {}
    case = hand(peer, script, fees=0.001, slip_perc=0.001, **more)

    def run(one: Case) -> Book:
        book = subject.run(one)
        return replace(
            book, fills=[replace(fill, price=fill.price + 0.01 * (fill.quantity == 7)) for fill in book.fills]
        )

    (told,) = examined(peer, [case], ours=run).mismatches
    smallest = Case.from_json(told.rpartition("the case: ")[2])
    assert [one["size"] for one in smallest.script] == [7]
    assert smallest.length <= 4
    cash = {"cash", "init_cash"}
    assert {key: smallest.options[key] for key in subject.defaults.keys() - cash} == {
        key: value for key, value in subject.defaults.items() if key not in cash
    }


def test_the_rule_that_explains_a_difference_is_named() -> None:
    subject = subject_of("backtesting_py")
    ours, theirs = subject.run(CASE), subject.run(CASE, **{"account.cash": 100_000.0})
    rules = weighed(subject, CASE, ours, theirs)
    assert [key for key, rule in rules.items() if "WITHOUT IT" in rule] == ["account.cash"]
    assert "matters here" in rules["run.warmup"]  # without it every request is a bar earlier
    assert "matters here" not in rules["fills.stop_limit"]


# ----------------------------------------------------------------------------------------------------------- exceptions
@pytest.mark.parametrize("peer", [peer for peer in peers() if subject_of(peer).exceptions])
def test_known_defects_are_counted_and_few(peer: str) -> None:
    defects = subject_of(peer).exceptions
    verdict = examined(peer, [one.example for one in defects])
    assert verdict.mismatches == []
    assert verdict.exceptions == Counter(one.name for one in defects)
    assert f"{len(defects)} exceptions" in verdict.line()


@pytest.mark.parametrize(("cases", "exceptions", "is_equal"), [(1_000, 10, True), (1_000, 11, False), (50, 2, False)])
def test_more_than_one_exception_in_a_hundred_is_no_agreement(cases: int, exceptions: int, is_equal: bool) -> None:
    assert Verdict(cases, exceptions=Counter(known=exceptions)).is_equal == is_equal


# ----------------------------------------------------------------------------------------------------------- at a floor
HALF = {**BUY, "size": 0.5}  # of 10,000 at 100: exactly 50 units


def off_by(part: float, change: Callable[[Book], Book] = lambda book: book) -> Callable[[Case], Book]:
    """Our engine where every quotient before a floor is off by a part of itself, and the book is altered."""

    def run(case: Case) -> Book:
        script = [{**one, "size": one["size"] * part} for one in case.script]
        return change(subject_of(case.peer).run(case.with_(script=script)))

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
    "a floor, and a cent elsewhere": (0.5, off_by(1.0 - 2.0**-53, ALTERATIONS["one cent"][1])),
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
