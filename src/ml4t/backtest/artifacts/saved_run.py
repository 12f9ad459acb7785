"""Reads run directories. Nothing here imports user code, and nothing in them is trusted."""

import json
import tomllib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ml4t.backtest.artifacts.manifest import (
    CONFIG,
    METRICS,
    FileRecord,
    InputRecord,
    Manifest,
    file_sha256,
    read_manifest,
)
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import ArtifactError, nearest
from ml4t.backtest.source import StrategySource

if TYPE_CHECKING:
    import polars as pl


class SavedRun:
    """A run directory as it was saved; frames are read when asked for."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def frame_names(self) -> list[str]:
        """Names of the result frames, in the order of `Result.frames()`."""
        return [name.removesuffix(".parquet") for name in self.manifest.artifacts if name.endswith(".parquet")]

    @cached_property
    def metrics(self) -> dict[str, float | int | str | None]:
        """The metrics; None where one is not defined."""
        return dict(json.loads(self._read(METRICS)))

    @cached_property
    def config(self) -> BacktestConfig:
        """The resolved configuration."""
        try:
            return BacktestConfig.load(tomllib.loads(self._read(CONFIG).decode()))
        except ValueError as error:
            raise ArtifactError(f"{self.folder / CONFIG} cannot be read: {error}") from error

    @property
    def status(self) -> str:
        """`complete`, or `failed` where the strategy raised."""
        return self.manifest.status

    @property
    def error(self) -> str | None:
        """Why the run failed."""
        return self.manifest.error

    @property
    def strategy(self) -> StrategySource:
        """The strategy's name, parameters and hashes."""
        return self.manifest.strategy

    @property
    def inputs(self) -> list[InputRecord]:
        """What the run read."""
        return self.manifest.inputs

    @property
    def leaky(self) -> list[str]:
        """The rules in use that look ahead."""
        return self.manifest.leaky

    @property
    def orders(self) -> "pl.DataFrame":
        """The frame `orders`."""
        return self.frame("orders")

    @property
    def positions(self) -> "pl.DataFrame":
        """The frame `positions`."""
        return self.frame("positions")

    def frame(self, name: str) -> "pl.DataFrame":
        """Return one result frame. Raises: ArtifactError when there is none of that name or it cannot be read."""
        import polars as pl  # reason: metrics and config can be read without it

        if name not in self.frame_names:
            raise ArtifactError(f"{self.folder} has no frame {name!r}.{nearest(name, self.frame_names)}")
        path = self.folder / f"{name}.parquet"
        try:
            return pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{path} cannot be read: {error}. `verify` tells which files changed.") from error

    def frames(self) -> "dict[str, pl.DataFrame]":
        """Return every result frame by name."""
        return {name: self.frame(name) for name in self.frame_names}

    def changed_artifacts(self) -> dict[str, str]:
        """Return what is wrong with each artifact that is not as it was written; empty when all are."""
        checked = {name: file_problem(self.folder / name, record) for name, record in self.manifest.artifacts.items()}
        return {name: problem for name, problem in checked.items() if problem}

    def __repr__(self) -> str:
        return f"SavedRun({str(self.folder)!r}, {self.manifest.status}, {self.manifest.strategy.name})"

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise ArtifactError(f"{self.folder / name} cannot be read: {error.strerror}.") from error


def load_run(path: str | Path, *, check: bool = False) -> SavedRun:
    """Return the saved run in a directory; with `check`, only if every artifact is as it was written.

    Raises: ArtifactError when it is not a complete run, or `check` finds a changed file.
    """
    folder = Path(path)
    run = SavedRun(folder, read_manifest(folder))
    if check and (changed := run.changed_artifacts()):
        listed = "; ".join(f"{name} {problem}" for name, problem in changed.items())
        raise ArtifactError(f"{folder} is not as it was written: {listed}.")
    return run


def file_problem(path: Path, record: FileRecord) -> str | None:
    """Return what distinguishes a file from its record, or None."""
    try:
        size = path.stat().st_size
        if size != record.size:
            return f"has {size} bytes instead of {record.size}"
        return None if file_sha256(path) == record.sha256 else "has other content than when it was written"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
