"""The oracle on groups: parents and children, rings, exits, relative prices. Every number worked out by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

from cases import Bar, Cancel, CancelAll, Link, Request, Submit
from small_case import FLAT, MARGIN, Prices, bars, buy, fills, outcome, sell, states, times


def with_volume(rows: list[Bar], *volumes: float) -> list[Bar]:
    return [dataclasses.replace(bar, volume=volume) for bar, volume in zip(rows, volumes, strict=True)]


WHOLE = {"participation": {"share": 1.0}}


def test_a_bracket_works_from_the_entry_on() -> None:
    # Buy limit 95, stop 93, target 98. Flat and a buy: high first. 100 → 101 → 92 → 99: entry at 95 and stop at 93 on
    # leg 2; the target of leg 3 comes too late.
    script: dict[int, list[Request]] = {0: [buy(10, limit=95, stop_loss={"amount": 2.0}, take_profit={"amount": 3.0})]}
    result = outcome(bars(FLAT, (100, 101, 92, 99)), script)
    assert fills(result) == [(1, 2, 10, 95, "second_leg"), (2, 2, -10, 93, "second_leg")]
    assert states(result, 2) == [
        ("pending", "admitted"),
        ("accepted", "parent_filled"),
        ("triggered", "stop_reached"),
        ("filled", "executed"),
    ]
    assert states(result, 3)[-1] == ("cancelled", "linked_order_filled")
    assert [order.origin for order in result.orders] == ["strategy", "stop_loss", "take_profit"]
    # With the low at 94 the stop is not reached, and leg 3 takes the target: 95 + 3.
    result = outcome(bars(FLAT, (100, 101, 94, 99)), script)
    assert fills(result)[1:] == [(3, 2, -10, 98, "third_leg")]


def test_a_target_that_the_path_has_passed_before_the_entry_waits() -> None:
    # 100 → 101 → 94 → 96: the target of 98 was passed on the way down, before the entry at 95.
    script: dict[int, list[Request]] = {0: [buy(10, limit=95, take_profit={"amount": 3.0})]}
    result = outcome(bars(FLAT, (100, 101, 94, 96), (96, 97, 95, 96)), script)
    assert len(result.fills) == 1
    assert result.orders[1].state == "accepted"


def test_children_of_an_open_meet_the_same_bar() -> None:
    # Bought at O 100 plus slippage 1 = 101. Stop 101 − 2 = 99: long, low first: hit on leg 1, 99 − 1.
    script: dict[int, list[Request]] = {0: [buy(10, stop_loss={"amount": 2.0})]}
    slip = {"slippage": {"kind": "fixed", "amount": 1.0}}
    result = outcome(bars(FLAT, (100, 101, 98, 100)), script, costs=slip)
    assert fills(result) == [(1, 1, 10, 101, "open"), (2, 2, -10, 98, "first_leg")]


def test_a_child_whose_level_is_behind_the_entry_fills_at_that_moment() -> None:
    # A stop at 96 for an entry at O 95: reached at once, at 95.
    script: dict[int, list[Request]] = {0: [buy(1, limit=97), sell(stop=96, parent=0, reduce_only=True)]}
    result = outcome(bars(FLAT, (95, 99, 94, 98)), script)
    assert fills(result) == [(1, 1, 1, 95, "open"), (2, 1, -1, 95, "open")]


def test_children_take_what_the_parent_really_filled() -> None:
    # Volume 4, 3, 10: the parent fills 4 + 3 + 3. A child of half of it has ⌊2⌋ = 2, ⌊3.5⌋ = 3, 5.
    rows = with_volume(bars(FLAT, FLAT, FLAT, FLAT), 1, 4, 3, 10)
    script: dict[int, list[Request]] = {0: [buy(10), sell(parent=0, fraction=0.5, limit=200)]}
    result = outcome(rows, script, fills=WHOLE)
    assert [fill.quantity for fill in result.fills] == [4, 3, 3]
    assert [event.reason for event in result.order_events if event.order_id == 2] == [
        "admitted",
        "parent_filled",
        "parent_filled",
        "parent_filled",
    ]
    assert (result.orders[1].quantity, times(result, 2)) == (5, [1, 1, 2, 3])


def test_a_used_up_child_waits_for_its_parent() -> None:
    # Bar 1: 4 of 10 bought, and the target sells them at 103 (the volume of 8 is enough for both). Bar 2 brings 6 more
    # at O 102, and the target, grown by 6, sells 2 of them at 103: the volume is 8.
    rows = with_volume(bars(FLAT, FLAT, (102, 104, 101, 102), (102, 102.5, 102, 102)), 0, 4, 8, 100)
    script: dict[int, list[Request]] = {0: [buy(10), sell(parent=0, limit=103, reduce_only=True)]}
    result = outcome(rows, script, fills=WHOLE)
    assert fills(result) == [(1, 1, 4, 100, "open"), (1, 2, 6, 102, "open"), (2, 3, -2, 103, "second_leg")]
    assert (result.orders[1].state, result.orders[1].quantity) == ("partially_filled", 10)
    # The child is sold out while the parent waits, and is filled when the parent is cancelled.
    rows = with_volume(bars(FLAT, FLAT, (102, 104, 101, 102), FLAT), 0, 8, 0, 0)
    rows[2] = dataclasses.replace(rows[2], volume=0.0)
    script = {0: [buy(10, limit=100), sell(parent=0, limit=100, reduce_only=True)], 2: [Cancel(0)]}
    rows[1] = dataclasses.replace(rows[1], volume=8.0)
    result = outcome(rows, script, fills=WHOLE)
    # O 100 fills 8 of 10 and nothing is left for the child on that bar; nor later. It stays until the run ends.
    assert fills(result) == [(1, 1, 8, 100, "open")]
    assert result.orders[1].state == "accepted"


def test_a_sold_out_child_is_filled_when_its_parent_ends() -> None:
    rows = with_volume(bars(FLAT, FLAT, (102, 104, 101, 102), FLAT), 0, 4, 4, 0)
    script: dict[int, list[Request]] = {
        0: [buy(10, limit=100), sell(parent=0, limit=103, reduce_only=True)],
        2: [Cancel(0)],
    }
    result = outcome(rows, script, fills=WHOLE)
    assert fills(result) == [(1, 1, 4, 100, "open"), (2, 3, -4, 103, "second_leg")]
    assert [state for state, _ in states(result, 2)] == ["pending", "accepted", "partially_filled", "filled"]
    assert times(result, 2) == [1, 1, 3, 3]


def test_children_of_an_order_that_never_fills_are_cancelled() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(1, limit=90, tif="DAY"), sell(parent=0, stop=80), buy(15), sell(parent=2, stop=80)]
    }
    rows = bars(FLAT, FLAT, closes=2) + bars(FLAT, first=24, closes=26)
    result = outcome(rows, script, instruments={"default": {"lot_size": 10.0}}, account=MARGIN)
    # Order 3 is no multiple of the lot: its child never becomes pending. Order 1 neither.
    assert states(result, 4) == [("cancelled", "parent_ended")]
    script = {0: [buy(10, limit=90, tif="DAY"), sell(parent=0, stop=80)]}
    result = outcome(rows, script, instruments={"default": {"lot_size": 10.0}}, account=MARGIN)
    assert states(result, 2) == [("pending", "admitted"), ("cancelled", "parent_ended")]
    assert times(result, 2) == [1, 2]


def test_one_cancels_the_other_in_proportion() -> None:
    # 10 held. A target of 10 at 103 fills 4 of 10 by volume: the stop of 5 keeps 6/10 of 5 = 3.
    rows = with_volume(bars(FLAT, FLAT, (100, 104, 100, 103), (103, 103, 103, 103)), 0, 10, 4, 100)
    script: dict[int, list[Request]] = {
        0: [buy(10)],
        1: [sell(10, limit=103), sell(5, stop=95), Link((1, 2))],
    }
    result = outcome(rows, script, fills=WHOLE)
    assert fills(result)[1:] == [(2, 3, -4, 103, "second_leg"), (2, 3, -6, 103, "open")]
    assert states(result, 3) == [
        ("accepted", "admitted"),
        ("accepted", "linked_order_filled"),
        ("cancelled", "linked_order_filled"),
    ]


def test_a_cancelled_member_leaves_the_others_alone() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(1, limit=99), buy(2, limit=98), Link((0, 1))],
        1: [Cancel(0)],
    }
    result = outcome(bars(FLAT, FLAT, (98, 98, 98, 98)), script)
    assert fills(result) == [(2, 2, 2, 98, "open")]


def test_rings_grow_together() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(1, limit=99), buy(1, limit=98), buy(1, limit=97), Link((0, 1)), Link((1, 2))]
    }
    result = outcome(bars(FLAT, (99, 99, 90, 95)), script)
    assert [order.state for order in result.orders] == ["filled", "cancelled", "cancelled"]


def test_exits_go_when_the_position_is_closed_by_something_else() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(10, stop_loss={"amount": 5.0}, take_profit={"amount": 5.0})],
        1: [Submit("close", "A")],
    }
    result = outcome(bars(FLAT, FLAT, FLAT, (90, 110, 80, 100)), script)
    assert [fill.order_id for fill in result.fills] == [1, 4]
    assert states(result, 2)[-1] == states(result, 3)[-1] == ("cancelled", "position_closed")
    assert times(result, 3)[-1] == 2


def test_exits_of_the_old_position_go_when_it_turns() -> None:
    # Sold 25 of a long 10: short 15. The sell stop of the long is gone, the buy stop of the short stays.
    script: dict[int, list[Request]] = {
        0: [buy(10, stop_loss={"amount": 5.0})],
        1: [sell(25), buy(parent=1, stop={"amount": 5.0, "of": "fill"})],
    }
    result = outcome(bars(FLAT, FLAT, FLAT), script, account=MARGIN)
    assert states(result, 2)[-1] == ("cancelled", "position_closed")
    assert result.orders[3].state == "accepted"
    assert (result.orders[3].side, result.orders[3].stop, result.orders[3].quantity) == (1, 105, 25)


def test_children_of_a_fill_at_the_close_work_at_that_moment() -> None:
    # Bought at C 100; the stop at 101 is reached there already. That at 99.5 waits for the next open.
    script: dict[int, list[Request]] = {0: [buy(2), sell(1, parent=0, stop=101), sell(1, parent=0, stop=99.5)]}
    result = outcome(bars(FLAT, FLAT, (99, 100, 98, 99)), script, fills={"market": "next_close"})
    assert fills(result) == [(1, 2, 2, 100, "close"), (2, 2, -1, 100, "close"), (3, 2, -1, 99, "open")]


def test_relative_prices() -> None:
    # Decision at 100; the parent fills at O 102 + 1 slippage = 103.
    slip = {"slippage": {"kind": "fixed", "amount": 1.0}}
    kwargs: dict[str, Any] = {"parent": 0, "reduce_only": True}
    script: dict[int, list[Request]] = {
        0: [
            buy(10),
            sell(stop={"amount": -4.0, "of": "fill"}, **kwargs),
            sell(stop={"rate": -0.0625, "of": "signal"}, **kwargs),
            sell(limit={"rate": 0.25, "of": "last"}, **kwargs),
            sell(stop=90, limit={"amount": -0.5, "of": "stop"}, **kwargs),
        ]
    }
    result = outcome(bars(FLAT, (102, 102, 102, 102)), script, costs=slip)
    assert [order.stop for order in result.orders[1:]] == [99, 93.75, None, 90]
    assert [order.limit for order in result.orders[1:]] == [None, None, 125, None]


def test_the_average_price_is_that_of_the_position() -> None:
    # 10 at 100, then 10 at 104: average 102, minus 2.
    script: dict[int, list[Request]] = {
        0: [buy(10)],
        1: [buy(10), sell(parent=1, stop={"amount": -2.0, "of": "average"}, reduce_only=True)],
    }
    result = outcome(bars(FLAT, FLAT, (104, 104, 104, 104)), script)
    assert result.orders[2].stop == 100


def test_max_bars_and_break_even() -> None:
    # Entry at the open of bar 1, n = 2: the open of bar 3.
    rows = bars(FLAT, FLAT, FLAT, (101, 101, 101, 101), FLAT)
    result = outcome(rows, {0: [buy(1, max_bars=2)]})
    assert fills(result) == [(1, 1, 1, 100, "open"), (2, 3, -1, 101, "open")]
    # Stop at the entry's 100 once 103 was seen: bar 1 touches 99.5 before, bar 2 sees 103 and falls to 100 on leg 3.
    path: tuple[Prices, ...] = (FLAT, (100, 102, 99.5, 101), (101, 104, 100.5, 100))
    result = outcome(bars(*path), {0: [buy(1, break_even={"amount": 3.0})]})
    assert fills(result)[1:] == [(2, 3, -1, 100, "third_leg")]


def test_a_trailing_child_follows_the_rest_of_the_path() -> None:
    # Entry at 95 on leg 2 of 100 → 101 → 94 → 99: W 95, then leg 3 raises it to 99 and the stop to 97.
    script: dict[int, list[Request]] = {0: [buy(1, limit=95, trailing_stop={"amount": 2.0})]}
    result = outcome(bars(FLAT, (100, 101, 94, 99), (99, 99, 96, 98)), script)
    assert fills(result) == [(1, 2, 1, 95, "second_leg"), (2, 3, -1, 97, "first_leg")]


def test_cancel_all_takes_one_symbol_and_its_children() -> None:
    script: dict[int, list[Request]] = {
        0: [buy(1, limit=90), sell(parent=0, stop=80), buy(1, "B", limit=90)],
        1: [CancelAll("A")],
    }
    rows = bars(FLAT, FLAT, FLAT) + bars(FLAT, FLAT, FLAT, symbol="B")
    result = outcome(rows, script)
    assert [order.reason for order in result.orders] == ["cancel_requested", "parent_ended", "admitted"]


def test_what_follows_from_an_open_under_queue_has_the_time_of_the_end() -> None:
    script: dict[int, list[Request]] = {0: [buy(1, stop_loss={"amount": 2.0})]}
    result = outcome(bars(FLAT, (100, 101, 98.5, 100)), script, fills={"schedule": "queue"})
    assert fills(result) == [(1, 1, 1, 100, "open")]
    assert times(result, 2) == [1, 2]


def test_a_child_asked_for_inside_a_bar_waits_for_its_end() -> None:
    # B's bar lasts from hour 0 to 2; the parent waits since before it, the child comes at hour 1. The parent fills on
    # the path, which may have been before hour 1: the child does not meet the rest of it.
    rows = bars(FLAT, FLAT, FLAT, FLAT, FLAT) + bars(
        (100, 100, 94, 97), (97, 97, 90, 92), symbol="B", length=2, first=1
    )
    script: dict[int, list[Request]] = {
        0: [buy(1, "B", limit=95)],
        1: [sell(symbol="B", parent=0, limit=96, reduce_only=True)],
    }
    result = outcome(rows, script)
    assert fills(result) == [(1, 3, 1, 95, "second_leg"), (2, 3, -1, 97, "open")]
