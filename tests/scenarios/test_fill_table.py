"""Every order type × side × gap, touch, cross and miss × market fill rule × schedule, one order at a time.

Bar 0 is flat at 100. The order for 10 units is asked for at its end and meets bar 1. The account is flat, so the default
path is O-H-L-C for a buy and O-L-H-C for a sell (docs/semantics/matching.md).
"""

import pytest

from scenarios.table import FLAT, MARGIN, Ask, Fill, Prices, Scenario, buy, check, names, sell

RESTS = "accepted admitted"
WAITS = "triggered stop_reached"
CASH = 100_000.0


def one(
    name: str,
    ask: Ask,
    bar: Prices,
    segment: str | None,
    price: float = 0.0,
    end: str = RESTS,
    path: str = "worst_first",
) -> Scenario:
    """One order of 10 units against one bar: filled at `price` in `segment`, or (None) ended as `end` says."""
    side = ask.method
    paid = price * 10 * (1 if side == "buy" else -1)  # cash falls by what a buy pays, rises by what a sell earns
    fills = [Fill(1, segment, side, 10, price)] if segment else []
    config = MARGIN | {"fills.path": path, "run.acknowledge_leaky": True}
    return Scenario(name, [FLAT, bar], {1: [ask]}, fills, CASH - paid, {} if segment else {1: end}, config)


BUY_LIMIT, SELL_LIMIT = buy(10, limit=95), sell(10, limit=105)
LIMIT = [
    one("buy limit, gap: the open is better", BUY_LIMIT, (90, 96, 88, 94), "open", 90),
    one("buy limit, the open is the limit", BUY_LIMIT, (95, 99, 94, 97), "open", 95),
    one("buy limit, touch: the low is the limit", BUY_LIMIT, (100, 102, 95, 97), "second_leg", 95),
    one("buy limit, cross", BUY_LIMIT, (100, 102, 93, 97), "second_leg", 95),
    one("buy limit, the close is the limit and the low", BUY_LIMIT, (100, 102, 95, 95), "second_leg", 95),
    one("buy limit, miss by a cent", BUY_LIMIT, (100, 102, 95.01, 97), None),
    one("sell limit, gap: the open is better", SELL_LIMIT, (110, 112, 104, 106), "open", 110),
    one("sell limit, the open is the limit", SELL_LIMIT, (105, 106, 101, 102), "open", 105),
    one("sell limit, touch: the high is the limit", SELL_LIMIT, (100, 105, 98, 103), "second_leg", 105),
    one("sell limit, cross", SELL_LIMIT, (100, 107, 98, 103), "second_leg", 105),
    one("sell limit, miss by a cent", SELL_LIMIT, (100, 104.99, 98, 103), None),
    # a marketable limit: 105 to buy while the market is at 100 pays 101, not 105
    one("buy limit above the market", buy(10, limit=105), (101, 103, 99, 102), "open", 101),
    one("sell limit below the market", sell(10, limit=95), (101, 103, 99, 102), "open", 101),
]

BUY_STOP, SELL_STOP = buy(10, stop=105), sell(10, stop=95)
STOP = [
    one("buy stop, gap: the gap is paid", BUY_STOP, (110, 112, 104, 106), "open", 110),
    one("buy stop, the open is the stop", BUY_STOP, (105, 106, 101, 102), "open", 105),
    one("buy stop, touch: the high is the stop", BUY_STOP, (100, 105, 98, 103), "first_leg", 105),
    one("buy stop, cross", BUY_STOP, (100, 107, 98, 103), "first_leg", 105),
    one("buy stop, miss by a cent", BUY_STOP, (100, 104.99, 98, 103), None),
    one("sell stop, gap: the gap is paid", SELL_STOP, (90, 96, 88, 94), "open", 90),
    one("sell stop, the open is the stop", SELL_STOP, (95, 99, 94, 97), "open", 95),
    one("sell stop, touch: the low is the stop", SELL_STOP, (100, 102, 95, 97), "first_leg", 95),
    one("sell stop, cross", SELL_STOP, (100, 102, 93, 97), "first_leg", 95),
    one("sell stop, miss by a cent", SELL_STOP, (100, 102, 95.01, 97), None),
]

