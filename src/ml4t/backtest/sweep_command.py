"""What `ml4t-backtest sweep` reads and prints: axes of a grid, the table of the combinations."""

import tomllib
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml4t.backtest.errors import ArtifactError, SweepError, nearest
from ml4t.backtest.grid import MOST

if TYPE_CHECKING:
    import polars as pl

FORMATS = (".parquet", ".csv")
SHOWN = ("total_return", "sharpe", "max_drawdown", "trades")


def axes(grids: Sequence[str]) -> dict[str, list[Any]]:
    """Return name → values of each `name=values`; values are `first:end:step` as in `range`, or separated by commas.

    Raises: SweepError for what is neither, and for a name that is given twice.

    >>> axes(["fast=5:20:5", "slow=50,100", "rate=0.1:0.4:0.1", "mode=a,true"])
    {'fast': [5, 10, 15], 'slow': [50, 100], 'rate': [0.1, 0.2, 0.3], 'mode': ['a', True]}
    """
    found: dict[str, list[Any]] = {}
    for grid in grids:
        name, equals, values = grid.partition("=")
        name = name.strip()
        if not (name and equals and values.strip()):
            raise SweepError(f"--grid {grid!r}: write name=first:end:step, or name=value,value,...")
        if name in found:
            raise SweepError(f"--grid {name!r} is given twice; write all of its values in one.")
        found[name] = _range(grid, values) if ":" in values else [_value(text) for text in values.split(",")]
    return found


def _range(grid: str, values: str) -> list[Any]:
    """The steps from the first value on, without the end; counted in decimals, so that 0.1:0.4:0.1 has three."""
    try:
        first, end, *steps = (Decimal(part.strip()) for part in values.split(":"))
        (step,) = steps or [Decimal(1)]
        is_right = all(number.is_finite() for number in (first, end, step)) and (end - first) * step > 0
    except (InvalidOperation, ValueError):
        is_right = False
    if not is_right:
        raise SweepError(f"--grid {grid!r}: first:end:step are numbers, and steps lead from the first towards the end.")
    count = int(((end - first) / step).to_integral_value(ROUND_CEILING))
    if count > MOST:
        raise SweepError(f"--grid {grid!r}: {count:,} values; a sweep has at most {MOST:,} combinations.")
    numbers = [first + place * step for place in range(count)]
    is_whole = all(number == int(number) for number in (first, step)) and "." not in values
    return [int(number) if is_whole else float(number) for number in numbers]


def _value(text: str) -> Any:
    """A value as a config file would have it: a number, true, false, or text with or without quotes."""
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def ranked(table: "pl.DataFrame", metric: str | None) -> "pl.DataFrame":
    """Return the table with the best of a metric first, failures last; None: as it is. Raises: SweepError for an unknown metric."""
    from ml4t.backtest.metrics import METRICS  # reason: `--help` must not load NumPy
    from ml4t.backtest.report.comparison import LOWER

    if metric is None:
        return table
    if metric not in METRICS or metric not in table.columns:
        known = [name for name in table.columns if name in METRICS]
        raise SweepError(
            f"--sort {metric!r} is no metric of the table.{nearest(metric, known)} There are {', '.join(known)}."
        )
    is_less_better = metric in LOWER
    return table.sort(metric, descending=not is_less_better, nulls_last=True, maintain_order=True)


def save(table: "pl.DataFrame", path: Path) -> None:
    """The file holds the table, as `check_format` allows. Raises: ArtifactError where it cannot be written."""
    from ml4t.backtest.report.csv_file import csv_text  # reason: as above

    try:
        if path.suffix == ".csv":
            path.write_text(csv_text(table), encoding="utf-8", newline="")
        else:
            table.write_parquet(path)
    except OSError as error:
        raise ArtifactError(f"Cannot write the table {path}: {error.strerror or error}.") from error


def text(table: "pl.DataFrame", most: int) -> str:
    """Return the first rows of the table for a terminal; of all metrics only the `SHOWN`."""
    import polars as pl  # reason: as above

    from ml4t.backtest.metrics import METRICS

    hidden = set(METRICS) - set(SHOWN) if set(METRICS) <= set(table.columns) else set()
    shown = table.head(most).drop(hidden)
    if shown["error"].null_count() == shown.height:
        shown = shown.drop("error")
    wide = pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=120)
    with wide, pl.Config(tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True):
        return str(shown)


def check_format(path: Path) -> Path:
    """Return the path. Raises: SweepError where it ends otherwise than the formats do."""
    if path.suffix not in FORMATS:
        raise SweepError(f"--output {str(path)!r}: a table is written as {' or '.join(FORMATS)}.")
    return path
