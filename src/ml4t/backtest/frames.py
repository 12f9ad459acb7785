"""The state arrays as Polars frames: the schemas of a result, column by column."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest._jit import Handle
from ml4t.backtest.enums import Basis, JournalCause, OrderState, OrderType, Origin, Reason, Segment, Sizing, TimeInForce
from ml4t.backtest.feed import Stream
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.lower import Rows
from ml4t.backtest.register import Register
from ml4t.backtest.round_trip import RoundTrips, slippage
from ml4t.backtest.tables import (
    CLOSED,
    EVENTS,
    FILLS,
    JOURNAL,
    NEVER,
    POINTS,
    UNSET,
    State,
)

TIME = pl.Datetime("ns", "UTC")
Numbers = NDArray[Any]


def times(values: Numbers, name: str = "timestamp") -> pl.Series:
    """UTC nanoseconds as instants; UNSET is null."""
    series = pl.Series(name, values, pl.Int64)
    if len(values) and (values == UNSET).any():
        series = series.set(series == UNSET, None)
    return series.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def named(name: str, codes: Numbers, names: Sequence[str]) -> pl.Series:
    """Numbers as their names."""
    return pl.Series(name, names, pl.String).gather(pl.Series(codes, dtype=pl.Int64)).alias(name)


def one_of(name: str, codes: Numbers, names: Sequence[str]) -> pl.Series:
    """Numbers as the names of a closed choice: a byte a row, where a string has sixteen."""
    return pl.Series(name, names, pl.Enum(names)).gather(pl.Series(codes, dtype=pl.Int64))


def choices(name: str, codes: Numbers, enum: type[IntEnum]) -> pl.Series:
    """The codes of an enum whose members count from 0, as lower-case names."""
    return one_of(name, codes, [member.name.lower() for member in enum])


def optional(name: str, values: Numbers) -> pl.Series:
    """Floats with NaN as null."""
    return pl.Series(name, values, pl.Float64).fill_nan(None)


def fills(state: State, symbols: Sequence[str], orders: pl.DataFrame) -> pl.DataFrame:
    """One row an execution, in the order in which they happened."""
    n = int(state.clock[FILLS])
    f, symbol = state.fills, state.fills.symbol[:n]
    quantity = f.quantity[:n]
    by_id = _of_orders(orders, f.order[:n])
    return pl.DataFrame(
        [
            pl.Series("fill_id", np.arange(1, n + 1), pl.Int64),
            pl.Series("order_id", f.order[:n], pl.Int64),
            times(f.time[:n]),
            named("symbol", symbol, symbols),
            one_of("side", (quantity > 0).astype(np.int64), ["sell", "buy"]),
            pl.Series("quantity", np.abs(quantity), pl.Float64),
            pl.Series("price", f.price[:n], pl.Float64),
            pl.Series("reference_price", f.reference[:n], pl.Float64),
            pl.Series("commission", f.commission[:n], pl.Float64),
            pl.Series("slippage", slippage(state), pl.Float64),
            choices("segment", f.segment[:n], Segment),
            pl.Series("position_after", state.aftermath.position[:n], pl.Float64),
            pl.Series("cash_after", state.aftermath.cash[:n], pl.Float64),
            by_id["origin"],
            by_id["type"].alias("order_type"),
        ]
    )


def _of_orders(orders: pl.DataFrame, ids: Numbers) -> pl.DataFrame:
    """Origin and type of each of these orders; the frame is sorted by id, and ids count from 1."""
    return orders.select(pl.col("origin", "type").gather(pl.lit(pl.Series(ids - 1))))


def known(name: str, values: Numbers, is_known: Numbers, dtype: type[pl.DataType] = pl.Float64) -> pl.Series:
    """The values where they are known, null elsewhere."""
    series = pl.Series(name, values, dtype)
    return series.set(pl.Series(~is_known, dtype=pl.Boolean), None) if len(values) else series


def orders(state: State, symbols: Sequence[str], register: Register) -> pl.DataFrame:
    """One row an order, live or closed, by id."""
    closed, cells = int(state.clock[CLOSED]), np.flatnonzero(state.orders.id > 0)
    rank = np.argsort(np.concatenate((state.closed_orders.id[:closed], state.orders.id[cells])))

    def column(group: str, field: str) -> Numbers:
        parts = (
            getattr(getattr(state, f"closed_{group}"), field)[:closed],
            getattr(getattr(state, group), field)[cells],
        )
        values: Numbers = np.concatenate(parts)[rank]
        return values

    def price(field: str) -> list[pl.Series]:
        return [
            optional(field, column("terms", field)),
            choices(f"{field}_basis", column("terms", f"{field}_basis"), Basis),
        ]

    symbol, filled = column("orders", "symbol"), column("progress", "filled")
    trail, is_rate = column("terms", "trail"), column("terms", "trail_is_rate") != 0
    until, bars = column("terms", "until"), column("terms", "bars")
    parent, group = column("terms", "parent"), column("terms", "group")
    names = register.names
    ids = column("orders", "id")
    client_id = pl.Series("client_id", [names.get(number) for number in ids.tolist()] if names else [], pl.String)
    with np.errstate(invalid="ignore"):
        average = column("progress", "value") / filled / state.instruments.multiplier[symbol]
    return pl.DataFrame(
        [
            pl.Series("order_id", ids, pl.Int64),
            named("symbol", symbol, symbols),
            one_of("side", (column("orders", "side") > 0).astype(np.int64), ["sell", "buy"]),
            choices("type", column("orders", "type"), OrderType),
            choices("sizing", column("orders", "sizing"), Sizing),
            choices("origin", column("orders", "origin"), Origin),
            choices("time_in_force", column("orders", "tif"), TimeInForce),
            optional("quantity", column("terms", "quantity")),
            *price("limit"),
            *price("stop"),
            *price("activation"),
            known("trail_amount", trail, ~is_rate & ~np.isnan(trail)),
            known("trail_rate", trail, is_rate & ~np.isnan(trail)),
            pl.Series("reduce_only", column("terms", "reduce_only") != 0, pl.Boolean),
            pl.Series("post_only", column("terms", "post_only") != 0, pl.Boolean),
            times(np.where(until == NEVER, UNSET, until), "until"),
            known("bars", bars, bars > 0, pl.Int64),
            known("parent_id", parent, parent > 0, pl.Int64),
            known("oco_group", group, group > 0, pl.Int64),
            times(column("terms", "submitted"), "submitted_at"),
            choices("state", column("orders", "state"), OrderState),
            choices("reason", column("orders", "reason"), Reason),
            times(column("progress", "closed"), "closed_at"),
            pl.Series("filled_quantity", filled, pl.Float64),
            optional("average_fill_price", average),
            pl.Series("commission", column("progress", "commission"), pl.Float64),
            named("tag", column("terms", "tag") + 1, ["", *register.tags]).replace("", None),
            client_id if names else client_id.extend_constant(None, len(rank)),
        ]
    )


def order_events(state: State) -> pl.DataFrame:
    """One row a transition, in the order in which they happened."""
    n, e = int(state.clock[EVENTS]), state.events
    return pl.DataFrame(
        [
            pl.Series("order_id", e.order[:n], pl.Int64),
            times(e.time[:n]),
            choices("from_state", e.source[:n], OrderState),
            choices("to_state", e.target[:n], OrderState),
            choices("reason", e.reason[:n], Reason),
        ]
    )


def journal(state: State, symbols: Sequence[str], currency: str) -> pl.DataFrame:
    """One row a change of cash, in the order in which they were booked."""
    n, j = int(state.clock[JOURNAL]), state.journal
    fill = pl.Series("fill_id", j.fill[:n] + 1, pl.Int64)
    return pl.DataFrame(
        [
            times(j.time[:n]),
            named("currency", j.currency[:n], [currency]),
            choices("cause", j.cause[:n], JournalCause),
            fill.set(fill == 0, None),
            named("symbol", j.symbol[:n] + 1, ["", *symbols]).replace("", None),
            pl.Series("amount", j.amount[:n], pl.Float64),
        ]
    )


def equity(state: State, rows: Rows, initial: float) -> pl.DataFrame:
    """One row an instant at which an execution bar ended. Drawdown: equity ÷ its running peak (the initial cash included) − 1."""
    n, c = int(state.clock[POINTS]), state.curve
    value = c.cash[:n] + c.net[:n]
    drawdown = np.maximum.accumulate(value)
    np.maximum(drawdown, initial, out=drawdown)
    np.divide(value, drawdown, out=drawdown)
    drawdown -= 1.0
    return pl.DataFrame(
        [
            times(rows.point_time[:n]),
            pl.Series("session", rows.point_session[:n], pl.Int32).cast(pl.Date),
            pl.Series("cash", c.cash[:n], pl.Float64),
            pl.Series("equity", value, pl.Float64),
            pl.Series("net_exposure", c.net[:n], pl.Float64),
            pl.Series("gross_exposure", c.gross[:n], pl.Float64),
            pl.Series("drawdown", drawdown, pl.Float64),
        ]
    )


def positions(state: State, symbols: Sequence[str]) -> pl.DataFrame:
    """One row a symbol, as the run ended."""
    p = state.positions
    quantity, mark, multiplier = p.quantity, state.market.mark, state.instruments.multiplier
    value = np.where(quantity == 0.0, 0.0, quantity * multiplier * mark)
    unrealized = np.where(quantity == 0.0, 0.0, quantity * multiplier * (mark - p.average_price))
    return pl.DataFrame(
        [
            pl.Series("symbol", symbols, pl.String),
            pl.Series("quantity", quantity, pl.Float64),
            pl.Series("average_price", p.average_price, pl.Float64),
            optional("mark", mark),
            pl.Series("value", value, pl.Float64),
            pl.Series("unrealized_pnl", unrealized, pl.Float64),
            pl.Series("realized_pnl", p.realized, pl.Float64),
            pl.Series("stale_marks", p.stale_marks, pl.Int64),
        ]
    )


def trades(handle: Handle, t: RoundTrips, bars: Stream, orders: pl.DataFrame) -> pl.DataFrame:
    """One row a (lot, closing fill) pair, then the open lots, valued at the mark.

    `bars_held` counts the symbol's bars from the entry's to the exit's. `mfe` and `mae` are the best and worst price of the trade
    against its entry, per unit: bars that were held throughout count whole, the exit's bar only by the exit price, the entry's bar whole
    only where the entry was at its open.
    """
    state: State = handle.state
    f = state.fills
    best, worst = _excursions(handle, t)
    exits = _of_orders(orders, f.order[t.exit])
    is_open = pl.Series("is_open", t.is_open, pl.Boolean)

    def closed(series: pl.Series) -> pl.Series:
        return series.set(is_open, None) if len(series) else series

    with np.errstate(divide="ignore", invalid="ignore"):
        returns = t.pnl / t.value
    return pl.DataFrame(
        [
            pl.Series("trade_id", np.arange(1, len(t.slot) + 1), pl.Int64),
            named("symbol", t.symbol, bars.symbols),
            one_of("direction", (t.side > 0).astype(np.int64), ["short", "long"]),
            pl.Series("quantity", t.quantity, pl.Float64),
            pl.Series("entry_order_id", f.order[t.entry], pl.Int64),
            closed(pl.Series("exit_order_id", f.order[t.exit], pl.Int64)),
            times(f.time[t.entry], "entry_time"),
            times(np.where(t.is_open, UNSET, f.time[t.exit]), "exit_time"),
            pl.Series("entry_price", t.entry_price, pl.Float64),
            closed(pl.Series("exit_price", t.exit_price, pl.Float64)),
            pl.Series("gross_pnl", t.gross, pl.Float64),
            pl.Series("commission", t.commission, pl.Float64),
            pl.Series("slippage", t.slippage, pl.Float64),
            pl.Series("pnl", t.pnl, pl.Float64),
            optional("return", returns),
            pl.Series("bars_held", t.bars_held, pl.Int64),
            pl.Series("mfe", np.maximum((best - t.entry_price) * t.side, 0.0), pl.Float64),
            pl.Series("mae", np.minimum((worst - t.entry_price) * t.side, 0.0), pl.Float64),
            closed(exits["origin"].alias("exit_reason")),
            closed(exits["type"].alias("exit_type")),
            is_open,
        ]
    )


def _excursions(handle: Handle, t: RoundTrips) -> tuple[Numbers, Numbers]:
    """The best and the worst price of each trade."""
    state: State = handle.state
    best, worst = np.zeros(len(t.slot)), np.zeros(len(t.slot))
    f, begin = state.fills, state.history.begin[t.symbol]
    at_open = f.segment[t.entry] == Segment.OPEN
    through = t.is_open | (f.segment[t.exit] >= Segment.CLOSE)
    bounds = (begin + t.first_bar + ~at_open, begin + t.last_bar + through)
    arrays = [np.ascontiguousarray(x, np.float64) for x in (t.entry_price, t.exit_price, t.side)]
    entry_point("excursion")(handle.key, *(np.ascontiguousarray(b, np.int64) for b in bounds), *arrays, best, worst)
    return best, worst
