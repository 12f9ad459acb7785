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
AGAIN = {**TURN, "fills": {**TURN["fills"], "missing_bar": "meet_last"}}
SLIP = {"slippage": {"kind": "rate", "rate": 0.02}}


Bars = list[tuple[float, ...]] | dict[str, list[tuple[float, ...] | None]]


def result_of(bars: Bars, asks: dict[float, list[Ask]], settings: dict[str, Any]) -> Result:
    """The result of asking for this at the ends of these minutes."""
    strategy = Scripted()
    strategy._scenario = Scenario("", bars, asks, [], 0)
    return run(strategy, frame(bars), settings)


def fills_of(bars: Bars, asks: dict[float, list[Ask]], **more: Any) -> list[tuple[int, float, float]]:
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


LEVERED, ON_MARGIN, BY_RATE = {"leverage": 2.0}, {"margin": 20.0}, {"margin_rate": 0.5}


def on_credit(instrument: dict[str, float], **account: Any) -> dict[str, Any]:
    """Settings of an account of 1,000 that does not pay for all of a position."""
    return {"account": {"cash": 1_000.0, **account}, "instruments": {"default": instrument}}


@pytest.mark.parametrize(("instrument", "most"), [(LEVERED, 4), (ON_MARGIN, 42), (BY_RATE, 7)])
def test_what_an_account_pays_in_part_leaves_for_more(instrument: dict[str, float], most: int) -> None:
    """The page's table: 15 units at 100, then as many as free cash takes at 110, and not one more."""
    bars = [FLAT, (100, 111, 99, 110), (110, 111, 109, 110)]
    for more, fills in ((most, [(1, 15, 100), (2, most, 110)]), (most + 1, [(1, 15, 100)])):
        assert fills_of(bars, {1: [buy(15)], 2: [buy(more)]}, **on_credit(instrument)) == fills


def test_a_fill_on_an_old_bar_is_settled_when_the_turn_ends() -> None:
    """30 of B at the open of its last bar, 100, leave 400 free: 20 of A. At that bar's close of 90 they would have lost 300 of it."""
    bars: Bars = {"A": [FLAT, FLAT, FLAT], "B": [(100, 101, 89, 90), None, None]}
    asks = {1: [buy(30, "B", limit=100), buy(20)], 2: [buy(5), buy(1)]}
    got = fills_of(bars, asks, fills=AGAIN["fills"], **on_credit(ON_MARGIN))
    assert got == [(1, 30, 100), (2, 20, 100)]  # then 300 are lost, and nothing is free


@pytest.mark.parametrize(
    ("instrument", "account", "most"),
    [
        (LEVERED, {}, 29),  # 2,500 - 15 · 112 = 820 after the cover, 56 a unit: 15 + 14
        (ON_MARGIN, {}, 56),  # 1,000 - 300 - 15 · 10 = 550, with 300 back and 15 · 2 lost 820, 20 a unit: 15 + 41
        (BY_RATE, {}, 29),  # 1,000 - 750 - 150 = 100, with 750 back and 30 lost 820, 56 a unit: 15 + 14
        (
            {},
            {"short_proceeds": "held", "cash": 1_500.0},
            26,
        ),  # 0, with 1,500 back and 15 · 12 lost 1,320, 112 a unit: 15 + 11
    ],
)
def test_turning_a_short_round(instrument: dict[str, float], account: dict[str, Any], most: int) -> None:
    bars = [FLAT, (100, 111, 99, 110), (112, 113, 111, 112)]
    for size, taken in ((most, most), (most + 1, 15)):  # what closes passes, what opens does not
        fills = fills_of(bars, {1: [sell(15)], 2: [buy(size)]}, **on_credit(instrument, **account))
        assert fills == [(1, -15, 100), (2, taken, 112)]


def test_proceeds_that_are_held_pay_for_nothing() -> None:
    held = on_credit({}, short_proceeds="held")
    assert fills_of([FLAT] * 3, {1: [sell(11)], 2: [buy(1)]}, **held) == [(2, 1, 100)]  # 11 shorts need 1,100
    assert fills_of([FLAT] * 3, {1: [sell(10)], 2: [sell(1)]}, **held) == [(1, -10, 100)]


def test_a_batch_is_pretended_to_change_the_position() -> None:
    pretended = {**on_credit(ON_MARGIN), "orders": {"admission": "pseudo_execute"}}
    asks = [buy(40), sell(60), buy(60)]  # 1,000 - 800 = 200; 200 + 800 - 400 = 600; 600 + 400 - 800 = 200
    assert fills_of([FLAT] * 2, {1: asks}, **pretended) == [(1, 40, 100), (2, -60, 100), (3, 60, 100)]
    # 1,000 - 51 · 20 = -20: refused, but it counts, so the next order pretends to sell one of 51: -20 + 20 = 0
    assert fills_of([FLAT] * 2, {1: [buy(51), sell(1)]}, **pretended) == [(2, -1, 100)]


