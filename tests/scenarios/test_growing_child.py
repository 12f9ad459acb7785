"""Children that their parent's fills have used up: they sleep, and what is added never trades earlier (orders.md, Groups)."""

from datetime import UTC, datetime

import pytest

from ml4t.backtest import Trail
from scenarios.table import FLAT, LATE, MARGIN, Fill, Scenario, buy, check, close, names, sell

CASH = 100_000.0
WORKS = "accepted parent_filled"
SHARE = {"fills.participation": {"share": 0.005}}  # 5 of a bar's 1,000 units
QUEUE = {"fills.schedule": "queue"}
DIP = (100, 101, 94, 99)
ROWS = [
    # Each day's close sells what was bought by then: 5 on the first day, and nothing is missed where nothing is left; 3 on the second
    Scenario("an exit at the close of each day", [FLAT, DIP, FLAT, FLAT, DIP, FLAT],
             {1: [buy(8, limit=95), sell(parent=1, tif="CLS")]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(2, "close", "sell", 5, 100),
              Fill(4, "second_leg", "buy", 3, 95), Fill(5, "close", "sell", 3, 100)], CASH + 40, config=SHARE, start=LATE),
    # What is left at the close of the first day, for which 105 was too much, ends there: the 3 of the second day have no exit
    Scenario("an exit that missed its close is over", [FLAT, DIP, FLAT, FLAT, DIP, FLAT],
             {1: [buy(8, limit=95), sell(parent=1, tif="CLS", limit=105)]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(4, "first_leg", "buy", 3, 95)], CASH - 760,
             {2: "expired missed_close"}, SHARE, start=LATE),
    # A tenth of 5 units is none: the exit sleeps through the open of bar 3, the first of the day; a tenth of 10 waits for another day
    Scenario("an exit of no units yet misses no open", [FLAT, DIP, FLAT, FLAT, DIP, FLAT],
             {1: [buy(10, limit=95), sell(parent=1, fraction=0.1, tif="OPG")]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(4, "first_leg", "buy", 5, 95)], CASH - 950, {2: WORKS}, SHARE, start=LATE),
    # In a queue the entry has its turn first, and buys 3 on the path of bar 3: after that day's open at 100, which its exit no longer meets
    Scenario("what is added after the open of a day does not meet it", [FLAT, DIP, FLAT, DIP, FLAT],
             {1: [buy(8, limit=95), sell(parent=1, tif="OPG")]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(3, "first_leg", "buy", 3, 95)], CASH - 760, {2: WORKS},
             SHARE | QUEUE, start=LATE),
    Scenario("what is added after an open does not meet it, in a queue", [FLAT, DIP, FLAT, DIP, FLAT],
             {1: [buy(8, limit=95), sell(parent=1)]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(2, "open", "sell", 5, 100),
              Fill(3, "second_leg", "buy", 3, 95), Fill(4, "open", "sell", 3, 100)], CASH + 40, config=SHARE | QUEUE),
    # An eighth of 6 is none. Asleep, the trail starts at 100, goes through its stop at 98 to 97, and on to 104: a stop of 102 for the
    # eighth of 9 that there is from the open of bar 2 on
    Scenario("a trail that sleeps follows the price past its stop", [FLAT, (100, 104, 97, 103), (103, 103.5, 101.5, 103)],
             {1: [buy(9), sell(parent=1, fraction=0.125, stop=Trail(amount=2))]},
             [Fill(1, "open", "buy", 6, 100), Fill(2, "open", "buy", 3, 103), Fill(2, "first_leg", "sell", 1, 102)],
             CASH - 600 - 309 + 102, config={"fills.participation": {"share": 0.006}}),
    # The exit has sold its unit at 105. Another order makes the position short by 1, and the entry's last unit closes it:
    # the exit has done what it was for, and is filled, not cancelled
    Scenario("an exit that has done its work is filled", [FLAT, FLAT, (101, 106, 101, 105), (101, 102, 101, 101), FLAT],
             {1: [buy(6, limit=100), sell(parent=1, fraction=0.2, limit=105)], 3: [sell(5)]},
             [Fill(1, "open", "buy", 5, 100), Fill(2, "second_leg", "sell", 1, 105, order=2),
              Fill(3, "open", "sell", 5, 101), Fill(4, "open", "buy", 1, 100)], CASH + 10, config=SHARE | MARGIN),
]  # fmt: skip


@pytest.mark.parametrize("scenario", ROWS, ids=names(ROWS))
def test_a_child_that_grows(scenario: Scenario) -> None:
    check(scenario)


def test_a_close_of_nothing_needs_no_volume() -> None:
    """The sale takes the 5 units of bar 2 and all of the position: the close after it is over, and does not wait for volume."""
    check(
        Scenario(
            "close",
            [FLAT, FLAT, FLAT],
            {1: [buy(5)], 2: [sell(5), close()]},
            [Fill(1, "open", "buy", 5, 100), Fill(2, "open", "sell", 5, 100)],
            CASH,
            {3: "cancelled nothing_to_reduce"},
            SHARE,
        )
    )


def test_a_rung_is_a_part_of_all_that_an_order_fills_also_where_it_turns_a_position() -> None:
    """20 sold on a long of 10: half of 20 is bought back at 98, which is all of the short."""
    check(
        Scenario(
            "ladder",
            [FLAT, FLAT, (100, 101, 97, 98)],
            {0: [buy(10)], 1: [sell(20, take_profit=[(0.02, 0.5), (0.03, 0.5)])]},
            [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 20, 100), Fill(2, "second_leg", "buy", 10, 98)],
            CASH + 20,
            {4: "cancelled position_closed"},
            MARGIN,
        )
    )


def test_a_close_that_has_sold_a_part_needs_no_volume_for_nothing() -> None:
    """The close sells 5 of 10 on bar 2, and the older order the other 5 at 105, with all of bar 3's volume: the close is over.

    It went on waiting for volume, and sold what the limit order buys on bar 4.
    """
    check(
        Scenario(
            "close",
            [FLAT, FLAT, FLAT, (105, 105, 105, 105), (95, 95, 95, 95), (97, 97, 97, 97)],
            {0: [buy(10)], 2: [buy(5, limit=96), sell(5, limit=104), close()]},
            [
                Fill(0, "open", "buy", 5, 100),
                Fill(1, "open", "buy", 5, 100),
                Fill(2, "open", "sell", 5, 100, order=4),
                Fill(3, "open", "sell", 5, 105, order=3),
                Fill(4, "open", "buy", 5, 95, order=2),
            ],
            CASH - 1000 + 500 + 525 - 475,
            {4: "cancelled nothing_to_reduce"},
            SHARE,
        )
    )


MONTHLY = {"kind": "monthly_tiered", "tiers": [{"up_to": 1500.0, "rate": 0.004}, {"rate": 0.002}]}


def test_the_month_does_not_go_back() -> None:
    """B has no bar in March, where both are closed: at 8 as the first 2,000 of March, and at 4 as the second."""
    check(
        Scenario(
            "month",
            {"A": [FLAT] * 6, "B": [FLAT] * 3 + [None] * 3},
            {0: [buy(20), buy(20, "B")]},
            [
                Fill(0, "open", "buy", 20, 100),
                Fill(0, "open", "buy", 20, 100, "B"),
                Fill(5, "after_close", "sell", 20, 100),
                Fill(5, "after_close", "sell", 20, 100, "B"),
            ],
            CASH - 8 - 4 - 8 - 4,
            config={"costs.commission": MONTHLY, "end.run": "close"},
            start=datetime(2024, 2, 29, 23, 57, tzinfo=UTC),
        )
    )
