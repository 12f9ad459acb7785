"""Time zones, durations and the limits of a period, as config spells them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from ml4t.backtest.errors import nearest

_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART = re.compile(r"(\d+)(ns|us|ms|s|m|h|d|w)")
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration; a day is 24 hours.

    >>> duration_ns("1h30m") // 10**9
    5400

    Raises:
        ValueError: it is not a sequence of whole numbers with units, or zero.

    """
    parts = _PART.findall(text)
    total = sum(int(number) * _UNIT_NS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < total <= _INT64_MAX:
        raise ValueError(f'must be whole numbers with a unit ({", ".join(_UNIT_NS)}), such as "1m" or "1h30m"')
    return total


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises: ValueError with the nearest name."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such name, the name of a folder, no name at all
        near = nearest(name, available_timezones())
        raise ValueError(f"is not a time zone; use a name such as America/New_York.{near}") from None


def first_ns(start: date | datetime | None, timezone: str) -> int:
    """The UTC nanosecond of `start`: of its midnight if it is a date, in `timezone` if it names none."""
    if start is None:
        return _INT64_MIN
    return _utc_ns(start if isinstance(start, datetime) else datetime.combine(start, time.min), timezone)


def last_ns(end: date | datetime | None, timezone: str) -> int:
    """The UTC nanosecond of `end`: of its day's last one if it is a date."""
    if end is None or end.year >= 2262:  # 2262-04-11 is the last day of int64
        return _INT64_MAX
    if isinstance(end, datetime):
        return _utc_ns(end, timezone)
    return _utc_ns(datetime.combine(end + timedelta(days=1), time.min), timezone) - 1


def _utc_ns(instant: datetime, timezone: str) -> int:
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone(timezone))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = (instant - epoch) // timedelta(microseconds=1) * 1_000
    return min(max(nanoseconds, _INT64_MIN), _INT64_MAX)
