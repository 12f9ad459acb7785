"""Every block of docs/report.md runs as it is written, in the order of the page."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import page
import reported
from ml4t.backtest import run
from ml4t.backtest.cli import app
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover
from ml4t.backtest.report.document import SECTIONS

PAGE = page.ROOT / "docs" / "report.md"


def test_the_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    blocks = page.code_blocks(PAGE, "python")
    assert len(blocks) == 7
    for block in blocks:
        exec(block, space)
    assert (tmp_path / "report.html").stat().st_size > 1.3e6


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(Crossover(), us_indices())
    for name in ("first", "second", "third"):
        result.save(tmp_path / "runs" / name)
    lines = [line for block in page.code_blocks(PAGE, "bash") for line in block.splitlines()]
    assert len(lines) == 13
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "ml4t-backtest"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (line, done.output)
    assert (tmp_path / "first.html").is_file()
    assert (tmp_path / "comparison.html").is_file()


def test_every_section_is_described() -> None:
    from ml4t.backtest.report import Subject
    from ml4t.backtest.report.section import Story

    story = Story(Subject.of_result(reported.ordinary()))
    described = [row["section"] for row in page.tables(PAGE)["The report"]]
    assert described == ["Overview", *(section(story).title for section in SECTIONS)]
