"""What comes first inside a bar: the five path rules, the two schedules, and ties."""

from typing import Any

import pytest

from scenarios.table import FLAT, MARGIN, Ask, Fill, Prices, Scenario, buy, check, close, names, replace, sell

CASH = 100_000.0
RULES = ["worst_first", "best_first", "open_high_low_close", "open_low_high_close", "nearest_extreme_first"]
HIGH = {"open_high_low_close"}
NOTHING = "cancelled nothing_to_reduce"

# Each case: what is held from bar 0's open at 100, the two orders, bar 1, what happens when the high comes first, and when the
# low does: (fills of bar 1, cash, how the other order ends). `high_first`: the rules under which the high comes first.
STOP_AT_95, PROFIT_AT_105 = sell(10, stop=95, reduce_only=True), sell(10, limit=105, reduce_only=True)
STOP_AT_105, PROFIT_AT_95 = buy(10, stop=105, reduce_only=True), buy(10, limit=95, reduce_only=True)
Way = tuple[list[Fill], float, dict[int, str]]


def by_rule(
    name: str, hold: list[Ask], asks: list[Ask], bar: Prices, high_first: set[str], high: Way, low: Way
) -> list[Scenario]:
    """One scenario for each path rule."""
    first = [Fill(0, "open", hold[0].method, 10, 100)] if hold else []
    return [
        Scenario(
            f"{name}, {rule}",
            [FLAT, bar],
            {0: hold, 1: asks},
            first + (high if rule in high_first else low)[0],
            *(high if rule in high_first else low)[1:],
            MARGIN | {"fills.path": rule},
        )
        for rule in RULES
    ]


BRACKETS = [
    # long 10 at 100, bar 100-106-94: H − O = 6 = O − L is not nearer, so the nearest extreme is the low
    *by_rule(
        "long, stop and take-profit",
        [buy(10)],
        [PROFIT_AT_105, STOP_AT_95],
        (100, 106, 94, 100),
        HIGH | {"best_first"},
        ([Fill(1, "first_leg", "sell", 10, 105, order=2)], CASH + 50, {3: NOTHING}),
        ([Fill(1, "first_leg", "sell", 10, 95, order=3)], CASH - 50, {2: NOTHING}),
    ),
    # short 10 at 100: the high is the worst now; H − O = 5 < O − L = 6 makes the high the nearest
    *by_rule(
        "short, stop and take-profit",
        [sell(10)],
        [PROFIT_AT_95, STOP_AT_105],
        (100, 105, 94, 100),
        HIGH | {"worst_first", "nearest_extreme_first"},
        ([Fill(1, "first_leg", "buy", 10, 105, order=3)], CASH - 50, {2: NOTHING}),
        ([Fill(1, "first_leg", "buy", 10, 95, order=2)], CASH + 50, {3: NOTHING}),
    ),
    # flat, entry limit 98 below and its take-profit 103 above: only low before high makes a round trip of +5 · 10
    *by_rule(
        "entry limit and take-profit",
        [],
        [buy(10, limit=98), sell(10, limit=103, reduce_only=True)],
        (100, 103, 96, 101),
        HIGH | {"worst_first", "nearest_extreme_first"},
        ([Fill(1, "second_leg", "buy", 10, 98)], CASH - 980, {2: NOTHING}),
        ([Fill(1, "first_leg", "buy", 10, 98), Fill(1, "second_leg", "sell", 10, 103)], CASH + 50, {}),
    ),
    # flat, entry limit 98 and its stop 96 on the same side: the stop follows the entry on any path: −2 · 10
    *by_rule(
        "entry limit and stop below it",
        [],
        [buy(10, limit=98), sell(10, stop=96, reduce_only=True)],
        (100, 105, 95, 101),
        HIGH | {"worst_first"},
        ([Fill(1, "second_leg", "buy", 10, 98), Fill(1, "second_leg", "sell", 10, 96)], CASH - 20, {}),
        ([Fill(1, "first_leg", "buy", 10, 98), Fill(1, "first_leg", "sell", 10, 96)], CASH - 20, {}),
    ),
    # flat, breakout entry 102 and its stop 97: high before low buys and is stopped: −5 · 10
    *by_rule(
        "entry stop and stop below it",
        [],
        [buy(10, stop=102), sell(10, stop=97, reduce_only=True)],
        (100, 103, 96, 101),
        HIGH | {"worst_first", "nearest_extreme_first"},
        ([Fill(1, "first_leg", "buy", 10, 102), Fill(1, "second_leg", "sell", 10, 97)], CASH - 50, {}),
        ([Fill(1, "second_leg", "buy", 10, 102)], CASH - 1020, {2: NOTHING}),
    ),
]


