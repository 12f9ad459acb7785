"""A strategy in steps: what step n answers in the nth decision on minute bars that are written out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ml4t.backtest import Exits, Strategy, run

START = datetime(2024, 3, 5, 10, tzinfo=UTC)
FLAT = (100.0, 100.0, 100.0, 100.0)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def bars(*rows: tuple[float, ...], symbols: str = "A") -> pl.DataFrame:
    """Minute bars labelled by their start, the same for each symbol."""
    table = [(minute(n), symbol, *row, 1000.0) for n, row in enumerate(rows) for symbol in symbols]
    return pl.DataFrame(table, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


def told(
    *steps: Callable[[Strategy], Any], data: pl.DataFrame | None = None, config: Any = None, exits: Exits | None = None
) -> tuple[list[Any], Any]:
    """The answers of the steps, and the result of the run; one more bar than steps, where no data is given."""
    answers: list[Any] = []

    class Steps(Strategy):
        def on_bar(self) -> None:
            if len(answers) < len(steps):
                answers.append(steps[len(answers)](self))

    strategy = Steps()
    strategy.exit_rules = exits
    result = run(strategy, data if data is not None else bars(*[FLAT] * (len(steps) + 1)), config)
    return answers, result


def rows(result: Any, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of the orders, as tuples."""
    return result.orders.select(columns).rows()  # type: ignore[no-any-return]
