"""What our side of every peer shares: bars as a frame, requests by their bar, the account as points, settings with their reasons."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from ml4t.backtest import BacktestConfig, Result
from ml4t.backtest.profiles import PROFILES
from parity.book import Point
from parity.case import Case

FIRST_DAY = date(2020, 1, 1)
COLUMNS = ["timestamp", "symbol", "open", "high", "low", "close", "volume"]


def day(bar: int) -> date:
    """The day of a bar."""
    return FIRST_DAY + timedelta(days=bar)


def frame(case: Case, time: Callable[[int], date | datetime] = day) -> pl.DataFrame:
    """The bars of the case; `time`: when bar number n is."""
    rows = [
        (time(bar), symbol, *row)
        for bar in range(case.length)
        for symbol, bars in case.bars.items()
        if bar < len(bars) and (row := bars[bar]) is not None
    ]
    return pl.DataFrame(rows, COLUMNS, orient="row")


def by_bar(case: Case) -> dict[int, list[dict[str, Any]]]:
    """The requests of each bar."""
    requests = defaultdict[int, list[dict[str, Any]]](list)
    for request in case.script:
        requests[request["bar"]].append(request)
    return requests


def points(result: Result) -> list[Point]:
    """Cash and equity after every bar."""
    return [Point(bar, *row) for bar, row in enumerate(result.equity.select("cash", "equity").iter_rows())]


def rules(profile: str, settings: dict[str, Any]) -> dict[str, str]:
    """Every setting that is not our default, by key; those of the profile with their place in the peer's source."""
    plain = BacktestConfig().flatten()
    sources = {one.key: f" [{one.source}]" for one in PROFILES[profile].differences}
    config = BacktestConfig.load(settings).flatten()
    return {key: f"{value}{sources.get(key, '')}" for key, value in config.items() if plain.get(key) != value}
