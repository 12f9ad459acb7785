"""When rows happen: labels, starts, ends, sessions (docs/semantics/time.md)."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.enums import TimestampLabel

from .calendar import Days
from .column import Table
from .rules import StreamRules
from .session import calendar_sessions, dated_sessions, session_bounds
from .zone import DAY, Ns, Zone

NS_PER_TICK = {"ns": 1, "us": 1_000, "ms": 1_000_000}
LIMIT = 2**63 - 8 * DAY  # room for adding a week to the last timestamp


@dataclass(frozen=True)
class Moments:
    """A time column as UTC instants; `days` are its dates `[N]` where every time is a midnight, else None."""

    utc: Ns
    days: Days | None
    is_date: bool
    is_naive: bool

    def take(self, order: NDArray[np.int64]) -> "Moments":
        """The same times in another order."""
        return replace(self, utc=self.utc[order], days=None if self.days is None else self.days[order])


@dataclass(frozen=True)
class Timeline:
    """The times of all rows, in the order of the arrays given to `build`."""

    start: Ns
    end: Ns
    session: Days
    session_close: Ns
    label: TimestampLabel
    rule: str
    frequency_ns: int | None
    is_subdaily: bool


def data_zone(table: Table, rules: StreamRules) -> Zone:
    """The zone of naive timestamps and session dates: the declared one, else that of the column, else UTC."""
    name = rules.timezone
    if name is None:
        dtype = table.source.frame[table.role["timestamp" if "timestamp" in table.role else "bar_start"]].dtype
        name = getattr(dtype, "time_zone", None) or "UTC"
    return Zone(name)


def read_moments(table: Table, role: str, zone: Zone) -> Moments:
    """A Date or Datetime column as instants.

    Raises:
        DataError: another type, a null, a time outside 1678–2262, or a naive time that the clock skipped or repeated.

    """
    name = table.role[role]
    series = table.source.frame[name]
    dtype = series.dtype
    if not isinstance(dtype, pl.Date | pl.Datetime):
        raise _wrong_time_type(table, series)
    if series.null_count():
        raise table.error(
            "the time is null", "Fill or drop the row before passing it.", row=series.is_null().arg_max(), column=name
        )
    ticks = series.to_physical().to_numpy()
    scale = DAY if isinstance(dtype, pl.Date) else NS_PER_TICK[dtype.time_unit]
    if max(-int(ticks.min()), int(ticks.max())) > LIMIT // scale:
        row = int(np.argmax(np.abs(ticks.astype(np.float64))))
        raise table.error("the time is outside the years 1678 to 2262", "Correct it.", row=row, column=name)
    if isinstance(dtype, pl.Date):
        return Moments(zone.day_start(ticks), ticks, is_date=True, is_naive=True)
    given = ticks if scale == 1 else ticks * scale
    if dtype.time_zone is not None:
        return Moments(given, _dates(given, zone), is_date=False, is_naive=False)
    if (days := _midnights(given)) is not None:
        return Moments(zone.day_start(days), days, is_date=False, is_naive=True)
    utc, gap, fold = zone.to_utc(given)
    for wrong, problem in ((gap, "does not exist"), (fold, "happens twice")):
        if wrong.any():
            row = int(wrong.argmax())
            raise table.error(
                f"{series[row]} {problem} in {zone.name}, because the clock changes then",
                "Give the times in UTC, or with their zone.",
                row=row,
                column=name,
            )
    return Moments(utc, None, is_date=False, is_naive=True)


def _wrong_time_type(table: Table, series: pl.Series) -> Exception:
    if series.dtype.is_numeric():
        remedy = "An integer may count seconds or nanoseconds: convert with polars.from_epoch(column, time_unit=...), "
        return table.error(
            f"expected Date or Datetime, found {series.dtype} ({series[0]})",
            remedy + "or write ISO 8601 dates (2024-01-31).",
            column=series.name,
        )
    row = None
    if series.dtype == pl.String:
        parsed = series.str.to_date("%Y-%m-%d", strict=False) if len(str(series[0])) == 10 else None
        row = 0 if parsed is None or parsed[0] is None else (parsed.is_null() & series.is_not_null()).arg_max()
    found = f" ({series[row]!r})" if row is not None else ""
    return table.error(
        f"expected Date or Datetime, found {series.dtype}{found}",
        "Write every time in one ISO 8601 form (2024-01-31 or 2024-01-31T09:30:00), all with an offset or all without; "
        "in a frame convert with str.to_datetime or pandas.to_datetime.",
        row=row,
        column=series.name,
    )


def _midnights(wall: Ns) -> Days | None:
    if wall[0] % DAY or wall[-1] % DAY:
        return None
    days = wall // DAY
    return days.astype(np.int32) if (days * DAY == wall).all() else None


def _dates(utc: Ns, zone: Zone) -> Days | None:
    ends = zone.to_wall(utc[[0, -1]])  # spares most intraday data the conversion of every row
    return None if (ends % DAY).any() else _midnights(zone.to_wall(utc))


def resolve_label(table: Table, moments: Moments, rules: StreamRules) -> TimestampLabel:
    """What the timestamps name. AUTO: SESSION where all are midnights and no other length than a day is declared.

    Raises:
        DataError: SESSION was asked for, but some timestamp is not a midnight, or the declared frequency is not a day.

    """
    is_daily = rules.frequency_ns in (None, DAY)
    if rules.label == TimestampLabel.AUTO:
        return TimestampLabel.SESSION if moments.days is not None and is_daily else TimestampLabel.START
    if rules.label == TimestampLabel.SESSION:
        name = table.role["timestamp"]
        if moments.days is None:
            raise table.error(
                "data.label is 'session', but not every timestamp is a date or a midnight",
                "Set data.timezone to the zone in which they are midnights, or another label.",
                column=name,
            )
        if not is_daily:
            raise table.error(
                "data.label is 'session', which means one day per row, but data.frequency is not 1d",
                "Drop one of the two settings.",
                column=name,
            )
    return rules.label


def build(
    table: Table,
    position: NDArray[np.int64],
    label: TimestampLabel,
    moments: Moments | None,
    bounds: tuple[Ns, Ns] | None,
    *,
    frequency_ns: int | None,
    rules: StreamRules,
    zone: Zone,
    is_bars: bool = True,
) -> Timeline:
    """Start, end, session date and session close of every row; `position` `[N]` are their rows in the source.

    - `bounds` (bar_start, bar_end) win over everything.
    - start: S = timestamp, E = S + frequency. end: E = timestamp, S = E − frequency.
    - session: S and E are the session's open and close, or midnight and one nanosecond before the next.

    Raises:
        DataError: a date that names no session of the calendar, or a bar outside all of its sessions.

    """
    dates = moments.days if moments is not None and label == TimestampLabel.SESSION else None
    if bounds is not None:
        start, end = bounds
    elif moments is None:
        raise ValueError("neither a timestamp nor bar_start and bar_end")
    elif dates is not None:
        start, end = session_bounds(table, position, dates, rules, zone)
    elif label == TimestampLabel.END:
        start, end = _shift(moments, -(frequency_ns or 0), zone), moments.utc
    else:
        start, end = moments.utc, _shift(moments, frequency_ns or 0, zone)
    if rules.calendar is not None and is_bars and (dates is None or bounds is not None):
        session, close = calendar_sessions(table, position, start, end, rules.calendar)
    else:
        session, close = dated_sessions(dates, start, end, rules, zone)
    made_from_dates = dates is not None and bounds is None
    rule = "bar_start, bar_end" if bounds is not None else label.name.lower()
    shortest = frequency_ns if bounds is None else int((end - start).min()) + DAY // 24
    return Timeline(
        start=start,
        end=end,
        session=session,
        session_close=close,
        label=TimestampLabel.SESSION if made_from_dates else TimestampLabel.START if bounds is not None else label,
        rule=rule,
        frequency_ns=DAY if made_from_dates else None if bounds is not None else frequency_ns,
        is_subdaily=not made_from_dates and shortest is not None and shortest < DAY,
    )


def _shift(moments: Moments, frequency_ns: int, zone: Zone) -> Ns:
    """The timestamps moved by a duration; whole days keep the time of day where all rows share it."""
    if frequency_ns % DAY == 0 and zone.name != "UTC":
        wall = zone.to_wall(moments.utc)
        if (wall % DAY == wall[0] % DAY).all():
            return zone.to_utc(wall + frequency_ns)[0]
    return moments.utc + frequency_ns


def most_common_gap(instants: Ns, same_symbol: NDArray[np.bool_] | None) -> int | None:
    """The most common positive distance of neighbouring rows of a symbol, the shortest of equals; None without any.

    `instants` `[N]` in order of symbol, then time; `same_symbol` `[N-1]` says which neighbours share one (None: all).
    """
    gaps = np.diff(instants)
    if same_symbol is not None:
        gaps = gaps[same_symbol]
    if not len(gaps):
        return None
    guess = int(np.median(gaps[:: max(1, len(gaps) // 1_000)]))
    if guess > 0 and 2 * np.count_nonzero(gaps == guess) > len(gaps):
        return guess
    gaps = gaps[gaps > 0]
    if not len(gaps):
        return None
    values, counts = np.unique(gaps, return_counts=True)
    return int(values[counts.argmax()])
