"""pandas frames as people have them: a DatetimeIndex, a (date, symbol) index, or (price, ticker) columns."""

from datetime import date
from typing import Any

import polars as pl

from ml4t.backtest.errors import DataError

PRICES = {"open", "high", "low", "close"}


def frame_of_pandas(frame: Any, place: str) -> pl.DataFrame:
    """A pandas frame as a Polars frame; its index becomes columns, unless it only numbers the rows.

    (price, ticker) column pairs become one row per time and ticker; rows without any value are left out, and row
    numbers in messages then count the resulting rows.

    Raises:
        DataError: the columns hold Python objects that are not all of one kind.

    """
    if frame.columns.nlevels > 1:
        frame = _tickers_as_rows(frame, place)
    frame = _index_as_columns(frame)
    for name in frame.columns:
        if frame[name].dtype == object:
            _check_objects(frame[name], str(name), place)
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        twice = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise DataError(f"{place}: the column {twice[0]!r} appears twice. Rename one.")
    return pl.from_pandas(frame, nan_to_null=False)


def _tickers_as_rows(frame: Any, place: str) -> Any:
    levels = range(frame.columns.nlevels)
    price = [n for n in levels if {str(x).lower() for x in frame.columns.get_level_values(n)} >= PRICES]
    if len(price) != 1 or frame.columns.nlevels != 2:
        raise DataError(
            f"{place}: the column pairs {list(frame.columns)[:4]} are not (price, ticker). "
            "Give one row per time and symbol with plain column names."
        )
    frame = frame.rename_axis(index=frame.index.name or "timestamp")
    frame.columns = frame.columns.set_names(["symbol" if n != price[0] else "price" for n in levels])
    return frame.stack(level="symbol", future_stack=True).dropna(how="all").rename_axis(columns=None)


def _index_as_columns(frame: Any) -> Any:
    index = frame.index
    names = []
    for n in range(index.nlevels):
        level = index.levels[n] if index.nlevels > 1 else index
        fallback = "timestamp" if _is_time(level) else "symbol" if index.nlevels > 1 else None
        names.append(index.names[n] if index.names[n] is not None else fallback)
    if index.nlevels == 1 and (type(index).__name__ == "RangeIndex" or names[0] is None):
        return frame.reset_index(drop=True)
    if index.nlevels == 1 and names[0] in frame.columns:
        return frame.reset_index(drop=True)
    return frame.rename_axis(index=names).reset_index()


def _is_time(level: Any) -> bool:
    """Times of pandas, or Python's dates and datetimes, of which mixed time zones make objects."""
    if type(level).__name__ == "DatetimeIndex":
        return True
    return level.dtype == object and len(level) > 0 and all(isinstance(value, date) for value in level)


def _check_objects(series: Any, name: str, place: str) -> None:
    zones = {str(value.tzinfo) for value in series if hasattr(value, "tzinfo")}
    if len(zones) > 1:
        raise DataError(
            f"{place}, column {name!r}: mixes the time zones {sorted(zones)} (None: no zone). "
            "Convert with pandas.to_datetime(..., utc=True) before passing it."
        )
