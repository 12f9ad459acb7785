"""The whole configuration: its sections, what they may not say together, and how it is read and written."""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tomli_w
from pydantic import Field, ValidationError, model_validator

from ml4t.backtest.config.file import assigned, read_config
from ml4t.backtest.config.key import dotted
from ml4t.backtest.config.overlay import as_table, laid_over, nested
from ml4t.backtest.config.problem import explanation
from ml4t.backtest.config.profile import ProfileName, over_profile
from ml4t.backtest.config.schema import Place, truths_for_numbers
from ml4t.backtest.config.section import (
    AccountField,
    CostsConfig,
    DataConfig,
    EndConfig,
    FillsConfig,
    InstrumentsConfig,
    MetricsConfig,
    OrdersConfig,
    OutputConfig,
    RunConfig,
    Section,
    StrategyConfig,
    SymbolCosts,
)
from ml4t.backtest.enums import LEAKY, AccountKind, Admission, MarketFill, PathRule, PriceSource, Schedule
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.account import CashAccount
from ml4t.backtest.models.commission import Commission
from ml4t.backtest.models.instrument import Instrument, InstrumentOverride
from ml4t.backtest.models.slippage import (
    HalfSpread,
    Slippage,
    SpreadSlippage,
    StopSlippage,
    TickSlippage,
    VolumeShareSlippage,
)
from ml4t.backtest.models.tax import Tax
from ml4t.backtest.queue_rule import Executions, Exhaustion, MissingBar, Rescan, StopLimitRule


class CostModels(NamedTuple):
    """What a fill of one symbol costs."""

    commission: Commission
    slippage: Slippage
    spread: HalfSpread
    stop_slippage: StopSlippage
    tax: Tax


