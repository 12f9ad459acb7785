"""The rows of a stream on their way from the source to the result: selecting and sorting them all at once."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Arrays `[N]` that belong together, and for each row its position in the source."""

    position: NDArray[np.int64]
    symbol: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    session: NDArray[np.int32]
    session_close: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.start)

    def take(self, keep: "slice | NDArray[np.int64] | NDArray[np.bool_]") -> "Rows":
        """The rows at these places, in this order; views where a slice is given."""
        return Rows(
            self.position[keep],
            self.symbol[keep],
            self.start[keep],
            self.end[keep],
            self.session[keep],
            self.session_close[keep],
            {name: values[keep] for name, values in self.columns.items()},
        )

    def where(self, keep: NDArray[np.bool_]) -> "Rows":
        """The rows for which `keep` is true, as views if they are neighbours."""
        count = int(np.count_nonzero(keep))
        if count == len(keep):
            return self
        first = int(keep.argmax())
        if count and keep[first : first + count].all():
            return self.take(slice(first, first + count))
        return self.take(keep)

    @cached_property
    def by_symbol(self) -> tuple["NDArray[np.int64] | None", NDArray[np.bool_] | None]:
        """(places in order of symbol then time, which neighbours share a symbol `[N-1]`); Nones for one symbol."""
        if not len(self) or not (self.symbol != self.symbol[0]).any():
            return None, None
        codes = self.symbol.astype(np.uint16) if self.symbol.max() < 2**16 - 1 else self.symbol
        order = np.argsort(codes, kind="stable")  # radix sort for 16-bit codes
        grouped = self.symbol[order]
        return order, grouped[1:] == grouped[:-1]

    def with_extended_sessions(self) -> "Rows":
        """Sessions stay open at least until the end of each of their bars."""
        if not (self.end > self.session_close).any():
            return self
        order, same = self.by_symbol
        if order is None or same is None:
            order, same = np.arange(len(self)), np.ones(len(self) - 1, np.bool_)
        session = self.session[order]
        first = np.flatnonzero(np.concatenate(([True], ~same | (session[1:] != session[:-1]))))
        latest = np.maximum.reduceat(np.maximum(self.end, self.session_close)[order], first)
        close = np.empty_like(self.session_close)
        close[order] = np.repeat(latest, np.diff(np.append(first, len(self))))
        return replace(self, session_close=close)
