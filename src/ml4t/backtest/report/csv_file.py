"""Frames as CSV that a spreadsheet opens without running anything: text that begins like a formula gets an apostrophe."""

from pathlib import Path

import polars as pl

FORMULA = r"^[=+\-@\t\r]"
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def csv_text(frame: pl.DataFrame) -> str:
    """Return the frame as CSV; numbers are written in full, instants as ISO 8601 in UTC.

    >>> print(csv_text(pl.DataFrame({"symbol": ["=1+1", "SPX"], "pnl": [-1.5, 2.0]})), end="")
    symbol,pnl
    '=1+1,-1.5
    SPX,2.0
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    safe = [
        pl.when(pl.col(name).str.contains(FORMULA)).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name in texts
    ]
    return frame.with_columns(safe).write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.9fZ")


def write_csv(frames: dict[str, pl.DataFrame], folder: str | Path) -> list[Path]:
    """Return the files that now hold the frames, one each, in a folder that is made where it is missing."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = [target / f"{name}.csv" for name in frames]
    for path, frame in zip(paths, frames.values(), strict=True):
        path.write_text(csv_text(frame), encoding="utf-8", newline="")
    return paths
