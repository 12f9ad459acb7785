"""docs/results.md describes the frames of a result as they are."""

from typing import Any

import polars as pl
import pytest

import page
from ml4t.backtest import Result, Strategy, enums, run
from ml4t.backtest.datasets import us_indices

PAGE = page.tables(page.ROOT / "docs" / "results.md")
NAMED = {
    ("fills", "segment"): enums.Segment,
    ("fills", "origin"): enums.Origin,
    ("fills", "order_type"): enums.OrderType,
    ("orders", "type"): enums.OrderType,
    ("orders", "sizing"): enums.Sizing,
    ("orders", "time_in_force"): enums.TimeInForce,
    ("orders", "state"): enums.OrderState,
    ("orders", "limit_basis"): enums.Basis,
}


class Trader(Strategy):
    """Leaves rows in every frame."""

    def on_bar(self) -> None:
        if not self.portfolio.positions:
            self.broker.buy("SPX", percent=0.5, tag="in")
            self.record("cash", self.portfolio.cash)
            self.log("bought")
        else:
            self.broker.close("SPX")


@pytest.fixture(scope="module")
def results() -> list[Result]:
    bars = us_indices().head(200)
    return [run(Trader(), bars), run(Strategy(), bars.head(4))]


def spelled(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Enum):
        return "Enum"
    return "Datetime(ns, UTC)" if dtype == pl.Datetime("ns", "UTC") else str(dtype)


def test_every_column_is_described_in_order_with_its_type(results: list[Result]) -> None:
    described: dict[str, Any] = {
        name: [(row["column"].strip("`"), row["type"]) for row in rows] for name, rows in PAGE.items()
    }
    for result in results:  # with rows in every frame, and with none in most
        actual = {name: [(c, spelled(t)) for c, t in f.schema.items()] for name, f in result.frames().items()}
        assert list(described) == list(actual)
        assert described == actual


def test_the_first_result_has_rows_everywhere(results: list[Result]) -> None:
    assert [name for name, frame in results[0].frames().items() if frame.is_empty()] == []


def test_every_row_has_a_unit() -> None:
    units = {"–", "units", "price", "money", "time", "date", "bars", "count", "fraction"}
    assert {row["unit"] for rows in PAGE.values() for row in rows} == units


@pytest.mark.parametrize(("frame", "column"), NAMED)
def test_every_choice_is_named(frame: str, column: str) -> None:
    meaning = next(row["meaning"] for row in PAGE[frame] if row["column"] == f"`{column}`")
    assert [name for name in NAMED[frame, column].__members__ if f"`{name.lower()}`" not in meaning] == []
