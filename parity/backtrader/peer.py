"""Runs in the peer's environment: a case through the installed backtrader, its books written down as its broker announces them.

Nothing of the package is replaced: fills and states are those that the strategy is notified of.
"""

import datetime
from typing import Any

import backtrader as bt

from parity.wire import serve

FIRST_DAY = datetime.date.fromordinal(737425)
EXECTYPES = {
    "market": bt.Order.Market,
    "close": bt.Order.Close,
    "limit": bt.Order.Limit,
    "stop": bt.Order.Stop,
    "stop_limit": bt.Order.StopLimit,
    "trail": bt.Order.StopTrail,
    "trail_limit": bt.Order.StopTrailLimit,
}
OUTCOMES = {
    bt.Order.Completed: "filled",
    bt.Order.Canceled: "cancelled",
    bt.Order.Rejected: "cancelled",  # a child whose parent was refused
    bt.Order.Expired: "expired",
    bt.Order.Margin: "margin",
}
NUMBERS = {"zero": 0, "float": 2.0}  # for `valid`; neither is what its documentation says
FILLED = (bt.Order.Partial, bt.Order.Completed)
SLIPPAGE = ("slip_perc", "slip_fixed", "slip_open", "slip_limit", "slip_match", "slip_out")
SWITCHES = (*SLIPPAGE, "coc", "coo", "checksubmit", "shortcash")


class Rows(bt.feed.DataBase):  # type: ignore[misc]
    """Bars of a day each, as a feed."""

    params = (("rows", ()),)

    def start(self) -> None:
        super().start()
        self._at = 0

    def _load(self) -> bool:
        while self._at < len(self.p.rows) and self.p.rows[self._at] is None:  # no bar on that day
            self._at += 1
        if self._at >= len(self.p.rows):
            return False
        day = datetime.datetime.combine(FIRST_DAY + datetime.timedelta(days=self._at), datetime.time())
        self.lines.datetime[0] = bt.date2num(day)
        names = (self.lines.open, self.lines.high, self.lines.low, self.lines.close, self.lines.volume)
        for line, value in zip(names, self.p.rows[self._at], strict=True):
            line[0] = value
        self.lines.openinterest[0] = 0.0
        self._at += 1
        return True


class Scripted(bt.Strategy):  # type: ignore[misc]
    """Carries out the requests of a case, when a bar has ended or, with cheat-on-open, when the next one opens."""

    params = (("case", None), ("book", None))

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self.seen: dict[int, int] = {}
        self.by_bar: dict[int, list[dict[str, Any]]] = {}
        for request in self.p.case["script"]:
            self.by_bar.setdefault(request["bar"], []).append(request)

    def next_open(self) -> None:
        if self.p.case["options"]["coo"]:
            self.carry_out(len(self.data) - 2)

    def prenext(self) -> None:
        """Not all feeds have begun."""
        self.next()

    def next(self) -> None:
        self.p.book["points"].append([len(self) - 1, self.broker.getcash(), self.broker.getvalue()])
        if not self.p.case["options"]["coo"]:
            self.carry_out(len(self) - 1)

    def carry_out(self, bar: int) -> None:
        if bar >= max(map(len, self.p.case["bars"].values())) - 1:  # no bar is left that could meet an order
            return
        for request in self.by_bar.get(bar, ()):
            data = self.getdatabyname(request["symbol"]) if "symbol" in request else self.data
            getattr(self, f"do_{request['do']}")(request, data)

    def sent(self, name: str, order: Any) -> None:
        if order is not None:
            self.named[name] = order
            self.names[order.ref] = name

    def do_order(self, request: dict[str, Any], data: Any) -> None:
        send = self.buy if request["side"] > 0 else self.sell
        self.sent(request["id"], send(data=data, size=request["size"], **self.terms(request)))

    def terms(self, request: dict[str, Any]) -> dict[str, Any]:
        """Type, prices, validity and group as the package takes them."""
        terms: dict[str, Any] = {"exectype": EXECTYPES[request["type"]]}
        renamed = {"price": "price", "second": "plimit", "amount": "trailamount", "percent": "trailpercent"}
        terms.update({there: request[here] for here, there in renamed.items() if here in request})
        if terms["exectype"] == bt.Order.StopTrail:
            terms.pop("price", None)
        if "valid" in request:
            given = request["valid"]
            terms["valid"] = NUMBERS[given] if given in NUMBERS else datetime.timedelta(days=given)
        if "oco" in request and request["oco"] in self.named:
            terms["oco"] = self.named[request["oco"]]
        return terms

    def do_bracket(self, request: dict[str, Any], data: Any) -> None:
        send = self.buy_bracket if request["side"] > 0 else self.sell_bracket
        terms = self.terms(request)
        stop = self.terms({"type": request["stop_type"], **request.get("stop_trail", {})})
        limit: dict[str, Any] = {}
        for ends, key in ((stop, "stop_valid"), (limit, "limit_valid")):
            ends["valid"] = datetime.timedelta(days=request[key]) if key in request else None
        prices = {"stopprice": None if "stop_trail" in request else request["guard"], "limitprice": request["take"]}
        orders = send(data=data, size=request["size"], **terms, **prices, stopargs=stop, limitargs=limit)
        for suffix, order in zip(("", ".sl", ".tp"), orders, strict=True):
            self.sent(request["id"] + suffix, order)

    def do_close(self, request: dict[str, Any], data: Any) -> None:
        self.sent(request["id"], self.close(data=data))

    def do_cancel(self, request: dict[str, Any], data: Any) -> None:  # noqa: ARG002
        if request["order"] in self.named:
            self.cancel(self.named[request["order"]])

    def notify_order(self, order: Any) -> None:
        name, book = self.names.get(order.ref, ""), self.p.book
        bits = order.executed.exbits if order.status in FILLED else ()  # older notices of an order share its executions
        for bit in list(bits)[self.seen.get(order.ref, 0) :]:
            fee = bit.closedcomm + bit.openedcomm
            book["fills"].append([len(self) - 1, order.data._name, name, bit.price, float(bit.size), fee])
        self.seen[order.ref] = max(len(bits), self.seen.get(order.ref, 0))
        book["orders"][name] = OUTCOMES.get(order.status, "live")


def commission_of(options: dict[str, Any]) -> Any:
    """The commission scheme; where neither commission nor margin is given, what the package makes of that."""
    given, has_margin = options["commission"], bool(options["margin"] or options["automargin"])
    terms = {name: options[name] for name in ("percabs", "leverage", "margin", "automargin", "mult")}
    if given["kind"] == "none" and not options["automargin"]:
        return bt.CommissionInfo(**terms)
    kind = bt.CommInfoBase.COMM_PERC if given["kind"] == "percent" else bt.CommInfoBase.COMM_FIXED
    amount = given.get("rate", given.get("amount", 0.0))
    return bt.CommissionInfo(commission=amount, commtype=kind, stocklike=not has_margin, **terms)


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """The book of the case."""
    options = case["options"]
    book: dict[str, Any] = {"fills": [], "points": [], "orders": {}}
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=options["coo"])
    cerebro.broker = bt.brokers.BackBroker(cash=options["cash"], **{key: options[key] for key in SWITCHES})
    cerebro.broker.addcommissioninfo(commission_of(options))
    for symbol, rows in case["bars"].items():
        cerebro.adddata(Rows(rows=rows), name=symbol)
    cerebro.addstrategy(Scripted, case=case, book=book)
    cerebro.run()
    return book


if __name__ == "__main__":
    serve(run_case)
