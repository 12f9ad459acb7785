"""What the account takes: cash and margin, shortfall rules, admission, flips, missing bars and the end of a run."""

from typing import Any

import pytest

from scenarios.table import FLAT, MARGIN, Ask, Fill, Scenario, buy, cancel, check, names, sell, target_quantity

SHORT_OF_CASH, NO_SHORT = "insufficient_cash", "short_not_allowed"
SHORT_OF_MARGIN = "insufficient_margin"


def account(cash: float = 1000.0, shortfall: str = "by_sizing", **more: Any) -> dict[str, Any]:
    return {"account.cash": cash, "account.shortfall": shortfall} | more


def margin(cash: float = 1000.0, rate: float = 0.5, **more: Any) -> dict[str, Any]:
    return MARGIN | {"account.initial_margin_rate": rate} | account(cash, **more)


UP = (125, 125, 125, 125)
HELD = Fill(0, "open", "buy", 10, 100)
CASH_ACCOUNT = [
    Scenario("exactly all the cash", [FLAT, FLAT], {1: [buy(10)]}, [Fill(1, "open", "buy", 10, 100)], 0,
             config=account()),
    # by_sizing: 20 · 100 > 1 000, and 20 was said explicitly
    Scenario("by_sizing, explicit", [FLAT, FLAT], {1: [buy(20)]}, [], 1000, {1: f"rejected {SHORT_OF_CASH}"}, account()),
    # by_sizing: all of 1 000 at the mark of 100 is 10; at the open of 125 eight can be paid
    Scenario("by_sizing, sized", [FLAT, UP], {1: [buy(percent=1.0)]}, [Fill(1, "open", "buy", 8, 125)], 0,
             {1: f"cancelled {SHORT_OF_CASH}"}, account()),
    Scenario("by_sizing, target", [FLAT, UP], {1: [target_quantity(10)]}, [Fill(1, "open", "buy", 8, 125)], 0,
             {1: f"cancelled {SHORT_OF_CASH}"}, account()),
    Scenario("reject, sized", [FLAT, UP], {1: [buy(percent=1.0)]}, [], 1000, {1: f"rejected {SHORT_OF_CASH}"},
             account(shortfall="reject")),
    Scenario("reduce, explicit", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 10, 100)], 0,
             {1: f"cancelled {SHORT_OF_CASH}"}, account(shortfall="reduce")),
    # 9 · 100 · 1.01 = 909; ten would cost 1 010
    Scenario("reduce, a commission rate counts", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 9, 100)], 91,
             {1: f"cancelled {SHORT_OF_CASH}"},
             account(shortfall="reduce") | {"costs.commission": {"kind": "rate", "rate": 0.01}}),
    # 9 · 100 + 5 = 905
    Scenario("reduce, a fixed commission counts", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 9, 100)], 95,
             {1: f"cancelled {SHORT_OF_CASH}"},
             account(shortfall="reduce") | {"costs.commission": {"kind": "per_order", "fixed": 5.0}}),
    # 9 · 110 = 990
    Scenario("reduce, slippage counts", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 9, 110)], 10,
             {1: f"cancelled {SHORT_OF_CASH}"},
             account(shortfall="reduce") | {"costs.slippage": {"kind": "fixed", "amount": 10.0}}),
    # one lot of 10 costs 1 250
    Scenario("reduce, not even a lot", [FLAT, UP], {1: [buy(20)]}, [], 1000, {1: f"rejected {SHORT_OF_CASH}"},
             account(shortfall="reduce") | {"instruments.default.lot_size": 10.0}),
    # 1 000 ÷ 160 = 6.25
    Scenario("reduce, without lots", [FLAT, (160,) * 4], {1: [buy(20)]}, [Fill(1, "open", "buy", 6.25, 160)], 0,
             {1: f"cancelled {SHORT_OF_CASH}"}, account(shortfall="reduce") | {"instruments.default.lot_size": 0.0}),
    # 3 · 100 · 3 = 900
    Scenario("reduce, the multiplier counts", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 3, 100)], 100,
             {1: f"cancelled {SHORT_OF_CASH}"}, account(shortfall="reduce") | {"instruments.default.multiplier": 3.0}),
    Scenario("no short, explicit", [FLAT, FLAT], {0: [buy(10)], 1: [sell(15)]}, [HELD], 0,
             {2: f"rejected {NO_SHORT}"}, account()),
    Scenario("no short, reduce", [FLAT, FLAT], {0: [buy(10)], 1: [sell(15)]}, [HELD, Fill(1, "open", "sell", 10, 100)],
             1000, {2: f"cancelled {NO_SHORT}"}, account(shortfall="reduce")),
    Scenario("no short, target", [FLAT, FLAT], {0: [buy(10)], 1: [target_quantity(-5)]},
             [HELD, Fill(1, "open", "sell", 10, 100)], 1000, {2: f"cancelled {NO_SHORT}"}, account()),
    Scenario("no short from flat", [FLAT, FLAT], {1: [target_quantity(-5)]}, [], 1000, {1: f"rejected {NO_SHORT}"},
             account()),
    # what a sale brings at an open pays for a purchase at the same open: reductions come first
    Scenario("sell to buy, phased", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]}, {0: [buy(10)], 1: [buy(10, "B"), sell(10)]},
             [HELD, Fill(1, "open", "sell", 10, 100, "A"), Fill(1, "open", "buy", 10, 100, "B")], 0, config=account()),
    Scenario("sell to buy, queue", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]}, {0: [buy(10)], 1: [buy(10, "B"), sell(10)]},
             [HELD, Fill(1, "open", "sell", 10, 100, "A")], 1000, {2: f"rejected {SHORT_OF_CASH}"},
             account() | {"fills.schedule": "queue"}),
]  # fmt: skip

