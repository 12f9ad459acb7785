"""What has gone wrong in released engines of this kind, one test an item (the numbers are those of the project's list).

Item 8 (trailing stops) and item 11 (margin calls) come with the parts they need; item 14 is test_every_option_matters.py.
"""

from typing import Any

import pytest

from ml4t.backtest import BacktestConfig, Strategy, run
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
    play,
    replace,
    sell,
    target_quantity,
)

CASH = 100_000.0
HELD = Fill(0, "open", "buy", 10, 100)
NOTHING = "cancelled nothing_to_reduce"


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


@pytest.mark.parametrize("scenario", INSIDE + ONE_EXIT, ids=names(INSIDE + ONE_EXIT))
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


ON_THE_WAY, GAP = (100, 101, 94, 99), (90, 92, 89, 91)
STOPS: list[tuple[str, dict[float, list[Ask]], Any, str, float, dict[str, Any]]] = [
    ("on the path", {1: [sell(10, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("at the open", {1: [sell(10, stop=95)]}, GAP, "open", 90, {}),
    ("reduce-only", {1: [sell(10, stop=95, reduce_only=True)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("sized by value", {1: [sell(value=1000, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("of a target", {1: [target_quantity(0, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
    ("replaced", {0.5: [sell(10, stop=80)], 1: [replace(2, stop=95)]}, ON_THE_WAY, "first_leg", 95, {}),
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
             CASH - 1040, {2: NOTHING}, MARGIN | {"fills.path": "open_low_high_close"}),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TOO_LATE, ids=names(TOO_LATE))
def test_12_a_range_that_was_over(scenario: Scenario) -> None:
    check(scenario)


MISLEADING = "stop loss, take profit, end_of_data"
EXITS: list[tuple[dict[float, list[Ask]], str, str, dict[str, Any]]] = [
    ({1: [sell(10, tag=MISLEADING)]}, "strategy", "market", {}),
    ({1: [sell(10, stop=99, tag="target")]}, "strategy", "stop", {}),
    ({1: [sell(10, limit=101, tag="stop")]}, "strategy", "limit", {}),
    ({1: [sell(10, stop=99, limit=98, tag="close")]}, "strategy", "stop_limit", {}),
    ({1: [target_quantity(0, tag=MISLEADING)]}, "target", "market", {}),
    ({1: [target_quantity(0, limit=101)]}, "target", "limit", {}),
    ({1: [Ask("close", ("A",), {"tag": MISLEADING})]}, "close", "market", {}),
    ({}, "end_of_run", "market", {"end.run": "close"}),
    ({}, "end_of_data", "market", {"end.symbol": "close"}),
]


@pytest.mark.parametrize(("asks", "reason", "kind", "config"), EXITS)
def test_13_exit_reasons_come_from_who_exits(asks, reason: str, kind: str, config: dict[str, Any]) -> None:
    bars = [FLAT, (100, 102, 97, 100)]
    result = play(Scenario("exit", bars, {0: [buy(10)], **asks}, [], 0, config=config))
    assert result.trades.select("exit_reason", "exit_type").rows() == [(reason, kind)]
