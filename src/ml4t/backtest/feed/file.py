"""Files: Parquet and CSV. Anything unreadable ends as a `DataError` that guesses the cause."""

import os
import re
from pathlib import Path

import numpy as np
import polars as pl

from ml4t.backtest.errors import DataError

SMALLEST = 4
"""Bytes of a value in memory, at least: numbers have 4 or 8, texts more."""
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**40
"""Bytes of the machine; where it does not say, more than any has today."""
MAX_COLUMNS = 10_000
MAX_HEADER = 1_000_000
PICKLES = {".pkl", ".pickle", ".p", ".joblib", ".npy", ".npz"}
MAGIC = {
    b"PK\x03\x04": "a ZIP archive or Excel workbook",
    b"\x1f\x8b": "gzip-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"ARROW1": "an Arrow IPC (Feather) file",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
}
ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:(?P<mark>[T ])\d{2}:\d{2}(?P<seconds>:\d{2}(?:\.\d+)?)?(?P<offset>Z|[+-]\d{2}:?\d{2})?)?"
)


def read_file(path: Path, place: str) -> pl.DataFrame:
    """The rows of a .parquet or .csv file.

    Raises:
        DataError: the file is missing, of another kind, empty, damaged, or not what its name says.

    """
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise DataError(f"{place}: {suffix} files are never read, because they can run code. Save it as .parquet.")
    if suffix not in (".parquet", ".csv"):
        raise DataError(f"{place}: the extension {suffix or '(none)'} is not supported. Give a .parquet or .csv file.")
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise DataError(f"{place}: is a directory. Give one file.")
        if size == 0:
            raise DataError(f"{place}: the file is empty (0 bytes). Write it again.")
        return _read_parquet(path, place) if suffix == ".parquet" else _read_csv(path.read_bytes(), place)
    except FileNotFoundError as error:
        raise DataError(f"{place}: there is no such file (looked in {Path.cwd()}). Check the path.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{place}: the file cannot be opened: {error}. Check the path and its permissions.") from error


def _read_parquet(path: Path, place: str) -> pl.DataFrame:
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(b"PAR1"):
        raise DataError(f"{place}: this is not a Parquet file{_kind(head)}. Give a file written as Parquet.")
    try:
        rows, columns = _extent(path)
        if rows * columns * SMALLEST > MEMORY:
            raise DataError(
                f"{place}: the file has {rows:,} rows of {columns} columns, more than the {MEMORY / 1e9:.1f} GB of memory hold. "
                "Give the rows and columns that are needed: polars.scan_parquet(path).filter(...).select(...)."
            )
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except DataError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{place}: the Parquet file is truncated or damaged ({reason}). Download or write it again."
        ) from error


def _extent(path: Path) -> tuple[int, int]:
    """Rows and columns by the file's own table of contents: a few kilobytes may unpack to more than there is memory for."""
    rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item()
    return int(rows), len(pl.read_parquet_schema(path))


def _kind(head: bytes) -> str:
    return next((f"; it looks like {kind}" for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def _read_csv(data: bytes, place: str) -> pl.DataFrame:
    data = _checked_text(data, place)
    try:
        frame = pl.read_csv(data, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{place}: the CSV file cannot be read ({reason}). It must be comma-separated UTF-8."
        ) from error
    return frame.with_columns(_with_times(series) for series in frame.get_columns() if series.dtype == pl.String)


def _checked_text(data: bytes, place: str) -> bytes:
    """The bytes without a byte-order mark, if they can be comma-separated UTF-8 with as many cells in every row."""
    if kind := _kind(data[:8]):
        raise DataError(f"{place}: this is not a CSV file{kind}. Give a plain .csv file.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[:200].count(0) > 20:
        raise DataError(f"{place}: the file looks like UTF-16. Save it as UTF-8.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if (zero := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise DataError(f"{place}: line {line} contains a NUL byte; the file is damaged. Write it again.")
    header = data.partition(b"\n")[0].rstrip(b"\r")
    if len(header) > MAX_HEADER or header.count(b",") >= MAX_COLUMNS:
        raise DataError(f"{place}: the first line has more than {MAX_COLUMNS} columns or {MAX_HEADER} bytes.")
    if b"," not in header:
        for mark, name in ((b";", "';'"), (b"\t", "tabs"), (b"|", "'|'")):
            if mark in header:
                raise DataError(
                    f"{place}: the columns look separated by {name} instead of commas; numbers may have decimal commas "
                    "too. Read it with polars.read_csv(path, separator=..., decimal_comma=...) and pass the frame."
                )
    names = [name.strip() for name in header.decode(errors="replace").replace('"', "").split(",")]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{place}: the column {twice[0]!r} appears twice in the first line. Rename one.")
    if b'"' not in data:  # with quotes a comma may be text; then a short row shows up as missing values
        _check_rows(data, place)
    return data


def _check_rows(data: bytes, place: str) -> None:
    characters = np.frombuffer(data.rstrip() + b"\n", np.uint8)
    line_ends = np.flatnonzero(characters == ord("\n"))
    cells = np.diff(np.searchsorted(np.flatnonzero(characters == ord(",")), line_ends), prepend=0) + 1
    if (cells == cells[0]).all():
        return
    line = int(np.argmax(cells != cells[0]))
    cause = " Numbers with decimal commas or thousands separators are a common cause." if cells[line] > cells[0] else ""
    raise DataError(
        f"{place}: row {line - 1} (line {line + 1}) has {cells[line]} cells where the first line has {cells[0]} "
        f"columns.{cause} Repair the line."
    )


def _with_times(series: pl.Series) -> pl.Series:
    """The column as dates or times if every cell has the ISO 8601 form of the first, else unchanged.

    Only ISO 8601: 01/02/2024 is the first of February to some and the second of January to others.
    """
    first = series.drop_nulls().head(1).to_list()
    form = ISO.fullmatch(first[0].strip()) if first else None
    if form is None:
        return series
    if form["mark"] is None:
        parsed = series.str.to_date("%Y-%m-%d", strict=False)
    else:
        pattern = f"%Y-%m-%d{form['mark']}%H:%M" + (":%S%.f" if form["seconds"] else "")
        if form["offset"]:
            text = series.str.replace(r"Z$", "+00:00")
            parsed = text.str.to_datetime(pattern + "%z", time_unit="ns", strict=False, time_zone="UTC")
        else:
            parsed = series.str.to_datetime(pattern, time_unit="ns", strict=False)
    return parsed if parsed.null_count() == series.null_count() else series