CRASH = (60, 60, 60, 60)
MARGIN_ACCOUNT = [
    # 1 000 of equity carries 2 000 at a rate of 0.5
    Scenario("twice the equity", [FLAT, FLAT], {1: [buy(20)]}, [Fill(1, "open", "buy", 20, 100)], -1000,
             config=margin()),
    Scenario("one too many", [FLAT, FLAT], {1: [buy(21)]}, [], 1000, {1: f"rejected {SHORT_OF_MARGIN}"}, margin()),
    Scenario("reduced", [FLAT, FLAT], {1: [buy(25)]}, [Fill(1, "open", "buy", 20, 100)], -1000,
             {1: f"cancelled {SHORT_OF_MARGIN}"}, margin(shortfall="reduce")),
    Scenario("a rate of a quarter", [FLAT, FLAT], {1: [buy(40)]}, [Fill(1, "open", "buy", 40, 100)], -3000,
             config=margin(rate=0.25)),
    Scenario("short twice the equity", [FLAT, FLAT], {1: [sell(20)]}, [Fill(1, "open", "sell", 20, 100)], 3000,
             config=margin()),
    Scenario("short one too many", [FLAT, FLAT], {1: [sell(21)]}, [], 1000, {1: f"rejected {SHORT_OF_MARGIN}"},
             margin()),
    # marked at 100, bought at 101: 1 000 − q ≥ 0.5 · 100 · q, so q ≤ 19.6; cash 1 000 − 19 · 101
    Scenario("slippage counts", [FLAT, FLAT], {1: [buy(25)]}, [Fill(1, "open", "buy", 19, 101)], -919,
             {1: f"cancelled {SHORT_OF_MARGIN}"},
             margin(shortfall="reduce") | {"costs.slippage": {"kind": "fixed", "amount": 1.0}}),
    # 1 000 − 0.01 · 100 · q ≥ 50 · q, so q ≤ 19.6; cash 1 000 − 1 900 − 19
    Scenario("commission counts", [FLAT, FLAT], {1: [buy(25)]}, [Fill(1, "open", "buy", 19, 100)], -919,
             {1: f"cancelled {SHORT_OF_MARGIN}"},
             margin(shortfall="reduce") | {"costs.commission": {"kind": "rate", "rate": 0.01}}),
    # at 60 the equity is −1 000 + 1 200 = 200, below 0.5 · 1 200: reducing is allowed, one unit more is not
    Scenario("reducing is always allowed", [FLAT, CRASH, CRASH], {0: [buy(20)], 1: [sell(5)], 2: [buy(1)]},
             [Fill(0, "open", "buy", 20, 100), Fill(1, "open", "sell", 5, 60)], -1000 + 300,
             {3: f"rejected {SHORT_OF_MARGIN}"}, margin()),
    # two symbols share the equity: 0.5 · (1 000 + 1 000) = 1 000
    Scenario("symbols share the margin", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]}, {1: [buy(10), buy(10, "B")]},
             [Fill(1, "open", "buy", 10, 100, "A"), Fill(1, "open", "buy", 10, 100, "B")], -1000, config=margin()),
    Scenario("a short of one symbol uses it, too", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
             {1: [sell(10), buy(11, "B")]}, [Fill(1, "open", "sell", 10, 100, "A")], 2000,
             {2: f"rejected {SHORT_OF_MARGIN}"}, margin()),
    # a flip is judged by what it leaves: equity 1 100 at 110 carries −20 · 110 · 0.5 = 1 100
    Scenario("flip, exactly", [FLAT, (110,) * 4], {0: [buy(10)], 1: [sell(30)]},
             [HELD, Fill(1, "open", "sell", 30, 110)], 3300, config=margin()),
    Scenario("flip, one too many", [FLAT, (110,) * 4], {0: [buy(10)], 1: [sell(31)]}, [HELD], 0,
             {2: f"rejected {SHORT_OF_MARGIN}"}, margin()),
]  # fmt: skip

