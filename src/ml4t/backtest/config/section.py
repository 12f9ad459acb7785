"""The sections of a configuration. A default that belongs to a model stands there (`models/`), every other one here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ml4t.backtest.choice import ByName
from ml4t.backtest.config.period import duration_ns, first_ns, last_ns, zone
from ml4t.backtest.config.problem import explanation
from ml4t.backtest.enums import (
    Admission,
    BatchOrder,
    DuplicatePolicy,
    EndRule,
    LotRule,
    MarketFill,
    MissingPolicy,
    PathRule,
    PostOnly,
    PricePolicy,
    PriceSource,
    Schedule,
    TimestampLabel,
    Valuation,
)
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.account import Account, CashAccount
from ml4t.backtest.models.commission import Commission, NoCommission, TableCommission
from ml4t.backtest.models.instrument import Instrument, InstrumentOverride
from ml4t.backtest.models.slippage import AnyRange, HalfSpread, NoSlippage, Slippage, SlippageRange, StopSlippage
from ml4t.backtest.models.tax import Tax
from ml4t.backtest.models.touch import AlwaysTouch, Touch
from ml4t.backtest.queue_rule import (
    Executions,
    Exhaustion,
    ExpiryRule,
    LimitRule,
    LinkRule,
    MissingBar,
    Rescan,
    StopLimitRule,
    SymbolEndRule,
)


def _kind_or(default: str) -> Callable[[Any], Any]:
    def with_kind(given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        kind = given.get("kind", default)
        return {**given, "kind": kind.lower() if isinstance(kind, str) else kind}

    return with_kind


def _zone_name(name: str) -> str:
    return str(zone(name))


def _duration(text: str) -> str:
    duration_ns(text)
    return text


def _delay(given: Any) -> Any:
    """A whole number counts bars, a text is a duration."""
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given
    if isinstance(given, str):
        return _duration(given)
    raise ValueError('must be a duration such as "50ms", or a whole number of bars, 1 or more')


def _lower_case(given: Any) -> Any:
    return given.lower() if isinstance(given, str) else given


def _strategy_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        raise ValueError("must be module:Class, such as strategy:Crossover")
    return name


def _day_or_instant(given: Any) -> Any:
    """A number is refused: read as seconds since 1970, the year 2010 would be a moment of the first of January 1970."""
    if isinstance(given, str):
        for kind in (date, datetime):
            try:
                return kind.fromisoformat(given)
            except ValueError:
                continue
    if given is None or isinstance(given, date):
        return given
    raise ValueError("must be a date or a date with time, such as 2010-01-31 or 2010-01-31T09:30:00")


def _time_of_day(given: Any) -> Any:
    if isinstance(given, time) and not (given.second or given.microsecond or given.tzinfo):
        return f"{given:%H:%M}"
    if isinstance(given, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given):
        return given
    raise ValueError('must be a time of day HH:MM, such as "09:30"')


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Paths in a config file are relative to its folder, which `load_config` passes as context."""
    return Path(info.context["folder"]) / path if info.context else path


def _table_beside_the_file(commission: Any, info: ValidationInfo) -> Any:
    if isinstance(commission, TableCommission):
        return replace(commission, path=_beside_the_file(commission.path, info).absolute())
    return commission


