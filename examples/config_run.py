"""A run from a config file: saved, read back and run again. Writes to the folder given, or to ./runs."""

import sys
from pathlib import Path

from ml4t.backtest import run
from ml4t.backtest.artifacts import load_run, verify
from ml4t.backtest.config import load_config
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs").absolute()
config = load_config(Path(__file__).with_suffix(".toml"), ["costs.slippage.rate=0.001"])

result = run(Crossover(fast=20, slow=100), us_indices(), config, start="2005-01-01", end="2014-12-31")
print(result.trades.select("symbol", "entry_time", "exit_time", "pnl", "commission", "slippage", "exit_reason").tail(5))

path = result.save(folder / "config_run")
print(f"Run directory: {path}")
print(f"Sharpe ratio of the saved run: {load_run(path).metrics['sharpe']:.2f}")
print(verify(path))
