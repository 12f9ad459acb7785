"""Trades: lots matched first in, first out, with P&L, costs in proportion, bars held, MFE and MAE."""

from typing import Any

import pytest

from scenarios.table import FLAT, MARGIN, Ask, Fill, Scenario, buy, check, close, minute, sell


def trades(result: Any, *columns: str) -> list[tuple[Any, ...]]:
    return result.trades.select(columns).rows()


def test_first_in_first_out() -> None:
    """10 at 100 and 10 at 102; 15 sold at 105 close the first lot and half of the second; 5 stay, worth 104."""
    bars = [(100,) * 4, (102,) * 4, (105,) * 4, (104,) * 4]
    asks: dict[float, list[Ask]] = {0: [buy(10)], 1: [buy(10)], 2: [sell(15)]}
    fills = [Fill(0, "open", "buy", 10, 100), Fill(1, "open", "buy", 10, 102), Fill(2, "open", "sell", 15, 105)]
    config = {"costs.commission": {"kind": "per_order", "fixed": 3.0}}
    result = check(Scenario("fifo", bars, asks, fills, 100_000 - 1000 - 1020 + 1575 - 9, config=config))
    columns = ("quantity", "entry_order_id", "exit_order_id", "entry_price", "exit_price", "gross_pnl", "is_open")
    assert trades(result, *columns) == [
        (10, 1, 3, 100, 105, 50, False),
        (5, 2, 3, 102, 105, 15, False),
        (5, 2, None, 102, None, 10, True),  # 5 · (104 − 102)
    ]
    # commissions by quantity: 3 + 3 · 10 ÷ 15 = 5; 3 · 5 ÷ 10 + 3 · 5 ÷ 15 = 2.5; 3 · 5 ÷ 10 = 1.5
    assert result.trades["commission"].to_list() == pytest.approx([5, 2.5, 1.5])
    assert result.trades["pnl"].to_list() == pytest.approx([45, 12.5, 8.5])
    assert result.trades["return"].to_list() == pytest.approx([45 / 1000, 12.5 / 510, 8.5 / 510])
    assert trades(result, "entry_time", "exit_time") == [
        (minute(0), minute(2)),
        (minute(1), minute(2)),
        (minute(1), None),
    ]
    assert result.trades["bars_held"].to_list() == [2, 1, 2]
    assert trades(result, "exit_reason", "exit_type") == [("strategy", "market")] * 2 + [(None, None)]


def test_a_flip_closes_a_long_and_opens_a_short() -> None:
    """+10 at 100, −25 at 110, +15 at 105: long 10 · 10 = 100, short 15 · 5 = 75. The flip's cost is shared 10 : 15."""
    bars = [(100,) * 4, (110,) * 4, (105,) * 4]
    asks: dict[float, list[Ask]] = {0: [buy(10)], 1: [sell(25)], 2: [close()]}
    fills = [Fill(0, "open", "buy", 10, 101), Fill(1, "open", "sell", 25, 109), Fill(2, "open", "buy", 15, 106)]
    config = MARGIN | {"costs.slippage": {"kind": "fixed", "amount": 1.0}}
    result = check(Scenario("flip", bars, asks, fills, 100_000 - 1010 + 2725 - 1590, config=config))
    assert trades(result, "direction", "quantity", "entry_price", "exit_price", "pnl", "exit_reason") == [
        ("long", 10, 101, 109, 80, "strategy"),
        ("short", 15, 109, 106, 45, "close"),
    ]
    assert result.trades["slippage"].to_list() == pytest.approx([10 + 10, 15 + 15])


def test_multiplier() -> None:
    """2 contracts of 50 a point, 100 → 103: 2 · 3 · 50 = 300 on a value of 2 · 100 · 50."""
    bars = [(100,) * 4, (103,) * 4]
    asks: dict[float, list[Ask]] = {0: [buy(2)], 1: [sell(2)]}
    fills = [Fill(0, "open", "buy", 2, 100), Fill(1, "open", "sell", 2, 103)]
    config = {"instruments.default.multiplier": 50.0}
    result = check(Scenario("multiplier", bars, asks, fills, 100_300, config=config))
    assert trades(result, "pnl", "return", "mfe", "mae") == [(300, pytest.approx(0.03), 3, 0)]  # per unit: 3, not 150


