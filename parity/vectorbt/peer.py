"""Runs cases in the installed vectorbt. A case's options are arguments of `Portfolio.from_orders` or `from_signals` (`method`); its script
fills the arrays of sizes and signals, one row a bar and one column a symbol.
"""

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from vectorbt.portfolio.enums import SizeType

from parity.vectorbt.cases import FLAGS, sequence
from parity.wire import serve

METHODS = {"orders": vbt.Portfolio.from_orders, "signals": vbt.Portfolio.from_signals}
NOT_ARGUMENTS = ("method", "engine", "default_size", "price", "val_price")
OWN = {
    "slippage": "slippage",
    "size_type": "size_type",
    "sl": "sl_stop",
    "tp": "tp_stop",
}  # what a row may have of its own
ONLY_SIGNALS = (
    "sl_stop",
    "sl_trail",
    "tp_stop",
    "stop_entry_price",
    "stop_exit_price",
    "accumulate",
    "upon_stop_update",
)


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the call, arrays of one layout: vectorbt compiles anew for every other."""
    options, symbols = case["options"], list(case["bars"])
    index = pd.date_range("2020-01-01", periods=max(map(len, case["bars"].values())), freq="D")
    shape = (len(index), len(symbols))

    def frame(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(np.ascontiguousarray(values), index=index, columns=symbols)

    is_signals = options["method"] == "signals"
    given = {
        name: [np.nan if item is None else item for item in value] if isinstance(value, list) else value
        for name, value in options.items()
        if name not in NOT_ARGUMENTS and value is not None and (is_signals or not is_only_signals(name))
    }
    prices = np.array([case["bars"][symbol] for symbol in symbols], dtype=float)  # [symbols, bars, 5]
    open_, high, low, close = (frame(prices[:, :, column].T) for column in range(4))
    given["close"], given["price"] = (
        close,
        {"close": close, "open": open_, "middle": frame(((high + low) / 2.0).to_numpy())}[options["price"]],
    )
    if options["val_price"] == "previous":
        given["val_price"] = -np.inf
    if isinstance(options["call_seq"], int):
        given["call_seq"] = np.array([sequence(options, bar, len(symbols)) for bar in range(len(index))])
    rows = {name: np.full(shape, value_of(name, options.get(name))) for name in OWN.values()}
    rows["size"] = np.full(shape, options["default_size"] if is_signals else np.nan)
    flags = {name: np.zeros(shape, dtype=bool) for name in FLAGS}
    for request in case["script"]:
        if request["bar"] >= len(index):
            continue
        place = (request["bar"], symbols.index(request["symbol"]))
        for name in FLAGS:
            flags[name][place] = request.get(name, False)
        for name, argument in {"size": "size", **OWN}.items():
            if name in request:
                rows[argument][place] = value_of(argument, request[name])
    given |= {name: frame(values) for name, values in rows.items() if is_signals or not is_only_signals(name)}
    if is_signals:
        given |= {"open": open_, "high": high, "low": low}
        has_shorts = flags["short_entries"].any() or flags["short_exits"].any()
        given |= {name: frame(values) for name, values in flags.items() if has_shorts or "short" not in name}
        if has_shorts:
            given.pop("direction", None)
    if options["cash_sharing"]:
        given["group_by"] = True
    return given


def value_of(argument: str, value: Any) -> float:
    """A value of an argument as an element of its array."""
    if argument == "slippage" and isinstance(value, list):
        return np.array(value, dtype=float)  # one for each column, or for each row and column
    if argument == "size_type":
        return int(getattr(SizeType, next(name for name in SizeType._fields if name.lower() == value)))
    return np.nan if value is None else value


def is_only_signals(name: str) -> bool:
    """Whether only `from_signals` knows the argument."""
    return name in ONLY_SIGNALS or name.startswith("upon_")


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """The book of the case."""
    options, symbols = case["options"], list(case["bars"])
    portfolio = METHODS[options["method"]](engine=options["engine"], **arguments(case))
    records = portfolio.orders.values
    names = ("idx", "id", "col", "side", "size", "price", "fees")
    order = sorted(zip(*(records[name].tolist() for name in names), strict=True), key=lambda row: (row[0], row[1]))
    if not options["cash_sharing"]:
        order.sort(key=lambda row: (row[0], row[2]))
    fills = [
        [bar, symbols[col], "", price, size * (1 - 2 * side), fee] for bar, _, col, side, size, price, fee in order
    ]
    cash, value = (
        np.asarray(table, dtype=float).reshape(len(records_of(case)), -1).sum(axis=1)
        for table in (portfolio.cash(), portfolio.value())
    )
    return {
        "fills": fills,
        "points": [[bar, *point] for bar, point in enumerate(zip(cash, value, strict=True))],
        "orders": {},
    }


def records_of(case: dict[str, Any]) -> list[Any]:
    """The rows of the first symbol."""
    rows: list[Any] = next(iter(case["bars"].values()))
    return rows


if __name__ == "__main__":
    serve(run_case)
