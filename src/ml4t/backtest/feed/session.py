"""The session of every row: by its date, by a time of day, or by the calendar of an exchange (docs/semantics/time.md)."""

from datetime import time

import numpy as np
from numpy.typing import NDArray

from .calendar import Days, calendar_around
from .column import Table
from .rules import StreamRules
from .zone import DAY, SECOND, Ns, Zone


def session_bounds(
    table: Table, position: NDArray[np.int64], days: Days, rules: StreamRules, zone: Zone, role: str = "timestamp"
) -> tuple[Ns, Ns]:
    """Open and close of the sessions of these dates, which the column of this role holds.

    Raises:
        DataError: a date that names no session of the calendar.

    """
    if rules.calendar is not None:
        calendar = calendar_around(rules.calendar, int(days.min()) * DAY, int(days.max()) * DAY)
        place, names_one = calendar.of_days(days)
        if not names_one.all():
            wrong = int((~names_one).argmax())
            raise table.error(
                f"{np.datetime64(int(days[wrong]), 'D')} is no session of {calendar.name} "
                f"({np.count_nonzero(~names_one)} such rows in all)",
                "Drop the row, choose the calendar of the symbols' exchange, "
                "or give bar_start and bar_end (bars) or a time of arrival (information).",
                row=int(position[wrong]),
                column=table.role[role],
            )
        return calendar.open[place], calendar.close[place]
    if rules.session is None:
        return zone.day_start(days), zone.day_start(days + np.int32(1)) - 1
    zone = Zone(rules.session.timezone)
    return zone.day_start(days, _wall_ns(rules.session.open)), zone.day_start(days, _wall_ns(rules.session.close))


def dated_sessions(dates: Days | None, start: Ns, end: Ns, rules: StreamRules, zone: Zone) -> tuple[Days, Ns]:
    """The session of every row by its date. It closes at E for session labels, else when it says, else at the next midnight."""
    if dates is not None:
        return dates, end
    if rules.session is None:
        session = (zone.to_wall(start) // DAY).astype(np.int32)
        return session, zone.day_start(session + np.int32(1))
    zone = Zone(rules.session.timezone)
    session = (zone.to_wall(start) // DAY).astype(np.int32)
    return session, zone.day_start(session, _wall_ns(rules.session.close))


def calendar_sessions(table: Table, position: NDArray[np.int64], start: Ns, end: Ns, name: str) -> tuple[Days, Ns]:
    """The session of every bar by the calendar: the first one that it overlaps."""
    calendar = calendar_around(name, int(start.min()), int(end.max()))
    place, is_inside = calendar.of_bars(start, end)
    if not is_inside.all():
        wrong = int((~is_inside).argmax())
        times = " to ".join(f"{np.datetime64(int(t), 's')}Z" for t in (start[wrong] // SECOND, end[wrong] // SECOND))
        raise table.error(
            f"the bar {times} is outside every session of {name} ({np.count_nonzero(~is_inside)} such rows in all)",
            f"Drop the row, or choose the calendar of the symbols' exchange. If the times are local times of the exchange, "
            f"set data.timezone = {calendar.timezone!r}; if they are the bars' ends, data.label = 'end'.",
            row=int(position[wrong]),
        )
    return calendar.days[place], calendar.close[place]


def _wall_ns(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000_000 + clock.microsecond * 1_000
