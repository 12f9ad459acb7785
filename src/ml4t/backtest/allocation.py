"""Arrays for the tables of the state: allocation, and growth between calls of the kernel."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar, get_type_hints

import numpy as np

from ml4t.backtest._jit import Handle, arrays_of, define_state
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
from ml4t.backtest.pages import UNCOUNTED, count_written, room, zeros
from ml4t.backtest.tables import (
    BOOK_ROOM,
    CLOSED,
    CLOSED_ROOM,
    EVENT_ROOM,
    EVENTS,
    FILL_ROOM,
    FILLS,
    FREE_CELL,
    FREE_LOT,
    GROWABLE,
    IDS,
    JOURNAL,
    JOURNAL_ROOM,
    LOT_ROOM,
    MEMORIES,
    MEMORY_ROOM,
    PLACES_ROOM,
    RECORD_ROOM,
    RECORDS,
    TIMER_ROOM,
    TRADE_ROOM,
    TRADES,
    History,
    Memories,
    State,
)

G = TypeVar("G")

FULL = 0.75  # of a table's room: what is nearly full grows along with what must
LINKED_ROOMS = (BOOK_ROOM, LOT_ROOM)  # tables whose entries are used in any order, the others are appended to
COMPACT_ROOMS = (*LINKED_ROOMS, TIMER_ROOM, MEMORY_ROOM)  # tables that keep what is in use, the others keep everything
APPENDED = {
    CLOSED_ROOM: CLOSED,
    PLACES_ROOM: IDS,
    FILL_ROOM: FILLS,
    EVENT_ROOM: EVENTS,
    JOURNAL_ROOM: JOURNAL,
    TRADE_ROOM: TRADES,
    RECORD_ROOM: RECORDS,
}
"""Tables that are only appended to → the counter of their entries."""
RESERVED = 1 << 20 if UNCOUNTED else 0
"""Entries for which a table that keeps everything has addresses once it has outgrown its first room, so that it is hardly ever copied."""


@cache
def dtypes(group: Any) -> dict[str, str]:
    """Field → dtype of a group."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(group, include_extras=True).items()}


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


def _appended(clock: I8, counter: int) -> int:
    """Entries that were written to: the last one may not count yet."""
    return int(clock[counter]) + 1


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
                tables = _enlarged(tables, max(4 * capacity, need, 0 if place in COMPACT_ROOMS else RESERVED), used)
            except OSError:  # not so many addresses
                tables = _enlarged(tables, max(2 * capacity, need), used)
            changes |= tables
            if place in APPENDED:
                for array in arrays_of(tuple(tables.values())):
                    count_written(array, partial(_appended, state.clock, APPENDED[place]))
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
