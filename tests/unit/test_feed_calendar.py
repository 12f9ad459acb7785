"""Sessions of exchanges: opens and closes are those that the exchanges published, written out in UTC by hand."""

import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import ConfigError, DataError
from ml4t.backtest.feed import StreamRules, load_bars, load_information

NY = "America/New_York"
HOUR = 3_600 * 10**9
# The Friday after Thanksgiving 2023 closes at 13:00 in New York; clocks there go back on 2023-11-05 (UTC−4, then UTC−5).
WEDNESDAY, FRIDAY, MONDAY = date(2023, 11, 22), date(2023, 11, 24), date(2023, 11, 27)


def frame(times, **more):
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [10.0] * len(times))
    return pl.DataFrame({"timestamp": times} | prices | more)


def load(times, calendar="XNYS", more=None, **rules):
    return load_bars(frame(times, **(more or {})), StreamRules(symbol="X", calendar=calendar, **rules))


def utc(year, month, day, hour, minute=0):
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 10**9


def local(day, clock, zone=NY):
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))


def number(day):
    return (day - date(1970, 1, 1)).days


def test_session_labels_run_from_the_open_to_the_close_early_or_not():
    s = load([WEDNESDAY, FRIDAY, MONDAY])
    assert s.start.tolist() == [utc(2023, 11, d, 14, 30) for d in (22, 24, 27)]
    assert s.end.tolist() == [utc(2023, 11, 22, 21), utc(2023, 11, 24, 18), utc(2023, 11, 27, 21)]
    assert s.session_close.tolist() == s.end.tolist()
    assert s.session.tolist() == [number(d) for d in (WEDNESDAY, FRIDAY, MONDAY)]
    assert (s.label, s.is_subdaily) == (TimestampLabel.SESSION, False)


def test_session_labels_follow_the_clock_of_the_exchange():
    s = load([date(2023, 11, 3), date(2023, 11, 6)])
    assert s.start.tolist() == [utc(2023, 11, 3, 13, 30), utc(2023, 11, 6, 14, 30)]
    assert s.end.tolist() == [utc(2023, 11, 3, 20), utc(2023, 11, 6, 21)]


def test_minute_bars_belong_to_the_session_they_lie_in():
    times = [local(WEDNESDAY, "15:59"), local(FRIDAY, "12:59"), local(MONDAY, "9:30")]
    s = load(times, frequency_ns=60 * 10**9)
    assert s.session.tolist() == [number(d) for d in (WEDNESDAY, FRIDAY, MONDAY)]
    assert s.session_close.tolist() == [utc(2023, 11, 22, 21), utc(2023, 11, 24, 18), utc(2023, 11, 27, 21)]


def test_a_session_that_opens_the_evening_before_has_the_date_of_its_close():
    """CME futures: the session of Tuesday the 21st opens on Monday at 17:00 in Chicago, 23:00 UTC."""
    monday = datetime(2023, 11, 20, 23, 30, tzinfo=UTC)
    s = load([monday - timedelta(hours=1), monday], "CMES", frequency_ns=30 * 60 * 10**9)
    assert s.session.tolist() == [number(date(2023, 11, 20)), number(date(2023, 11, 21))]
    assert s.session_close.tolist() == [utc(2023, 11, 20, 23), utc(2023, 11, 21, 23)]


def test_a_bar_that_begins_before_the_open_or_ends_after_the_close_belongs_to_the_session_it_overlaps():
    times = [local(WEDNESDAY, "9:00"), local(WEDNESDAY, "15:00"), local(FRIDAY, "12:30")]
    s = load(times, frequency_ns=HOUR)
    assert s.session.tolist() == [number(WEDNESDAY)] * 2 + [number(FRIDAY)]
    # the last bar of Friday ends at 13:30: its session stays open for it
    assert s.session_close.tolist() == [utc(2023, 11, 22, 21)] * 2 + [utc(2023, 11, 24, 18, 30)]


@pytest.mark.parametrize(
    ("day", "clock"),
    [(FRIDAY, "13:00"), (FRIDAY, "9:29"), (date(2023, 11, 23), "12:00"), (date(2023, 11, 25), "12:00")],
)
def test_a_bar_outside_every_session_is_named(day, clock):
    times = [local(WEDNESDAY, "9:30"), local(day, clock)]
    with pytest.raises(DataError) as caught:
        load(times, frequency_ns=60 * 10**9)
    for fragment in ("bars (frame), row 1", "outside every session of XNYS", "data.timezone = 'America/New_York'"):
        assert fragment in str(caught.value)


