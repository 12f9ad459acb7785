"""The oracle on triggers, trails, times in force, volume, touches and finer bars: every number worked out by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cases import DAY, EPOCH, HOUR, Bar, Cancel, Replace, Request
from oracle.cost import NoPriceLeft
from oracle.trigger import splitmix64
from small_case import FLAT, MARGIN, Prices, bars, buy, fills, hour, outcome, sell, states, times

RICH = {"kind": "margin", "cash": 1e6}


# ------------------------------------------------------------------------------------------------------------ triggers
@pytest.mark.parametrize(
    ("ohlc", "expected"),
    [
        ((90, 96, 88, 92), [(1, 1, 1, 91, "open")]),  # O is below the touch price: filled there, plus slippage 1
        ((100, 101, 94, 99), [(1, 2, 1, 96, "second_leg")]),  # high first, then down through 95: 95 + 1
        ((100, 101, 95.25, 99), []),
    ],
)
def test_market_if_touched_fills_like_a_stop(ohlc: Prices, expected: list[Any]) -> None:
    slip = {"costs": {"slippage": {"kind": "fixed", "amount": 1.0}}}
    result = outcome(bars(FLAT, ohlc), {0: [buy(1, touch=95)]}, **slip)
    assert fills(result) == expected
    assert result.orders[0].type == "market_if_touched"


def test_limit_if_touched_becomes_a_limit_where_it_is_touched() -> None:
    # Touched at 95 on the way down to 94; a limit of 96 is better than the price then: filled at 95. One of 94.5
    # waits until the price has fallen further.
    rows = bars(FLAT, (100, 101, 94, 99))
    result = outcome(rows, {0: [buy(1, touch=95, limit=96), buy(2, touch=95, limit=94.5)]})
    assert fills(result) == [(1, 2, 1, 95, "second_leg"), (2, 2, 2, 94.5, "second_leg")]
    assert states(result, 2) == [("accepted", "admitted"), ("triggered", "stop_reached"), ("filled", "executed")]


def test_an_activation_wakes_a_stop_on_the_same_path() -> None:
    # Sell stop 99, asleep until 103. Path 100 → 98 → 104 → 98.5: on leg 1 it sleeps, at 103 on leg 2 it wakes, and
    # leg 3 reaches 99. Without leg 3 below 99 it would still be waiting.
    rows = bars(FLAT, FLAT, (100, 104, 98, 98.5))
    result = outcome(rows, {0: [buy(1)], 1: [sell(1, stop=99, activation=103)]})
    assert fills(result)[1:] == [(2, 3, -1, 99, "third_leg")]
    assert states(result, 2)[1:3] == [("accepted", "activated"), ("triggered", "stop_reached")]


def test_activated_at_a_gap_and_triggered_at_the_same_open() -> None:
    # Buy stop 94, asleep until the price is down at 95. O 93.5 is below 95: active; a buy stop at 94 needs 94 or more,
    # which the first leg (low first for a waiting ... flat and a buy: high first) reaches.
    result = outcome(bars(FLAT, (93.5, 96, 93, 95)), {0: [buy(1, stop=94, activation=95)]})
    assert times(result, 1) == [1, 1, 2, 2]  # accepted, activated at the open; triggered and filled on the path
    assert fills(result) == [(1, 2, 1, 94, "first_leg")]


# -------------------------------------------------------------------------------------------------------------- trails
def trail(**terms: Any) -> dict[str, Any]:
    return {"trail": terms}


def test_a_trail_is_tested_with_what_the_path_has_reached() -> None:
    # Long, so the low comes first. W starts at the mark 100. Bar 2: O 100 → L 99 (stop 98, not met) → H 103 (W 103,
    # stop 101) → C 102 (not met). Bar 3: O 101.5 → L 100: met at 101.
    rows = bars(FLAT, FLAT, (100, 103, 99, 102), (101.5, 102, 100, 101))
    result = outcome(rows, {0: [buy(1)], 1: [sell(1, **trail(amount=2.0))]})
    assert fills(result)[1:] == [(2, 4, -1, 101, "first_leg")]


def test_the_high_of_a_bar_raises_no_stop_that_its_low_before_has_passed() -> None:
    # W 100, stop 98. Path 100 → 98.5 → 110 → 109: the low comes before the high, so the stop of 108 was never there.
    rows = bars(FLAT, FLAT, (100, 110, 98.5, 109))
    result = outcome(rows, {0: [buy(1)], 1: [sell(1, **trail(amount=2.0))]})
    assert len(result.fills) == 1
    assert result.orders[1].stop == 108  # shown after the bar
    # With the close at 107 the third leg falls through it.
    rows = bars(FLAT, FLAT, (100, 110, 98.5, 107))
    assert fills(outcome(rows, {0: [buy(1)], 1: [sell(1, **trail(amount=2.0))]}))[1:] == [(2, 3, -1, 108, "third_leg")]


def test_a_trail_gap_is_tested_with_the_old_watermark_and_then_moves() -> None:
    # Stop 98 after the mark of 100. O 97: filled there. O 103 instead: W 103, and L 101.5 is above 101; the next
    # O of 101 is met.
    config: dict[int, list[Any]] = {0: [buy(1)], 1: [sell(1, **trail(amount=2.0))]}
    assert fills(outcome(bars(FLAT, FLAT, (97, 99, 96, 98)), config))[1:] == [(2, 2, -1, 97, "open")]
    rows = bars(FLAT, FLAT, (103, 103, 101.5, 102), (101, 105, 100, 104))
    assert fills(outcome(rows, config))[1:] == [(2, 3, -1, 101, "open")]


def test_the_ratchet_of_closes_ignores_the_highs() -> None:
    # W is 100, then the close 101: stop 99. The high of 110 does not count; L 99 touches it in the bar after.
    rows = bars(FLAT, FLAT, (100, 110, 98.5, 101), (101, 101, 99, 100))
    result = outcome(rows, {0: [buy(1)], 1: [sell(1, **trail(amount=2.0, ratchet="close"))]})
    assert fills(result)[1:] == [(2, 4, -1, 99, "first_leg")]


def test_a_buy_trail_by_rate_and_its_limit() -> None:
    # W 100 → L 96 (a buy alone: high first: 100 → 101 → 96 → 99): stop 96·1.03125 = 99. C 99 touches it at the end of
    # leg 3. The limit is 99 + 0.5; the price is 99: filled there.
    result = outcome(
        bars(FLAT, (100, 101, 96, 99)),
        {0: [buy(1, trail={"rate": 0.03125}, limit={"amount": 0.5, "of": "stop"})]},
    )
    assert fills(result) == [(1, 2, 1, 99, "third_leg")]
    assert (result.orders[0].stop, result.orders[0].limit) == (99, 99.5)
    # Limit 99 − 1 = 98: triggered, and still waiting.
    result = outcome(
        bars(FLAT, (100, 101, 96, 99)),
        {0: [buy(1, trail={"rate": 0.03125}, limit={"amount": -1.0, "of": "stop"})]},
    )
    assert (result.orders[0].state, result.orders[0].limit) == ("triggered", 98)


def test_an_activated_trail_starts_at_the_activation() -> None:
    # Asleep until 103. Path 100 → 99 → 104 → 102.5: awake at 103, W 104 at the end of leg 2, stop 103 met on leg 3.
    rows = bars(FLAT, FLAT, (100, 104, 99, 102.5))
    result = outcome(rows, {0: [buy(1)], 1: [sell(1, **trail(amount=1.0), activation=103)]})
    assert fills(result)[1:] == [(2, 3, -1, 103, "third_leg")]


# ------------------------------------------------------------------------------------------------------ time in force
def test_immediate_orders_have_one_open() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(1, tif="IOC"), buy(1, limit=100, tif="IOC"), buy(1, limit=99, tif="IOC"), buy(1, limit=99, tif="FOK")]
    }
    result = outcome(bars(FLAT, (100, 100, 98, 99)), script)
    # 3 and 4 are not reached at O 100 and do not meet the path down to 98.
    assert fills(result) == [(1, 1, 1, 100, "open"), (2, 1, 1, 100, "open")]
    assert states(result, 3)[1:] == states(result, 4)[1:] == [("expired", "not_immediate")]
    assert times(result, 3) == [1, 1]


def test_immediate_orders_under_a_volume_limit() -> None:
    # 0.004 · 1000 = 4 units a bar: the IOC for 3 gets 3, the next one 1 of 3, the FOK nothing, the GTC 4 at the next bar.
    rows = bars(FLAT, FLAT, FLAT)
    script: dict[int, list[Request]] = {0: [buy(3, tif="IOC"), buy(3, tif="IOC"), buy(1, tif="FOK"), buy(5)]}
    result = outcome(rows, script, fills={"participation": {"share": 0.004}})
    assert fills(result) == [(1, 1, 3, 100, "open"), (2, 1, 1, 100, "open"), (4, 2, 4, 100, "open")]
    assert states(result, 2)[1:] == [("partially_filled", "executed"), ("expired", "not_immediate")]
    assert states(result, 3)[1:] == [("expired", "not_in_full")]
    assert states(result, 4)[1:] == [("partially_filled", "executed")]


def test_session_opens_and_closes() -> None:
    # Sessions of hours 0–2 and 24–26. Decision 0 is at hour 1, inside session 1: its close is at hour 3, the next open
    # at hour 24.
    rows = bars(FLAT, (101, 101, 101, 101), (102, 104, 102, 103), closes=3)
    rows += bars((105, 106, 104, 104), FLAT, first=24, closes=27)
    script: dict[int, list[Request]] = {
        0: [
            buy(1, tif="OPG"),
            buy(2, tif="CLS"),
            buy(3, limit=104, tif="OPG"),
            buy(4, limit=103, tif="CLS"),
            buy(5, limit=102, tif="CLS"),
        ]
    }
    result = outcome(rows, script)
    assert fills(result) == [(2, 3, 2, 103, "close"), (4, 3, 4, 103, "close"), (1, 24, 1, 105, "open")]
    assert states(result, 5)[1:] == [("expired", "missed_close")]
    assert states(result, 3)[1:] == [("expired", "missed_open")]  # O 105 is above its limit; L 104 comes too late
    assert (times(result, 5), times(result, 3)) == ([1, 3], [1, 24])


def test_a_number_of_bars() -> None:
    # n = 2 from decision 0 on: the bars of hours 1 and 2; it has met the path of the second, and expires at its end.
    rows = bars(FLAT, (100, 100, 96, 100), (100, 100, 95, 100), (100, 100, 94, 100))
    result = outcome(rows, {0: [buy(1, limit=95, tif="BARS", bars=2), buy(1, limit=94, tif="BARS", bars=2)]})
    assert fills(result) == [(1, 3, 1, 95, "second_leg")]
    assert (states(result, 2)[-1], times(result, 2)[-1]) == (("expired", "last_bar_ended"), 3)


# ------------------------------------------------------------------------------------------------------------- latency
def test_a_delay_in_time_and_in_bars() -> None:
    rows = bars(FLAT, (101, 101, 101, 101), (102, 102, 102, 102), (103, 103, 103, 103))
    # 30 minutes after hour 1: the open at hour 2. One bar: that of hour 1 must have ended.
    for submit in ("30m", 1):
        result = outcome(rows, {0: [buy(1)]}, orders={"latency": {"submit": submit}})
        assert fills(result) == [(1, 2, 1, 102, "open")]
    # BARS counts the bars after the delay: hour 2 only.
    script: dict[int, list[Request]] = {0: [buy(1, limit=50, tif="BARS", bars=1)]}
    result = outcome(rows, script, orders={"latency": {"submit": 1}})
    assert times(result, 1) == [1, 3]


def test_a_cancel_under_way_does_not_stop_a_fill() -> None:
    # The cancel of hour 1 arrives at 2:30. The first order fills at hour 2, the second is gone before the bar of hour 3.
    rows = bars(FLAT, FLAT, (98, 99, 97, 98), (90, 90, 90, 90))
    script: dict[int, list[Request]] = {0: [buy(1, limit=98), buy(1, limit=95)], 1: [Cancel(0), Cancel(1)]}
    result = outcome(rows, script, orders={"latency": {"cancel": "30m"}})
    assert fills(result) == [(1, 2, 1, 98, "open")]
    assert states(result, 2)[1:] == [("cancelled", "cancel_requested")]
    assert result.orders[1].closed_at == hour(2) + HOUR // 2


def test_a_cancel_that_takes_a_bar() -> None:
    # Asked for at the end of hour 1, it takes that of hour 2, whose path fills the first order. The second is gone when that bar has ended.
    rows = bars(FLAT, FLAT, (100, 101, 97, 98), (90, 90, 90, 90))
    script: dict[int, list[Request]] = {0: [buy(1, limit=98), buy(1, limit=95)], 1: [Cancel(0), Cancel(1)]}
    result = outcome(rows, script, orders={"latency": {"cancel": 1}})
    assert fills(result) == [(1, 3, 1, 98, "second_leg")]
    assert states(result, 2)[1:] == [("cancelled", "cancel_requested")]
    assert result.orders[1].closed_at == hour(3)


def test_a_replace_is_delayed_too() -> None:
    rows = bars(FLAT, FLAT, FLAT, FLAT)
    script: dict[int, list[Request]] = {0: [buy(1, limit=90)], 1: [Replace(0, {"limit": 101})]}
    result = outcome(rows, script, orders={"latency": {"submit": "30m"}})
    assert fills(result) == [(1, 3, 1, 100, "open")]  # asked for at hour 2, in force from 2:30


# -------------------------------------------------------------------------------------------------------------- volume
def test_the_rest_waits_for_the_volume_of_the_next_bar() -> None:
    # A tenth of 50 is 5 a bar; the open takes them all, so the limit gets nothing of that bar and fills at the next.
    rows = [dataclasses.replace(bar, volume=50.0) for bar in bars(FLAT, (100, 100, 95, 99), (99, 99, 95, 96))]
    result = outcome(rows, {0: [buy(7), buy(2, limit=96)]}, fills={"participation": {"share": 0.1}})
    assert fills(result) == [(1, 1, 5, 100, "open"), (1, 2, 2, 99, "open"), (2, 3, 2, 96, "first_leg")]
    assert [state for state, _ in states(result, 1)] == ["accepted", "partially_filled", "filled"]


@pytest.mark.parametrize(("market", "last"), [("next_open", (92, "open")), ("next_close", (91, "close"))])
def test_a_triggered_stop_without_volume_goes_on_as_a_market_order(market: str, last: tuple[float, str]) -> None:
    rows = bars(FLAT, FLAT, (100, 100, 94, 95), (92, 93, 91, 91))
    rows = [dataclasses.replace(bar, volume=volume) for bar, volume in zip(rows, (0, 10, 4, 100), strict=True)]
    rules = {"participation": {"share": 1.0}, "market": market}
    result = outcome(rows, {0: [buy(10)], 1: [sell(10, stop=95)]}, fills=rules)
    time = 3 if last[1] == "open" else 4
    assert fills(result)[1:] == [(2, 3, -4, 95, "first_leg"), (2, time, -6, *last)]
    assert [state for state, _ in states(result, 2)] == ["accepted", "triggered", "partially_filled", "filled"]


@pytest.mark.parametrize(
    ("terms", "quantities"),
    [
        # volumes 10, 20, 40, 80; decision at the end of the first bar
        ({"share": 0.5}, [10, 20, 40]),
        ({"share": 0.5, "basis": "previous"}, [5, 10, 20]),
        ({"share": 0.5, "basis": "average", "window": 2}, [7, 15]),  # bar 1 has one before it: 0; ⌊7.5⌋, 15
    ],
)
def test_whose_volume(terms: dict[str, Any], quantities: list[float]) -> None:
    rows = bars(FLAT, FLAT, FLAT, FLAT)
    rows = [dataclasses.replace(bar, volume=volume) for bar, volume in zip(rows, (10, 20, 40, 80), strict=True)]
    result = outcome(rows, {0: [buy(1000)]}, account={"cash": 1e6}, fills={"participation": terms})
    assert [fill.quantity for fill in result.fills] == quantities


# --------------------------------------------------------------------------------------------------------------- touch
TOUCHED: Prices = (100, 101, 95, 99)


@pytest.mark.parametrize(
    ("rule", "last", "expected"),
    [
        ({"kind": "always"}, TOUCHED, [(1, 3, 1, 95, "second_leg")]),
        ({"kind": "through"}, TOUCHED, []),
        ({"kind": "through"}, (100, 101, 94.75, 99), [(1, 3, 1, 95, "second_leg")]),
        ({"kind": "through"}, (95, 101, 95, 99), []),  # the open is a touch as well
        ({"kind": "through"}, (94, 101, 94, 99), [(1, 2, 1, 94, "open")]),
        ({"kind": "queue", "ahead": 1000.0}, TOUCHED, [(1, 3, 1, 95, "second_leg")]),  # 1000 − 1000 ≤ 0
        ({"kind": "queue", "ahead": 1001.0}, TOUCHED, []),
        ({"kind": "queue", "ahead": 1001.0}, (95, 95, 95, 95), []),  # one bar counts once, though it touches often
        ({"kind": "probability", "probability": 1.0}, TOUCHED, [(1, 3, 1, 95, "second_leg")]),
        ({"kind": "probability", "probability": 0.0}, TOUCHED, []),
    ],
)
def test_touch_rules(rule: dict[str, Any], last: Prices, expected: list[Any]) -> None:
    # The bar in between makes the order a rested one.
    rows = bars(FLAT, FLAT, last)
    assert fills(outcome(rows, {0: [buy(1, limit=95)]}, fills={"touch": rule})) == expected


def test_a_first_meeting_knows_no_queue() -> None:
    rows = bars(FLAT, (95, 95, 95, 95))
    assert fills(outcome(rows, {0: [buy(1, limit=95)]}, fills={"touch": {"kind": "through"}})) == [
        (1, 1, 1, 95, "open")
    ]


def test_splitmix64() -> None:
    # The first outputs of the published generator (Vigna, splitmix64.c) for the seed 0: its state is 0, γ, 2γ, …
    gamma = 0x9E3779B97F4A7C15
    assert [splitmix64(n * gamma % 2**64) for n in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_post_only() -> None:
    rows = bars(FLAT, (100, 100, 98, 99))
    tick = {"instruments": {"default": {"tick_size": 1.0}}}
    script: dict[int, list[Request]] = {0: [buy(1, limit=100, post_only=True), buy(1, limit=98, post_only=True)]}
    result = outcome(rows, script, **tick)
    assert fills(result) == [(2, 2, 1, 98, "second_leg")]
    assert states(result, 1)[1:] == [("rejected", "would_take")]
    # Repriced to 100 − 1: the path reaches it.
    result = outcome(rows, script, orders={"post_only": "reprice"}, **tick)
    assert fills(result) == [(1, 2, 1, 99, "second_leg"), (2, 2, 1, 98, "second_leg")]
    assert states(result, 1)[1:] == [("accepted", "would_take"), ("filled", "executed")]


# ------------------------------------------------------------------------------------------------------------- columns
def test_a_halt_touches_nothing() -> None:
    halted, after = bars((100, 100, 90, 99), (98, 99, 97, 98), first=2)
    rows = [*bars(FLAT, FLAT), dataclasses.replace(halted, halted=1.0), after]
    script: dict[int, list[Request]] = {0: [buy(1)], 1: [sell(1, stop=95), buy(1), buy(1, tif="IOC")]}
    result = outcome(rows, script)
    assert fills(result)[1:] == [(3, 3, 1, 98, "open")]
    assert states(result, 2) == [("accepted", "admitted")]
    assert (states(result, 4)[-1], times(result, 4)[-1]) == (("expired", "not_immediate"), 2)


def test_price_limits_block_fills_but_no_triggers() -> None:
    rows = bars(FLAT, FLAT, (100, 101, 94, 95), (97, 98, 96, 97))
    rows = [dataclasses.replace(bar, limit_down=95.0) for bar in rows]
    script: dict[int, list[Request]] = {0: [buy(1)], 1: [sell(1, stop=95)]}
    result = outcome(rows, script)
    # Triggered at 95, where no sell may fill; at the next open it goes at 97.
    assert fills(result)[1:] == [(2, 3, -1, 97, "open")]
    assert times(result, 2) == [2, 3, 3]
    rows = [dataclasses.replace(bar, limit_up=100.0) for bar in bars(FLAT, FLAT, (99, 99, 99, 99))]
    assert fills(outcome(rows, {0: [buy(1)]})) == [(1, 2, 1, 99, "open")]


def test_quotes_and_marks() -> None:
    quotes = {"open_bid": 99.0, "open_ask": 102.0, "bid": 98.0, "ask": 101.0}
    rows = bars(FLAT, FLAT, FLAT, **quotes)
    script: dict[int, list[Request]] = {0: [buy(2)], 1: [sell(1, tif="CLS")]}
    result = outcome(rows, script, fills={"quote": "bid_ask"}, account={"mark": "bid_ask"})
    assert fills(result) == [(1, 1, 2, 102, "open"), (2, 3, -1, 98, "close")]
    # 100 000 − 204 + 2·98 (a long position at the bid), then 99 894 + 98
    assert [point.equity for point in result.equity] == [100_000, 99_992, 99_992]
    middle = outcome(rows, script, fills={"quote": "mid"}, account={"mark": "mid"})
    assert [fill.price for fill in middle.fills] == [100.5, 99.5]
    short = outcome(rows, {0: [sell(1)]}, fills={"quote": "bid_ask"}, account={**MARGIN, "mark": "bid_ask"})
    assert short.equity[-1].equity == 100_000 + 99 - 101


def test_the_vwap_needs_a_whole_bar() -> None:
    rows = bars(FLAT, FLAT, FLAT, FLAT) + bars((50, 60, 40, 55), (56, 57, 52, 54), symbol="B", length=2)
    rows = [dataclasses.replace(bar, vwap=bar.low + 1) for bar in rows]
    result = outcome(rows, {0: [buy(1, "B"), buy(1)]}, fills={"market": "next_vwap"})
    # Decision at hour 1, inside B's first bar: its VWAP has begun without the order.
    assert fills(result) == [(2, 2, 1, 101, "close"), (1, 4, 1, 53, "close")]


def test_the_path_of_a_flat_symbol_without_levels_is_that_of_the_position_to_come() -> None:
    # Under queue the path is resolved before the open is met: flat, and nothing but a market buy. A long position suffers
    # from the low first, so the target of 102 comes on leg 2, after the low.
    script: dict[int, list[Request]] = {0: [buy(1, take_profit={"amount": 2.0})]}
    result = outcome(bars(FLAT, (100, 103, 98, 99)), script, fills={"schedule": "queue"})
    assert fills(result) == [(1, 1, 1, 100, "open"), (2, 2, -1, 102, "second_leg")]


# --------------------------------------------------------------------------------------------------------- finer bars
def quarter(n: int, *ohlc: float) -> Bar:
    """The nth quarter of the hour that begins at hour 1."""
    start = hour(1) + n * HOUR // 4
    return Bar("A", start, start + HOUR // 4, EPOCH + DAY, *ohlc)


def test_finer_bars_tell_the_path() -> None:
    # By the rule (a waiting buy, flat: high first) the buy stop at 103 would come before the limit at 97. The finer bars
    # fall first: 100 → 99 → 99.5 → 97 → 98, then jump to 102 and rise to 104.
    rows = bars(FLAT, (100, 104, 97, 102))
    finer = [quarter(0, 99, 99.5, 97, 98), quarter(1, 102, 104, 101, 103)]
    script: dict[int, list[Request]] = {0: [buy(1, limit=97.5), buy(1, stop=101.5), buy(1, stop=103.5)]}
    assert fills(outcome(rows, script)) == [
        (2, 2, 1, 101.5, "first_leg"),
        (3, 2, 1, 103.5, "first_leg"),
        (1, 2, 1, 97.5, "second_leg"),
    ]
    # The jump from 98 to 102 passes 101.5: the price after it is 102.
    assert fills(outcome(rows, script, finer=finer)) == [
        (1, 2, 1, 97.5, "finer_bar"),
        (2, 2, 1, 102, "finer_bar"),
        (3, 2, 1, 103.5, "finer_bar"),
    ]


def test_the_way_to_the_close_is_a_jump() -> None:
    rows = bars(FLAT, (100, 104, 97, 104))
    result = outcome(rows, {0: [buy(1, stop=103)]}, finer=[quarter(0, 100, 100, 97, 98)])
    assert fills(result) == [(1, 2, 1, 104, "finer_bar")]


def test_a_sale_that_its_model_takes_all_of_has_no_price() -> None:
    """0.75 · 1² leaves a quarter of 100 to a sale of all the volume, 1 · 1² nothing."""
    three_quarters, all_of_it = ({"costs": {"slippage": {"kind": "volume_share", "impact": n}}} for n in (0.75, 1.0))
    assert fills(outcome(bars(FLAT, FLAT), {0: [sell(1000)]}, account=RICH, **three_quarters)) == [
        (1, 1, -1000, 25, "open")
    ]
    with pytest.raises(NoPriceLeft):
        outcome(bars(FLAT, FLAT), {0: [sell(1000)]}, account=RICH, **all_of_it)
