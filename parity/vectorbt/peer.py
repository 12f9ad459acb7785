"""Runs cases in the installed vectorbt. A case's options are arguments of `Portfolio.from_orders` or `from_signals` (`method`); its script
fills the arrays of sizes and signals, one row a bar and one column a symbol.
"""

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from parity.vectorbt.cases import FLAGS
from parity.wire import serve

METHODS = {"orders": vbt.Portfolio.from_orders, "signals": vbt.Portfolio.from_signals}
NOT_ARGUMENTS = ("method", "engine", "default_size")
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
    """The keyword arguments of the call."""
    options, symbols = case["options"], list(case["bars"])
    index = pd.date_range("2020-01-01", periods=max(map(len, case["bars"].values())), freq="D")

    def frame(values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=index, columns=symbols)

    is_signals = options["method"] == "signals"
    given = {
        name: [np.nan if item is None else item for item in value] if isinstance(value, list) else value
        for name, value in options.items()
        if name not in NOT_ARGUMENTS and value is not None and (is_signals or not is_only_signals(name))
    }
    prices = np.array([case["bars"][symbol] for symbol in symbols], dtype=float)  # [symbols, bars, 5]
    given["close"] = frame(prices[:, :, 3].T)
    shape = (len(index), len(symbols))
    size = np.full(shape, options["default_size"] if is_signals else np.nan)
    flags = {name: np.zeros(shape, dtype=bool) for name in FLAGS}
    for request in case["script"]:
        if request["bar"] >= len(index):
            continue
        place = (request["bar"], symbols.index(request["symbol"]))
        if "size" in request:
            size[place] = request["size"]
        for name in FLAGS:
            flags[name][place] = request.get(name, False)
    given["size"] = frame(size)
    if is_signals:
        given |= {name: frame(prices[:, :, column].T) for column, name in enumerate(("open", "high", "low"))}
        given |= {name: frame(values) for name, values in flags.items() if values.any()}
        if not flags["short_entries"].any() and not flags["short_exits"].any():
            given.setdefault("entries", frame(flags["entries"]))
            given.setdefault("exits", frame(flags["exits"]))
        else:
            given = {name: value for name, value in given.items() if name != "direction"}
            given |= {name: frame(values) for name, values in flags.items()}
    if options["cash_sharing"]:
        given["group_by"] = True
    return given


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
