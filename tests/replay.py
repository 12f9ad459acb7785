"""Runs a case through the public API of the engine and lists where the result differs from the oracle's outcome."""

from __future__ import annotations

import copy
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import polars as pl

from cases import COLUMNS, Bar, Case
from ml4t.backtest import BacktestConfig, Engine, Exits
from outcome import FINAL, Outcome
from scripted import Scripted
from scripted_request import Script, called

TOLERANCE = 1e-9
UTC = dt.UTC


def replay(case: Case) -> Any:
    """The engine's result of the case."""
    return engine(case).run()


def engine(case: Case, data: pl.DataFrame | None = None) -> Engine:
    """The engine that is about to run the case, on its own bars or on `data`."""
    rows = frame(case) if data is None else data
    finer = bar_frame(case.finer) if case.finer else None
    return Engine(strategy(case), rows, BacktestConfig.load(config(case)), finer=finer)


def config(case: Case) -> dict[str, Any]:
    """The case's config with what the data needs."""
    full = copy.deepcopy(case.config)
    full["data"] = {**full.get("data", {}), "universe": case.universe, "label": case.label}
    return full


def frame(case: Case) -> pl.DataFrame:
    """Bars as a user would hand them over: dates for session labels, else explicit starts and ends."""
    bars = sorted(case.bars, key=lambda bar: (bar.start, case.universe.index(bar.symbol)))
    rows = bar_frame(bars)
    if case.label == "session":
        return rows.drop("bar_start", "bar_end").with_columns(pl.col("timestamp").dt.date())
    return rows


def bar_frame(bars: list[Bar]) -> pl.DataFrame:
    """Bars with starts and ends; the columns that some of them have."""
    names = ["open", "high", "low", "close", "volume"]
    names += [name for name in COLUMNS if any(getattr(bar, name) is not None for bar in bars)]
    start, end = (
        pl.Series([getattr(bar, name) for bar in bars]).cast(pl.Datetime("ns", "UTC")) for name in ("start", "end")
    )
    prices = {name: pl.Series([getattr(bar, name) for bar in bars], dtype=pl.Float64) for name in names}
    prices = {name: values.fill_null(0.0 if name == "halted" else float("nan")) for name, values in prices.items()}
    symbols = [bar.symbol for bar in bars]
    return pl.DataFrame({"timestamp": start, "symbol": symbols, **prices, "bar_start": start, "bar_end": end})


def strategy(case: Case) -> Scripted:
    """Asks for what the case's script says, under the case's exit rules."""
    found = Scripted(Script(case.script).decide)
    found.exit_rules = None if case.exit_rules is None else Exits(**called(case.exit_rules))
    return found


def differences(outcome: Outcome, result: Any) -> list[str]:
    """One line for each place where the result's frames and the outcome differ; empty when they agree."""
    frames = {name: table_rows(table) for name, table in result.frames().items()}
    return [
        *_orders(outcome, frames["orders"]),
        *_events(outcome, frames["order_events"]),
        *_fills(outcome, frames["fills"]),
        *_ledger(outcome, frames),
        *_trades(outcome, frames["trades"]),
    ]


