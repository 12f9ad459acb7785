"""What fills cost: every kind of commission and slippage, ticks, multipliers and lots, with worked numbers."""

from typing import Any

import pytest

from ml4t.backtest import ModelError
from scenarios.table import FLAT, MARGIN, Ask, Fill, Scenario, buy, check, names, play, sell, target_quantity

CASH = 100_000.0
TIERS = [{"up_to": 1000.0, "rate": 0.002}, {"up_to": 5000.0, "rate": 0.001}, {"rate": 0.0005}]
MULTIPLIER = {"instruments.default.multiplier": 50.0}


def commission(kind: str, **terms: Any) -> dict[str, Any]:
    return {"costs.commission": {"kind": kind, **terms}}


PER_SHARE = commission("per_share", per_share=0.005, minimum=1.0, cap_rate=0.01)
COMMISSIONS = [  # name, quantity, price, commission, config
    ("none", 10, 100, 0.0, commission("none")),
    ("rate: 0.001 · 1 000", 10, 100, 1.0, commission("rate", rate=0.001)),
    ("per share: 0.005 · 600", 600, 100, 3.0, PER_SHARE),
    ("per share: 0.005 · 100 = 0.50, the minimum is 1", 100, 100, 1.0, PER_SHARE),
    ("per share: 0.005 · 1 000 = 5, the cap is 0.01 · 250", 1000, 0.25, 2.5, PER_SHARE),
    ("per share: the cap of 0.01 · 50 beats the minimum of 1", 200, 0.25, 0.5, PER_SHARE),
    ("per share without minimum or cap", 100, 100, 0.5, commission("per_share", per_share=0.005)),
    ("per order", 10, 100, 7.5, commission("per_order", fixed=7.5)),
    ("rate plus fixed: 0.001 · 1 000 + 2", 10, 100, 3.0, commission("rate_plus_fixed", rate=0.001, fixed=2.0)),
    ("tiered: 900 is in the first tier: 0.002 · 900", 9, 100, 1.8, commission("tiered", tiers=TIERS)),
    ("tiered: 1 000 is the end of the first tier", 10, 100, 2.0, commission("tiered", tiers=TIERS)),
    ("tiered: 1 100 pays the second rate as a whole", 11, 100, 1.1, commission("tiered", tiers=TIERS)),
    ("tiered: 6 000 pays the last rate", 60, 100, 3.0, commission("tiered", tiers=TIERS)),
    ("rate with a multiplier: 0.001 · 2 · 100 · 50", 2, 100, 10.0, MULTIPLIER | commission("rate", rate=0.001)),
    ("tiered with a multiplier: 0.0005 · 2 · 100 · 50", 2, 100, 5.0, MULTIPLIER | commission("tiered", tiers=TIERS)),
    ("cap with a multiplier: 0.01 · 250 · 50 does not bind", 1000, 0.25, 5.0, MULTIPLIER | PER_SHARE),
]


@pytest.mark.parametrize(("side", "sign"), [(buy, 1), (sell, -1)])
@pytest.mark.parametrize(
    ("quantity", "price", "paid", "config"), [row[1:] for row in COMMISSIONS], ids=[row[0] for row in COMMISSIONS]
)
def test_commission(quantity: float, price: float, paid: float, config: dict[str, Any], side, sign: int) -> None:
    value = quantity * price * config.get("instruments.default.multiplier", 1.0)
    flat = (price,) * 4
    fills = [Fill(1, "open", side.__name__, quantity, price)]
    cash = CASH - sign * value - paid
    result = check(Scenario("commission", [flat, flat], {1: [side(quantity)]}, fills, cash, {}, MARGIN | config))
    assert result.fills["commission"].to_list() == pytest.approx([paid])
    assert result.orders["commission"].to_list() == pytest.approx([paid])
    booked = [("fill", pytest.approx(-sign * value)), ("commission", pytest.approx(-paid))][: 2 if paid else 1]
    assert result.journal.select("cause", "amount").rows() == booked