# The limit is worse than the stop: triggered at the stop, the order fills there at once.
BUY_BEYOND, SELL_BEYOND = buy(10, stop=105, limit=107), sell(10, stop=95, limit=93)
# The limit is better than the stop: the price has to come back after the trigger.
BUY_BACK, SELL_BACK = buy(10, stop=105, limit=103), sell(10, stop=95, limit=97)
HIGH_FIRST, LOW_FIRST = "open_high_low_close", "open_low_high_close"
STOP_LIMIT = [
    one("buy stop-limit, gap between stop and limit", BUY_BEYOND, (106, 108, 104, 107), "open", 106),
    one("buy stop-limit, gap to the limit", BUY_BEYOND, (107, 108, 104, 107), "open", 107),
    # triggered at 110; 110 → 111 → 106 comes back through 107
    one("buy stop-limit, gap beyond the limit and back", BUY_BEYOND, (110, 111, 106, 108), "second_leg", 107),
    one("buy stop-limit, gap beyond the limit, touch", BUY_BEYOND, (110, 111, 107, 108), "second_leg", 107),
    one("buy stop-limit, gap beyond the limit, miss", BUY_BEYOND, (110, 111, 107.01, 108), None, end=WAITS),
    one("buy stop-limit, the open is the stop", BUY_BEYOND, (105, 106, 101, 102), "open", 105),
    one("buy stop-limit, touch", BUY_BEYOND, (100, 105, 98, 103), "first_leg", 105),
    one("buy stop-limit, cross", BUY_BEYOND, (100, 106, 98, 103), "first_leg", 105),
    one("buy stop-limit, miss", BUY_BEYOND, (100, 104.99, 98, 103), None),
    # 100 → 106 triggers at 105; 106 → 100 comes down through 103
    one("buy stop-limit that comes back", BUY_BACK, (100, 106, 100, 104), "second_leg", 103),
    # 100 → 99 → 106 triggers on the second leg; the low was before it; the close of 102 is beyond 103
    one("buy stop-limit that comes back at the end", BUY_BACK, (100, 106, 99, 102), "third_leg", 103, path=LOW_FIRST),
    one("buy stop-limit that touches at the end", BUY_BACK, (100, 106, 99, 103), "third_leg", 103, path=LOW_FIRST),
    one("buy stop-limit, the range before the trigger", BUY_BACK, (100, 106, 99, 104), None, end=WAITS, path=LOW_FIRST),
    one("buy stop-limit, gap, comes back", BUY_BACK, (106, 108, 102, 104), "second_leg", 103),
    one("buy stop-limit, gap, does not come back", BUY_BACK, (106, 108, 103.5, 104), None, end=WAITS),
    one("sell stop-limit, gap between stop and limit", SELL_BEYOND, (94, 96, 92, 93), "open", 94),
    one("sell stop-limit, gap to the limit", SELL_BEYOND, (93, 96, 92, 93), "open", 93),
    # triggered at 90; 90 → 89 → 94 comes back through 93
    one("sell stop-limit, gap beyond the limit and back", SELL_BEYOND, (90, 94, 89, 92), "second_leg", 93),
    one("sell stop-limit, gap beyond the limit, touch", SELL_BEYOND, (90, 93, 89, 92), "second_leg", 93),
    one("sell stop-limit, gap beyond the limit, miss", SELL_BEYOND, (90, 92.99, 89, 92), None, end=WAITS),
    one("sell stop-limit, the open is the stop", SELL_BEYOND, (95, 99, 94, 97), "open", 95),
    one("sell stop-limit, touch", SELL_BEYOND, (100, 102, 95, 97), "first_leg", 95),
    one("sell stop-limit, cross", SELL_BEYOND, (100, 102, 94, 97), "first_leg", 95),
    one("sell stop-limit, miss", SELL_BEYOND, (100, 102, 95.01, 97), None),
    # 100 → 94 triggers at 95; 94 → 102 comes up through 97
    one("sell stop-limit that comes back", SELL_BACK, (100, 102, 94, 101), "second_leg", 97),
    one("sell stop-limit that comes back at the end", SELL_BACK, (100, 102, 94, 98), "third_leg", 97, path=HIGH_FIRST),
    one(
        "sell stop-limit, the range before the trigger", SELL_BACK, (100, 102, 94, 96), None, end=WAITS, path=HIGH_FIRST
    ),
    one("sell stop-limit, gap, does not come back", SELL_BACK, (94, 96.5, 93, 94), None, end=WAITS),
]
WAITING = LIMIT + STOP + STOP_LIMIT


@pytest.mark.parametrize(
    ("market", "schedule"),
    [("next_open", "phased"), ("next_open", "queue"), ("next_close", "phased"), ("same_close", "queue")],
)
@pytest.mark.parametrize("scenario", WAITING, ids=names(WAITING))
def test_an_order_with_a_price_is_indifferent_to_the_market_rule(
    scenario: Scenario, market: str, schedule: str
) -> None:
    check(
        Scenario(**vars(scenario) | {"config": scenario.config | {"fills.market": market, "fills.schedule": schedule}})
    )


BAR = (101, 103, 99, 102)  # four different prices
MARKETS = [  # rule; asked at minute; bar, segment and price of the fill
    ("next_open", 1, 1, "open", 101),
    ("next_open", 0, 0, "open", 100),  # on_start is before the first open
    ("next_open", 1.5, 2, "open", 104),  # inside bar 1: its open is over
    ("next_close", 1, 1, "close", 102),
    ("next_close", 0, 0, "close", 98),
    ("next_close", 1.5, 1, "close", 102),  # inside bar 1: its close is still to come
    ("same_close", 1, 0, "after_close", 98),  # the mark that the decision has just seen
    ("same_close", 0, 0, "close", 98),  # no bar ended: as next_close
    ("same_close", 1.5, 1, "close", 102),
]


@pytest.mark.parametrize("schedule", ["phased", "queue"])
@pytest.mark.parametrize(("side", "sign"), [(buy, -1), (sell, 1)])
@pytest.mark.parametrize(("rule", "asked", "bar", "segment", "price"), MARKETS)
def test_market(rule: str, asked: float, bar: int, segment: str, price: float, side, sign: int, schedule: str) -> None:
    bars = [(100, 101, 97, 98), BAR, (104, 106, 103, 105)]
    config = MARGIN | {"fills.market": rule, "fills.schedule": schedule, "run.acknowledge_leaky": True}
    cash = CASH + sign * 10 * price
    check(
        Scenario("market", bars, {asked: [side(10)]}, [Fill(bar, segment, side.__name__, 10, price)], cash, {}, config)
    )


def test_the_second_stage_of_a_stop_limit_lasts_over_the_bar() -> None:
    # bar 1 triggers at 105 and stays above 103; bar 2 opens at 102: a plain buy limit at 103 pays the open
    bars = [FLAT, (104, 106, 104, 105), (102, 108, 101, 107)]
    result = check(Scenario("waits", bars, {1: [BUY_BACK]}, [Fill(2, "open", "buy", 10, 102)], CASH - 1020, {}, MARGIN))
    assert [row[2:] for row in result.order_events.rows()] == [
        ("created", "accepted", "admitted"),
        ("accepted", "triggered", "stop_reached"),
        ("triggered", "filled", "executed"),
    ]
