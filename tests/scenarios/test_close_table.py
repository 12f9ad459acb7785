"""Orders that meet closes only, limits that count no more once they are reached, and queues that end with the volume, by hand.

docs/semantics: matching.md (close_only, symbol_queue), fills.md (Reached limits, Volume), account.md (unchecked), costs.md (of = "bar").
"""

from typing import Any

import pytest

from ml4t.backtest import BacktestConfig, Trail
from ml4t.backtest.errors import ConfigError
from scenarios.table import FLAT, MARGIN, Fill, Scenario, buy, check, close, names, replace, sell

CASH = 100_000.0
CLOSES = {"fills.path": "close_only"}
RESTS = "accepted admitted"
WORSE = {"costs.slippage": {"kind": "fixed", "amount": 1.0}}
HALF = {"fills.participation.share": 0.005}  # 5 units of the 1 000 of a bar
EIGHT = {"fills.participation.share": 0.008, "fills.schedule": "queue"}
FALL = [FLAT, (100, 101, 90, 97), (97, 98, 93, 94)]
LIMIT_96 = {1: [buy(10, limit=96)]}


def held(*bars: tuple[float, ...], **exit_: Any) -> dict[str, Any]:
    """10 units bought at the open of bar 1, which is flat, and an order to sell them from bar 2 on."""
    return {"bars": [FLAT, FLAT, *bars], "asks": {1: [buy(10)], 2: [sell(10, **exit_)]}}


BOUGHT = Fill(1, "open", "buy", 10, 100)

CLOSE_ONLY = [
    Scenario(
        "a low beyond the limit is not met, a close is, and its price is paid",
        FALL, {1: [buy(10, limit=95)]}, [Fill(2, "close", "buy", 10, 94)], CASH - 940, {}, CLOSES,
    ),
    Scenario(
        "an open beyond the limit is not met either",
        [FLAT, (90, 99, 89, 98)], {1: [buy(10, limit=95)]}, [], CASH, {1: RESTS}, CLOSES,
    ),
    Scenario(
        "a close at the limit reaches it", FALL, {1: [buy(10, limit=97)]}, [Fill(1, "close", "buy", 10, 97)],
        CASH - 970, {}, CLOSES,
    ),
    Scenario(
        "a stop looks at closes", **held((100, 101, 90, 96), (96, 97, 94, 94.5), stop=95),
        fills=[BOUGHT, Fill(3, "close", "sell", 10, 94.5)], cash=CASH - 1_000 + 945, config=CLOSES,
    ),
    Scenario(
        "a stop-limit is triggered and filled at one close",
        [FLAT, (100, 107, 99, 105.5)], {1: [buy(10, stop=105, limit=106)]}, [Fill(1, "close", "buy", 10, 105.5)],
        CASH - 1_055, {}, CLOSES,
    ),
    Scenario(
        "or triggered at one and filled at another",
        [FLAT, (100, 107, 99, 107), (107, 108, 104, 105)], {1: [buy(10, stop=105, limit=106)]},
        [Fill(2, "close", "buy", 10, 105)], CASH - 1_050, {}, CLOSES,
    ),
    Scenario(  # best close 104: stop 99; the low of 98 is not met, the close of 98 is
        "a trailing stop follows closes",
        **held((100, 110, 99, 104), (104, 105, 98, 99.5), (99, 100, 97, 98), stop=Trail(amount=5)),
        fills=[BOUGHT, Fill(4, "close", "sell", 10, 98)], cash=CASH - 1_000 + 980, config=CLOSES,
    ),
    Scenario(  # best high 110: stop 105, already beyond the close that moved it, which it does not meet
        "or, once a bar has ended, its best price",
        **held((100, 110, 99, 104), (104, 105, 98, 99.5), stop=Trail(amount=5, ratchet="bar")),
        fills=[BOUGHT, Fill(3, "close", "sell", 10, 99.5)], cash=CASH - 1_000 + 995, config=CLOSES,
    ),
]  # fmt: skip