def slippage(kind: str, tick: float = 0.0, **terms: Any) -> dict[str, Any]:
    return {"costs.slippage": {"kind": kind, **terms}, "instruments.default.tick_size": tick}


SLIPPAGES = [  # name, open, price of a buy, price of a sell, config
    ("none", 100.1, 100.1, 100.1, slippage("none")),
    ("none: a price that was not slipped is not rounded", 100.1, 100.1, 100.1, slippage("none", tick=0.25)),
    ("rate: 100 ± 0.0005 · 100", 100, 100.05, 99.95, slippage("rate", rate=0.0005)),
    ("fixed: 100 ± 0.3", 100, 100.3, 99.7, slippage("fixed", amount=0.3)),
    ("ticks: 100 ± 2 · 0.25", 100, 100.5, 99.5, slippage("ticks", tick=0.25, ticks=2)),
    # 100.1 + 0.5 = 100.6 → up to 100.75; 100.1 − 0.5 = 99.6 → down to 99.5
    ("ticks: rounded against the order", 100.1, 100.75, 99.5, slippage("ticks", tick=0.25, ticks=2)),
    # 100.1 ± 0.1001 = 100.2001 → 100.25 and 99.9999 → 99.75
    ("rate: rounded against the order", 100.1, 100.25, 99.75, slippage("rate", tick=0.25, rate=0.001)),
    # 100 ± 0.5 lies on the grid: it stays
    ("fixed: on a tick already", 100, 100.5, 99.5, slippage("fixed", tick=0.5, amount=0.5)),
    # 0.7 + 0.1 = 0.7999999999999999 in binary and 0.7 − 0.1 = 0.6; both are ticks of 0.1
    ("fixed: as good as on a tick", 0.7, 0.8, 0.6, slippage("fixed", tick=0.1, amount=0.1)),
    ("fixed: a sell is never paid for", 5, 13, 0, slippage("fixed", amount=8.0)),
]


@pytest.mark.parametrize(
    ("opens", "bought", "sold", "config"), [row[1:] for row in SLIPPAGES], ids=[row[0] for row in SLIPPAGES]
)
def test_slippage(opens: float, bought: float, sold: float, config: dict[str, Any]) -> None:
    bar = (opens,) * 4
    config = MARGIN | config | MULTIPLIER
    for side, price, sign in ((buy, bought, 1), (sell, sold, -1)):
        fills = [Fill(1, "open", side.__name__, 10, price)]
        cash = CASH - sign * 10 * price * 50
        result = check(Scenario("slippage", [bar, bar], {1: [side(10)]}, fills, cash, {}, config))
        assert result.fills["reference_price"].to_list() == [opens]
        assert result.fills["slippage"].to_list() == pytest.approx([abs(price - opens) * 10 * 50])


TICK = {"instruments.default.tick_size": 0.25, "account.kind": "margin"}
SLIPPED = slippage("fixed", amount=2.0) | MARGIN
DIP, PEAK = (100, 101, 94, 99), (100, 106, 99, 101)
WHO_SLIPS = [
    Scenario("a stop on the path: 105 + 2", [FLAT, PEAK], {1: [buy(10, stop=105)]},
             [Fill(1, "first_leg", "buy", 10, 107)], CASH - 1070, config=SLIPPED),
    Scenario("a stop at the open: 94 − 2", [FLAT, (94, 96, 93, 95)], {1: [sell(10, stop=95)]},
             [Fill(1, "open", "sell", 10, 92)], CASH + 920, config=SLIPPED),
    Scenario("a market order at the close: 99 + 2", [FLAT, DIP], {1: [buy(10)]}, [Fill(1, "close", "buy", 10, 101)],
             CASH - 1010, config=SLIPPED | {"fills.market": "next_close"}),
    Scenario("a market order in the same-close pass: 100 + 2", [FLAT, DIP], {1: [buy(10)]},
             [Fill(0, "after_close", "buy", 10, 102)], CASH - 1020,
             config=SLIPPED | {"fills.market": "same_close", "run.acknowledge_leaky": True}),
    Scenario("never a limit on the path", [FLAT, DIP], {1: [buy(10, limit=95)]},
             [Fill(1, "second_leg", "buy", 10, 95)], CASH - 950, config=SLIPPED),
    Scenario("never a limit at the open", [FLAT, (94, 96, 93, 95)], {1: [buy(10, limit=95)]},
             [Fill(1, "open", "buy", 10, 94)], CASH - 940, config=SLIPPED),
    Scenario("never a stop-limit", [FLAT, PEAK], {1: [buy(10, stop=105, limit=105)]},
             [Fill(1, "first_leg", "buy", 10, 105)], CASH - 1050, config=SLIPPED),
    # slippage first, then commission on the slipped price: 0.01 · 10 · 102
    Scenario("commission on the slipped price", [FLAT, FLAT], {1: [buy(10)]}, [Fill(1, "open", "buy", 10, 102)],
             CASH - 1020 - 10.2, config=SLIPPED | commission("rate", rate=0.01)),
]  # fmt: skip

