"""DAY orders by the sessions of an exchange: early closes, clock changes, weekends. Times are worked out by hand in UTC.

New York closes at 16:00, on the Friday after Thanksgiving (2023-11-24) at 13:00. Its clocks go back on Sunday 2023-11-05: 16:00 is
20:00 UTC before and 21:00 UTC after.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ml4t.backtest import Result, Strategy, run

NEW_YORK = ZoneInfo("America/New_York")
MINUTE = timedelta(minutes=1)
FRIDAY, MONDAY = date(2023, 11, 24), date(2023, 11, 27)


def at(day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)


def minutes(*bars: tuple[datetime, float]) -> pl.DataFrame:
    """One-minute bars at 100 that fall to a low of their own."""
    return pl.DataFrame(
        {
            "timestamp": pl.Series([time.astimezone(UTC) for time, _ in bars]),
            "symbol": "A",
            "open": 100.0,
            "high": 100.0,
            "low": [low for _, low in bars],
            "close": 100.0,
            "volume": 1.0,
        }
    )


class BuysAt(Strategy):
    """One DAY order for 95 at each of these decisions."""

    def __init__(self, *times: datetime) -> None:
        super().__init__()
        self._times = times

    def on_bar(self) -> None:
        if self.clock.now in self._times:
            self.broker.buy("A", 1, limit=95, tif="day")


def play(bars: pl.DataFrame, *asked: datetime, **data: Any) -> Result:
    return run(BuysAt(*asked), bars, {"data": {"frequency": "1m"} | data})


def ends(result: Result) -> list[tuple[str, str, datetime]]:
    """How and when each order ended."""
    final = result.order_events.filter(pl.col("to_state").is_in(["filled", "expired", "cancelled"]))
    return [(row["to_state"], row["reason"], row["timestamp"]) for row in final.to_dicts()]


EARLY = minutes((at(FRIDAY, "12:58"), 99.0), (at(FRIDAY, "12:59"), 99.0), (at(MONDAY, "9:30"), 90.0))


@pytest.mark.parametrize(
    ("data", "closes"),
    [
        ({"calendar": "XNYS"}, datetime(2023, 11, 24, 18, tzinfo=UTC)),
        (
            {"session": {"open": "09:30", "close": "16:00", "timezone": "America/New_York"}},
            datetime(2023, 11, 24, 21, tzinfo=UTC),
        ),
        ({}, datetime(2023, 11, 25, 0, tzinfo=UTC)),
    ],
    ids=["calendar", "session", "date"],
)
def test_a_day_order_of_friday_is_gone_on_monday(data: dict[str, Any], closes: datetime) -> None:
    """Monday falls to 90, beyond its limit. When it went depends on who says when the session closed."""
    result = play(EARLY, at(FRIDAY, "12:59"), **data)
    assert ends(result) == [("expired", "session_closed", closes)]
    assert result.fills.height == 0


def test_a_day_order_after_the_last_bar_of_friday_belongs_to_monday() -> None:
    result = play(EARLY, at(FRIDAY, "13:00"), calendar="XNYS")
    assert ends(result) == [("filled", "executed", at(MONDAY, "9:31"))]
    assert result.fills["price"].to_list() == [95.0]


def test_a_session_closes_by_the_clock_on_the_wall_before_and_after_it_is_changed() -> None:
    before, after, later = date(2023, 11, 3), date(2023, 11, 6), date(2023, 11, 7)
    bars = minutes(
        *((at(day, "15:00") + n * MINUTE, 99.0) for day in (before, after) for n in (0, 1)), (at(later, "9:30"), 99.0)
    )
    result = play(bars, at(before, "15:01"), at(after, "15:01"), calendar="XNYS")
    assert ends(result) == [
        ("expired", "session_closed", datetime(2023, 11, 3, 20, tzinfo=UTC)),
        ("expired", "session_closed", datetime(2023, 11, 6, 21, tzinfo=UTC)),
    ]


def test_with_daily_bars_an_order_lives_for_one_session_early_close_or_not() -> None:
    """Asked at Wednesday's close: it belongs to Friday, since Thursday is Thanksgiving."""
    days = minutes(*((at(date(2023, 11, d), "0:00"), 99.0) for d in (22, 24, 27)))
    days = days.with_columns(timestamp=pl.Series([date(2023, 11, 22), FRIDAY, MONDAY]))
    wednesday = datetime(2023, 11, 22, 21, tzinfo=UTC)
    result = run(BuysAt(wednesday), days, {"data": {"calendar": "XNYS"}})
    assert ends(result) == [("expired", "session_closed", datetime(2023, 11, 24, 18, tzinfo=UTC))]


def test_the_open_and_the_close_of_a_session_are_those_of_the_calendar() -> None:
    """A market-on-close order of an early close fills at 13:00 in New York, at the close of the session's last bar."""

    class OnClose(Strategy):
        def on_bar(self) -> None:
            if self.clock.now == at(FRIDAY, "12:59"):
                self.broker.buy("A", 1, tif="cls")

    result = run(OnClose(), EARLY, {"data": {"frequency": "1m", "calendar": "XNYS"}})
    assert ends(result) == [("filled", "executed", datetime(2023, 11, 24, 18, tzinfo=UTC))]
