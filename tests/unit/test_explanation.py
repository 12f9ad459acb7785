"""Explanations: every number in them is one of the run's, worked out from the bars by hand."""

from datetime import UTC, datetime

import polars as pl
import pytest

import reported
from ml4t.backtest import Result, Strategy, run
from ml4t.backtest.errors import BacktestError


class Once(Strategy):
    """Buys ten on the first bar with a limit in reach, sells them on the third; then asks for too much."""

    def on_bar(self) -> None:
        count = self.data.count("A")
        if count == 1:
            self.broker.buy("A", 10, tag="first")
        elif count == 2:
            self.broker.sell("A", 10, limit=105.0)
        elif count == 3:
            self.broker.buy("A", 1_000_000)


@pytest.fixture(scope="module")
def result() -> Result:
    rows = [(100, 101, 99, 100), (101, 103, 100, 102), (102, 106, 101, 104), (104, 105, 103, 104)]
    bars = pl.DataFrame(rows, ["open", "high", "low", "close"], orient="row").with_columns(
        timestamp=pl.Series([datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]),
        symbol=pl.lit("A"),
        volume=pl.lit(1000),
    )
    costs = {"commission": {"kind": "rate", "rate": 0.001}, "slippage": {"kind": "fixed", "amount": 0.5}}
    return run(Once(), bars, cash=10_000, config={"costs": costs})


def test_the_life_of_a_market_order(result: Result) -> None:
    told = result.explain(order=1).splitlines()
    assert told[0] == "Order 1: buy 10 A, market, GTC, caused by strategy, tag first."
    assert told[1].startswith("Decided 2020-01-01 23:59")
    assert told[2].endswith("open 100, high 101, low 99, close 100, volume 1,000.")
    assert told[3].endswith("the account was worth 10,000.00, 10,000.00 of it cash.")
    assert told[4] == "Market orders fill at the next bar's open."
    assert "2020-01-02 00:00: fill 1, buy 10 at 101.5, at the open of the bar." in told
    assert any(line.endswith("volume 1,000. The market's price is its open.") for line in told)
    # 10 · 0.5 slippage; 10 · 101.5 · 0.001 commission; 10000 − 1015 − 1.015
    assert (
        "The market's price was 101; slippage cost 5.00 USD, commission 1.02 USD." in told
    )  # 1.015 as a float is just above
    assert (
        "Cash 10,000.00 → 8,983.99; position 0 → 10." in told or "Cash 10,000.00 → 8,983.98; position 0 → 10." in told
    )
    assert told[-1].startswith("It opened trade 1: long 10")


def test_the_life_of_a_limit_order_names_the_path(result: Result) -> None:
    told = result.explain(order=2)
    assert "Order 2: sell 10 A, limit, GTC, limit 105," in told
    assert "leg of the path inside the bar." in told
    assert "Inside a bar the extreme that is worse for the position comes first." in told
    assert "The market's price is on the way between its prices." in told
    assert "It closed trade 1" in told


def test_a_rejected_order_says_why_and_what_to_do(result: Result) -> None:
    told = result.explain(order=3)
    assert "It is rejected (insufficient cash)" in told
    assert "Order less, size by percent, or set account.shortfall to reduce." in told


def test_a_bar_is_told_with_the_account_before_and_after(result: Result) -> None:
    told = result.explain(time="2020-01-02 12:00").splitlines()
    assert told[0].startswith("A: 2020-01-02 00:00 to 2020-01-02 23:59, open 101, high 103, low 100, close 102")
    assert told[1].startswith("Before, 2020-01-01 23:59")
    assert any("fill 1, buy 10" in line for line in told)
    assert told[-1].startswith("After, 2020-01-02 23:59")
    assert result.explain(time="2020-01-02 12:00", symbol="A").splitlines() == told


def test_a_symbol_is_told_order_by_order(result: Result) -> None:
    told = result.explain(symbol="A").splitlines()
    assert told[0].startswith("A: 3 orders, 1 trades, P&L ")
    assert len(told) == 4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"order": 9}, "There is no order 9: the run has orders 1 to 3"),
        ({"time": "2021-01-01"}, "No bar covers 2021-01-01 00:00; the bars start between"),
        ({"time": "noon"}, "'noon' is no time"),
        ({"symbol": "B"}, "'B' is no symbol of the run"),
        ({}, "Say what to explain"),
        ({"order": 1, "time": "2020-01-02"}, "Say what to explain"),
    ],
)
def test_what_is_not_there_is_an_error(result: Result, asked: dict[str, object], message: str) -> None:
    with pytest.raises(BacktestError, match=message):
        result.explain(**asked)


def test_a_run_without_orders_says_so() -> None:
    with pytest.raises(BacktestError, match="There is no order 1: the run has none"):
        reported.idle().explain(order=1)