@pytest.mark.parametrize("scenario", BRACKETS, ids=names(BRACKETS))
def test_path_rule(scenario: Scenario) -> None:
    check(scenario)


RESOLUTION = [
    # flat: the oldest waiting order decides, and it sells: O-L-H-C. The low of 97 fills the buy, the high of 104 the sell
    Scenario(
        "flat, the oldest order sells: the low comes first",
        [FLAT, (100, 104, 97, 101)],
        {1: [sell(10, limit=103), buy(10, limit=98)]},
        [Fill(1, "first_leg", "buy", 10, 98, order=2), Fill(1, "second_leg", "sell", 10, 103, order=1)],
        CASH + 50,
        config=MARGIN,
    ),
    Scenario(
        "flat, the oldest order buys: the high comes first",
        [FLAT, (100, 104, 97, 101)],
        {1: [buy(10, limit=98), sell(10, limit=103)]},
        [Fill(1, "first_leg", "sell", 10, 103, order=2), Fill(1, "second_leg", "buy", 10, 98, order=1)],
        CASH + 50,
        config=MARGIN,
    ),
    # the market buy fills at the open; from then on the account is long, and worst is the low
    Scenario(
        "the position after the open decides",
        [FLAT, (100, 106, 94, 100)],
        {1: [buy(10), sell(10, limit=105, reduce_only=True), sell(10, stop=95, reduce_only=True)]},
        [Fill(1, "open", "buy", 10, 100), Fill(1, "first_leg", "sell", 10, 95, order=3)],
        CASH - 50,
        {2: NOTHING},
    ),
    # an older order that may not fill on this bar has no say: order 1, replaced inside bar 1, is not eligible for its path
    Scenario(
        "an order that may not fill yet does not decide",
        [FLAT, (100, 104, 97, 101)],
        {1: [buy(10, limit=90), sell(10, limit=103), buy(10, limit=98)], 1.5: [replace(1, limit=91)]},
        [Fill(1, "first_leg", "buy", 10, 98, order=3), Fill(1, "second_leg", "sell", 10, 103, order=2)],
        CASH + 50,
        {1: "accepted admitted"},
        MARGIN,
    ),
    # stop at 104 on the way up and 105 on the way up: the nearer level comes first, whatever the order of submission
    Scenario(
        "progress along the segment",
        [FLAT, (100, 106, 100, 106)],
        {1: [buy(10, stop=105), buy(10, stop=104)]},
        [Fill(1, "first_leg", "buy", 10, 104, order=2), Fill(1, "first_leg", "buy", 10, 105, order=1)],
        CASH - 1040 - 1050,
    ),
    # same moment: the reduction first, although it was asked for later
    Scenario(
        "reductions first at the same moment",
        [FLAT, FLAT, FLAT],
        {0: [buy(10)], 1: [buy(5), sell(5)]},
        [
            Fill(0, "open", "buy", 10, 100),
            Fill(1, "open", "sell", 5, 100, order=3),
            Fill(1, "open", "buy", 5, 100, order=2),
        ],
        CASH - 1000,
    ),
    # the reduction of a position that the order before it has closed is an opening: ids decide among the rest
    Scenario(
        "what is a reduction follows the position",
        [FLAT, FLAT],
        {0: [buy(10)], 1: [sell(10), sell(10), buy(10)]},
        [
            Fill(0, "open", "buy", 10, 100),
            Fill(1, "open", "sell", 10, 100, order=2),
            Fill(1, "open", "sell", 10, 100, order=3),
            Fill(1, "open", "buy", 10, 100, order=4),
        ],
        CASH - 1000 + 1000 + 1000 - 1000,
        config=MARGIN,
    ),
]


@pytest.mark.parametrize("scenario", RESOLUTION, ids=names(RESOLUTION))
def test_what_decides_the_order(scenario: Scenario) -> None:
    check(scenario)