WALK = [FLAT, (100, 103, 98, 101), (101, 106, 97, 105), (104, 110, 90, 100)]
EXCURSIONS = [  # name, asks, fills, cash change, bars held, MFE, MAE
    # in at bar 1's open, out at bar 3's open of 104: bars 1 and 2 count whole: 106 − 100 and 97 − 100
    ("open to open", {1: [buy(10)], 3: [sell(10)]},
     [Fill(1, "open", "buy", 10, 100), Fill(3, "open", "sell", 10, 104)], 40, 2, 6, -3),
    # a short of the same bars: best 97, worst 106
    ("short", {1: [sell(10)], 3: [buy(10)]},
     [Fill(1, "open", "sell", 10, 100), Fill(3, "open", "buy", 10, 104)], -40, 2, 3, -6),
    # in at 98.5 on bar 1's path: of bar 1 it is unknown what came after; bar 2 counts whole: 106 − 98.5, 97 − 98.5
    ("entry on the path", {1: [buy(10, limit=98.5)], 3: [sell(10)]},
     [Fill(1, "second_leg", "buy", 10, 98.5), Fill(3, "open", "sell", 10, 104)], 55, 2, 7.5, -1.5),
    # out at 108 on bar 3's path: bar 3 counts by the exit price alone, not by its low of 90 or high of 110
    ("exit on the path", {1: [buy(10)], 3: [sell(10, limit=108)]},
     [Fill(1, "open", "buy", 10, 100), Fill(3, "second_leg", "sell", 10, 108)], 80, 2, 8, -3),
    # out by a stop of 99 on the way from 101 to 97: +3 on bar 1 (98 below), then −1
    ("exit by a stop", {1: [buy(10)], 2: [sell(10, stop=99)]},
     [Fill(1, "open", "buy", 10, 100), Fill(2, "first_leg", "sell", 10, 99)], -10, 1, 3, -2),
    # in and out on one bar's path: entry 100, exit 102 on the way up
    ("within a bar", {1: [buy(10), sell(10, limit=102)]},
     [Fill(1, "open", "buy", 10, 100), Fill(1, "second_leg", "sell", 10, 102)], 20, 0, 2, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asks", "fills", "pnl", "held", "mfe", "mae"), [row[1:] for row in EXCURSIONS], ids=[row[0] for row in EXCURSIONS]
)
def test_excursions(asks, fills: list[Fill], pnl: float, held: int, mfe: float, mae: float) -> None:
    result = check(Scenario("excursion", WALK, asks, fills, 100_000 + pnl, config=MARGIN))
    assert trades(result, "pnl", "bars_held", "mfe", "mae") == [(pnl, held, mfe, mae)]


def test_an_exit_at_the_close_counts_its_bar_whole() -> None:
    """In at bar 1's close of 101; bar 2 was held to its end: 106 − 101 and 97 − 101."""
    fills = [Fill(1, "close", "buy", 10, 101), Fill(2, "close", "sell", 10, 105)]
    config = {"fills.market": "next_close"}
    result = check(Scenario("close", WALK, {1: [buy(10)], 2: [sell(10)]}, fills, 100_040, config=config))
    assert trades(result, "bars_held", "mfe", "mae") == [(1, 5, -4)]


def test_an_open_trade_counts_until_the_end() -> None:
    """In at bar 1's open: best 110, worst 90, marked at bar 3's close of 100; three bars on."""
    result = check(Scenario("open", WALK, {1: [buy(10)]}, [Fill(1, "open", "buy", 10, 100)], 99_000))
    assert trades(result, "pnl", "bars_held", "mfe", "mae", "is_open") == [(0, 2, 10, -10, True)]
