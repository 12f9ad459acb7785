"""The oracle pinned to docs/semantics: small cases whose every number is worked out by hand in the comments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cases import DAY, EPOCH, HOUR, Bar, Cancel, Replace, Request, Submit
from small_case import FLAT, MARGIN, Prices, bars, buy, fills, hour, outcome, sell, states


def test_market_order_fills_at_the_next_open_and_cash_is_journalled() -> None:
    result = outcome(bars(FLAT, (101, 103, 99, 102)), {0: [buy(10)]})
    assert fills(result) == [(1, 1, 10, 101, "open")]
    assert [(e.time, e.cause, e.amount) for e in result.journal] == [(hour(1), "fill", -1010)]
    # 100 000 − 10·101 = 98 990; marked at 102: 98 990 + 1020 = 100 010
    last = result.equity[-1]
    assert (last.cash, last.equity, last.gross, last.net) == (98_990, 100_010, 1020, 1020)


@pytest.mark.parametrize(
    ("ohlc", "expected"),
    [
        ((90, 96, 88, 92), [(1, 1, 1, 90, "open")]),  # gap: the open is better than the limit
        ((95, 96, 94, 95), [(1, 1, 1, 95, "open")]),  # touch at the open
        ((100, 101, 95, 99), [(1, 2, 1, 95, "second_leg")]),  # buy alone and flat: high first, then the low touches
        ((100, 101, 90, 99), [(1, 2, 1, 95, "second_leg")]),  # cross
        ((100, 101, 95.25, 99), []),  # one tick short
    ],
)
def test_buy_limit(ohlc: Prices, expected: list[Any]) -> None:
    slippage = {"costs": {"slippage": {"kind": "fixed", "amount": 5.0}}}  # limits never slip
    assert fills(outcome(bars(FLAT, ohlc), {0: [buy(1, limit=95)]}, **slippage)) == expected


@pytest.mark.parametrize(
    ("ohlc", "expected"),
    [
        ((90, 92, 88, 91), [(1, 1, -1, 89, "open")]),  # gap: the open is worse, 90 − 1 slippage
        ((95, 96, 94, 95), [(1, 1, -1, 94, "open")]),  # touch at the open: 95 − 1
        ((100, 101, 90, 99), [(1, 2, -1, 94, "first_leg")]),  # flat, a sell waits: low first; 95 − 1
        ((100, 101, 96, 95), [(1, 2, -1, 94, "third_leg")]),  # L 96 and H 101 first (not a legal bar, but a clear path)
        ((100, 101, 95.25, 99), []),
    ],
)
def test_sell_stop(ohlc: Prices, expected: list[Any]) -> None:
    config = {"account": MARGIN, "costs": {"slippage": {"kind": "fixed", "amount": 1.0}}}
    assert fills(outcome(bars(FLAT, ohlc), {0: [sell(1, stop=95)]}, **config)) == expected


def test_worst_first_long_meets_the_stop_before_the_target() -> None:
    rows = bars(FLAT, FLAT, (100, 110, 90, 105))
    script: dict[int, list[Request]] = {0: [buy(5)], 1: [sell(5, limit=108, reduce_only=True), sell(5, stop=92)]}
    result = outcome(rows, script)
    # Long: O 100 → L 90 → H 110. The stop at 92 fills on leg 1; the limit at 108 then has nothing to reduce.
    assert fills(result) == [(1, 1, 5, 100, "open"), (3, 3, -5, 92, "first_leg")]
    assert states(result, 2) == [("accepted", "admitted"), ("cancelled", "nothing_to_reduce")]
    # best_first is the opposite: H 110 first, the limit fills, and the stop would go short: rejected in a cash account.
    best = outcome(rows, script, fills={"path": "best_first"})
    assert fills(best)[1:] == [(2, 3, -5, 108, "first_leg")]
    assert states(best, 3)[1:] == [("triggered", "stop_reached"), ("rejected", "short_not_allowed")]


def test_nearest_extreme_comes_first_and_a_tie_goes_to_the_low() -> None:
    near = {"fills": {"path": "nearest_extreme_first"}, "account": MARGIN}
    script: dict[int, list[Request]] = {0: [buy(1, limit=98), sell(1, limit=101)]}
    # H − O = 1 < O − L = 2: H first, so the sell fills on leg 1 and the buy on leg 2.
    high_first = outcome(bars(FLAT, (100, 101, 98, 100)), script, **near)
    assert [(f[0], f[4]) for f in fills(high_first)] == [(2, "first_leg"), (1, "second_leg")]
    # H − O = O − L = 2: L first.
    low_first = outcome(bars(FLAT, (100, 102, 98, 100)), script, **near)
    assert [(f[0], f[4]) for f in fills(low_first)] == [(1, "first_leg"), (2, "second_leg")]


def test_progress_decides_inside_a_leg_and_reductions_win_ties() -> None:
    # Flat, the oldest is a buy: 100 → H 110. Order 2 at 104 (progress 0.4) comes before order 1 at 106 (0.6).
    result = outcome(bars(FLAT, (100, 110, 99, 100)), {0: [buy(1, stop=106), buy(1, stop=104)]})
    assert [f[0] for f in fills(result)] == [2, 1]
    # At one level: long 2, O → L 90: the buy limit 95 (id 2) and the sell stop 95 (id 3): the reduction goes first.
    rows = bars(FLAT, FLAT, (100, 101, 90, 95))
    tie = outcome(rows, {0: [buy(2)], 1: [buy(1, limit=95), sell(2, stop=95)]})
    assert [f[0] for f in fills(tie)] == [1, 3, 2]


def test_stop_limit_has_two_stages() -> None:
    # Buy stop 103 limit 102, path O 100 → H 106 → L 101: triggered on leg 1 at 103 > 102, filled on leg 2 at 102.
    result = outcome(bars(FLAT, (100, 106, 101, 104)), {0: [buy(1, stop=103, limit=102)]})
    assert fills(result) == [(1, 2, 1, 102, "second_leg")]
    assert states(result, 1) == [("accepted", "admitted"), ("triggered", "stop_reached"), ("filled", "executed")]
    # Limit 104: the price at the trigger, 103, is better, and that is where it fills; no slippage.
    slip = {"costs": {"slippage": {"kind": "fixed", "amount": 1.0}}}
    at_once = outcome(bars(FLAT, (100, 106, 101, 104)), {0: [buy(1, stop=103, limit=104)]}, **slip)
    assert fills(at_once) == [(1, 2, 1, 103, "first_leg")]
    # Triggered by a gap at 105, above the limit 104; the next bar opens at 103, below it: filled at that open.
    later = outcome(bars(FLAT, (105, 106, 104.5, 105), (103, 104, 102, 103)), {0: [buy(1, stop=103, limit=104)]})
    assert fills(later) == [(1, 2, 1, 103, "open")]
    assert [e.time for e in later.order_events] == [hour(1), hour(1), hour(2)]


def test_slipped_prices_round_to_the_tick_against_the_order_and_levels_away_from_a_fill() -> None:
    config = {
        "account": MARGIN,
        "instruments": {"default": {"tick_size": 0.5}},
        "costs": {"slippage": {"kind": "rate", "rate": 0.001}},
    }
    result = outcome(bars(FLAT, FLAT), {0: [buy(1), sell(1), buy(1, limit=99.75), sell(1, stop=98.75)]}, **config)
    # 100 + 0.1 → up to 100.5; 100 − 0.1 → down to 99.5
    assert [float(f.price) for f in result.fills] == [100.5, 99.5]
    assert [float(f.slippage) for f in result.fills] == [0.5, 0.5]
    assert (result.orders[2].limit, result.orders[3].stop) == (Decimal("99.5"), Decimal("98.5"))


def test_cash_shortfall_by_sizing() -> None:
    config = {"account": {"cash": 1000.0}, "costs": {"commission": {"kind": "per_order", "fixed": 1.0}}}
    # Explicit: 10·100 + 1 = 1001 > 1000: rejected. By value: floor(1000/100) = 10 wanted, 9·100 + 1 = 901 fits.
    explicit = outcome(bars(FLAT, FLAT), {0: [buy(10)]}, **config)
    assert states(explicit, 1)[-1] == ("rejected", "insufficient_cash")
    sized = outcome(bars(FLAT, FLAT), {0: [buy(value=1000)]}, **config)
    assert fills(sized) == [(1, 1, 9, 100, "open")]
    assert states(sized, 1)[1:] == [("partially_filled", "executed"), ("cancelled", "insufficient_cash")]
    assert sized.equity[-1].cash == 99  # 1000 − 900 − 1


def test_fractional_shortfall_takes_the_largest_affordable_quantity() -> None:
    # 1.001·100·q ≤ 1000 → q = 1000/100.1 = 9.990009990…
    config = {
        "account": {"cash": 1000.0, "shortfall": "reduce"},
        "instruments": {"default": {"lot_size": 0.0}},
        "costs": {"commission": {"kind": "rate", "rate": 0.001}},
    }
    result = outcome(bars(FLAT, FLAT), {0: [buy(10)]}, **config)
    assert float(result.fills[0].quantity) == pytest.approx(1000 / 100.1, rel=1e-12)


def test_short_test_comes_first_and_its_reduction_is_the_reason() -> None:
    result = outcome(bars(FLAT, FLAT, FLAT), {0: [buy(4)], 1: [sell(6)]}, account={"shortfall": "reduce"})
    assert fills(result)[1] == (2, 2, -4, 100, "open")
    assert states(result, 2)[1:] == [("partially_filled", "executed"), ("cancelled", "short_not_allowed")]


def test_margin_takes_leverage_up_to_the_initial_rate() -> None:
    # Equity 1000, r = 0.5: exposure up to 2000, so 20 at 100 fit and 21 do not.
    config = {"account": {"kind": "margin", "cash": 1000.0}}
    assert len(outcome(bars(FLAT, FLAT), {0: [buy(20)]}, **config).fills) == 1
    too_much = outcome(bars(FLAT, FLAT), {0: [buy(21)]}, **config)
    assert states(too_much, 1)[-1] == ("rejected", "insufficient_margin")
    # Slippage 1: after q units cash 1000 − 101q, equity 1000 − q ≥ 50q → q ≤ 19.6 → 19 of the 20 asked by percent.
    slip = {"costs": {"slippage": {"kind": "fixed", "amount": 1.0}}}
    assert fills(outcome(bars(FLAT, FLAT), {0: [buy(percent=2.0)]}, **config, **slip)) == [(1, 1, 19, 101, "open")]


def test_flip_realises_the_old_position_and_opens_at_the_fill_price() -> None:
    rows = bars(FLAT, FLAT, (110, 110, 110, 110), (105, 105, 105, 105))
    config = {"account": MARGIN, "costs": {"commission": {"kind": "per_share", "per_share": 0.5}}}
    result = outcome(
        rows, {0: [buy(10)], 1: [sell(15)], 2: [Submit("order_target_quantity", "A", {"target": 0})]}, **config
    )
    position = result.positions["A"]
    # +10·(110 − 100) = 100, then short 5 from 110 covered at 105: +25
    assert (position.quantity, position.average_price, position.realised) == (0, 0, 125)
    first, second = result.trades
    assert (first.direction, first.quantity, first.gross_pnl) == ("long", 10, 100)
    # 10·0.5 entry + 10/15 of the flip's 7.5
    assert (first.commission, first.pnl) == (10, 90)
    assert (second.direction, second.quantity, second.gross_pnl, second.commission) == ("short", 5, 25, 5)


def test_trades_match_lots_first_in_first_out_while_the_position_is_averaged() -> None:
    rows = bars(FLAT, (100, 100, 100, 100), (106, 106, 106, 106), (110, 110, 110, 110))
    result = outcome(rows, {0: [buy(2)], 1: [buy(4)], 2: [sell(3)]})
    # average (2·100 + 4·106)/6 = 104; realised 3·(110 − 104) = 18; lots: 2 from 100 (+20), 1 from 106 (+4)
    assert (result.positions["A"].average_price, result.positions["A"].realised) == (104, 18)
    assert [(t.quantity, t.entry.price, t.gross_pnl, t.exit is None) for t in result.trades] == [
        (2, 100, 20, False),
        (1, 106, 4, False),
        (3, 106, 0, True),
    ]


def test_day_order_expires_at_the_close_of_the_session_of_its_first_bar() -> None:
    first = bars(FLAT, FLAT, closes=3)  # hours 0–2, the session closes at hour 3
    second = bars(FLAT, FLAT, first=24, closes=27)
    result = outcome(first + second, {0: [buy(1, limit=50, tif="DAY")], 1: [buy(1, limit=50, tif="DAY")]})
    assert [(e.order_id, e.time) for e in result.order_events if e.to_state == "expired"] == [(1, hour(3))]
    # Order 2 was accepted at hour 2, after the last bar of session 1: it belongs to session 2, which outlives the run.
    assert result.orders[1].state == "accepted"


def test_session_label_expires_after_meeting_the_bar_that_ends_then() -> None:
    ends = [EPOCH + (n + 1) * DAY - 1 for n in range(2)]
    rows = [Bar("A", EPOCH + n * DAY, ends[n], ends[n], *ohlc) for n, ohlc in enumerate([FLAT, (100, 101, 95, 96)])]
    result = outcome(rows, {0: [buy(1, limit=95, tif="DAY"), buy(1, limit=94, tif="DAY")]})
    assert [(f.order_id, f.time) for f in result.fills] == [(1, ends[1])]
    assert states(result, 2)[-1] == ("expired", "session_closed")


def test_good_till_date_inside_a_bar_leaves_only_the_open() -> None:
    until = hour(1) + HOUR // 2
    script: dict[int, list[Request]] = {
        0: [buy(1, limit=95, tif="GTD", until=until), buy(1, limit=100, tif="GTD", until=until)]
    }
    result = outcome(bars(FLAT, (100, 101, 90, 100)), script)
    assert fills(result) == [(2, 1, 1, 100, "open")]
    assert (result.orders[0].state, result.orders[0].closed_at) == ("expired", until)


@pytest.mark.parametrize(
    ("model", "quantity", "expected"),
    [
        ({"kind": "per_share", "per_share": 0.01, "minimum": 5.0}, 10, 5.0),  # 0.10 → minimum 5
        ({"kind": "per_share", "per_share": 0.01, "minimum": 5.0, "cap_rate": 0.002}, 10, 2.0),  # cap 0.002·1000 wins
        ({"kind": "per_share", "per_share": 1.0, "minimum": 5.0}, 10, 10.0),
        ({"kind": "rate_plus_fixed", "rate": 0.001, "fixed": 2.0}, 10, 3.0),  # 1000·0.001 + 2
        ({"kind": "tiered", "tiers": [{"up_to": 1000.0, "rate": 0.002}, {"rate": 0.001}]}, 10, 2.0),  # V = 1000: tier 1
        ({"kind": "tiered", "tiers": [{"up_to": 1000.0, "rate": 0.002}, {"rate": 0.001}]}, 20, 2.0),  # 2000·0.001
    ],
)
def test_commission(model: dict[str, Any], quantity: float, expected: float) -> None:
    result = outcome(bars(FLAT, FLAT), {0: [buy(quantity)]}, costs={"commission": model})
    assert float(result.fills[0].commission) == expected
    assert [(e.cause, float(e.amount)) for e in result.journal][1] == ("commission", -expected)


def test_multiplier_scales_money_but_not_prices() -> None:
    config = {
        "instruments": {"default": {"multiplier": 50.0}},
        "costs": {"commission": {"kind": "rate", "rate": 0.001}},
    }
    result = outcome(bars(FLAT, FLAT, (101, 101, 101, 101)), {0: [buy(value=12_000)]}, **config)
    # floor(12 000 / (100·50)) = 2; cash 100 000 − 10 000 − 10 = 89 990; marked 2·50·101 = 10 100
    assert fills(result) == [(1, 1, 2, 100, "open")]
    assert (result.equity[-1].cash, result.equity[-1].equity) == (89_990, 100_090)


def test_queue_takes_orders_by_id_over_the_whole_bar() -> None:
    # Cash 150 buys one. Phased: order 2 fills at the open and 1 is too late. Queue: order 1 goes first, though it
    # fills at 95 on the path, and order 2, at the bar's end but with the bar's start as its time, is rejected.
    script: dict[int, list[Request]] = {0: [buy(1, limit=95), buy(1)]}
    rows = bars(FLAT, (100, 101, 90, 100))
    poor = {"cash": 150.0}
    assert fills(outcome(rows, script, account=poor)) == [(2, 1, 1, 100, "open")]
    queue = outcome(rows, script, account=poor, fills={"schedule": "queue"})
    assert fills(queue) == [(1, 2, 1, 95, "second_leg")]
    assert [(e.time, e.to_state) for e in queue.order_events if e.order_id == 2][1:] == [(hour(1), "rejected")]


def test_between_symbols_segments_are_compared_but_never_progress() -> None:
    # A reaches 99 at progress 0.9 of leg 1, B reaches 91 at 0.1; the smaller id goes first because progress is private.
    rows = bars(FLAT, (100, 100, 90, 95)) + bars(FLAT, (100, 100, 90, 95), symbol="B")
    script: dict[int, list[Request]] = {0: [buy(1, limit=91), buy(1, "B", limit=99)]}
    result = outcome(rows, script, fills={"path": "open_low_high_close"})
    assert [f[0] for f in fills(result)] == [1, 2]


def test_pseudo_execution_carries_the_negative_cash() -> None:
    # 1000 − 600 = 400 ok; 400 − 600 = −200 rejected and kept; −200 − 100 = −300 rejected although 400 are there.
    result = outcome(
        bars(FLAT, FLAT),
        {0: [buy(6), buy(6), buy(1)]},
        account={"cash": 1000.0},
        orders={"admission": "pseudo_execute"},
    )
    assert [order.state for order in result.orders] == ["filled", "rejected", "rejected"]


def test_pseudo_execution_of_reductions_first_lets_a_sale_pay() -> None:
    script: dict[int, list[Request]] = {0: [buy(10)], 1: [buy(5, "B"), sell(10)]}
    rows = bars(FLAT, FLAT, FLAT) + bars(FLAT, FLAT, FLAT, symbol="B")
    for order, state in (("submission", "rejected"), ("reductions_first", "filled")):
        # Cash is 0 after the first purchase. By submission the purchase of B comes first and fails.
        config = {"admission": "pseudo_execute", "batch_order": order}
        result = outcome(rows, script, account={"cash": 1000.0}, orders=config)
        assert result.orders[1].state == state


def test_reserve_counts_waiting_orders_against_free_cash() -> None:
    # Order 1 reserves 9·95 = 855 of 1000; order 2 needs 200 > 145: rejected now. After the cancel 1000 are free again.
    script: dict[int, list[Request]] = {0: [buy(9, limit=95), buy(2, limit=100)], 1: [Cancel(0), buy(10, limit=90)]}
    result = outcome(bars(FLAT, FLAT, FLAT), script, account={"cash": 1000.0}, orders={"admission": "reserve"})
    assert [order.state for order in result.orders] == ["cancelled", "rejected", "accepted"]
    assert states(result, 2) == [("rejected", "insufficient_cash")]


def test_next_close_and_same_close() -> None:
    rows = bars(FLAT, (101, 104, 99, 103))
    close = outcome(rows, {0: [buy(1)]}, fills={"market": "next_close"})
    assert fills(close) == [(1, 2, 1, 103, "close")]
    same = outcome(rows, {0: [buy(1)]}, fills={"market": "same_close"})
    assert fills(same) == [(1, 1, 1, 100, "after_close")]
    # The same-close fill is part of its instant's equity point.
    assert same.equity[0].cash == 99_900


def test_a_decision_inside_a_longer_bar_reaches_only_its_close_or_the_next_open() -> None:
    # A has hours, B has bars of two hours; the decision at hour 1 is inside B's first bar.
    rows = bars(FLAT, FLAT, FLAT, FLAT) + bars((50, 60, 40, 55), (56, 57, 52, 54), symbol="B", length=2)
    script: dict[int, list[Request]] = {0: [buy(1, "B"), buy(1, "B", limit=53)]}
    # The limit at 53 does not meet the path to 40 of the bar that is under way.
    assert fills(outcome(rows, script)) == [(1, 2, 1, 56, "open"), (2, 4, 1, 53, "first_leg")]
    on_close = outcome(rows, script, fills={"market": "next_close"})
    assert fills(on_close) == [(1, 2, 1, 55, "close"), (2, 4, 1, 53, "first_leg")]


def test_targets_supersede_round_towards_zero_and_make_no_order_when_met() -> None:
    target = Submit("order_target_percent", "A", {"target": 0.5, "limit": 90})
    met = Submit("order_target_value", "A", {"target": 99.0})
    result = outcome(bars(FLAT, FLAT, FLAT), {0: [target], 1: [met, buy(1)]}, account={"cash": 1999.0})
    # 0.5·1999/100 = 9.995 → 9. A target of 99 is 0.99 units → 0: no order, but the live target order is gone.
    assert (result.orders[0].quantity, result.orders[0].side) == (9, 1)
    assert states(result, 1)[-1] == ("cancelled", "superseded_by_target")
    assert len(result.orders) == 2


def test_valuations() -> None:
    rows = bars((100, 100, 100, 50), (100, 100, 100, 100), (200, 200, 200, 200))
    quantities = {}
    for valuation in ("last_mark", "previous_close", "fill_price"):
        result = outcome(rows, {1: [buy(value=1000)]}, orders={"valuation": valuation})
        quantities[valuation] = result.fills[0].quantity
    # 1000/100, 1000/50, 1000/200
    assert quantities == {"last_mark": 10, "previous_close": 20, "fill_price": 5}


def test_replace_keeps_the_id_and_moves_eligibility_to_now() -> None:
    script: dict[int, list[Request]] = {0: [buy(1, limit=90)], 1: [Replace(0, {"limit": 101, "quantity": 2})]}
    result = outcome(bars(FLAT, FLAT, (100, 101, 99, 100)), script)
    assert fills(result) == [(1, 2, 2, 100, "open")]
    assert states(result, 1) == [("accepted", "admitted"), ("accepted", "replace_requested"), ("filled", "executed")]


def test_a_replacement_inside_a_bar_misses_the_rest_of_it() -> None:
    # B's bar lasts from hour 2 to 4; the order waits since hour 1, but its replacement at hour 3 is inside that bar.
    rows = bars(FLAT, FLAT, FLAT, FLAT) + bars((100, 101, 90, 95), (100, 101, 97, 98), symbol="B", length=2, first=2)
    script: dict[int, list[Request]] = {0: [buy(1, "B", limit=80)], 2: [Replace(0, {"limit": 98})]}
    assert fills(outcome(rows, script)) == [(1, 6, 1, 98, "second_leg")]
    assert fills(outcome(rows, {0: [buy(1, "B", limit=98)]})) == [(1, 4, 1, 98, "second_leg")]


def test_reduce_only_takes_what_there_is_and_gives_up_the_rest() -> None:
    rows = bars(FLAT, FLAT, FLAT)
    result = outcome(rows, {0: [buy(4)], 1: [sell(10, reduce_only=True)]}, account=MARGIN)
    assert fills(result)[1] == (2, 2, -4, 100, "open")
    assert states(result, 2)[1:] == [("partially_filled", "executed"), ("cancelled", "nothing_to_reduce")]


def test_explicit_quantities_must_be_whole_lots() -> None:
    config = {"instruments": {"default": {"lot_size": 10.0}}}
    result = outcome(bars(FLAT, FLAT), {0: [buy(15), buy(value=1999)]}, **config)
    assert states(result, 1) == [("rejected", "not_a_lot_multiple")]
    assert fills(result) == [(2, 1, 10, 100, "open")]  # 19.99 units → one lot of 10


def test_end_rules_close_at_the_last_close_after_the_decision() -> None:
    rows = bars(FLAT, FLAT, (100, 104, 100, 104)) + bars(FLAT, FLAT, symbol="B")
    script: dict[int, list[Request]] = {0: [buy(1), buy(1, "B")]}
    slip = {"slippage": {"kind": "fixed", "amount": 1.0}}
    result = outcome(rows, script, end={"symbol": "close", "run": "close"}, costs=slip)
    # B ends at hour 2: 100 − 1. A ends with the run at hour 3: its own last bar comes first, 104 − 1.
    assert fills(result)[2:] == [(3, 2, -1, 99, "after_close"), (4, 3, -1, 103, "after_close")]
    assert [order.origin for order in result.orders[2:]] == ["end_of_data", "end_of_data"]
    marked = outcome(rows, script, end={"run": "close"}, costs=slip)
    # Universe order at the end; B at its stale mark 100.
    assert [(f[1], f[3]) for f in fills(marked)[2:]] == [(3, 103), (3, 99)]


def test_close_is_resolved_at_the_fill() -> None:
    # A stop takes 4 of the 10 before the close order's fill at the close: 6 are left for it; the second finds nothing.
    rows = bars(FLAT, FLAT, (100, 101, 94, 99), FLAT)
    script: dict[int, list[Request]] = {0: [buy(10)], 1: [sell(4, stop=95), Submit("close", "A"), Submit("close", "A")]}
    result = outcome(rows, script, fills={"market": "next_close"})
    assert [(f[0], f[2], f[3]) for f in fills(result)] == [(1, 10, 100), (2, -4, 95), (3, -6, 99)]
    assert states(result, 4)[-1] == ("cancelled", "nothing_to_reduce")
