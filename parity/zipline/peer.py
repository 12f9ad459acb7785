"""Runs in the peer's environment: a case through the installed zipline-reloaded, its books written down as they happen.

Nothing of the package is replaced but where bars come from: readers over the case's rows stand in for those over files, as the
package's own `DataPortal` allows. `get_transactions` of the blotter is wrapped to write fills down.
"""

import math
import os
import tempfile
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

os.environ.setdefault("ZIPLINE_ROOT", tempfile.mkdtemp(prefix="parity-zipline-"))

import numpy as np
import pandas as pd
from exchange_calendars import ExchangeCalendar
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from zipline import TradingAlgorithm, api
from zipline.assets import AssetDBWriter, AssetFinder
from zipline.data.bar_reader import NoDataOnDate
from zipline.data.data_portal import DataPortal
from zipline.data.session_bars import SessionBarReader
from zipline.finance import cancel_policy, commission, slippage
from zipline.finance.metrics import load as load_metrics
from zipline.finance.order import ORDER_STATUS
from zipline.finance.trading import SimulationParameters

from parity.wire import serve

SYMBOLS = ("A", "B", "C", *(f"S{number:03}" for number in range(3, 100)))
FIELDS = {"open": 0, "high": 1, "low": 2, "close": 3, "volume": 4}
FIRST, LAST = pd.Timestamp("2018-01-01"), pd.Timestamp("2038-12-31")
OUTCOMES = {ORDER_STATUS.OPEN: "live", ORDER_STATUS.FILLED: "filled", ORDER_STATUS.CANCELLED: "gone"}
SLIPPAGE = {
    "basis_points": lambda given: slippage.FixedBasisPointsSlippage(given["basis_points"], given["volume_limit"]),
    "volume_share": lambda given: slippage.VolumeShareSlippage(given["volume_limit"], given["price_impact"]),
    "fixed": lambda given: slippage.FixedSlippage(given["spread"]),
    "none": lambda _: slippage.NoSlippage(),
}
COMMISSION = {
    "per_share": lambda given: commission.PerShare(given["cost"], given["min_trade_cost"]),
    "per_trade": lambda given: commission.PerTrade(given["cost"]),
    "per_dollar": lambda given: commission.PerDollar(given["cost"]),
    "none": lambda _: commission.NoCommission(),
}
ORDERS = {
    "order": api.order,
    "value": api.order_value,
    "percent": api.order_percent,
    "target": api.order_target,
    "target_value": api.order_target_value,
    "target_percent": api.order_target_percent,
}


class Short(ExchangeCalendar):  # type: ignore[misc]
    """A session of ten minutes on every day of the week."""

    name, tz, weekmask = "SHORT", ZoneInfo("UTC"), "1111111"
    open_times, close_times = ((None, time(9, 30)),), ((None, time(9, 40)),)


