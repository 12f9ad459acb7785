"""A case of backtesting.py through our engine: options become settings, requests become calls of the broker."""

from datetime import date
from typing import Any

import polars as pl

from ml4t.backtest import BacktestConfig, Strategy, run
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.profiles import PROFILES
from parity.book import Book, Fill, Point
from parity.case import Case


def settings(options: dict[str, Any]) -> dict[str, Any]:
    """The settings that the options come to, over the profile."""
    given: dict[str, Any] = {
        "profile": "backtesting_py",
        "account": {"cash": options["cash"], "initial_margin_rate": options["margin"]},
    }
    kind = options["commission"]["kind"]
    if kind == "rate":
        given["costs"] = {"commission": {"kind": "rate", "rate": options["commission"]["rate"]}}
    return given


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    plain = BacktestConfig().flatten()
    config = BacktestConfig.load(settings(case.options))
    sources = {one.key: f" [{one.source}]" for one in PROFILES["backtesting_py"].differences}
    return {key: f"{value}{sources.get(key, '')}" for key, value in config.flatten().items() if plain.get(key) != value}


class Scripted(Strategy):
    """Carries out the requests of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.names: dict[int, str] = {}
        self.bar = 0

    def on_start(self) -> None:
        self.by_bar: dict[int, list[dict[str, Any]]] = {}
        for request in self.case.script:
            self.by_bar.setdefault(request["bar"], []).append(request)

    def on_bar(self) -> None:
        self.bar += 1
        for request in self.by_bar.get(self.bar, ()):
            getattr(self, f"do_{request['do']}")(request)

    def do_order(self, request: dict[str, Any]) -> None:
        send = self.broker.buy if request["side"] > 0 else self.broker.sell
        order = send("A", request["size"], limit=request.get("limit"), stop=request.get("stop"))
        if order is not None:
            self.names[order.id] = request["id"]


def frame_of(case: Case) -> pl.DataFrame:
    """The bars of the case."""
    rows = [
        (date.fromordinal(737425 + day), symbol, *row)
        for day in range(case.length)
        for symbol, bars in case.bars.items()
        if day < len(bars) and (row := bars[day]) is not None
    ]
    columns = ["timestamp", "symbol", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(rows, columns, orient="row")


def run_case(case: Case) -> Book:
    """The book of the case."""
    strategy = Scripted(case)
    try:
        result = run(strategy, frame_of(case), settings(case.options))
    except BacktestError as error:
        return Book(error=f"{type(error).__name__}: {error}")
    days = {when: number for number, when in enumerate(result.equity["session"].to_list())}
    rows = result._state.fills.row
    fills = [
        Fill(
            int(rows[number]),
            "A",
            strategy.names.get(order, str(order)),
            price,
            quantity if side == "buy" else -quantity,
            commission,
        )
        for number, (order, side, quantity, price, commission) in enumerate(
            result.fills.select("order_id", "side", "quantity", "price", "commission").iter_rows()
        )
    ]
    points = [
        Point(days[session], cash, equity)
        for session, cash, equity in result.equity.select("session", "cash", "equity").iter_rows()
    ]
    return Book(fills, points[1:], {})
