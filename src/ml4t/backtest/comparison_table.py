"""A comparison of two runs as tables for a terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ml4t.backtest.report.comparison import best, divergence, matched_trades, metrics, settings

if TYPE_CHECKING:
    from ml4t.backtest.artifacts import Comparison
    from ml4t.backtest.report import Subject


def comparison_tables(comparison: "Comparison", left: str, right: str) -> Iterator[Table]:
    """Yield one table each for the differing settings, all metrics, and the frames."""
    settings = _table("Settings that differ", ["setting", left, right])
    for key, pair in comparison.config.items():
        settings.add_row(*_cells(key, *pair))
    if not comparison.config:
        settings.add_row(*_cells("none", "", ""))
    yield settings
    values = _table("Metrics", ["metric", left, right, "difference"])
    for name, (a, b) in comparison.metrics.items():
        better = best(name, [a, b])
        marked = [f"{_shown(value)} ★" if place == better else value for place, value in enumerate((a, b))]
        values.add_row(*_cells(name, *marked, _change(a, b)))
    yield values
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
    return [Text("".join(c if c.isprintable() else " " for c in _shown(value))) for value in values]


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "–" if value is None else str(value)


def pair_lines(left: "Subject", right: "Subject", a: str, b: str) -> list[str]:
    """Return in sentences how the trades of two runs match and where the runs part."""
    counts = dict(matched_trades(left, right).group_by("status").len().iter_rows())
    parted = divergence(left, right)
    return [
        f"Trades: {counts.get('both', 0):,} in both, {counts.get('left', 0):,} only in {a}, {counts.get('right', 0):,} only in {b}",
        f"First divergence: {parted}" if parted else "Orders, fills and equity are the same throughout.",
    ]


def comparison_record(subjects: "list[Subject]", names: list[str]) -> dict[str, Any]:
    """Return the comparison as JSON has it; trades and divergences are each other run against the first."""
    others = []
    for subject, name in zip(subjects[1:], names[1:], strict=True):
        parted = divergence(subjects[0], subject)
        trades = dict(matched_trades(subjects[0], subject).group_by("status").len().iter_rows())
        record = (
            {"time": parted.time.isoformat(), "frame": parted.frame, "left": parted.left, "right": parted.right}
            if parted
            else None
        )
        others.append({"run": name, "trades": trades, "first_divergence": record})
    table = metrics(subjects)
    return {
        "runs": names,
        "settings": settings(subjects),
        "metrics": table,
        "better": {
            name: None if (place := best(name, values)) is None else names[place] for name, values in table.items()
        },
        "against_the_first": others,
    }
