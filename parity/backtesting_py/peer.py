"""Runs in the peer's environment: a case through the installed backtesting.py, its books written down as they happen.

Nothing of the package is replaced. Its broker's list of orders is a list that remembers which order was looked at last, so that a
fill can be told from which order it came; `_open_trade` and `_close_trade` are wrapped to write a fill down.
"""

import math
import warnings
from typing import Any

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting import backtesting as package

from parity.wire import serve

package._tqdm = lambda iterable, **_: iterable  # no progress bar
package.compute_stats = lambda **_: pd.Series(dtype=float)  # slow, and not what is compared
warnings.simplefilter("ignore")

COMMISSIONS = {
    "none": lambda given: 0.0,
    "rate": lambda given: given["rate"],
    "fixed_and_rate": lambda given: (given["fixed"], given["rate"]),
    "per_unit": lambda given: lambda size, price: max(1.0, abs(size) * 0.01),
}


class Watched(list):  # type: ignore[type-arg]
    """A list that remembers what was last looked for in it."""

    current: Any = None

    def __contains__(self, order: object) -> bool:
        self.current = order
        return super().__contains__(order)


class Scripted(Strategy):  # type: ignore[misc]
    """Carries out the requests of a case."""

    case: dict[str, Any]
    book: dict[str, Any]

    def init(self) -> None:
        self._by_bar: dict[int, list[dict[str, Any]]] = {}
        for request in self.case["script"]:
            self._by_bar.setdefault(request["bar"], []).append(request)
        watch(self._broker, self.book)

    def next(self) -> None:
        for request in self._by_bar.get(len(self.data) - 1, ()):
            getattr(self, f"do_{request['do']}")(request)

    def do_order(self, request: dict[str, Any]) -> None:
        send = self.buy if request["side"] > 0 else self.sell
        terms = {name: request[name] for name in ("limit", "stop", "sl", "tp") if request.get(name) is not None}
        try:
            send(size=request["size"], tag=request["id"], **terms)
        except ValueError:
            self.book["orders"][request["id"]] = "refused"

    def do_close(self, request: dict[str, Any]) -> None:
        self._closing(request["id"], lambda: self.position.close(request.get("portion", 1.0)))

    def do_close_trade(self, request: dict[str, Any]) -> None:
        if self.trades:
            trade = self.trades[request["trade"] % len(self.trades)]
            self._closing(request["id"], lambda: trade.close(request.get("portion", 1.0)))

    def do_cancel(self, request: dict[str, Any]) -> None:
        for order in list(self._broker.orders):
            if name_of(order) == request["order"]:
                order.cancel()

    def do_protect(self, request: dict[str, Any]) -> None:
        if self.trades:
            trade = self.trades[request["trade"] % len(self.trades)]
            setattr(trade, request["which"], request["price"])

    def _closing(self, name: str, ask: Any) -> None:
        before = list(self._broker.orders)
        ask()
        for order in self._broker.orders:
            if not any(order is other for other in before):
                order.parity_name = name


def name_of(order: Any) -> str:
    """The script's name for an order."""
    trade = order.parent_trade
    if trade is not None and order is trade._sl_order:
        return f"{trade.tag}.sl"
    if trade is not None and order is trade._tp_order:
        return f"{trade.tag}.tp"
    return getattr(order, "parity_name", None) or str(order.tag or "end")


def watch(broker: Any, book: dict[str, Any]) -> None:
    """The broker's fills and account points are written into the book from now on."""
    broker.orders = Watched()
    book["broker"] = [broker]
    open_trade, close_trade, step = broker._open_trade, broker._close_trade, broker.next

    def opened(price: float, size: float, sl: Any, tp: Any, time_index: int, tag: Any) -> None:
        book["fills"].append([time_index, "A", str(tag), price, float(size), broker._commission(size, price)])
        open_trade(price, size, sl, tp, time_index, tag)

    def closed(trade: Any, price: float, time_index: int) -> None:
        order = broker.orders.current
        if broker.parity_open:  # else at ruin, where the loop over the trades skips every second one
            fee = broker._commission(trade.size, price)
            book["fills"].append([time_index, "A", name_of(order), price, -float(trade.size), fee])
        close_trade(trade, price, time_index)

    def advanced() -> None:
        broker.parity_open = True
        try:
            step()
        finally:
            bar = len(broker._data) - 1
            paid = broker._cash - sum(trade.size * trade.entry_price for trade in broker.trades)
            equity = float(broker._equity[bar])
            paid = paid if equity else 0.0
            if book["points"] and book["points"][-1][0] == bar:
                book["points"].pop()  # finalising meets the last bar once more
            book["points"].append([bar, paid, equity])

    process = broker._process_orders

    def processed() -> None:
        broker.parity_open = True
        process()
        broker.parity_open = False

    broker._open_trade, broker._close_trade, broker.next, broker._process_orders = opened, closed, advanced, processed


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """The book of the case."""
    options = case["options"]
    rows = case["bars"]["A"]
    columns = ["Open", "High", "Low", "Close", "Volume"]
    index = pd.date_range("2020-01-01", periods=len(rows), freq="D")
    frame = pd.DataFrame(rows, columns=columns, index=index)
    book: dict[str, Any] = {"fills": [], "points": [], "orders": {}}
    commission = options["commission"]
    test = Backtest(
        frame,
        type("Case", (Scripted,), {"case": case, "book": book}),
        cash=options["cash"],
        spread=options["spread"],
        commission=COMMISSIONS[commission["kind"]](commission),
        margin=options["margin"],
        trade_on_close=options["trade_on_close"],
        hedging=options["hedging"],
        exclusive_orders=options["exclusive_orders"],
        finalize_trades=options["finalize_trades"],
    )
    try:
        test.run()
    except AssertionError as error:
        frames = error.__traceback__
        while frames is not None and frames.tb_next is not None:
            frames = frames.tb_next
        book["error"] = f"assertion in {frames.tb_frame.f_code.co_name}" if frames else "assertion"
    brokers = book.pop("broker", [])
    orders = [order for broker in brokers for order in broker.orders]
    if book["points"] and book["points"][-1][2] == 0.0:  # ruin: exits of trades that its loop has skipped
        orders = [order for order in orders if not order.is_contingent]
    live = {name_of(order) for order in orders}
    filled = {row[2] for row in book["fills"]}
    for request in case["script"]:
        if request["do"] == "order":
            name = request["id"]
            book["orders"].setdefault(name, "live" if name in live else "filled" if name in filled else "gone")
    book["orders"].update(dict.fromkeys(live, "live"))
    book["fills"] = [row for row in book["fills"] if math.isfinite(row[3])]
    return book


if __name__ == "__main__":
    serve(run_case)
