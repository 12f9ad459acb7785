"""docs/columns.md: every example runs, and its tables are complete."""

from enum import IntEnum
from typing import Any

import polars as pl
import pytest

import ml4t.backtest
import page
from ml4t.backtest.columns.signals import Signals
from ml4t.backtest.datasets import us_indices

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


def test_the_choices_of_signals_are_listed() -> None:
    listed = {
        row["rule"].strip("`"): row["choices (default first)"].split(", ") for row in page.tables(PAGE)["Signals"]
    }
    choices: dict[str, type[IntEnum]] = dict(Signals.choices)
    assert {name: sorted(names) for name, names in listed.items()} == {
        name: sorted(member.name.lower() for member in choice) for name, choice in choices.items()
    }
    assert [names[0] for names in listed.values()] == [getattr(Signals, name).name.lower() for name in listed]
