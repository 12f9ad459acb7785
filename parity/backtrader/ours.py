"""A case of backtrader through our engine: options become settings, requests become calls of the broker."""

from datetime import UTC, datetime
from typing import Any

from ml4t.backtest import BacktestConfig, Offset, Strategy, Trail, run
from ml4t.backtest.enums import OrderState, Reason
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.order import Order
from parity import engine
from parity.backtrader.cases import is_futures_like, margin_of
from parity.book import Book, Fill, Point
from parity.case import Case

SHORT = {Reason.INSUFFICIENT_CASH, Reason.INSUFFICIENT_MARGIN}


def has_gaps(case: Case) -> bool:
    """Whether a feed has no bar on some day."""
    return any(None in rows for rows in case.bars.values())


def settings(case: Case) -> dict[str, Any]:
    """The settings that the options come to, over the profile."""
    options = case.options
    match = "keep" if options["slip_out"] else "cap"
    slippage: dict[str, Any] = {"kind": "none"}
    if options["slip_perc"]:
        slippage = {"kind": "rate", "rate": options["slip_perc"]}
    elif options["slip_fixed"]:
        slippage = {"kind": "fixed", "amount": options["slip_fixed"]}
    return {
        "profile": "backtrader",
        "account": {"cash": options["cash"], "short_proceeds": "cash" if options["shortcash"] else "held"},
        "instruments": {"default": instrument_of(options)},
        "costs": {
            "commission": commission_of(options),
            "slippage": slippage,
            "slippage_range": {
                "opens": options["slip_open"],
                "beyond": match if options["slip_match"] else "wait",
                "beyond_limit": match if options["slip_match"] or options["slip_limit"] else "wait",
            },
        },
        "fills": {
            "market": "decision_close" if options["coc"] else "next_open",
            "missing_bar": "meet_last" if has_gaps(case) else "wait",
        },
        "orders": {
            "admission": "none"
            if not options["checksubmit"]
            else "pseudo_execute_at_open"
            if options["coo"]
            else "pseudo_execute"
        },
        "run": {"acknowledge_leaky": True},
    }


def instrument_of(options: dict[str, Any]) -> dict[str, Any]:
    """What a unit is worth, and what a position of it ties up."""
    mult, automargin = options["mult"], options["automargin"]
    if automargin:
        return {"multiplier": mult, "margin_rate": 1.0 if automargin < 0 else automargin / mult}
    return {"multiplier": mult, "margin": options["margin"]} if options["margin"] else {"leverage": options["leverage"]}


def commission_of(options: dict[str, Any]) -> dict[str, Any]:
    """The commission scheme; rates are of a value that a multiplier is no part of."""
    given = options["commission"]
    if given["kind"] == "percent":
        rate = given["rate"] * (1.0 if options["percabs"] else 0.01)
        return {"kind": "rate", "rate": rate / options["mult"]}
    return {"kind": "per_share", "per_share": given["amount"]} if given["kind"] == "per_unit" else {"kind": "none"}


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    return engine.rules("backtrader", settings(case))


