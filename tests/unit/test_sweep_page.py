"""docs/sweep.md: its examples run."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ml4t.backtest
import page
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.cli import app
from ml4t.backtest.datasets import us_indices

PAGE = page.ROOT / "docs" / "sweep.md"


@pytest.mark.skipif(not IS_COMPILED, reason="a hundred times slower without the compiler")
def test_the_examples_run() -> None:
    space = {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__} | {"bars": us_indices()}
    for code in page.code_blocks(PAGE, "python"):
        exec(code, space)
    assert space["table"].height == 2


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", "example"]).exit_code == 0
    lines = [line for block in page.code_blocks(PAGE, "bash") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    assert (tmp_path / "costs.parquet").is_file()
