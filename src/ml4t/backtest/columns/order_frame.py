"""A frame of orders as rows of numbers, checked: what is wrong is named by its row (docs/columns.md, Orders)."""

from collections.abc import Sequence
from datetime import time as midnight
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.enums import Side, Sizing, TimeInForce
from ml4t.backtest.errors import nearest
from ml4t.backtest.feed.column import Table, open_table
from ml4t.backtest.feed.source import open_source

Floats = NDArray[np.float64]
SIZES = {"quantity": Sizing.QUANTITY, "value": Sizing.VALUE, "percent": Sizing.PERCENT}
PRICES = ("limit", "stop")
RATES = ("stop_loss", "take_profit", "trail")
COUNTS = ("bars", "max_bars")
COLUMNS = ("side", *SIZES, *PRICES, "tif", *RATES, *COUNTS, "reduce_only", "tag")
NUMBERS = ("place", "side", "sizing", "size", *PRICES, "tif", *RATES, *COUNTS, "reduce_only", "tag")
NO_TRIGGER = ("IOC", "FOK", "OPG", "CLS")


def order_table(given: Any) -> Table:
    """The frame with its columns assigned to roles.

    Raises:
        DataError: it cannot be read, has no times or symbols, or a column that orders do not have.

    """
    table = open_table(open_source(given, "orders"), (), is_bars=False)
    if "symbol" not in table.role:
        raise table.error("there is no symbol column", "Name the symbol of every order.")
    if "timestamp" not in table.role:
        raise table.error("there is no timestamp", "An order has one time, at which it is known: timestamp.")
    for name in table.rest:
        if name not in COLUMNS:
            raise table.error(
                f"orders have no column {name!r}", f"Drop it.{nearest(name, COLUMNS)} There are {', '.join(COLUMNS)}."
            )
    if not SIZES.keys() & set(table.rest):
        raise table.error("there is no size", "Give one of quantity, value and percent.")
    return table


def tags_of(table: Table) -> tuple[str, ...]:
    """The tags, in order of their first row."""
    return tuple(_texts(table, "tag").drop_nulls().unique(maintain_order=True).to_list())


def order_frame(table: Table, symbols: Sequence[str], tags: Sequence[str], *, stops_are_prices: bool) -> pl.DataFrame:
    """The orders as numbers: event, arrival and `NUMBERS`, in the order given; NaN where a term is not given.

    - `place`: the symbol's place in the universe; `tag`: its place in `tags`, −1: none
    - Without an arrival, an order is known at its timestamp; where all timestamps are dates or midnights, when the date's session ends.

    Raises:
        DataError: a term that makes no sense, with its row.

    """
    frame = table.source.frame
    sizes = {name: _numbers(table, name) for name in SIZES}
    side, sizing, size = _sizes(table, sizes)
    columns: dict[str, Any] = {"place": _places(table, symbols), "side": side, "sizing": sizing, "size": size}
    for name in PRICES:
        columns[name] = _above_zero(table, name)
    columns["tif"] = _tif(table)
    for name in RATES:
        columns[name] = _above_zero(table, name)
        if name == "trail" or (name == "stop_loss" and not stops_are_prices):
            _refuse(
                table,
                columns[name] >= 1.0,
                name,
                "is a rate (5 % is 0.05)",
                "Prices of stop_loss and take_profit: Orders(frame, stops_are_prices=True).",
            )
    for name in COUNTS:
        columns[name] = _above_zero(table, name)
        _refuse(table, columns[name] % 1.0 > 0.0, name, "is no whole number", "Give a number of bars.")
    is_counted = columns["tif"] == TimeInForce.BARS
    _refuse(table, is_counted & np.isnan(columns["bars"]), "bars", "tif='BARS' needs bars", "Give the number of bars.")
    _refuse(
        table,
        ~is_counted & ~np.isnan(columns["bars"]),
        "bars",
        "bars belong to tif='BARS'",
        "Set tif, or leave bars out.",
    )
    columns["reduce_only"] = np.nan_to_num(_numbers(table, "reduce_only"))
    exits = ~np.isnan(np.array([columns[name] for name in (*RATES, "max_bars")])).all(axis=0)
    _refuse(
        table,
        exits & (columns["reduce_only"] != 0.0),
        "reduce_only",
        "an order that only reduces opens nothing for exits to close",
        "Drop either.",
    )
    tag = _texts(table, "tag").to_list()
    columns["tag"] = [-1.0 if name is None else float(tags.index(name)) for name in tag]
    time = frame[table.role["timestamp"]]
    arrival = frame[table.role["arrival"]] if "arrival" in table.role else _known(time)
    return pl.DataFrame({"timestamp": time, "arrival": arrival, **columns})


