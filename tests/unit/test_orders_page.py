"""docs/orders.md: every example places its orders, in the situation that the page describes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import ml4t.backtest
import page
from ml4t.backtest import Strategy, enums, run
from ml4t.backtest.request import ORDER_NAMES

PAGE = page.ROOT / "docs" / "orders.md"
EXAMPLES = [code for code in page.code_blocks(PAGE, "python") if not code.startswith("class")]
SPACE: dict[str, Any] = {"datetime": datetime} | {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__}


def bars(count: int) -> pl.DataFrame:
    """Minute bars of A and B at 100, of 10,000 units."""
    start = datetime(2024, 3, 5, 10, tzinfo=UTC)
    rows = [
        (start + timedelta(minutes=n), symbol, 100.0, 101.0, 99.0, 100.0, 1e4) for n in range(count) for symbol in "AB"
    ]
    return pl.DataFrame(rows, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


def placed(code: str) -> Any:
    """The orders of a run in which the code ran once, in the fourth decision, with a position of 10 A."""

    class Once(Strategy):
        def on_bar(self) -> None:
            count = self.data.count("A")
            if count == 1:
                self.broker.buy("A", 10)
            if count == 4:
                assert self.portfolio.position("A").quantity == 10
                exec(code, {"self": self, **SPACE})

    return run(Once(), bars(6)).orders


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_line_makes_an_order(number: int) -> None:
    code = EXAMPLES[number]
    orders = placed(code)
    asked = len(re.findall(r"\.(?:buy|sell|order_target_\w+|close|protect)\(", code))
    assert orders.height >= 1 + asked
    assert (orders["state"] != "rejected").all()


def test_all_types_and_times_in_force_are_shown() -> None:
    orders = pl.concat([placed(code) for code in EXAMPLES])
    assert set(orders["type"]) == {kind.name.lower() for kind in enums.OrderType}
    assert set(orders["time_in_force"]) == {tif.name.lower() for tif in enums.TimeInForce}
    assert set(orders["origin"]) >= {"stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars"}


def test_every_term_is_shown() -> None:
    text = PAGE.read_text()
    assert [name for name in ORDER_NAMES if not re.search(rf"\b{name}=", text)] == []


def test_the_strategy_of_the_page_is_guarded() -> None:
    code = next(code for code in page.code_blocks(PAGE, "python") if code.startswith("class"))
    space = dict(SPACE)
    exec(code, space)

    class Buys(space["Guarded"]):  # type: ignore[misc]
        def on_bar(self) -> None:
            if not self.portfolio.positions and not self.broker.orders():
                self.broker.buy("A", 10)

    origins = run(Buys(), bars(3)).orders["origin"].to_list()
    assert origins == ["strategy", "stop_loss", "take_profit", "trailing_stop", "stop_loss", "trailing_stop"]