LIMIT_RULES = [
    Scenario(
        "kept: no slippage", [FLAT, (100, 102, 93, 97)], LIMIT_96, [Fill(1, "second_leg", "buy", 10, 96)],
        CASH - 960, {}, WORSE,
    ),
    Scenario(
        "released: slippage leads beyond the limit", [FLAT, (100, 102, 93, 97)], LIMIT_96,
        [Fill(1, "second_leg", "buy", 10, 97)], CASH - 970, {}, WORSE | {"fills.limit": "released"},
    ),
    Scenario(  # 96 + 1 is beyond 96; at the next open 94 + 1 is not
        "checked: it does not fill where slippage leads beyond it",
        [FLAT, (100, 102, 93, 97), (94, 99, 93, 98)], LIMIT_96, [Fill(2, "open", "buy", 10, 95)],
        CASH - 950, {}, WORSE | {"fills.limit": "checked"},
    ),
    Scenario(
        "kept: what is left waits for the limit", [FLAT, (100, 102, 93, 97), (99, 101, 98, 100)], LIMIT_96,
        [Fill(1, "second_leg", "buy", 5, 96)], CASH - 480, {1: "partially_filled executed"}, HALF,
    ),
    Scenario(
        "released: what is left is a market order", [FLAT, (100, 102, 93, 97), (99, 101, 98, 100)], LIMIT_96,
        [Fill(1, "second_leg", "buy", 5, 96), Fill(2, "open", "buy", 5, 99)], CASH - 480 - 495, {},
        HALF | {"fills.limit": "released"},
    ),
    Scenario(
        "checked: what is left is one that refuses prices beyond the limit",
        [FLAT, (100, 102, 93, 97), (99, 101, 90, 100), (95, 96, 94, 95)], LIMIT_96,
        [Fill(1, "second_leg", "buy", 5, 96), Fill(3, "open", "buy", 5, 95)], CASH - 480 - 475, {},
        HALF | {"fills.limit": "checked"},
    ),
    Scenario(
        "a new limit counts again", [FLAT, (100, 102, 93, 97), (99, 101, 98, 100), (97, 98, 91, 92)],
        LIMIT_96 | {2: [replace(1, limit=92)]},
        [Fill(1, "second_leg", "buy", 5, 96), Fill(3, "first_leg", "buy", 5, 92)], CASH - 480 - 460, {},
        HALF | {"fills.limit": "released"},
    ),
]  # fmt: skip

QUEUES = [
    Scenario(  # the second finds nothing; the third is triggered at 97 on the path, and finds nothing
        "exhausted = order: later orders have their turn", [FLAT, (101, 106, 95, 102)],
        {1: [buy(8), buy(8), sell(8, stop=97)]}, [Fill(1, "open", "buy", 8, 101)], CASH - 808,
        {2: RESTS, 3: "triggered stop_reached"}, EIGHT,
    ),
    Scenario(
        "exhausted = symbol: they have none", [FLAT, (101, 106, 95, 102)],
        {1: [buy(8), buy(8), sell(8, stop=97)]}, [Fill(1, "open", "buy", 8, 101)], CASH - 808,
        {2: RESTS, 3: RESTS}, EIGHT | {"fills.exhausted": "symbol"},
    ),
    Scenario(
        "who takes the last unit has found something", [FLAT, (101, 106, 95, 102)],
        {1: [buy(8), sell(8, stop=97)]}, [Fill(1, "open", "buy", 8, 101)], CASH - 808,
        {2: "triggered stop_reached"}, EIGHT | {"fills.exhausted": "symbol"},
    ),
    Scenario(  # the limit order has sold the last 8 with the volume of bar 4: the close has nothing to wait for
        "a close whose rest another order has closed ends, though no volume is left",
        [FLAT, FLAT, FLAT, FLAT, (111, 111, 111, 111)],
        {1: [buy(8)], 2: [buy(8)], 3: [sell(8, limit=110), close()]},
        [Fill(1, "open", "buy", 8, 100), Fill(2, "open", "buy", 8, 100), Fill(3, "open", "sell", 8, 100, order=4),
         Fill(4, "open", "sell", 8, 111, order=3)], CASH - 800 + 888, {4: "cancelled nothing_to_reduce"}, EIGHT,
    ),
    Scenario(
        "queue: by rank, whatever the symbol", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
        {1: [buy(1, limit=90), buy(2, "B"), buy(3)]},
        [Fill(1, "open", "buy", 2, 100, "B"), Fill(1, "open", "buy", 3, 100)], CASH - 500, {1: RESTS},
        {"fills.schedule": "queue"},
    ),
    Scenario(
        "symbol_queue: the symbol of the oldest order first", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
        {1: [buy(1, limit=90), buy(2, "B"), buy(3)]},
        [Fill(1, "open", "buy", 3, 100), Fill(1, "open", "buy", 2, 100, "B")], CASH - 500, {1: RESTS},
        {"fills.schedule": "symbol_queue"},
    ),
    Scenario(  # order 1 is filled in bar 1, but A had orders all the time, so it keeps its place before B
        "a symbol keeps its place while it has orders", {"A": [FLAT] * 3, "B": [FLAT] * 3},
        {1: [buy(1), buy(2, "B", limit=90), buy(3, limit=90)], 2: [buy(4, "B"), buy(5)]},
        [Fill(1, "open", "buy", 1, 100), Fill(2, "open", "buy", 5, 100), Fill(2, "open", "buy", 4, 100, "B")],
        CASH - 1_000, {2: RESTS, 3: RESTS}, {"fills.schedule": "symbol_queue"},
    ),
    Scenario(
        "and loses it with its last fill", {"A": [FLAT] * 3, "B": [FLAT] * 3},
        {1: [buy(1), buy(2, "B", limit=90)], 2: [buy(4, "B"), buy(5)]},
        [Fill(1, "open", "buy", 1, 100), Fill(2, "open", "buy", 4, 100, "B"), Fill(2, "open", "buy", 5, 100)],
        CASH - 1_000, {2: RESTS}, {"fills.schedule": "symbol_queue"},
    ),
]  # fmt: skip

