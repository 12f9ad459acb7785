"""Orders from a frame: one a row, when it is known; what is wrong is named by its row."""

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import DataError, Orders, StrategyError, run
from ml4t.backtest.artifacts import verify
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.summary import text
from told import bars, minute, rows

FLAT = (100.0, 100.0, 100.0, 100.0)
MARGIN = {"account": {"cash": 100_000.0, "kind": "margin"}}


def frame(*given: dict[str, Any]) -> pl.DataFrame:
    """Orders of A at minute 1, unless they say something else."""
    return pl.DataFrame([{"timestamp": minute(1), "symbol": "A"} | row for row in given], infer_schema_length=None)


def sent(*given: dict[str, Any], data: pl.DataFrame | None = None, config: Any = MARGIN, **rules: Any) -> Any:
    return run(Orders(frame(*given), **rules), bars(*[FLAT] * 6) if data is None else data, config)


# --------------------------------------------------------------------------------------------------------------- terms
def test_sides_and_sizes() -> None:
    result = sent(
        {"side": "buy", "quantity": 3.0, "value": None, "percent": None},
        {"side": "SELL", "quantity": None, "value": 500.0, "percent": None},
        {"side": "buy", "quantity": None, "value": None, "percent": 0.1},
    )
    assert rows(result, "side", "sizing", "quantity") == [
        ("buy", "quantity", 3),
        ("sell", "value", 5),
        ("buy", "percent", 100),
    ]
    assert result.fills["timestamp"].to_list() == [minute(1)] * 3  # the open that follows, at the same instant


def test_a_sign_instead_of_a_side() -> None:
    assert rows(sent({"quantity": 3.0}, {"quantity": -2.0}), "side", "quantity") == [("buy", 3), ("sell", 2)]
    assert rows(sent({"side": 1, "quantity": 3}, {"side": -1, "quantity": 2}), "side") == [("buy",), ("sell",)]


def test_every_term_arrives() -> None:
    given = {"side": "buy", "quantity": 10.0, "limit": 99.0, "stop": 101.0, "tif": "day", "tag": "mine"}
    exits = {"stop_loss": 0.05, "take_profit": 0.10, "trail": 0.08, "max_bars": 3}
    result = sent(given | exits, given | {"limit": None, "stop": None, "tif": "BARS", "bars": 2, "tag": None})
    first, second = (row for row in result.orders.filter(origin="strategy").iter_rows(named=True))
    assert (first["type"], first["limit"], first["stop"], first["time_in_force"], first["tag"]) == (
        "stop_limit",
        99,
        101,
        "day",
        "mine",
    )
    assert (second["type"], second["time_in_force"], second["tag"]) == ("market", "bars", None)
    origins = result.orders.filter(pl.col("parent_id") == first["order_id"])["origin"].to_list()
    assert origins == ["stop_loss", "take_profit", "trailing_stop", "max_bars"]


def test_exits_may_be_prices() -> None:
    data = bars(FLAT, FLAT, (100.0, 100.0, 90.0, 95.0), FLAT)
    trade = sent({"quantity": 10, "stop_loss": 94.0}, data=data, stops_are_prices=True).trades.row(0, named=True)
    assert (trade["exit_reason"], trade["exit_price"]) == ("stop_loss", 94.0)


def test_reduce_only() -> None:
    result = sent({"quantity": 10}, {"timestamp": minute(3), "quantity": -25, "reduce_only": True})
    assert result.positions["quantity"].to_list() == [0]


# ------------------------------------------------------------------------------------------------------------- time
def test_rows_of_one_time_are_sent_in_their_order() -> None:
    data = bars(*[FLAT] * 4, symbols="AB")
    result = sent(
        {"symbol": "B", "quantity": 1}, {"quantity": 2}, {"quantity": 2}, {"symbol": "B", "quantity": 4}, data=data
    )
    assert rows(result, "symbol", "quantity") == [("B", 1), ("A", 2), ("A", 2), ("B", 4)]


def test_an_order_is_known_at_its_time_and_fills_at_the_next_open() -> None:
    """10:01:30 is inside the bar that starts at 10:01; 10:02 is its end."""
    result = sent({"timestamp": minute(1.5), "quantity": 1}, {"timestamp": minute(2), "quantity": 2})
    assert result.orders["submitted_at"].to_list() == [minute(1.5), minute(2)]
    assert result.fills["timestamp"].to_list() == [minute(2), minute(2)]


