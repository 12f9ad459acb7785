"""How the rows of a stream get their times, and what to do with rows that are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from ml4t.backtest.config.period import duration_ns
from ml4t.backtest.enums import DuplicatePolicy, MissingPolicy, PricePolicy, TimestampLabel
from ml4t.backtest.errors import ConfigError

from .zone import Zone

if TYPE_CHECKING:
    from ml4t.backtest.config import BacktestConfig


@dataclass(frozen=True)
class SessionTimes:
    """A session opens and closes at these wall-clock times, on the date that names it.

    Raises:
        ConfigError: `open` is not before `close`, or `timezone` is unknown.

    """

    open: time
    close: time
    timezone: str

    def __post_init__(self) -> None:
        if self.open >= self.close:
            raise ConfigError(
                f"data.session: open {self.open} is not before close {self.close}. "
                "For sessions that span midnight give the data columns bar_start and bar_end."
            )
        Zone(self.timezone)


@dataclass(frozen=True)
class StreamRules:
    """Everything the feed must be told about a stream. Defaults: docs/semantics/time.md.

    `timezone` is the zone of naive timestamps and of session dates; None: the zone of the timestamp column, or UTC.
    `calendar` names the exchange whose sessions the bars belong to; it excludes `session`. `needs` maps the columns of the
    bars that rules of the run read to the rule, for messages.
    """

    label: TimestampLabel = TimestampLabel.AUTO
    frequency_ns: int | None = None
    timezone: str | None = None
    session: SessionTimes | None = None
    calendar: str | None = None
    start: date | datetime | None = None
    end: date | datetime | None = None
    sort: bool = False
    missing: MissingPolicy = MissingPolicy.ERROR
    duplicates: DuplicatePolicy = DuplicatePolicy.ERROR
    non_positive: PricePolicy = PricePolicy.ERROR
    symbol: str | None = None
    universe: tuple[str, ...] | None = None
    needs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: "BacktestConfig") -> "StreamRules":
        """How the bars of a run get their times, as its config says."""
        data = config.data
        return cls(
            label=data.label,
            frequency_ns=duration_ns(data.frequency) if data.frequency else None,
            timezone=data.timezone,
            session=SessionTimes(
                time.fromisoformat(data.session.open), time.fromisoformat(data.session.close), data.session.timezone
            )
            if data.session
            else None,
            calendar=data.calendar,
            start=data.start,
            end=data.end,
            sort=data.sort,
            missing=data.policy.missing,
            duplicates=data.policy.duplicates,
            non_positive=data.policy.non_positive,
            symbol=data.symbol,
            universe=data.universe,
            needs=config.columns_needed(),
        )
