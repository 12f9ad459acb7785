"""Engines in processes of their own that take turns at the same work; what they came to is compared before anything is reported."""

import json
import math
import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.environment import OURS, python_of
from suite.market import write
from suite.work import WORKS, Work

WORKER = Path(__file__).with_name("worker.py")


class DisagreementError(RuntimeError):
    """Two engines did not do the same work."""


class Process:
    """An engine that waits for its turn."""

    def __init__(self, engine: str, work: str, files: Sequence[Path], rule: str = "", **environ: str) -> None:
        self.engine = engine
        command = [str(python_of(engine)), str(WORKER), engine, work, *map(str, files), *([rule] if rule else [])]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `end`)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=os.environ | environ,
        )

    def answer(self) -> dict[str, Any]:
        """The next line it writes."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(
                f"{self.engine} ended with code {self._process.returncode}:\n{self._errors.read()[-4000:]}"
            )
        done: dict[str, Any] = json.loads(line)
        return done

    def run(self) -> dict[str, Any]:
        """One measured run."""
        assert self._process.stdin
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """The process is gone."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


@dataclass
class Lane:
    """What one engine did in a race."""

    engine: str
    imported: float  # seconds
    first: float  # seconds of the first, small run of the process
    runs: list[dict[str, Any]] = field(default_factory=list)
    ours: list[dict[str, Any]] = field(default_factory=list)  # our run in the same round
    note: str = ""

    def median(self, what: str) -> float:
        """Median over the rounds."""
        return statistics.median(run[what] for run in self.runs)

    def ratio(self, what: str) -> float:
        """Median over the rounds of theirs ÷ ours."""
        return statistics.median(a[what] / max(b[what], 1e-9) for a, b in zip(self.runs, self.ours, strict=True))

    @property
    def memory(self) -> int:
        """Bytes, of the first full run: later ones find memory that the process has kept."""
        bytes_: int = self.runs[0]["memory"]
        return bytes_


def race(name: str, size: str, rounds: int, patience: float, engines: Sequence[str] = ()) -> list[Lane]:
    """Ours first, then every peer of the work; a peer that has taken `patience` seconds takes part in no further round.

    Raises DisagreementError where fills or final equity differ.
    """
    work = WORKS[name]
    chosen = [engine for engine in work.aims if not engines or engine.partition(":")[0] in engines]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "market.npz", Path(folder) / "small.npz"]
        for path, arguments in zip(files, (getattr(work, size), work.warm), strict=True):
            write(path, work.market(**arguments) | dict(work.terms))
        processes, lanes = [], []
        try:
            for engine in (OURS, *chosen):  # one after the other: their first runs are measured, too
                processes.append(Process(engine, name, files))
                ready = processes[-1].answer()
                lanes.append(Lane(engine, ready["import"], ready["first"]))
            for number in range(rounds):
                active = [0, *(i for i in range(1, len(lanes)) if sum(run["wall"] for run in lanes[i].runs) < patience)]
                if len(active) == 1 and chosen:
                    break
                for i in reversed(active) if number % 2 else active:
                    lanes[i].runs.append(processes[i].run())
                for i in active:
                    lanes[i].ours.append(lanes[0].runs[-1])
        finally:
            for process in processes:
                process.end()
        for lane in lanes[1:]:
            _check(name, work, lane, lanes[0], files)
    return lanes


def _check(name: str, work: Work, lane: Lane, ours: Lane, files: Sequence[Path]) -> None:
    """The lane's note says how it was compared. Raises DisagreementError."""
    mine, theirs = ours.runs[0], lane.runs[0]
    difference = work.differences.get(lane.engine)
    tolerance = difference.tolerance if difference else 1e-9
    if difference:
        process = Process(OURS, name, files, difference.rule)
        process.answer()
        mine = process.run()
        process.end()
        close = difference.rule.removesuffix("_close")
        lane.note = f"fills at the {close} close; final equity equals ours under that rule"
        lane.note += f" to {tolerance:g}: {difference.reason}" if difference.reason else ""
    if mine["fills"] != theirs["fills"]:
        raise DisagreementError(f"{name}: {lane.engine} has {theirs['fills']} fills, ours {mine['fills']}")
    if not math.isclose(mine["equity"], theirs["equity"], rel_tol=tolerance):
        raise DisagreementError(f"{name}: {lane.engine} ends with {theirs['equity']!r}, ours with {mine['equity']!r}")
