"""The compile cache: what it depends on, what it survives, and that an edit of a strategy costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ml4t.backtest
from fresh_process import python
from ml4t.backtest import _cache, _jit
from ml4t.backtest._cache import DIGEST, cache_root, kernel_sources
from ml4t.backtest._jit import IS_COMPILED, Handle
from ml4t.backtest.allocation import prototype

PACKAGE = Path(ml4t.backtest.__file__).parent

compiled_only = pytest.mark.skipif(not IS_COMPILED, reason="nothing is compiled with NUMBA_DISABLE_JIT=1")

PROBE = """
import json, warnings
from numba.core import event, types

compiled = event.RecordingListener()
event.register("numba:compile", compiled)
from ml4t.backtest._cache import DIGEST, cache_root
from ml4t.backtest._jit import bind, entry
from ml4t.backtest.kernel.rounding import is_lot_multiple

@entry
def probe(quantity, lot):
    return is_lot_multiple(quantity, lot)

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    answer = probe(1.0 + 1e-6, 1.0)
print(json.dumps({
    "answer": answer,
    "digest": DIGEST,
    "compiled": sum(block.is_start for _, block in compiled.buffer),
    "hits": sum(probe.stats.cache_hits.values()),
    "warnings": [str(each.message) for each in caught],
    "folders": sorted(path.name for path in cache_root().glob("*")),
}))
"""
"""An entry point of its own file, and one kernel function that is compiled into it."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with this package in `src`, and an empty cache."""
    shutil.copytree(PACKAGE, tmp_path / "src/ml4t/backtest", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "probe.py").write_text(PROBE)
    return tmp_path


def probe(folder: Path, cache: str = "cache") -> dict[str, Any]:
    """What the probe found when it ran on the package in this folder, with the cache there."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "ML4T_BACKTEST_CACHE": str(folder / cache),
        "NUMBA_DISABLE_JIT": "0",
    }
    done = subprocess.run(
        [sys.executable, str(folder / "probe.py")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --------------------------------------------------------------------------------------------------------- the digest
def test_every_kernel_file_and_all_it_imports_is_in_the_digest() -> None:
    names = {path.relative_to(PACKAGE).as_posix() for path in kernel_sources()}
    assert {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "kernel").glob("**/*.py")} <= names
    for path in kernel_sources():
        for line in path.read_text().splitlines():
            if line.startswith("from ml4t.backtest."):
                module = line.split()[1].removeprefix("ml4t.backtest.").replace(".", "/")
                imported = module if (PACKAGE / f"{module}.py").exists() else "kernel/__init__"
                assert f"{imported}.py" in names or imported in {"errors", "_build", "pages"}, (
                    f"{path.name} imports {module}"
                )


def test_an_edit_of_a_leaf_is_seen(copy: Path) -> None:
    """Numba alone would not notice: the file of the entry point is the same."""
    before, again = probe(copy), probe(copy)
    assert before["answer"] is False
    assert (before["compiled"] > 0, before["hits"]) == (True, 0)
    assert (again["answer"], again["compiled"], again["hits"]) == (False, 0, 1)

    leaf = copy / "src/ml4t/backtest/kernel/rounding.py"
    text = leaf.read_text()
    assert text.count("NEARLY_WHOLE = 1e-9") == 1
    leaf.write_text(text.replace("NEARLY_WHOLE = 1e-9", "NEARLY_WHOLE = 1e-3"))
    after = probe(copy)
    assert after["answer"] is True
    assert after["digest"] != before["digest"]
    assert after["hits"] == 0
    assert after["folders"] == sorted([before["digest"], after["digest"]])

    leaf.write_text(text)
    assert probe(copy) == {**again, "folders": after["folders"]}


@pytest.mark.parametrize("flag", [{"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_OPT": "1"}, {"NUMBA_CPU_NAME": "generic"}])
def test_flags_that_change_the_code_change_the_digest(flag: dict[str, str]) -> None:
    shown = python("-c", "from ml4t.backtest._cache import DIGEST; print(DIGEST)", **flag).stdout.strip()
    assert len(shown) == len(DIGEST)
    assert shown != DIGEST


# ---------------------------------------------------------------------------------------------------------- its files
@pytest.mark.parametrize(
    ("kind", "damage"),
    [("nbi", b""), ("nbi", b"not a pickle"), ("nbc", None)],
    ids=["empty index", "garbage for an index", "half of the code"],
)
def test_a_damaged_cache_file_is_compiled_again_with_one_warning(copy: Path, kind: str, damage: bytes | None) -> None:
    probe(copy)
    (file,) = (copy / "cache").glob(f"*/*probe*.{kind}")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if damage is None else damage)
    found = probe(copy)
    assert found["answer"] is False
    assert found["compiled"] > 0
    assert [("damaged" in each and "compiled again" in each) for each in found["warnings"]] == [True]
    healed = probe(copy)
    assert (healed["hits"], healed["compiled"], healed["warnings"]) == (1, 0, [])


@compiled_only
def test_without_a_cache_the_code_runs_and_says_so(copy: Path) -> None:
    """A folder that cannot be made, because its parent is a file, as root sees no folder that it may not write to."""
    (copy / "file").write_text("")
    for _ in range(2):
        found = probe(copy, cache="file/cache")
        assert (found["answer"], found["hits"]) == (False, 0)
        (warning,) = found["warnings"]
        assert "cannot be stored" in warning
        assert "Set ML4T_BACKTEST_CACHE" in warning


@compiled_only
def test_a_full_disk_stops_nothing(copy: Path) -> None:
    """What writes the files of compiled code finds no space."""
    (copy / "src/ml4t/backtest/_cache.py").open("a").write(
        "\nfrom numba.core.caching import IndexDataCacheFile\n"
        "def _no_space(self, *_):\n    raise OSError(28, 'No space left on device')\n"
        "IndexDataCacheFile._save_data = _no_space\n"
    )
    found = probe(copy)
    assert found["answer"] is False
    assert ["No space left" in each for each in found["warnings"]] == [True]


def test_the_cache_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are loaded as code."""
    monkeypatch.setenv("ML4T_BACKTEST_CACHE", str(tmp_path / "deep/cache"))
    before = os.umask(0)
    try:
        assert stat.S_IMODE(cache_root().stat().st_mode) == 0o700
    finally:
        os.umask(before)


