"""When scheduled decisions are due: opens and closes of sessions, the first and last ones of weeks and months, every n bars."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream, calendar_around

PERIODS = ("session", "week", "month", "week_end", "month_end")
EPOCH_TO_MONDAY = 3  # 1970-01-01 was a Thursday; ISO weeks begin on Monday
Times = NDArray[np.int64]


class Sessions(NamedTuple):
    """Sessions in order: those of the bars and, where there is a calendar, those without bars."""

    day: NDArray[np.int32]  # [n] days since 1970-01-01
    open: Times  # [n] UTC ns: the first start of a bar, or the calendar's
    close: Times  # [n] UTC ns


def due_times(bars: Stream, every: str | int, at: str, calendar: str | None = None) -> Times:
    """The instants [n], UTC ns, increasing.

    - `every=n`: the end of every n-th bar instant.
    - "session": each, at its "open" (before its first bar's open can fill) or "close".
    - "week", "month": the first session of each; "week_end", "month_end": the last one, which only a calendar knows.

    Raises:
        ConfigError: another word, n < 1, or an end without a calendar.

    """
    if isinstance(every, int) and not isinstance(every, bool):
        if every < 1:
            raise ConfigError(f"schedule: every={every} bars; give 1 or more.")
        return np.unique(bars.end)[every - 1 :: every]
    if every not in PERIODS:
        names = ", ".join(repr(name) for name in PERIODS)
        raise ConfigError(f"schedule: every={every!r}.{nearest(str(every), PERIODS)} Use {names} or a number of bars.")
    if at not in ("open", "close"):
        raise ConfigError(f"schedule: at={at!r}; use 'open' or 'close'.")
    period, _, end = every.partition("_")
    if end and calendar is None:
        raise ConfigError(
            f"schedule: every={every!r}: which session is the last one of a {period} is known in advance from a calendar only. "
            f"Set data.calendar, such as 'XNYS', or use every={period!r}, its first session."
        )
    sessions = _sessions(bars, calendar)
    is_due = _is_last(sessions.day, period, calendar) if end else _is_first(sessions.day, period, calendar)
    return np.unique((sessions.open if at == "open" else sessions.close)[is_due])


def _sessions(bars: Stream, calendar: str | None) -> Sessions:
    days, place = np.unique(bars.session, return_inverse=True)
    first, last = np.full(len(days), np.iinfo(np.int64).max), np.full(len(days), np.iinfo(np.int64).min)
    np.minimum.at(first, place, bars.start)
    np.maximum.at(last, place, bars.session_close)
    if calendar is None:
        return Sessions(days, first, last)
    known = calendar_around(calendar, int(bars.start.min()), int(bars.end.max()))
    is_between = (known.days > days[0]) & (known.days < days[-1]) & ~np.isin(known.days, days)
    order = np.argsort(every_day := np.concatenate((days, known.days[is_between])), kind="stable")
    times = [np.concatenate(pair) for pair in ((first, known.open[is_between]), (last, known.close[is_between]))]
    return Sessions(every_day[order], times[0][order], times[1][order])


def _is_first(days: NDArray[np.int32], period: str, calendar: str | None) -> NDArray[np.bool_]:
    """Whether a session is the first of its period; of the period in which the data begin, the first there is without a calendar."""
    number = _period(days, period)
    before = _period(_neighbour(days[0], -1, calendar), period)
    is_known = calendar is not None and period != "session"
    return np.concatenate(([not is_known or before[0] != number[0]], number[1:] != number[:-1]))


def _is_last(days: NDArray[np.int32], period: str, calendar: str | None) -> NDArray[np.bool_]:
    number = _period(days, period)
    after = _period(_neighbour(days[-1], 1, calendar), period)
    return np.concatenate((number[1:] != number[:-1], [after[0] != number[-1]]))


def _neighbour(day: int, step: int, calendar: str | None) -> NDArray[np.int32]:
    """The session before or after a day."""
    if calendar is None:
        return np.array([day], np.int32)
    ns = 86_400_000_000_000 * int(day)
    known = calendar_around(calendar, ns, ns).days
    found = known[known > day][:1] if step > 0 else known[known < day][-1:]
    return (
        found if len(found) else np.array([day + step * 366], np.int32)
    )  # where the calendar ends, so does the period


def _period(sessions: NDArray[np.int32], every: str) -> Times:
    days = sessions.astype(np.int64)
    if every == "week":
        return (days + EPOCH_TO_MONDAY) // 7
    if every == "month":
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return days


def undecided(arrival: Times, bars: Stream, warmup: int) -> list[str]:
    """Return what to say of signals that arrive [rows] when nothing is decided: while the first `warmup` bars end, or after all bars."""
    ends = np.unique(bars.end)
    last = ends[min(warmup, len(ends)) - 1] if warmup else -1
    counts = {
        f"in the {warmup:,} bars of run.warmup": int(np.sum((arrival >= bars.start.min()) & (arrival <= last))),
        "after the last bar": int(np.sum((arrival > ends[-1]) & (arrival > last))),
    }
    return [
        f"{count:,} of {len(arrival):,} rows arrived {when}: no decision was made on {'it' if count == 1 else 'them'}."
        for when, count in counts.items()
        if count
    ]
