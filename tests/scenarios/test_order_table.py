"""How long orders live, and what changes them: time in force, cancel and replace, reduce-only, targets, close."""

import dataclasses

import pytest

from ml4t.backtest import Offset, OrderError
from scenarios.table import (
    FLAT,
    LATE,
    MARGIN,
    Fill,
    Scenario,
    buy,
    cancel,
    check,
    close,
    minute,
    names,
    oco,
    play,
    replace,
    sell,
    target_percent,
    target_quantity,
    target_value,
)

CASH = 100_000.0
EXPIRED_DAY, EXPIRED_GTD = "expired session_closed", "expired good_till_date_reached"
CANCELLED, SUPERSEDED = "cancelled cancel_requested", "cancelled superseded_by_target"
RESTS = "accepted admitted"
DIP, DIP_AT_OPEN = (100, 101, 94, 99), (94, 99, 93, 97)
SESSION = {"data.session": {"open": "09:30", "close": "10:02", "timezone": "UTC"}}

TIME_IN_FORCE = [
    # with start LATE bar 3 is the first of the next day: a DAY order of minute 1 has ended by then, a GTC one has not
    Scenario("DAY ends with the day", [FLAT, FLAT, FLAT, DIP], {1: [buy(10, limit=95, tif="DAY")]}, [], CASH,
             {1: EXPIRED_DAY}, start=LATE),
    Scenario("GTC lasts over the day", [FLAT, FLAT, FLAT, DIP], {1: [buy(10, limit=95)]},
             [Fill(3, "second_leg", "buy", 10, 95)], CASH - 950, start=LATE),
    Scenario("DAY still meets the last bar of the day", [FLAT, FLAT, DIP, FLAT], {1: [buy(10, limit=95, tif="DAY")]},
             [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950, start=LATE),
    # the close of the day comes before the open of the next: a gap at bar 3's open finds no order
    # sent a minute before midnight it arrives half a minute after it: bar 4 is the first that it may meet
    Scenario("DAY begins with the delay", [FLAT, FLAT, FLAT, FLAT, DIP], {2: [buy(10, limit=95, tif="DAY")]},
             [Fill(4, "second_leg", "buy", 10, 95)], CASH - 950, config={"orders.latency": {"submit": "90s"}}, start=LATE),
    # the entry fills inside the last bar of the day, and its exit is of that day
    Scenario("DAY of a child", [FLAT, FLAT, DIP, (100, 106, 99, 105)],
             {2: [buy(10, limit=95), sell(10, parent=1, limit=105, tif="DAY")]},
             [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950, {2: EXPIRED_DAY}, start=LATE),
    # filled at the last close of the day, the entry leaves its exit to the next day
    Scenario("DAY of a child that begins at a close", [FLAT, FLAT, FLAT, (100, 106, 99, 105)],
             {2: [buy(10), sell(10, parent=1, limit=105, tif="DAY")]},
             [Fill(2, "close", "buy", 10, 100), Fill(3, "second_leg", "sell", 10, 105)], CASH + 50,
             config={"fills.market": "next_close"}, start=LATE),
    Scenario("DAY misses the next open", [FLAT, FLAT, FLAT, DIP_AT_OPEN], {1: [buy(10, limit=95, tif="DAY")]}, [], CASH,
             {1: EXPIRED_DAY}, start=LATE),
    # asked for at midnight: its first bar is bar 3, so it belongs to the new day
    Scenario("DAY asked for at the close belongs to the next day", [FLAT, FLAT, FLAT, FLAT, DIP],
             {3: [buy(10, limit=95, tif="DAY")]}, [Fill(4, "second_leg", "buy", 10, 95)], CASH - 950, start=LATE),
    # asked for inside bar 2, the last of the day: the first bar that starts afterwards is bar 3
    Scenario("DAY asked for inside the last bar belongs to the next day", [FLAT, FLAT, DIP, DIP],
             {2.5: [buy(10, limit=95, tif="DAY")]}, [Fill(3, "second_leg", "buy", 10, 95)], CASH - 950, start=LATE),
    Scenario("DAY of on_start", [FLAT, DIP, FLAT, FLAT], {0: [buy(10, limit=95, tif="DAY")]},
             [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950, start=LATE),
    # the declared session closes at 10:02, the next bar is that of the next day
    Scenario("DAY ends with the declared session", {"A": [FLAT, FLAT, *[None] * 1438, DIP_AT_OPEN]},
             {1: [buy(10, limit=95, tif="DAY")]}, [], CASH, {1: EXPIRED_DAY}, SESSION),
    # bar 2 ends at 10:03, after the declared close: the session lasts until then
    Scenario("DAY lasts while the session has bars", [FLAT, FLAT, DIP], {1: [buy(10, limit=95, tif="DAY")]},
             [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950, config=SESSION),
    # orders 1 and 3 have bar 1 only; that order 2 ends with order 1 must not hide order 3, which would buy at 95 on bar 2
    Scenario("BARS ends all that is due, also what comes after a child that ended", [FLAT, FLAT, DIP],
             {1: [buy(10, limit=95, tif="BARS", bars=1), sell(parent=1, limit=105), buy(5, limit=95, tif="BARS", bars=1)]}, [],
             CASH, {1: "expired last_bar_ended", 2: "cancelled parent_ended", 3: "expired last_bar_ended"}),
    Scenario("GTD inside a bar: the open may fill", [FLAT, DIP_AT_OPEN, FLAT],
             {1: [buy(10, limit=95, tif="GTD", until=minute(1.5))]}, [Fill(1, "open", "buy", 10, 94)], CASH - 940),
    Scenario("GTD inside a bar: the path may not", [FLAT, DIP, FLAT],
             {1: [buy(10, limit=95, tif="GTD", until=minute(1.5))]}, [], CASH, {1: EXPIRED_GTD}),
    Scenario("GTD exactly at a bar's end: the path may fill", [FLAT, DIP, FLAT],
             {1: [buy(10, limit=95, tif="GTD", until=minute(2))]}, [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950),
    Scenario("GTD exactly at a bar's end: the next open may not", [FLAT, FLAT, DIP_AT_OPEN],
             {1: [buy(10, limit=95, tif="GTD", until=minute(2))]}, [], CASH, {1: EXPIRED_GTD}),
    Scenario("GTD inside a bar: a market order waits for the close in vain", [FLAT, FLAT, FLAT],
             {1: [buy(10, tif="GTD", until=minute(1.5))]}, [], CASH, {1: EXPIRED_GTD}, {"fills.market": "next_close"}),
    Scenario("GTD exactly at a bar's end: a market order gets the close", [FLAT, FLAT, FLAT],
             {1: [buy(10, tif="GTD", until=minute(2))]}, [Fill(1, "close", "buy", 10, 100)], CASH - 1000,
             config={"fills.market": "next_close"}),
    # triggered at 105, waiting for 103 when its time has come
    Scenario("GTD ends the second stage of a stop-limit", [FLAT, (104, 106, 104, 105), (102, 103, 101, 102)],
             {1: [buy(10, stop=105, limit=103, tif="GTD", until=minute(2))]}, [], CASH, {1: EXPIRED_GTD}),
    Scenario("GTD inside a bar: the queue meets the bar at its end, too late even for the open", [FLAT, DIP_AT_OPEN, FLAT],
             {1: [buy(10, limit=95, tif="GTD", until=minute(1.5))]}, [], CASH, {1: EXPIRED_GTD},
             {"fills.schedule": "queue"}),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TIME_IN_FORCE, ids=names(TIME_IN_FORCE))
def test_time_in_force(scenario: Scenario) -> None:
    result = check(scenario)
    for row in result.orders.filter(state="expired").to_dicts():
        when = 1.5 if "GTD inside" in scenario.name else 3 if scenario.start is LATE else 2
        assert row["closed_at"] == minute(when, scenario.start)


CHANGES = [
    # asked for at minute 1, cancelled at minute 2: bar 2's dip finds nothing
    Scenario("cancel", [FLAT, FLAT, DIP], {1: [buy(10, limit=95)], 2: [cancel(1)]}, [], CASH, {1: CANCELLED}),
    Scenario("cancel in the decision that asked for it", [FLAT, FLAT], {1: [buy(10), cancel(1)]}, [], CASH,
             {1: CANCELLED}),
    Scenario("cancel inside a bar: its path may not fill", [FLAT, DIP], {1: [buy(10, limit=95)], 1.5: [cancel(1)]}, [],
             CASH, {1: CANCELLED}),
    Scenario("cancel inside a bar: another order is not touched", [FLAT, DIP],
             {1: [buy(10, limit=95), buy(5, limit=96)], 1.5: [cancel(1)]}, [Fill(1, "second_leg", "buy", 5, 96)],
             CASH - 480, {1: CANCELLED}),
    # 94 was out of reach of bar 1; 99 is reached by bar 2's open of 98
    Scenario("replace a limit", [FLAT, (100, 101, 95, 100), (98, 99, 97, 98)],
             {1: [buy(10, limit=94)], 2: [replace(1, limit=99)]}, [Fill(2, "open", "buy", 10, 98)], CASH - 980),
    Scenario("replace a quantity", [FLAT, FLAT, DIP], {1: [buy(10, limit=95)], 2: [replace(1, quantity=4)]},
             [Fill(2, "second_leg", "buy", 4, 95)], CASH - 380),
    Scenario("replace a stop", [FLAT, FLAT, (100, 104, 99, 103)], {1: [buy(10, stop=110)], 2: [replace(1, stop=102)]},
             [Fill(2, "first_leg", "buy", 10, 102)], CASH - 1020),
    # order 1 is replaced, but keeps its id: at one level it still comes before order 2
    Scenario("a replaced order keeps its priority", [FLAT, FLAT, DIP],
             {1: [buy(10, limit=90), buy(5, limit=95)], 2: [replace(1, limit=95)]},
             [Fill(2, "second_leg", "buy", 10, 95, order=1), Fill(2, "second_leg", "buy", 5, 95, order=2)],
             CASH - 950 - 475),
    # replaced inside bar 1 it is eligible from then on: not on bar 1's path, but at bar 2
    Scenario("replace inside a bar", [FLAT, DIP, DIP], {1: [buy(10, limit=96)], 1.5: [replace(1, limit=95)]},
             [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950),
    # the second stage of a stop-limit is a limit order whose limit can be moved: 103 → 106, and bar 2 opens at 105
    Scenario("replace the limit of a triggered stop-limit", [FLAT, (104, 106, 104, 105), (105, 107, 104, 106)],
             {1: [buy(10, stop=105, limit=103)], 2: [replace(1, limit=106)]}, [Fill(2, "open", "buy", 10, 105)],
             CASH - 1050),
    # A has no bar between its order and the next day, so its session is that day; the cancel comes after that session's close
    Scenario("DAY ends with its session, whatever cancel is under way",
             {"A": [FLAT, None, None, FLAT, *[None] * 1439, DIP_AT_OPEN], "B": [FLAT, FLAT, FLAT]},
             {1: [buy(10, limit=95, tif="DAY")], 2: [cancel(1)]}, [], CASH, {1: EXPIRED_DAY},
             {"orders.latency": {"cancel": "60h"}}, start=LATE),
    # at its fill order 2 wants 4000 / 100 = 40 and there is 1 to sell: 39 of 40 are left, and so of what it is linked with
    Scenario("a size that is known at the fill shares what it wanted, not what there was", [FLAT, FLAT, DIP],
             {0: [buy(1)], 1: [sell(value=4000, reduce_only=True), buy(40, limit=95), oco(2, 3)]},
             [Fill(0, "open", "buy", 1, 100), Fill(1, "open", "sell", 1, 100), Fill(2, "second_leg", "buy", 39, 95)],
             CASH - 39 * 95, {2: "cancelled nothing_to_reduce"}, {"orders.valuation": "fill_price"}),
]  # fmt: skip


@pytest.mark.parametrize("scenario", CHANGES, ids=names(CHANGES))
def test_cancel_and_replace(scenario: Scenario) -> None:
    check(scenario)


FLAT_101, FLAT_102 = (101,) * 4, (102,) * 4
LATE_ORDERS = [
    # asked for at minute 1, at the market 30 seconds after the open of bar 1
    Scenario("a delay in time", [FLAT, FLAT_101, FLAT_102], {1: [buy(10)]}, [Fill(2, "open", "buy", 10, 102)], CASH - 1020,
             config={"orders.latency.submit": "30s"}),
    Scenario("a delay of a bar", [FLAT, FLAT_101, FLAT_102], {1: [buy(10)]}, [Fill(2, "open", "buy", 10, 102)], CASH - 1020,
             config={"orders.latency.submit": 1}),
    # A has no bars 2 and 3: of its own, bar 1 and bar 4 must have ended
    Scenario("a delay of two bars of its own symbol", {"A": [FLAT, FLAT_101, None, None, FLAT_102, FLAT], "B": [FLAT] * 6},
             {1: [buy(10)]}, [Fill(5, "open", "buy", 10, 100)], CASH - 1000, config={"orders.latency.submit": 2}),
    # bought at 102, its stop-loss is at 96.9 at once
    Scenario("exits are not delayed", [FLAT, FLAT_101, (102, 103, 90, 95)], {1: [buy(10, stop_loss=0.05)]},
             [Fill(2, "open", "buy", 10, 102), Fill(2, "first_leg", "sell", 10, 96.9, order=2)], CASH - 51,
             config={"orders.latency.submit": 1}),
    # from 90 to 101 at minute 2, in force half a minute later: bar 3 opens below
    Scenario("a replace is delayed", [FLAT, FLAT, FLAT, FLAT], {1: [buy(10, limit=90)], 2: [replace(1, limit=101)]},
             [Fill(3, "open", "buy", 10, 100)], CASH - 1000, config={"orders.latency.submit": "30s"}),
    # the two bars of its life come after the one of its delay: bars 2 and 3
    Scenario("BARS counts from the end of the delay", [FLAT, FLAT, FLAT, DIP, DIP],
             {1: [buy(10, limit=95, tif="BARS", bars=2), buy(5, limit=90, tif="BARS", bars=2)]},
             [Fill(3, "second_leg", "buy", 10, 95)], CASH - 950, {2: "expired last_bar_ended"}, {"orders.latency.submit": 1}),
]  # fmt: skip


@pytest.mark.parametrize("scenario", LATE_ORDERS, ids=names(LATE_ORDERS))
def test_an_order_may_be_late(scenario: Scenario) -> None:
    check(scenario)


TAKES_BARS: list[tuple[str, Scenario, dict[int, float]]] = [
    ("of an order of the same decision it takes none",
     Scenario("", [FLAT, DIP, DIP], {1: [buy(10, limit=95), cancel(1)]}, [], CASH, {1: CANCELLED}, {"orders.latency.cancel": 1}),
     {1: 1}),
    ("the bar that it takes is met, the next one is not",
     Scenario("", [FLAT, FLAT, DIP, (88, 91, 87, 90)], {1: [buy(10, limit=95), buy(10, limit=90)], 2: [cancel(1), cancel(2)]},
              [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950, {2: CANCELLED}, {"orders.latency.cancel": 1}), {2: 3}),
    ("asked for inside a bar, it takes that one",
     Scenario("", [FLAT, DIP, (88, 91, 87, 90)], {1: [buy(10, limit=95), buy(10, limit=90)], 1.5: [cancel(1), cancel(2)]},
              [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950, {2: CANCELLED}, {"orders.latency.cancel": 1}), {2: 2}),
    # asked for at minute 4, when A has had no bar for two minutes: it takes the bars 5 and 6 of A
    ("it takes bars of its own symbol",
     Scenario("", {"A": [FLAT, FLAT, FLAT, None, None, FLAT, (94.5, 96, 94, 95), (88, 91, 87, 90)], "B": [FLAT] * 8},
              {1: [buy(10, limit=95), buy(10, limit=90)], 4: [cancel(1), cancel(2)]},
              [Fill(6, "open", "buy", 10, 94.5)], CASH - 945, {2: CANCELLED}, {"orders.latency.cancel": 2}), {2: 7}),
    ("a second cancel does not begin anew",
     Scenario("", [FLAT] * 4, {1: [buy(10, limit=90), sell(5, parent=1, limit=99)], 2: [cancel(2)], 3: [cancel(2)]}, [], CASH,
              {1: "accepted admitted", 2: CANCELLED}, {"orders.latency.cancel": 2}), {2: 4}),
    ("an order for bars that end with it expires",
     Scenario("", [FLAT] * 3, {1: [buy(10, limit=90, tif="BARS", bars=1), buy(10, limit=90)], 1.5: [cancel(1), cancel(2)]}, [], CASH,
              {1: "expired last_bar_ended", 2: CANCELLED}, {"orders.latency.cancel": 1}), {1: 2, 2: 2}),
    ("what is linked to it is left alone",
     Scenario("", [FLAT, FLAT, FLAT, DIP], {1: [buy(10, limit=95), buy(5, limit=94), oco(1, 2)], 2: [cancel(1)]},
              [Fill(3, "second_leg", "buy", 5, 94)], CASH - 470, {1: CANCELLED}, {"orders.latency.cancel": 1}), {1: 3}),
]  # fmt: skip


@pytest.mark.parametrize("schedule", ["phased", "queue"])
@pytest.mark.parametrize(("scenario", "closed"), [row[1:] for row in TAKES_BARS], ids=[row[0] for row in TAKES_BARS])
def test_a_cancel_may_take_bars(scenario: Scenario, closed: dict[int, float], schedule: str) -> None:
    result = check(dataclasses.replace(scenario, config=scenario.config | {"fills.schedule": schedule}))
    times = {row["order_id"]: row["closed_at"] for row in result.orders.to_dicts()}
    assert {order: times[order] for order in closed} == {order: minute(number) for order, number in closed.items()}


def test_a_child_does_not_end_before_it_begins() -> None:
    """Under `queue` the open is met when its bar ends: the child begins then, and it is then that its limit is not reached."""
    asks = {1: [buy(10), sell(parent=1, limit=105, tif="FOK")]}
    result = play(Scenario("", [FLAT, FLAT, FLAT], asks, [], 0, config={"fills.schedule": "queue"}))
    events = result.order_events.filter(order_id=2)
    assert events["reason"].to_list() == ["submitted", "admitted", "parent_filled", "not_immediate"][-events.height :]
    assert events["timestamp"].to_list()[-2:] == [minute(2), minute(2)]


REFUSED = [
    ("cancel twice", {1: [buy(10, limit=95)], 2: [cancel(1), cancel(1)]}, "Order 1 is not live (cancelled)"),
    ("cancel what was never asked for", {1: [cancel(7)]}, "No order 7; there is none yet."),
    ("cancel what is filled", {1: [buy(10)], 2: [cancel(1)]}, "Order 1 is not live (filled)"),
    ("replace what is filled", {1: [buy(10)], 2: [replace(1, quantity=5)]}, "Order 1 is not live (filled)"),
    ("replace with nothing", {1: [buy(10, limit=95), replace(1)]}, "at least one of quantity, limit, stop and touch"),
    ("a limit for a market order", {1: [buy(10), replace(1, limit=95)]}, "has no such price"),
    ("a stop for a limit order", {1: [buy(10, limit=95), replace(1, stop=105)]}, "has no such price"),
    ("a stop after the trigger", {1: [buy(10, stop=101, limit=99)], 2: [replace(1, stop=102)]}, "has no such price"),
    ("an offset", {1: [buy(10, limit=95), replace(1, limit=Offset(amount=-1.0))]}, "limit is a price, not an Offset"),
    ("a limit of zero", {1: [buy(10, limit=95), replace(1, limit=0)]}, "limit must be above 0"),
]


@pytest.mark.parametrize(("asks", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_change_that_makes_no_sense(asks, message: str) -> None:
    bars = [FLAT, (100, 102, 100, 101), FLAT]
    with pytest.raises(OrderError, match=message.replace("(", r"\(").replace(")", r"\)")):
        play(Scenario("refused", bars, asks, [], CASH))


REDUCE = [
    # long 10: of the 25 only 10 reduce; the rest is cancelled
    Scenario("reduce_only sells what is there", [FLAT, FLAT], {0: [buy(10)], 1: [sell(25, reduce_only=True)]},
             [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 10, 100)], CASH,
             {2: "cancelled nothing_to_reduce"}, MARGIN),
    Scenario("reduce_only less than the position", [FLAT, FLAT], {0: [buy(10)], 1: [sell(4, reduce_only=True)]},
             [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 4, 100)], CASH - 600, config=MARGIN),
    Scenario("reduce_only in the position's direction", [FLAT, FLAT], {0: [buy(10)], 1: [buy(5, reduce_only=True)]},
             [Fill(0, "open", "buy", 10, 100)], CASH - 1000, {2: "cancelled nothing_to_reduce"}, MARGIN),
    Scenario("reduce_only of nothing", [FLAT, FLAT], {1: [sell(5, reduce_only=True)]}, [], CASH,
             {1: "cancelled nothing_to_reduce"}, MARGIN),
    Scenario("reduce_only buys back a short", [FLAT, FLAT], {0: [sell(10)], 1: [buy(25, reduce_only=True)]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "open", "buy", 10, 100)], CASH,
             {2: "cancelled nothing_to_reduce"}, MARGIN),
]  # fmt: skip

TARGETS = [
    # 0 → 10 → 4 → −3: buy 10, sell 6, sell 7
    Scenario("quantities", [FLAT, (101, 101, 101, 101), (102, 102, 102, 102), FLAT],
             {1: [target_quantity(10)], 2: [target_quantity(4)], 3: [target_quantity(-3)]},
             [Fill(1, "open", "buy", 10, 101), Fill(2, "open", "sell", 6, 102), Fill(3, "open", "sell", 7, 100)],
             CASH - 1010 + 612 + 700, config=MARGIN),
    # 1050 ÷ 100 = 10.5, towards zero 10; then 2 more units are held than 1050 allows, so 2 are sold
    Scenario("values", [FLAT, FLAT, FLAT], {0: [buy(12)], 1: [target_value(1050)]},
             [Fill(0, "open", "buy", 12, 100), Fill(1, "open", "sell", 2, 100)], CASH - 1000),
    # half of 100 000 at 100 is 500 units; the open of 110 does not change that
    Scenario("percent, sized at the mark", [FLAT, (110, 110, 110, 110)], {1: [target_percent(0.5)]},
             [Fill(1, "open", "buy", 500, 110)], CASH - 55_000),
    # equity at minute 2: 45 000 + 500 · 110 = 100 000; a quarter of it at 110: 227.27 → 227; 500 − 227 = 273 to sell
    Scenario("percent, of equity at the marks", [FLAT, (110, 110, 110, 110), (110, 110, 110, 110)],
             {1: [target_percent(0.5)], 2: [target_percent(0.25)]},
             [Fill(1, "open", "buy", 500, 110), Fill(2, "open", "sell", 273, 110)], 45_000 + 273 * 110),
    Scenario("percent short", [FLAT, FLAT], {1: [target_percent(-0.5)]}, [Fill(1, "open", "sell", 500, 100)],
             CASH + 50_000, config=MARGIN),
    # −1050 ÷ 100 = −10.5, towards zero −10
    Scenario("a negative value", [FLAT, FLAT], {1: [target_value(-1050)]}, [Fill(1, "open", "sell", 10, 100)],
             CASH + 1000, config=MARGIN),
    Scenario("a target supersedes the live one", [FLAT, FLAT, DIP],
             {1: [target_quantity(10, limit=95)], 2: [target_quantity(4, limit=96)]},
             [Fill(2, "second_leg", "buy", 4, 96, order=2)], CASH - 384, {1: SUPERSEDED}),
    Scenario("a target supersedes in the same decision", [FLAT, FLAT], {1: [target_quantity(10), target_quantity(4)]},
             [Fill(1, "open", "buy", 4, 100, order=2)], CASH - 400, {1: SUPERSEDED}),
    # a target that is reached already asks for nothing, but the one before it is gone
    Scenario("a target without a difference supersedes, too", [FLAT, FLAT, DIP],
             {1: [target_quantity(10, limit=95)], 2: [target_quantity(0)]}, [], CASH, {1: SUPERSEDED}),
    Scenario("a target leaves other orders alone", [FLAT, FLAT, DIP],
             {1: [buy(3, limit=95)], 2: [target_quantity(4, limit=96)]},
             [Fill(2, "second_leg", "buy", 4, 96, order=2), Fill(2, "second_leg", "buy", 3, 95, order=1)],
             CASH - 384 - 285),
    Scenario("targets of two symbols", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
             {1: [target_quantity(1), target_quantity(2, "B")]},
             [Fill(1, "open", "buy", 1, 100, "A"), Fill(1, "open", "buy", 2, 100, "B")], CASH - 300),
    # sized by the fill price: half of 100 000 at the open of 110: 454.5 → 454
    Scenario("percent, sized at the fill", [FLAT, (110, 110, 110, 110)], {1: [target_percent(0.5)]},
             [Fill(1, "open", "buy", 454, 110)], CASH - 49_940, config={"orders.valuation": "fill_price"}),
    # sized by the close before the last (80): 100 000 · 0.5 ÷ 80 = 625 units
    Scenario("percent, sized at the previous close", [(80, 80, 80, 80), FLAT, FLAT], {2: [target_percent(0.5)]},
             [Fill(2, "open", "buy", 625, 100)], CASH - 62_500, config={"orders.valuation": "previous_close"}),
    # at the fill the target of 10 is held already: an explicit buy of 10 got there first
    Scenario("sized at the fill, nothing left to trade", [FLAT, FLAT], {1: [buy(10), target_value(1000)]},
             [Fill(1, "open", "buy", 10, 100, order=1)], CASH - 1000, {2: "cancelled nothing_to_trade"},
             {"orders.valuation": "fill_price"}),
]  # fmt: skip

SIZES = [
    # 1 550 ÷ 100 = 15.5 → 15
    Scenario("value", [FLAT, (101, 101, 101, 101)], {1: [buy(value=1550)]}, [Fill(1, "open", "buy", 15, 101)],
             CASH - 1515),
    # a tenth of 100 000 at 100 is 100
    Scenario("percent", [FLAT, (101, 101, 101, 101)], {1: [buy(percent=0.1)]}, [Fill(1, "open", "buy", 100, 101)],
             CASH - 10_100),
    Scenario("sell by value", [FLAT, FLAT], {1: [sell(value=1550)]}, [Fill(1, "open", "sell", 15, 100)], CASH + 1500,
             config=MARGIN),
    # 1 550 ÷ (100 · 5) = 3.1 → 3 contracts, each worth 500
    Scenario("value with a multiplier", [FLAT, FLAT], {1: [buy(value=1550)]}, [Fill(1, "open", "buy", 3, 100)],
             CASH - 1500, config={"instruments.default.multiplier": 5.0}),
    # both sizes of a decision are taken of the same equity, 100 000 at the marks
    Scenario("sizes of one decision", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
             {1: [buy(percent=0.3), buy(percent=0.3, symbol="B")]},
             [Fill(1, "open", "buy", 300, 100, "A"), Fill(1, "open", "buy", 300, 100, "B")], CASH - 60_000),
    Scenario("a size of zero units makes no order", [FLAT, FLAT], {1: [buy(value=99)]}, [], CASH),
]  # fmt: skip

CLOSES = [
    Scenario("close a long", [FLAT, (105, 105, 105, 105)], {0: [buy(10)], 1: [close()]},
             [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 10, 105)], CASH + 50),
    Scenario("close a short", [FLAT, (105, 105, 105, 105)], {0: [sell(10)], 1: [close()]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "open", "buy", 10, 105)], CASH - 50, config=MARGIN),
    Scenario("close when flat makes no order", [FLAT, FLAT], {1: [close()]}, [], CASH),
    # asked for when 10 were held; the limit buys 5 more on the path of bar 1, and at its close 15 are there to sell
    Scenario("close is resolved at the fill", [FLAT, (100, 100, 95, 97)], {0: [buy(10)], 1: [buy(5, limit=96), close()]},
             [Fill(0, "close", "buy", 10, 100), Fill(1, "first_leg", "buy", 5, 96), Fill(1, "close", "sell", 15, 97)],
             CASH - 1000 - 480 + 1455, config={"fills.market": "next_close", "fills.path": "open_low_high_close"}),
    # twice: the second finds nothing
    Scenario("close twice", [FLAT, FLAT], {0: [buy(10)], 1: [close(), close()]},
             [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 10, 100)], CASH,
             {3: "cancelled nothing_to_reduce"}, MARGIN),
]  # fmt: skip


@pytest.mark.parametrize("scenario", REDUCE + TARGETS + SIZES + CLOSES, ids=names(REDUCE + TARGETS + SIZES + CLOSES))
def test_requests(scenario: Scenario) -> None:
    result = check(scenario)
    if "no order" in scenario.name:
        assert result.orders.height == 0


def test_a_price_for_a_size_that_waits_for_the_fill_is_refused() -> None:
    config = {"orders.valuation": "fill_price"}
    with pytest.raises(OrderError, match="cannot wait for a limit or stop"):
        play(Scenario("refused", [FLAT, FLAT], {1: [target_percent(0.5, limit=95)]}, [], CASH, config=config))


def test_a_size_by_value_needs_a_price() -> None:
    with pytest.raises(OrderError, match="A has no price yet at 2024-03-05 10:00:00"):
        play(Scenario("refused", [FLAT, FLAT], {0: [buy(value=1000)]}, [], CASH))


def test_expiry_must_be_later_than_now() -> None:
    with pytest.raises(OrderError, match="is not later than now"):
        play(Scenario("refused", [FLAT, FLAT], {1: [buy(10, tif="GTD", until=minute(1))]}, [], CASH))
