"""The round trips of docs/semantics/costs.md, and what single terms of costs come to, with numbers worked out by hand."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import BacktestConfig, ConfigError, DataError, ModelError, Result, Strategy, run
from scenarios.table import FLAT, MARGIN, Ask, Scenario, Scripted, buy, frame, sell, target_value

CASH = 100_000.0


def play(bars: Any, asks: dict[float, list[Ask]], config: dict[str, Any], **more: Any) -> Result:
    """The result of asking for this, minute by minute; `bars` are prices of minutes, or a frame."""
    strategy = Scripted()
    strategy._scenario = Scenario("", [], asks, [], 0.0)
    data = bars if isinstance(bars, pl.DataFrame) else frame(bars)
    result = run(strategy, data, BacktestConfig.load({}, **config), **more)
    assert not strategy.todo
    return result


def flat(*prices: float) -> list[tuple[float, float, float, float]]:
    return [(price,) * 4 for price in prices]


def commission(kind: str, **terms: Any) -> dict[str, Any]:
    return {"costs.commission": {"kind": kind, **terms}}


def gain(result: Result) -> float:
    assert result.equity["net_exposure"][-1] == 0.0
    return result.equity["cash"][-1] - result.config.account.cash


# ----------------------------------------------------------------------------------------------------- the page's trips
THERE_AND_BACK: dict[float, list[Ask]] = {1: [buy(1000)], 2: [sell(1000)]}


def test_us_shares() -> None:
    config = commission("per_share", per_share=0.005, minimum=1.0, cap_rate=0.01)
    config["costs.tax"] = {"sell_rate": 0.0000278, "sell_per_unit": 0.000166, "sell_cap": 8.30}
    result = play(flat(25, 25, 26), THERE_AND_BACK, config)
    assert result.fills["commission"].to_list() == pytest.approx([5.0, 5.0 + 0.7228 + 0.166])
    assert gain(result) == pytest.approx(989.1112)
    booked = result.journal.filter(pl.col("cause") == "commission")["amount"]
    assert booked.to_list() == pytest.approx([-5.0, -5.8888])


@pytest.mark.parametrize(("quantity", "price", "paid"), [(100, 25, 1.0), (1000, 25, 5.0), (1000, 0.25, 2.5)])
def test_the_examples_on_the_brokers_page(quantity: float, price: float, paid: float) -> None:
    config = commission("per_share", per_share=0.005, minimum=1.0, cap_rate=0.01)
    result = play(flat(price, price), {1: [buy(quantity)]}, config)
    assert result.fills["commission"].to_list() == pytest.approx([paid])


def test_uk_shares() -> None:
    config = commission("rate", rate=0.0005, minimum=3.0, maximum=29.0) | {"costs.tax": {"buy_rate": 0.005}}
    result = play(flat(10, 10, 10.5), THERE_AND_BACK, config)
    assert result.fills["commission"].to_list() == pytest.approx([55.0, 5.25])
    assert gain(result) == pytest.approx(439.75)


def test_maker_and_taker() -> None:
    config = commission("maker_taker", maker=-0.0001, taker=0.0005)
    config |= {"costs.spread": {"kind": "rate", "rate": 0.0002}}
    bars = [FLAT, (100, 100, 94, 100), FLAT]
    result = play(bars, {1: [buy(2, limit=95)], 2: [sell(2)]}, config)
    assert result.fills["price"].to_list() == pytest.approx([95.0, 99.98])
    assert result.fills["commission"].to_list() == pytest.approx([-0.019, 0.09998])
    assert gain(result) == pytest.approx(9.87902)


def test_a_limit_that_takes_at_its_first_meeting_is_no_maker() -> None:
    config = commission("maker_taker", maker=0.001, taker=0.002)
    for price, paid in ((100, 0.002 * 1000), (99, 0.001 * 990)):  # taken at the open, or rested until the path
        result = play([FLAT, (100, 100, 98, 100)], {1: [buy(10, limit=price)]}, config)
        assert result.fills["commission"].to_list() == pytest.approx([paid])


def days(count: int, prices: list[float], volume: float, first: date = date(2024, 1, 26)) -> pl.DataFrame:
    """Daily bars of symbol A with these closes; each opens at its close."""
    when = [first + timedelta(days=n) for n in range(count)]
    return pl.DataFrame(
        {"timestamp": when, "symbol": "A"} | dict.fromkeys(("open", "high", "low", "close"), prices)
    ).with_columns(volume=pl.lit(volume))


class EachDay(Strategy):
    """Asks after each day for the signed quantity that is due."""

    due: dict[int, float] = {}  # noqa: RUF012  a parameter

    def on_bar(self) -> None:
        quantity = self.due.get(self.data.count("A"), 0.0)
        if quantity > 0.0:
            self.broker.buy("A", quantity)
        elif quantity < 0.0:
            self.broker.sell("A", -quantity)


def test_the_month_decides_what_fills_pay() -> None:
    """80 at 100 each on 27, 28 and 29 January and on 1 February: before them are 0, 8 000 and 16 000, and 0 again."""
    tiers = [{"up_to": 10_000.0, "rate": 0.002}, {"rate": 0.001}]
    config = BacktestConfig.load({}, **commission("monthly_tiered", tiers=tiers))
    result = run(EachDay(due={1: 80, 2: 80, 3: 80, 6: 80}), days(8, [100.0] * 8, 1e6), config)
    assert result.fills["timestamp"].dt.date().to_list() == [date(2024, 1, d) for d in (27, 28, 29)] + [
        date(2024, 2, 1)
    ]
    assert result.fills["commission"].to_list() == pytest.approx([16.0, 16.0, 8.0, 16.0])


def test_the_square_root() -> None:
    """Returns of a and −a with a = 0.02/√2 have a sample deviation of 0.02; 10 000 of 1 000 000 is a root of 0.1."""
    high = 50.0 * math.exp(0.02 / math.sqrt(2))
    bars = days(5, [50.0, high, 50.0, high, 51.0], 1_000_000.0).with_columns(
        open=pl.Series([50.0, high, 50.0, 50.0, 51.0]), low=pl.Series([50.0, high, 50.0, 50.0, 51.0])
    )
    slippage = {"kind": "square_root", "coefficient": 1.0, "window": 2}
    config = BacktestConfig.load({"costs": {"slippage": slippage}}, **{"account.cash": 1e6})
    result = run(EachDay(due={3: 10_000, 4: -10_000}), bars, config)
    assert result.fills["reference_price"].to_list() == [50.0, 51.0]
    assert result.fills["price"].to_list() == pytest.approx([50.10, 50.898])
    assert result.fills["slippage"].to_list() == pytest.approx([1000.0, 1020.0])


# ---------------------------------------------------------------------------------------------------------- single terms
def slippage(kind: str, **terms: Any) -> dict[str, Any]:
    return {"costs.slippage": {"kind": kind, **terms}}


@pytest.mark.parametrize(
    ("quantity", "worse"),
    [
        (50, 100 * 0.1 * 0.05**2),  # of a bar of 1 000
        (500, 100 * 0.1 * 0.25),
        (1000, 100 * 0.1),
        (3000, 100 * 0.1),  # beyond the bar's volume it counts as all of it
    ],
)
def test_volume_share(quantity: float, worse: float) -> None:
    config = MARGIN | {"account.cash": 1e7} | slippage("volume_share", impact=0.1)
    result = play([FLAT] * 3, {1: [buy(quantity)], 2: [sell(quantity)]}, config)
    assert result.fills["price"].to_list() == pytest.approx([100 + worse, 100 - worse])


def test_a_bar_without_volume_counts_as_a_share_of_one() -> None:
    bars = frame([FLAT, FLAT]).with_columns(volume=0.0)
    assert play(bars, {1: [buy(1)]}, slippage("volume_share", impact=0.02)).fills["price"].to_list() == [102.0]


QUOTED = frame([FLAT, (100, 106, 99, 105), FLAT]).with_columns(
    open_bid=pl.Series([1.0, 99.0, 1.0]), open_ask=pl.Series([1.0, 100.0, 1.0]), bid=104.0, ask=108.0
)


@pytest.mark.parametrize(
    ("ask", "price", "more"),
    [
        (buy(10), 100 + 0.5 * 1, {}),  # at the open: 100 − 99
        (buy(10, stop=103), 103 + 0.5 * 4, {}),  # on the path: 108 − 104
        (buy(10), 105 + 0.5 * 4, {"fills.market": "next_close"}),
        (buy(10, limit=103), 100, {}),
    ],
)
def test_spread(ask: Ask, price: float, more: dict[str, Any]) -> None:
    result = play(QUOTED, {1: [ask]}, slippage("spread") | more)
    assert result.fills["price"].to_list() == pytest.approx([price])


@pytest.mark.parametrize(
    ("value", "bid", "ask", "fills"),
    [
        # at the open of 100 one more is wanted; at the ask of 102 it is 99, one less, and at the bid of 99 it is 102, two more: neither
        (10_100, 99, 102, []),
        # held at the open, less at the ask, more at the bid
        (10_000, 99, 102, []),
        # 108 at the open; 105 at the ask
        (10_800, 99, 102, [("buy", 5, 102)]),
        # quotes above the open: 101 there, but 98 at the ask of 103; 99 at the bid, so one is sold
        (10_100, 102, 103, [("sell", 1, 102)]),
        # quotes below the open, where it is held: 103 at the ask
        (10_000, 96, 97, [("buy", 3, 97)]),
    ],
)
def test_a_target_at_the_fill_is_bought_at_the_ask_or_sold_at_the_bid(
    value: float, bid: float, ask: float, fills: list[tuple[str, float, float]]
) -> None:
    """100 are held."""
    bars = frame([FLAT] * 3).with_columns(
        open_bid=pl.Series([100.0, 100.0, bid]), open_ask=pl.Series([100.0, 100.0, ask]), bid=99.0, ask=101.0
    )
    rules = {"fills.quote": "bid_ask", "orders.valuation": "fill_price"}
    result = play(bars, {1: [buy(100)], 2: [target_value(value)]}, rules)
    assert result.fills.select("side", "quantity", "price").rows()[1:] == fills
    if not fills:
        assert result.orders["reason"][-1] == "nothing_to_trade"


@pytest.mark.parametrize("quote", [98.0, math.nan])
def test_a_crossed_or_missing_quote_is_an_error(quote: float) -> None:
    wrong = QUOTED.with_columns(open_ask=pl.Series([1.0, quote, 1.0]))
    with pytest.raises(DataError, match="open_ask"):
        play(wrong, {1: [buy(10)]}, slippage("spread"))


def test_no_quote_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"costs\.slippage\.kind = 'spread' needs the column 'open_bid'"):
        play([FLAT, FLAT], {1: [buy(10)]}, slippage("spread"))


def test_too_few_days_are_an_error() -> None:
    """Two returns need three closes: the open of the third day knows two."""
    config = BacktestConfig.load({"costs": {"slippage": {"kind": "volatility", "share": 0.5, "window": 2}}})
    bars = days(6, [100.0, 110.0, 100.0, 110.0, 100.0, 100.0], 1e6)
    with pytest.raises(ModelError, match=r"order 1 on the bar of A at 2024-01-28T00:00:00\+00:00 depends on"):
        run(EachDay(due={2: 1}), bars, config)
    swing = math.log(1.1) * math.sqrt(2)  # of a and −a with a = ln 1.1
    assert run(EachDay(due={3: 1}), bars, config).fills["price"].to_list() == pytest.approx([110 * (1 + swing / 2)])


SPREAD = {"costs.spread": {"kind": "fixed", "amount": 0.5}}
STOP = {"costs.stop_slippage": {"kind": "rate", "rate": 0.01}}
PEAK = (100, 106, 99, 105)


@pytest.mark.parametrize(
    ("ask", "price", "config"),
    [
        (buy(10), 100.5, SPREAD),
        (buy(10, stop=104), 104.5, SPREAD),
        (buy(10, limit=100), 100, SPREAD),
        (buy(10, stop=104, limit=105), 104, SPREAD),
        (buy(10), 100 + 0.5 + 0.25, SPREAD | slippage("fixed", amount=0.25)),
        (buy(10), 100, STOP),
        (buy(10, stop=104), 104 * 1.01, STOP),
        (sell(10, stop=99), 99 * 0.99, STOP),
        (buy(10, stop=104, limit=105), 104, STOP),
        (buy(10, stop=104), 104 * 1.01 + 0.5 + 104 * 0.02, STOP | SPREAD | slippage("rate", rate=0.02)),
        # 104 + 2 · 0.25 + 3 · 0.25
        (
            buy(10, stop=104),
            105.25,
            slippage("ticks", ticks=2)
            | {"costs.stop_slippage": {"kind": "ticks", "ticks": 3}, "instruments.default.tick_size": 0.25},
        ),
    ],
)
def test_spread_and_stops_come_on_top(ask: Ask, price: float, config: dict[str, Any]) -> None:
    result = play([FLAT, PEAK], {1: [ask]}, MARGIN | config)
    assert result.fills["price"].to_list() == pytest.approx([price])


@pytest.mark.parametrize(
    ("quantity", "paid", "config"),
    [
        (10, 10 * 2.25, commission("per_contract", per_contract=2.25)),
        (1, 5.0, commission("per_contract", per_contract=2.25, minimum=5.0)),
        (100, 50.0, commission("per_contract", per_contract=2.25, minimum=5.0, maximum=50.0)),
        (100, 8.0, commission("rate", rate=0.001, maximum=8.0)),
        (10, 3.0, commission("rate", rate=0.001, minimum=3.0)),
    ],
)
def test_minima_and_maxima(quantity: float, paid: float, config: dict[str, Any]) -> None:
    result = play([FLAT, FLAT], {1: [buy(quantity)]}, config)
    assert result.fills["commission"].to_list() == pytest.approx([paid])


def test_taxes_by_side_and_symbol() -> None:
    """1 000 each; B pays its own tax and no general one."""
    config = MARGIN | {"costs.tax": {"buy_rate": 0.005, "sell_rate": 0.001, "sell_per_unit": 0.5, "sell_cap": 3.0}}
    config |= {"costs.symbols": {"B": {"tax": {"sell_per_unit": 0.25}}}}
    bars = frame({"A": [FLAT] * 3, "B": [FLAT] * 3})
    result = play(bars, {1: [buy(10), buy(10, "B")], 2: [sell(10), sell(10, "B")]}, config)
    assert result.fills["commission"].to_list() == pytest.approx([5.0, 0.0, 1.0 + 3.0, 2.5])


def test_a_fee_table(tmp_path: Any) -> None:
    """A pays by unit, B as maker, all others by rate."""
    (tmp_path / "fees.csv").write_text(
        "symbol,per_unit,minimum,rate,maker_rate,taker_rate\nA,0.05,1,,,\nB,,,,-0.001,0.002\n*,,,0.003,,\n"
    )
    config = commission("table", path=str(tmp_path / "fees.csv"))
    bars = frame({name: [FLAT, (100, 100, 98, 100)] for name in "ABC"})
    asks: dict[float, list[Ask]] = {1: [buy(10), buy(10, "B", limit=99), buy(10, "B"), buy(10, "C")]}
    result = play(bars, asks, config)
    paid = dict(zip(result.fills["order_id"], result.fills["commission"], strict=True))
    assert paid == pytest.approx({1: 1.0, 2: -0.99, 3: 2.0, 4: 3.0})
