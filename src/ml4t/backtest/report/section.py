"""What a page is made of: sections with charts and the tables behind them; and what several sections need, computed once."""

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ml4t.backtest.report.benchmark import benchmark
from ml4t.backtest.report.figure import Figure
from ml4t.backtest.report.period import daily
from ml4t.backtest.report.subject import Subject


@dataclass(frozen=True)
class Chart:
    """A figure of the page; `label` says to those who cannot see it what it shows."""

    name: str
    label: str
    figure: Figure


@dataclass(frozen=True)
class Section:
    """A part of the page: text, charts, tables that are open, and tables that are folded away behind the charts."""

    name: str
    title: str
    notes: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[str, ...] = ()  # HTML
    folded: tuple[str, ...] = ()  # HTML


class Story:
    """A subject, its benchmark's symbol (None: all symbols), and what its sections share."""

    def __init__(self, subject: Subject, symbol: str | None = None) -> None:
        self.subject = subject
        self.symbol = symbol

    @cached_property
    def days(self) -> pl.DataFrame:
        """Equity and return of each session."""
        return daily(self.subject)

    @cached_property
    def benchmark(self) -> pl.Series | None:
        """The benchmark's return of each session; None where the bars are not there."""
        return benchmark(self.subject, self.days, self.symbol)

    @property
    def zone(self) -> str:
        """The time zone in which hours and weekdays are told."""
        return str(self.subject.config.data.timezone or "UTC")
