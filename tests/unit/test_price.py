"""Prices relative to something: what the number is, when it is resolved, and what is refused."""

from typing import Any

import pytest

from ml4t.backtest import Atr, Offset, OrderError, Price, Strategy, Trail
from ml4t.backtest.enums import Basis
from told import FLAT, bars, rows, told

# True ranges: bar 1 max(104, 100) − min(98, 100) = 6, bar 2 max(103, 102) − min(101, 102) = 2, bar 3 (a gap up) 110 − 101 = 9
MOVING = bars(FLAT, (100, 104, 98, 102), (102, 103, 101, 101), (108, 110, 107, 109), FLAT, FLAT)


def atr(count: int) -> Any:
    return lambda s: s.data.atr("A", count)


def test_the_average_true_range_is_the_plain_mean_of_the_last_ranges() -> None:
    answers, _ = told(atr(1), atr(1), atr(2), atr(2), data=MOVING)
    assert answers[0] != answers[0]  # one bar has no close before it
    assert answers[1:] == [6.0, 4.0, 5.5]


@pytest.mark.parametrize(
    ("offset", "price"),
    [
        (Offset(amount=-2), 99.0),  # the mark is the close of bar 2, 101
        (Offset(rate=-0.5), 50.5),
        (Offset(atr=Atr(2, -1.5)), 95.0),  # 101 − 1.5 · 4
        (Offset(amount=1, of="signal"), 102.0),  # without a parent the same as last
        (Price(97), 97.0),
        (97, 97.0),
    ],
)
def test_an_offset_is_resolved_at_submission(offset: Any, price: float) -> None:
    wait = [lambda _: None] * 2
    (_, _, order), _ = told(*wait, lambda s: s.broker.buy("A", 1, limit=offset), data=MOVING)
    assert order.limit == price
    (_, _, order), _ = told(*wait, lambda s: s.broker.sell("A", 1, touch=offset), data=MOVING)
    assert order.stop == price


def test_the_average_price_is_that_of_the_position() -> None:
    """Bought at the open of bar 1, 100; at the end of bar 2 the mark is 101."""
    _, result = told(
        lambda s: s.broker.buy("A", 1),
        lambda _: None,
        lambda s: s.broker.sell("A", 1, stop=Offset(rate=-0.1, of="average")),
        data=MOVING,
    )
    assert rows(result, "stop")[1] == (90.0,)


def test_the_fill_of_a_parent_is_resolved_at_the_fill() -> None:
    """The parent is a limit order at 99; bar 1 opens at 100 and falls to 98: filled at 99, its child's limit is 99 · 1.02."""
    seen: list[Any] = []

    def ask(s: Strategy) -> None:
        entry = s.broker.buy("A", 1, limit=99)
        seen.append(s.broker.sell("A", parent=entry, limit=Offset(rate=0.02, of="fill")))
        seen.append(seen[0].limit)

    _, result = told(ask, lambda _: seen.append(seen[0].limit), data=MOVING)
    assert seen[1:] == [None, pytest.approx(100.98)]
    assert rows(result, "limit_basis") == [("price",), ("price",)]


def test_a_price_that_is_never_resolved_stays_an_offset() -> None:
    def ask(s: Strategy) -> None:
        s.broker.sell("A", parent=s.broker.buy("A", 1, limit=1), stop=Offset(amount=-3, of="fill"))

    _, result = told(ask)
    assert rows(result, "stop", "stop_basis")[1] == (-3.0, "fill_amount")


def test_the_terms_of_a_trailing_stop() -> None:
    def ask(s: Strategy) -> None:
        s.broker.sell("A", 1, stop=Trail(rate=0.05))
        s.broker.sell("A", 1, stop=Trail(amount=3, ratchet="close", activation=120))
        s.broker.buy("A", 1, stop=Trail(atr=Atr(2, 0.5)), limit=Offset(amount=0.25))

    _, result = told(lambda _: None, lambda _: None, ask, data=MOVING)
    assert rows(result, "type", "trail_amount", "trail_rate", "activation") == [
        ("trailing_stop", None, 0.05, None),
        ("trailing_stop", 3.0, None, 120.0),
        ("trailing_stop_limit", 2.0, None, None),  # half of (6 + 2) ÷ 2
    ]
    assert result.orders["limit_basis"][2] in ("stop_amount", "price")  # the second once it was triggered


