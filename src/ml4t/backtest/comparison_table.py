"""A comparison of two runs as tables for a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ml4t.backtest.artifacts import Comparison


def comparison_tables(comparison: "Comparison", left: str, right: str) -> Iterator[Table]:
    """Yield one table each for the differing settings, all metrics, and the frames."""
    settings = _table("Settings that differ", ["setting", left, right])
    for key, pair in comparison.config.items():
        settings.add_row(*_cells(key, *pair))
    if not comparison.config:
        settings.add_row(*_cells("none", "", ""))
    yield settings
    metrics = _table("Metrics", ["metric", left, right, "difference"])
    for name, (a, b) in comparison.metrics.items():
        metrics.add_row(*_cells(name, a, b, _change(a, b)))
    yield metrics
    frames = _table("Frames", ["frame", "first difference"])
    for name, difference in comparison.frames.items():
        frames.add_row(*_cells(name, "equal" if difference is None else difference))
    yield frames


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    return table


def _change(left: object, right: object) -> object:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return right - left if left != right else ""
    return "" if left == right else "differs"


def _cells(*values: Any) -> list[Text]:
    """Text, not markup: what comes from files must not steer the terminal."""
    shown = (f"{v:.6g}" if isinstance(v, float) else "–" if v is None else str(v) for v in values)
    return [Text("".join(c if c.isprintable() else " " for c in text)) for text in shown]
