"""Weights as targets: which symbols are traded, in which order, and for how much."""

from typing import Any

import pytest

from ml4t.backtest import Exits, OrderError, Strategy, UnknownSymbolError
from told import FLAT, bars, rows, told

WHOLE = {"account": {"cash": 10_000.0}, "instruments": {"default": {"lot_size": 1.0}}}
HALF = (50.0, 50.0, 50.0, 50.0)


def flat(count: int, symbols: str = "ABC") -> Any:
    return bars(*[FLAT] * count, symbols=symbols)


def test_reductions_come_first_and_what_is_not_named_is_closed() -> None:
    """10,000: 30 A and 50 C at 100. Then A up to 50, B new, C away: C is sold first, though A and B are named first."""
    _, result = told(
        lambda s: s.broker.rebalance({"A": 0.3, "C": 0.5}),
        lambda _: None,
        lambda s: s.broker.rebalance({"A": 0.5, "B": 0.4}),
        data=flat(5),
        config=WHOLE,
    )
    assert rows(result, "symbol", "side", "quantity", "sizing", "state") == [
        ("A", "buy", 30, "target_percent", "filled"),
        ("C", "buy", 50, "target_percent", "filled"),
        ("C", "sell", 50, "target_percent", "filled"),
        ("A", "buy", 20, "target_percent", "filled"),
        ("B", "buy", 40, "target_percent", "filled"),
    ]


def test_the_answer_is_the_orders() -> None:
    (first, second), _ = told(
        lambda s: s.broker.rebalance({"A": 0.3, "B": 0.0}, tag="monthly"),
        lambda s: s.broker.rebalance({"A": 0.3}),
        data=flat(3),
        config=WHOLE,
    )
    assert [(order.symbol, order.tag) for order in first] == [("A", "monthly")]
    assert second == []


def test_lots_are_whole_and_the_buffer_stays_cash() -> None:
    """0.333 of 9,800 is 3,263.4: 32 A."""
    _, result = told(lambda s: s.broker.rebalance({"A": 0.333}, cash_buffer=0.02), data=flat(2), config=WHOLE)
    assert rows(result, "quantity") == [(32,)]


@pytest.mark.parametrize(
    ("limits", "symbols"),
    [
        # held 30 A and 50 B of 10,000; wanted 32 A (0.02, 200 away) and 45 B (0.05, 500 away)
        ({}, ["B", "A"]),
        ({"drift": 0.03}, ["B"]),
        ({"drift": 0.05}, []),  # exactly at the edge of the band
        ({"minimum_trade": 300}, ["B"]),
        ({"minimum_trade": 500}, ["B"]),  # just enough
        ({"minimum_trade": 501}, []),
        ({"drift": 0.01, "minimum_trade": 500}, ["B"]),
    ],
)
def test_what_is_near_enough_is_left_alone(limits: dict[str, float], symbols: list[str]) -> None:
    (_, _, orders), _ = told(
        lambda s: s.broker.rebalance({"A": 0.30, "B": 0.50}),
        lambda _: None,
        lambda s: s.broker.rebalance({"A": 0.32, "B": 0.45}, **limits),
        data=flat(4, "AB"),
        config=WHOLE,
    )
    assert [order.symbol for order in orders] == symbols


def test_a_small_position_is_closed_in_any_case() -> None:
    (_, _, orders), _ = told(
        lambda s: s.broker.rebalance({"A": 0.01}),
        lambda _: None,
        lambda s: s.broker.rebalance({}, drift=0.5, minimum_trade=1e6),
        data=flat(4),
        config=WHOLE,
    )
    assert [(order.symbol, order.quantity) for order in orders] == [("A", 1)]


def test_targets_of_before_do_not_fill_later() -> None:
    """B's order waits at 50; the next weights do not name B."""

    def first(s: Strategy) -> None:
        s.broker.order_target_percent("B", 0.5, limit=50)
        s.broker.buy("C", 1, limit=50)  # no target: stays

    _, result = told(
        first,
        lambda s: s.broker.rebalance({"A": 0.1}),
        lambda _: None,
        data=bars(FLAT, FLAT, FLAT, HALF, symbols="ABC"),
        config=WHOLE,
    )
    assert rows(result, "symbol", "state", "reason") == [
        ("B", "cancelled", "cancel_requested"),
        ("C", "filled", "executed"),
        ("A", "filled", "executed"),
    ]


def test_shorts_and_turns_are_weights_too() -> None:
    """From 20 long to 10 short is a reduction of 30, and comes first."""
    _, result = told(
        lambda s: s.broker.rebalance({"B": 0.2}),
        lambda _: None,
        lambda s: s.broker.rebalance({"A": 0.1, "B": -0.1}),
        data=flat(4),
        config=WHOLE | {"account": {"cash": 10_000.0, "kind": "margin"}},
    )
    assert rows(result, "symbol", "side", "quantity")[1:] == [("B", "sell", 30), ("A", "buy", 10)]


def test_terms_are_those_of_targets() -> None:
    _, result = told(
        lambda s: s.broker.rebalance({"A": 0.5}, tif="CLS", exits=Exits(stop_loss=0.1)), data=flat(2), config=WHOLE
    )
    assert rows(result, "time_in_force", "origin") == [("cls", "target"), ("gtc", "stop_loss")]


WRONG: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ({"A": float("nan")}, {}, OrderError, "rebalance: weight of A must be a finite number, not nan"),
    ({"A": None}, {}, OrderError, "weight of A must be a finite number"),
    ({"X": 0.5}, {}, UnknownSymbolError, "No symbol 'X' in this run"),
    ({}, {"drift": -0.1}, OrderError, "rebalance: drift must be 0 or more, not -0.1"),
    ({}, {"minimum_trade": "5"}, OrderError, "rebalance: minimum_trade must be a finite number, not '5'"),
    ({}, {"cash_buffer": 1}, OrderError, "cash_buffer is a fraction of equity below 1, not 1"),
    ({"A": 0.5}, {"parent": 1}, OrderError, "a target order has no argument 'parent'"),
]


@pytest.mark.parametrize(("weights", "terms", "kind", "message"), WRONG)
def test_what_makes_no_sense_is_refused(
    weights: Any, terms: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as raised:
        told(lambda s: s.broker.rebalance(weights, **terms))
    assert message in str(raised.value)


def test_weights_of_nothing_mean_nothing() -> None:
    """A short at 100 with all the cash, and the price goes to 300: −200 a unit."""
    config = {"account": {"cash": 1_000.0, "kind": "margin", "initial_margin_rate": 1.0}}
    data = bars(FLAT, FLAT, (300.0, 300.0, 300.0, 300.0), FLAT)
    with pytest.raises(OrderError, match="equity is -1000; weights of it mean nothing"):
        told(
            lambda s: s.broker.sell("A", 10), lambda _: None, lambda s: s.broker.rebalance({}), data=data, config=config
        )