TWO = {"A": [FLAT, FLAT, (100, 101, 94, 99)], "B": [FLAT, FLAT, FLAT]}
DIPS = [FLAT, FLAT, (100, 101, 94, 99)]
ADMISSION = [
    # 950 each: both are accepted; when the first has filled, 50 are left
    Scenario("none", DIPS, {1: [buy(10, limit=95), buy(10, limit=95)]}, [Fill(2, "second_leg", "buy", 10, 95)], 50,
             {2: f"rejected {SHORT_OF_CASH}"}, account()),
    # the second asks for 950 of the 50 that are free, and may not be reduced
    Scenario("reserve", DIPS, {1: [buy(10, limit=90), buy(10, limit=95)]}, [], 1000,
             {1: "accepted admitted", 2: f"rejected {SHORT_OF_CASH}"}, account() | {"orders.admission": "reserve"}),
    # the reservation of order 1 ends with it
    Scenario("reserve, released", DIPS, {1: [buy(10, limit=90)], 2: [cancel(1), buy(10, limit=95)]},
             [Fill(2, "second_leg", "buy", 10, 95)], 50, {1: "cancelled cancel_requested"},
             account() | {"orders.admission": "reserve"}),
    # 9 · 40 = 360 are reserved; 7 · 95 = 665 is more than the 640 left, but an order that may be reduced is accepted
    Scenario("reserve, reducible", DIPS, {1: [buy(9, limit=40), buy(7, limit=95)]},
             [Fill(2, "second_leg", "buy", 7, 95)], 335, {1: "accepted admitted"},
             account(shortfall="reduce") | {"orders.admission": "reserve"}),
    # a margin account reserves half: 0.5 · 10 · 95 = 475 each; a third finds 50
    Scenario("reserve, margin", DIPS, {1: [buy(10, limit=90), buy(10, limit=91), buy(10, limit=92)]}, [], 1000,
             {1: "accepted admitted", 2: "accepted admitted", 3: f"rejected {SHORT_OF_MARGIN}"},
             margin() | {"orders.admission": "reserve"}),
    # running cash 1 000 − 800 = 200; −100 rejects the second and stays; −200 rejects the third
    Scenario("pseudo_execute", [FLAT, FLAT], {1: [buy(8), buy(3), buy(1)]}, [Fill(1, "open", "buy", 8, 100)], 200,
             {2: f"rejected {SHORT_OF_CASH}", 3: f"rejected {SHORT_OF_CASH}"},
             account() | {"orders.admission": "pseudo_execute"}),
    # 500 in cash and 5 units: 500 − 800 = −300 rejects the purchase; the sale brings it back to 200, and 100 can be bought
    Scenario("pseudo_execute in the order of submission", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
             {0: [buy(5)], 1: [buy(8, "B"), sell(5), buy(1, "B")]},
             [Fill(0, "open", "buy", 5, 100), Fill(1, "open", "sell", 5, 100), Fill(1, "open", "buy", 1, 100, "B")],
             900, {2: f"rejected {SHORT_OF_CASH}"}, account() | {"orders.admission": "pseudo_execute"}),
    # the sale first: 500 + 500 − 800 − 100 = 100
    Scenario("pseudo_execute, reductions first", {"A": [FLAT, FLAT], "B": [FLAT, FLAT]},
             {0: [buy(5)], 1: [buy(8, "B"), sell(5), buy(1, "B")]},
             [Fill(0, "open", "buy", 5, 100), Fill(1, "open", "sell", 5, 100),
              Fill(1, "open", "buy", 8, 100, "B"), Fill(1, "open", "buy", 1, 100, "B")],
             100, {}, account() | {"orders.admission": "pseudo_execute", "orders.batch_order": "reductions_first"}),
]  # fmt: skip
TABLE = CASH_ACCOUNT + MARGIN_ACCOUNT + ADMISSION