# ----------------------------------------------------------------------------------------------------------- strategies
STRATEGY = """
from ml4t.backtest import Strategy

class Edited(Strategy):
    def on_bar(self):
        if not self.broker.orders():
            self.broker.buy("SPX", QUANTITY, limit=self.data.close("SPX") * 0.9)
"""

FIRST_BAR = """
import json, sys
from numba.core import event

compiled = event.RecordingListener()
event.register("numba:compile", compiled)
from strategy import Edited
from ml4t.backtest import Engine
from ml4t.backtest._cache import DIGEST
from ml4t.backtest.datasets import us_indices

run = Engine(Edited(), us_indices()).run()
print(json.dumps({
    "digest": DIGEST,
    "compiled": [block.data["dispatcher"].py_func.__name__ for _, block in compiled.buffer if block.is_start],
    "quantity": run.orders["quantity"][0],
    "filled": run.fills.height,
}))
"""


@compiled_only
def test_an_edit_of_a_strategy_compiles_nothing(tmp_path: Path) -> None:
    """A second process finds all compiled code in the cache, whatever the strategy says now."""
    script = tmp_path / "first_bar.py"
    script.write_text(FIRST_BAR)
    found = []
    for quantity in ("1", "2"):
        (tmp_path / "strategy.py").write_text(STRATEGY.replace("QUANTITY", quantity))
        found.append(json.loads(python(str(script), NUMBA_DISABLE_JIT="0").stdout))
    assert [each["quantity"] for each in found] == [1.0, 2.0]
    assert [each["digest"] for each in found] == [DIGEST, DIGEST]
    assert found[0]["filled"] > 0
    assert found[1]["compiled"] == []


def test_kernels_that_nobody_uses_leave_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only folders with a digest's name are ours to remove; the kernel in use stays, however old."""
    monkeypatch.setenv("ML4T_BACKTEST_CACHE", str(tmp_path))
    long_ago = time.time() - (_cache.KEPT + 1) * 86_400
    ages = {"0" * 16: long_ago, "1" * 16: time.time(), DIGEST: long_ago, "notes": long_ago, "0" * 15: long_ago}
    for name, age in ages.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.nbc").write_bytes(b"code")
        os.utime(tmp_path / name, (age, age))
    _cache.forget_old_kernels()
    assert {path.name for path in tmp_path.iterdir()} == {"1" * 16, DIGEST, "notes", "0" * 15}
    assert (tmp_path / DIGEST).stat().st_mtime > long_ago + 86_400


# ------------------------------------------------------------------------------------------------------------- handles
def test_a_handle_takes_arrays_of_the_same_types() -> None:
    handle, state = Handle(prototype()), prototype()._replace(cash=np.zeros(5))
    handle.replace(state)
    assert handle.state is state


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(np.zeros(4, np.float32), id="float32"),
        pytest.param(np.zeros(4, np.int64), id="int64"),
        pytest.param(np.zeros((2, 2)), id="matrix"),
        pytest.param(np.zeros(8)[::2], id="not contiguous"),
        pytest.param(np.zeros(4, ">f8"), id="other byte order"),
        pytest.param(np.frombuffer(bytes(32)), id="read-only"),
        pytest.param([0.0], id="list"),
    ],
)
def test_a_handle_refuses_arrays_of_wrong_types(wrong: Any) -> None:
    """The kernel would read, or write, foreign memory. The state stays what it was."""
    handle = Handle(prototype())
    before = handle.state
    with pytest.raises((TypeError, ValueError)):
        handle.replace(before._replace(cash=wrong))
    assert handle.state is before


def test_the_error_says_what_the_kernel_wants() -> None:
    handle = Handle(prototype())
    with pytest.raises(TypeError, match=r"float32.*kernel was compiled for .*float64"):
        handle.replace(handle.state._replace(cash=np.zeros(4, np.float32)))


def test_a_handle_refuses_a_state_without_a_group() -> None:
    handle = Handle(prototype())
    with pytest.raises((TypeError, ValueError)):
        handle.replace(tuple(handle.state)[:-1])


@compiled_only
def test_a_handle_points_at_its_arrays() -> None:
    handle = Handle(prototype())
    cash = np.zeros(3)
    handle.replace(handle.state._replace(cash=cash))
    places = [n for n, array in enumerate(_jit.arrays_of(handle.state)) if array is cash]
    assert [handle._table[n].tolist() for n in places] == [[cash.ctypes.data, 3]]
    assert handle.key == handle._table.ctypes.data
