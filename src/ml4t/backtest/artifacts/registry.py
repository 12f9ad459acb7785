"""A folder of runs as a registry: plain files, read into one frame; and what in it is no run and can go."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ml4t.backtest.artifacts.manifest import MANIFEST
from ml4t.backtest.artifacts.saved_run import load_run
from ml4t.backtest.errors import ArtifactError

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("final_equity", "total_return", "sharpe", "max_drawdown", "trades")
"""The metrics of a row; all others are in the run's metrics.json."""
LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


@dataclass(frozen=True)
class Garbage:
    """Something in the folder that is no whole run: a half-written one, or a run that failed."""

    path: Path
    reason: str
    size: int


def runs(root: str | Path) -> "pl.DataFrame":
    """Return one row a run directory below `root`, newest first: `run_id`, `created`, `status`, `strategy`, `data` (SHA-256 of the bars),
    the metrics of `COLUMNS`, and `path`. A directory whose manifest cannot be read has the status `unreadable`.

    Raises: ArtifactError when `root` is no directory.
    """
    import polars as pl  # reason: `--help` does not need it

    schema = {
        "run_id": pl.String,
        "created": pl.String,
        "status": pl.String,
        "strategy": pl.String,
        "data": pl.String,
        **dict.fromkeys(COLUMNS, pl.Float64),
        "path": pl.String,
    }
    rows = [_row(folder) for folder in _folders(root) if (folder / MANIFEST).is_file()]
    return pl.DataFrame(rows, schema).sort("created", "run_id", descending=[True, False], nulls_last=True)


def garbage(root: str | Path, *, failed: bool = False) -> list[Garbage]:
    """Return what was left behind by runs that were interrupted while they were written, and, if `failed`, failed runs.

    Whole runs, and whatever this package did not write, are never among them. Raises: ArtifactError.
    """
    found = []
    for folder in _folders(root):
        if LEFT_BEHIND.fullmatch(folder.name):
            found.append(Garbage(folder, "left behind by an interrupted save", _size(folder)))
        elif failed and (folder / MANIFEST).is_file() and _row(folder)["status"] == "failed":
            found.append(Garbage(folder, "the run failed", _size(folder)))
    return found


def remove(items: list[Garbage]) -> None:
    """The directories are gone. Raises: ArtifactError."""
    for item in items:
        try:
            shutil.rmtree(item.path)
        except OSError as error:
            raise ArtifactError(f"Cannot remove {item.path}: {error.strerror or error}.") from error


def _row(folder: Path) -> dict[str, object]:
    try:
        run = load_run(folder)
        metrics = run.metrics
        bars = next((record.sha256 for record in run.inputs if record.name == "bars"), None)
        return {
            "run_id": run.manifest.run_id,
            "created": run.manifest.created,
            "status": run.status,
            "strategy": run.strategy.name,
            "data": bars,
            **{name: metrics.get(name) for name in COLUMNS},
            "path": str(folder),
        }
    except (ArtifactError, ValueError):
        return {"run_id": folder.name, "status": "unreadable", "path": str(folder)}


def _folders(root: str | Path) -> list[Path]:
    folder = Path(root)
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is no directory of runs. Name the one that output.root names, such as runs.")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