def test_rows_are_named_as_given_when_they_are_sorted():
    times = [local(FRIDAY, "13:00"), local(WEDNESDAY, "9:30")]
    with pytest.raises(DataError, match="row 0"):
        load(times, frequency_ns=60 * 10**9, sort=True)


@pytest.mark.parametrize("holiday", [date(2023, 11, 23), date(2023, 11, 25)])
def test_a_date_that_is_no_session_is_named(holiday):
    with pytest.raises(DataError) as caught:
        load([WEDNESDAY, holiday])
    for fragment in ("row 1", "column 'timestamp'", f"{holiday} is no session of XNYS", "Drop the row"):
        assert fragment in str(caught.value)


def test_only_weekends_hold_no_session_at_all():
    with pytest.raises(DataError, match="2023-11-25 is no session of XNYS"):
        load([date(2023, 11, 25)])


def test_bar_times_win_over_dates_and_belong_to_the_session_they_lie_in():
    more = {"bar_start": [local(FRIDAY, "9:30")], "bar_end": [local(FRIDAY, "13:00")]}
    s = load([FRIDAY], more=more)
    assert (s.start.tolist(), s.session_close.tolist()) == ([utc(2023, 11, 24, 14, 30)], [utc(2023, 11, 24, 18)])
    with pytest.raises(DataError, match="outside every session"):
        load([FRIDAY], more={"bar_start": [local(FRIDAY, "13:00")], "bar_end": [local(FRIDAY, "14:00")]})


def test_a_week_belongs_to_its_first_session_and_keeps_it_open():
    s = load([datetime(2023, 11, 19, tzinfo=UTC)], frequency_ns=7 * 24 * HOUR)
    assert s.session.tolist() == [number(date(2023, 11, 20))]
    assert s.session_close.tolist() == s.end.tolist() == [utc(2023, 11, 26, 0)]


def test_years_long_ago_and_ahead_are_covered():
    s = load([date(1975, 1, 2), date(2024, 7, 3)])  # the day before Independence Day closes at 13:00, UTC−4
    assert s.end.tolist() == [utc(1975, 1, 2, 21), utc(2024, 7, 3, 17)]


def test_a_calendar_that_does_not_reach_the_data_says_so():
    with pytest.raises(DataError, match=r"data.calendar = 'XKRX' does not cover the data.*1956"):
        load([date(1950, 1, 3)], "XKRX")


def test_the_first_sessions_that_a_calendar_knows_can_be_used():
    s = load([date(1990, 12, 19)], "XSHG")  # its first trading day; its bound leaves no month before it
    assert s.start.tolist() == [utc(1990, 12, 19, 1, 30)]


@pytest.mark.parametrize(("name", "hint"), [("XNYSE", "'XNYS'"), ("xnys", "'XNYS'"), ("Mars", "XLON")])
def test_an_unknown_calendar_is_a_config_error_with_the_nearest(name, hint):
    with pytest.raises(ConfigError) as caught:
        load([WEDNESDAY], name)
    assert repr(name) in str(caught.value)
    assert hint in str(caught.value)


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ConfigError, match=r"pip install 'ml4t-backtest\[calendars\]'"):
        load([date(2019, 1, 2)])


# ---------------------------------------------------------------------------------------------------------- information
def inform(columns, **rules):
    return load_information(pl.DataFrame(columns), StreamRules(calendar="XNYS", **rules), name="scores", symbols=("X",))


def test_information_with_a_date_is_known_at_the_close_of_its_session():
    s = inform({"timestamp": [WEDNESDAY, FRIDAY], "score": [1.0, 2.0]})
    assert s.end.tolist() == [utc(2023, 11, 22, 21), utc(2023, 11, 24, 18)]


def test_an_arrival_date_means_the_close_of_that_session_and_the_event_may_be_any_day():
    s = inform({"timestamp": [date(2023, 11, 19)], "known_at": [FRIDAY], "score": [1.0]})
    assert s.end.tolist() == [utc(2023, 11, 24, 18)]
    with pytest.raises(DataError, match="column 'known_at': 2023-11-25 is no session"):
        inform({"timestamp": [FRIDAY], "known_at": [date(2023, 11, 25)], "score": [1.0]})


def test_information_with_a_time_may_arrive_at_night():
    night = datetime(2023, 11, 25, 3, tzinfo=UTC)
    s = inform({"timestamp": [night], "arrival": [night], "score": [1.0]})
    assert s.end.tolist() == [utc(2023, 11, 25, 3)]
    s = inform({"timestamp": [night, night + timedelta(hours=1)], "score": [1.0, 2.0]})
    assert s.end.tolist() == [utc(2023, 11, 25, 4), utc(2023, 11, 25, 5)]
