"""Arrays and wide frames become long frames: one row a time and symbol."""

from typing import Any

import numpy as np
import polars as pl

from ml4t.backtest.errors import DataError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.feed.column import Table, open_table
from ml4t.backtest.feed.source import open_source


def long_frame(given: Any, name: str, bars: Stream) -> pl.DataFrame:
    """The values as rows of a time, `symbol`, and the one column `name`.

    - An array `[instants at which a bar ends, symbols]` (or `[instants]` where there is one symbol): known when those bars end.
    - A frame with a column `symbol`: one further column.
    - A frame without: one column a symbol, or one column at all where there is one symbol.
    - Null and NaN are no value, and no row.

    Raises:
        DataError: another shape, a column that is no symbol, or more than one column.

    """
    if isinstance(given, np.ndarray):
        return _of_array(given, name, bars)
    table = open_table(open_source(given, name), (), is_bars=False)
    if not table.rest:
        raise table.error("there is no column beside the times", f"Found {table.source.frame.columns}.")
    times = [
        table.source.frame.columns[place]
        for place in sorted(table.source.frame.columns.index(column) for column in table.role.values())
    ]
    if "symbol" not in table.role:
        return _of_wide(table, times, name, bars.symbols)
    numbers = [column for column in table.rest if _is_number(table.source.frame[column])]
    if len(numbers) != 1:
        raise table.error(
            f"there are {len(numbers)} columns of numbers ({', '.join(numbers[:5])}), and {name} is one",
            f"Select it, or name it: frame=..., {name}={(numbers or ['column'])[0]!r}.",
        )
    values = table.source.frame.select(*times, pl.col(numbers[0]).cast(pl.Float64).alias(name))
    return _valued(values, name)


def with_symbol(frame: pl.DataFrame, bars: Stream) -> pl.DataFrame:
    """The frame with a column `symbol`. Raises DataError where it has none and there is more than one."""
    table = open_table(open_source(frame, "frame"), (), is_bars=False)
    if "symbol" in table.role:
        return frame
    if len(bars.symbols) > 1:
        raise table.error("there is no symbol column", f"Add it: the bars have {', '.join(bars.symbols[:10])}.")
    return frame.with_columns(symbol=pl.lit(bars.symbols[0]))


def _of_array(given: np.ndarray[Any, Any], name: str, bars: Stream) -> pl.DataFrame:
    ends = np.unique(bars.end)
    shape = (len(ends), len(bars.symbols))
    numbers = given.reshape(-1, 1) if given.ndim == 1 and shape[1] == 1 else given
    if numbers.shape != shape:
        raise DataError(
            f"{name}: an array of shape {given.shape} does not fit the bars. They end at {shape[0]} instants and have {shape[1]} "
            f"symbols ({', '.join(bars.symbols[:5])}), so give one of shape {shape}, in this order, or a frame with times."
        )
    if not (np.issubdtype(numbers.dtype, np.number) or numbers.dtype == np.bool_) or np.iscomplexobj(numbers):
        raise DataError(f"{name}: an array of {numbers.dtype} holds no numbers. Convert it to float64 or bool.")
    time = pl.Series(np.repeat(ends, shape[1])).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    symbol = pl.Series(bars.symbols, dtype=pl.Categorical).gather(np.tile(np.arange(shape[1]), shape[0]))
    columns = {"timestamp": time, "arrival": time, "symbol": symbol, name: numbers.astype(np.float64).ravel()}
    return _valued(pl.DataFrame(columns), name)


def _of_wide(table: Table, times: list[str], name: str, symbols: tuple[str, ...]) -> pl.DataFrame:
    frame = table.source.frame
    strange = [column for column in table.rest if column not in symbols]
    if strange and len(symbols) == 1 and len(table.rest) == 1:
        frame, strange = frame.rename({strange[0]: symbols[0]}), []
    if strange:
        raise table.error(
            f"the column {strange[0]!r} is no symbol of the bars, and there is no symbol column",
            f"Give a long frame with a symbol column, or one column a symbol.{nearest(strange[0], symbols)} "
            f"The bars have {', '.join(symbols[:10])}.",
            column=strange[0],
        )
    wide = [column for column in frame.columns if column not in times]
    for column in wide:
        if not _is_number(frame[column]):
            raise table.error(f"expected numbers, found {frame[column].dtype}", "Convert it.", column=column)
    frame = frame.sort(times, maintain_order=True)
    values = frame.select(pl.col(wide).cast(pl.Float64)).to_numpy().ravel()
    row = pl.Series(np.repeat(np.arange(frame.height), len(wide)))
    symbol = pl.Series("symbol", wide, pl.Categorical).gather(np.tile(np.arange(len(wide)), frame.height))
    long = frame.select(pl.col(times).gather(row)).with_columns(symbol, pl.Series(name, values))
    return _valued(long, name)


def _valued(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows that have a value; all of them where none has one, because a stream without rows is none."""
    kept = frame.filter(pl.col(name).is_not_null() & pl.col(name).is_not_nan())
    return kept if kept.height else frame


def _is_number(series: pl.Series) -> bool:
    return series.dtype.is_numeric() or series.dtype == pl.Boolean
