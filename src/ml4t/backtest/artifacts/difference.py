"""What differs between two saved runs, or between two frames. Imports no user code."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml4t.backtest.artifacts.saved_run import load_run

if TYPE_CHECKING:
    import polars as pl

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Difference:
    """The first place where two frames differ; `row` is None where the columns do, `column` where the lengths do."""

    row: int | None
    column: str | None
    left: object
    right: object

    def __str__(self) -> str:
        where = "columns" if self.row is None else f"row {self.row}"
        what = f", {self.column}" if self.column else ""
        return f"{where}{what}: {self.left} → {self.right}"


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side: only the differing config keys, all metrics, the first difference of each frame."""

    config: dict[str, Pair]
    metrics: dict[str, Pair]
    frames: dict[str, Difference | None]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        same_metrics = all(left == right for left, right in self.metrics.values())
        return not self.config and same_metrics and not any(self.frames.values())


def compare(left: str | Path, right: str | Path) -> Comparison:
    """Return what differs between two run directories. Raises: ArtifactError."""
    a, b = load_run(left), load_run(right)
    config = _pairs(a.config.flatten(), b.config.flatten())
    names = dict.fromkeys([*a.frame_names, *b.frame_names])
    return Comparison(
        config={key: pair for key, pair in config.items() if pair[0] != pair[1]},
        metrics=_pairs(a.metrics, b.metrics),
        frames={
            name: first_difference(a.frame(name), b.frame(name))
            if name in a.frame_names and name in b.frame_names
            else Difference(None, None, name in a.frame_names, name in b.frame_names)
            for name in names
        },
    )


def first_difference(left: "pl.DataFrame", right: "pl.DataFrame") -> Difference | None:
    """Return the first difference of two frames, top row first, then leftmost column; None when they are equal."""
    if left.schema != right.schema:
        return Difference(None, None, dict(left.schema), dict(right.schema))
    rows = min(left.height, right.height)
    first: tuple[int, str] | None = None
    for column in left.columns:
        # NaN equals NaN and null equals null: both mean that the value is not there.
        differs = left[column].head(rows).ne_missing(right[column].head(rows)).arg_true()
        if differs.len() and (first is None or differs[0] < first[0]):
            first = (differs[0], column)
    if first is not None:
        row, column = first
        return Difference(row, column, left[column][row], right[column][row])
    if left.height != right.height:
        return Difference(rows, None, f"{left.height} rows", f"{right.height} rows")
    return None


def _pairs(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Pair]:
    return {key: (left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])}
