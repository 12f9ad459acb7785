"""Proceeds accounts, sizes by funds, the limits of an instrument, and exits measured before slippage."""

from typing import Any

import pytest

from ml4t.backtest import Exits, Trail
from scenarios.table import FLAT, Fill, Scenario, buy, check, close, names, sell, target_quantity

SHORT_OF_CASH = "insufficient_cash"


def proceeds(cash: float = 1000.0, **more: Any) -> dict[str, Any]:
    return {"account.kind": "proceeds", "account.cash": cash, "account.shortfall": "reduce"} | more


def lots(size: float, **more: Any) -> dict[str, Any]:
    return {"instruments.default.lot_size": size} | more


def fee(rate: float = 0.0, fixed: float = 0.0) -> dict[str, Any]:
    return {"costs.commission": {"kind": "rate_plus_fixed", "rate": rate, "fixed": fixed}}


LOCK = {"account.lock": True}
FREE = lots(0.0)
FLOOR = {"orders.lots": "floor"}
UP, DOWN = (125,) * 4, (80,) * 4

PROCEEDS = [
    # 20 · 100 more than the cash there is, and no limit
    Scenario(
        "a short without limit",
        [FLAT, FLAT],
        {1: [sell(50)]},
        [Fill(1, "open", "sell", 50, 100)],
        6000,
        config=proceeds(),
    ),
    # 1 000 + 20 · 100 = 3 000 buys 30 of B
    Scenario(
        "proceeds are cash",
        {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
        {1: [sell(20), buy(40, "B")]},
        [Fill(1, "open", "sell", 20, 100), Fill(1, "open", "buy", 30, 100, "B")],
        0,
        {2: f"cancelled {SHORT_OF_CASH}"},
        proceeds(),
    ),
    # 10 · 100 buys 8 at 125
    Scenario(
        "a purchase is cut to cash",
        [FLAT, UP],
        {1: [buy(10)]},
        [Fill(1, "open", "buy", 8, 125)],
        0,
        {1: f"cancelled {SHORT_OF_CASH}"},
        proceeds(),
    ),
    # 1 · 100 does not pay 150, whatever cash there is
    Scenario(
        "a sale pays for itself",
        [FLAT, FLAT],
        {1: [sell(1)]},
        [],
        1000,
        {1: f"rejected {SHORT_OF_CASH}"},
        proceeds() | fee(fixed=150.0),
    ),
    # 1 000 free; a short of 10 locks 2 000 and brings 1 000: nothing is free
    Scenario(
        "a short locks twice what it brought",
        [FLAT, FLAT],
        {1: [sell(50)]},
        [Fill(1, "open", "sell", 10, 100)],
        2000,
        {1: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | LOCK,
    ),
    # short 5: cash 1 500, locked 1 000, free 500, of which B takes 5
    Scenario(
        "what is locked buys nothing",
        {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
        {1: [sell(5), buy(40, "B")]},
        [Fill(1, "open", "sell", 5, 100), Fill(1, "open", "buy", 5, 100, "B")],
        1000,
        {2: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | LOCK,
    ),
    # short 10 at 100, nothing free. Covering at 80 costs 800 of the 2 000 that it frees: with 1 200 more, 15 of the 25
    Scenario(
        "covering frees what was locked",
        [FLAT, FLAT, DOWN],
        {1: [sell(10)], 2: [buy(40)]},
        [Fill(1, "open", "sell", 10, 100), Fill(2, "open", "buy", 25, 80)],
        0,
        {2: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | LOCK,
    ),
    # a unit covered at 250 costs 250 and frees 200: with nothing free, none
    Scenario(
        "covering that frees less than it costs",
        [FLAT, FLAT, (250,) * 4],
        {1: [sell(10)], 2: [buy(10)]},
        [Fill(1, "open", "sell", 10, 100)],
        2000,
        {2: f"rejected {SHORT_OF_CASH}"},
        proceeds() | LOCK,
    ),
    # 1 000 free less the fee of 400 is 6 units; 3, where a search by halves of 14 passes, would not even pay the fee
    Scenario(
        "too little to pay its fee is not too much",
        [FLAT, FLAT],
        {1: [sell(14)]},
        [Fill(1, "open", "sell", 6, 100)],
        1200,
        {1: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | LOCK | fee(fixed=400.0),
    ),
]

LOCKED_BY_A = [Fill(1, "open", "sell", 12, 100), Fill(1, "open", "buy", 20, 100, "B")]
FUNDS = [
    # 1 000 ÷ (1.25 · 100) at the fill, whatever the mark was
    Scenario(
        "all cash, at the fill",
        [FLAT, UP],
        {1: [buy(funds=1.0)]},
        [Fill(1, "open", "buy", 8, 125)],
        0,
        config=proceeds() | FREE,
    ),
    # (1 000 − 10) ÷ (1.1 · 100) = 9
    Scenario(
        "all cash, costs included",
        [FLAT, FLAT],
        {1: [buy(funds=2.0)]},
        [Fill(1, "open", "buy", 9, 100)],
        0,
        config=proceeds() | FREE | fee(0.1, 10.0),
    ),
    # half of 1 000, less the fixed 50, is 450
    Scenario(
        "half of the cash",
        [FLAT, FLAT],
        {1: [buy(funds=0.5)]},
        [Fill(1, "open", "buy", 4.5, 100)],
        500,
        config=proceeds() | FREE | fee(fixed=50.0),
    ),
    Scenario(
        "the cash account, in lots",
        [FLAT, (150,) * 4],
        {1: [buy(funds=1.0)]},
        [Fill(1, "open", "buy", 6, 150)],
        100,
        config={"account.cash": 1000.0},
    ),
    # equity 1 000 at a rate of 0.5 carries 2 000
    Scenario(
        "the margin account",
        [FLAT, FLAT],
        {1: [buy(funds=1.0)]},
        [Fill(1, "open", "buy", 20, 100)],
        -1000,
        config={"account.kind": "margin", "account.cash": 1000.0},
    ),
    Scenario(
        "a part of the position",
        [FLAT, FLAT, FLAT],
        {1: [buy(8)], 2: [sell(funds=0.25, reduce_only=True)]},
        [Fill(1, "open", "buy", 8, 100), Fill(2, "open", "sell", 2, 100)],
        400,
        config=proceeds() | FREE,
    ),
    # nothing held: as many as leave 0 free, 10; half of them
    Scenario(
        "a short of half the funds",
        [FLAT, FLAT],
        {1: [sell(funds=0.5)]},
        [Fill(1, "open", "sell", 5, 100)],
        1500,
        config=proceeds() | FREE,
    ),
    # 10 held; sold, 1 000 is free for a short of 10 more
    Scenario(
        "a sale through zero",
        [FLAT, FLAT, FLAT],
        {1: [buy(10)], 2: [sell(funds=1.0)]},
        [Fill(1, "open", "buy", 10, 100), Fill(2, "open", "sell", 20, 100)],
        2000,
        config=proceeds() | FREE,
    ),
    # cash 1 000 + 1 100 − 2 100 = 0, locked 2 400. All of B is worth 2 440: 40 free, of which the fee of 100 is not paid; a unit stays
    Scenario(
        "a fee keeps a unit of a sale",
        {"A": [FLAT, FLAT, FLAT], "B": [FLAT, FLAT, (122,) * 4]},
        {1: [sell(12), buy(20, "B")], 2: [sell(funds=1.0, symbol="B")]},
        [*LOCKED_BY_A, Fill(2, "open", "sell", 19, 122, "B")],
        2218,
        config=proceeds() | fee(fixed=100.0),
    ),
    # at 119 nothing would be free, and all is sold
    Scenario(
        "a sale where nothing is free",
        {"A": [FLAT, FLAT, FLAT], "B": [FLAT, FLAT, (119,) * 4]},
        {1: [sell(12), buy(20, "B")], 2: [sell(funds=1.0, symbol="B")]},
        [*LOCKED_BY_A, Fill(2, "open", "sell", 20, 119, "B")],
        2280,
        config=proceeds() | fee(fixed=100.0),
    ),
    # a sale that may only reduce does not ask what is free
    Scenario(
        "a fee keeps nothing of a reduction",
        {"A": [FLAT, FLAT, FLAT], "B": [FLAT, FLAT, (122,) * 4]},
        {1: [sell(12), buy(20, "B")], 2: [sell(funds=1.0, symbol="B", reduce_only=True)]},
        [*LOCKED_BY_A, Fill(2, "open", "sell", 20, 122, "B")],
        2340,
        config=proceeds() | fee(fixed=100.0),
    ),
    Scenario(
        "no cash left",
        [FLAT, FLAT, FLAT],
        {1: [buy(10)], 2: [buy(funds=1.0)]},
        [Fill(1, "open", "buy", 10, 100)],
        0,
        {2: f"rejected {SHORT_OF_CASH}"},
        proceeds() | FREE,
    ),
]

LIMITS = [
    Scenario(
        "above the maximum",
        [FLAT, FLAT],
        {1: [buy(9)]},
        [Fill(1, "open", "buy", 4, 100)],
        600,
        {1: "cancelled above_maximum"},
        proceeds() | {"instruments.default.max_quantity": 4.0},
    ),
    Scenario(
        "the maximum binds a close",
        [FLAT, FLAT, FLAT, FLAT],
        {1: [buy(4)], 2: [buy(4)], 3: [close()]},
        [Fill(1, "open", "buy", 4, 100), Fill(2, "open", "buy", 4, 100), Fill(3, "open", "sell", 4, 100)],
        600,
        {3: "cancelled above_maximum"},
        proceeds() | {"instruments.default.max_quantity": 4.0},
    ),
    Scenario(
        "all or nothing above the maximum",
        [FLAT, FLAT],
        {1: [buy(9, tif="FOK")]},
        [],
        1000,
        {1: "expired not_in_full"},
        proceeds() | {"instruments.default.max_quantity": 4.0},
    ),
    # cash pays for 8, 9 is the least
    Scenario(
        "below the minimum",
        [FLAT, UP],
        {1: [buy(10)]},
        [],
        1000,
        {1: "rejected below_minimum"},
        proceeds() | {"instruments.default.min_quantity": 9.0},
    ),
    Scenario(
        "cut to lots",
        [FLAT, FLAT],
        {1: [buy(5.5)]},
        [Fill(1, "open", "buy", 4, 100)],
        600,
        {1: "cancelled not_a_lot_multiple"},
        proceeds() | lots(2.0) | FLOOR,
    ),
    # cash pays for 6.25 of 8, which are three lots of 2
    Scenario(
        "cut to cash, then to lots",
        [FLAT, (160,) * 4],
        {1: [buy(9)]},
        [Fill(1, "open", "buy", 6, 160)],
        40,
        {1: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | lots(2.0) | FLOOR,
    ),
    Scenario(
        "less than a lot",
        [FLAT, FLAT],
        {1: [buy(1.5)]},
        [],
        1000,
        {1: "rejected not_a_lot_multiple"},
        proceeds() | lots(2.0) | FLOOR,
    ),
    # the target's difference is cut, not the target: 3 − 0 is 2, 3 − 2 is less than a lot
    Scenario(
        "a target's difference is cut",
        [FLAT, FLAT, FLAT],
        {1: [target_quantity(3)], 2: [target_quantity(3)]},
        [Fill(1, "open", "buy", 2, 100)],
        800,
        {1: "cancelled not_a_lot_multiple", 2: "rejected not_a_lot_multiple"},
        proceeds() | lots(2.0) | FLOOR,
    ),
    # 0.3 // 0.1 is 2: the nearest floats lie like that
    Scenario(
        "without tolerance",
        [FLAT, FLAT],
        {1: [buy(0.3)]},
        [Fill(1, "open", "buy", 0.2, 100)],
        980,
        {1: "cancelled not_a_lot_multiple"},
        proceeds() | lots(0.1) | FLOOR,
    ),
    Scenario(
        "a target that only reduces",
        [FLAT, FLAT, FLAT],
        {1: [buy(4)], 2: [target_quantity(-3, reduce_only=True)]},
        [Fill(1, "open", "buy", 4, 100), Fill(2, "open", "sell", 4, 100)],
        1000,
        {2: "cancelled nothing_to_reduce"},
        proceeds(),
    ),
]

QUEUE = {"fills.market": "same_close", "fills.schedule": "queue", "run.acknowledge_leaky": True}
TWO = {"A": [FLAT, FLAT], "B": [FLAT, FLAT]}
SLIP = {"costs.slippage": {"kind": "fixed", "amount": 2.0}}
LOWER = [FLAT, FLAT, (100, 100, 94, 96)]
EXIT = {"costs.stop_slippage": {"kind": "exempt"}}
TRAILED = [FLAT, (100, 110, 100, 108), (108, 120, 104, 110), (110, 112, 100, 101)]

RANKS_AND_EXITS = [
    # the sale of B is worth −1 000 and comes first, its proceeds buy A
    Scenario(
        "batches by value",
        TWO,
        {1: [buy(15), sell(10, "B")]},
        [Fill(0, "after_close", "sell", 10, 100, "B", 2), Fill(0, "after_close", "buy", 15, 100, "A", 1)],
        500,
        config=proceeds(**{"orders.batch_order": "value"}) | QUEUE,
    ),
    Scenario(
        "batches as submitted",
        TWO,
        {1: [buy(15), sell(10, "B")]},
        [Fill(0, "after_close", "buy", 10, 100, "A", 1), Fill(0, "after_close", "sell", 10, 100, "B", 2)],
        1000,
        {1: f"cancelled {SHORT_OF_CASH}"},
        proceeds() | QUEUE,
    ),
    # bought at 102; 5 % below the market's 100 is 95, below the fill's 102 it would be 96.9
    Scenario(
        "a stop below the reference",
        LOWER,
        {1: [buy(1, stop_loss=0.05)]},
        [Fill(1, "open", "buy", 1, 102), Fill(2, "first_leg", "sell", 1, 93)],
        991,
        config=proceeds(**{"orders.fill_basis": "reference"}) | SLIP,
    ),
    Scenario(
        "a stop without slippage",
        LOWER,
        {1: [buy(1, stop_loss=0.05)]},
        [Fill(1, "open", "buy", 1, 102), Fill(2, "first_leg", "sell", 1, 95)],
        993,
        config=proceeds(**{"orders.fill_basis": "reference"}) | SLIP | EXIT,
    ),
    # touched at 110: a market order then, at 110 − 2
    Scenario(
        "a take-profit by touch",
        [FLAT, FLAT, (100, 112, 100, 100)],
        {1: [buy(1, exits=Exits(take_profit=0.1, profit_by="touch"))]},
        [Fill(1, "open", "buy", 1, 102), Fill(2, "second_leg", "sell", 1, pytest.approx(108))],
        1006,
        config=proceeds(**{"orders.fill_basis": "reference"}) | SLIP,
    ),
    # bought at the open of bar 1; high 110 moves it to 99, then 120 to 108: bar 2's low of 104 met 99, bar 3's meets 108
    Scenario(
        "a trail that follows whole bars",
        TRAILED,
        {1: [buy(1, trail=Trail(rate=0.1, ratchet="bar"))]},
        [Fill(1, "open", "buy", 1, 100), Fill(3, "first_leg", "sell", 1, pytest.approx(108))],
        1008,
        config=proceeds(),
    ),
]


ALL = PROCEEDS + FUNDS + LIMITS + RANKS_AND_EXITS


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_scenario(scenario: Scenario) -> None:
    check(scenario)
