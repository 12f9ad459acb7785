"""`ml4t-backtest sweep`: axes as they are written, the table as `sweep` gives it, printed, saved and as JSON."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import ml4t.backtest as engine
from ml4t.backtest import SweepError, SweepInterrupted, sweep
from ml4t.backtest.cli import app
from ml4t.backtest.demo import Crossover
from ml4t.backtest.metrics import METRICS
from ml4t.backtest.sweep_command import axes, ranked

GRID = ["--grid", "fast=5:20:5", "--grid", "slow=50,100"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "example"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    bars = pl.read_parquet(folder / "bars.parquet").filter(pl.col("timestamp").dt.year() < 2002)
    bars.write_parquet(folder / "bars.parquet")
    return folder


def command(folder: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["sweep", str(folder / "config.toml"), *options])


def test_the_table_is_that_of_sweep(folder: Path, tmp_path: Path) -> None:
    done = command(folder, *GRID, "--output", str(tmp_path / "table.parquet"))
    assert done.exit_code == 0, done.output
    costs = {"costs": {"commission": {"kind": "rate", "rate": 0.001}}}
    expected = sweep(Crossover, folder / "bars.parquet", {"fast": [5, 10, 15], "slow": [50, 100]}, costs)
    saved = pl.read_parquet(tmp_path / "table.parquet")
    assert_frame_equal(saved, expected, check_exact=True)
    assert set(METRICS) < set(saved.columns)
    assert f"6 combinations, 0 failed: {tmp_path / 'table.parquet'}" in done.output
    head = done.output.splitlines()[1]
    assert [cell.strip() for cell in head.strip("│").split("┆")] == [
        "fast", "slow", "total_return", "sharpe", "max_drawdown", "trades",
    ]  # fmt: skip


def test_settings_and_the_best_first(folder: Path, tmp_path: Path) -> None:
    options = ["--grid", "config.costs.commission.rate=0.0,0.01", "--metric", "cost", "--metric", "sharpe"]
    done = command(folder, *options, "--sort", "cost", "--top", "1", "--output", str(tmp_path / "t.csv"))
    assert done.exit_code == 0, done.output
    table = pl.read_csv(tmp_path / "t.csv")
    assert table["config.costs.commission.rate"].to_list() == [0.0, 0.01]  # of costs the least is the best
    assert "0.01 " not in done.output
    assert ranked(table, "sharpe")["sharpe"].to_list() == sorted(table["sharpe"], reverse=True)
    with pytest.raises(SweepError, match=r"--sort 'shrpe' is no metric of the table. Did you mean 'sharpe'"):
        ranked(table, "shrpe")


def test_json_and_chance(folder: Path) -> None:
    done = command(
        folder, *GRID, "--draw", "2", "--seed", "3", "--metric", "sharpe", "--json", "--set", "account.cash=500"
    )
    rows = json.loads(done.stdout)
    space = {"fast": [5, 10, 15], "slow": [50, 100]}
    costs = {"costs": {"commission": {"kind": "rate", "rate": 0.001}}}
    drawn = sweep(
        Crossover, folder / "bars.parquet", space, costs, cash=500, method="random", n=2, seed=3, metrics="sharpe"
    )
    assert rows == drawn.to_dicts()


def test_failures_are_rows_and_counted(folder: Path) -> None:
    done = command(folder, "--grid", "fast=0,5", "--metric", "sharpe")
    assert done.exit_code == 0
    assert "2 combinations, 1 failed" in done.output
    assert "ValueError" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grid", "fast"], "--grid 'fast': write name=first:end:step, or name=value,value,..."),
        (["--grid", "fast="], "write name=first:end:step"),
        (["--grid", "fast=5:1"], "first:end:step are numbers"),
        (["--grid", "fast=1:5:0"], "first:end:step are numbers"),
        (["--grid", "fast=1:a"], "first:end:step are numbers"),
        (["--grid", "fast=0:1:0.0000001"], "10,000,000 values; a sweep has at most 1,000,000"),
        (["--grid", "fast=1", "--grid", "fast=2"], "--grid 'fast' is given twice"),
        (["--grid", "fst=1"], "Crossover has no parameter 'fst'. Did you mean 'fast'?"),
        (["--grid", "fast=a"], "Crossover.fast"),
        (["--grid", "config.data.bars=a,b"], "the data are read once for all combinations"),
        (["--grid", "fast=1", "--output", "x.xlsx"], "a table is written as .parquet or .csv"),
        (["--grid", "fast=1", "--metric", "shape"], "No metric 'shape'. Did you mean 'sharpe'?"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, options: list[str], message: str) -> None:
    done = command(folder, *options)
    assert done.exit_code == 2
    assert message in done.output.replace("\n", "")


def test_a_range_is_without_its_end_and_counts_in_decimals() -> None:
    found = axes(["a=1:4", "b=0.1:0.45:0.1", "c=9:0:-3", "d=1.0:3", "e='x',\"y\",z", "f=true,1e3"])
    assert found["a"] == [1, 2, 3]
    assert found["b"] == [0.1, 0.2, 0.3, 0.4]
    assert found["c"] == [9, 6, 3]
    assert [type(value) for value in found["d"]] == [float, float]
    assert (found["e"], found["f"]) == (["x", "y", "z"], [True, 1000.0])


def test_an_interrupted_sweep_prints_what_is_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        error = SweepInterrupted("1 of 6 combinations are done")
        error.result = pl.DataFrame({"fast": [5], "sharpe": [0.5], "error": pl.Series([None], dtype=pl.String)})
        raise error

    monkeypatch.setattr(engine, "sweep", interrupted)
    done = command(folder, *GRID)
    assert done.exit_code == 130
    assert "1 combinations, 0 failed" in done.output