ACCOUNT = [
    Scenario(
        "unchecked: cash falls below 0", [FLAT, FLAT], {1: [buy(10)]}, [Fill(1, "open", "buy", 10, 100)],
        -900, {}, {"account.kind": "unchecked", "account.cash": 100.0},
    ),
    Scenario(  # equity 100 - 10 · 100 = -900 after bar 2, and a purchase still passes
        "unchecked: equity too, and trading goes on",
        [FLAT, FLAT, (200, 200, 200, 200), (200, 200, 200, 200)], {1: [sell(10)], 3: [sell(1)]},
        [Fill(1, "open", "sell", 10, 100), Fill(3, "open", "sell", 1, 200)], 100 + 1_000 + 200, {},
        {"account.kind": "unchecked", "account.cash": 100.0},
    ),
    Scenario(
        "unchecked: there is no largest purchase", [FLAT, FLAT], {1: [buy(funds=1.0)]}, [], 100.0,
        {1: "rejected insufficient_cash"}, {"account.kind": "unchecked", "account.cash": 100.0},
    ),
    Scenario(  # 1 000 · (4/1 000)² · 100 = 1.6 twice
        "volume share of the fill", [FLAT, FLAT], {1: [buy(4), buy(4)]},
        [Fill(1, "open", "buy", 4, 101.6), Fill(1, "open", "buy", 4, 101.6)], CASH - 8 * 101.6, {},
        EIGHT | {"costs.slippage": {"kind": "volume_share", "impact": 1_000.0}},
    ),
    Scenario(  # then 1 000 · (8/1 000)² · 100 = 6.4
        "volume share of the bar so far", [FLAT, FLAT], {1: [buy(4), buy(4)]},
        [Fill(1, "open", "buy", 4, 101.6), Fill(1, "open", "buy", 4, 106.4)], CASH - 4 * 208, {},
        EIGHT | {"costs.slippage": {"kind": "volume_share", "impact": 1_000.0, "of": "bar"}},
    ),
]  # fmt: skip

TABLE = [*CLOSE_ONLY, *LIMIT_RULES, *QUEUES, *ACCOUNT]


@pytest.mark.parametrize("scenario", TABLE, ids=names(TABLE))
def test_scenario(scenario: Scenario) -> None:
    check(scenario)


REFUSED = {
    "data.finer": {"fills.path": "close_only", "data.finer": {"path": "finer.parquet"}},
    "fills.stop_limit": {"fills.path": "close_only", "fills.schedule": "queue", "fills.stop_limit": "at_stop"},
    "fills.stop_limit = 'by_close'": {
        "fills.path": "close_only",
        "fills.schedule": "queue",
        "fills.stop_limit": "by_close",
    },
    "fills.exhausted": {"fills.exhausted": "symbol"},
    "costs.slippage.of": {"costs.slippage": {"kind": "volume_share", "impact": 1.0, "of": "bar"}},
    "orders.admission": {"account.kind": "unchecked", "orders.admission": "reserve"},
    "fills.executions": MARGIN | {"fills.schedule": "queue", "fills.executions": "lot", "fills.limit": "released"},
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_does_not_go_together_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        BacktestConfig.load({}, **REFUSED[key])
