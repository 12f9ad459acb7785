"""A case of backtesting.py through our engine: options become settings, requests become calls of the broker."""

from typing import Any

from ml4t.backtest import BacktestConfig, Strategy, run
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.order import Order
from parity import engine
from parity.book import Book, Fill
from parity.case import Case


def settings(case: Case) -> dict[str, Any]:
    """The settings that the options come to, over the profile."""
    options = case.options
    commission = options["commission"]
    costs: dict[str, Any] = {"spread": {"kind": "rate", "rate": options["spread"]}}
    if commission["kind"] in ("rate", "fixed_and_rate"):
        costs["commission"] = {"kind": "per_fill", "rate": commission["rate"], "fixed": commission.get("fixed", 0.0)}
    return {
        "profile": "backtesting_py",
        "account": {
            "cash": options["cash"],
            "initial_margin_rate": options["margin"],
            "netting": "none" if options["hedging"] else "fifo",
        },
        "costs": costs,
        "fills": {"market": "previous_close" if options["trade_on_close"] else "next_open"},
        "end": {"run": "last_open" if options["finalize_trades"] else "mark"},
    }


def per_unit(side: int, quantity: float, price: float, filled: float, value: float) -> float:  # noqa: ARG001
    """A commission of 0.01 a unit, at least 1."""
    return max(1.0, quantity * 0.01)


def models_of(options: dict[str, Any]) -> dict[str, Any] | None:
    """A commission that is a function, as a model of ours."""
    return {"commission": per_unit} if options["commission"]["kind"] == "per_unit" else None


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    return engine.rules("backtesting_py", settings(case))


class Scripted(Strategy):
    """Carries out the requests of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.names: dict[int, str] = {}
        self.outcomes: dict[str, str] = {}
        self.bar = 0
        self.by_bar = engine.by_bar(case)

    def on_bar(self) -> None:
        self.bar += 1
        for request in self.by_bar.get(self.bar, ()):
            getattr(self, f"do_{request['do']}")(request)

    def queue(self) -> list[Order]:
        """Live orders in the order of the queue; exits of what has not been opened are not in it."""
        live = [order for order in self.broker.orders() if order.parent is None or order.lot is not None]
        return sorted(live, key=lambda order: order.rank)

    def sent(self, name: str, order: Order | None) -> Order | None:
        """The order, under the script's name."""
        if order is not None:
            self.names[order.id] = name
        return order

    def is_refused(self, request: dict[str, Any]) -> bool:
        """Whether exits are on the wrong side of the order's price, which `_Broker.new_order` refuses."""
        side = request["side"]
        price = self.data.close("A") * (1.0 + side * self.case.options["spread"])
        price = request.get("limit") or request.get("stop") or price
        sl, tp = request.get("sl"), request.get("tp")
        return bool((sl and not side * (price - sl) > 0.0) or (tp and not side * (tp - price) > 0.0))

    def do_order(self, request: dict[str, Any]) -> None:
        if self.is_refused(request):
            self.outcomes[request["id"]] = "refused"
            return
        if self.case.options["exclusive_orders"]:
            self.clear()
        side, size, name = request["side"], request["size"], request["id"]
        send, back = (self.broker.buy, self.broker.sell) if side > 0 else (self.broker.sell, self.broker.buy)
        sized = {"percent": size} if size < 1 else {"quantity": size}
        entry = send("A", **sized, limit=request.get("limit"), stop=request.get("stop"))
        self.sent(name, entry)
        if request.get("tp"):
            self.sent(f"{name}.tp", back("A", parent=entry, limit=request["tp"]))
        if request.get("sl"):
            self.sent(f"{name}.sl", back("A", parent=entry, stop=request["sl"]))

    def clear(self) -> None:
        """Orders and lots are cleared as `exclusive_orders` does: its loop removes from the list that it walks, and so skips orders."""
        queue, i = self.queue(), 0
        while i < len(queue):
            if not self.is_contingent(queue[i]):
                self.broker.cancel(queue.pop(i))
            i += 1
        for lot in self.portfolio.lots("A"):
            self.close_lot(lot, 1.0, self.opener(lot))

    def is_contingent(self, order: Order) -> bool:
        return self.names.get(order.id, "").endswith((".sl", ".tp"))

    def opener(self, lot: Any) -> str:
        """The name of the order that opened the lot."""
        return self.names[int(self.broker.handle.state.fills.order[lot.id - 1])]

    def close_lot(self, lot: Any, portion: float, name: str) -> None:
        units = max(1, round(abs(lot.quantity) * portion))
        send = self.broker.sell if lot.quantity > 0 else self.broker.buy
        self.sent(name, send("A", float(units), lot=lot.id))

    def do_close(self, request: dict[str, Any]) -> None:
        for lot in self.portfolio.lots("A"):
            self.close_lot(lot, request.get("portion", 1.0), request["id"])

    def do_close_trade(self, request: dict[str, Any]) -> None:
        if lots := self.portfolio.lots("A"):
            self.close_lot(lots[request["trade"] % len(lots)], request.get("portion", 1.0), request["id"])

    def do_cancel(self, request: dict[str, Any]) -> None:
        for order in self.queue():
            if self.names.get(order.id) == request["order"]:
                self.broker.cancel(order)

    def do_protect(self, request: dict[str, Any]) -> None:
        if not (lots := self.portfolio.lots("A")):
            return
        lot = lots[request["trade"] % len(lots)]
        name = f"{self.opener(lot)}.{request['which']}"
        for order in self.queue():
            if self.names.get(order.id) == name and order.lot == lot.id:
                self.broker.cancel(order)
        send = self.broker.sell if lot.quantity > 0 else self.broker.buy
        price = {"stop" if request["which"] == "sl" else "limit": request["price"]}
        self.sent(name, send("A", abs(lot.quantity), lot=lot.id, **price))


def run_case(case: Case, **changes: Any) -> Book:
    """The book of the case; `changes`: settings over its own."""
    strategy = Scripted(case)
    try:
        result = run(
            strategy, engine.frame(case), BacktestConfig.load(settings(case), **changes), models=models_of(case.options)
        )
    except BacktestError as error:
        return Book(error=f"{type(error).__name__}: {error}")
    rows, opening = result._state.fills.row, result._state.fills.order
    columns = ("order_id", "side", "quantity", "price", "commission", "origin")
    fills = []
    for number, (order, side, quantity, price, fee, origin) in enumerate(result.fills.select(columns).iter_rows()):
        if origin == "ruin":  # the peer's loop closes only every second trade there: docs/parity/backtesting_py.md
            continue
        name = strategy.names.get(order, "")
        if origin == "end_of_run":
            name = strategy.names[int(opening[Order(strategy.broker, order).lot - 1])]
        fills.append(Fill(int(rows[number]), "A", name, price, quantity if side == "buy" else -quantity, fee))
    live = {strategy.names[order.id] for order in strategy.queue() if order.id in strategy.names}
    filled = {fill.order for fill in fills}
    for request in case.script:
        if request["do"] == "order":
            name = request["id"]
            strategy.outcomes.setdefault(name, "live" if name in live else "filled" if name in filled else "gone")
    return Book(fills, engine.points(result)[1:], {**strategy.outcomes, **dict.fromkeys(live, "live")})
