"""What has gone wrong in released engines of this kind, one test an item (the numbers are those of the project's list).

Item 11 (margin calls) comes with the work on accounts; item 14 is test_every_option_matters.py.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import Atr, BacktestConfig, Exits, Offset, Strategy, Trail, run
from scenarios.table import (
    FLAT,
    MARGIN,
    Ask,
    Fill,
    Scenario,
    buy,
    check,
    close,
    frame,
    minute,
    names,
    oco,
    play,
    replace,
    sell,
    target_quantity,
)

CASH = 100_000.0
HELD = Fill(0, "open", "buy", 10, 100)
NOTHING = "cancelled nothing_to_reduce"
CLOSED = "cancelled position_closed"
LINKED = "cancelled linked_order_filled"
WORKS = "accepted parent_filled"


@pytest.mark.parametrize(
    ("market", "bar", "segment", "price"),
    [("next_open", 2, "open", 104), ("next_close", 2, "close", 101), ("same_close", 1, "after_close", 103)],
)
def test_1_what_a_close_triggers_does_not_fill_at_that_bars_open(
    market: str, bar: int, segment: str, price: float
) -> None:
    """Bar 1 closes above its open. Whoever buys because of that may not have its open of 90."""

    class Momentum(Strategy):
        def on_bar(self) -> None:
            if not self.portfolio.positions and self.data.close("A") > self.data.open("A"):
                self.broker.buy("A", 10)
                self.when = self.clock.now

    strategy, bars = Momentum(), [FLAT, (90, 104, 89, 103), (104, 105, 100, 101)]
    config = BacktestConfig.load({}, **{"fills.market": market, "run.acknowledge_leaky": True})
    fill = run(strategy, frame(bars), config).fills.to_dicts()[0]
    assert strategy.when == minute(2)
    assert (fill["price"], fill["segment"]) == (price, segment)
    assert fill["timestamp"] == minute(bar + (segment != "open")) >= strategy.when


INSIDE = [
    # item 2: the bar trades between 78 and 82; a stop at 95 fills at its open, not at 95
    Scenario("2, a stop far above the bar", [FLAT, (80, 82, 78, 81)], {0: [buy(10)], 1: [sell(10, stop=95)]},
             [HELD, Fill(1, "open", "sell", 10, 80)], CASH - 200),
    Scenario("2, a stop far below the bar", [FLAT, (120, 122, 118, 121)], {0: [sell(10)], 1: [buy(10, stop=105)]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "open", "buy", 10, 120)], CASH - 200, config=MARGIN),
    # item 7: the market asks for 90; whoever would pay 95 pays 90
    Scenario("7, a buy limit above the open", [FLAT, (90, 96, 88, 94)], {1: [buy(10, limit=95)]},
             [Fill(1, "open", "buy", 10, 90)], CASH - 900),
    Scenario("7, a sell limit below the open", [FLAT, (110, 112, 104, 106)], {0: [buy(10)], 1: [sell(10, limit=105)]},
             [HELD, Fill(1, "open", "sell", 10, 110)], CASH + 100),
]  # fmt: skip

ONE_EXIT = [
    # item 3: bar 1 opens at 94, where the close() and the stop at 95 are both due: the older one fills, the other finds nothing
    Scenario("3, close and stop at one open", [FLAT, (94, 96, 93, 95)],
             {0: [buy(10)], 1: [close(), sell(10, stop=95, reduce_only=True)]},
             [HELD, Fill(1, "open", "sell", 10, 94, order=2)], CASH - 60, {3: NOTHING}, MARGIN),
    Scenario("3, stop and close at one open", [FLAT, (94, 96, 93, 95)],
             {0: [buy(10)], 1: [sell(10, stop=95, reduce_only=True), close()]},
             [HELD, Fill(1, "open", "sell", 10, 94, order=2)], CASH - 60, {3: NOTHING}, MARGIN),
    # the exit fills at the open, the stop is reached on the path of the same bar
    Scenario("3, close at the open, stop on the path", [FLAT, (100, 101, 93, 95)],
             {0: [buy(10)], 1: [close(), sell(10, stop=95, reduce_only=True)]},
             [HELD, Fill(1, "open", "sell", 10, 100, order=2)], CASH, {3: NOTHING}, MARGIN),
    # in a cash account there is no short even without reduce_only
    Scenario("3, two exits in a cash account", [FLAT, (94, 96, 93, 95)], {0: [buy(10)], 1: [sell(10), sell(10, stop=95)]},
             [HELD, Fill(1, "open", "sell", 10, 94, order=2)], CASH - 60, {3: "rejected short_not_allowed"}),
    # a resting exit and a reversing target: the target of −5 is reached, and the exit finds no long to sell
    Scenario("3, an exit and a reversal", [FLAT, (100, 106, 99, 101)],
             {0: [buy(10)], 1: [target_quantity(-5), sell(10, limit=105, reduce_only=True)]},
             [HELD, Fill(1, "open", "sell", 15, 100)], CASH - 1000 + 1500, {3: NOTHING}, MARGIN),
    # item 4: the exits are there, the entry at 95 has not filled: touching 105 (or 92) sells nothing
    Scenario("4, an exit before the entry", [FLAT, (100, 106, 96, 101)],
             {1: [buy(10, limit=95), sell(10, limit=105, reduce_only=True)]}, [], CASH,
             {1: "accepted admitted", 2: NOTHING}, MARGIN),
    Scenario("4, a stop before the entry", [FLAT, (100, 101, 91, 99)],
             {1: [sell(10, stop=92, reduce_only=True), buy(10, stop=102)]}, [], CASH,
             {1: NOTHING, 2: "accepted admitted"}, MARGIN),
    # item 5: both exits are touched; a long suffers from the low first
    Scenario("5, both exits of a long", [FLAT, (100, 106, 94, 101)],
             {0: [buy(10)], 1: [sell(10, limit=105, reduce_only=True), sell(10, stop=95, reduce_only=True)]},
             [HELD, Fill(1, "first_leg", "sell", 10, 95, order=3)], CASH - 50, {2: NOTHING}, MARGIN),
    Scenario("5, both exits of a short", [FLAT, (100, 106, 94, 101)],
             {0: [sell(10)], 1: [buy(10, limit=95, reduce_only=True), buy(10, stop=105, reduce_only=True)]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "first_leg", "buy", 10, 105, order=3)], CASH - 50, {2: NOTHING},
             MARGIN),
]  # fmt: skip

BRACKET = {"stop_loss": 0.05, "take_profit": 0.05}
LOW_FIRST, HIGH_FIRST = {"fills.path": "open_low_high_close"}, {"fills.path": "open_high_low_close"}
SIGNAL = Exits(stop_loss=0.08, take_profit=0.05, basis="signal")
CHILDREN = [
    # item 3: bought at 100, so the stop is at 95; bar 1 opens at 94, where the close() is due, too: the older order sells, once
    Scenario("3, an exit's stop and close at one open", [FLAT, (94, 96, 93, 95)],
             {0: [buy(10, stop_loss=0.05)], 1: [close()]}, [HELD, Fill(1, "open", "sell", 10, 94, order=2)],
             CASH - 60, {3: NOTHING}, MARGIN),
    Scenario("3, close at the open, an exit's stop on the path", [FLAT, (100, 101, 93, 95)],
             {0: [buy(10, stop_loss=0.05)], 1: [close()]}, [HELD, Fill(1, "open", "sell", 10, 100, order=3)],
             CASH, {2: CLOSED}, MARGIN),
    # entered on bar 0: max_bars=1 is due at the open of bar 1, as the stop at 95 is
    Scenario("3, two exits of one order at one open", [FLAT, (94, 96, 93, 95)],
             {0: [buy(10, stop_loss=0.05, max_bars=1)]}, [HELD, Fill(1, "open", "sell", 10, 94, order=2)],
             CASH - 60, {3: LINKED}, MARGIN),
    Scenario("3, a reversal and an exit's stop", [FLAT, (100, 101, 93, 95)],
             {0: [buy(10, stop_loss=0.05)], 1: [target_quantity(-5)]}, [HELD, Fill(1, "open", "sell", 15, 100)],
             CASH - 1000 + 1500, {2: CLOSED}, MARGIN),
    # item 4: the mark was 100, so the exits wait at 92 and 105; the entry at 95 is not reached, 105 is
    Scenario("4, children of an entry that does not fill", [FLAT, (100, 106, 96, 101)],
             {1: [buy(10, limit=95, exits=SIGNAL)]}, [], CASH,
             {1: "accepted admitted", 2: "pending admitted", 3: "pending admitted"}, MARGIN),
    # 100 → 106 → 94 → 97: 105 is reached before the entry at 95, and not after it
    Scenario("4, children of an entry that fills later", [FLAT, (100, 106, 94, 97)],
             {1: [buy(10, limit=95, exits=SIGNAL)]}, [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950,
             {2: WORKS, 3: WORKS}, MARGIN | HIGH_FIRST),
    # item 5: bought at 100, so the exits are at 95 and 105, and bar 1 touches both; a long suffers from the low first
    Scenario("5, both legs of a long bracket", [FLAT, (100, 106, 94, 101)], {0: [buy(10, **BRACKET)]},
             [HELD, Fill(1, "first_leg", "sell", 10, 95, order=2)], CASH - 50, {3: LINKED}),
    Scenario("5, both legs of a short bracket", [FLAT, (100, 106, 94, 101)], {0: [sell(10, **BRACKET)]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "first_leg", "buy", 10, 105, order=2)], CASH - 50, {3: LINKED},
             MARGIN),
    Scenario("5, both legs, the best first", [FLAT, (100, 106, 94, 101)], {0: [buy(10, **BRACKET)]},
             [HELD, Fill(1, "first_leg", "sell", 10, 105, order=3)], CASH + 50, {2: LINKED},
             {"fills.path": "best_first"}),
]  # fmt: skip


@pytest.mark.parametrize("scenario", INSIDE + ONE_EXIT + CHILDREN, ids=names(INSIDE + ONE_EXIT + CHILDREN))
def test_2_3_4_5_7(scenario: Scenario) -> None:
    result = check(scenario)
    if scenario in ONE_EXIT:
        assert result.positions["quantity"].to_list() == [-5.0 if "reversal" in scenario.name else 0.0]
    bars = frame(scenario.bars)
    for fill in result.fills.to_dicts():
        edge = "bar_start" if fill["segment"] == "open" else "bar_end"
        bar = bars.filter(bars[edge] == fill["timestamp"]).to_dicts()[0]
        assert bar["low"] <= fill["price"] <= bar["high"]


SLIPPAGES: list[dict[str, Any]] = [
    {"kind": "rate", "rate": 0.02},
    {"kind": "fixed", "amount": 2.0},
    {"kind": "ticks", "ticks": 2},
]
TICK = {"instruments.default.tick_size": 1.0}


@pytest.mark.parametrize("slippage", SLIPPAGES, ids=lambda s: s["kind"])
@pytest.mark.parametrize(
    ("name", "bar", "segment", "price"),
    [("touch", (100, 101, 95, 98), "second_leg", 95), ("gap", (90, 96, 88, 94), "open", 90)],
)
def test_6_a_limit_fills_whatever_the_slippage(slippage, name: str, bar, segment: str, price: float) -> None:
    fills = [Fill(1, segment, "buy", 10, price)]
    config = TICK | {"costs.slippage": slippage}
    check(Scenario(name, [FLAT, bar], {1: [buy(10, limit=95)]}, fills, CASH - 10 * price, config=config))


# 100 → 99 → 110 → 106 for a long: the high comes after the open and the low
RISES, FALLS, SWING = (100, 110, 99, 106), (106, 107, 104, 105), (100, 102, 98, 100)
TRAILED = [
    # item 8: from the mark of 100 the stop is at 95; the high of 110 moves it to 105, which the open of 100 is below: no fill there.
    # Bar 2 falls from 106 to 104 and reaches 105.
    Scenario("8, the high comes after the open", [FLAT, RISES, FALLS], {0: [buy(10)], 1: [sell(10, stop=Trail(amount=5))]},
             [HELD, Fill(2, "first_leg", "sell", 10, 105)], CASH + 50),
    # 100 → 110 → 99: the stop at 105 is reached on the way down
    Scenario("8, the high comes first", [FLAT, RISES], {0: [buy(10)], 1: [sell(10, stop=Trail(amount=5))]},
             [HELD, Fill(1, "second_leg", "sell", 10, 105)], CASH + 50, config=HIGH_FIRST),
    Scenario("8, a gap through the stop", [FLAT, RISES, (101, 112, 100, 111)],
             {0: [buy(10)], 1: [sell(10, stop=Trail(amount=5))]}, [HELD, Fill(2, "open", "sell", 10, 101)], CASH + 10),
    # only the close of 106 counts: the stop is at 101, which bar 2 reaches on its way to 100
    Scenario("8, a ratchet on closes", [FLAT, RISES, (106, 107, 100, 105)],
             {0: [buy(10)], 1: [sell(10, stop=Trail(amount=5, ratchet="close"))]},
             [HELD, Fill(2, "first_leg", "sell", 10, 101)], CASH + 10),
    # a short's best price is its lowest: 100 → 106 → 90 for a short, 95 on the way back up to the close of 96
    Scenario("8, a short", [FLAT, (100, 104, 90, 96)], {0: [sell(10)], 1: [buy(10, stop=Trail(amount=5))]},
             [Fill(0, "open", "sell", 10, 100), Fill(1, "third_leg", "buy", 10, 95)], CASH + 50, config=MARGIN),
    # the last two true ranges are 4 each: 96 at first, 104 after the high of 108, which bar 4 reaches
    Scenario("8, an average true range below", [FLAT, SWING, SWING, (100, 108, 100, 107), (107, 107, 100, 101)],
             {0: [buy(10)], 3: [sell(10, stop=Trail(atr=Atr(2, 1)))]}, [HELD, Fill(4, "first_leg", "sell", 10, 104)], CASH + 40),
    # as an exit: 5 % below 100 at first, below 110 at the end of bar 1
    Scenario("8, a trailing exit", [FLAT, RISES, FALLS], {0: [buy(10, trail=0.05)]},
             [HELD, Fill(2, "first_leg", "sell", 10, 104.5, order=2)], CASH + 45),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TRAILED, ids=names(TRAILED))
def test_8_a_trailing_stop_knows_only_the_past(scenario: Scenario) -> None:
    check(scenario)


ON_THE_WAY, GAP = (100, 101, 94, 99), (90, 92, 89, 91)
STOPS: list[tuple[str, dict[float, list[Ask]], Any, str, float, dict[str, Any]]] = [
    ("on the path", {1: [sell(10, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("at the open", {1: [sell(10, stop=95)]}, GAP, "open", 90, {}),
    ("reduce-only", {1: [sell(10, stop=95, reduce_only=True)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("sized by value", {1: [sell(value=1000, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("of a target", {1: [target_quantity(0, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("replaced", {0.5: [sell(10, stop=80)], 1: [replace(2, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("trailing", {1: [sell(10, stop=Trail(amount=5))]}, ON_THE_WAY, "first_leg", 95, {}),
    ("trailing, gap", {1: [sell(10, stop=Trail(amount=5))]}, GAP, "open", 90, {}),
    ("touched", {1: [sell(10, touch=105)]}, (100, 106, 99, 101), "second_leg", 105, {}),
    ("asleep at first", {1: [sell(10, stop=98, activation=103)]}, (100, 104, 96, 97), "third_leg", 98, {}),
    # exits count from the price paid, 102: 5 % below it is 96.9; 2 above it is 104, where the stop at 102 wakes
    ("exit", {0: [buy(10, stop_loss=0.05)]}, ON_THE_WAY, "first_leg", 96.9, {}),
    ("exit, gap", {0: [buy(10, stop_loss=0.05)]}, GAP, "open", 90, {}),
    ("break-even", {0: [buy(10, break_even=Offset(amount=2))]}, (100, 105, 99, 101), "third_leg", 102, {}),
    # but a trailing exit follows the market, which was at 100
    ("trailing exit", {0: [buy(10, trail=Offset(amount=5))]}, ON_THE_WAY, "first_leg", 95, {}),
    ("queue", {1: [sell(10, stop=95)]}, ON_THE_WAY, "first_leg", 95, {"fills.schedule": "queue"}),
    ("queue, gap", {1: [sell(10, stop=95)]}, GAP, "open", 90, {"fills.schedule": "queue"}),
]


@pytest.mark.parametrize(
    ("asks", "bar", "segment", "price", "more"), [row[1:] for row in STOPS], ids=[r[0] for r in STOPS]
)
def test_9_every_stop_slips(asks, bar, segment: str, price: float, more: dict[str, Any]) -> None:
    """Bought at 100 + 2, stopped 2 below the price at which the stop was reached."""
    config = {"costs.slippage": {"kind": "fixed", "amount": 2.0}} | more
    fills = [Fill(0, "open", "buy", 10, 102), Fill(1, segment, "sell", 10, price - 2)]
    result = check(
        Scenario("stop", [FLAT, bar], {0: [buy(10)], **asks}, fills, CASH - 1020 + 10 * (price - 2), config=config)
    )
    assert result.fills["slippage"].to_list() == [20, 20]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"kind": "rate", "rate": 0.001}, 10.0),
        ({"kind": "rate_plus_fixed", "rate": 0.001, "fixed": 2.0}, 12.0),
        ({"kind": "tiered", "tiers": [{"up_to": 9_999.0, "rate": 0.5}, {"rate": 0.001}]}, 10.0),
    ],
)
def test_10_commission_is_of_the_value_of_the_contracts(kind: dict[str, Any], expected: float) -> None:
    """2 contracts of 50 a point at 100 are worth 10 000, not 200."""
    config = {"instruments.default.multiplier": 50.0, "costs.commission": kind}
    fills = [Fill(1, "open", "buy", 2, 100)]
    result = check(Scenario("contract", [FLAT, FLAT], {1: [buy(2)]}, fills, CASH - 10_000 - expected, config=config))
    assert result.fills["commission"].to_list() == pytest.approx([expected])


LOW_THEN_UP = (100, 101, 93, 99)
TOO_LATE = [
    # bar 1 falls to 93; a stop at 95 asked for inside it may not fill on a range that may be over
    Scenario("a stop asked for inside the bar", [FLAT, LOW_THEN_UP, FLAT], {0: [buy(10)], 1.5: [sell(10, stop=95)]},
             [HELD], CASH - 1000, {2: "accepted admitted"}),
    Scenario("a stop asked for at the bar's end", [FLAT, LOW_THEN_UP, FLAT], {0: [buy(10)], 2: [sell(10, stop=95)]},
             [HELD], CASH - 1000, {2: "accepted admitted"}),
    Scenario("a stop moved inside the bar", [FLAT, LOW_THEN_UP, FLAT],
             {0: [buy(10)], 1: [sell(10, stop=80)], 1.5: [replace(2, stop=95)]}, [HELD], CASH - 1000,
             {2: "accepted admitted"}),
    Scenario("a limit asked for inside the bar", [FLAT, LOW_THEN_UP, FLAT], {1.5: [buy(10, limit=95)]}, [], CASH,
             {1: "accepted admitted"}),
    # the stop goes with an entry on the same path: the low of 94 comes before the entry at 104, and is no exit
    Scenario("the range before the entry", [FLAT, (100, 105, 94, 104)],
             {1: [buy(10, stop=104), sell(10, stop=95, reduce_only=True)]}, [Fill(1, "second_leg", "buy", 10, 104)],
             CASH - 1040, {2: NOTHING}, MARGIN | LOW_FIRST),
    # as an exit it is at 98.8, and waits for what comes after 104: 105 and the close of 104
    Scenario("an exit and the range before its entry", [FLAT, (100, 105, 94, 104)], {1: [buy(10, stop=104, stop_loss=0.05)]},
             [Fill(1, "second_leg", "buy", 10, 104)], CASH - 1040, {2: WORKS}, LOW_FIRST),
    # bought at 95; 99.75 is reached after that only if the high comes later
    Scenario("an exit on the range after its entry", [FLAT, (100, 101, 94, 97)], {1: [buy(10, limit=95, take_profit=0.05)]},
             [Fill(1, "first_leg", "buy", 10, 95), Fill(1, "second_leg", "sell", 10, 99.75, order=2)], CASH + 47.5,
             config=LOW_FIRST),
    Scenario("an exit and the high before its entry", [FLAT, (100, 101, 94, 97)], {1: [buy(10, limit=95, take_profit=0.05)]},
             [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950, {2: WORKS}, HIGH_FIRST),
    # 95 is bought at, then 1 % below it is passed on the same leg to the low of 93
    Scenario("an exit below its entry on one leg", [FLAT, LOW_THEN_UP], {1: [buy(10, limit=95, stop_loss=0.01)]},
             [Fill(1, "second_leg", "buy", 10, 95), Fill(1, "second_leg", "sell", 10, 94.05, order=2)], CASH - 9.5),
    # a trailing exit starts at the 95 that was paid: the high of 101 before it moves nothing, the close of 99 moves it to 97
    Scenario("a trailing exit and the high before its entry", [FLAT, (100, 101, 94, 99), (98, 99, 96, 98)],
             {1: [buy(10, limit=95, trail=Offset(amount=2))]},
             [Fill(1, "second_leg", "buy", 10, 95), Fill(2, "first_leg", "sell", 10, 97, order=2)], CASH + 20),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TOO_LATE, ids=names(TOO_LATE))
def test_12_a_range_that_was_over(scenario: Scenario) -> None:
    check(scenario)


# 5 of a bar's 1,000 units are handed out
SHARE = {"fills.participation": {"share": 0.005}}
DUST = {"instruments.default.lot_size": 0.0}
TO_105 = (100, 106, 99, 105)
DIP = (100, 101, 94, 99)
SHARED = [
    # 4 and 1 of the 5 units of bar 1, the rest of the second order on bar 2
    Scenario("one bar's volume is handed out once", [FLAT, FLAT, FLAT], {1: [buy(4), buy(4)]},
             [Fill(1, "open", "buy", 4, 100), Fill(1, "open", "buy", 1, 100), Fill(2, "open", "buy", 3, 100)], CASH - 800,
             config=SHARE),
    # 5 at 100 on bar 0, 5 at 100 on bar 1: nothing is left for the exit at 105 there; 5 of its 10 at the open of bar 2
    Scenario("an exit grows with the fills of its entry", [FLAT, TO_105, (105, 105, 105, 105)],
             {0: [buy(10, take_profit=0.05)]},
             [Fill(0, "open", "buy", 5, 100), Fill(1, "open", "buy", 5, 100), Fill(2, "open", "sell", 5, 105, order=2)],
             CASH - 1000 + 525, {2: "partially_filled executed"}, SHARE),
    # the cash is enough for 1,000 of the 2,000; the exit is for these, and is filled by selling them
    Scenario("an exit of an entry that was cut", [FLAT, TO_105], {0: [buy(2000, take_profit=0.05)]},
             [Fill(0, "open", "buy", 1000, 100), Fill(1, "second_leg", "sell", 1000, 105)], CASH + 5000,
             {1: "cancelled insufficient_cash"}, {"account.shortfall": "reduce"}),
    Scenario("an exit for half of what its entry fills", [FLAT, TO_105],
             {1: [buy(8, tif="IOC"), sell(parent=1, fraction=0.5, limit=105)]},
             [Fill(1, "open", "buy", 5, 100)], CASH - 500, {1: "expired not_immediate", 2: WORKS}, SHARE),
    # 5 at 95 on bar 1, sold at the open of bar 2; 3 more on the path of bar 3, whose open is over by then: they are sold at that of bar 4
    Scenario("what a parent's fill adds is not sold before it was bought", [FLAT, DIP, FLAT, DIP, FLAT],
             {1: [buy(8, limit=95), sell(parent=1)]},
             [Fill(1, "second_leg", "buy", 5, 95), Fill(2, "open", "sell", 5, 100),
              Fill(3, "second_leg", "buy", 3, 95), Fill(4, "open", "sell", 3, 100)], CASH + 40, config=SHARE),
    # 0.6 of each bar. In float64 1.8 - 0.6 - 0.6 is 0.6000000000000001, and the third bar has 0.6: no rest is left of that
    Scenario("what rounding leaves is no rest", [FLAT] * 5, {1: [buy(1.8)]},
             [Fill(n, "open", "buy", 0.6, 100) for n in (1, 2, 3)], CASH - 180, config=DUST | {"fills.participation": {"share": 0.0006}}),
    # 1.7 of each bar, and 5.1 - 1.7 - 1.7 is 1.6999999999999997 of the order, 1.6999999999999995 of the position
    Scenario("an exit that rounding puts beyond the position is filled", [FLAT] * 8,
             {1: [buy(5.1)], 4: [sell(5.1, reduce_only=True)]},
             [Fill(n, "open", "buy" if n < 4 else "sell", 1.7, 100) for n in range(1, 7)], CASH,
             config=DUST | {"fills.participation": {"share": 0.0017}}),
    Scenario("all or nothing", [FLAT, FLAT, FLAT], {1: [buy(10, tif="FOK")]}, [], CASH, {1: "expired not_in_full"}, SHARE),
    Scenario("what is touched is not passed", [FLAT, (100, 101, 95, 99)], {0.5: [buy(10, limit=95)]}, [], CASH,
             {1: "accepted admitted"}, {"fills.touch": {"kind": "through"}}),
    # two legs of a group are one order: when the limit at 105 has sold, the stop at 95 may not go short
    Scenario("one cancels the other", [FLAT, TO_105, (105, 105, 90, 91)],
             {0: [buy(10)], 1: [sell(10, limit=105), sell(10, stop=95), oco(2, 3)]},
             [HELD, Fill(1, "second_leg", "sell", 10, 105, order=2)], CASH + 50, {3: LINKED}, MARGIN),
]  # fmt: skip


@pytest.mark.parametrize("scenario", SHARED, ids=names(SHARED))
def test_orders_share_what_there_is(scenario: Scenario) -> None:
    check(scenario)


def test_a_day_order_of_friday_is_gone_on_monday() -> None:
    """It would buy at 95; Friday's low is 98, Monday opens at 90."""
    friday, monday = datetime(2024, 3, 8, 14, tzinfo=UTC), datetime(2024, 3, 11, 14, tzinfo=UTC)
    hour = timedelta(hours=1)
    starts = [friday, friday + hour, monday]
    rows = {"bar_start": starts, "bar_end": [start + hour for start in starts], "symbol": "A"}
    prices = {"open": [100.0, 100.0, 90.0], "high": 101.0, "low": [98.0, 98.0, 88.0], "close": [100.0, 100.0, 92.0]}

    class Once(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 10, limit=95, tif="DAY")

    result = run(Once(), pl.DataFrame({**rows, **prices, "volume": 1000.0}))
    assert result.fills.is_empty()
    order = result.orders.to_dicts()[0]
    assert (order["state"], order["reason"]) == ("expired", "session_closed")
    assert order["closed_at"] == datetime(2024, 3, 9, tzinfo=UTC)


