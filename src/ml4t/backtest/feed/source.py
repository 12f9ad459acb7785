"""Anything a user may hand in becomes a Polars frame that remembers where it came from."""

from dataclasses import dataclass
from functools import partial
from os import PathLike, stat_result
from pathlib import Path
from typing import Any

import polars as pl

from ml4t.backtest.errors import DataError

from .file import read_file
from .pandas_frame import frame_of_pandas
from .stream import file_sha256, frame_sha256

ACCEPTED = (
    "a Polars DataFrame or LazyFrame, a pandas DataFrame, an Arrow table or anything with __arrow_c_stream__, "
    "or the path of a .parquet or .csv file"
)
READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, TypeError)


@dataclass(frozen=True)
class Source:
    """A frame as given, with the name and the file by which messages refer to it."""

    name: str
    frame: pl.DataFrame
    path: Path | None
    seen: stat_result | None

    @property
    def place(self) -> str:
        """How messages name the source: `bars (file prices.csv)`."""
        return f"{self.name} (file {self.path})" if self.path else f"{self.name} (frame)"

    def digest(self) -> "partial[str]":
        """A call that computes the SHA-256 of the source."""
        if self.path is not None and self.seen is not None:
            return partial(file_sha256, self.path, self.seen)
        return partial(frame_sha256, self.frame)


def open_source(source: object, name: str) -> Source:
    """The source as a frame with at least one row.

    Raises:
        DataError: not an accepted kind of source, not readable, or empty.

    """
    path: Path | None = None
    seen: stat_result | None = None
    if isinstance(source, str | PathLike):
        path = Path(source)
        place = f"{name} (file {path})"
        frame = read_file(path, place)
        seen = path.stat()
    else:
        place = f"{name} (frame)"
        frame = _frame_of_object(source, place)
    if frame.height == 0:
        raise DataError(f"{place}: there are no rows. Give at least one.")
    if frame.height >= 2**31:
        raise DataError(f"{place}: {frame.height} rows are too many; at most 2,147,483,647 fit. Split the period.")
    return Source(name, frame, path, seen)


def frame_of(source: object) -> pl.DataFrame:
    """Any accepted source as a Polars frame, unchanged and unchecked apart from being readable and not empty.

    Accepted: a Polars DataFrame or LazyFrame; a pandas DataFrame, whose DatetimeIndex or MultiIndex becomes columns and
    whose (price, ticker) column pairs become rows; anything with `__arrow_c_stream__`; the path of a .parquet or .csv.

    >>> frame_of(pl.DataFrame({"a": [1]})).height
    1

    Raises:
        DataError: names the source and what is wrong with it.

    """
    return open_source(source, "data").frame


def _frame_of_object(source: Any, place: str) -> pl.DataFrame:
    try:
        if isinstance(source, pl.DataFrame):
            return source
        if isinstance(source, pl.LazyFrame):
            return source.collect(engine="in-memory")  # the streaming engine does not promise the order of rows
        if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "reset_index"):
            return frame_of_pandas(source, place)
        if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            frame = pl.from_arrow(source)
            if isinstance(frame, pl.DataFrame):
                return frame
    except DataError:
        raise
    except READ_ERRORS as error:
        raise DataError(f"{place}: the {type(source).__name__} cannot be read: {first_line(error)}.") from error
    raise DataError(f"{place}: a {type(source).__name__} is not accepted. Give {ACCEPTED}.")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
