"""What the feed returns: the arrays of a stream, and for the manifest where they came from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest, sha256
from os import stat_result
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import DataError


@dataclass(frozen=True)
class Input:
    """Where a stream came from, what the policies did to it, and its digest (computed when first asked for).

    `rows` counts the rows of the source, before any policy. `first` and `last` are the ISO 8601 UTC starts of the first
    and last kept row. `label` is the rule that gave the rows their times: start, end, session, or the columns.
    """

    name: str
    kind: str
    path: str | None
    rows: int
    counts: dict[str, int]
    label: str
    frequency_ns: int | None
    timezone: str
    warnings: tuple[str, ...]
    first: str
    last: str
    digest: Callable[[], str] = field(repr=False, compare=False)
    frame: pl.DataFrame | None = field(default=None, repr=False, compare=False)  # as given in memory; None for a file

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, or of the frame's column names, types and values.

        Raises:
            DataError: the file changed after it was read.

        """
        return self.digest()


@dataclass(frozen=True)
class Stream:
    """The rows of one input, sorted by (end, symbol). All arrays are read-only.

    Bars: every symbol has at least one row, bars of a symbol do not overlap, prices are valid.
    Information: `start` is the event's time and `end` its arrival, the instant from which it is known.
    """

    name: str
    symbols: tuple[str, ...]
    symbol: NDArray[np.int32]  # [N] index into symbols; -1: the row concerns no particular symbol
    start: NDArray[np.int64]  # [N] UTC ns
    end: NDArray[np.int64]  # [N] UTC ns
    session_close: NDArray[np.int64]  # [N] UTC ns
    session: NDArray[np.int32]  # [N] session date, days since 1970-01-01
    columns: dict[str, NDArray[np.float64]]  # name -> [N]
    position: NDArray[np.int64]  # [N] row in the source
    by_symbol: NDArray[np.int64] | None  # [N] places in order of symbol, then time; None: that is their order
    label: TimestampLabel  # SESSION only where start and end were made from dates
    is_subdaily: bool  # bars shorter than a day
    description: Input

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each symbol [S], of a stream whose rows all concern one."""
        if len(self.symbols) == 1:
            return np.array([len(self.symbol)])
        return np.bincount(self.symbol, minlength=len(self.symbols))


def file_sha256(path: Path, seen: stat_result) -> str:
    """SHA-256 of a file that has not changed since `seen`."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    now = path.stat()
    if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
        raise DataError(f"The file {path} changed while it was in use. Run again on a file that nothing writes to.")
    return digest


def frame_sha256(frame: pl.DataFrame) -> str:
    """SHA-256 over the column names, types, nulls and values of a frame, whatever its chunks."""
    digest = sha256(str(frame.height).encode())
    for series in frame.get_columns():
        digest.update(repr((series.name, str(series.dtype), series.null_count())).encode())
        if series.null_count():
            digest.update(np.packbits(series.is_null().to_numpy()).data)
        for part in _buffers(series):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _buffers(series: pl.Series) -> list[NDArray[np.generic]]:
    dtype = series.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal):
        series, dtype = series.cast(pl.String), pl.String()
    if dtype == pl.String:
        series = series.fill_null("")
        text = str(series.str.join("").item()).encode()
        return [series.str.len_bytes().to_numpy(), np.frombuffer(text, np.uint8)]
    if dtype == pl.Boolean:
        return [series.fill_null(value=False).to_numpy()]
    if dtype.is_numeric() or dtype.is_temporal():
        return [series.to_physical().fill_null(0).to_numpy()]
    return [np.frombuffer(repr(series.to_list()).encode(), np.uint8)]
