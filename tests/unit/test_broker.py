"""Requests and the views of orders they return."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import (
    Offset,
    Order,
    OrderError,
    OrderState,
    OrderType,
    Reason,
    Side,
    Strategy,
    TimeInForce,
    Trail,
    UnknownSymbolError,
)
from told import FLAT, bars, minute, rows, told


def look(order: Order) -> dict[str, Any]:
    names = ("id", "symbol", "side", "type", "state", "reason", "is_live", "quantity", "limit", "stop", "tag")
    more = ("filled_quantity", "average_fill_price", "commission")
    return {name: getattr(order, name) for name in (*names, *more)}


def test_an_order_is_a_view_of_what_becomes_of_it() -> None:
    """10 at 100, multiplier 5, commission 0.001 of 10 · 100 · 5; the second order rests, and is cancelled."""
    views: list[Order] = []

    def ask(s: Strategy) -> list[dict[str, Any]]:
        views.append(s.broker.buy("A", 10, tag="first"))
        views.append(s.broker.sell("A", 4, limit=120, stop=90, tif="DAY"))
        return [look(order) for order in views]

    def again(_: Strategy) -> list[dict[str, Any]]:
        return [look(order) for order in views]

    def cancel(s: Strategy) -> list[dict[str, Any]]:
        s.broker.cancel(views[1])
        return [look(views[1])]

    config = {"costs": {"commission": {"kind": "rate", "rate": 0.001}}, "instruments": {"default": {"multiplier": 5.0}}}
    (asked, later, cancelled), _ = told(ask, again, cancel, config=config)
    first = {
        "id": 1,
        "symbol": "A",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": 10,
        "limit": None,
        "stop": None,
    }
    second = {
        "id": 2,
        "side": Side.SELL,
        "type": OrderType.STOP_LIMIT,
        "quantity": 4,
        "limit": 120,
        "stop": 90,
        "tag": None,
    }
    new = {
        "state": OrderState.CREATED,
        "is_live": True,
        "filled_quantity": 0,
        "average_fill_price": None,
        "commission": 0,
    }
    filled = {"state": OrderState.FILLED, "reason": Reason.EXECUTED, "is_live": False, "filled_quantity": 10}
    filled |= {"average_fill_price": 100, "commission": 5}
    for found, expected in (
        (asked[0], first | new | {"tag": "first"}),
        (asked[1], second | new),
        (later[0], first | filled),
        (later[1], second | {"state": OrderState.ACCEPTED, "reason": Reason.ADMITTED, "is_live": True}),
        (cancelled[0], {"state": OrderState.CANCELLED, "reason": Reason.CANCEL_REQUESTED, "is_live": False}),
    ):
        assert {name: found[name] for name in expected} == expected


def test_an_order_in_words() -> None:
    (text,), _ = told(lambda s: repr(s.broker.buy("A", 2.0, limit=99.5, stop=101)))
    assert text == "Order(1, BUY 2 A, limit=99.5, stop=101, CREATED)"


@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ({}, "market"),
        ({"limit": 99}, "limit"),
        ({"stop": 101}, "stop"),
        ({"limit": 99, "stop": 101}, "stop_limit"),
        ({"touch": 99}, "market_if_touched"),
        ({"touch": 99, "limit": 98}, "limit_if_touched"),
        ({"stop": Trail(rate=0.1)}, "trailing_stop"),
        ({"stop": Trail(rate=0.1), "limit": Offset(amount=1)}, "trailing_stop_limit"),
    ],
)
def test_the_type_follows_from_the_prices(terms: dict[str, Any], kind: str) -> None:
    for method in ("buy", "order_target_quantity"):
        _, result = told(lambda s, method=method: getattr(s.broker, method)("A", 1, **terms))
        assert result.orders["type"].to_list() == [kind]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("buy", {}, "A: give exactly one of quantity, value, percent and funds"),
    ("buy", {"quantity": 1, "value": 1}, "give exactly one of quantity, value, percent and funds"),
    ("sell", {"value": 1, "percent": 1}, "give exactly one of quantity, value, percent and funds"),
    ("buy", {"quantity": 0}, "A: quantity must be above 0, not 0"),
    ("sell", {"quantity": -5}, "A: quantity must be above 0, not -5; the side says the direction"),
    ("buy", {"quantity": float("nan")}, "A: quantity must be a finite number, not nan"),
    ("buy", {"quantity": float("inf")}, "A: quantity must be a finite number, not inf"),
    ("buy", {"quantity": "10"}, "A: quantity must be a finite number, not '10'"),
    ("buy", {"value": -1}, "A: value must be above 0"),
    ("buy", {"percent": 0}, "A: percent must be above 0"),
    ("buy", {"quantity": 1, "limit": 0}, "A: limit must be above 0"),
    ("buy", {"quantity": 1, "limit": float("nan")}, "A: limit must be a finite number"),
    ("buy", {"quantity": 1, "stop": -1}, "A: stop must be above 0"),
    ("buy", {"quantity": 1, "tif": "DYA"}, "tif='DYA' is not a time in force. Did you mean 'DAY'?"),
    ("buy", {"quantity": 1, "tif": "GTD"}, "tif='GTD' needs until="),
    ("buy", {"quantity": 1, "tif": "BARS"}, "A: tif='BARS' needs bars=, a number of bars"),
    ("buy", {"quantity": 1, "tif": "BARS", "bars": 0}, "A: bars must be a whole number, 1 or more, not 0"),
    ("buy", {"quantity": 1, "bars": 3}, "A: bars= belongs to tif='BARS'"),
    *(
        ("sell", {"quantity": 1, "tif": tif, **trigger}, f"tif='{tif}' is for market and limit orders, not for {kind}")
        for tif in ("IOC", "FOK", "OPG", "CLS")
        for trigger, kind in (
            ({"touch": 110}, "market_if_touched"),
            ({"stop": Trail(rate=0.1)}, "trailing_stop"),
            ({"stop": Offset(amount=-1)}, "stop"),
            ({"stop": 90}, "stop"),
        )
    ),
    ("buy", {"quantity": 1, "stop": 101, "touch": 99}, "A: stop= and touch= are two triggers"),
    ("buy", {"quantity": 1, "touch": 99, "stop": Trail(rate=0.1)}, "A: stop= and touch= are two triggers"),
    ("buy", {"quantity": 1, "touch": 0}, "A: touch must be above 0"),
    ("buy", {"quantity": 1, "activation": 99}, "A: activation: it wakes a trigger; give stop= or touch="),
    (
        "buy",
        {"quantity": 1, "activation": 99, "stop": Trail(rate=0.1, activation=98)},
        "A: activation: it is given in Trail, too",
    ),
    (
        "buy",
        {"quantity": 1, "post_only": True},
        "A: post_only= belongs to a limit order without trigger, not to market",
    ),
    ("buy", {"quantity": 1, "limit": 99, "stop": 101, "post_only": True}, "not to stop_limit"),
    *(
        (
            "buy",
            {"quantity": 1, "limit": 99, "tif": tif, "post_only": True},
            f"A: post_only= belongs to an order that may rest; tif='{tif}' fills at one moment. Leave one out.",
        )
        for tif in ("IOC", "FOK", "OPG", "CLS")
    ),
    ("buy", {"quantity": 1, "stoploss": 0.1}, "buy has no argument 'stoploss'. Did you mean 'stop_loss'?"),
    ("sell", {"quantity": 1, "fraction": 0.5}, "A: fraction= is a part of what a parent fills; it needs parent="),
    ("buy", {"quantity": 1, "parent": 5}, "No order 5; there is none yet"),
    ("buy", {"quantity": 1, "parent": "x"}, "No order with client_id 'x'"),
    ("buy", {"quantity": 1, "client_id": 7}, "client_id must be a text, not 7"),
    ("buy", {"quantity": 1, "client_id": ""}, "client_id must be a text, not ''"),
    ("order_target_value", {"target": 1, "parent": 1}, "a target order has no argument 'parent'"),
    ("order_target_value", {"target": 1, "fraction": 1.0}, "a target order has no argument 'fraction'"),
    ("buy", {"quantity": 1, "until": minute(9)}, "until= belongs to tif='GTD'"),
    ("buy", {"quantity": 1, "tif": "DAY", "until": minute(9)}, "until= belongs to tif='GTD'"),
    ("buy", {"quantity": 1, "tif": "GTD", "until": minute(1)}, "is not later than now"),
    ("order_target_value", {"target": float("inf")}, "A: target must be a finite number"),
    ("order_target_percent", {"target": None}, "A: target must be a finite number"),
    ("order_target_quantity", {"target": 5, "limit": -1}, "A: limit must be above 0"),
]


@pytest.mark.parametrize(("method", "terms", "message"), WRONG)
def test_a_request_that_makes_no_sense_is_refused(method: str, terms: dict[str, Any], message: str) -> None:
    with pytest.raises(OrderError) as raised:
        told(lambda s: getattr(s.broker, method)("A", **terms))
    assert message in str(raised.value)
    assert raised.value.result.orders.height == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.broker.buy("SPY", 1),
        lambda s: s.broker.close("SPY"),
        lambda s: s.broker.order_target_percent("SPY", 1),
        lambda s: s.broker.orders("SPY"),
    ],
)
def test_a_wrong_symbol_suggests_the_nearest(ask: Callable[[Strategy], Any]) -> None:
    data = bars(FLAT, FLAT).with_columns(symbol=pl.lit("SPX"))
    with pytest.raises(UnknownSymbolError, match=r"No symbol 'SPY' in this run. Did you mean 'SPX'\?"):
        told(ask, data=data)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("DAY", "day"), ("day", "day"), (TimeInForce.DAY, "day"), ("GTC", "gtc"), (TimeInForce.GTC, "gtc")],
)
def test_time_in_force_by_name_or_member(given: Any, kept: str) -> None:
    _, result = told(lambda s: s.broker.buy("A", 1, limit=1, tif=given))
    assert result.orders["time_in_force"].to_list() == [kept]


@pytest.mark.parametrize(
    ("until", "expires"),
    [
        (minute(2), minute(2)),
        # 05:02:30 in New York (the data's zone here) is 10:02:30 UTC
        (datetime(2024, 3, 5, 5, 2, 30), minute(2.5)),
        # a date: to its end, so the order outlives the run
        (date(2024, 3, 5), None),
    ],
)
def test_until(until: datetime | date, expires: datetime | None) -> None:
    _, result = told(
        lambda s: s.broker.buy("A", 1, limit=1, tif="GTD", until=until),
        data=bars(*[FLAT] * 5),
        config={"data": {"timezone": "America/New_York"}},
    )
    assert result.orders["closed_at"].to_list() == [expires]
    assert result.orders["state"].to_list() == ["expired" if expires else "accepted"]


def test_live_orders_by_symbol_in_order_of_submission() -> None:
    def ask(s: Strategy) -> Any:
        for symbol in "BABA":
            s.broker.buy(symbol, 1, limit=1)
        s.broker.cancel(2)
        return [order.id for order in s.broker.orders()], [order.id for order in s.broker.orders("B")]

    (now, later), _ = told(
        ask, lambda s: [order.id for order in s.broker.orders("A")], data=bars(FLAT, FLAT, FLAT, symbols="AB")
    )
    assert now == ([1, 3, 4], [1, 3])
    assert later == [4]


def test_order_by_id() -> None:
    (found,), _ = told(lambda s: (s.broker.buy("A", 3), s.broker.order(1).quantity)[1])
    assert found == 3
    for number in (0, 2, -1):
        with pytest.raises(OrderError, match=f"No order {number}; ids so far are 1 to 1"):
            told(lambda s, number=number: (s.broker.buy("A", 3), s.broker.order(number)))


def test_numbers_may_be_numpys() -> None:
    def ask(s: Strategy) -> None:
        s.broker.buy("A", np.int64(2), limit=np.float64(100.0))
        s.broker.buy("A", np.float32(3.0))
        s.broker.order_target_quantity("A", np.int32(7))

    _, result = told(ask)
    assert result.fills["quantity"].to_list() == [2, 3, 7]


def test_there_is_room_for_as_many_orders_as_are_asked_for() -> None:
    def ask(s: Strategy) -> None:
        for n in range(300):
            s.broker.buy("A", 1, limit=1 + n % 50, tag=f"tag {n}")

    _, result = told(ask, lambda s: [s.broker.cancel(n) for n in range(1, 301, 2)], config={"orders": {"reserve": 1}})
    assert result.orders["order_id"].to_list() == list(range(1, 301))
    assert result.orders["tag"].to_list() == [f"tag {n}" for n in range(300)]
    assert result.orders["state"].to_list() == ["cancelled", "accepted"] * 150


def test_requests_that_make_no_order_return_none() -> None:
    def ask(s: Strategy) -> list[Any]:
        return [
            s.broker.close("A"),
            s.broker.buy("A", value=99),
            s.broker.order_target_quantity("A", 0),
            s.broker.order_target_percent("A", 0.0001),
        ]

    (answers,), result = told(ask)
    assert answers == [None] * 4
    assert result.orders.height == 0


def test_a_quantity_that_waits_for_the_fill_is_not_known() -> None:
    def ask(s: Strategy) -> float:
        return s.broker.buy("A", percent=0.5).quantity

    (before,), result = told(ask, config={"orders": {"valuation": "fill_price"}})
    assert np.isnan(before)
    assert result.fills["quantity"].to_list() == [500]


# --------------------------------------------------------------------------------------------------------------- groups
def test_a_group_knows_its_members() -> None:
    seen: list[Any] = []

    def ask(s: Strategy) -> None:
        a, b, c = (s.broker.buy("A", 1, limit=price) for price in (10, 20, 30))
        s.broker.oco(a, b)
        s.broker.oco(c, 2)
        child = s.broker.sell("A", parent=a, fraction=0.5, limit=50)
        seen.extend([a.linked, child.linked, child.parent, a.children, b.children, a.parent])

    _, result = told(ask)
    assert [[order.id for order in each] for each in (seen[0], seen[1], seen[3], seen[4])] == [[2, 3], [], [4], []]
    assert (seen[2].id, seen[5]) == (1, None)
    assert rows(result, "parent_id", "oco_group", "sizing") == [
        (None, 1, "quantity"),
        (None, 1, "quantity"),
        (None, 1, "quantity"),
        (1, None, "parent"),
    ]


def test_children_are_found_when_they_have_ended() -> None:
    (entry,), _ = told(
        lambda s: s.broker.buy("A", 4, stop_loss=0.05, take_profit=0.1), data=bars(FLAT, FLAT, (100, 111, 100, 111))
    )
    assert [(order.id, order.state.name) for order in entry.children] == [(2, "CANCELLED"), (3, "FILLED")]
    assert [order.id for order in entry.children[0].linked] == [3]
    assert entry.children[1].origin.name == "TAKE_PROFIT"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1,), "oco() links two or more different orders"),
        ((1, 1), "different orders"),
        ((1, 3), "Order 3 is not live (cancelled)"),
    ],
)
def test_what_cannot_be_linked_is_refused(given: tuple[int, ...], message: str) -> None:
    def ask(s: Strategy) -> None:
        for _ in range(3):
            s.broker.buy("A", 1, limit=1)
        s.broker.cancel(3)
        s.broker.oco(*given)

    with pytest.raises(OrderError) as raised:
        told(ask)
    assert message in str(raised.value)


def test_groups_have_a_limit() -> None:
    def ask(s: Strategy) -> None:
        s.broker.oco(*(s.broker.buy("A", 1, limit=1) for _ in range(33)))

    with pytest.raises(OrderError, match="a group has at most 32 orders"):
        told(ask)
    with pytest.raises(OrderError, match="an order has at most 32 children"):
        told(lambda s: s.broker.buy("A", 1, stop_loss=0.1, take_profit=[(0.1 + n / 100, 1 / 20) for n in range(20)]))


def test_a_child_needs_a_parent_that_has_not_filled() -> None:
    views: list[Any] = []
    with pytest.raises(OrderError, match="order 1 is filled; a child has to be there before its parent's first fill"):
        told(lambda s: views.append(s.broker.buy("A", 1)), lambda s: s.broker.sell("A", parent=views[0], limit=110))


@pytest.mark.parametrize(("terms", "quantity"), [({}, 10), ({"fraction": 0.3}, 3), ({"quantity": 7}, 7)])
def test_a_child_is_sized_by_its_parent_unless_it_has_a_quantity(terms: dict[str, Any], quantity: float) -> None:
    def ask(s: Strategy) -> None:
        s.broker.buy("B", parent=s.broker.buy("A", 10), **terms)

    _, result = told(ask, data=bars(FLAT, FLAT, FLAT, FLAT, symbols="AB"))
    assert result.fills.filter(symbol="B")["quantity"].to_list() == [quantity]


# ---------------------------------------------------------------------------------------------------- names, cancel all
def test_a_client_id_names_one_order() -> None:
    def ask(s: Strategy) -> list[Any]:
        s.broker.buy("A", 1, limit=1)
        order = s.broker.buy("A", 2, limit=1, client_id="mine")
        s.broker.replace("mine", quantity=3)
        return [s.broker.order("mine") == order, order.client_id, s.broker.order(1).client_id, order.quantity]

    (answers,), result = told(ask)
    assert answers == [True, "mine", None, 3]
    assert rows(result, "client_id") == [(None,), ("mine",)]
    with pytest.raises(OrderError, match="client_id='x' is taken by order 1"):
        told(lambda s: [s.broker.buy("A", 1, client_id="x") for _ in range(2)])
    with pytest.raises(OrderError, match=r"No order with client_id 'mime'. Did you mean 'mine'\?"):
        told(lambda s: (s.broker.buy("A", 1, client_id="mine"), s.broker.cancel("mime")))


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, []),
        ({"symbol": "A"}, [2, 4]),
        ({"tag": "x"}, [3, 4]),
        ({"symbol": "B", "tag": "x"}, [1, 3, 4]),
        ({"tag": "y"}, [1, 2, 3, 4]),
    ],
)
def test_cancel_all_by_symbol_and_tag(given: dict[str, Any], left: list[int]) -> None:
    def ask(s: Strategy) -> tuple[list[int], list[int]]:
        for symbol, tag in (("A", "x"), ("B", "x"), ("A", None), ("B", None)):
            s.broker.buy(symbol, 1, limit=1, tag=tag)
        gone = s.broker.cancel_all(**given)
        return [order.id for order in gone], [order.id for order in s.broker.orders()]

    (answers,), _ = told(ask, data=bars(FLAT, FLAT, symbols="AB"))
    assert answers == ([n for n in (1, 2, 3, 4) if n not in left], left)


def test_cancel_all_takes_children_with_their_parents() -> None:
    def ask(s: Strategy) -> list[str]:
        s.broker.buy("A", 1, limit=1, stop_loss=0.1)
        return [order.reason.name for order in s.broker.cancel_all()]

    (reasons,), _ = told(ask)
    assert reasons == ["CANCEL_REQUESTED", "PARENT_ENDED"]


def test_a_touch_can_be_replaced_a_trailing_stop_cannot() -> None:
    def ask(s: Strategy) -> float | None:
        order = s.broker.buy("A", 1, touch=90)
        s.broker.replace(order, touch=91)
        return order.stop

    (stop,), _ = told(ask)
    assert stop == 91
    for terms, given, message in (
        ({"touch": 90}, {"stop": 91}, "waits for a touch: replace touch="),
        ({"stop": 110}, {"touch": 91}, "has no touch price"),
        ({"stop": Trail(rate=0.1)}, {"stop": 91}, "its stop follows the market"),
    ):
        with pytest.raises(OrderError, match=message):
            told(lambda s, terms=terms, given=given: s.broker.replace(s.broker.buy("A", 1, **terms), **given))
