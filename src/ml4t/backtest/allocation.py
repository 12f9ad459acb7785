"""Arrays for the tables of the state: allocation, and growth between calls of the kernel."""

import mmap
import platform
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, get_type_hints

import numpy as np

from ml4t.backtest._jit import Handle, define_state
from ml4t.backtest.inputs import (
    I8,
    Bars,
    Conditions,
    Costs,
    FinerBars,
    Information,
    Instruments,
    Names,
    Streams,
    Tiers,
    Timeline,
)
from ml4t.backtest.tables import (
    BOOK_ROOM,
    FREE_CELL,
    FREE_LOT,
    GROWABLE,
    LOT_ROOM,
    MEMORIES,
    MEMORY_ROOM,
    TIMER_ROOM,
    History,
    Memories,
    State,
)

G = TypeVar("G")

FULL = 0.75  # of a table's room: what is nearly full grows along with what must
LINKED_ROOMS = (BOOK_ROOM, LOT_ROOM)  # tables whose entries are used in any order, the others are appended to
COMPACT_ROOMS = (*LINKED_ROOMS, TIMER_ROOM, MEMORY_ROOM)  # tables that keep what is in use, the others keep everything
LAZY = 1 << 16
"""Bytes of an array from which on it has pages of its own."""
HUGE_PAGES = 1 << 22
"""Bytes of an array that is written to its end from which on these are large ones, where the system has them."""
UNCOUNTED = 0x4000 if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64") else 0
"""MAP_NORESERVE: addresses that are not counted as memory. Else no process could be started once there are more of them than memory."""
FLAGS = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | UNCOUNTED} if hasattr(mmap, "MAP_ANONYMOUS") else {}
RESERVED = 1 << 20 if UNCOUNTED else 0
"""Entries for which a table that keeps everything has addresses once it has outgrown its first room, so that it is hardly ever copied."""


@cache
def dtypes(group: Any) -> dict[str, str]:
    """Field → dtype of a group."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(group, include_extras=True).items()}


def zeros(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros [n] that will be written to the end. (`np.zeros` would reuse freed memory for large arrays, and write the zeros.)"""
    return _pages(n, dtype, is_large=n * np.dtype(dtype).itemsize >= HUGE_PAGES)


def room(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros [n] of which few may be written: memory that is never written to is never used, and large pages would be."""
    return _pages(n, dtype, is_large=False)


def _pages(n: int, dtype: Any, is_large: bool) -> np.ndarray[Any, Any]:
    """Raises OSError where there are no addresses left."""
    size = n * np.dtype(dtype).itemsize
    if size < LAZY:
        return np.zeros(n, dtype)
    memory = mmap.mmap(-1, size, **FLAGS)
    if is_large and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype)


def allocate(group: Callable[..., G], n: int) -> G:
    """A group of zeroed arrays of n entries."""
    return group(**{name: zeros(n, dtype) for name, dtype in dtypes(group).items()})


def freeze(values: Any, dtype: str) -> np.ndarray[Any, Any]:
    """Read-only and contiguous: one Numba type whether it came from Polars, NumPy or a memory map. Copies only where it must."""
    array = np.ascontiguousarray(values, dtype).view()
    array.flags.writeable = False
    return array


def frozen(group: Callable[..., G], **columns: Any) -> G:
    """A group of read-only arrays."""
    return group(**{name: freeze(columns[name], dtype) for name, dtype in dtypes(group).items()})


def enlarged(table: Any, n: int, used: int | None = None) -> Any:
    """The same table with room for n entries, of which the first ones are used; None: any may be, and free cells stay linked."""
    if isinstance(table, np.ndarray):
        out = room(n, table.dtype)
        kept = table[:used]
        out[: len(kept)] = kept
        return out
    return type(table)(*(enlarged(column, n, used) for column in table))


def _enlarged(tables: dict[str, Any], n: int, used: int | None) -> dict[str, Any]:
    return {name: enlarged(table, n, used) for name, table in tables.items()}


def grow(handle: Handle) -> None:
    """Every table that is nearly full has much more room, and what the next phase needs. Between calls of the kernel only."""
    state: State = handle.state
    changes: dict[str, Any] = {}
    for place, group in enumerate(GROWABLE):
        first = getattr(state, group[0])
        capacity = (first if isinstance(first, np.ndarray) else first[0]).shape[0]
        need = int(state.needs[place])
        if need > FULL * capacity:
            used = None if place in LINKED_ROOMS else need
            tables = {name: getattr(state, name) for name in group}
            try:
                changes |= _enlarged(tables, max(4 * capacity, need, 0 if place in COMPACT_ROOMS else RESERVED), used)
            except OSError:  # not so many addresses
                changes |= _enlarged(tables, max(2 * capacity, need), used)
            if place == MEMORY_ROOM:  # cells lie elsewhere in a larger one; what is forgotten is made anew
                changes["memories"] = allocate(Memories, 4 * capacity)
                state.clock[MEMORIES] = 0
            if place == BOOK_ROOM:
                link_free(state.clock, FREE_CELL, changes["links"].after, capacity)
            if place == LOT_ROOM:
                link_free(state.clock, FREE_LOT, changes["lots"].next, capacity)
    handle.replace(state._replace(**changes))


def link_free(clock: I8, head: int, following: I8, first: int) -> None:
    """The cells from `first` on are free: taken in increasing order, before the cells that were free already."""
    n = following.shape[0]
    following[first : n - 1] = np.arange(first + 1, n)
    following[n - 1] = clock[head]
    clock[head] = first


def prototype() -> State:
    """A state with one entry a table, read-only where it is input: fixes the types that the kernel is compiled for."""
    inputs = (Bars, FinerBars, Conditions, Timeline, Information, Streams, Instruments, Costs, Tiers, Names)
    groups: dict[str, Any] = {}
    for name, hint in get_type_hints(State, include_extras=True).items():
        if hasattr(hint, "__metadata__"):
            groups[name] = np.zeros(1, hint.__metadata__[0])
        elif hint in inputs:
            groups[name] = frozen(hint, **{field: np.zeros(1, dtype) for field, dtype in dtypes(hint).items()})
        elif hint is History:
            known, value, latest = np.zeros(1, np.int64), np.zeros(1), np.zeros(1)
            groups[name] = History(freeze([0.0], "f8"), value, freeze([0], "i8"), known, latest)
        else:
            groups[name] = allocate(hint, 1)
    return State(**groups)


define_state(prototype())
