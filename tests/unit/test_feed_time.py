"""Starts, ends, sessions: every expected instant is worked out by hand (docs/semantics/time.md)."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import numpy as np
import polars as pl
import pytest

from ml4t.backtest.config import period
from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.feed import SessionTimes, StreamRules, duration_ns, load_bars, load_information

NY = "America/New_York"
NYSE = SessionTimes(time(9, 30), time(16), NY)
MINUTE, HOUR, DAY = 60 * 10**9, 3_600 * 10**9, 86_400 * 10**9
JAN_2 = 1_704_153_600 * 10**9  # 2024-01-02T00:00:00Z
MAR_10 = 1_710_028_800 * 10**9  # 2024-03-10T00:00:00Z, clocks go forward in New York
NOV_3 = 1_730_592_000 * 10**9  # 2024-11-03T00:00:00Z, clocks go back in New York


def frame(times, symbols=None, **more):
    n = len(times)
    prices = {name: [10.0] * n for name in ("open", "high", "low", "close", "volume")}
    named = {} if symbols is None else {"symbol": symbols}
    return pl.DataFrame({"timestamp": times} | named | prices | more)


def load(times, symbols=None, more=None, **rules):
    if symbols is None:
        rules["symbol"] = "X"
    return load_bars(frame(times, symbols, **(more or {})), StreamRules(**rules))


def day_number(*ymd):
    return (date(*ymd) - date(1970, 1, 1)).days


def test_start_labels_end_one_frequency_later():
    s = load([datetime(2024, 1, 2, 14, 30 + m) for m in (0, 1, 2, 4)])
    assert s.start.tolist() == [JAN_2 + 14 * HOUR + (30 + m) * MINUTE for m in (0, 1, 2, 4)]
    assert (s.end - s.start).tolist() == [MINUTE] * 4
    assert s.session_close.tolist() == [JAN_2 + DAY] * 4
    assert (s.label, s.is_subdaily, s.description.frequency_ns) == (TimestampLabel.START, True, MINUTE)
    assert s.description.label == "start"


def test_end_labels_start_one_frequency_earlier():
    s = load([datetime(2024, 1, 2, 14, 31), datetime(2024, 1, 2, 14, 32)], label=TimestampLabel.END)
    assert s.start.tolist() == [JAN_2 + 14 * HOUR + 30 * MINUTE, JAN_2 + 14 * HOUR + 31 * MINUTE]
    assert s.end.tolist() == [JAN_2 + 14 * HOUR + 31 * MINUTE, JAN_2 + 14 * HOUR + 32 * MINUTE]


def test_an_end_label_at_midnight_belongs_to_the_day_before():
    s = load([datetime(2024, 1, 2, 23, 59), datetime(2024, 1, 3)], label=TimestampLabel.END)
    assert s.session.tolist() == [day_number(2024, 1, 2)] * 2
    assert s.session_close.tolist() == [JAN_2 + DAY] * 2


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_midnights_of_any_unit_are_session_labels(unit):
    s = load(pl.Series([datetime(2024, 1, 2), datetime(2024, 1, 3)], dtype=pl.Datetime(unit)))
    assert s.start.tolist() == [JAN_2, JAN_2 + DAY]
    assert s.end.tolist() == [JAN_2 + DAY - 1, JAN_2 + 2 * DAY - 1]
    assert s.session_close.tolist() == s.end.tolist()
    assert s.session.tolist() == [19_724, 19_725]
    assert (s.label, s.is_subdaily) == (TimestampLabel.SESSION, False)


def test_dates_and_naive_and_aware_midnights_agree():
    wall = [datetime(2024, 1, 2), datetime(2024, 1, 3)]
    dates = load([t.date() for t in wall], timezone=NY)
    naive = load(wall, timezone=NY)
    aware = load(pl.Series(wall).dt.replace_time_zone(NY))  # its own zone counts where none is declared
    assert dates.start.tolist() == [JAN_2 + 5 * HOUR, JAN_2 + DAY + 5 * HOUR]
    for other in (naive, aware):
        assert other.start.tolist() == dates.start.tolist()
        assert other.end.tolist() == dates.end.tolist()
        assert other.label == TimestampLabel.SESSION
    assert aware.description.timezone == NY


def test_session_labels_with_session_times_run_from_open_to_close():
    s = load([date(2024, 3, 8), date(2024, 3, 11)], session=NYSE)  # before and after the clocks went forward
    eighth, eleventh = MAR_10 - 2 * DAY, MAR_10 + DAY
    assert s.start.tolist() == [eighth + 14 * HOUR + 30 * MINUTE, eleventh + 13 * HOUR + 30 * MINUTE]
    assert s.end.tolist() == [eighth + 21 * HOUR, eleventh + 20 * HOUR]
    assert s.session_close.tolist() == s.end.tolist()


def test_days_of_23_and_25_hours_are_sessions_too():
    s = load([date(2024, 3, 10), date(2024, 11, 3)], timezone=NY)
    assert s.start.tolist() == [MAR_10 + 5 * HOUR, NOV_3 + 4 * HOUR]
    assert (s.end - s.start + 1).tolist() == [23 * HOUR, 25 * HOUR]


def test_daily_start_labels_follow_the_wall_clock_across_clock_changes():
    times = [datetime(2024, 3, d, 9, 30) for d in (9, 10, 11)]
    s = load(times, timezone=NY, frequency_ns=DAY)
    assert s.start.tolist() == [
        MAR_10 - DAY + 14 * HOUR + 30 * MINUTE,
        *(MAR_10 + k * DAY + 13.5 * HOUR for k in (0, 1)),
    ]
    assert (s.end - s.start).tolist() == [23 * HOUR, DAY, DAY]
    assert not s.is_subdaily


def test_the_same_wall_time_is_another_instant_after_the_clocks_went_back():
    s = load([datetime(2024, 11, 3, 0, 30), datetime(2024, 11, 3, 2, 30)], timezone=NY, frequency_ns=HOUR)
    assert s.start.tolist() == [NOV_3 + 4 * HOUR + 30 * MINUTE, NOV_3 + 7 * HOUR + 30 * MINUTE]
    assert s.session_close.tolist() == [NOV_3 + 29 * HOUR] * 2


def test_an_aware_column_may_pass_through_both_hours_of_a_fold():
    utc = [datetime(2024, 11, 3, 5, 30, tzinfo=UTC) + timedelta(hours=h) for h in (0, 1)]
    s = load(pl.Series(utc).dt.convert_time_zone(NY), frequency_ns=HOUR)
    assert s.start.tolist() == [NOV_3 + 5 * HOUR + 30 * MINUTE, NOV_3 + 6 * HOUR + 30 * MINUTE]


def test_a_session_date_whose_midnight_does_not_exist_starts_at_the_clock_change():
    s = load([date(2018, 11, 4)], timezone="America/Sao_Paulo")  # 00:00 became 01:00, UTC−3 became UTC−2
    nov_4 = 1_541_289_600 * 10**9
    assert s.start.tolist() == [nov_4 + 3 * HOUR]
    assert s.end.tolist() == [nov_4 + 26 * HOUR - 1]


@pytest.mark.parametrize("name", [NY, "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu"])
def test_naive_times_agree_with_polars_in_every_hour_of_ten_years(name):
    wall = pl.datetime_range(datetime(2009, 1, 1, 0, 15), datetime(2019, 1, 1), "1h", eager=True)
    expected = wall.dt.replace_time_zone(name, ambiguous="null", non_existent="null")
    keep = expected.is_not_null()
    s = load(wall.filter(keep), timezone=name, frequency_ns=MINUTE)
    utc = expected.filter(keep).dt.convert_time_zone("UTC").dt.cast_time_unit("ns")
    assert s.start.tolist() == utc.to_physical().to_list()
    assert s.session.tolist() == wall.filter(keep).dt.date().to_physical().to_list()


def test_auto_is_not_session_where_another_length_than_a_day_is_declared():
    weekly = load([date(2024, 1, 1), date(2024, 1, 8)], frequency_ns=7 * DAY)
    assert weekly.end.tolist() == [JAN_2 + 6 * DAY, JAN_2 + 13 * DAY]
    assert (weekly.label, weekly.is_subdaily) == (TimestampLabel.START, False)
    one_minute = load([datetime(2024, 1, 2)], frequency_ns=MINUTE)
    assert one_minute.end.tolist() == [JAN_2 + MINUTE]


def test_weekly_dates_without_a_declared_frequency_are_warned_about():
    s = load([date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)])
    assert s.label == TimestampLabel.SESSION
    assert "7 days apart" in s.description.warnings[0]


def test_a_session_closes_at_the_declared_close_or_at_the_end_of_its_last_bar():
    times = [datetime(2024, 1, 2, 14, 30), datetime(2024, 1, 2, 20, 59), datetime(2024, 1, 2, 21, 30)]
    with_late_bar = load(times, session=NYSE, frequency_ns=MINUTE)
    without = load(times[:2], session=NYSE, frequency_ns=MINUTE)
    assert without.session_close.tolist() == [JAN_2 + 21 * HOUR] * 2
    assert with_late_bar.session_close.tolist() == [JAN_2 + 21 * HOUR + 31 * MINUTE] * 3


def test_only_the_symbol_and_session_with_the_late_bar_stay_open_longer():
    late = datetime(2024, 1, 2, 21, 30)
    times = [datetime(2024, 1, 2, 15), datetime(2024, 1, 2, 15), late, datetime(2024, 1, 3, 15)]
    s = load(times, symbols=["A", "B", "B", "B"], session=NYSE, frequency_ns=MINUTE)
    assert s.session_close.tolist() == [
        JAN_2 + 21 * HOUR,
        JAN_2 + 21 * HOUR + 31 * MINUTE,
        JAN_2 + 21 * HOUR + 31 * MINUTE,
        JAN_2 + DAY + 21 * HOUR,
    ]


def test_intraday_dates_are_those_of_the_session_zone():
    sydney = SessionTimes(time(10), time(16), "Australia/Sydney")  # UTC+11 in January: 23:00 to 05:00 UTC
    s = load([datetime(2024, 1, 1, 23), datetime(2024, 1, 2, 4)], session=sydney, frequency_ns=HOUR)
    assert s.session.tolist() == [day_number(2024, 1, 2)] * 2
    assert s.session_close.tolist() == [JAN_2 + 5 * HOUR] * 2


def test_bar_start_and_bar_end_win_over_everything():
    opens = [datetime(2024, 1, 2, 14, 30), datetime(2024, 1, 3, 14, 30)]
    closes = [datetime(2024, 1, 2, 18), datetime(2024, 1, 3, 21)]  # the first day closed early
    s = load(
        [date(2024, 1, 2), date(2024, 1, 3)],
        more={"bar_start": opens, "bar_end": closes},
        session=NYSE,
        frequency_ns=MINUTE,
    )
    assert s.start.tolist() == [JAN_2 + 14 * HOUR + 30 * MINUTE, JAN_2 + DAY + 14 * HOUR + 30 * MINUTE]
    assert s.end.tolist() == [JAN_2 + 18 * HOUR, JAN_2 + DAY + 21 * HOUR]
    assert s.session_close.tolist() == [JAN_2 + 21 * HOUR, JAN_2 + DAY + 21 * HOUR]  # the declared close


def test_bars_of_different_lengths_need_no_timestamp_and_are_ordered_by_their_end():
    start = [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11)]
    end = [datetime(2024, 1, 2, 15), datetime(2024, 1, 2, 11), datetime(2024, 1, 2, 12)]
    data = (
        frame(start, symbols=["A", "B", "B"])
        .drop("timestamp")
        .with_columns(bar_start=pl.Series(start), bar_end=pl.Series(end))
    )
    s = load_bars(data, StreamRules())
    assert s.symbol.tolist() == [1, 1, 0]
    assert s.end.tolist() == [JAN_2 + h * HOUR for h in (11, 12, 15)]
    assert s.label == TimestampLabel.START
    assert s.is_subdaily
    assert s.description.label == "bar_start, bar_end"


def test_date_labels_with_bar_times_close_at_the_end_of_the_bar():
    s = load(
        [date(2024, 1, 2)],
        more={"bar_start": [datetime(2024, 1, 1, 23)], "bar_end": [datetime(2024, 1, 2, 22)]},
    )
    assert s.session.tolist() == [day_number(2024, 1, 2)]  # the label, not the date of the start
    assert s.session_close.tolist() == s.end.tolist() == [JAN_2 + 22 * HOUR]


def test_symbols_are_sorted_unless_the_universe_says_otherwise():
    times, symbols = [date(2024, 1, 2)] * 3, ["C", "A", "B"]
    prices = {"close": [10.0, 10.0, 10.0], "tag": [3.0, 1.0, 2.0]}
    by_name = load(times, symbols, more=prices)
    declared = load(times, symbols, more=prices, universe=("B", "C", "A"))
    assert (by_name.symbols, by_name.columns["tag"].tolist()) == (("A", "B", "C"), [1.0, 2.0, 3.0])
    assert (declared.symbols, declared.columns["tag"].tolist()) == (("B", "C", "A"), [2.0, 3.0, 1.0])
    assert declared.symbol.tolist() == [0, 1, 2]


def test_the_frequency_is_the_most_common_gap_within_symbols():
    times = [datetime(2024, 1, 2, 10, m) for m in (0, 1, 5, 6, 10, 11, 30, 31)]
    s = load(times, symbols=["A", "B"] * 4)  # gaps 5, 5, 20 minutes for each
    assert s.description.frequency_ns == 5 * MINUTE


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (date(2024, 1, 3), None, [2, 3]),
        (None, date(2024, 1, 2), [0, 1]),  # the whole day
        (date(2024, 1, 3), date(2024, 1, 3), [2, 3]),
        (datetime(2024, 1, 2, 16), datetime(2024, 1, 3, 10), [1, 2]),  # starts on or before
        (datetime(2024, 1, 2, 11, tzinfo=timezone(timedelta(hours=-5))), None, [1, 2, 3]),
        (datetime(2024, 1, 2, 16, 0, 1), datetime(2024, 1, 3, 9, 59), []),
    ],
)
def test_a_period_keeps_the_bars_that_start_in_it(start, end, kept):
    times = [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 16), datetime(2024, 1, 3, 10), datetime(2024, 1, 3, 16)]
    if not kept:
        with pytest.raises(ValueError, match="no row lies between"):
            load(times, start=start, end=end, frequency_ns=HOUR)
        return
    s = load(times, more={"row": [0.0, 1.0, 2.0, 3.0]}, start=start, end=end, frequency_ns=HOUR)
    assert s.columns["row"].tolist() == kept
    assert s.description.counts["rows_outside_period"] == 4 - len(kept)
    assert s.description.rows == 4


def test_naive_times_of_day_without_a_zone_are_utc_and_said_to_be():
    s = load([datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11)])
    assert "taken as UTC" in s.description.warnings[0]
    declared = load([datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11)], timezone="UTC")
    assert declared.description.warnings == ()


def test_durations():
    assert [duration_ns(t) for t in ("1m", "4h", "1d", "1w", "90s", "1h30m", "250ms")] == [
        MINUTE, 4 * HOUR, DAY, 7 * DAY, 90 * 10**9, 90 * MINUTE, 250 * 10**6,
    ]  # fmt: skip
    assert duration_ns is period.duration_ns
    for wrong in ("", "m", "1", "0m", "1mo", "-1m", "1.5h"):
        with pytest.raises(ValueError, match="unit"):
            duration_ns(wrong)


SYMBOLS = ("NDX", "SPX")


def information(columns, **rules):
    return load_information(pl.DataFrame(columns), StreamRules(**rules), name="signals", symbols=SYMBOLS)


def test_information_is_ordered_by_arrival_and_knows_its_event():
    at = [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11), datetime(2024, 1, 2, 12)]
    known = [datetime(2024, 1, 2, 10, 30, 5), datetime(2024, 1, 2, 16), datetime(2024, 1, 2, 13)]
    s = information(
        {
            "Time": at,
            "known_at": known,
            "Ticker": ["SPX", "NDX", "NDX"],
            "score": [1, None, 3],
            "up": [True, False, True],
        }
    )
    assert s.end.tolist() == [JAN_2 + 10 * HOUR + 30 * MINUTE + 5 * 10**9, JAN_2 + 13 * HOUR, JAN_2 + 16 * HOUR]
    assert s.start.tolist() == [JAN_2 + h * HOUR for h in (10, 12, 11)]
    assert s.symbol.tolist() == [1, 0, 0]
    assert s.symbols == SYMBOLS
    np.testing.assert_array_equal(s.columns["score"], [1.0, 3.0, np.nan])
    assert s.columns["up"].tolist() == [1.0, 1.0, 0.0]


def test_information_without_arrival_is_known_at_the_end_of_its_bar():
    daily = information({"date": [date(2024, 1, 2)], "score": [1.0]})
    assert daily.end.tolist() == [JAN_2 + DAY - 1]
    assert daily.symbol.tolist() == [-1]
    in_session = information({"date": [date(2024, 1, 2)], "score": [1.0]}, session=NYSE, symbol="SPX")
    assert in_session.end.tolist() == [JAN_2 + 21 * HOUR]
    assert in_session.symbol.tolist() == [1]
    hourly = information({"time": [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11)], "score": [1.0, 2.0]})
    assert hourly.end.tolist() == [JAN_2 + 11 * HOUR, JAN_2 + 12 * HOUR]


def test_arrival_dates_mean_the_end_of_the_session_and_arrival_midnights_are_warned_about():
    dates = information({"date": [date(2023, 12, 31)], "arrival": [date(2024, 1, 2)], "score": [1.0]})
    assert dates.end.tolist() == [JAN_2 + DAY - 1]
    midnight = information({"date": [date(2023, 12, 31)], "arrival": [datetime(2024, 1, 2)], "score": [1.0]})
    assert midnight.end.tolist() == [JAN_2]
    assert any("Every arrival is a midnight" in w for w in midnight.description.warnings)


def test_information_may_be_revised_and_keeps_what_was_known_before_the_run():
    event = [date(2023, 12, 1), date(2023, 12, 1), date(2024, 3, 1)]
    arrival = [datetime(2023, 12, 15, 8), datetime(2024, 1, 15, 8), datetime(2024, 3, 1, 8)]
    s = information(
        {"timestamp": event, "arrival": arrival, "value": [1.0, 2.0, 3.0]}, start=date(2024, 1, 1), end=date(2024, 2, 1)
    )
    assert s.columns["value"].tolist() == [1.0, 2.0]
    assert s.description.counts == {"rows_outside_period": 1}


def test_information_that_lies_wholly_after_the_run_leaves_an_empty_stream():
    s = information({"date": [date(2024, 1, 2)], "score": [1.0]}, end=date(2023, 1, 1))
    assert (len(s.end), s.columns["score"].tolist(), s.description.first) == (0, [], "")
