"""Memory for large arrays: pages that serve again once the last view of their array is gone.

A page that a process writes to for the first time is cleared by the system, and in a run of many orders that took more time than the kernel
did. The memory of an earlier run has its pages: what was written to it is overwritten with zeros, several times as fast.
"""

import ctypes
import mmap
import os
import platform
import sys
from collections.abc import Callable
from threading import RLock
from typing import Any

import numpy as np

LAZY = 1 << 16
"""Bytes of an array from which on it has pages of its own."""
HUGE_PAGES = 1 << 22
"""Bytes of an array that is written to its end from which on these are large ones, where the system has them."""
UNCOUNTED = 0x4000 if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64") else 0
"""MAP_NORESERVE: addresses that are not counted as memory. Else no process could be started once there are more of them than memory."""
FLAGS = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | UNCOUNTED} if hasattr(mmap, "MAP_ANONYMOUS") else {}
MOST_KEPT = 1 << 29
"""Bytes that were written to and are kept for later arrays; and never more than an eighth of the machine's memory."""
if hasattr(os, "sysconf"):
    MOST_KEPT = min(MOST_KEPT, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)


class _Kept:
    """Memory that nobody looks at: by its size, and how much of it was written to. Whoever drops a view may be in any thread."""

    def __init__(self) -> None:
        self._lock = RLock()  # a garbage collection inside may come back
        self._by_size: dict[int, list[tuple[mmap.mmap, int]]] = {}
        self.written = 0  # bytes in all

    def take(self, size: int) -> tuple[mmap.mmap, int] | None:
        """The memory of this size that was given back last."""
        with self._lock:
            found = self._by_size.get(size)
            if not found:
                return None
            memory, written = found.pop()
            self.written -= written
            return memory, written

    def give(self, memory: mmap.mmap, written: int) -> None:
        """It waits for `take`; what has waited longest is given back to the system where it becomes too much."""
        with self._lock:
            size = len(memory)
            self._by_size[size] = [*self._by_size.pop(size, []), (memory, written)]
            self.written += written
            for longest in list(self._by_size):
                while self.written > MOST_KEPT and (waiting := self._by_size.get(longest)):
                    self.written -= waiting.pop(0)[1]

    def clear(self) -> None:
        """All of it is given back to the system."""
        with self._lock:
            self._by_size, self.written = {}, 0


KEPT = _Kept()


class Pages:
    """The owner of an array's memory: NumPy holds it for as long as there is a view of the array."""

    def __init__(self, size: int, *, is_large: bool, is_clear: bool) -> None:
        """Memory of `size` bytes: zeros where `is_clear`. Raises OSError where there are no addresses left."""
        self._memory, self._dirty = KEPT.take(size) or (_mapped(size, is_large=is_large), 0)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        if is_clear:
            ctypes.memset(address, 0, self._dirty)
            self._dirty = 0
        self.written: Callable[[], int] | None = None  # how many bytes were written to; None: nobody knows
        self.__array_interface__ = {"version": 3, "shape": (size,), "typestr": "|u1", "data": (address, False)}

    def __del__(self) -> None:
        if self.written is not None and not sys.is_finalizing():
            KEPT.give(self._memory, max(self.written(), self._dirty))


def _mapped(size: int, *, is_large: bool) -> mmap.mmap:
    memory = mmap.mmap(-1, size, **FLAGS)
    if is_large and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def zeros(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros [n] that will be written to the end. (`np.zeros` would reuse freed memory for large arrays, and write the zeros.)"""
    return _array(n, dtype, is_whole=True)


def empty(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Anything [n], to be written to the end before it is read."""
    return _array(n, dtype, is_whole=True, is_clear=False)


def room(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros [n] of which few may be written: memory that is never written to is never used, and large pages would be."""
    return _array(n, dtype, is_whole=False)


def _array(n: int, dtype: Any, *, is_whole: bool, is_clear: bool = True) -> np.ndarray[Any, Any]:
    size = n * np.dtype(dtype).itemsize
    if size < LAZY:
        return np.zeros(n, dtype)
    pages = Pages(size, is_large=is_whole and size >= HUGE_PAGES, is_clear=is_clear)
    if is_whole:
        pages.written = lambda: size
    return np.asarray(pages).view(dtype)


def count_written(array: np.ndarray[Any, Any], count: Callable[[], int]) -> None:
    """Of an array of `room`, only the first `count()` entries were written to when its last view is gone: its memory may serve again."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, Pages):
        entries, size = len(array), array.itemsize  # a reference to the array would keep it
        owner.written = lambda: min(count(), entries) * size
