"""When scheduled decisions are due: session opens and closes, the first session of a week or month, every n bars."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream

Every = Literal["session", "week", "month"]
At = Literal["open", "close"]
PERIODS = {"session": "D", "week": "W", "month": "M"}
EPOCH_TO_MONDAY = 3  # 1970-01-01 was a Thursday; ISO weeks begin on Monday


def due_times(bars: Stream, every: str | int, at: str) -> NDArray[np.int64]:
    """The instants [n], UTC ns, increasing.

    - `every=n`: the end of every n-th bar instant.
    - "session", "week", "month": the first session of each, at its "open" (before its first bar's open can fill) or "close".

    Raises:
        ConfigError: another word, or n < 1.

    """
    if isinstance(every, int) and not isinstance(every, bool):
        if every < 1:
            raise ConfigError(f"schedule: every={every} bars; give 1 or more.")
        return np.unique(bars.end)[every - 1 :: every]
    if every not in PERIODS:
        raise ConfigError(
            f"schedule: every={every!r}.{nearest(str(every), PERIODS)} Use 'session', 'week', 'month' or a number of bars."
        )
    if at not in ("open", "close"):
        raise ConfigError(f"schedule: at={at!r}; use 'open' or 'close'.")
    sessions, place = np.unique(bars.session, return_inverse=True)
    time = np.full(len(sessions), np.iinfo(np.int64).max if at == "open" else np.iinfo(np.int64).min)
    if at == "open":
        np.minimum.at(time, place, bars.start)
    else:
        np.maximum.at(time, place, bars.session_close)
    period = _period(sessions, every)
    first = np.concatenate(([True], period[1:] != period[:-1]))
    return np.unique(time[first])


def _period(sessions: NDArray[np.int32], every: str) -> NDArray[np.int64]:
    days = sessions.astype(np.int64)
    if every == "week":
        return (days + EPOCH_TO_MONDAY) // 7
    if every == "month":
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return days
