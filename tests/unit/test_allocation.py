"""Room for tables: addresses that cost nothing until they are written to."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from ml4t.backtest.allocation import HUGE_PAGES, LAZY, UNCOUNTED, room, zeros

GIB = 1 << 30


@pytest.mark.skipif(not UNCOUNTED, reason="no addresses in advance on this platform")
def test_processes_can_be_started_when_tables_have_more_addresses_than_there_is_memory() -> None:
    """A fork counts what its parent was promised: four times the machine's memory, of which none is used."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    tables = [room(GIB // 8, np.float64) for _ in range(4 * memory // GIB + 1)]
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert subprocess.run([sys.executable, "-c", "pass"], check=False).returncode == 0
    assert sum(table[-1] for table in tables) == 0.0


@pytest.mark.parametrize("make", [room, zeros])
@pytest.mark.parametrize("size", [1, LAZY // 8 - 1, LAZY // 8, HUGE_PAGES // 8 + 1])
def test_room_is_zero_and_can_be_written_to(make: object, size: int) -> None:
    array = make(size, np.float64)  # type: ignore[operator]
    assert (array.shape, array.dtype, array.flags.writeable) == ((size,), np.float64, True)
    assert not array.any()
    array[:] = 1.0
    assert array.sum() == size