@pytest.mark.parametrize("scenario", TABLE, ids=names(TABLE))
def test_account(scenario: Scenario) -> None:
    result = check(scenario)
    if scenario.config.get("account.kind") != "margin":
        assert (result.equity["cash"] >= 0).all()
        assert (result.fills["position_after"] >= 0).all()


def rows(result: Any, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result.select(columns).rows()]


def test_increase_reduce_flip_close() -> None:
    """Average price and realised P&L of the four cases of the ledger."""
    prices = [100, 104, 110, 112, 105]
    asks: dict[float, list[Ask]] = {0: [buy(10)], 1: [buy(30)], 2: [sell(10)], 3: [sell(45)], 4: [buy(15)]}
    fills = [
        Fill(n, "open", side, quantity, price)
        for n, (side, quantity, price) in enumerate(
            [("buy", 10, 100), ("buy", 30, 104), ("sell", 10, 110), ("sell", 45, 112), ("buy", 15, 105)]
        )
    ]
    cash = 100_000 - 1000 - 3120 + 1100 + 5040 - 1575
    result = check(Scenario("ledger", [(p, p, p, p) for p in prices], asks, fills, cash, config=MARGIN))
    assert result.fills["position_after"].to_list() == [10, 40, 30, -15, 0]
    # average (10 · 100 + 30 · 104) ÷ 40 = 103; realised 10 · 7 = 70, then 30 · 9 = 270, then 15 · (112 − 105) = 105
    assert rows(result.positions, "quantity", "average_price", "realized_pnl") == [(0, 0, 445)]
    assert cash == 100_000 + 445


@pytest.mark.parametrize(("until", "average", "realized"), [(2, 103, 0), (3, 103, 70), (4, 112, 340)])
def test_average_price_on_the_way(until: int, average: float, realized: float) -> None:
    prices = [100, 104, 110, 112][:until]
    asks: dict[float, list[Ask]] = {0: [buy(10)], 1: [buy(30)], 2: [sell(10)], 3: [sell(45)]}
    asks = {number: ask for number, ask in asks.items() if number < until}
    quantity = [10, 40, 30, -15][until - 1]
    trades = [(10, 100), (30, 104), (-10, 110), (-45, 112)][:until]
    fills = [Fill(n, "open", "buy" if q > 0 else "sell", abs(q), p) for n, (q, p) in enumerate(trades)]
    cash = 100_000 - sum(q * p for q, p in trades)
    result = check(Scenario("ledger", [(p, p, p, p) for p in prices], asks, fills, cash, config=MARGIN))
    assert rows(result.positions, "quantity", "average_price", "realized_pnl") == [(quantity, average, realized)]
    assert result.equity["equity"][-1] == cash + quantity * prices[-1]


def test_missing_bars_keep_the_mark_and_let_orders_wait() -> None:
    """B has no bars 1 and 2: what is asked at minute 1 fills at bar 3's open; B counts 5 · 100 until bar 3 ends at 120."""
    bars = {"A": [FLAT] * 5, "B": [FLAT, None, None, (110, 121, 109, 120), (120, 121, 119, 120)]}
    asks: dict[float, list[Ask]] = {0: [buy(5, "B")], 1: [buy(10, "B"), buy(1), buy(2, "B", stop=105)]}
    fills = [
        Fill(0, "open", "buy", 5, 100, "B"),
        Fill(1, "open", "buy", 1, 100, "A"),
        Fill(3, "open", "buy", 10, 110, "B"),
        Fill(3, "open", "buy", 2, 110, "B"),  # the gap through the stop is paid
    ]
    cash = 100_000 - 500 - 100 - 1100 - 220
    result = check(Scenario("missing", bars, asks, fills, cash))
    worth = [99_500 + 500, 99_400 + 600, 99_400 + 600, cash + 17 * 120 + 100, cash + 17 * 120 + 100]
    assert result.equity["equity"].to_list() == worth
    assert rows(result.positions, "symbol", "quantity", "stale_marks") == [("A", 1, 0), ("B", 17, 2)]
    assert result.metrics["stale_marks"] == 2


COSTS = {
    "costs.slippage": {"kind": "fixed", "amount": 1.0},
    "costs.commission": {"kind": "per_order", "fixed": 2.0},
}


