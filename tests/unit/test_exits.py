"""Exits: which orders the rules become, of which orders, and that they leave nothing open."""

from typing import Any

import polars as pl
import pytest

from ml4t.backtest import Atr, Exits, Offset, OrderError, Price, Strategy, Trail
from told import FLAT, bars, rows, told

UP = (100.0, 101.0, 100.0, 101.0)


def test_the_rules_of_a_long_position_in_numbers() -> None:
    """Bought at 100 (the open of bar 1)."""
    _, result = told(
        lambda s: s.broker.buy("A", 8, stop_loss=0.05, take_profit=0.1, trail=0.2, break_even=0.03, max_bars=9)
    )
    assert rows(result, "origin", "type", "side", "quantity", "limit", "stop", "activation", "trail_rate") == [
        ("strategy", "market", "buy", 8, None, None, None, None),
        ("stop_loss", "stop", "sell", 8, None, 95, None, None),
        ("take_profit", "limit", "sell", 8, pytest.approx(110), None, None, None),
        ("trailing_stop", "trailing_stop", "sell", 8, None, 80, None, 0.2),
        ("break_even", "stop", "sell", 8, None, 100, 103, None),
        ("max_bars", "market", "sell", 8, None, None, None, None),
    ]
    assert rows(result, "parent_id", "oco_group", "reduce_only", "time_in_force")[1:] == [(1, 2, True, "gtc")] * 5


def test_the_rules_of_a_short_position_are_the_mirror() -> None:
    _, result = told(
        lambda s: s.broker.sell("A", 8, stop_loss=0.05, take_profit=0.1, break_even=0.03, trail=Trail(amount=4)),
        config={"account": {"kind": "margin"}},
    )
    assert rows(result, "origin", "side", "limit", "stop", "activation")[1:] == [
        ("stop_loss", "buy", None, 105, None),
        ("take_profit", "buy", 90, None, None),
        ("trailing_stop", "buy", None, 104, None),
        ("break_even", "buy", None, 100, 97),
    ]


@pytest.mark.parametrize(
    ("distance", "stop"),
    [
        (0.05, 104.5),  # the fill: the open of bar 3, 110
        (Offset(amount=5), 105.0),
        (Offset(rate=0.1, of="signal"), 90.9),  # the mark at submission: the close of bar 2, 101
        (Offset(amount=1, of="last"), 100.0),
        (Atr(2, 1.5), 104.0),  # 110 − 1.5 · (6 + 2) ÷ 2
        (Offset(atr=Atr(2, 1.5), of="signal"), 95.0),
        (Price(70), 70.0),
    ],
)
def test_a_distance_is_measured_from_its_basis(distance: Any, stop: float) -> None:
    moving = bars(FLAT, (100, 104, 98, 102), (102, 103, 101, 101), (110, 110, 109, 110), (110, 110, 110, 110))
    wait = [lambda _: None] * 2
    _, result = told(*wait, lambda s: s.broker.buy("A", 1, stop_loss=distance), data=moving)
    assert rows(result, "stop")[1] == (pytest.approx(stop),)


def test_the_average_price_counts_what_was_held_before() -> None:
    """10 at 100, then 30 at 104: average 103, less 10 %."""
    data = bars(FLAT, FLAT, (104, 104, 104, 104), (104, 104, 104, 104))
    _, result = told(
        lambda s: s.broker.buy("A", 10),
        lambda s: s.broker.buy("A", 30, exits=Exits(stop_loss=0.1, basis="average")),
        data=data,
    )
    assert rows(result, "stop")[2] == (pytest.approx(92.7),)


def test_max_bars_leaves_n_bars_after_the_entry() -> None:
    """Entry at the open of bar 1, so with 2 bars the exit is at the open of bar 3."""
    data = bars(*[(100.0 + n, 100.0 + n, 100.0 + n, 100.0 + n) for n in range(6)])
    _, result = told(lambda s: s.broker.buy("A", 1, max_bars=2), data=data)
    assert result.fills["price"].to_list() == [101, 103]
    assert result.trades["bars_held"].to_list() == [2]
    assert result.trades["exit_reason"].to_list() == ["max_bars"]


