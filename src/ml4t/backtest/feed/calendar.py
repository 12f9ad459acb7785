"""The sessions of an exchange as arrays, from `exchange_calendars`: holidays, early closes and clock changes included."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, DataError, nearest

from .zone import DAY, Ns

Days = NDArray[np.int32]
LONGEST_HOLIDAY = 30  # days to look at before and after the data, so that its first and last sessions have neighbours


@dataclass(frozen=True)
class Calendar:
    """The sessions of one exchange around a period, in order. Breaks inside a session are not looked at."""

    name: str
    timezone: str
    days: Days  # [n] dates that name the sessions
    open: Ns  # [n] UTC ns
    close: Ns  # [n] UTC ns

    def of_days(self, days: Days) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The session that each date names, and whether it names one."""
        place = np.minimum(np.searchsorted(self.days, days), max(len(self.days) - 1, 0))
        return place, self.days[place] == days if len(self.days) else np.zeros(len(days), np.bool_)

    def of_bars(self, start: Ns, end: Ns) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The first session that each bar overlaps, open ≤ time < close, and whether it overlaps any."""
        place = np.searchsorted(self.close, start, side="right")
        found = place < len(self.close)
        place = np.minimum(place, max(len(self.close) - 1, 0))
        return place, found & (self.open[place] < end) if len(self.open) else found


def calendar_around(name: str, low: int, high: int) -> Calendar:
    """The calendar of that name with every session around the instants from `low` to `high`, UTC ns.

    Raises:
        ConfigError: there is no such calendar (names the nearest), or `exchange_calendars` is not installed.
        DataError: the calendar does not reach as far.

    """
    return _calendar(name, low // DAY, high // DAY)


@lru_cache(maxsize=16)
def _calendar(name: str, first_day: int, last_day: int) -> Calendar:
    xc = _package()
    if name not in (names := xc.get_calendar_names()):
        raise ConfigError(
            f"data.calendar = {name!r}: exchange_calendars has no such calendar.{nearest(name, names)} "
            "Its names are exchange codes such as XNYS, XLON, XTKS or CMES."
        )
    try:
        found = _around(xc, name, first_day - LONGEST_HOLIDAY, last_day + LONGEST_HOLIDAY)
    except ValueError:  # the days around the data may be where the calendar ends
        try:
            found = _around(xc, name, first_day - 1, last_day + 1)
        except ValueError as error:
            raise DataError(
                f"data.calendar = {name!r} does not cover the data, {_iso(first_day)} to {_iso(last_day)}: "
                f"{str(error).splitlines()[0][:200]} Shorten the period, or give data.session instead."
            ) from error
    return found


def _around(xc: Any, name: str, first_day: int, last_day: int) -> Calendar:
    try:
        calendar = xc.get_calendar(name, start=_iso(first_day), end=_iso(last_day))
    except xc.errors.NoSessionsError:
        nothing = np.zeros(0, np.int64)
        return Calendar(name, "UTC", nothing.astype(np.int32), nothing, nothing)
    days = calendar.sessions.to_numpy().astype("datetime64[D]").astype(np.int32)
    return Calendar(name, str(calendar.tz), days, _instants(calendar.opens), _instants(calendar.closes))


def _instants(times: Any) -> Ns:
    naive: Ns = times.dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    return naive


def _iso(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _package() -> Any:
    try:
        import exchange_calendars  # optional, and slow to import: it brings pandas
    except ImportError as error:
        raise ConfigError(
            "data.calendar needs the package exchange_calendars: pip install 'ml4t-backtest[calendars]'. "
            "Without it, data.session gives one opening and closing time for every day."
        ) from error
    return exchange_calendars