def _known(time: pl.Series) -> pl.Series:
    is_midnight = time.dtype.is_temporal() and time.dtype != pl.Date and bool((time.dt.time() == midnight()).all())
    return time.cast(pl.Date) if is_midnight else time


def _refuse(table: Table, wrong: Any, name: str, problem: str, remedy: str) -> None:
    """Raises DataError at the first row that is wrong."""
    if wrong.any():
        row = int(np.argmax(wrong))
        value = table.source.frame[name][row] if name in table.rest else None
        shown = "" if value is None else f"{value!r}: "
        raise table.error(f"{shown}{problem}", remedy, row=row, column=name)


def _numbers(table: Table, name: str) -> Floats:
    """A column as float64, NaN where it is null or not there."""
    frame = table.source.frame
    if name not in table.rest:
        return np.full(frame.height, np.nan)
    series = frame[name]
    if not (series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null)):
        raise table.error(f"expected numbers, found {series.dtype}", "Convert the column to Float64.", column=name)
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _texts(table: Table, name: str) -> pl.Series:
    frame = table.source.frame
    if name not in table.rest:
        return pl.Series(name, [None] * frame.height, pl.String)
    series = frame[name]
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise table.error(f"expected texts, found {series.dtype}", "Convert the column to String.", column=name)
    return series.cast(pl.String)


def _above_zero(table: Table, name: str) -> Floats:
    values = _numbers(table, name)
    wrong = ~np.isnan(values) & ~((values > 0.0) & (values < np.inf))
    _refuse(table, wrong, name, "it must be above 0 and finite", "Correct it, or leave it null.")
    return values


def _sizes(table: Table, sizes: dict[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Side, sizing and size of every order; without a column `side` the sign of the size says it."""
    given = np.array([~np.isnan(values) for values in sizes.values()])
    count = given.sum(axis=0)
    first = next(name for name in sizes if name in table.rest)
    _refuse(
        table,
        count != 1,
        first,
        "an order has exactly one of quantity, value and percent",
        "Give one, and leave the others null.",
    )
    kind = given.argmax(axis=0)
    size = np.choose(kind, [np.where(np.isnan(values), 0.0, values) for values in sizes.values()])
    if "side" in table.rest:
        side = _side(table)
        _refuse(
            table,
            ~((size > 0.0) & (size < np.inf)),
            first,
            "a size must be above 0 and finite",
            "The side says the direction.",
        )
    else:
        side = np.sign(size)
        _refuse(
            table,
            (side == 0.0) | np.isinf(size),
            first,
            "a size without side must not be 0, and finite",
            "Buys are above 0, sells below.",
        )
    return side, np.array([float(member) for member in SIZES.values()])[kind], np.abs(size)


def _side(table: Table) -> Floats:
    series = table.source.frame["side"]
    if series.dtype.is_numeric():
        side = _numbers(table, "side")
    else:
        names = {member.name.lower(): float(member) for member in Side}
        side = np.array([names.get(str(text).lower(), np.nan) for text in _texts(table, "side")])
    _refuse(
        table,
        ~np.isin(side, [float(member) for member in Side]),
        "side",
        "it is no side",
        "Write 'buy' or 'sell', 1 or -1.",
    )
    return side


def _tif(table: Table) -> Floats:
    """The time in force of every order, GTC where none is given."""
    texts = [None if text is None else text.upper() for text in _texts(table, "tif")]
    known = {member.name: float(member) for member in TimeInForce if member != TimeInForce.GTD}
    remedy = f"There are {', '.join(known)}; for GTD, which needs a time of its own, take BARS with a number of bars."
    wrong = np.array([text is not None and text not in known for text in texts])
    _refuse(table, wrong, "tif", "it is no time in force for columns", remedy)
    meets = np.array([text in NO_TRIGGER for text in texts]) & ~np.isnan(_numbers(table, "stop"))
    _refuse(table, meets, "tif", "it is for market and limit orders, and this one has a stop", "Take DAY, GTC or BARS.")
    return np.array([known["GTC" if text is None else text] for text in texts])


def _places(table: Table, symbols: Sequence[str]) -> Floats:
    """The place of each order's symbol in the universe."""
    name = table.role["symbol"]
    series = table.source.frame[name]
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise table.error(f"expected texts, found {series.dtype}", "Convert the symbols to String.", column=name)
    places = {symbol: float(place) for place, symbol in enumerate(symbols)}
    found = np.array([places.get(symbol, np.nan) for symbol in series.cast(pl.String)])
    if np.isnan(found).any():
        row = int(np.argmax(np.isnan(found)))
        symbol = series[row]
        raise table.error(
            f"the bars have no symbol {symbol!r}",
            f"Correct it, or drop the row.{nearest(str(symbol), symbols)}",
            row=row,
            column=name,
        )
    return found
