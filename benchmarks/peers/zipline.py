"""zipline-reloaded, as its users write it. The bundle is ingested before the clock starts; orders fill at the close of the next bar."""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import time
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from exchange_calendars import ExchangeCalendar

from peers.outcome import Outcome, metrics_of

_ROOT = tempfile.TemporaryDirectory(prefix="zipline")
os.environ["ZIPLINE_ROOT"] = _ROOT.name

from zipline import run_algorithm  # noqa: E402 (it reads the variable above)
from zipline.api import order, order_target_percent, set_commission, set_slippage, symbol  # noqa: E402
from zipline.data.bundles import ingest, register  # noqa: E402
from zipline.finance import commission, slippage  # noqa: E402
from zipline.utils.calendar_utils import get_calendar, global_calendar_dispatcher  # noqa: E402

FIELDS = ("open", "high", "low", "close", "volume")
MINUTES, DAYS = 252 * 1440, 252


class Weekdays(ExchangeCalendar):
    """Sessions on all weekdays, by day: at midnight, as in 24/5, daily bars would be those of the day before."""

    name = "WEEKDAYS"
    tz = ZoneInfo("UTC")
    open_times = ((None, time(9, 30)),)
    close_times = ((None, time(16)),)


global_calendar_dispatcher.register_calendar_type("WEEKDAYS", Weekdays)


def _ingested(frames: dict[str, pd.DataFrame], calendar: str, daily: bool) -> str:
    """The name of a bundle that holds these bars."""
    bundle = f"bars{len(frames)}x{len(next(iter(frames.values())))}"
    index = next(iter(frames.values())).index
    first, last = index[0].normalize(), index[-1].normalize()

    def rows() -> Iterator[tuple[int, pd.DataFrame]]:
        yield from enumerate(frames.values())

    def sessions() -> Iterator[tuple[int, pd.DataFrame]]:
        days = get_calendar(calendar).sessions_in_range(first, last)
        how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        for number, frame in rows():
            yield number, frame.resample("1D").agg(how).reindex(days).assign(volume=1e9)

    def write(_environ: Any, assets: Any, minutes: Any, days: Any, adjustments: Any, *_: Any) -> None:
        table = pd.DataFrame({"symbol": list(frames), "exchange": "X"})
        table = table.assign(start_date=first, end_date=last, auto_close_date=last + pd.Timedelta(days=30))
        assets.write(equities=table, exchanges=pd.DataFrame({"exchange": ["X"], "country_code": ["US"]}))
        if daily:
            days.write(rows(), show_progress=False)
        else:
            minutes.write(rows(), show_progress=False)
            days.write(sessions(), show_progress=False)
        adjustments.write()

    minutes_per_day = 1440
    register(bundle, write, calendar, start_session=first, end_session=last, minutes_per_day=minutes_per_day)
    ingest(bundle, show_progress=False)
    return bundle


def _outcome(
    start: Callable[[Any], None], bar: Callable[[Any, Any], None], bundle: str, index: Any, market: Any, daily: bool
) -> Outcome:
    calendar = get_calendar("WEEKDAYS" if daily else "24/7")
    first, last = index[0].normalize(), index[-1].normalize()
    points: list[float] = []

    def initialize(context: Any) -> None:
        set_slippage(slippage.NoSlippage())
        set_commission(commission.PerDollar(cost=market.rate))
        start(context)

    def handle_data(context: Any, data: Any) -> None:
        points.append(context.portfolio.portfolio_value)
        bar(context, data)

    done = run_algorithm(
        first,
        last,
        initialize,
        market.cash,
        handle_data,
        data_frequency="daily" if daily else "minute",
        bundle=bundle,
        trading_calendar=calendar,
        benchmark_returns=pd.Series(0.0, calendar.sessions_in_range(first, last)),
    )
    orders = [row for day in done["orders"] for row in day]
    fills = [row for day in done["transactions"] for row in day]
    frames = pd.DataFrame(orders), pd.DataFrame(fills), done["portfolio_value"]
    equity = np.array(points)
    pnl = np.zeros(0)  # it has no trades, only transactions
    metrics = metrics_of(equity, pnl, DAYS if daily else MINUTES)
    return Outcome(len(fills), float(done["portfolio_value"].iloc[-1]), metrics, (frames, points))


def callback(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys and sells at the flags."""
    index = pd.DatetimeIndex(market.time)
    bars = pd.DataFrame({name: getattr(market, name) for name in FIELDS}, index=index)
    bundle, flags, units = _ingested({"X": bars}, "24/7", daily=False), market.flag.tolist(), int(market.units)

    def start(context: Any) -> None:
        context.asset, context.bar = symbol("X"), -1

    def bar(context: Any, data: Any) -> None:
        if context.bar < 0:  # the calendar's first minute need not be the first bar
            context.bar = int(np.searchsorted(market.time, data.current_dt.value))
        if context.bar < len(flags) and (flag := flags[context.bar]):  # the last day may be longer than the bars
            order(context.asset, units if flag > 0 else -units)
        context.bar += 1

    return lambda: _outcome(start, bar, bundle, index, market, daily=False)


def portfolio(market: SimpleNamespace) -> Callable[[], Outcome]:
    """All assets to their weights at every session."""
    index = pd.DatetimeIndex(market.time)
    names = [f"A{i:04}" for i in range(market.close.shape[1])]
    frames = {
        name: pd.DataFrame({field: getattr(market, field)[:, i] for field in FIELDS}, index=index)
        for i, name in enumerate(names)
    }
    bundle, weights = _ingested(frames, "WEEKDAYS", daily=True), market.weight

    def start(context: Any) -> None:
        context.assets, context.bar = [symbol(name) for name in names], 0

    def bar(context: Any, _: Any) -> None:
        row = weights[context.bar]
        if row[0] == row[0]:
            for asset, weight in zip(context.assets, row.tolist(), strict=True):
                order_target_percent(asset, weight)
        context.bar += 1

    return lambda: _outcome(start, bar, bundle, index, market, daily=True)


WORKS = {"callback": callback, "portfolio": portfolio}
