"""Room for tables: addresses that cost nothing until they are written to, and memory that serves again."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import Engine, Strategy, pages, run
from ml4t.backtest._jit import IS_COMPILED, arrays_of
from ml4t.backtest.allocation import APPENDED
from ml4t.backtest.pages import HUGE_PAGES, KEPT, LAZY, UNCOUNTED, count_written, empty, room, zeros
from ml4t.backtest.tables import GROWABLE

GIB = 1 << 30


class Turning(Strategy):
    """Long and flat in turn."""

    units: float = 2.0
    every: int = 1

    def on_bar(self) -> None:
        if self.data.count("X") % self.every == 0:
            if self.portfolio.position("X").quantity == 0.0:
                self.broker.buy("X", self.units)
            else:
                self.broker.close("X")


def bars_of(count: int) -> pl.DataFrame:
    price = 100.0 + np.random.default_rng(5).uniform(-1.0, 1.0, count)
    time = pl.Series("timestamp", 1_600_000_000 + 60 * np.arange(count)).cast(pl.Int64) * 1_000_000_000
    return pl.DataFrame(
        {
            "timestamp": time.cast(pl.Datetime("ns", "UTC")),
            "symbol": pl.Series(["X"]).new_from_index(0, count),
            "open": price,
            "high": price + 1.0,
            "low": price - 1.0,
            "close": price,
            "volume": np.full(count, 1e6),
        }
    )


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


# --------------------------------------------------------------------------------------------------- used memory
@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    KEPT.clear()
    yield
    KEPT.clear()


def test_memory_serves_again_and_is_zero_again() -> None:
    first = zeros(LAZY, np.float64)
    first[:] = 7.0
    place, view = first.ctypes.data, first[10:]
    del first
    assert KEPT.written == 0  # a view is a view
    del view
    assert KEPT.written == 8 * LAZY
    again = zeros(LAZY, np.float64)
    assert (again.ctypes.data, bool(again.any()), KEPT.written) == (place, False, 0)


def test_only_what_was_written_is_overwritten() -> None:
    table = room(LAZY, np.int64)
    table[:100] = 5
    count_written(table, lambda: 100)
    del table
    assert KEPT.written == 800
    again = room(LAZY, np.int64)
    assert not again.any()
    del again  # nobody said how much of it was written
    assert KEPT.written == 0
    assert room(LAZY, np.int64).any() == 0


def test_what_was_not_cleared_counts_as_written() -> None:
    dirty = empty(LAZY, np.float64)
    dirty[:] = 3.0
    del dirty
    anything = empty(LAZY, np.float64)
    del anything
    assert not zeros(LAZY, np.float64).any()


def test_there_is_a_limit_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_KEPT", 3 * 8 * LAZY)
    for size in (LAZY, 2 * LAZY):  # the smaller one has waited longest
        array = zeros(size, np.float64)
        del array
    assert KEPT.written == 3 * 8 * LAZY
    last = zeros(LAZY + 1, np.float64)
    del last
    assert KEPT.written <= 3 * 8 * LAZY
    assert KEPT.take(8 * (LAZY + 1)) is not None
    assert KEPT.take(8 * LAZY) is None


@pytest.mark.skipif(not IS_COMPILED, reason="the handle is its own key, and so a cycle")
@pytest.mark.parametrize("way", [False, True])
def test_a_result_that_nobody_holds_frees_its_memory_at_once(way: bool) -> None:
    """No reference cycle keeps it, neither of a strategy in Python nor of a compiled one."""
    gc.collect()
    gc.disable()
    try:
        strategy = Turning()
        result = run(strategy, bars_of(20_000), compiled=way)
        frame = result.fills
        assert frame.height > 15_000
        watched = weakref.ref(result._state.fills.price)
        del result, strategy
        assert watched() is None
        assert KEPT.written > 0
    finally:
        gc.enable()


@pytest.mark.parametrize("way", [False, True])
def test_tables_are_not_written_beyond_their_counters(way: bool) -> None:
    """What counts as written is all that was: the rest of every table that is only appended to is zero."""
    engine = Engine(Turning(), bars_of(20_000), compiled=way)
    engine.execute()
    state, looked = engine.state, 0
    for place, counter in APPENDED.items():
        for array in arrays_of(tuple(getattr(state, name) for name in GROWABLE[place])):
            assert not array[int(state.clock[counter]) + 1 :].any()
            looked += 1
    assert looked > 50


@pytest.mark.skipif(not IS_COMPILED, reason="the handle is its own key, and so a cycle")
def test_what_a_run_leaves_is_zero_when_it_serves_again() -> None:
    """What a run has written is known to the last entry, also of tables that hardly anybody reads before writing."""
    run(Turning(), bars_of(20_000))
    left = {size: len(memories) for size, memories in KEPT._by_size.items()}
    assert sum(left.values()) > 40
    again = [room(size, np.uint8) for size, count in left.items() for _ in range(count)]
    assert KEPT.written == 0
    assert not any(memory.any() for memory in again)


@pytest.mark.skipif(not IS_COMPILED, reason="the handle is its own key, and so a cycle")
def test_used_memory_changes_nothing() -> None:
    """The same run on new memory, and on memory that another run has left."""
    bars = bars_of(20_000)
    frames = run(Turning(), bars).frames()
    KEPT.clear()
    run(Turning(units=3.0, every=1), bars)
    assert KEPT.written > 0
    again = run(Turning(), bars).frames()
    assert all(again[name].equals(frame) for name, frame in frames.items())
