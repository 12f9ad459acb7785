"""What the market does not give: halts, price limits, quotes, queues at a limit, volumes of before; each outcome worked out beside it."""

import pytest

from ml4t.backtest import Trail
from scenarios.table import FLAT, LATE, MARGIN, Fill, Scenario, buy, check, names, sell

CASH = 100_000.0
NAN = float("nan")
HELD = Fill(0, "open", "buy", 10, 100)
DIP = (100, 101, 94, 99)
RESTS = "accepted admitted"

HALTS = [
    # bar 1 falls to 94, but nothing trades; bar 2 opens at 90, which is below 95: the gap is bought at its open
    Scenario("a limit is not met on a halted bar", [FLAT, DIP, (90, 96, 88, 91)], {1: [buy(10, limit=95)]},
             [Fill(2, "open", "buy", 10, 90)], CASH - 900, columns={"halted": [0, 1, 0]}),
    # the stop at 95 is not triggered by the 94 of the halt; the first price after it is 80
    Scenario("a stop pays the gap when trading goes on", [FLAT, DIP, (80, 82, 78, 81)], {0: [buy(10)], 1: [sell(10, stop=95)]},
             [HELD, Fill(2, "open", "sell", 10, 80)], CASH - 200, columns={"halted": [0, 1, 0]}),
    # no stop is raised by 120 either: from 118, the open of bar 2, it is 5 below
    Scenario("a trail does not move with a halted bar", [FLAT, (100, 120, 100, 120), (118, 119, 112, 114)],
             {0: [buy(10)], 1: [sell(10, stop=Trail(amount=5))]}, [HELD, Fill(2, "first_leg", "sell", 10, 113)], CASH + 130,
             columns={"halted": [0, 1, 0]}),
    Scenario("an order for one meeting misses it", [FLAT, FLAT, FLAT], {1: [buy(10, tif="IOC"), buy(10)]},
             [Fill(2, "open", "buy", 10, 100)], CASH - 1000, {1: "expired not_immediate"}, columns={"halted": [0, 1, 0]}),
    # bar 2 is the last of the day: its close is the only one that the first order could have
    Scenario("an order for a halted close misses it", [FLAT, FLAT, FLAT, FLAT], {1: [buy(10, tif="CLS")], 2: [buy(5)]},
             [Fill(3, "open", "buy", 5, 100)], CASH - 500, {1: "expired missed_close"}, start=LATE,
             columns={"halted": [0, 0, 1, 0]}),
    # bar 3 is the first of the day
    Scenario("an order for a halted open misses it", [FLAT, FLAT, FLAT, FLAT, FLAT], {1: [buy(10, tif="OPG", limit=101)]}, [],
             CASH, {1: "expired missed_open"}, start=LATE, columns={"halted": [0, 0, 0, 1, 0]}),
]  # fmt: skip

HALTS += [
    # the run is over, and the position goes by its mark, halted or not
    Scenario("a close-out of a halted symbol", [FLAT, DIP], {0: [buy(10)]}, [HELD, Fill(1, "after_close", "sell", 10, 99)], CASH - 10,
             config={"end.run": "close"}, columns={"halted": [0, 1]}),
]  # fmt: skip
UP = [100.0, 110.0, 110.0, 130.0]
LOCKED = [FLAT, (100, 110, 99, 110), (110, 110, 110, 110), (111, 115, 105, 106)]
LIMITS = [
    Scenario("no purchase at limit up", LOCKED, {2: [buy(10)]}, [Fill(3, "open", "buy", 10, 111)], CASH - 1110,
             columns={"limit_up": UP}),
    Scenario("a sale at limit up", LOCKED, {0: [buy(10)], 2: [sell(10)]}, [HELD, Fill(2, "open", "sell", 10, 110)], CASH + 100,
             columns={"limit_up": [NAN, *UP[1:]]}),
    # 109 is passed on the way to 110
    Scenario("a stop below limit up", LOCKED, {1: [buy(10, stop=109)]}, [Fill(1, "second_leg", "buy", 10, 109)], CASH - 1090,
             config={"fills.path": "open_low_high_close"}, columns={"limit_up": UP}),
    # triggered at 110 on bar 1, where it cannot be bought; it is a market order from then on, and bar 2 is locked, too
    Scenario("a stop at limit up is triggered and waits", LOCKED, {1: [buy(10, stop=110)]},
             [Fill(3, "open", "buy", 10, 111)], CASH - 1110, columns={"limit_up": UP}),
    Scenario("a stop-loss at limit down waits", [FLAT, (100, 100, 90, 90), (90, 90, 90, 90), (85, 88, 84, 86)],
             {0: [buy(10, stop_loss=0.1)]}, [HELD, Fill(3, "open", "sell", 10, 85, order=2)], CASH - 150,
             columns={"limit_down": [90, 90, 90, 81]}),
    Scenario("none on the close at limit down", [FLAT, FLAT, (100, 100, 90, 90), FLAT], {0: [buy(10)], 1: [sell(10, tif="CLS")]},
             [HELD], CASH - 1000, {2: "expired missed_close"}, start=LATE, columns={"limit_down": [50, 50, 90, 50]}),
]  # fmt: skip

