"""Orders that have their turn and live together, worked out by hand (docs/semantics/turns.md). Bars last a minute."""

from typing import Any

import pytest

from ml4t.backtest import BacktestConfig, ConfigError, Offset, Result, Trail, run
from scenarios.table import Ask, Scenario, Scripted, buy, cancel, frame, minute, oco, sell

FLAT = (100, 101, 99, 100)
TURN = {
    "account": {"kind": "balance", "cash": 10_000.0, "shortfall": "reject"},
    "fills": {"schedule": "queue", "rescan": "never", "stop_limit": "by_close"},
    "orders": {"links": "together", "expiry": "turn"},
    "run": {"acknowledge_leaky": True},
}
SLIP = {"slippage": {"kind": "rate", "rate": 0.02}}


def result_of(bars: list[tuple[float, ...]], asks: dict[float, list[Ask]], settings: dict[str, Any]) -> Result:
    """The result of asking for this at the ends of these minutes."""
    strategy = Scripted()
    strategy._scenario = Scenario("", bars, asks, [], 0)
    return run(strategy, frame(bars), settings)


def fills_of(
    bars: list[tuple[float, ...]], asks: dict[float, list[Ask]], **more: Any
) -> list[tuple[int, float, float]]:
    """(order, signed quantity, price) of every fill."""
    settings = {key: TURN.get(key, {}) | more.get(key, {}) for key in TURN.keys() | more.keys()}
    result = result_of(bars, asks, settings)
    rows = result.fills.select("order_id", "side", "quantity", "price").iter_rows()
    return [(order, quantity if side == "buy" else -quantity, price) for order, side, quantity, price in rows]


def states_of(bars: list[tuple[float, ...]], asks: dict[float, list[Ask]]) -> list[tuple[str, str]]:
    """State and reason of every order."""
    orders = result_of(bars, asks, TURN).orders.sort("order_id")
    return list(orders.select("state", "reason").iter_rows())


@pytest.mark.parametrize(
    ("limit", "bar", "price"),
    [
        (102, (98, 103, 97, 99), 100),
        (99, (99.5, 103, 97, 98), 99),
        (99, (98, 103, 97, 98.5), None),
        (99, (101, 103, 98, 102), 99),
        (99, (101, 103, 100, 102), None),
        (103, (101, 103, 100, 102), 101),
    ],
)
def test_a_stop_limit_order_by_the_close(limit: float, bar: tuple[float, ...], price: float | None) -> None:
    got = fills_of([FLAT, bar], {1: [buy(10, stop=100, limit=limit)]})
    assert got == ([] if price is None else [(1, 10, price)])


def test_an_order_expires_in_its_turn_and_takes_its_group_with_it() -> None:
    dated = buy(1, limit=90, tif="GTD", until=minute(2))
    asks = {1: [dated, buy(1, limit=99), oco(1, 2)]}
    calm = (100, 101, 99.5, 100)
    assert states_of([FLAT, calm, FLAT], asks) == [
        ("expired", "good_till_date_reached"),
        ("cancelled", "linked_order_ended"),
    ]
    asks = {1: [buy(1, limit=99), dated, oco(1, 2)]}  # the other one has its turn before, and fills
    assert states_of([FLAT, calm, FLAT], asks) == [("filled", "executed"), ("cancelled", "linked_order_filled")]


BRACKET = [buy(10, limit=99), sell(10, parent=1, stop=98), sell(10, parent=1, limit=102)]


def test_children_work_from_the_next_bar_on_and_fill_whatever_is_held() -> None:
    wide = (100, 103, 97, 100)
    assert fills_of([FLAT, wide, FLAT], {1: BRACKET}) == [(1, 10, 99)]
    # sold meanwhile: the stop makes a short of it; it is before the limit in the queue
    assert fills_of([FLAT, wide, wide, FLAT], {1: BRACKET, 2: [sell(10)]}) == [(1, 10, 99), (2, -10, 98), (4, -10, 100)]


def test_a_bracket_ends_together() -> None:
    far = (110, 111, 109, 110)
    ended = ("cancelled", "linked_order_ended")
    asked = ("cancelled", "cancel_requested")
    assert states_of([FLAT, far, far], {1: BRACKET, 2: [cancel(3)]}) == [
        ended,
        ("cancelled", "linked_order_ended"),
        asked,
    ]
    gone = ("cancelled", "parent_ended")
    assert [state for state, _ in states_of([FLAT, far, far], {1: BRACKET, 2: [cancel(1)]})] == [gone[0]] * 3


def test_a_child_trails_from_its_submission() -> None:
    asks = {1: [buy(10), sell(10, parent=1, stop=Trail(amount=2, ratchet="close"))]}
    # stop 98 since the decision at 100; the entry's bar closes at 105 and does not move it; the next one does, to 103
    bars = [FLAT, (100, 105, 99, 105), (105, 106, 104, 105), (105, 106, 102, 104)]
    assert fills_of(bars, asks) == [(1, 10, 100), (2, -10, 103)]


