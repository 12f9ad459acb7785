"""Runs in a process of their own: `python fresh_process.py digests FIRST LAST` or `... save FOLDER`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl

import ml4t.backtest

TESTS = Path(__file__).parent
SOURCES = Path(ml4t.backtest.__file__).parents[2]


def digest(frames: dict[str, pl.DataFrame]) -> str:
    """SHA-256 over every frame's name, schema and values, bit for bit."""
    total = hashlib.sha256()
    for name, frame in frames.items():
        content = io.BytesIO()
        frame.rechunk().write_ipc(content)
        total.update(name.encode() + repr(frame.schema).encode() + content.getvalue())
    return total.hexdigest()


def python(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """A finished Python process that imports this package and these tests, with these variables."""
    path = os.pathsep.join([str(SOURCES), str(TESTS)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def digests(first: int, last: int) -> dict[int, str]:
    """The digest of each seeded case's frames."""
    import replay
    from cases import random_case

    return {seed: digest(replay.replay(random_case(seed)).frames()) for seed in range(first, last)}


def save(folder: Path) -> None:
    """Run directories of the bundled demonstration and of a case with several symbols."""
    import replay
    from cases import random_case
    from ml4t.backtest import run
    from ml4t.backtest.datasets import us_indices
    from ml4t.backtest.demo import Crossover

    config = {
        "costs": {"commission": {"kind": "rate", "rate": 0.001}, "slippage": {"kind": "rate", "rate": 0.0005}},
        "instruments": {"default": {"lot_size": 0.0}},
    }
    run(Crossover(), us_indices(), config).save(folder / "indices")
    replay.replay(random_case(3)).save(folder / "case")


if __name__ == "__main__":
    if sys.argv[1] == "digests":
        print(json.dumps(digests(int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201  read by the parent process
    else:
        save(Path(sys.argv[2]))