def pair(name: str, phased: Way, queue: Way, asks: dict[float, list[Ask]], bars: Any, **config: Any) -> list[Scenario]:
    """The same orders under both schedules."""
    return [
        Scenario(f"{name}, {schedule}", bars, asks, *way, config=MARGIN | config | {"fills.schedule": schedule})
        for schedule, way in (("phased", phased), ("queue", queue))
    ]


A_THEN_B = {"A": [FLAT, (100, 104, 95, 100)], "B": [FLAT, (100, 104, 95, 100)]}
SCHEDULES = [
    # flat, buys: O-H-L-C. On the way down 98 comes before 96; the queue asks for the ids only
    *pair(
        "two limits",
        (
            [Fill(1, "second_leg", "buy", 10, 98, order=2), Fill(1, "second_leg", "buy", 10, 96, order=1)],
            CASH - 1940,
            {},
        ),
        (
            [Fill(1, "second_leg", "buy", 10, 96, order=1), Fill(1, "second_leg", "buy", 10, 98, order=2)],
            CASH - 1940,
            {},
        ),
        {1: [buy(10, limit=96), buy(10, limit=98)]},
        [FLAT, (100, 101, 95, 100)],
    ),
    # long: the low comes first, so the stop; the queue takes the older order, which is the take-profit
    *pair(
        "stop and take-profit",
        ([Fill(0, "open", "buy", 10, 100), Fill(1, "first_leg", "sell", 10, 95, order=3)], CASH - 50, {2: NOTHING}),
        ([Fill(0, "open", "buy", 10, 100), Fill(1, "second_leg", "sell", 10, 105, order=2)], CASH + 50, {3: NOTHING}),
        {0: [buy(10)], 1: [PROFIT_AT_105, STOP_AT_95]},
        [FLAT, (100, 106, 94, 100)],
    ),
    # both market orders at the open: phased sells first (a reduction), the queue buys first (the older)
    *pair(
        "close and buy",
        (
            [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "sell", 10, 100), Fill(1, "open", "buy", 5, 100)],
            CASH - 500,
            {},
        ),
        (  # close() sells what is there when it fills: 10 + 5
            [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "buy", 5, 100), Fill(1, "open", "sell", 15, 100)],
            CASH,
            {},
        ),
        {0: [buy(10)], 1: [buy(5), close()]},
        [FLAT, FLAT],
    ),
    # between symbols: A's order 1 is reached on the second leg (down), B's order 2 on the first (up)
    *pair(
        "two symbols",
        (
            [Fill(1, "first_leg", "buy", 10, 103, "B", 2), Fill(1, "second_leg", "buy", 10, 97, "A", 1)],
            CASH - 2000,
            {},
        ),
        (
            [Fill(1, "second_leg", "buy", 10, 97, "A", 1), Fill(1, "first_leg", "buy", 10, 103, "B", 2)],
            CASH - 2000,
            {},
        ),
        {1: [buy(10, limit=97), buy(10, "B", stop=103)]},
        A_THEN_B,
    ),
    # between symbols progress is never compared: both on the way up, B's level is nearer, A's order is older
    *pair(
        "two symbols in one segment",
        ([Fill(1, "first_leg", "buy", 10, 103, "A", 1), Fill(1, "first_leg", "buy", 10, 101, "B", 2)], CASH - 2040, {}),
        ([Fill(1, "first_leg", "buy", 10, 103, "A", 1), Fill(1, "first_leg", "buy", 10, 101, "B", 2)], CASH - 2040, {}),
        {1: [buy(10, stop=103), buy(10, "B", stop=101)]},
        A_THEN_B,
    ),
    # an open fill of the queue still has the time of the open, although its round is at the bar's end
    *pair(
        "an open gap and a level on the path",
        ([Fill(1, "open", "buy", 10, 94, order=2), Fill(1, "first_leg", "buy", 10, 92, order=1)], CASH - 1860, {}),
        ([Fill(1, "second_leg", "buy", 10, 92, order=1), Fill(1, "open", "buy", 10, 94, order=2)], CASH - 1860, {}),
        {1: [buy(10, limit=92), buy(10, limit=95)]},
        [FLAT, (94, 96, 91, 93)],
    ),
]


@pytest.mark.parametrize("scenario", SCHEDULES, ids=names(SCHEDULES))
def test_schedule(scenario: Scenario) -> None:
    check(scenario)
