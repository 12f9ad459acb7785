"""What a run reads: bars, streams and finer bars, validated once and made into arrays once, for any number of runs."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from ml4t.backtest.config import BacktestConfig, StreamConfig
from ml4t.backtest.enums import PathRule, TimestampLabel
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.feed import (
    FinerStream,
    Input,
    Stream,
    StreamRules,
    duration_ns,
    load_bars,
    load_finer,
    load_information,
)
from ml4t.backtest.lower import Rows
from ml4t.backtest.strategy import Strategy

Source: TypeAlias = Any
"""A Polars, pandas or Arrow frame, a LazyFrame, or the path of a Parquet or CSV file."""


class Dataset:
    """The data of any number of runs, read and checked once. Its arrays are read-only.

    What the arguments mean says `run`; of `config` the section `data` counts, and which columns the rules of a run need.

    >>> from ml4t.backtest import Dataset, Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> data = Dataset(us_indices())
    >>> [run(Strategy(), data, cash=cash).equity.height for cash in (10_000, 20_000)]
    [5031, 5031]

    Raises:
        DataError, ConfigError: what `run` would raise.

    """

    def __init__(
        self,
        bars: Source = None,
        config: BacktestConfig | Mapping[str, Any] | None = None,
        *,
        signals: Source = None,
        streams: Mapping[str, Source] | None = None,
        finer: Source = None,
    ) -> None:
        self.config = config if isinstance(config, BacktestConfig) else BacktestConfig.load(config)
        self._rules = StreamRules.of(self.config)
        source = bars if bars is not None else self.config.data.bars
        if source is None:
            raise ConfigError("No bars: pass data to run(), or name a file in data.bars.")
        self.bars: Stream = load_bars(source, self._rules)
        self._given = self._sources(signals, streams or {})
        self.finer = self._finer(finer)
        self._plain: Rows | None = None

    @classmethod
    def of(
        cls,
        data: "Source | Dataset",
        config: BacktestConfig,
        *,
        signals: Source = None,
        streams: Mapping[str, Source] | None = None,
        finer: Source = None,
    ) -> "Dataset":
        """The data as a dataset. Raises ConfigError where it is one that was read by other rules, or without these streams."""
        if not isinstance(data, Dataset):
            data = cls(data, config, signals=signals, streams=streams, finer=finer)
            return data._checked(config)
        if signals is not None or streams or finer is not None:
            raise ConfigError(
                "A Dataset has its signals, streams and finer bars: give them to Dataset(), not to run()."
            )
        if config.data != data.config.data or not config.columns_needed().keys() <= data._rules.needs.keys():
            raise ConfigError(
                "The Dataset was read by other rules than the configuration of this run has (section data, and the columns that rules "
                "need). Read it again with this configuration: Dataset(bars, config)."
            )
        return data._checked(config)

    def _checked(self, config: BacktestConfig) -> "Dataset":
        """The dataset. Raises ConfigError where it has finer bars that no order of the run would ever see."""
        if self.finer is not None and config.fills.path == PathRule.CLOSE_ONLY:
            raise ConfigError(
                "Finer bars: orders that meet closes only (fills.path = 'close_only') never see them. Leave finer= out, or choose another "
                "fills.path."
            )
        return self

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The bars, and the finer bars where there are any."""
        return (self.bars.description, *([self.finer.description] if self.finer else []))

    def rows(self, strategy: Strategy) -> Rows:
        """All rows that a run of the strategy reads: the same object for every strategy that brings no stream of its own.

        Raises:
            ConfigError, DataError: the streams that the strategy brings or needs do not fit.

        """
        brought = strategy.inputs(self.bars)
        if brought:
            return self._read(brought, type(strategy).__name__, strategy._repeating)
        if self._plain is None:
            self._plain = self._read({}, "", ())
        return self._plain

    # ------------------------------------------------------------------------------------------------------- the streams
    def _sources(self, signals: Source, streams: Mapping[str, Source]) -> dict[str, tuple[Source, StreamConfig | None]]:
        """Name → source and settings of the streams that are given, the signals first."""
        data = self.config.data
        given: dict[str, tuple[Source, StreamConfig | None]] = {}
        if signals is not None:
            given["signals"] = (signals, data.signals)
        elif data.signals is not None:
            given["signals"] = (data.signals.path, data.signals)
        for name, setting in data.streams.items():
            given[name] = (setting.path, setting)
        for name, frame in streams.items():
            if name in ("bars", "finer"):
                raise ConfigError(f"streams: a stream cannot be called {name!r}. Give it another name.")
            given[name] = (frame, data.streams.get(name))
        return given

    def _read(self, brought: Mapping[str, Any], strategy: str, repeating: Collection[str]) -> Rows:
        given = dict(self._given)
        for name, frame in brought.items():
            if (frame is None) != (name in given):
                wrong = "needs" if frame is None else "brings its own"
                raise ConfigError(f"{strategy} {wrong} stream {name!r}: {_ways(name, missing=frame is None)}")
            if frame is not None:
                given[name] = (frame, self.config.data.streams.get(name))
        loaded = []
        for name, (frame, setting) in given.items():
            is_silent = setting is None or (setting.label == TimestampLabel.AUTO and setting.frequency is None)
            like = self.bars if name in brought and is_silent else None
            rules, symbols = _labelled(self._rules, setting), self.bars.symbols
            repeats = name in repeating
            loaded.append(load_information(frame, rules, name=name, symbols=symbols, like=like, repeats=repeats))
        self._check_labels(loaded)
        signals = list(given).index("signals") if "signals" in given else None
        return Rows(self.bars, loaded, signals=signals, finer=self.finer)

    def _check_labels(self, loaded: list[Stream]) -> None:
        """Raises ConfigError where nothing says when the sessions of a date begin and end."""
        labelled = [s.name for s in (self.bars, *loaded) if s.label == TimestampLabel.SESSION]
        fine = [s.name for s in (self.bars, *loaded) if s.is_subdaily]
        if labelled and fine and self.config.data.session is None and self.config.data.calendar is None:
            raise ConfigError(
                f"{labelled[0]} is labelled by session dates while {fine[0]} is finer than a day: when do the sessions open and close? "
                "Set data.session = {open, close, timezone} or data.calendar, or give the columns bar_start and bar_end."
            )

    def _finer(self, given: Source) -> FinerStream | None:
        """The finer bars inside the bars, if there are any."""
        setting = self.config.data.finer
        if given is None and setting is None:
            return None
        source = given if given is not None else setting.path  # type: ignore[union-attr]
        return load_finer(source, _labelled(self._rules, setting), self.bars)


def _ways(name: str, *, missing: bool) -> str:
    given = "signals=..." if name == "signals" else f"streams={{{name!r}: ...}}"
    return f"pass {given} to run()." if missing else f"do not pass {given} to run(), or give it another name."


def _labelled(rules: StreamRules, setting: StreamConfig | None) -> StreamRules:
    """The rules of the run with the label and frequency of a stream's own."""
    return replace(
        rules,
        label=setting.label if setting else TimestampLabel.AUTO,
        frequency_ns=duration_ns(setting.frequency) if setting and setting.frequency else None,
    )
