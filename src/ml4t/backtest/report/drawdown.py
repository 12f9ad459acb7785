"""Drawdowns as episodes: from a peak, down to a trough, and back."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Drawdown:
    """One episode. `depth` is a fraction below 0; `length` and `recovery` count sessions; None: not recovered."""

    peak: date | None
    trough: date
    end: date | None
    depth: float
    length: int
    recovery: int | None


def deepest(days: pl.DataFrame, cash: float, count: int = 5) -> list[Drawdown]:
    """Return the deepest drawdowns of a run, deepest first.

    - The initial cash is the first peak; `peak` is None where an episode begins there.
    - An episode ends at the first session whose equity reaches the peak again.

    >>> from datetime import date
    >>> days = pl.DataFrame({"date": [date(2020, 1, d) for d in (1, 2, 3, 4)], "equity": [100.0, 80.0, 90.0, 120.0]})
    >>> episode = deepest(days, 100.0)[0]
    >>> str(episode.peak), str(episode.trough), str(episode.end), round(episode.depth, 9), episode.length, episode.recovery
    ('2020-01-01', '2020-01-02', '2020-01-04', -0.2, 3, 2)

    """
    path = np.concatenate(([cash], days["equity"].to_numpy()))
    dates = [None, *days["date"].to_list()]
    peak = np.maximum.accumulate(path)
    at_peak = np.flatnonzero(path >= peak)
    bounds = np.append(at_peak, len(path))
    found = []
    for first, after in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if after - first < 2:  # the next peak follows at once
            continue
        trough = first + 1 + int(np.argmin(path[first + 1 : after]))
        is_over = after < len(path)
        last = after if is_over else len(path) - 1
        found.append(
            Drawdown(
                peak=dates[first],
                trough=dates[trough],
                end=dates[after] if is_over else None,
                depth=float(path[trough] / path[first] - 1.0),
                length=last - first,
                recovery=after - trough if is_over else None,
            )
        )
    return sorted(found, key=lambda episode: episode.depth)[:count]