def test_an_arrival_is_later_than_the_time() -> None:
    result = sent({"known_at": minute(3), "quantity": 1})
    assert result.fills["timestamp"].to_list() == [minute(3)]


def test_an_order_of_the_night_gets_the_open() -> None:
    """Sent at 08:00, before the session: an order on the open of that day fills at it."""
    spx = us_indices().filter(symbol="SPX").head(5)
    day = spx["timestamp"][2]
    at = datetime(day.year, day.month, day.day, 8)
    orders = pl.DataFrame({"timestamp": [at], "symbol": ["SPX"], "side": ["buy"], "quantity": [1], "tif": ["OPG"]})
    session = {"data": {"session": {"open": "09:30", "close": "16:00", "timezone": "America/New_York"}}}
    assert run(Orders(orders), spx, session).fills["price"].to_list() == [spx["open"][2]]


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("us")])
def test_dates_and_midnights_mean_the_end_of_the_session(kind: Any) -> None:
    spx = us_indices().filter(symbol="SPX").head(5)
    orders = pl.DataFrame({"timestamp": [spx["timestamp"][1]], "symbol": ["SPX"], "quantity": [1]})
    orders = orders.with_columns(pl.col("timestamp").cast(kind))
    assert run(Orders(orders), spx).fills["price"].to_list() == [spx["open"][2]]


def test_what_is_known_before_the_first_bar_gets_its_open() -> None:
    early = {"timestamp": minute(-60)}
    result = sent(
        early | {"quantity": 1, "tag": "x"}, early | {"quantity": -2, "tag": None}, {"quantity": 4, "tag": "y"}
    )
    assert rows(result, "side", "quantity", "tag") == [("buy", 1, "x"), ("sell", 2, None), ("buy", 4, "y")]
    assert result.fills["timestamp"].to_list() == [minute(0), minute(0), minute(1)]


def test_orders_that_no_decision_hears_of_are_counted() -> None:
    """Bars end at minutes 1 to 6. Three of them are the warm-up; what was known before the first bar is sent."""
    times = [minute(-60), minute(0.5), minute(3), minute(3.5), minute(7), minute(9), minute(60)]
    given = [{"timestamp": time, "quantity": 1} for time in times]
    result = run(Orders(frame(*given)), bars(*[FLAT] * 6), MARGIN, warmup=3)
    assert result.orders["submitted_at"].to_list() == [minute(0), minute(3.5)]
    told = ["2 of 7 rows arrived in the 3 bars of run.warmup", "3 of 7 rows arrived after the last bar"]
    warnings = result.inputs[-1].warnings
    assert [line.partition(":")[0] for line in warnings] == told
    assert all(f"Input signals: {line}" in text(result) for line in told)
    assert sent(*given[2:4]).inputs[-1].warnings == ()


def test_the_only_symbol_may_be_named_by_the_run() -> None:
    early = frame({"timestamp": minute(-60), "quantity": 1}, {"quantity": 2})
    result = run(Orders(early), bars(*[FLAT] * 4).drop("symbol"), symbol="A")
    assert result.fills["timestamp"].to_list() == [minute(0), minute(1)]


def test_a_saved_run_can_be_verified(tmp_path: Path) -> None:
    spx = us_indices().filter(pl.col("timestamp") < date(1999, 6, 1))
    days = [date(1999, 2, 1), date(1999, 2, 1), date(1999, 3, 1)]
    orders = pl.DataFrame(
        {"timestamp": days, "symbol": ["SPX", "SPX", "NASDAQ"], "quantity": [1, 2, 3], "tag": ["a", None, "b"]}
    )
    result = run(Orders(orders), spx)
    assert rows(result, "quantity", "tag") == [(1, "a"), (2, None), (3, "b")]
    assert verify(result.save(tmp_path / "saved")).outcome.name == "IDENTICAL"