QUOTED = {
    "open_bid": [99.0, 99.0, 99.0],
    "open_ask": [101.0, 101.0, 102.0],
    "bid": [98.0, 98.0, 98.5],
    "ask": [100.0, 100.0, 99.5],
}
BOTH = {1: [buy(10)], 2: [sell(10)]}
QUOTES = [
    Scenario("bought at the ask, sold at the bid", [FLAT] * 3, BOTH,
             [Fill(1, "open", "buy", 10, 101), Fill(2, "open", "sell", 10, 99)], CASH - 20, config={"fills.quote": "bid_ask"},
             columns=QUOTED),
    # (99 + 101) ÷ 2 and (99 + 102) ÷ 2
    Scenario("in the middle", [FLAT] * 3, BOTH, [Fill(1, "open", "buy", 10, 100), Fill(2, "open", "sell", 10, 100.5)], CASH + 5,
             config={"fills.quote": "mid"}, columns=QUOTED),
    # (98 + 100) ÷ 2 and (98.5 + 99.5) ÷ 2
    Scenario("in the middle of closes", [FLAT] * 3, BOTH, [Fill(1, "close", "buy", 10, 99), Fill(2, "close", "sell", 10, 99)], CASH,
             config={"fills.quote": "mid", "fills.market": "next_close"}, columns=QUOTED),
    Scenario("limits do not go by quotes", [FLAT, FLAT, DIP], {1: [buy(10, limit=95)]}, [Fill(2, "second_leg", "buy", 10, 95)],
             CASH - 950, config={"fills.quote": "bid_ask"}, columns=QUOTED),
    Scenario("the average price of a bar", [FLAT, DIP, FLAT], BOTH,
             [Fill(1, "close", "buy", 10, 97.5), Fill(2, "close", "sell", 10, 100)], CASH + 25, config={"fills.market": "next_vwap"},
             columns={"vwap": [100, 97.5, 100]}),
    # asked for inside bar 1, whose average has begun before: that of bar 2
    Scenario("the average price of a whole bar", [FLAT, DIP, FLAT], {1.5: [buy(10)]}, [Fill(2, "close", "buy", 10, 100)],
             CASH - 1000, config={"fills.market": "next_vwap"}, columns={"vwap": [100, 97.5, 100]}),
]  # fmt: skip

