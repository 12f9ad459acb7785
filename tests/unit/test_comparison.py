"""Runs side by side: settings, better metrics, matched trades, the first divergence; and the registry of a folder."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import reported
from ml4t.backtest import Result, run
from ml4t.backtest.artifacts.registry import garbage, remove, runs
from ml4t.backtest.cli import app
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover
from ml4t.backtest.errors import ArtifactError
from ml4t.backtest.metrics import METRICS
from ml4t.backtest.report import Subject, comparison_html
from ml4t.backtest.report.comparison import HIGHER, LOWER, best, divergence, matched_trades, settings
from parsed_page import ParsedPage


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def pair() -> tuple[Result, Result]:
    """The same strategy with and without slippage."""
    bars = reported.bars(("AAA", "BBB"), 60)
    free = {**reported.CONFIG, "costs": {"commission": {"kind": "rate", "rate": 0.001}}}
    return run(reported.Alternate(), bars, config=reported.CONFIG), run(reported.Alternate(), bars, config=free)


@pytest.fixture(scope="module")
def root(pair: tuple[Result, Result], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root") / "runs"
    for name, result in zip(("one", "two"), pair, strict=True):
        result.save(folder / name)
    return folder


def test_settings_that_differ(pair: tuple[Result, Result]) -> None:
    found = settings([Subject.of_result(result) for result in pair])
    assert found["costs.slippage.kind"] == ["rate", "none"]
    assert set(found) == {"costs.slippage.kind", "costs.slippage.rate"}


def test_the_first_divergence_is_the_first_fill_that_slipped(pair: tuple[Result, Result]) -> None:
    left, right = map(Subject.of_result, pair)
    parted = divergence(left, right)
    assert parted is not None
    assert parted.frame == "fills"
    assert parted.time == left.fills["timestamp"][0]
    assert divergence(left, left) is None


def test_a_run_that_ends_earlier_diverges_where_the_other_goes_on(pair: tuple[Result, Result]) -> None:
    whole = Subject.of_result(pair[0])
    short = Subject.of_result(
        run(reported.Alternate(), reported.bars(("AAA", "BBB"), 60).head(80), config=reported.CONFIG)
    )
    parted = divergence(short, whole)
    assert parted is not None
    assert parted.left == "nothing"


def test_parameters_differ_and_who_acts_first_acts_alone() -> None:
    """The same order, but one run sends it later: at the first moment it does nothing."""
    spx = us_indices().filter(symbol="SPX")
    early, late = (Subject.of_result(run(Crossover(slow=slow), spx)) for slow in (100, 200))
    assert settings([early, late]) == {"strategy.parameters.slow": [100, 200]}
    parted = divergence(late, early)
    assert parted is not None
    assert late.orders["submitted_at"][0] > early.orders["submitted_at"][0]
    assert (parted.frame, parted.time, parted.left) == ("orders", early.orders["submitted_at"][0], "nothing")
    assert parted.right.startswith("SPX, market")


def test_trades_match_by_symbol_side_and_entry(pair: tuple[Result, Result]) -> None:
    left, right = map(Subject.of_result, pair)
    matched = matched_trades(left, right)
    both = matched.filter(pl.col("status") == "both")
    assert both.height == left.trades.height == right.trades.height
    assert both["difference"].sum() == pytest.approx(right.trades["pnl"].sum() - left.trades["pnl"].sum())
    from dataclasses import replace

    fewer = replace(right, frames={**right.frames, "trades": right.trades.tail(-2)})
    assert matched_trades(left, fewer).filter(pl.col("status") == "left").height == 2
    assert matched_trades(fewer, left).filter(pl.col("status") == "right").height == 2


def test_the_better_metric_is_marked() -> None:
    assert best("sharpe", [1.0, 2.0]) == 1
    assert best("max_drawdown", [-0.2, -0.1]) == 1
    assert best("commission", [5.0, 7.0, 6.0]) == 0
    assert best("sharpe", [1.0, 1.0]) is None
    assert best("sharpe", [None, None]) is None
    assert best("trades", [1, 2]) is None
    assert set(METRICS) >= HIGHER | LOWER
    assert not HIGHER & LOWER


def test_the_page_has_both_curves_and_all_metrics(pair: tuple[Result, Result]) -> None:
    page = ParsedPage(comparison_html([Subject.of_result(result) for result in pair], ["a", "<b>"]))
    assert [trace["name"] for trace in page.figures["curves"]["data"]] == [
        "a",
        "&lt;b&gt;",
    ]  # Plotly takes markup in names
    rows = {row[0]: row[1:] for row in page.rows("metrics-table")}
    assert rows["Slippage"][1] == "0.00 ★"
    assert "★" not in rows["Closed trades"][0]
    assert "b" not in page.tags


def test_compare_on_the_command_line(root: Path, tmp_path: Path) -> None:
    shown = call("compare", root / "one", root / "two", "--html", tmp_path / "c.html")
    assert shown.exit_code == 0, shown.output
    assert "First divergence: 2015-01-02 00:00:00, fills" in shown.output
    assert "★" in shown.output
    assert "First divergence" in (tmp_path / "c.html").read_text()
    record = json.loads(call("compare", root / "one", root / "two", root / "one", "--json").stdout)
    assert record["settings"]["costs.slippage.kind"] == ["rate", "none", "rate"]
    assert record["against_the_first"][1]["first_divergence"] is None
    assert record["better"]["slippage"].endswith("two")
    assert call("compare", root / "one").exit_code == 2


# ------------------------------------------------------------------------------------------------------ the registry
def test_a_folder_of_runs_is_a_table(root: Path, pair: tuple[Result, Result]) -> None:
    frame = runs(root)
    assert frame["run_id"].to_list() == ["two", "one"]
    assert frame["final_equity"].to_list() == [pair[1].metrics["final_equity"], pair[0].metrics["final_equity"]]
    rows = json.loads(call("runs", "list", "--root", root, "--json").stdout)
    assert [row["run_id"] for row in rows] == ["two", "one"]
    assert "two" in call("runs", "list", "--root", root).output
    assert json.loads(call("runs", "show", "on", "--root", root, "--json").stdout)["fills"] == pair[0].fills.height
    found = json.loads(call("runs", "diff", "one", "two", "--root", root, "--json").stdout)
    assert found["config"]["costs.slippage.kind"] == ["rate", "none"]
    assert call("runs", "show", "three", "--root", root).exit_code == 2
    assert call("runs", "list", "--root", root / "nowhere").exit_code == 2


def test_only_what_was_left_behind_is_garbage(root: Path, pair: tuple[Result, Result], tmp_path: Path) -> None:
    pair[0].save(tmp_path / "runs" / "kept")
    left = tmp_path / "runs" / ".other.0123abcd.tmp"
    left.mkdir()
    (left / "half.parquet").write_bytes(b"12345")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs" / ".link.0123abcd.tmp").symlink_to(tmp_path / "outside", target_is_directory=True)
    found = garbage(tmp_path / "runs", failed=True)
    assert [(one.path.name, one.size) for one in found] == [(".other.0123abcd.tmp", 5)]
    assert "would remove" in call("runs", "gc", "--root", tmp_path / "runs").output
    assert left.exists()
    assert json.loads(call("runs", "gc", "--root", tmp_path / "runs", "--yes", "--json").stdout)["removed"] is True
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [".link.0123abcd.tmp", "kept", "notes"]
    with pytest.raises(ArtifactError, match="Cannot remove"):
        remove(found)


def test_a_damaged_run_is_listed_as_unreadable(pair: tuple[Result, Result], tmp_path: Path) -> None:
    folder = pair[0].save(tmp_path / "runs" / "one")
    (folder / "manifest.json").write_text("{}")
    assert runs(tmp_path / "runs")["status"].to_list() == ["unreadable"]
