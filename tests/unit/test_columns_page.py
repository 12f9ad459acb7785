"""docs/columns.md: every example runs, and its tables are complete."""

import re
from enum import IntEnum
from typing import Any

import polars as pl
import pytest

import ml4t.backtest
import page
from ml4t.backtest import Signals, TargetWeights
from ml4t.backtest.columns.order_frame import COLUMNS
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.schedule import PERIODS

PAGE = page.ROOT / "docs" / "columns.md"
EXAMPLES = page.code_blocks(PAGE, "python")


@pytest.fixture(scope="module")
def space() -> dict[str, Any]:
    """What the examples know; each may use what the ones before it made."""
    names = {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__}
    return names | {"pl": pl, "us_indices": us_indices}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_example_trades(number: int, space: dict[str, Any]) -> None:
    kept: list[Any] = []

    def run(*given: Any, **more: Any) -> Any:
        kept.append(ml4t.backtest.run(*given, **more))
        return kept[-1]

    space["run"] = run
    exec(EXAMPLES[number], space)
    assert [result.fills.height > 0 for result in kept] == [True]


@pytest.mark.parametrize(("heading", "strategy"), [("Signals", Signals), ("Target weights", TargetWeights)])
def test_the_choices_are_listed(heading: str, strategy: type[Signals | TargetWeights]) -> None:
    rows = page.tables(PAGE)[heading]
    listed = {row["rule"].strip("`"): row["choices (default first)"].split(", ") for row in rows}
    choices: dict[str, type[IntEnum]] = dict(strategy._choices)
    named = {name: names for name, names in listed.items() if name in choices}
    assert {name: sorted(names) for name, names in named.items()} == {
        name: sorted(member.name.lower() for member in choice) for name, choice in choices.items()
    }
    assert [names[0] for names in named.values()] == [getattr(strategy, name).name.lower() for name in named]


def test_every_schedule_is_listed() -> None:
    listed = next(row for row in page.tables(PAGE)["Target weights"] if row["rule"] == "`every`")
    names = listed["choices (default first)"].split(", ")
    assert names == ["signal", *PERIODS, "or a number of bars"]


def test_every_column_of_orders_is_listed() -> None:
    cells = ", ".join(row["column"] for row in page.tables(PAGE)["Orders"])
    assert set(re.findall(r"`(\w+)`", cells)) == {"timestamp", "symbol", *COLUMNS}