TOUCHED = (100, 101, 95, 99)
BEYOND = (100, 101, 94.75, 99)
PART = {"fills.participation": {"share": 0.005}}
QUEUES = [
    # through: 95 is touched on bar 1, passed on bar 2
    Scenario("a touch is not enough", [FLAT, TOUCHED, BEYOND], {0.5: [buy(10, limit=95)]}, [Fill(2, "second_leg", "buy", 10, 95)],
             CASH - 950, config={"fills.touch": {"kind": "through"}}),
    # 1,500 stand before it: bar 1 takes off 1,000, bar 2 the rest
    Scenario("a queue of 1,500", [FLAT, TOUCHED, TOUCHED], {0.5: [buy(10, limit=95)]}, [Fill(2, "second_leg", "buy", 10, 95)],
             CASH - 950, config={"fills.touch": {"kind": "queue", "ahead": 1500}}),
    Scenario("a queue that the price goes through", [FLAT, BEYOND], {0.5: [buy(10, limit=95)]},
             [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950, config={"fills.touch": {"kind": "queue", "ahead": 1500}}),
    # post-only at 100.5, and the market opens at 100: rejected; or 100 less a tick, which bar 1 reaches on its way to 95
    Scenario("post-only, rejected", [FLAT, TOUCHED], {1: [buy(10, limit=100.5, post_only=True)]}, [], CASH, {1: "rejected would_take"}),
    Scenario("post-only, one tick away", [FLAT, TOUCHED], {1: [buy(10, limit=100.5, post_only=True)]},
             [Fill(1, "second_leg", "buy", 10, 99.5)], CASH - 995,
             config={"orders.post_only": "reprice", "instruments.default.tick_size": 0.5}),
    Scenario("post-only, resting", [FLAT, TOUCHED], {1: [buy(10, limit=95, post_only=True)]},
             [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950),
    # half of the volume of the bar before: 2 of bar 0's 4, 3 of bar 1's 6
    Scenario("the volume of the bar before", [FLAT] * 3, {1: [buy(10)]}, [Fill(1, "open", "buy", 2, 100), Fill(2, "open", "buy", 3, 100)],
             CASH - 500, {1: "partially_filled executed"}, {"fills.participation": {"share": 0.5, "basis": "previous"}},
             columns={"volume": [4, 6, 100]}),
    # half of the mean of two: (4 + 8) ÷ 2 is known on bar 2, (8 + 2) ÷ 2, floored to 2 units, on bar 3
    Scenario("the mean volume of two bars", [FLAT] * 4, {1: [buy(10)]}, [Fill(2, "open", "buy", 3, 100), Fill(3, "open", "buy", 2, 100)],
             CASH - 500, {1: "partially_filled executed"}, {"fills.participation": {"share": 0.5, "basis": "average", "window": 2}},
             columns={"volume": [4, 8, 2, 100]}),
    # a quarter of the average daily volume of one session, spread over its three bars: (30 + 6 + 12) ÷ 3 = 16 a bar, 4 units
    Scenario("average daily volume", [FLAT] * 5, {1: [buy(10)]}, [Fill(3, "open", "buy", 4, 100), Fill(4, "open", "buy", 4, 100)],
             CASH - 800, {1: "partially_filled executed"},
             {"fills.participation": {"share": 0.25, "basis": "daily_average", "window": 1}},
             columns={"volume": [30, 6, 12, 1, 1]}, start=LATE),
    # one share for both sides: 5 are bought on bar 0; of bar 1's 5 the sale takes 3, the purchase 2, and the rest comes a bar later
    Scenario("both sides share a bar", [FLAT] * 3, {0: [buy(5)], 1: [sell(3), buy(4)]},
             [Fill(0, "open", "buy", 5, 100), Fill(1, "open", "sell", 3, 100), Fill(1, "open", "buy", 2, 100),
              Fill(2, "open", "buy", 2, 100)], CASH - 600, config=PART),
]  # fmt: skip

TABLE = [*HALTS, *LIMITS, *QUOTES, *QUEUES]


@pytest.mark.parametrize("scenario", TABLE, ids=names(TABLE))
def test_scenario(scenario: Scenario) -> None:
    check(scenario)


@pytest.mark.parametrize(
    ("mark", "side", "gains"),
    [
        ("last", buy, [0, 0, 0]),  # at 100
        ("mid", buy, [0, -10, -10]),  # at (98 + 100) / 2 and (98.5 + 99.5) / 2
        ("bid_ask", buy, [0, -20, -15]),  # at the bids of 98 and 98.5
        ("mid", sell, [0, 10, 10]),
        ("bid_ask", sell, [0, 0, 5]),  # at the asks of 100 and 99.5
    ],
)
def test_positions_go_by_the_side_at_which_they_could_be_closed(mark: str, side, gains: list[float]) -> None:
    """10 are traded at the open of bar 1, at 100."""
    cash = CASH - 1000 if side is buy else CASH + 1000
    fills = [Fill(1, "open", side.__name__, 10, 100)]
    scenario = Scenario(
        "", [FLAT] * 3, {1: [side(10)]}, fills, cash, config=MARGIN | {"account.mark": mark}, columns=QUOTED
    )
    assert check(scenario).equity["equity"].to_list() == [CASH + gain for gain in gains]


def splitmix64(x: int) -> int:
    """The generator of the page, written again."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


@pytest.mark.parametrize("seed", [0, 7])
def test_a_touch_fills_with_the_probability_that_is_drawn(seed: int) -> None:
    """Twenty orders rest at 95, which bar 1 (row 1) touches: the nth fills where its draw is below 0.3."""
    draws = [(splitmix64(splitmix64(seed) ^ splitmix64(2**32 * n + 1)) >> 11) / 2**53 for n in range(1, 21)]
    lucky = [n for n, u in enumerate(draws, 1) if u < 0.3]
    assert 0 < len(lucky) < 20
    check(
        Scenario(
            "probability",
            [FLAT, TOUCHED],
            {0.5: [buy(1, limit=95)] * 20},
            [Fill(1, "second_leg", "buy", 1, 95, order=n) for n in lucky],
            CASH - 95 * len(lucky),
            {n: RESTS for n in range(1, 21) if n not in lucky},
            {"fills.touch": {"kind": "probability", "probability": 0.3}, "run.seed": seed},
        )
    )
