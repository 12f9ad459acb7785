"""The same bytes however the kernel runs: compiled, interpreted or with checked bounds, with any hash seed and any number of threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fresh_process
from cases import random_case
from ml4t.backtest._jit import IS_COMPILED
from observation import observe

CASES = 60
SCRIPT = str(Path(fresh_process.__file__))

MODES = {
    "compiled": {"NUMBA_DISABLE_JIT": "0"},
    "interpreted": {"NUMBA_DISABLE_JIT": "1"},
    "bounds-checked": {"NUMBA_DISABLE_JIT": "0", "NUMBA_BOUNDSCHECK": "1"},
}


@pytest.fixture(scope="session")
def here() -> dict[int, str]:
    """The digests of the runs in this process."""
    return fresh_process.digests(0, CASES)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != ("compiled" if IS_COMPILED else "interpreted")])
def test_every_mode_gives_the_same_bytes(mode: str, here: dict[int, str]) -> None:
    """Bounds are checked in compiled code, too: an index that is wrong by one would read or write foreign memory."""
    printed = fresh_process.python(SCRIPT, "digests", "0", str(CASES), **MODES[mode]).stdout
    found = {int(seed): value for seed, value in json.loads(printed).items()}
    assert [seed for seed in here if found[seed] != here[seed]] == []


def test_the_digest_sees_one_bit() -> None:
    frames = observe(random_case(0)).result.frames()
    cash = frames["equity"]["cash"]
    nudged = {**frames, "equity": frames["equity"].with_columns(cash * (1 + 2**-52))}
    assert fresh_process.digest(frames) == fresh_process.digest(dict(frames))
    assert fresh_process.digest(nudged) != fresh_process.digest(frames)


def test_two_processes_save_the_same_bytes(tmp_path: Path) -> None:
    """Artifacts and stored inputs are equal byte for byte; the manifest is but for its time and its checksum."""
    one, two = tmp_path / "one", tmp_path / "two"
    fresh_process.python(SCRIPT, "save", str(one), PYTHONHASHSEED="1", POLARS_MAX_THREADS="1", NUMBA_NUM_THREADS="1")
    fresh_process.python(SCRIPT, "save", str(two), PYTHONHASHSEED="2", POLARS_MAX_THREADS="4", NUMBA_NUM_THREADS="2")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    assert len(files) > 20
    for file in files:
        if file.name == "manifest.json":
            manifests = [json.loads((folder / file).read_text()) for folder in (one, two)]
            assert all(manifest.pop("created") and manifest.pop("checksum") for manifest in manifests)
            assert manifests[0] == manifests[1]
        else:
            assert (one / file).read_bytes() == (two / file).read_bytes(), file
