"""What the README promises works as written."""

import os
import re
import runpy
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import page
from ml4t.backtest import Signal, Strategy, run
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover

BARS = us_indices().filter(pl.col("symbol") == "SPX", pl.col("timestamp").dt.year() < 2005)


def test_the_ten_line_example_trades_the_crossover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = page.code_blocks(page.README, "python")[0]
    BARS.write_parquet(tmp_path / "bars.parquet")
    (tmp_path / "ten_lines.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    result = runpy.run_path("ten_lines.py")["result"]
    assert (tmp_path / "runs" / "first" / "manifest.json").is_file()

    means = BARS.select(fast=pl.col("close").rolling_mean(20), slow=pl.col("close").rolling_mean(30))
    is_up = (means["fast"] > means["slow"]).fill_null(value=False)
    entries = [i for i in range(1, len(is_up)) if is_up[i] and not is_up[i - 1]]
    exits = [i for i in range(1, len(is_up)) if is_up[i - 1] and not is_up[i]]
    assert result.fills["timestamp"][0].date() == BARS["timestamp"][entries[0] + 1]
    assert result.fills["price"][0] == BARS["open"][entries[0] + 1]
    sold = result.fills.filter(pl.col("side") == "sell")
    assert sold["timestamp"].dt.date().to_list() == [BARS["timestamp"][i + 1] for i in exits]
    assert (sold["position_after"] == 0).all()


def test_the_short_calls_work() -> None:
    code = page.code_blocks(page.README, "python")[1]
    scores = BARS.select("timestamp", "symbol", score=pl.col("close").pct_change().fill_null(0.0))
    heard: list[Signal] = []

    class Listener(Strategy):
        def on_signal(self, signal: Signal) -> None:
            heard.append(signal)

    results: list[Any] = []

    def kept(*arguments: Any, **keywords: Any) -> None:
        results.append(run(*arguments, **keywords))

    exec(code, {"run": kept, "strategy": Listener(), "bars": BARS, "scores": scores})
    assert [result.config.account.cash for result in results] == [1e6, 100_000.0]
    assert results[0].config.costs.commission.rate == 0.001
    assert len(heard) == BARS.height


def test_the_commands_exist() -> None:
    first, second, *_ = page.code_blocks(page.README, "bash")
    assert first.endswith("pip install -e . && ml4t-backtest demo\n")
    assert second.endswith('pip install -e ".[test]" && ./check\n')
    assert os.access(page.ROOT / "check", os.X_OK)
    ci = page.ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    assert 'pip install --quiet -e ".[test]"' in ci.read_text()
    assert "./check" in ci.read_text()


def test_the_named_commands_of_the_program_are_its_commands() -> None:
    from ml4t.backtest.cli import app

    commands = {str(info.name or getattr(info.callback, "__name__", "")) for info in app.registered_commands}
    commands |= {str(group.name) for group in app.registered_groups} & {"runs"}
    named = set(re.findall(r"^ml4t-backtest (\w+)", "\n".join(page.code_blocks(page.README, "bash")), re.MULTILINE))
    assert named <= commands
    assert named >= commands - {"demo", "version"}


def test_the_demo_is_what_the_readme_says() -> None:
    sessions = us_indices()["timestamp"].dt.year()
    assert (sessions.min(), sessions.max()) == (1999, 2018)
    assert issubclass(Crossover, Strategy)