WRONG: list[tuple[Any, str]] = [
    (Offset, "give exactly one of amount, rate and atr"),
    (lambda: Offset(amount=1, rate=0.1), "give exactly one of amount, rate and atr"),
    (lambda: Offset(amount=float("nan")), "Offset: amount must be a finite number"),
    (lambda: Offset(rate=0.1, of="fil"), "of='fil' is no reference. Did you mean 'fill'?"),
    (lambda: Offset(atr=3), "atr must be Atr(count, multiple), not 3"),  # type: ignore[arg-type]
    (lambda: Atr(0), "count must be a whole number, 1 or more, not 0"),
    (lambda: Atr(2.5), "count must be a whole number"),  # type: ignore[arg-type]
    (lambda: Atr(14, 0), "multiple must not be 0"),
    (lambda: Price(-1), "Price must be above 0"),
    (lambda: Trail(rate=1.5), "a fraction below 1 (5 % is 0.05), not 1.5"),
    (lambda: Trail(amount=-1), "amount must be above 0, not -1"),
    (lambda: Trail(atr=Atr(14, -3)), "atr must be above 0, not -3"),
    (lambda: Trail(amount=1, ratchet="low"), "ratchet must be one of path, close, bar, not 'low'"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_refused_where_it_is_written(make: Any, message: str) -> None:
    with pytest.raises(OrderError) as raised:
        make()
    assert message in str(raised.value)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"limit": Offset(amount=1, of="fill")}, "A: limit: of='fill' is the fill of a parent; give parent="),
    ({"limit": Offset(amount=1, of="average")}, "needs a position or parent=; A is flat"),
    ({"limit": Offset(amount=1, of="stop")}, "of='stop' needs stop= or touch="),
    ({"stop": Offset(amount=1, of="stop")}, "A: stop: of='stop' is for limits"),
    ({"limit": Offset(amount=-100)}, "A: limit, 100-100, must be above 0, not 0.0"),
    ({"stop": Offset(atr=Atr(14))}, "A: stop: Atr(14) needs 15 bars of A, 1 are known"),
]


@pytest.mark.parametrize(("terms", "message"), REFUSED)
def test_an_offset_without_its_reference_is_refused(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(OrderError) as raised:
        told(lambda s: s.broker.buy("A", 1, **terms))
    assert message in str(raised.value)
    assert raised.value.result.orders.height == 0


def test_a_symbol_without_a_price_has_no_last() -> None:
    data = bars(FLAT, FLAT, symbols="AB").filter(~((bars(FLAT, FLAT, symbols="AB")["symbol"] == "B") & (_first())))
    with pytest.raises(OrderError, match="B has no price yet"):
        told(lambda s: s.broker.buy("B", 1, limit=Offset(amount=-1)), data=data)


def _first() -> Any:
    both = bars(FLAT, FLAT, symbols="AB")
    return both["timestamp"] == both["timestamp"].min()


def test_the_signal_of_an_earlier_decision_is_not_kept() -> None:
    orders: list[Any] = []
    with pytest.raises(OrderError, match="of='signal' needs the parent's own decision"):
        told(
            lambda s: orders.append(s.broker.buy("A", 1, limit=1)),
            lambda s: s.broker.sell("A", parent=orders[0], stop=Offset(rate=-0.1, of="signal")),
        )


def test_a_parent_s_fill_is_no_reference_for_another_symbol() -> None:
    def ask(s: Strategy) -> None:
        s.broker.buy("B", parent=s.broker.buy("A", 1), limit=Offset(rate=0.1, of="fill"))

    with pytest.raises(OrderError, match="of='fill' is a price of the parent's symbol, not of B"):
        told(ask, data=bars(FLAT, FLAT, symbols="AB"))


def test_every_basis_has_a_reference() -> None:
    from ml4t.backtest.price import LATER, REFERENCES

    assert {*LATER.values(), Basis.PRICE} == set(Basis)
    assert {of for of, _ in LATER} <= set(REFERENCES)
