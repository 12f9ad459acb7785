"""The example scripts run, and do what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import page

FOLDER = page.ROOT / "examples"
SAYS = {
    "ten_lines.py": ["Backtest of", "complete", "Total return"],
    "compiled_strategies.py": ["Crossover", "InverseVolatility", "fills, return"],
    "config_run.py": ["end_of_run", "Run directory:", "Identical: "],
    "signals.py": ["complete", "BUY 74 at 1273"],
}


def test_every_example_is_here() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_the_example_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *([str(tmp_path)] if name == "config_run.py" else [])],
        cwd=tmp_path,
        env=os.environ | {"POLARS_FMT_MAX_COLS": "20", "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [text for text in SAYS[name] if text not in done.stdout] == []


def test_a_score_is_acted_on_at_the_next_open_after_its_arrival() -> None:
    """January 1999 ends on Friday the 29th; its score arrives on Monday at noon, and Tuesday's open is the fill."""
    code = (FOLDER / "signals.py").read_text()
    space: dict[str, object] = {"__name__": "signals"}
    exec(compile(code, "signals.py", "exec"), space)
    fill = space["result"].fills.row(0, named=True)  # type: ignore[attr-defined]
    assert fill["timestamp"].isoformat() == "1999-02-02T14:30:00+00:00"  # 09:30 in New York
    assert fill["price"] == 1273.0