def test_the_limit_of_a_trailing_order_follows_the_close_of_the_bar_that_triggers_it() -> None:
    asks = {1: [sell(1, stop=Trail(amount=2, ratchet="close"), limit=Offset(amount=1))]}
    # stop 98, limit 99: triggered at 98, O > C is no turn for a sell; the close of 104 moves the limit to 103
    bars = [FLAT, (105, 106, 97, 104), (100, 102.5, 99, 100), (100, 103, 99, 100)]
    assert fills_of(bars, asks) == [(1, -1, 103)]


def test_what_closes_passes_and_what_opens_must_be_paid() -> None:
    asks = {1: [buy(100)], 2: [buy(1)], 3: [sell(150)]}
    assert fills_of([FLAT] * 4, asks) == [(1, 100, 100), (3, -150, 100)]
    dear = {"account": {"cash": 100.0}, "costs": {"commission": {"kind": "rate", "rate": 0.9}}}
    # cash 100 + 1,000 - 900 = 200; covering costs 1,900, which passes; opening 20 more is not paid for
    assert fills_of([FLAT] * 3, {1: [sell(10)], 2: [buy(30)]}, **dear) == [(1, -10, 100), (2, 10, 100)]


def test_market_orders_at_the_close_of_the_decision() -> None:
    bars = [(100, 101, 99, 99.5), (100, 101, 99, 100)]
    assert fills_of(bars, {1: [buy(1)]}, fills={"market": "decision_close"}) == [(1, 1, 99.5)]


def test_an_order_is_judged_at_the_open_that_it_fills_at() -> None:
    bars = [FLAT, (102, 103, 101, 102), FLAT]
    asks = {1: [buy(99), sell(99, limit=150)]}
    at_close = {"orders": {"admission": "pseudo_execute"}}
    at_open = {"orders": {"admission": "pseudo_execute_at_open"}}
    # 99 · 100 is admitted, and not paid for at 102; 99 · 102 is refused, and 99 · 150 brings the running cash above 0 again
    assert fills_of(bars, asks, **at_close) == fills_of(bars, asks, **at_open) == []
    cheap = [FLAT, (90, 91, 89, 90)]
    assert fills_of(cheap, {1: [buy(110)]}, **at_close) == []
    assert fills_of(cheap, {1: [buy(110)]}, **at_open) == [(1, 110, 90)]


@pytest.mark.parametrize(
    ("asked", "bar", "kind", "price"),
    [
        (buy(1), FLAT, {}, 101),  # 102 is above the high
        (buy(1), FLAT, {"beyond": "keep"}, 102),
        (buy(1), FLAT, {"beyond": "wait"}, None),
        (buy(1), FLAT, {"opens": False}, 100),
        (buy(1, stop=100.5), FLAT, {"opens": False}, 101),  # inside the bar: always
        (buy(1, stop=100.5), FLAT, {"beyond": "wait"}, None),
        (buy(1, limit=100.5), FLAT, {}, 100.5),  # from 100, as far as the limit
        (buy(1, limit=99.5), FLAT, {}, 99.5),  # reached inside the bar: none
        (sell(1, limit=90), FLAT, {}, 98),  # below the low, above the limit
        (sell(1, limit=99), FLAT, {"beyond_limit": "wait"}, None),
        (buy(1, stop=100.5, limit=100.6), FLAT, {}, 101),  # at its stop, as far as the high
    ],
)
def test_slippage_ends_with_the_bar(
    asked: Ask, bar: tuple[float, ...], kind: dict[str, Any], price: float | None
) -> None:
    got = fills_of([FLAT, bar], {1: [asked]}, costs=SLIP | {"slippage_range": {"kind": "bar"} | kind})
    assert [fill[2] for fill in got] == pytest.approx([] if price is None else [price])


def test_a_stop_that_waits_has_not_been_triggered() -> None:
    costs = SLIP | {"slippage_range": {"kind": "bar", "beyond": "wait"}}
    bars = [FLAT, FLAT, (99, 100, 98, 99), (99, 103, 98, 100)]
    assert fills_of(bars, {1: [buy(1, stop=100.5)]}, costs=costs) == [(1, 1, pytest.approx(100.5 * 1.02))]


@pytest.mark.parametrize(
    "settings",
    [
        {"orders": {"links": "together"}},
        {"orders": {"expiry": "turn"}},
        {"fills": {"stop_limit": "by_close"}},
        {"costs": {"slippage_range": {"kind": "bar"}, "stop_slippage": {"kind": "exempt"}}},
        {"costs": {"slippage_range": {"kind": "bar"}, "slippage": {"kind": "spread"}}},
    ],
)
def test_what_belongs_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs"):
        BacktestConfig.load(settings)
