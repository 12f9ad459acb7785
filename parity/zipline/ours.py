"""A case of zipline through our engine: options become settings, requests become calls of the broker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ml4t.backtest import BacktestConfig, Strategy, run
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.order import Order
from parity import engine
from parity.book import Book, Fill
from parity.case import Case

SESSION = {"open": "09:30", "close": "09:40", "timezone": "UTC"}
MINUTES = 10  # of a session


def settings(case: Case) -> dict[str, Any]:
    """The settings that the options come to, over the profile."""
    options = case.options
    costs: dict[str, Any] = {"commission": commission_of(options["commission"])}
    fills: dict[str, Any] = {"participation": None}
    given = options["slippage"]
    if "volume_limit" in given:
        fills["participation"] = {"share": given["volume_limit"]}
    if given["kind"] == "volume_share":
        costs["slippage"] = {"kind": "volume_share", "impact": given["price_impact"], "of": "bar"}
        fills["limit"] = "checked"
    elif given["kind"] == "basis_points":
        costs["slippage"] = {"kind": "rate", "rate": given["basis_points"] / 10_000.0}
    elif given["kind"] == "fixed":
        costs["slippage"] = {"kind": "fixed", "amount": given["spread"] / 2.0}
    else:
        costs["slippage"] = {"kind": "none"}
    data = {"label": "end", "frequency": "1m", "session": SESSION} if options["frequency"] == "minute" else {}
    return {"profile": "zipline", "account": {"cash": options["cash"]}, "costs": costs, "fills": fills, "data": data}


def commission_of(given: dict[str, Any]) -> dict[str, Any]:
    """A commission of theirs as one of ours."""
    if given["kind"] == "per_share":
        return {"kind": "per_share", "per_share": given["cost"], "minimum": given["min_trade_cost"]}
    if given["kind"] == "per_trade":
        return {"kind": "per_order", "fixed": given["cost"]}
    return {"kind": "rate", "rate": given["cost"]} if given["kind"] == "per_dollar" else {"kind": "none"}


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    return engine.rules("zipline", settings(case))


def whole(units: float) -> int:
    """Units as zipline rounds them: within 0.0001 of a whole number that one, else towards zero."""
    return round(units) if abs(units - round(units)) <= 1e-4 else int(units)


class Scripted(Strategy):
    """Carries out the requests of a case."""

    def __init__(self, case: Case) -> None:
        self.case, self.bar = case, -1
        self.bars = iter(bars_of(case))
        self.orders: dict[str, Order | None] = {}
        self.by_bar = engine.by_bar(case)
        self.is_by_session = case.options["cancel"] == "eod" and case.options["frequency"] == "minute"

    def on_bar(self) -> None:
        self.bar = next(self.bars)
        for request in self.by_bar.get(self.bar, ()):
            if request["do"] == "cancel":
                order = self.orders.get(request["order"])
                if order is not None and order.is_live:
                    self.broker.cancel(order)
            else:
                self.send(request)
        if self.is_by_session and self.bar % MINUTES == MINUTES - 1:
            self.broker.cancel_all()

    def send(self, request: dict[str, Any]) -> None:
        symbol, units = request["symbol"], whole(self.units(request))
        if units == 0:
            self.orders[request["id"]] = None
            return
        send = self.broker.buy if units > 0 else self.broker.sell
        terms = {name: request[name] for name in ("limit", "stop") if name in request}
        self.orders[request["id"]] = send(symbol, abs(units), **terms)

    def units(self, request: dict[str, Any]) -> float:
        """The units that a request asks for, of equity and at the close as they are now."""
        kind, size, symbol = request["do"], request["size"], request["symbol"]
        value = size * self.portfolio.equity if kind.endswith("percent") else size
        units = value / self.data.close(symbol) if kind.endswith(("value", "percent")) else value
        held = self.portfolio.positions.get(symbol) if kind.startswith("target") else None
        return float(units - (held.quantity if held else 0.0))


def bars_of(case: Case) -> list[int]:
    """The numbers of the bars that any asset has."""
    return [bar for bar in range(case.length) if any(bar < len(rows) and rows[bar] for rows in case.bars.values())]


def minute(bar: int) -> datetime:
    """The end of a bar of sessions of ten minutes."""
    start = datetime(2020, 1, 6, 9, 31, tzinfo=UTC)
    return start + timedelta(days=bar // MINUTES, minutes=bar % MINUTES)


def run_case(case: Case, **changes: Any) -> Book:
    """The book of the case; `changes`: settings over its own."""
    strategy, bars = Scripted(case), bars_of(case)
    if not bars:
        return Book()
    try:
        time = minute if case.options["frequency"] == "minute" else engine.day
        result = run(strategy, engine.frame(case, time), BacktestConfig.load(settings(case), **changes))
    except BacktestError as error:
        return Book(error=f"{type(error).__name__}: {error}")
    names = {order.id: name for name, order in strategy.orders.items() if order is not None}
    columns = ("order_id", "symbol", "side", "quantity", "price", "commission")
    times = dict(zip(result.equity["timestamp"], bars, strict=True))
    fills = [
        Fill(times[time], symbol, names[order], price, quantity if side == "buy" else -quantity, fee)
        for time, (order, symbol, side, quantity, price, fee) in zip(
            result.fills["timestamp"], result.fills.select(columns).iter_rows(), strict=True
        )
    ]
    points = [replace(point, bar=bar) for bar, point in zip(bars, engine.points(result), strict=True)]
    orders = {name: outcome(order) for name, order in strategy.orders.items()}
    return Book(fills, points, orders)


def outcome(order: Order | None) -> str:
    """What became of an order, in the laboratory's words."""
    if order is None:
        return "none"
    if order.is_live:
        return "live"
    return "filled" if order.state.name == "FILLED" else "gone"