def test_a_ladder_is_a_ring_for_each_rung() -> None:
    """Half leaves at 105, half at 110; the stop of a rung that has left goes with it."""
    data = bars(FLAT, FLAT, (100, 106, 100, 106), (106, 112, 106, 110), FLAT)
    _, result = told(lambda s: s.broker.buy("A", 10, stop_loss=0.05, take_profit=[(0.05, 0.5), (0.1, 0.5)]), data=data)
    assert rows(result, "origin", "quantity", "limit", "oco_group", "state")[1:] == [
        ("stop_loss", 5, None, 2, "cancelled"),
        ("take_profit", 5, 105, 2, "filled"),
        ("stop_loss", 5, None, 4, "cancelled"),
        ("take_profit", 5, pytest.approx(110), 4, "filled"),
    ]
    assert result.fills["position_after"].to_list() == [10, 5, 0]


def test_a_rung_without_take_profit_is_left_to_the_other_rules() -> None:
    _, result = told(lambda s: s.broker.buy("A", 10, trail=0.1, take_profit=[(0.05, 0.4), (None, 0.6)]))
    assert rows(result, "origin", "quantity")[1:] == [("take_profit", 4), ("trailing_stop", 4), ("trailing_stop", 6)]


def test_the_last_rung_takes_what_floats_leave() -> None:
    thirds = [(0.1 * n, 1 / 3) for n in (1, 2, 3)]
    assert Exits(take_profit=thirds).rungs() == thirds  # 1/3 + 1/3 + 1/3 is 1


# ------------------------------------------------------------------------------------------------------- whose, and when
STOP = Exits(stop_loss=0.05)


def exits_of(result: Any) -> list[int]:
    """How many exits each order has."""
    parents = result.orders["parent_id"].to_list()
    own = result.orders.filter(pl.col("parent_id").is_null())["order_id"].to_list()
    return [parents.count(order) for order in own]


def test_the_strategy_s_exits_are_of_every_order_that_opens() -> None:
    def reverse(s: Strategy) -> None:
        s.broker.close("A")
        s.broker.sell("A", 4)  # flat by then: it opens a short

    _, result = told(
        lambda s: s.broker.buy("A", 10),
        lambda s: s.broker.sell("A", 4),  # only closes
        lambda s: s.broker.sell("A", 20, reduce_only=True, limit=200),
        reverse,
        lambda s: s.broker.buy("A", 10),  # turns −4 into 6
        config={"account": {"kind": "margin"}},
        exits=STOP,
    )
    assert exits_of(result) == [1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("terms", "count"), [({"exits": Exits()}, 0), ({"trail": 0.1, "max_bars": 3}, 2), ({"tag": "x"}, 1)]
)
def test_the_exits_of_one_order_replace_the_strategy_s(terms: dict[str, Any], count: int) -> None:
    _, result = told(lambda s: s.broker.buy("A", 10, **terms), exits=STOP)
    assert exits_of(result) == [count]


def test_targets_have_exits_where_they_open() -> None:
    _, result = told(
        lambda s: s.broker.order_target_quantity("A", 10, stop_loss=0.05),
        lambda s: s.broker.order_target_quantity("A", 4, stop_loss=0.05),  # a reduction
        lambda s: s.broker.order_target_quantity("A", -3, stop_loss=0.05),  # a turn
        config={"account": {"kind": "margin"}},
    )
    assert exits_of(result) == [1, 0, 1]
    assert rows(result, "side", "stop")[-1] == ("buy", 105)


def test_children_that_trade_against_their_parent_are_exits_themselves() -> None:
    def ask(s: Strategy) -> None:
        entry = s.broker.buy("A", 10, limit=99)
        s.broker.sell("A", parent=entry, limit=120)
        s.broker.buy("A", 5, parent=entry, limit=90)  # adds to it, so it has exits of its own

    _, result = told(ask, exits=STOP)
    assert rows(result, "parent_id", "origin", "reduce_only") == [
        (None, "strategy", False),
        (1, "stop_loss", True),
        (1, "strategy", True),
        (1, "strategy", False),
        (4, "stop_loss", True),
    ]


