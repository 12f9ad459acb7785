"""Cases of vectorbt through our engine: its arguments as settings, its rows of sizes and signals as calls of the broker."""

import math
from typing import Any

from ml4t.backtest import BacktestConfig, Engine, Exits, Fill, Strategy, Trail
from ml4t.backtest.enums import Origin
from ml4t.backtest.errors import BacktestError
from parity import engine
from parity.book import Book, Point
from parity.book import Fill as BookFill
from parity.case import Case
from parity.vectorbt.cases import FLAGS
from parity.vectorbt.signals import LONG, SHORT, Request, request, wish

EXITS = (Origin.STOP_LOSS, Origin.TAKE_PROFIT, Origin.TRAILING_STOP)
RULES = ("accumulate", "upon_long_conflict", "upon_short_conflict", "upon_dir_conflict", "upon_opposite_entry")


def of_column(value: Any, column: int) -> Any:
    """An option's value for a column: a list has one for each."""
    return value[column] if isinstance(value, list) else value


def settings(case: Case, column: int | None = None) -> dict[str, Any]:
    """The settings that the options come to, over the profile; `column`: of that column alone, where each has an account of its own."""
    options, symbols = case.options, list(case.bars)
    given: dict[str, Any] = {
        "profile": "vectorbt",
        "account": {"cash": of_column(options["init_cash"], column or 0), "lock": options["lock_cash"]},
        "orders": {"batch_order": "value" if options["call_seq"] == "auto" else "submission"},
        "instruments": {"symbols": {}},
        "costs": {"symbols": {}},
    }
    for each in range(len(symbols)) if column is None else (column,):
        given["instruments"]["symbols"][symbols[each]] = {
            "lot_size": of_column(options["size_granularity"], each) or 0.0,
            "min_quantity": of_column(options["min_size"], each),
            "max_quantity": of_column(options["max_size"], each),
        }
        rate, fixed, slip = (of_column(options[name], each) for name in ("fees", "fixed_fees", "slippage"))
        given["costs"]["symbols"][symbols[each]] = {
            "commission": {"kind": "rate_plus_fixed", "rate": rate, "fixed": fixed},
            "slippage": options.get("slippage_model", {"kind": "rate", "rate": slip}),
        }
    if options["stop_exit_price"] == "stopmarket":
        given["costs"]["stop_slippage"] = {"kind": "none"}
    if options["stop_entry_price"] == "fillprice":
        given["orders"]["fill_basis"] = "price"
    return given


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    return engine.rules("vectorbt", settings(case))


class Orders(Strategy):
    """One order for every bar and symbol that has a size."""

    def __init__(self, case: Case, symbols: list[str]) -> None:
        self.options, self.symbols = case.options, symbols
        self.requests = {(one["bar"], one["symbol"]): one for one in case.script}

    def on_start(self) -> None:
        """Before the first bar."""
        self.bar = -1
        self.stopped: set[str] = set()

    def on_fill(self, fill: Fill) -> None:
        """A symbol whose stop was hit in a bar takes no signals of that bar."""
        if fill.order.origin in EXITS:
            self.stopped.add(fill.symbol)

    def on_bar(self) -> None:
        """The orders of a bar, in the order of the call sequence."""
        self.bar += 1
        for symbol in self.symbols[::-1] if self.options["call_seq"] == "reversed" else self.symbols:
            row = self.requests.get((self.bar, symbol))
            asked = self.asked(symbol, row) if row is not None else None
            if asked is not None:
                self.place(symbol, asked)
        self.stopped.clear()

    def asked(self, _: str, row: dict[str, Any]) -> Request | None:
        """The order of a row: where only shorts are allowed, a size is that of the short."""
        direction = self.options["direction"] or "both"
        return Request(-row["size"] if direction == SHORT else row["size"], self.options["size_type"], direction)

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
            unit = self.data.close(symbol) / (self.portfolio.equity if kind == "targetpercent" else 1.0)
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
    """Entries and exits, with stops."""

    def on_start(self) -> None:
        """The rules and stops, as the engine spells them."""
        super().on_start()
        self.rules = {name: self.options[name] for name in RULES}
        stop, target = self.options["sl_stop"], self.options["tp_stop"]
        trail = Trail(rate=stop, ratchet="bar") if self.options["sl_trail"] and stop is not None else None
        self.stops = Exits(stop_loss=None if trail else stop, take_profit=target, trail=trail, profit_by="touch")

    def asked(self, symbol: str, row: dict[str, Any]) -> Request | None:
        """What the signals of a row come to with the position as it is."""
        if symbol in self.stopped:
            return None
        flags = [row.get(name, False) for name in FLAGS]
        wanted = wish(*flags, self.direction())
        held = self.portfolio.position(symbol).quantity
        return request(
            wanted, held, row.get("size", self.options["default_size"]), self.options["size_type"], self.rules
        )

    def direction(self) -> str:
        """The direction of entries and exits; that of shorts beside them is their own."""
        has_shorts = any("short" in name for one in self.requests.values() for name in one)
        return LONG if has_shorts or self.options["direction"] is None else self.options["direction"]

    def exits(self) -> dict[str, Any]:
        """The stops of what an order opens."""
        return {"exits": self.stops} if self.stops else {}


STRATEGIES = {"orders": Orders, "signals": Signals}


def run_case(case: Case) -> Book:
    """The book of the case: of one account, or of one for every column, added up."""
    symbols = list(case.bars)
    strategy = STRATEGIES[case.options["method"]]
    accounts = [(None, symbols)] if case.options["cash_sharing"] else [(n, [name]) for n, name in enumerate(symbols)]
    fills: list[BookFill] = []
    cash, equity = [0.0] * case.length, [0.0] * case.length
    for column, names in accounts:
        config = BacktestConfig.load(settings(case, column), **{"data.universe": names})
        try:
            result = Engine(
                strategy(case, names), engine.frame(case.with_(bars={name: case.bars[name] for name in names})), config
            ).run()
        except BacktestError as error:
            return Book(error=f"{type(error).__name__}: {error}")
        table = result.fills.select("timestamp", "symbol", "side", "quantity", "price", "commission")
        for when, symbol, side, quantity, price, commission in table.iter_rows():
            signed = quantity if side == "buy" else -quantity
            fills.append(BookFill((when.date() - engine.FIRST_DAY).days, symbol, "", price, signed, commission))
        for bar, row in enumerate(result.equity.select("cash", "equity").iter_rows()):
            cash[bar] += row[0]
            equity[bar] += row[1]
    if not case.options["cash_sharing"]:
        fills.sort(key=lambda fill: (fill.bar, symbols.index(fill.symbol)))
    return Book(fills, [Point(bar, *point) for bar, point in enumerate(zip(cash, equity, strict=True))], {})
