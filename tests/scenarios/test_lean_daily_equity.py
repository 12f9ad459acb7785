"""The profile `lean_daily_equity` against rows worked out by hand from LEAN's published rules (docs/parity/lean_daily_equity.md).

LEAN is not run here or anywhere in this repository: these rows say what the profile does, and the page where the rules stand.
Every order of these sizes pays the minimum of one dollar, but where a row says otherwise.
"""

from typing import Any

import pytest

from scenarios.table import FLAT, Fill, Scenario, buy, check, names, sell

CASH = 100_000.0
LEAN: dict[str, Any] = {"profile": "lean_daily_equity"}
POOR = LEAN | {"account.cash": 1_000.0}
RESTS = "accepted admitted"
HELD = {1: [buy(10)], 2: [sell(10, limit=105), sell(10, stop=95)]}
BOUGHT = Fill(1, "open", "buy", 10, 100)

TABLE = [
    Scenario(
        "a market order of a daily decision fills at the next open",
        [FLAT, (101, 103, 99, 102)], {1: [buy(10)]}, [Fill(1, "open", "buy", 10, 101)], CASH - 1_010 - 1, {}, LEAN,
    ),
    Scenario(
        "a limit that is touched exactly does not fill",
        [FLAT, (100, 101, 95, 99)], {1: [buy(10, limit=95)]}, [], CASH, {1: RESTS}, LEAN,
    ),
    Scenario(
        "one that the price goes beyond fills at the limit",
        [FLAT, (100, 101, 95, 99), (99, 100, 94.99, 97)], {1: [buy(10, limit=95)]},
        [Fill(2, "second_leg", "buy", 10, 95)], CASH - 950 - 1, {}, LEAN,
    ),
    Scenario(
        "a gap beyond it fills at the open",
        [FLAT, (90, 96, 88, 94)], {1: [buy(10, limit=95)]}, [Fill(1, "open", "buy", 10, 90)], CASH - 900 - 1, {}, LEAN,
    ),
    Scenario(
        "a sell limit, likewise", [FLAT, FLAT, (100, 105, 99, 103), (103, 105.01, 102, 104)],
        {1: [buy(10)], 2: [sell(10, limit=105)]}, [BOUGHT, Fill(3, "second_leg", "sell", 10, 105)],
        CASH - 1_000 + 1_050 - 2, {}, LEAN,
    ),
    Scenario(
        "a stop is reached by a touch", [FLAT, (100, 105, 98, 103)], {1: [buy(10, stop=105)]},
        [Fill(1, "first_leg", "buy", 10, 105)], CASH - 1_050 - 1, {}, LEAN,
    ),
    Scenario(
        "and pays the gap", [FLAT, (110, 112, 104, 106)], {1: [buy(10, stop=105)]},
        [Fill(1, "open", "buy", 10, 110)], CASH - 1_100 - 1, {}, LEAN,
    ),
    Scenario(  # nothing links them: the position is short afterwards
        "a target and a stop in one bar: both fill, by their ids, for there is no one-cancels-the-other",
        [FLAT, FLAT, (100, 106, 94, 100)], HELD,
        [BOUGHT, Fill(2, "second_leg", "sell", 10, 105), Fill(2, "first_leg", "sell", 10, 95)],
        CASH - 1_000 + 1_050 + 950 - 3, {}, LEAN,
    ),
    Scenario(  # 1 000 - 1 >= 1 900 / 2
        "buying power is twice the equity", [FLAT, FLAT], {1: [buy(19)]}, [Fill(1, "open", "buy", 19, 100)],
        1_000 - 1_900 - 1, {}, POOR,
    ),
    Scenario(  # 1 000 - 1 < 2 000 / 2: the fee counts, and nothing is cut
        "an order that it does not suffice for is refused as a whole", [FLAT, FLAT], {1: [buy(20)]}, [], 1_000.0,
        {1: "rejected insufficient_margin"}, POOR,
    ),
    Scenario(
        "shorts are allowed", [FLAT, FLAT], {1: [sell(10)]}, [Fill(1, "open", "sell", 10, 100)],
        CASH + 1_000 - 1, {}, LEAN,
    ),
    Scenario(  # 400 · 0.005
        "half a cent a share", [FLAT, FLAT], {1: [buy(400)]}, [Fill(1, "open", "buy", 400, 100)],
        CASH - 40_000 - 2, {}, LEAN,
    ),
    Scenario(  # 1 000 · 0.005 = 5, but 1 % of 200 is 2
        "at most one per cent of the value", [(0.2, 0.2, 0.2, 0.2)] * 2, {1: [buy(1_000)]},
        [Fill(1, "open", "buy", 1_000, 0.2)], CASH - 200 - 2, {}, LEAN,
    ),
]  # fmt: skip


@pytest.mark.parametrize("scenario", TABLE, ids=names(TABLE))
def test_scenario(scenario: Scenario) -> None:
    check(scenario)