def table_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with times as integers of nanoseconds, which datetime objects could not hold."""
    times = [name for name, kind in table.schema.items() if isinstance(kind, pl.Datetime)]
    return table.with_columns(pl.col(name).cast(pl.Datetime("ns", "UTC")).dt.epoch("ns") for name in times).to_dicts()


def _compare(what: str, expected: Iterable[dict[str, Any]], actual: Iterable[dict[str, Any]]) -> list[str]:
    """Compares tables row by row in the expected columns."""
    expected, actual = list(expected), list(actual)
    lines = [] if len(expected) == len(actual) else [f"{what}: {len(expected)} rows expected, {len(actual)} found"]
    for n, (want, have) in enumerate(zip(expected, actual, strict=False)):
        for name, value in want.items():
            if not _same(value, have[name]):
                lines.append(f"{what}[{n}].{name}: expected {_show(value)}, found {have[name]!r}  {_show(want)}")
    return lines


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(expected, Decimal) and actual is not None:
        return bool(abs(float(expected) - actual) <= TOLERANCE * max(1.0, abs(float(expected)), abs(actual)))
    return bool(expected == actual)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_show(item)}" for name, item in value.items()) + "}"
    return f"{float(value):.12g}" if isinstance(value, Decimal) else repr(value)


def _side(sign: int) -> str:
    return "buy" if sign > 0 else "sell"


def _orders(outcome: Outcome, rows: list[dict[str, Any]]) -> list[str]:
    lines = [] if len(rows) == len(outcome.orders) else [f"orders: {len(outcome.orders)} expected, {len(rows)} found"]
    for order, row in zip(outcome.orders, rows, strict=False):
        want: dict[str, Any] = {
            "order_id": order.id,
            "symbol": order.symbol,
            "type": order.type,
            "sizing": order.sizing,
            "origin": order.origin,
            "time_in_force": order.tif.lower(),
            "submitted_at": order.submitted_at,
            "state": order.state,
            "closed_at": order.closed_at,
            "filled_quantity": order.filled,
            "commission": order.commission,
        }
        if order.limit is not None:
            want["limit"] = order.limit
        if order.stop is not None and (order.trail is None or order.is_triggered or order.state not in FINAL):
            want["stop"] = order.stop  # where a trailing stop was when it was cancelled inside a bar, no page says
        if order.state in FINAL:
            want["reason"] = order.reason
        if order.quantity is not None:  # others have neither side nor quantity before their fill
            want |= {"side": _side(order.side), "quantity": order.quantity}
        lines += _compare(f"order {order.id}", [want], [row])
    return lines


def _events(outcome: Outcome, rows: list[dict[str, Any]]) -> list[str]:
    """Each order's own sequence; the event of its creation is left out."""
    want, have = defaultdict(list), defaultdict(list)
    for event in outcome.order_events:
        want[event.order_id].append(
            {
                "timestamp": event.time,
                "from_state": event.from_state,
                "to_state": event.to_state,
                "reason": event.reason,
            }
        )
    for row in rows:
        if row["reason"] != "submitted":
            have[row["order_id"]].append(row)
    return [line for key in sorted({*want, *have}) for line in _compare(f"events of order {key}", want[key], have[key])]


def _fills(outcome: Outcome, rows: list[dict[str, Any]]) -> list[str]:
    want = [
        {
            "order_id": fill.order_id,
            "timestamp": fill.time,
            "symbol": fill.symbol,
            "side": _side(1 if fill.quantity > 0 else -1),
            "quantity": abs(fill.quantity),
            "price": fill.price,
            "reference_price": fill.reference_price,
            "commission": fill.commission,
            "slippage": fill.slippage,
            "segment": fill.segment,
            "position_after": fill.position_after,
            "cash_after": fill.cash_after,
            "order_type": fill.order_type,
        }
        for fill in outcome.fills
    ]
    return _compare("fills", want, rows)


def _ledger(outcome: Outcome, frames: dict[str, list[dict[str, Any]]]) -> list[str]:
    journal = [{"timestamp": entry.time, "cause": entry.cause, "amount": entry.amount} for entry in outcome.journal]
    equity = [
        {
            "timestamp": point.time,
            "cash": point.cash,
            "equity": point.equity,
            "net_exposure": point.net,
            "gross_exposure": point.gross,
        }
        for point in outcome.equity
    ]
    lines = _compare("journal", journal, frames["journal"]) + _compare("equity", equity, frames["equity"])
    rows = {row["symbol"]: row for row in frames["positions"]}
    for symbol, position in outcome.positions.items():
        want = {
            "quantity": position.quantity,
            "average_price": position.average_price,
            "realized_pnl": position.realised,
        }
        if symbol in rows:
            lines += _compare(f"position {symbol}", [want], [rows[symbol]])
        elif position.quantity != 0:
            lines.append(f"position {symbol}: missing")
    return lines


def _trades(outcome: Outcome, rows: list[dict[str, Any]]) -> list[str]:
    want = []
    for trade in outcome.trades:
        row: dict[str, Any] = {
            "symbol": trade.symbol,
            "direction": trade.direction,
            "quantity": trade.quantity,
            "entry_order_id": trade.entry.order_id,
            "exit_order_id": None if trade.exit is None else trade.exit.order_id,
            "entry_time": trade.entry.time,
            "exit_time": None if trade.exit is None else trade.exit.time,
            "entry_price": trade.entry.price,
            "is_open": trade.exit is None,
        }
        if trade.exit is not None:
            row |= {"exit_price": trade.exit.price, "gross_pnl": trade.gross_pnl, "pnl": trade.pnl}
            row |= {"commission": trade.commission, "slippage": trade.slippage}
        want.append(row)

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["symbol"], row["entry_order_id"], row["exit_order_id"] is None, row["exit_order_id"] or 0

    return _compare("trades", sorted(want, key=key), sorted(rows, key=key))
