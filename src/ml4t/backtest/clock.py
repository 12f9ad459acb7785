"""What time it is for the strategy."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ml4t.backtest._jit import Handle
from ml4t.backtest.tables import NOW, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(time_ns: int, zone: ZoneInfo) -> datetime:
    """The time as a datetime in a zone; what is finer than a microsecond is cut off."""
    return (_EPOCH + timedelta(microseconds=int(time_ns) // 1000)).astimezone(zone)


class Clock:
    """View of the run's clock."""

    __slots__ = ("_clock", "_zone")

    def __init__(self, handle: Handle, timezone: str) -> None:
        state: State = handle.state
        self._clock = memoryview(state.clock)  # type: ignore[arg-type]
        self._zone = ZoneInfo(timezone)

    @property
    def now_ns(self) -> int:
        """The instant of this decision, UTC nanoseconds since 1970."""
        return int(self._clock[NOW])

    @property
    def now(self) -> datetime:
        """The instant of this decision, in the data's time zone."""
        return instant(self.now_ns, self._zone)

    @property
    def date(self) -> date:
        """The date of this decision, in the data's time zone."""
        return self.now.date()