ON_TICKS = [
    Scenario("a buy limit of 95.3 is 95.25", [FLAT, DIP], {1: [buy(10, limit=95.3)]},
             [Fill(1, "second_leg", "buy", 10, 95.25)], CASH - 952.5, config=TICK),
    Scenario("a sell limit of 105.1 is 105.25", [FLAT, PEAK], {1: [sell(10, limit=105.1)]},
             [Fill(1, "second_leg", "sell", 10, 105.25)], CASH + 1052.5, config=TICK),
    Scenario("a buy stop of 105.1 is 105.25", [FLAT, PEAK], {1: [buy(10, stop=105.1)]},
             [Fill(1, "first_leg", "buy", 10, 105.25)], CASH - 1052.5, config=TICK),
    Scenario("a sell stop of 95.3 is 95.25", [FLAT, DIP], {1: [sell(10, stop=95.3)]},
             [Fill(1, "first_leg", "sell", 10, 95.25)], CASH + 952.5, config=TICK),
    # rounded down to 94.0, the limit is the low; 94.3 would have been reached on the way
    Scenario("never towards an earlier fill", [FLAT, (100, 101, 94.1, 99)], {1: [buy(10, limit=94.2)]}, [], CASH,
             {1: "accepted admitted"}, TICK),
    # 0.3 ÷ 0.1 is 2.9999999999999996 in binary: it counts as three ticks
    Scenario("as good as on a tick", [(0.4,) * 4, (0.4, 0.4, 0.3, 0.4)], {1: [buy(10, limit=0.3)]},
             [Fill(1, "second_leg", "buy", 10, 0.3)], CASH - 3, config={"instruments.default.tick_size": 0.1}),
]  # fmt: skip


def lots(lot: float, **more: Any) -> dict[str, Any]:
    return {"instruments.default.lot_size": lot} | more


LOTS = [
    # 1 550 ÷ 100 = 15.5 → one lot of 10
    Scenario("a size is rounded to lots", [FLAT, FLAT], {1: [buy(value=1550)]}, [Fill(1, "open", "buy", 10, 100)],
             CASH - 1000, config=lots(10)),
    Scenario("a target is rounded to lots", [FLAT, FLAT], {1: [target_quantity(27)]},
             [Fill(1, "open", "buy", 20, 100)], CASH - 2000, config=lots(10)),
    Scenario("an explicit quantity must be whole lots", [FLAT, FLAT], {1: [buy(15)]}, [], CASH,
             {1: "rejected not_a_lot_multiple"}, lots(10)),
    Scenario("no lots: any quantity", [FLAT, FLAT], {1: [buy(0.125), buy(value=150)]},
             [Fill(1, "open", "buy", 0.125, 100), Fill(1, "open", "buy", 1.5, 100)], CASH - 162.5, config=lots(0)),
    # 30 ÷ 100 = 0.3 is 2.9999999999999996 lots of 0.1 in binary, and counts as three
    Scenario("as good as whole lots", [FLAT, FLAT], {1: [buy(value=30)]}, [Fill(1, "open", "buy", 0.3, 100)],
             CASH - 30, config=lots(0.1)),
    # 0.1 + 0.2 = 0.30000000000000004 in binary; selling 0.3 leaves nothing
    Scenario("a close is exact", [FLAT, FLAT, FLAT], {0: [buy(0.1), buy(0.2)], 1: [sell(0.3)]},
             [Fill(0, "open", "buy", 0.1, 100), Fill(0, "open", "buy", 0.2, 100), Fill(1, "open", "sell", 0.3, 100)],
             CASH, config=lots(0)),
]  # fmt: skip
ALL = WHO_SLIPS + ON_TICKS + LOTS


