"""A peer's process: cases go in, books come out, many cases to a process."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from parity.book import Book
from parity.case import Case
from parity.environment import python_of

ROOT = Path(__file__).parent.parent


class PeerError(RuntimeError):
    """The peer's process ended; the message holds the last it said."""


class Peer:
    """The installed package of a peer, in its own environment and process.

    with Peer("backtesting_py") as peer: book = peer.run(case)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        self._noise = (Path(os.environ.get("TMPDIR", "/tmp")) / f"parity-{name}-{os.getpid()}.log").open("w+")  # noqa: S108
        self._process = subprocess.Popen(
            [str(python_of(name)), "-m", f"parity.{name}.peer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=environment,
            cwd=ROOT,
            text=True,
        )

    def run(self, case: Case) -> Book:
        """What the peer makes of the case."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(case.to_json() + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._noise.seek(0)
            raise PeerError(f"{self.name} ended: {self._noise.read()[-2000:]}")
        return Book.from_json(json.loads(line))

    def run_all(self, cases: Iterable[Case]) -> Iterator[Book]:
        """The books of the cases, one by one."""
        return map(self.run, cases)

    def close(self) -> None:
        """The process has ended."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(600)  # it lets go of millions of bars, perhaps, on a busy machine
        if self._process.stdout:
            self._process.stdout.close()
        self._noise.close()
        Path(self._noise.name).unlink(missing_ok=True)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
