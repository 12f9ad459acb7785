"""Units compiled by other processes are found in the cache; where there are no processes, they are compiled here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fresh_process import python
from ml4t.backtest import _build
from ml4t.backtest._build import build, shares
from ml4t.backtest._jit import IS_COMPILED

FEW = 3
"""Units that the test compiles: small ones, of which the third calls the second."""

BUILT = """
import json, sys
from numba.core import event

compiled = event.RecordingListener()
event.register("numba:compile", compiled)
import ml4t.backtest.engine
from ml4t.backtest import _build, _jit

del _jit._units[FEW:]
_build.WORTH_A_PROCESS = 1
_build._cores = lambda: CORES
if BROKEN:
    sys.executable = BROKEN
_jit.link_units()
print(json.dumps(sum(block.is_start for _, block in compiled.buffer)))
"""


def compiled_here(cache: Path, cores: int, broken: str = "") -> int:
    """How many functions a process compiles itself that links a few units with this cache and so many cores."""
    script = BUILT.replace("FEW", str(FEW)).replace("CORES", str(cores)).replace("BROKEN", repr(broken))
    compiled: int = json.loads(python("-c", script, NUMBA_DISABLE_JIT="0", ML4T_BACKTEST_CACHE=str(cache)).stdout)
    return compiled


@pytest.mark.skipif(not IS_COMPILED, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")
@pytest.mark.parametrize(
    ("cores", "broken", "compiles"),
    [(2, "", False), (1, "", True), (2, "/no/such/python", True), (2, "/bin/false", True)],
)
def test_whoever_needs_units_loads_what_processes_compiled(
    tmp_path: Path, cores: int, broken: str, compiles: bool
) -> None:
    assert (compiled_here(tmp_path, cores, broken) > 0) is compiles
    assert compiled_here(tmp_path, cores) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_keep_neighbours_together_and_are_about_equal(count: int) -> None:
    extents = {f"unit {n}": extent for n, extent in enumerate([900, 50, 50, 300, 1_200, 10, 700, 650, 20, 500])}
    found = shares(extents, count)
    assert len(found) == count
    assert [symbol for share in found for symbol in share] == list(extents)
    loads = [sum(extents[symbol] for symbol in share) for share in found]
    assert max(loads) <= sum(extents.values()) / count + max(extents.values())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_program_is_not_started_again(frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its executable is the program itself, not an interpreter."""
    started: list[Sequence[str]] = []

    def refused(command: Sequence[str], **options: Any) -> None:
        started.append(command)
        raise OSError

    monkeypatch.setattr(_build, "Popen", refused)
    monkeypatch.setattr(_build, "_cores", lambda: 2)
    monkeypatch.setattr("sys.frozen", frozen, raising=False)
    build({f"unit {n}": 1 for n in range(2 * _build.WORTH_A_PROCESS)})
    assert (len(started) == 0) is frozen
