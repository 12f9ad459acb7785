"""quantstats and pyfolio take `result.returns()` as it is, and agree with our metrics. Slow: they need an environment of their own.

ML4T_TEAR_SHEET_PYTHON names an interpreter that has quantstats, pyfolio-reloaded and this package; without it one is made from PyPI.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PINS = ("quantstats==0.0.86", "pyfolio-reloaded==0.10.1")
SHEETS = """
import json, sys, warnings
import matplotlib
matplotlib.use("Agg")
warnings.simplefilter("ignore")
import quantstats, pyfolio
from ml4t.backtest import run
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover

result = run(Crossover(), us_indices())
returns = result.returns()
before = returns.copy()
quantstats.reports.html(returns, output=sys.argv[1], title="Crossover")
pyfolio.create_returns_tear_sheet(returns, return_fig=True).savefig(sys.argv[2])
assert returns.equals(before)
stats = pyfolio.timeseries.perf_stats(returns)
names = ("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "skew", "kurtosis")
print(json.dumps({
    "ours": {name: result.metrics[name] for name in names},
    "pyfolio": {"total_return": stats["Cumulative returns"], "cagr": stats["Annual return"], "volatility": stats["Annual volatility"],
                "sharpe": stats["Sharpe ratio"], "sortino": stats["Sortino ratio"], "calmar": stats["Calmar ratio"],
                "max_drawdown": stats["Max drawdown"]},
    "quantstats": {"total_return": quantstats.stats.comp(returns), "volatility": quantstats.stats.volatility(returns),
                   "sharpe": quantstats.stats.sharpe(returns), "sortino": quantstats.stats.sortino(returns),
                   "max_drawdown": quantstats.stats.max_drawdown(returns)},
}, default=float))
"""


def interpreter(folder: Path) -> str:
    if given := os.environ.get("ML4T_TEAR_SHEET_PYTHON"):
        return given
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[pandas]", *PINS], check=True)
    return python


@pytest.mark.slow
def test_quantstats_and_pyfolio_make_their_sheets_of_the_returns(tmp_path: Path) -> None:
    sheets = [tmp_path / "quantstats.html", tmp_path / "pyfolio.png"]
    command = [interpreter(tmp_path / "environment"), "-c", SHEETS, *map(str, sheets)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Crossover" in sheets[0].read_text()
    assert all(sheet.stat().st_size > 50_000 for sheet in sheets)
    found = json.loads(done.stdout.splitlines()[-1])
    for theirs in ("pyfolio", "quantstats"):
        for name, value in found[theirs].items():
            assert value == pytest.approx(found["ours"][name], rel=1e-9), (theirs, name)