MISLEADING = "stop loss, take profit, end_of_data"
EXITS: list[tuple[dict[float, list[Ask]], str, str, dict[str, Any]]] = [
    ({1: [sell(10, tag=MISLEADING)]}, "strategy", "market", {}),
    ({1: [sell(10, stop=99, tag="target")]}, "strategy", "stop", {}),
    ({1: [sell(10, limit=101, tag="stop")]}, "strategy", "limit", {}),
    ({1: [sell(10, stop=99, limit=98, tag="close")]}, "strategy", "stop_limit", {}),
    ({1: [target_quantity(0, tag=MISLEADING)]}, "target", "market", {}),
    ({1: [target_quantity(0, limit=101)]}, "target", "limit", {}),
    ({1: [Ask("close", ("A",), {"tag": MISLEADING})]}, "close", "market", {}),
    ({0: [buy(10, stop_loss=0.02, tag="take_profit")]}, "stop_loss", "stop", {}),
    ({0: [buy(10, take_profit=0.01, tag="stop")]}, "take_profit", "limit", {}),
    ({0: [buy(10, trail=0.02, tag=MISLEADING)]}, "trailing_stop", "trailing_stop", {}),
    ({0: [buy(10, break_even=0.01)]}, "break_even", "stop", {}),
    ({0: [buy(10, max_bars=1, tag="close")]}, "max_bars", "market", {}),
    ({1: [sell(10, stop=Trail(amount=1))]}, "strategy", "trailing_stop", {}),
    ({1: [sell(10, touch=101, tag="take_profit")]}, "strategy", "market_if_touched", {}),
    ({}, "end_of_run", "market", {"end.run": "close"}),
    ({}, "end_of_data", "market", {"end.symbol": "close"}),
]


@pytest.mark.parametrize(("asks", "reason", "kind", "config"), EXITS)
def test_13_exit_reasons_come_from_who_exits(asks, reason: str, kind: str, config: dict[str, Any]) -> None:
    bars = [FLAT, (100, 102, 97, 100)]
    result = play(Scenario("exit", bars, {0: [buy(10)], **asks}, [], 0, config=config))
    assert result.trades.select("exit_reason", "exit_type").rows() == [(reason, kind)]
