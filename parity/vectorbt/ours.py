"""Cases of vectorbt through our engine: its arguments as settings."""

from collections import deque
from typing import Any

from ml4t.backtest import BacktestConfig, Engine, Result, interpreted
from ml4t.backtest.errors import BacktestError
from parity import engine
from parity.book import Book, Fill, Point
from parity.case import Case
from parity.vectorbt.cases import of_column
from parity.vectorbt.strategies import Orders, Rows, Signals


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
        if states_prices(case):
            given["costs"]["symbols"][symbols[each]]["slippage"] = {"kind": "none"}
    if options["stop_exit_price"] == "stopmarket" or states_prices(case):
        given["costs"]["stop_slippage"] = {"kind": "none"}
    if options["val_price"] == "previous":
        given["orders"]["valuation"] = "previous_close"
    elif options["price"] != "close" or options["update_value"]:
        given["orders"]["valuation"] = "fill_price"
    if options["stop_entry_price"] == "fillprice":
        given["orders"]["fill_basis"] = "price"
    return given


def rests(case: Case) -> bool:
    """Whether stops are the same as orders that rest in the book; else they are decisions of the row (docs/parity/vectorbt.md)."""
    options = case.options
    distances = [one.get(name) for one in case.script for name in ("sl", "tp")]
    near = min([one for one in (*distances, options["sl_stop"], options["tp_stop"]) if one is not None], default=None)
    if near is None or options["method"] == "orders":
        return True
    is_close = options["stop_entry_price"] != "fillprice" or not (
        options["sl_trail"] or near <= 2.0 * options["slippage"]
    )
    is_whole = options["size_granularity"] != 0.1 and options["min_size"] == 1e-8 and options["max_size"] is None
    is_plain = options["price"] == "close" and options["val_price"] is None and not options["cash_sharing"]
    is_order = options["stop_exit_price"].startswith("stop") and options["upon_stop_exit"] == "close"
    is_once = options["accumulate"] == "disabled" and options["allow_partial"]
    return is_close and is_whole and is_plain and is_order and is_once


def states_prices(case: Case) -> bool:
    """Whether an order may have a price or a slippage of its own, so that models say them."""
    has_own = case.options["price"] != "close" or any("slippage" in one for one in case.script)
    return has_own or not rests(case)


def rules_of(case: Case) -> dict[str, str]:
    """Every setting that is not our default, by key."""
    return engine.rules("vectorbt", settings(case))


def run_case(case: Case, **changes: Any) -> Book:
    """The book of the case: of one account, or of one for every column, added up; `changes`: settings over its own."""
    symbols, fills = list(case.bars), list[Fill]()
    signals = Signals if rests(case) else Rows
    kind = Orders if case.options["method"] == "orders" else signals
    accounts = [(None, symbols)] if case.options["cash_sharing"] else [(n, [name]) for n, name in enumerate(symbols)]
    cash, equity = [0.0] * case.length, [0.0] * case.length
    for column, names in accounts:
        config = BacktestConfig.load(settings(case, column), **{"data.universe": names}, **changes)
        bars = case.with_(bars={name: case.bars[name] for name in names})
        strategy, models = kind(bars, names), None
        if states_prices(case):
            models = {"fill_price": interpreted(strategy.fill_price), "slippage": interpreted(strategy.slipped)}
        try:
            result = Engine(strategy, engine.frame(bars), config, models=models).run()
        except BacktestError as error:
            return Book(error=f"{type(error).__name__}: {error}")
        table = result.fills.select("timestamp", "symbol", "side", "quantity", "price", "commission")
        made = [
            Fill(
                (when.date() - engine.FIRST_DAY).days, symbol, "", price, quantity if side == "buy" else -quantity, fee
            )
            for when, symbol, side, quantity, price, fee in table.iter_rows()
        ]
        for point in engine.points(result) if models is None else at_closes(bars, result, made):
            cash[point.bar] += point.cash
            equity[point.bar] += point.equity
        fills += made
    if not case.options["cash_sharing"]:
        fills.sort(key=lambda fill: (fill.bar, symbols.index(fill.symbol)))
    return Book(fills, [Point(bar, *point) for bar, point in enumerate(zip(cash, equity, strict=True))], {})


def at_closes(case: Case, result: Result, fills: list[Fill]) -> list[Point]:
    """The account with every position at its close: until the next bar, a fill marks its symbol at the price that was stated for it."""
    held, left, made = dict.fromkeys(case.bars, 0.0), deque(fills), list[Point]()
    for point in engine.points(result):
        while left and left[0].bar == point.bar:
            fill = left.popleft()
            held[fill.symbol] += fill.quantity
        value = sum(quantity * case.bars[symbol][point.bar][3] for symbol, quantity in held.items())
        made.append(Point(point.bar, point.cash, point.cash + value))
    return made
