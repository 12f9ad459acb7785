"""Rows of sizes and signals as calls of the broker: the decisions of `from_orders` and `from_signals`."""

import math
from typing import Any

from ml4t.backtest import Exits, Fill, Strategy, Trail
from ml4t.backtest.enums import Origin
from parity.case import Case
from parity.vectorbt.cases import FLAGS, of_column, sequence
from parity.vectorbt.signals import LONG, SHORT, Request, request, stopped, wish
from parity.vectorbt.stops import Guard, Terms

EXITS = (Origin.STOP_LOSS, Origin.TAKE_PROFIT, Origin.TRAILING_STOP)
RULES = ("accumulate", "upon_long_conflict", "upon_short_conflict", "upon_dir_conflict", "upon_opposite_entry")


class Orders(Strategy):
    """One order for every bar and symbol that has a size."""

    def __init__(self, case: Case, symbols: list[str]) -> None:
        self.options, self.symbols, self.bars = case.options, symbols, case.bars
        self.requests = {(one["bar"], one["symbol"]): one for one in case.script}

    def on_start(self) -> None:
        """Before the first bar."""
        self.bar = -1
        self.stated: dict[tuple[float, ...], tuple[float, float]] = {}

    def on_bar(self) -> None:
        """The orders of a bar, in the order of the call sequence."""
        self.bar += 1
        self.stated.clear()
        for number in sequence(self.options, self.bar, len(self.symbols)):
            symbol = self.symbols[number]
            self.row = self.requests.get((self.bar, symbol), {})
            self.state(
                symbol, self.price(symbol), self.row.get("slippage", of_column(self.options["slippage"], number))
            )
            asked = self.asked(symbol, self.row)
            if asked is not None:
                self.place(symbol, asked)

    # ------------------------------------------------------------------------------------- prices that are not the close
    def price(self, symbol: str) -> float:
        """What the row's orders fill at, before slippage."""
        open_, high, low, close = self.bars[symbol][self.bar][:4]
        return {"close": close, "open": open_, "middle": (high + low) / 2.0}[self.options["price"]]

    def valued(self, symbol: str) -> float:
        """What the row's sizes are reckoned at; NaN where there is no close before."""
        if self.options["val_price"] is None:
            return self.price(symbol)
        return self.bars[symbol][self.bar - 1][3] if self.bar else math.nan

    def state(self, symbol: str, price: float, slippage: float) -> None:
        """The symbol's order of this row fills at this price, with this slippage."""
        self.stated[tuple(self.bars[symbol][self.bar])] = price, slippage

    def fill_price(self, _side: int, _quantity: float, *bar: float) -> float:
        """A model: the price that was stated for this bar."""
        return self.stated[bar][0]

    def slipped(self, side: int, _quantity: float, reference: float, *bar: float) -> float:
        """A model: the price with the slippage that was stated for this bar."""
        return reference * (1.0 + side * self.stated[bar][1])

    # ------------------------------------------------------------------------------------------------------------ orders
    def asked(self, _: str, row: dict[str, Any]) -> Request | None:
        """The order of a row: where only shorts are allowed, a size is that of the short."""
        if "size" not in row:
            return None
        direction, kind = self.options["direction"] or "both", row.get("size_type", self.options["size_type"])
        return Request(-row["size"] if direction == SHORT else row["size"], kind, direction)

    def place(self, symbol: str, asked: Request) -> None:
        """The order is sent to the broker."""
        size, kind = asked.size, asked.size_type
        terms: dict[str, Any] = {} if self.options["allow_partial"] else {"tif": "FOK"}
        forbidden = (asked.direction == LONG and size < 0.0) or (asked.direction == SHORT and size > 0.0)
        if kind.startswith("target"):
            if kind == "targetpercent" and self.portfolio.equity <= 0.0:
                return  # a part of nothing
            forbidden = forbidden or (asked.direction == LONG and self.is_above(symbol, size, kind))
            send = getattr(self.broker, f"order_target_{kind.removeprefix('target').replace('amount', 'quantity')}")
            send(symbol, size, reduce_only=forbidden, **terms)
        elif asked.closes and terms:
            self.send(symbol, size, kind, {"reduce_only": True}, terms)
        elif asked.closes:
            self.broker.close(symbol)
        elif asked.reverses and not math.isinf(size):
            send = self.broker.order_target_value if kind == "value" else self.broker.order_target_quantity
            send(symbol, size, **terms, **self.exits())
        elif size != 0.0:
            self.send(symbol, size, kind, {"reduce_only": True} if forbidden else self.exits(), terms)

    def is_above(self, symbol: str, size: float, kind: str) -> bool:
        """Whether more is held than the target, so that the order sells."""
        held, unit = self.portfolio.position(symbol).quantity, 1.0
        if kind != "targetamount":
            held_at = ((self.portfolio.position(name).quantity, self.valued(name)) for name in self.symbols)
            value = self.portfolio.cash + sum(quantity * price for quantity, price in held_at if quantity)
            unit = self.valued(symbol) / (value if kind == "targetpercent" else 1.0)
        return held * unit > size

    def send(self, symbol: str, size: float, kind: str, more: dict[str, Any], terms: dict[str, Any]) -> None:
        """An order of a signed size that is no target."""
        send = self.broker.buy if size > 0.0 else self.broker.sell
        if kind == "percent" or math.isinf(size):
            most, held = self.options["max_size"], abs(self.portfolio.position(symbol).quantity)
            has_end = size < 0.0 or most is None or ("reduce_only" in more and held <= most)
            if terms and not has_end:
                return  # without an end, so above any maximum, where parts are not allowed
            send(symbol, funds=abs(size), **terms, **more)
        elif kind == "value":
            send(symbol, value=abs(size), **terms, **more)
        else:
            send(symbol, abs(size), **terms, **more)

    def exits(self) -> dict[str, Any]:
        """The stops of what an order opens."""
        return {}


