"""A time zone as arrays: UTC instants to wall-clock times and back, both days of every clock change included."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.config.period import zone
from ml4t.backtest.errors import ConfigError

Ns: TypeAlias = NDArray[np.int64]
DAY = 86_400_000_000_000
SECOND = 1_000_000_000


class Zone:
    """Offsets of one IANA time zone. All times are `[N]` int64 nanoseconds since 1970-01-01, UTC or wall clock.

    Raises:
        ConfigError: there is no such zone; names the nearest.

    """

    def __init__(self, name: str) -> None:
        try:
            zone(name)
        except ValueError as error:
            raise ConfigError(f"data.timezone {name!r} {error}") from None
        self.name = name

    def to_wall(self, utc: Ns) -> Ns:
        """Wall-clock times of UTC instants."""
        if not len(utc):
            return utc
        change, offset = self._changes(int(utc.min()), int(utc.max()))
        if not len(change):
            return utc + offset[0] if offset[0] else utc
        return utc + offset[np.searchsorted(change, utc, side="right")]

    def to_utc(self, wall: Ns) -> tuple[Ns, NDArray[np.bool_], NDArray[np.bool_]]:
        """UTC instants of wall-clock times, and where the time does not exist (gap) or happens twice (fold).

        A time in a gap becomes the instant of the change; a time in a fold becomes the earlier of the two.
        """
        nowhere = np.zeros(len(wall), np.bool_)
        if not len(wall):
            return wall, nowhere, nowhere
        change, offset = self._changes(int(wall.min()), int(wall.max()))
        if not len(change):
            return (wall - offset[0] if offset[0] else wall), nowhere, nowhere
        old_ends, new_starts = change + offset[:-1], change + offset[1:]
        k = np.searchsorted(old_ends, wall, side="right")
        low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
        gap = wall < np.concatenate(([low], new_starts))[k]
        fold = wall >= np.concatenate((new_starts, [high]))[k]
        utc = wall - offset[k]
        utc[gap] = change[k[gap] - 1]
        return utc, gap, fold

    def day_start(self, days: NDArray[np.int32], wall_time: int = 0) -> Ns:
        """The first instant of each date, or of `wall_time` (ns after midnight) on it."""
        if self.name == "UTC" or not len(days):
            return days.astype(np.int64) * DAY + wall_time
        low = int(days.min())
        table = self.to_utc(np.arange(low, int(days.max()) + 1, dtype=np.int64) * DAY + wall_time)[0]
        return table[days - low]

    def _changes(self, low: int, high: int) -> tuple[Ns, Ns]:
        """Instants `[K]` (UTC) at which the offset changes between two times, and the offsets `[K+1]` around them."""
        return _changes(self.name, low // DAY - 2, high // DAY + 3)


def _offset(name: str, utc_seconds: Ns) -> Ns:
    instants = pl.Series(utc_seconds * 1_000).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(name)
    return instants.dt.replace_time_zone(None).to_physical().to_numpy() // 1_000 - utc_seconds


@lru_cache(maxsize=256)
def _changes(name: str, first_day: int, last_day: int) -> tuple[Ns, Ns]:
    if name == "UTC":
        return np.empty(0, np.int64), np.zeros(1, np.int64)
    days = np.arange(first_day, last_day + 1, dtype=np.int64) * 86_400
    offset = _offset(name, days)
    left = np.flatnonzero(offset[1:] != offset[:-1])
    before, after, old = days[left], days[left + 1], offset[left]
    while len(before) and (after - before).max() > 1:  # bisect every changed day down to its second
        middle = (before + after) // 2
        same = _offset(name, middle) == old
        before, after = np.where(same, middle, before), np.where(same, after, middle)
    return after * SECOND, np.concatenate((offset[:1], offset[left + 1])) * SECOND