def test_exits_may_be_set_while_the_strategy_runs() -> None:
    def set_them(s: Strategy) -> None:
        s.exit_rules = STOP
        s.broker.buy("A", 1)

    _, result = told(lambda s: s.broker.buy("A", 1), set_them)
    assert exits_of(result) == [0, 1]


def test_an_exit_that_cannot_be_priced_cancels_its_order() -> None:
    with pytest.raises(OrderError, match="stop_loss: Atr\\(5\\) needs 6 bars of A, 1 are known") as raised:
        told(lambda s: s.broker.buy("A", 1, stop_loss=Atr(5)))
    assert raised.value.result.orders["state"].to_list() == ["cancelled"]


# ------------------------------------------------------------------------------------------------------------- protect
def test_protect_gives_a_position_exits() -> None:
    """10 bought at 100; the mark is 101. Bar 3 falls through 95."""
    data = bars(FLAT, FLAT, UP, (101, 101, 94, 95), FLAT)
    _, result = told(
        lambda s: s.broker.buy("A", 10),
        lambda _: None,
        lambda s: s.broker.protect("A", stop_loss=0.05, take_profit=0.1),
        data=data,
    )
    assert rows(result, "origin", "quantity", "stop", "limit", "parent_id", "oco_group", "state")[1:] == [
        ("stop_loss", 10, 95, None, None, 2, "filled"),
        ("take_profit", 10, None, pytest.approx(110), None, 2, "cancelled"),
    ]
    assert result.fills["price"].to_list() == [100, 95]


def test_what_is_measured_from_a_fill_is_measured_from_the_average_price_of_a_position() -> None:
    """Bought at 100; there is no fill to come, and the stop is 2 below."""
    _, result = told(
        lambda s: s.broker.buy("A", 10), lambda s: s.broker.protect("A", stop_loss=Offset(amount=2, of="fill"))
    )
    assert rows(result, "origin", "stop")[1:] == [("stop_loss", 98)]


def test_protect_from_the_mark_and_in_rungs() -> None:
    """7 in lots of 1: a third is 2, a third is 2, the last rung has 3."""
    data = bars(FLAT, FLAT, UP, UP)
    ladder = [(0.1, 1 / 3), (0.2, 1 / 3), (0.3, 1 / 3)]
    config = {"instruments": {"default": {"lot_size": 1.0}}}
    _, result = told(
        lambda s: s.broker.buy("A", 7),
        lambda _: None,
        lambda s: s.broker.protect("A", Exits(take_profit=ladder, basis="signal")),
        data=data,
        config=config,
    )
    assert rows(result, "quantity", "limit")[1:] == [
        (2, pytest.approx(111.1)),
        (2, pytest.approx(121.2)),
        (3, pytest.approx(131.3)),
    ]


def test_protect_replaces_the_exits_that_are_there() -> None:
    (_, orders, flat), result = told(
        lambda s: s.broker.buy("A", 10, stop_loss=0.05),
        lambda s: (s.broker.buy("A", 5, limit=50, stop_loss=0.2), s.broker.protect("A", max_bars=50))[1],
        lambda s: (s.broker.close("A"), s.broker.protect("A", stop_loss=0.1))[0] and None,
    )
    assert rows(result, "origin", "state", "reason")[1:5] == [
        ("stop_loss", "cancelled", "cancel_requested"),
        ("strategy", "accepted", "admitted"),
        ("stop_loss", "pending", "admitted"),  # of the order that has not filled
        ("max_bars", "cancelled", "cancel_requested"),
    ]
    assert [order.origin.name for order in orders] == ["MAX_BARS"]
    assert flat is None


def test_nothing_is_protected_where_nothing_is_held() -> None:
    (orders,), result = told(lambda s: s.broker.protect("A", stop_loss=0.05))
    assert orders == []
    assert result.orders.height == 0