@pytest.mark.parametrize("scenario", ALL, ids=names(ALL))
def test_slippage_ticks_and_lots(scenario: Scenario) -> None:
    result = check(scenario)
    if scenario.name == "a close is exact":
        assert result.positions["quantity"].to_list() == [0.0]
        assert result.trades.filter(~result.trades["is_open"])["quantity"].to_list() == [0.1, 0.2]


def test_costs_per_symbol() -> None:
    """A pays the general costs, B its own commission and the general slippage, C its own of both."""
    asks: dict[float, list[Ask]] = {1: [buy(10), buy(10, "B"), buy(10, "C")]}
    config = commission("rate", rate=0.001) | {
        "costs.slippage": {"kind": "fixed", "amount": 1.0},
        "costs.symbols": {
            "B": {"commission": {"kind": "per_order", "fixed": 2.0}},
            "C": {"commission": {"kind": "none"}, "slippage": {"kind": "rate", "rate": 0.02}},
        },
    }
    fills = [
        Fill(1, "open", "buy", 10, 101, "A"),
        Fill(1, "open", "buy", 10, 101, "B"),
        Fill(1, "open", "buy", 10, 102, "C"),
    ]
    cash = CASH - 1010 - 1.01 - 1010 - 2 - 1020
    result = check(Scenario("by symbol", {name: [FLAT, FLAT] for name in "ABC"}, asks, fills, cash, config=config))
    assert result.fills["commission"].to_list() == pytest.approx([1.01, 2.0, 0.0])


def test_instruments_per_symbol() -> None:
    """A has the default lot of 10; B has lots of 1 and is worth 5 a point."""
    config = lots(10, **{"instruments.symbols": {"B": {"lot_size": 1.0, "multiplier": 5.0}}})
    bars = {"A": [FLAT, FLAT], "B": [FLAT, FLAT]}
    fills = [Fill(1, "open", "buy", 10, 100, "A"), Fill(1, "open", "buy", 3, 100, "B")]  # 1550 ÷ 100; 1550 ÷ (100 · 5)
    asks: dict[float, list[Ask]] = {1: [buy(value=1550), buy(value=1550, symbol="B")]}
    check(Scenario("by symbol", bars, asks, fills, CASH - 1000 - 1500, config=config))


def test_a_sale_of_which_nothing_is_left_ends_the_run() -> None:
    """1.25 · 0.4² takes a fifth of 100; 1.25 · 1² would take more than all of it, which the model cannot mean."""
    impact = MARGIN | {"account.cash": 1e6, "costs.slippage": {"kind": "volume_share", "impact": 1.25}}
    check(Scenario("0.4", [FLAT], {0: [sell(400)]}, [Fill(0, "open", "sell", 400, 80)], 1_032_000, config=impact))
    with pytest.raises(ModelError, match=r"order 1 on the bar of A at 2024-03-05T10:0.* is the whole price"):
        play(Scenario("1", [FLAT], {0: [sell(1000)]}, [], 1e6, config=impact))


def test_a_fixed_slippage_may_be_more_than_a_share_is_worth() -> None:
    """2 to sell at 1: the price is 0, and the sale brings nothing."""
    worthless = (1, 1, 1, 1)
    slippage = MARGIN | {"costs.slippage": {"kind": "fixed", "amount": 2.0}}
    check(Scenario("", [worthless], {0: [sell(10)]}, [Fill(0, "open", "sell", 10, 0)], CASH, config=slippage))