class Signals(Orders):
    """Entries and exits; stops are exits of the orders, in the book from the next bar on."""

    def on_start(self) -> None:
        """The rules, as the engine spells them."""
        super().on_start()
        self.rules = {name: self.options[name] for name in RULES}
        self.stopped: set[str] = set()
        has_shorts = any("short" in name for one in self.requests.values() for name in one)
        self.direction = LONG if has_shorts or self.options["direction"] is None else self.options["direction"]

    def on_fill(self, fill: Fill) -> None:
        """A symbol whose stop was hit in a bar takes no signals of that bar."""
        if fill.order.origin in EXITS:
            self.stopped.add(fill.symbol)

    def on_bar(self) -> None:
        """The orders of a bar."""
        super().on_bar()
        self.stopped.clear()

    def asked(self, symbol: str, row: dict[str, Any]) -> Request | None:
        """What the signals of a row come to with the position as it is."""
        if symbol in self.stopped:
            return None
        wanted = wish(*(row.get(name, False) for name in FLAGS), self.direction)
        return request(
            wanted, self.portfolio.position(symbol).quantity, self.size(row), self.options["size_type"], self.rules
        )

    def size(self, row: dict[str, Any]) -> float:
        """The size of what a row opens."""
        return row.get("size", self.options["default_size"])

    def armed(self, row: dict[str, Any]) -> Terms:
        """The stops of what a row opens."""
        stop, target = row.get("sl", self.options["sl_stop"]), row.get("tp", self.options["tp_stop"])
        return Terms(
            math.nan if stop is None else stop, self.options["sl_trail"], math.nan if target is None else target
        )

    def exits(self) -> dict[str, Any]:
        """The stops of what an order opens."""
        stop, trails, target = (None if one != one else one for one in self.armed(self.row))  # NaN
        trail = Trail(rate=stop, ratchet="bar") if trails and stop is not None else None
        stops = Exits(stop_loss=None if trail else stop, take_profit=target, trail=trail, profit_by="touch")
        return {"exits": stops} if stops else {}


class Rows(Signals):
    """Entries and exits whose stops are decisions of the row that hits them, at a price that is stated."""

    def on_start(self) -> None:
        """No column has a stop."""
        super().on_start()
        self.guards = {symbol: Guard() for symbol in self.symbols}
        self.filled: dict[str, float] = {}
        self.before: dict[str, tuple[float, Terms, float]] = {}

    def on_fill(self, fill: Fill) -> None:
        """The price of the row's fill is known."""
        self.filled[fill.symbol] = fill.price

    def asked(self, symbol: str, row: dict[str, Any]) -> Request | None:
        """The order of the stop that the row hits, else that of its signals."""
        guard, held, options = self.guards[symbol], self.portfolio.position(symbol).quantity, self.options
        if symbol in self.filled:
            before, terms, base = self.before[symbol]
            base = self.filled.pop(symbol) if options["stop_entry_price"] == "fillprice" else base
            guard.renew(before, held, terms, base, options["upon_stop_update"])
        bar = self.bars[symbol][self.bar]
        price, stop = self.price(symbol), guard.hit(held, bar)
        if math.isnan(stop):
            wanted = super().asked(symbol, row)
        else:
            mode, kind, size = options["upon_stop_exit"], options["size_type"], self.size(row)
            if (
                kind == "value" and options["price"] != "close"
            ):  # the fill's price, by which sizes go then, is that of the stop
                kind, size = "amount", size / self.valued(symbol)
            wanted = stopped(held, size, kind, mode, options["accumulate"])
            at = options["stop_exit_price"]
            price = {"close": bar[3], "price": price}.get(at, stop)
            self.state(symbol, price, 0.0 if at == "stoplimit" else self.stated[tuple(bar)][1])
        base = {"price": price, "valprice": self.valued(symbol)}.get(options["stop_entry_price"], bar[3])
        self.before[symbol] = held, self.armed(row), base
        return wanted

    def exits(self) -> dict[str, Any]:
        """No order of the book is a stop."""
        return {}