# -------------------------------------------------------------------------------------------------------------- errors
GOOD = {"quantity": 1.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"quantity": None}, "column 'quantity': an order has exactly one of quantity, value and percent"),
        ({"value": 5.0}, "an order has exactly one of quantity, value and percent"),
        ({"quantity": 0.0}, "a size without side must not be 0"),
        ({"quantity": math.inf}, "a size without side must not be 0, and finite"),
        ({"limit": -5.0}, "column 'limit': -5.0: it must be above 0 and finite"),
        ({"stop": 0.0}, "column 'stop': 0.0: it must be above 0 and finite"),
        ({"tif": "GDT"}, "column 'tif': 'GDT': it is no time in force for columns"),
        ({"tif": "GTD"}, "for GTD, which needs a time of its own, take BARS"),
        ({"tif": "IOC", "stop": 99.0}, "it is for market and limit orders, and this one has a stop"),
        ({"tif": "BARS"}, "tif='BARS' needs bars"),
        ({"bars": 3.0}, "bars belong to tif='BARS'"),
        ({"tif": "BARS", "bars": 1.5}, "column 'bars': 1.5: is no whole number"),
        ({"stop_loss": 5.0}, "column 'stop_loss': 5.0: is a rate (5 % is 0.05)"),
        ({"trail": 1.0}, "column 'trail': 1.0: is a rate"),
        ({"max_bars": 0.0}, "column 'max_bars': 0.0: it must be above 0"),
        ({"reduce_only": 1.0, "stop_loss": 0.1}, "opens nothing for exits to close"),
        ({"symbol": "C"}, "column 'symbol': the bars have no symbol 'C'"),
    ],
)
def test_the_row_of_what_is_wrong_is_named(wrong: dict[str, Any], message: str) -> None:
    good = dict.fromkeys(wrong) | GOOD | {"symbol": "A"}
    with pytest.raises(DataError) as raised:
        sent(good, good, GOOD | wrong)
    assert str(raised.value).startswith("orders (frame), row 2, ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("side", "size", "message"),
    [
        ("hold", 1.0, "column 'side': 'hold': it is no side. Write 'buy' or 'sell', 1 or -1."),
        (None, 1.0, "column 'side': it is no side"),
        ("buy", -1.0, "column 'quantity': -1.0: a size must be above 0 and finite. The side says the direction."),
    ],
)
def test_wrong_sides(side: str | None, size: float, message: str) -> None:
    with pytest.raises(DataError) as raised:
        sent({"side": "buy", "quantity": 1.0}, {"side": side, "quantity": size})
    assert "row 1" in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            frame(GOOD).rename({"quantity": "quantiy"}),
            "orders have no column 'quantiy'. Drop it. Did you mean 'quantity'",
        ),
        (frame(GOOD).drop("symbol"), "there is no symbol column"),
        (frame(GOOD).drop("quantity").with_columns(side=pl.lit("buy")), "there is no size"),
        (frame(GOOD).drop("timestamp"), "no column 'timestamp'"),
        (frame(GOOD | {"tag": 5}), "column 'tag': expected texts, found Int64"),
        (frame(GOOD | {"limit": "99"}), "column 'limit': expected numbers, found String"),
        ([1, 2], "a list is not accepted"),
    ],
)
def test_the_columns_of_a_frame(given: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        run(Orders(given), bars(*[FLAT] * 3))
    assert message in str(raised.value)


def test_no_frame() -> None:
    with pytest.raises(StrategyError, match=r"pass the frame of orders, Orders\(frame\)"):
        Orders()
    with pytest.raises(StrategyError, match="the signals are not the orders that a run has saved"):
        run(Orders("signals"), bars(*[FLAT] * 3), signals=frame({"score": 1.0}).drop("symbol"))


def test_bars_of_some_symbols_only_are_no_hindrance() -> None:
    """An order for B is sent while only A has bars, and fills at B's next open."""
    data = pl.concat(
        [bars(*[FLAT] * 6), bars(*[FLAT] * 6, symbols="B").filter(pl.col("timestamp").is_in([minute(0), minute(4)]))]
    )
    result = sent({"symbol": "B", "quantity": 1}, data=data.sort("timestamp", "symbol"))
    assert result.fills["timestamp"].to_list() == [minute(4)]
    assert timedelta(0) < result.fills["timestamp"][0] - datetime(2024, 1, 1, tzinfo=UTC)