# --------------------------------------------------------------------------------------------------------------- errors
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"stop_loss": 5}, "stop_loss: a number is a rate (5 % is 0.05), not 5; a price is Price(5)"),
    ({"stop_loss": -0.05}, "stop_loss must be above 0, not -0.05; the rule knows the direction"),
    ({"stop_loss": Offset(amount=-2)}, "stop_loss must be above 0, not -2"),
    ({"take_profit": Atr(14, -1)}, "take_profit must be above 0, not -1"),
    ({"take_profit": "0.1"}, "take_profit must be a finite number, not '0.1'"),
    ({"stop_loss": Offset(rate=0.1, of="stop")}, "of='stop' is for limits"),
    ({"trail": 1.0}, "trail: a number is a rate"),
    ({"trail": Price(95)}, "trail: it is a distance from the best price"),
    ({"trail": Offset(amount=1, of="fill")}, "trail: it is a distance from the best price"),
    ({"max_bars": 0}, "max_bars must be a whole number, 1 or more, not 0"),
    ({"max_bars": 2.5}, "max_bars must be a whole number"),
    ({"basis": "open"}, "basis must be one of fill, signal, average, not 'open'"),
    ({"take_profit": []}, "a ladder needs rungs"),
    ({"take_profit": [0.1, 0.2]}, "a ladder is a list of (level, fraction)"),
    ({"take_profit": [(0.1, 0.5), (0.2, 0.25)]}, "must be 1 together, not 0.75"),
    ({"take_profit": [(0.1, 1.5), (0.2, -0.5)]}, "take_profit: fraction must be above 0, not -0.5"),
    ({"take_profit": [(-0.1, 1.0)]}, "take_profit must be above 0, not -0.1"),
]


@pytest.mark.parametrize(("terms", "message"), WRONG)
def test_a_rule_that_makes_no_sense_is_refused_where_it_is_written(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(OrderError) as raised:
        Exits(**terms)
    assert message in str(raised.value)


REFUSED: list[tuple[Any, str]] = [
    (lambda b: b.buy("A", 1, exits=STOP, trail=0.1), "exits= and trail= are two answers"),
    (lambda b: b.buy("A", 1, exits={"stop_loss": 0.1}), "exits must be Exits(...), not {'stop_loss': 0.1}"),
    (lambda b: b.buy("A", 1, reduce_only=True, stop_loss=0.1), "a reduce_only order opens nothing"),
    (lambda b: b.protect("A", stoploss=0.1), "no exit rule 'stoploss'. Did you mean 'stop_loss'?"),
    (lambda b: b.protect("A"), "protect() needs a rule"),
    (lambda b: b.protect("A", STOP, trail=0.1), "exits= and trail= are two answers"),
]


@pytest.mark.parametrize(("ask", "message"), REFUSED)
def test_a_request_that_contradicts_itself_is_refused(ask: Any, message: str) -> None:
    with pytest.raises(OrderError) as raised:
        told(lambda s: ask(s.broker))
    assert message in str(raised.value)
    assert raised.value.result.orders.height == 0


def test_exits_of_an_order_that_only_closes_are_an_error() -> None:
    """`sell(..., trail=)` would sell at once: what is meant is `stop=Trail(...)`."""
    with pytest.raises(OrderError, match=r"only closes a position.*stop=\.\.\.") as raised:
        told(lambda s: s.broker.buy("A", 10), lambda s: s.broker.sell("A", 10, trail=0.05))
    assert raised.value.result.orders.height == 1


@pytest.mark.parametrize("terms", [{"stop_loss": 0.05}, {}])
def test_a_target_without_direction_has_no_exits(terms: dict[str, Any]) -> None:
    with pytest.raises(OrderError, match="has no direction before, so no exits"):
        told(
            lambda s: s.broker.order_target_percent("A", 0.5, **terms),
            config={"orders": {"valuation": "fill_price"}},
            exits=None if terms else STOP,
        )


def test_wrong_exits_of_a_strategy_are_found_with_the_first_order() -> None:
    with pytest.raises(OrderError, match=r"exits must be Exits\(...\), not 0.05"):
        told(lambda s: s.broker.buy("A", 1), exits=0.05)  # type: ignore[arg-type]