def test_all_free_cash_buys_as_much_as_it_ties_up() -> None:
    for instrument, units in ((LEVERED, 20), (ON_MARGIN, 50), (BY_RATE, 20)):
        assert fills_of([FLAT] * 2, {1: [buy(funds=1.0)]}, **on_credit(instrument)) == [(1, units, 100)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"instruments": {"default": {"leverage": 2.0}}}, "need account.kind = 'balance'"),
        (
            {"account": {"kind": "balance"}, "instruments": {"symbols": {"A": {"margin": 1.0, "margin_rate": 0.1}}}},
            "exclude each other",
        ),
        (
            {"account": {"kind": "balance"}, "instruments": {"default": {"margin": 1.0, "leverage": 2.0}}},
            "exclude each other",
        ),
        (
            {"account": {"kind": "balance", "short_proceeds": "held"}, "orders": {"admission": "reserve"}},
            "paid in full",
        ),
        ({"fills": {"missing_bar": "meet_last"}}, "needs fills.schedule = 'queue'"),
        ({"fills": {"missing_bar": "meet_last", "schedule": "queue"}}, "needs fills.rescan = 'never'"),
        ({"fills": {"missing_bar": "meet_last"}, "account": {"mark": "mid"}}, "needs account.mark = 'last'"),
    ],
)
def test_settings_that_do_not_go_together(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        BacktestConfig.load(wrong, **{"run.acknowledge_leaky": True})


@pytest.mark.parametrize(
    ("asked", "price"),
    [
        (buy(1, "B", limit=96), 96),
        (buy(1, "B", limit=103), 100),
        (buy(1, "B", stop=104), 104),
        (buy(1, "B", stop=106), None),
        (buy(1, "B", limit=94), None),
        (buy(1, "B", stop=104, limit=105), 104),
        (buy(1, "B", stop=102, limit=97), None),  # the bar rises: it rests
        (buy(1, "B", stop=Trail(amount=3, ratchet="close")), 104),
        (buy(1, "B"), None),
        (buy(1, "B", limit=200, tif="CLS"), None),
        (buy(1, "B", limit=96, tif="GTD", until=minute(1.5)), 96),
    ],
)
def test_an_order_meets_the_last_bar_of_its_symbol_again(asked: Ask, price: float | None) -> None:
    """The page's table, and more: at the end of minute 1, where A has a bar and B has none. The mark stays 101."""
    bars = {"A": [FLAT] * 2, "B": [(100, 105, 95, 101), None]}
    result = result_of(bars, {1: [asked]}, AGAIN)
    rows = result.fills.select("price", "timestamp").rows()
    assert rows == ([] if price is None else [(price, minute(2))])
    assert result.equity["equity"].to_list() == [10_000, 10_000 if price is None else 10_000 + 101 - price]
    assert result_of(bars, {1: [asked]}, TURN).fills.is_empty()


def test_what_was_triggered_on_a_bar_meets_it_again_by_its_limit() -> None:
    bars = {"A": [FLAT] * 4, "B": [FLAT, (100, 105, 97, 101), None, (103, 104, 102, 103)]}
    asks = {1: [buy(1, "B", stop=102, limit=99), buy(1, "B"), buy(1, "B", limit=98)]}
    # bar 1 triggers the first, which rests as the bar rises; the market order has the open, the limit 98;
    # at the next instant the first meets bar 1 again, whose low reaches its limit
    assert fills_of(bars, asks, fills=AGAIN["fills"]) == [(2, 1, 100), (3, 1, 98), (1, 1, 99)]
    assert fills_of(bars, asks) == [(2, 1, 100), (3, 1, 98)]


def test_the_trailing_stop_of_a_child_follows_the_last_bar_once_it_has_met_it() -> None:
    bars = {"A": [FLAT] * 4, "B": [(100, 105, 95, 100), (100, 110, 98, 109), None, None]}
    stop = sell(1, "B", parent=1, stop=Trail(amount=3, ratchet="close"))
    # bar 1 fills the parent at 100; at the next instant the stop of 97 is not reached, then follows the close to 106;
    # at the one after it the open of 100 is beyond it
    assert fills_of(bars, {1: [buy(1, "B"), stop]}, fills=AGAIN["fills"]) == [(1, 1, 100), (2, -1, 100)]


@pytest.mark.parametrize(("missing", "at"), [("meet_last", 2), ("wait", 3)])
def test_market_orders_at_the_close_of_the_decision_need_no_bar(missing: str, at: int) -> None:
    bars = {"A": [FLAT] * 4, "B": [(100, 105, 95, 101), None, None, (103, 104, 102, 103)]}
    fills = {**TURN["fills"], "market": "decision_close", "missing_bar": missing}
    rows = result_of(bars, {1: [buy(1, "B")]}, {**TURN, "fills": fills}).fills.select("price", "timestamp").rows()
    assert rows == [(101, minute(at))]


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
