"""Compiles many units at once: processes fill the disk cache, one a core, and whoever needs the units loads them (ADR 0024).

Numba works under one lock and Python's own, so threads would not help.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, Popen

from ml4t.backtest._cache import is_writable

PROGRAM = """
import gc, os, sys
gc.disable()
import ml4t.backtest.engine
from ml4t.backtest._jit import compile_into_cache
compile_into_cache(set(sys.argv[1:]))
os._exit(0)
"""
"""Compiling keeps most of what it allocates: looking for garbage, and taking all apart at the end, would be a seventh of the time."""
WORTH_A_PROCESS = 8
"""Units for which a process is started: it takes half a second to import Numba."""


def build(extents: Mapping[str, int]) -> None:
    """The units of these symbols are in the cache, as far as processes can be had: what is missing, the caller compiles itself.

    `extents` says how much code each unit is made of, in the order of definition.
    """
    processes = min(_cores(), len(extents) // WORTH_A_PROCESS)
    if processes < 2 or getattr(sys, "frozen", False):  # a frozen program is no interpreter to start
        return
    if not is_writable():  # nobody would see what they compile
        return
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    started: list[Popen[bytes]] = []
    try:
        for share in shares(extents, processes):
            command = [sys.executable, "-P", "-c", PROGRAM, *share]
            started.append(Popen(command, env=environment, stdout=DEVNULL, stderr=DEVNULL))  # noqa: S603  our own program
        for process in started:
            process.wait()
    except OSError:
        pass  # no process to be had
    finally:
        for process in started:
            process.kill()
            process.wait()


def shares(extents: Mapping[str, int], count: int) -> list[list[str]]:
    """The symbols in `count` runs of about the same extent. Neighbours stay together: they have most in common."""
    found: list[list[str]] = [[] for _ in range(count)]
    total, before = sum(extents.values()), 0
    for symbol, extent in extents.items():
        found[(before + extent // 2) * count // total].append(symbol)
        before += extent
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
