"""Run directories: written whole or not at all, read without importing user code, verified by running again."""

from ml4t.backtest.artifacts.difference import Comparison, Difference, compare
from ml4t.backtest.artifacts.manifest import Manifest
from ml4t.backtest.artifacts.outcome import Finding, Outcome, Verification
from ml4t.backtest.artifacts.run_id import check_run_id
from ml4t.backtest.artifacts.saved_run import SavedRun, load_run
from ml4t.backtest.artifacts.store import save
from ml4t.backtest.artifacts.verification import verify

__all__ = [
    "Comparison",
    "Difference",
    "Finding",
    "Manifest",
    "Outcome",
    "SavedRun",
    "Verification",
    "check_run_id",
    "compare",
    "load_run",
    "save",
    "verify",
]