@pytest.mark.parametrize("rule", ["mark", "close"])
def test_end_of_run(rule: str) -> None:
    """Bought at 100 + 1; at the end worth 105, or sold at 105 − 1, each with a commission of 2."""
    bars = [FLAT, (100, 106, 99, 105)]
    fills = [Fill(0, "open", "buy", 10, 101)]
    if rule == "close":
        fills.append(Fill(1, "after_close", "sell", 10, 104))
    cash = 100_000 - 1010 - 2 + (1040 - 2 if rule == "close" else 0)
    result = check(Scenario("end", bars, {0: [buy(10)]}, fills, cash, config=COSTS | {"end.run": rule}))
    assert result.equity["equity"].to_list() == [100_000 - 12, cash + (0 if rule == "close" else 1050)]
    if rule == "close":
        assert rows(result.trades, "exit_reason", "exit_type", "is_open") == [("end_of_run", "market", False)]
        assert result.fills["origin"].to_list() == ["strategy", "end_of_run"]
    else:
        assert rows(result.trades, "exit_reason", "is_open") == [(None, True)]


@pytest.mark.parametrize("rule", ["mark", "close"])
def test_end_of_a_symbol(rule: str) -> None:
    """B's last bar is bar 1: its 10 units stay at 105 for one more point, or are sold at 104."""
    bars = {"A": [FLAT] * 3, "B": [FLAT, (100, 106, 99, 105), None]}
    fills = [Fill(0, "open", "buy", 10, 101, "B")]
    if rule == "close":
        fills.append(Fill(1, "after_close", "sell", 10, 104, "B"))
    cash = 100_000 - 1012 + (1038 if rule == "close" else 0)
    ends = {2: "accepted admitted"}  # a symbol that is gone leaves its orders waiting
    asks: dict[float, list[Ask]] = {0: [buy(10, "B")], 1: [buy(1, "B", limit=50)]}
    result = check(Scenario("end", bars, asks, fills, cash, ends, COSTS | {"end.symbol": rule}))
    assert result.equity["equity"].to_list()[1:] == [cash + (1050 if rule == "mark" else 0)] * 2
    assert rows(result.positions, "symbol", "stale_marks") == [("A", 0), ("B", 1 if rule == "mark" else 0)]
    if rule == "close":
        assert rows(result.trades, "exit_reason") == [("end_of_data",)]
        assert result.orders["origin"].to_list() == ["strategy", "strategy", "end_of_data"]


def test_a_short_pays_on_the_way_up() -> None:
    """Short 10 at 100: cash 101 000, worth −10 · close; exposure net −, gross +."""
    bars = [FLAT, (100, 108, 99, 107), (107, 107, 95, 96)]
    result = check(Scenario("short", bars, {1: [sell(10)]}, [Fill(1, "open", "sell", 10, 100)], 101_000, config=MARGIN))
    assert rows(result.equity, "equity", "net_exposure", "gross_exposure") == [
        (100_000, 0, 0),
        (99_930, -1070, 1070),
        (100_040, -960, 960),
    ]
    assert result.equity["drawdown"].to_list() == pytest.approx([0, 99_930 / 100_000 - 1, 0])


LOTS = MARGIN | {
    "fills.schedule": "queue",
    "fills.executions": "lot",
    "fills.stop_limit": "at_stop",
    "fills.rescan": "exits",
}
LEVERED = {"account.cash": 1_000.0, "account.initial_margin_rate": 0.01, "orders.valuation": "bar_close"}


def test_ruin_on_the_last_bar_is_the_end() -> None:
    """500 fall from 100 to 90 with cash of 1 000. `last_open` would meet the bar again, and the triggered order its limit of 97."""
    config = LOTS | LEVERED | {"account.ruin": "stop", "end.run": "last_open", "run.acknowledge_leaky": True}
    bars = [FLAT, FLAT, (100, 100, 90, 90)]
    asks = {1: [buy(500)], 2: [sell(5, stop=95, limit=97)]}
    fills = [Fill(1, "open", "buy", 500, 100), Fill(2, "after_close", "sell", 500, 90)]
    result = check(Scenario("ruin", bars, asks, fills, 0, {2: "triggered stop_reached"}, config))
    assert rows(result.journal, "cause", "amount")[-1:] == [("forgiven", 4_000.0)]
    assert result.fills["origin"][-1] == "ruin"
