"""What a report is about: a run, in memory or saved, as frames and facts. Imports no user code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ml4t.backtest.artifacts.manifest import file_sha256
from ml4t.backtest.artifacts.saved_run import SavedRun
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.feed import Stream, StreamRules, load_bars

if TYPE_CHECKING:
    from pathlib import Path

    from ml4t.backtest.artifacts.manifest import InputRecord
    from ml4t.backtest.result import Result
    from ml4t.backtest.source import StrategySource

COLUMNS: dict[str, dict[str, Any]] = {
    "orders": {
        "tag": pl.String,
        "client_id": pl.String,
        "parent_id": pl.Int64,
        "limit": pl.Float64,
        "stop": pl.Float64,
    },
    "fills": {"origin": pl.String, "order_type": pl.String, "segment": pl.String},
    "trades": {"exit_reason": pl.String, "exit_type": pl.String, "mfe": pl.Float64, "mae": pl.Float64},
}
"""Columns that runs of older versions may lack; they are read as null."""


@dataclass(frozen=True)
class Subject:
    """A run to look at. `bars` are the bars it executed on, or None with the reason in `bars_missing`."""

    name: str
    status: str
    error: str | None
    strategy: "StrategySource"
    config: BacktestConfig
    metrics: Mapping[str, float | int | str | None]
    inputs: Sequence[Any]
    frames: Mapping[str, pl.DataFrame]
    bars: Stream | None
    bars_missing: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None

    @property
    def fills(self) -> pl.DataFrame:
        """One row an execution."""
        return self.frames["fills"]

    @property
    def orders(self) -> pl.DataFrame:
        """One row an order."""
        return self.frames["orders"]

    @property
    def trades(self) -> pl.DataFrame:
        """One row a trade, open ones last."""
        return self.frames["trades"]

    @property
    def equity(self) -> pl.DataFrame:
        """One row an equity point."""
        return self.frames["equity"]

    @property
    def journal(self) -> pl.DataFrame:
        """One row a change of cash."""
        return self.frames["journal"]

    @property
    def positions(self) -> pl.DataFrame:
        """One row a symbol, as the run ended."""
        return self.frames["positions"]

    @property
    def order_events(self) -> pl.DataFrame:
        """One row a transition of an order."""
        return self.frames["order_events"]

    @property
    def cash(self) -> float:
        """What the run started with, money."""
        return float(self.config.account.cash)

    @cached_property
    def symbols(self) -> list[str]:
        """Every symbol of the run."""
        return list(self.bars.symbols) if self.bars else self.positions["symbol"].to_list()

    @classmethod
    def of_result(cls, result: "Result") -> "Subject":
        """A result in memory."""
        return cls(
            name="not saved",
            status=result.status,
            error=result.error,
            strategy=result.strategy,
            config=result.config,
            metrics=result.metrics,
            inputs=result.inputs,
            frames=result.frames(),
            bars=result.bars,
        )

    @classmethod
    def of_saved(cls, run: SavedRun) -> "Subject":
        """A run directory. Its bars are read again from where they were kept, if they are as they were.

        Raises: ArtifactError when a frame or the configuration cannot be read.
        """
        manifest = run.manifest
        bars, missing = _bars(run)
        return cls(
            name=manifest.run_id,
            status=run.status,
            error=run.error,
            strategy=run.strategy,
            config=run.config,
            metrics=run.metrics,
            inputs=run.inputs,
            frames={name: completed(name, frame) for name, frame in run.frames().items()},
            bars=bars,
            bars_missing=missing,
            versions=manifest.versions,
            hashes={name: record.sha256 for name, record in manifest.artifacts.items()},
            git=manifest.git,
        )


def completed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with a column of nulls for each of `COLUMNS` that an older version did not write."""
    lacking = {column: kind for column, kind in COLUMNS.get(name, {}).items() if column not in frame.columns}
    return frame.with_columns(pl.lit(None, kind).alias(column) for column, kind in lacking.items())


def _bars(run: SavedRun) -> tuple[Stream | None, str | None]:
    """The bars of a saved run, or why they cannot be shown."""
    record = next((record for record in run.inputs if record.name == "bars"), None)
    path = _kept(run, record) if record else None
    if record is None or path is None:
        return None, "The bars were given in memory and not stored with the run."
    try:
        if record.file and file_sha256(path) != record.file.sha256:
            return None, f"The bars in {path.name} are not those of the run: the file was changed since."
        return load_bars(str(path), StreamRules.of(run.config)), None
    except OSError as error:
        return None, f"The bars in {path.name} cannot be read: {error.strerror}."
    except (BacktestError, ValueError) as error:
        return None, f"The bars in {path.name} cannot be read: {error}"


def _kept(run: SavedRun, record: "InputRecord") -> "Path | None":
    if record.stored:
        return run.folder / record.stored
    return run.folder.__class__(record.path) if record.path else None