def assets() -> AssetFinder:
    """A hundred symbols, in a database in memory; they never end."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    table = pd.DataFrame({"symbol": SYMBOLS, "asset_name": SYMBOLS, "exchange": "X"}, index=range(1, 101))
    table = table.assign(start_date=FIRST, end_date=LAST, auto_close_date=LAST)
    exchanges = pd.DataFrame({"exchange": ["X"], "canonical_name": ["X"], "country_code": ["US"]})
    AssetDBWriter(engine).write(equities=table, exchanges=exchanges)
    return AssetFinder(engine)


CALENDAR = Short(FIRST, LAST, side="right")
FINDER = assets()
ASSETS = {asset.symbol: asset for asset in FINDER.retrieve_all(range(1, 101))}
START = CALENDAR.sessions.get_loc(pd.Timestamp("2020-01-06"))


class Rows(SessionBarReader):  # type: ignore[misc]
    """The bars of a case, by session or by minute. A missing row has no prices and no volume, as in the package's own readers."""

    def __init__(self, case: dict[str, Any], times: pd.DatetimeIndex, frequency: str) -> None:
        self._place = {time.value: i for i, time in enumerate(times)}
        self._times, self._frequency = times, frequency
        gap = [math.nan, math.nan, math.nan, math.nan, 0.0]
        self._rows = {
            ASSETS[symbol].sid: [rows[i] or gap if i < len(rows) else gap for i in range(len(times))]
            for symbol, rows in case["bars"].items()
        }

    data_frequency = property(lambda self: self._frequency)
    trading_calendar = property(lambda self: CALENDAR)
    sessions = property(lambda self: CALENDAR.sessions)
    last_available_dt = property(lambda self: self._times[-1])
    first_trading_day = property(lambda self: CALENDAR.sessions[START])

    def currency_codes(self, sids: Any) -> Any:
        return np.array([None] * len(sids), dtype=object)

    def load_raw_arrays(self, columns: Any, start: Any, end: Any, sids: Any) -> Any:
        raise NotImplementedError("cases ask for no history")

    def get_value(self, sid: int, when: pd.Timestamp, field: str) -> float:
        place = self._place.get(when.value)
        if place is None:
            raise NoDataOnDate(when)
        return float(self._rows[int(sid)][place][FIELDS[field]])

    def get_last_traded_dt(self, asset: Any, when: pd.Timestamp) -> Any:
        place = self._place.get(when.value, -1)
        while place >= 0 and not self._rows[asset.sid][place][4]:
            place -= 1
        return self._times[place] if place >= 0 else pd.NaT


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """The book of the case."""
    options, book = case["options"], {"fills": [], "points": [], "orders": {}}
    length = max(len(rows) for rows in case["bars"].values())
    is_daily = options["frequency"] == "daily"
    sessions = CALENDAR.sessions[START : START + (length if is_daily else -(-length // 10))]
    times = sessions if is_daily else CALENDAR.sessions_minutes(sessions[0], sessions[-1])
    kind = "equity_daily_reader" if is_daily else "equity_minute_reader"
    portal = DataPortal(FINDER, CALENDAR, sessions[0], **{kind: Rows(case, times, "session" if is_daily else "minute")})
    script: dict[int, list[dict[str, Any]]] = {}
    for request in case["script"]:
        script.setdefault(request["bar"], []).append(request)
    ids: dict[str, str] = {}

    def initialize(context: Any) -> None:
        api.set_slippage(SLIPPAGE[options["slippage"]["kind"]](options["slippage"]))
        api.set_commission(COMMISSION[options["commission"]["kind"]](options["commission"]))
        if options["cancel"] == "eod":
            api.set_cancel_policy(cancel_policy.EODCancel(warn_on_cancel=False))
        context.bar = -1
        watch(context, book, ids)

    def handle_data(context: Any, _: Any) -> None:
        decide(context)
        if context.bar + 1 == length:
            note_outcomes()

    def decide(context: Any) -> None:
        if not any(context.bar < len(rows) and rows[context.bar] for rows in case["bars"].values()):
            return  # the last session is longer than the case; a bar of no asset is no bar
        portfolio = context.portfolio
        book["points"].append([context.bar, float(portfolio.cash), float(portfolio.portfolio_value)])
        for request in script.get(context.bar, ()):
            act(request, book, ids)

    def note_outcomes() -> None:
        for name, number in ids.items():
            book["orders"][name] = OUTCOMES[algorithm.blotter.orders[number].status]

    algorithm = TradingAlgorithm(
        sim_params=SimulationParameters(
            sessions[0],
            sessions[-1],
            CALENDAR,
            capital_base=options["cash"],
            data_frequency="daily" if is_daily else "minute",
            emission_rate="daily",
        ),
        data_portal=portal,
        metrics_set=load_metrics("none"),
        benchmark_returns=pd.Series(0.0, sessions),
        initialize=initialize,
        handle_data=handle_data,
    )
    for _ in algorithm.get_generator():
        pass
    if is_daily or length % 10 == 0:  # a session that the case ends, too
        note_outcomes()
    return book


def act(request: dict[str, Any], book: dict[str, Any], ids: dict[str, str]) -> None:
    """The request has been made."""
    if request["do"] == "cancel":
        if request["order"] in ids:
            api.cancel_order(ids[request["order"]])
        return
    terms = {f"{name}_price": request[name] for name in ("limit", "stop") if name in request}
    number = ORDERS[request["do"]](ASSETS[request["symbol"]], request["size"], **terms)
    if number is None:
        book["orders"][request["id"]] = "none"
    else:
        ids[request["id"]] = number


def watch(context: Any, book: dict[str, Any], ids: dict[str, str]) -> None:
    """The blotter's fills are written into the book from now on; bars are counted."""
    blotter = context.blotter
    transactions_of = blotter.get_transactions

    def get_transactions(data: Any) -> Any:
        context.bar += 1
        transactions, commissions, closed = transactions_of(data)
        names = {number: name for name, number in ids.items()}
        fees = {entry["order"].id: float(entry["cost"]) for entry in commissions}
        for one in transactions:
            fee = fees.get(one.order_id, 0.0)
            book["fills"].append(
                [context.bar, one.asset.symbol, names[one.order_id], float(one.price), float(one.amount), fee]
            )
        return transactions, commissions, closed

    blotter.get_transactions = get_transactions


if __name__ == "__main__":
    serve(run_case)