class BacktestConfig(Section):
    """Everything that decides a run's result, apart from data and strategy. Immutable.

    >>> config = BacktestConfig.load({"costs": {"commission": {"kind": "rate", "rate": 0.001}}})
    >>> config.costs_of("SPX").commission.rate
    0.001

    Raises:
        ConfigError: with all problems found, each with its dotted key, what was given and what is allowed.

    """

    profile: ProfileName | None = None
    strategy: StrategyConfig | None = None
    data: DataConfig = DataConfig()
    account: AccountField = CashAccount()
    instruments: InstrumentsConfig = InstrumentsConfig()
    costs: CostsConfig = CostsConfig()
    fills: FillsConfig = FillsConfig()
    orders: OrdersConfig = OrdersConfig()
    end: EndConfig = EndConfig()
    metrics: MetricsConfig = MetricsConfig()
    run: RunConfig = RunConfig()
    output: Annotated[OutputConfig, Field(validate_default=True)] = OutputConfig()

    @classmethod
    def load(
        cls, config: "BacktestConfig | Mapping[str, Any] | str | Path | None" = None, /, **overrides: Any
    ) -> "BacktestConfig":
        """The configuration from any of its forms, with `overrides` winning; an override of None was not given.

        Overrides are tables (`account={"cash": 5e4}`) or dotted keys (`**{"account.cash": 5e4}`).
        """
        file = None
        if isinstance(config, str | Path):
            file, config = Path(config).absolute(), read_config(config)
        elif not isinstance(config, Mapping | BacktestConfig | None):
            raise ConfigError(f"config must be a BacktestConfig, a dictionary or a path, not {type(config).__name__}")
        tables = nested(overrides)
        if isinstance(config, BacktestConfig):
            if not tables:
                return config
            if overrides.get("profile") not in (None, config.profile):
                raise ConfigError(
                    f"profile {overrides['profile']!r} comes too late: this BacktestConfig no longer knows which of its settings "
                    "were chosen. Give the profile where the configuration is made."
                )
        return _validated(_overlaid(config or {}, tables), file)

    @model_validator(mode="before")
    @classmethod
    def _over_its_profile(cls, given: Any) -> Any:
        if problems := list(truths_for_numbers(Place((), (cls,)), given)):
            raise ValueError("\n".join(problems))
        return over_profile(cls, given)

    @model_validator(mode="after")
    def _sections_agree(self) -> "BacktestConfig":
        problems = [
            *self._leaky_problems(),
            *self._tick_problems(),
            *self._lot_problems(),
            *self._close_problems(),
            *self._volume_problems(),
            *self._payment_problems(),
            *self._missing_problems(),
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _leaky_problems(self) -> Iterator[str]:
        if not self.run.acknowledge_leaky:
            for rule in self.leaky_rules():
                yield f"{rule}: uses what is known only after the decision; to use it, set run.acknowledge_leaky = true"

    def _lot_problems(self) -> Iterator[str]:
        """What belongs together where orders are filled lot by lot, and where they meet a bar in turn (docs/semantics/lots.md)."""
        values = self.flatten()
        if self.fills.schedule == Schedule.PHASED:
            for key, plain in (("fills.rescan", "always"), ("fills.stop_limit", "path"), ("fills.executions", "order")):
                if values[key] != plain:
                    yield f"{key} = {values[key]!r}: needs fills.schedule = 'queue'"
            for key, alone in (
                ("fills.market", "previous_close"),
                ("fills.market", "decision_close"),
                ("fills.missing_bar", "meet_last"),
                ("orders.links", "together"),
                ("orders.expiry", "turn"),
                ("orders.admission", "pseudo_execute_at_open"),
            ):
                if values[key] == alone:
                    yield f"{key} = {alone!r}: needs fills.schedule = 'queue'"
        if self.costs.slippage_range.rule != 0:
            if values["costs.slippage.kind"] not in ("none", "rate", "fixed", "ticks"):
                yield "costs.slippage_range.kind = 'bar': needs costs.slippage.kind 'none', 'rate', 'fixed' or 'ticks'"
            for key, plain in (("costs.stop_slippage.kind", "none"), ("fills.limit", "kept")):
                if values[key] != plain:
                    yield f"costs.slippage_range.kind = 'bar': needs {key} = {plain!r}"
        by_lot = self.fills.executions == Executions.LOT
        wanted = (
            ("account.kind", "margin"),
            ("orders.valuation", "bar_close"),
            ("orders.admission", "none"),
            ("costs.slippage.kind", "none"),
            ("costs.slippage_range.kind", "any"),
            ("orders.links", "share"),
            ("costs.stop_slippage.kind", "none"),
            ("fills.quote", "last"),
            ("fills.touch.kind", "always"),
            ("fills.limit", "kept"),
            ("fills.participation", None),
        )
        if by_lot:
            for key, value in wanted:
                if values.get(key) != value:
                    yield f"fills.executions = 'lot': needs {key} = {value!r}, not {values.get(key)!r}"
            if values["costs.spread.kind"] not in ("none", "rate"):
                yield "fills.executions = 'lot': needs costs.spread.kind 'none' or 'rate'"
        for key, value in (
            ("account.netting", "none"),
            ("account.ruin", "stop"),
            ("orders.valuation", "bar_close"),
            ("end.run", "last_open"),
        ):
            if values.get(key) == value and not by_lot:
                yield f"{key} = {value!r}: needs fills.executions = 'lot'"

    def _missing_problems(self) -> Iterator[str]:
        """What a bar that is met again must not have, or be (docs/semantics/turns.md)."""
        if self.fills.missing_bar == MissingBar.WAIT:
            return
        if self.fills.rescan != Rescan.NEVER:
            yield "fills.missing_bar = 'meet_last': needs fills.rescan = 'never'"
        if self.account.mark != PriceSource.LAST:
            yield "fills.missing_bar = 'meet_last': needs account.mark = 'last'"

    def _close_problems(self) -> Iterator[str]:
        """What looks inside a bar, where orders meet its close only (docs/semantics/matching.md)."""
        if self.fills.path != PathRule.CLOSE_ONLY:
            return
        if self.data.finer is not None:
            yield "data.finer: orders that meet closes only (fills.path = 'close_only') never see finer bars; remove one of the two"
        if self.fills.stop_limit != StopLimitRule.PATH:
            rule = self.fills.stop_limit.name.lower()
            yield f"fills.stop_limit = {rule!r}: looks at the range of a bar, which fills.path = 'close_only' rules out"
        if self.fills.market == MarketFill.PREVIOUS_CLOSE:
            yield "fills.market = 'previous_close': meets the bar before its close, which fills.path = 'close_only' rules out"

    def _volume_problems(self) -> Iterator[str]:
        """What counts the volume that is handed out, or the funds that are left, and what must be there for it."""
        if self.fills.exhausted != Exhaustion.ORDER and self.fills.schedule == Schedule.PHASED:
            yield "fills.exhausted = 'symbol': needs fills.schedule = 'queue'"
        if self.fills.participation is None:
            for name in ("", *self.costs.symbols):
                slippage = self.costs_of(name).slippage
                if isinstance(slippage, VolumeShareSlippage) and slippage.of == "bar":
                    key = dotted(("costs", "symbols", name, "slippage", "of") if name else ("costs", "slippage", "of"))
                    yield f"{key} = 'bar': needs fills.participation, which counts what is filled on a bar"
        if self.account.rule == AccountKind.UNCHECKED and self.orders.admission != Admission.NONE:
            yield "orders.admission: an account of kind 'unchecked' refuses nothing; remove it or choose another account.kind"

    def _payment_problems(self) -> Iterator[str]:
        """What a position ties up, where it is not paid in full (docs/semantics/turns.md)."""
        if not self.is_partly_paid:
            return
        if self.account.rule != AccountKind.BALANCE:
            yield "instruments: leverage, margin and margin_rate need account.kind = 'balance'"
        if self.orders.admission == Admission.RESERVE:
            yield "orders.admission = 'reserve': reckons with positions that are paid in full; choose 'none' or 'pseudo_execute'"
        for one in (self.instruments.default, *map(self.instrument_of, self.instruments.symbols)):
            if one.on_margin + (one.leverage != 1.0) + (None not in (one.margin, one.margin_rate)) > 1:
                yield "instruments: margin, margin_rate and leverage exclude each other"
                return

    @property
    def has_held_proceeds(self) -> bool:
        """Whether what shorts bring is no cash."""
        return getattr(self.account, "short_proceeds", "cash") == "held"

    @property
    def is_partly_paid(self) -> bool:
        """Whether some positions take another amount from free cash than their value."""
        instruments = (self.instruments.default, *map(self.instrument_of, self.instruments.symbols))
        return self.has_held_proceeds or any(one.on_margin or one.leverage != 1.0 for one in instruments)

    def _tick_problems(self) -> Iterator[str]:
        """Which symbols the data has is known only if config says so; else the default instrument stands for all."""
        names = self.data.universe or ((self.data.symbol,) if self.data.symbol else None)
        for field in ("slippage", "spread", "stop_slippage"):
            general = isinstance(getattr(self.costs, field), TickSlippage)
            if names is None and general and not self.instruments.default.tick_size:
                yield (
                    f"costs.{field}.kind = 'ticks': needs instruments.default.tick_size > 0, "
                    "or data.universe and a tick_size for each of its symbols"
                )
            for name in dict.fromkeys((*(names or ()), *self.costs.symbols)):
                if (
                    isinstance(getattr(self.costs_of(name), field), TickSlippage)
                    and not self.instrument_of(name).tick_size
                ):
                    own = getattr(self.costs.symbols.get(name, SymbolCosts()), field) is not None
                    key = dotted(("costs", "symbols", name, field, "kind") if own else ("costs", field, "kind"))
                    yield f"{key} = 'ticks': needs {dotted(('instruments', 'symbols', name, 'tick_size'))} > 0"

    def costs_of(self, symbol: str) -> CostModels:
        """What a fill of one symbol costs: its own models, and the general ones for the rest."""
        own = self.costs.symbols.get(symbol, SymbolCosts())
        return CostModels(*(getattr(own, field) or getattr(self.costs, field) for field in CostModels._fields))

    def instrument_of(self, symbol: str) -> Instrument:
        """The instrument of one symbol: its own fields over the default's."""
        return self.instruments.symbols.get(symbol, InstrumentOverride()).over(self.instruments.default)

    def columns_needed(self) -> dict[str, str]:
        """The columns beside prices that the bars must have, each with the rule that reads it (docs/semantics/fills.md)."""
        needed: dict[str, str] = {}
        if self.fills.market == MarketFill.NEXT_VWAP:
            needed["vwap"] = "fills.market = 'next_vwap'"
        if self.account.mark != PriceSource.LAST:
            needed |= dict.fromkeys(("bid", "ask"), f"account.mark = {self.account.mark.name.lower()!r}")
        if self.fills.quote != PriceSource.LAST:
            rule = f"fills.quote = {self.fills.quote.name.lower()!r}"
            needed |= dict.fromkeys(("open_bid", "open_ask", "bid", "ask"), rule)
        if any(isinstance(self.costs_of(name).slippage, SpreadSlippage) for name in ("", *self.costs.symbols)):
            needed |= dict.fromkeys(("open_bid", "open_ask", "bid", "ask"), "costs.slippage.kind = 'spread'")
        return needed

    def leaky_rules(self) -> tuple[str, ...]:
        """The rules in use that look ahead, such as `"fills.market=same_close"`."""
        rules = (*LEAKY, MissingBar.MEET_LAST)
        leaky = {(type(rule), rule) for rule in rules}  # an IntEnum member alone equals any other of the same number
        return tuple(f"{key}={value.name.lower()}" for key, value in _leaves(self) if (type(value), value) in leaky)

    def flatten(self) -> dict[str, Any]:
        """Every setting by its dotted key, with values as they are written in a file (None: not set)."""
        return {key: _plain(value) for key, value in _leaves(self)}

    def to_toml(self) -> str:
        """The whole configuration as TOML, without what is None; loading it gives an equal configuration.

        Raises:
            ConfigError: a strategy parameter is of a type that TOML has not.

        """
        try:
            return tomli_w.dumps(_plain(self))
        except TypeError as error:
            raise ConfigError(f"strategy.parameters: cannot be written as TOML: {error}") from None


def load_config(path: str | Path, assignments: Iterable[str] = ()) -> BacktestConfig:
    """The configuration in a TOML or JSON file, with `key=value` assignments in place.

    Relative paths, in the file as in the assignments, are relative to the file's folder.

    Raises:
        ConfigError: the file cannot be read, or its configuration is wrong.

    """
    return _validated(apply_overrides(read_config(path), assignments), Path(path).absolute())


def apply_overrides(tables: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """The tables with `a.b.c=value` assignments in place, later ones winning. Raises: ConfigError for a malformed one.

    >>> apply_overrides({"run": {"seed": 1}}, ["run.seed=2", "run.warmup=10"])
    {'run': {'seed': 2, 'warmup': 10}}
    """
    return _overlaid(tables, assigned(assignments))


def config_json_schema() -> dict[str, Any]:
    """The JSON schema of a config file, for editors."""
    return BacktestConfig.model_json_schema()


def _overlaid(below: Any, tables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = dict(as_table(below))
    for table in tables:
        result = laid_over(BacktestConfig, result, table)
    return result


def _validated(tables: Mapping[str, Any], file: Path | None) -> BacktestConfig:
    try:
        return BacktestConfig.model_validate(tables, context={"folder": file.parent} if file else None)
    except ValidationError as error:
        raise ConfigError(explanation(BacktestConfig, error, str(file or ""))) from None


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    table = as_table(value)
    if isinstance(table, Mapping):
        for name, inner in table.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield dotted(path), value


def _plain(value: Any) -> Any:
    """The value as TOML has it."""
    table = as_table(value)
    if isinstance(table, Mapping):
        return {name: _plain(inner) for name, inner in table.items() if inner is not None}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