class Scripted(Strategy):
    """Carries out the requests of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.bar = -1
        self.shown: list[tuple[float, float]] = []
        self.named: dict[str, Order] = {}
        self.leaders: dict[str, str] = {}
        self.groups: dict[str, list[str]] = {}
        self.by_bar = engine.by_bar(case)

    def on_bar(self) -> None:
        self.bar += 1
        self.shown.append(self.difference_of_accounts())
        if self.bar == self.case.length - 1:  # no bar is left that could meet an order
            return
        for request in self.by_bar.get(self.bar, ()):
            getattr(self, f"do_{request['do']}")(request, request.get("symbol", "A"))

    def difference_of_accounts(self) -> tuple[float, float]:
        """What the peer's cash and value are more than ours, where positions are not paid in full.

        Its cash is without what they tie up, and with their gains where there is a margin. Its value counts a margin that goes by the
        price at the close, though it was paid at the entry; and what a short is worth whose proceeds are held, without its sign.
        """
        options, cash, value = self.case.options, 0.0, 0.0
        if options["leverage"] == 1.0 and options["shortcash"] and not is_futures_like(options):
            return cash, value
        for symbol, position in self.portfolio.positions.items():
            held, entry, close = position.quantity, position.average_price, self.data.close(symbol)
            if is_futures_like(options):
                paid = abs(held) * margin_of(options, entry)
                cash += held * options["mult"] * close - paid
                value += abs(held) * margin_of(options, close) - paid
            elif held > 0.0:
                cash += held * entry * (1.0 - 1.0 / options["leverage"])
            elif not options["shortcash"]:
                cash += held * entry * (1.0 + 1.0 / options["leverage"])
                value += 2.0 * abs(held) * max(close - 2.0 * entry, 0.0) / options["leverage"]
        return cash, value

    def until(self, days: int | str, symbol: str) -> dict[str, Any]:
        """Valid for the bars of so many days from the feed's last one: the order ends where it meets the first bar after them.

        A zero is for ever, and a float for no bar at all.
        """
        if days == "zero":
            return {}
        last = -1
        if not isinstance(days, str):
            rows = self.case.bars[symbol]
            last = max(bar for bar in range(self.bar + 1) if rows[bar] is not None) + self.case.options["coo"] + days
        day = engine.day(max(last, self.bar) + 1)
        return {"tif": "GTD", "until": datetime(day.year, day.month, day.day, tzinfo=UTC)}

    def terms(self, request: dict[str, Any], symbol: str) -> dict[str, Any]:
        kind, terms = request["type"], dict[str, Any]()
        if kind == "limit":
            terms["limit"] = request["price"]
        elif kind in ("stop", "stop_limit"):
            terms["stop"] = request["price"]
            if kind == "stop_limit":
                terms["limit"] = request["second"]
        elif kind in ("trail", "trail_limit"):
            terms["stop"] = Trail(amount=request.get("amount"), rate=request.get("percent"), ratchet="close")
            if kind == "trail_limit":
                terms["limit"] = Offset(amount=request["second"] - request["price"])
        elif kind == "close":
            terms["tif"] = "CLS"
        if "valid" in request and kind not in ("market", "close"):
            terms.update(self.until(request["valid"], symbol))
        return terms

    def is_in_book(self, name: str) -> bool:
        """Whether the order is live."""
        return name in self.named and self.named[name].is_live

    def do_order(self, request: dict[str, Any], symbol: str) -> None:
        send = self.broker.buy if request["side"] > 0 else self.broker.sell
        order = self.named[request["id"]] = send(symbol, request["size"], **self.terms(request, symbol))
        name, other = request["id"], request.get("oco")
        if other not in self.named:
            self.leaders[name] = name
            return
        leader = self.leaders[name] = self.leaders[
            other
        ]  # a group has the name of its first order, also after that has ended
        members = self.groups.setdefault(leader, [leader])
        if not all(self.is_in_book(member) for member in members):
            members.clear()  # the first of a group that ends ends the group
        if members:
            self.broker.oco(self.named[members[0]], order)
        members.append(name)

    def do_bracket(self, request: dict[str, Any], symbol: str) -> None:
        send, back = (self.broker.buy, self.broker.sell) if request["side"] > 0 else (self.broker.sell, self.broker.buy)
        name, size = request["id"], request["size"]
        entry = send(symbol, size, **self.terms(request, symbol))
        stop = {"type": request["stop_type"], "price": request["guard"], **request.get("stop_trail", {})}
        ends = {".sl": (stop, "stop_valid"), ".tp": ({"type": "limit", "price": request["take"]}, "limit_valid")}
        self.named[name] = entry
        for suffix, (terms, valid) in ends.items():
            if valid in request:
                terms["valid"] = request[valid]
            self.named[name + suffix] = back(symbol, size, parent=entry, **self.terms(terms, symbol))

    def do_close(self, request: dict[str, Any], symbol: str) -> None:
        held = self.portfolio.position(symbol).quantity
        if held:
            send = self.broker.sell if held > 0 else self.broker.buy
            self.named[request["id"]] = send(symbol, abs(held))

    def do_cancel(self, request: dict[str, Any], symbol: str) -> None:  # noqa: ARG002
        """Cancelling what was submitted on the same bar does nothing in backtrader, unless it checks no submissions."""
        name = request["order"]
        if not self.is_in_book(name):
            return
        is_late = self.case.options["checksubmit"] and self.named[name].state == OrderState.CREATED
        if not is_late:
            self.broker.cancel(self.named[name])


def outcome(order: Order) -> str:
    """What became of the order, in the words of both engines."""
    if order.is_live:
        return "live"
    if order.state == OrderState.FILLED:
        return "filled"
    if order.state == OrderState.EXPIRED:
        return "expired"
    return "margin" if order.reason in SHORT else "cancelled"


def run_case(case: Case, **changes: Any) -> Book:
    """The book of the case; `changes`: settings over its own."""
    strategy = Scripted(case)
    try:
        result = run(strategy, engine.frame(case), BacktestConfig.load(settings(case), **changes))
    except BacktestError as error:
        return Book(error=f"{type(error).__name__}: {error}")
    names = {order.id: name for name, order in strategy.named.items()}
    columns = ("order_id", "symbol", "timestamp", "side", "quantity", "price", "commission")
    fills = [
        Fill(
            (time.date() - engine.FIRST_DAY).days,
            symbol,
            names[order],
            price,
            quantity if side == "buy" else -quantity,
            fee,
        )
        for order, symbol, time, side, quantity, price, fee in result.fills.select(columns).iter_rows()
    ]
    points = [
        Point(point.bar, point.cash + cash, point.equity + value)
        for point, (cash, value) in zip(engine.points(result), strategy.shown, strict=True)
    ]
    return Book(fills, points, {name: outcome(order) for name, order in strategy.named.items()})
