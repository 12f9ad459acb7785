"""The released ml4t-diagnostic loads the files that `export --format diagnostic` writes. Slow: it needs an environment of its own.

Version 0.2 wants Python 3.12 and the released engine that shares our import name. ML4T_DIAGNOSTIC_PYTHON names an interpreter that has
both; without it a Python 3.12 or 3.13 on the machine gets them from PyPI.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import reported
from ml4t.backtest.report import Subject, export_run

LOADS = """
import json, sys
from ml4t.diagnostic.integration.backtest import profile_from_run_artifacts
profile = profile_from_run_artifacts(sys.argv[1])
trades = profile.result.trades
print(json.dumps({"trades": len(trades), "pnl": sum(t.pnl for t in trades), "symbols": sorted({t.symbol for t in trades}),
                  "last": profile.result.equity_curve[-1][1], "weights": profile.signals_df.height}))
"""


def interpreter(folder: Path) -> str:
    if given := os.environ.get("ML4T_DIAGNOSTIC_PYTHON"):
        return given
    candidates = (
        [sys.executable] if sys.version_info >= (3, 12) else [shutil.which("python3.13"), shutil.which("python3.12")]
    )
    base = next((path for path in candidates if path and runs(path)), None)
    if base is None:
        pytest.fail("ml4t-diagnostic 0.2 needs Python 3.12 or newer; name one with it in ML4T_DIAGNOSTIC_PYTHON")
    subprocess.run([base, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "ml4t-diagnostic>=0.2", "ml4t-backtest"], check=True)
    return python


def runs(python: str) -> bool:
    """A version manager leaves commands on the path behind which there is no interpreter."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_the_released_package_loads_the_files(tmp_path: Path) -> None:
    result = reported.ordinary()
    export_run(Subject.of_result(result), tmp_path / "files", "diagnostic")
    command = [interpreter(tmp_path / "environment"), "-c", LOADS, str(tmp_path / "files")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    closed = result.trades.filter(~pl.col("is_open"))
    assert loaded["trades"] == closed.height
    assert loaded["pnl"] == pytest.approx(closed["pnl"].sum())
    assert loaded["symbols"] == ["AAA", "BBB"]
    assert loaded["last"] == pytest.approx(result.equity["equity"][-1])
    assert loaded["weights"] == pl.read_parquet(tmp_path / "files" / "weights.parquet").height