AccountField = Annotated[Account, Field(discriminator="kind"), BeforeValidator(_kind_or(CashAccount.kind))]
CommissionField = Annotated[
    Commission,
    Field(discriminator="kind"),
    BeforeValidator(_kind_or(NoCommission.kind)),
    AfterValidator(_table_beside_the_file),
]
SlippageField = Annotated[Slippage, Field(discriminator="kind"), BeforeValidator(_kind_or(NoSlippage.kind))]
SpreadField = Annotated[HalfSpread, Field(discriminator="kind"), BeforeValidator(_kind_or(NoSlippage.kind))]
StopSlippageField = Annotated[StopSlippage, Field(discriminator="kind"), BeforeValidator(_kind_or(NoSlippage.kind))]
RangeField = Annotated[SlippageRange, Field(discriminator="kind"), BeforeValidator(_kind_or(AnyRange.kind))]
TouchField = Annotated[Touch, Field(discriminator="kind"), BeforeValidator(_kind_or(AlwaysTouch.kind))]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
Duration = Annotated[str, AfterValidator(_duration)]
Delay = Annotated[int | str, BeforeValidator(_delay)]
Day = Annotated[date | datetime, BeforeValidator(_day_or_instant)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
Symbol = Annotated[str, Field(min_length=1)]
Label = Annotated[TimestampLabel, ByName]


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no NaN; raises `ConfigError` with all problems at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(explanation(type(self), error)) from None

    # Without this mark pydantic would call __init__ for every section inside a section, and lose where a problem is.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("must not be true or false")
        return value


class StrategyConfig(Section):
    """The strategy a config file names: `module:Class` beside the file or installed, and its parameters."""

    name: Annotated[str, AfterValidator(_strategy_name)]
    parameters: dict[str, Any] = {}


class SessionConfig(Section):
    """Opening and closing time of day in a time zone, both on the session's date."""

    open: TimeOfDay
    close: TimeOfDay
    timezone: ZoneName

    @model_validator(mode="after")
    def _open_before_close(self) -> "SessionConfig":
        if self.open >= self.close:
            raise ValueError(f"open {self.open} must be before close {self.close}: both are on the session's date")
        return self


class PolicyConfig(Section):
    """What to do with rows that are wrong."""

    missing: Annotated[MissingPolicy, ByName] = MissingPolicy.ERROR
    duplicates: Annotated[DuplicatePolicy, ByName] = DuplicatePolicy.ERROR
    non_positive: Annotated[PricePolicy, ByName] = PricePolicy.ERROR


class StreamConfig(Section):
    """A file beside the bars: a stream that only informs, or finer bars."""

    path: FilePath
    label: Label = TimestampLabel.AUTO
    frequency: Duration | None = None


class DataConfig(Section):
    """The bars that execute, which part of them, and what else is known when (docs/semantics/time.md)."""

    bars: FilePath | None = None
    symbol: Symbol | None = None
    universe: tuple[Symbol, ...] | None = None
    label: Label = TimestampLabel.AUTO
    frequency: Duration | None = None
    timezone: ZoneName | None = None
    start: Day | None = None
    end: Day | None = None
    sort: bool = False
    session: SessionConfig | None = None
    calendar: Annotated[str, Field(min_length=1)] | None = None
    policy: PolicyConfig = PolicyConfig()
    signals: StreamConfig | None = None
    streams: dict[str, StreamConfig] = {}
    finer: StreamConfig | None = None

    @field_validator("streams")
    @classmethod
    def _streams_have_names_of_their_own(cls, streams: dict[str, StreamConfig]) -> dict[str, StreamConfig]:
        if taken := sorted({"bars", "finer"} & set(streams)):
            raise ValueError(f"a stream cannot be called {taken[0]!r}; give it another name")
        return streams

    @field_validator("universe")
    @classmethod
    def _each_symbol_once(cls, universe: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = sorted({symbol for symbol in universe or () if (universe or ()).count(symbol) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} more than once")
        return universe

    @model_validator(mode="after")
    def _one_source_of_sessions(self) -> "DataConfig":
        if self.session is not None and self.calendar is not None:
            raise ValueError("session and calendar both say when sessions open and close; give one of them")
        return self

    @model_validator(mode="after")
    def _start_before_end(self) -> "DataConfig":
        first, last = self.period_ns()
        if first > last:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self

    def period_ns(self) -> tuple[int, int]:
        """First and last UTC nanosecond at which a bar to keep may start; the int64 limits where none is given."""
        zone = self.timezone or "UTC"
        return first_ns(self.start, zone), last_ns(self.end, zone)


class InstrumentsConfig(Section):
    """The default instrument, and what single symbols have of their own."""

    default: Instrument = Instrument()
    symbols: dict[Symbol, InstrumentOverride] = {}


class SymbolCosts(Section):
    """What replaces the general costs for one symbol; None: nothing."""

    commission: CommissionField | None = None
    slippage: SlippageField | None = None
    spread: SpreadField | None = None
    stop_slippage: StopSlippageField | None = None
    tax: Tax | None = None


class CostsConfig(Section):
    """What a fill costs for all symbols, and what replaces it for single ones (docs/semantics/costs.md)."""

    commission: CommissionField = NoCommission()
    slippage: SlippageField = NoSlippage()
    spread: SpreadField = NoSlippage()
    stop_slippage: StopSlippageField = NoSlippage()
    slippage_range: RangeField = AnyRange()
    tax: Tax = Tax()
    symbols: dict[Symbol, SymbolCosts] = {}


class ParticipationConfig(Section):
    """The share of a bar's volume that may be filled, and of which volume: `window` belongs to the bases `average` and `daily_average`."""

    share: Annotated[float, Gt(0), Le(1)]
    basis: Annotated[Literal["bar", "previous", "average", "daily_average"], BeforeValidator(_lower_case)] = "bar"
    window: Annotated[int, Ge(1)] | None = None

    @model_validator(mode="after")
    def _window_where_it_counts(self) -> "ParticipationConfig":
        counted = {"average": "bars", "daily_average": "sessions"}.get(self.basis)
        if counted and self.window is None:
            raise ValueError(f"basis {self.basis!r} needs window, the number of {counted} whose volume is averaged")
        if not counted and self.window is not None:
            raise ValueError(
                f"window belongs to basis 'average' or 'daily_average', not to {self.basis!r}; remove it or change the basis"
            )
        return self


class FillsConfig(Section):
    """When, in which order and how much of orders fills (docs/semantics/fills.md, matching.md)."""

    market: Annotated[MarketFill, ByName] = MarketFill.NEXT_OPEN
    path: Annotated[PathRule, ByName] = PathRule.WORST_FIRST
    schedule: Annotated[Schedule, ByName] = Schedule.PHASED
    rescan: Annotated[Rescan, ByName] = Rescan.ALWAYS
    stop_limit: Annotated[StopLimitRule, ByName] = StopLimitRule.PATH
    executions: Annotated[Executions, ByName] = Executions.ORDER
    limit: Annotated[LimitRule, ByName] = LimitRule.KEPT
    exhausted: Annotated[Exhaustion, ByName] = Exhaustion.ORDER
    halt_without_volume: bool = False
    missing_bar: Annotated[MissingBar, ByName] = MissingBar.WAIT
    quote: Annotated[PriceSource, ByName] = PriceSource.LAST
    participation: ParticipationConfig | None = None
    touch: TouchField = AlwaysTouch()


class LatencyConfig(Section):
    """How long an order and a cancel take to reach the market (docs/semantics/orders.md)."""

    submit: Delay | None = None
    cancel: Delay | None = None


class OrdersConfig(Section):
    """How the new orders of a decision are valued, admitted and delayed; `reserve`: room for that many (None: by universe)."""

    admission: Annotated[Admission, ByName] = Admission.NONE
    batch_order: Annotated[BatchOrder, ByName] = BatchOrder.SUBMISSION
    lots: Annotated[LotRule, ByName] = LotRule.REJECT
    links: Annotated[LinkRule, ByName] = LinkRule.SHARE
    expiry: Annotated[ExpiryRule, ByName] = ExpiryRule.TIME
    fill_basis: Annotated[Literal["price", "reference"], BeforeValidator(_lower_case)] = "price"
    valuation: Annotated[Valuation, ByName] = Valuation.LAST_MARK
    post_only: Annotated[PostOnly, ByName] = PostOnly.REJECT
    latency: LatencyConfig = LatencyConfig()
    reserve: Annotated[int, Ge(1), Le(2**31)] | None = None


class EndConfig(Section):
    """What happens to positions at the run's end and at a symbol's last bar (docs/semantics/ledger.md)."""

    run: Annotated[EndRule, ByName] = EndRule.MARK
    symbol: Annotated[SymbolEndRule, ByName] = SymbolEndRule.MARK


class MetricsConfig(Section):
    """What returns are measured over, how many periods make a year, and the yearly risk-free rate (a fraction)."""

    basis: Literal["session", "bar"] = "session"
    periods_per_year: Annotated[float, Gt(0)] = 252.0
    risk_free_rate: Annotated[float, Gt(-1), Lt(1)] = 0.0
    var_level: Annotated[float, Gt(0), Lt(1)] = 0.05


class RunConfig(Section):
    """`warmup`: bars before the first decision; `acknowledge_leaky`: rules that look ahead are wanted."""

    warmup: Annotated[int, Ge(0)] = 0
    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    acknowledge_leaky: bool = False


RUN_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}")


def _run_id(name: str) -> str:
    if not RUN_ID.fullmatch(name):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-', and not '.' or '..'")
    return name


class OutputConfig(Section):
    """Where the run directory goes; without `run_id` it gets a new name."""

    root: Annotated[FilePath, Field(validate_default=True)] = Path("runs")
    run_id: Annotated[str, AfterValidator(_run_id)] | None = None
