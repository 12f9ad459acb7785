"""The life of one order, or of one bar, in sentences: what was known, which rule fired, where the price came from, what it cost."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl

from ml4t.backtest.errors import BacktestError, nearest
from ml4t.backtest.report.assumption import meaning
from ml4t.backtest.report.bar import Bar, bar_before, bar_of, bars_at
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import printable, shown
from ml4t.backtest.summary import remedy

Row = dict[str, Any]
WHEN = pl.col("timestamp").dt.cast_time_unit("us")  # what a datetime can be compared with
MOST = 40  # orders in the story of a symbol, events in that of a bar

SEGMENTS = {
    "open": "at the open of the bar",
    "first_leg": "on the first leg of the path inside the bar",
    "second_leg": "on the second leg of the path inside the bar",
    "third_leg": "on the third leg of the path inside the bar",
    "close": "at the close of the bar",
    "after_close": "after the close of the bar",
    "finer_bar": "on the path of the finer bars inside the bar",
}


def explain(
    subject: Subject, order: int | None = None, time: datetime | str | None = None, symbol: str | None = None
) -> str:
    """Return the story of an order, of the bars at a time, or of a symbol, one sentence a line.

    Raises: BacktestError where nothing of that kind is in the run, or nothing was asked for.
    """
    if symbol is not None and symbol not in subject.symbols:
        raise BacktestError(f"{symbol!r} is no symbol of the run.{nearest(symbol, subject.symbols)}")
    if order is not None and time is None and symbol is None:
        return "\n".join(_order(subject, order))
    if order is None and time is not None:
        return "\n".join(_time(subject, moment(time), symbol))
    if order is None and symbol is not None:
        return "\n".join(_symbol(subject, symbol))
    raise BacktestError(
        "Say what to explain: an order (17), a time ('2015-01-31 16:00', UTC unless it says otherwise), or a symbol."
    )


def moment(time: datetime | str) -> datetime:
    """Return a time with its zone, UTC where it names none. Raises: BacktestError."""
    try:
        parsed = datetime.fromisoformat(time) if isinstance(time, str) else time
    except ValueError:
        raise BacktestError(f"{time!r} is no time; write it as 2015-01-31 or 2015-01-31T16:00:00+00:00.") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------- an order
def _order(subject: Subject, number: int) -> Iterator[str]:
    found = subject.orders.filter(pl.col("order_id") == number)
    if found.is_empty():
        count = subject.orders.height
        raise BacktestError(
            f"There is no order {number}: " + (f"the run has orders 1 to {count:,}." if count else "the run has none.")
        )
    order = found.row(0, named=True)
    yield f"Order {number}: {_wish(order)}."
    yield from _known(subject, order)
    yield (
        f"{meaning('fills.market', subject.config.flatten()['fills.market'])}"
        if order["type"] == "market"
        else _trigger(order)
    )
    for event in subject.order_events.filter(pl.col("order_id") == number).head(MOST).iter_rows(named=True):
        yield f"{_time_of(event['timestamp'])}: {_words(event['from_state'])} → {_words(event['to_state'])}, {_words(event['reason'])}."
    for fill in subject.fills.filter(pl.col("order_id") == number).iter_rows(named=True):
        yield from _fill(subject, fill)
    yield from _end(order)
    yield from _trades(subject, number)


def _wish(order: Row) -> str:
    amount = "a size resolved at the fill" if order["quantity"] is None else f"{order['quantity']:,.10g}"
    terms = [
        f"{order['side']} {amount} {printable(order['symbol'])}",
        f"{_words(order['type'])}",
        f"{order['time_in_force']}".upper(),
    ]
    terms += [f"{name} {order[name]:,.10g}" for name in ("limit", "stop") if order[name] is not None]
    terms += [f"sized by {_words(order['sizing'])}"] if order["sizing"] != "quantity" else []
    terms += [f"caused by {_words(order['origin'])}"]
    terms += [f"child of order {order['parent_id']}"] if order["parent_id"] is not None else []
    terms += [f"tag {printable(order['tag'])}"] if order["tag"] else []
    return ", ".join(terms)


def _known(subject: Subject, order: Row) -> Iterator[str]:
    decided = order["submitted_at"]
    yield f"Decided {_time_of(decided)}."
    if subject.bars is None:
        yield f"What was known then cannot be shown. {subject.bars_missing}"
    else:
        bar = bar_before(subject.bars, order["symbol"], decided)
        yield f"The last bar known then: {bar}." if bar else "No bar of the symbol had ended by then."
    point = subject.equity.filter(decided >= WHEN).tail(1)
    if point.is_empty():
        yield f"The account held {shown(subject.cash, 'money')} in cash: no bar had ended."
    else:
        row = point.row(0, named=True)
        when = f"At {_time_of(row['timestamp'])}"
        yield f"{when} the account was worth {shown(row['equity'], 'money')}, {shown(row['cash'], 'money')} of it cash."


def _trigger(order: Row) -> str:
    waits = {
        "limit": "It fills at its limit or better",
        "stop": "It becomes a market order when the price reaches its stop",
        "stop_limit": "It becomes a limit order when the price reaches its stop",
    }
    return (
        waits.get(
            order["type"], f"It is a {_words(order['type'])} order: docs/semantics/matching.md says when it triggers"
        )
        + "."
    )


def _fill(subject: Subject, fill: Row) -> Iterator[str]:
    money = subject.config.account.currency
    where = SEGMENTS.get(fill["segment"], "")
    yield (
        f"{_time_of(fill['timestamp'])}: fill {fill['fill_id']}, {fill['side']} {fill['quantity']:,.10g} at {fill['price']:,.10g}, {where}."
    )
    bar = (
        bar_of(subject.bars, fill["symbol"], fill["timestamp"], is_open=fill["segment"] == "open")
        if subject.bars
        else None
    )
    if bar:
        yield f"That bar: {bar}.{_source(bar, fill)}"
    if fill["segment"] in ("first_leg", "second_leg", "third_leg"):
        yield meaning("fills.path", subject.config.flatten()["fills.path"])
    yield (
        f"The market's price was {fill['reference_price']:,.10g}; slippage cost {shown(fill['slippage'], 'money')} {money}, "
        f"commission {shown(fill['commission'], 'money')} {money}."
    )
    paid = float(subject.journal.filter(pl.col("fill_id") == fill["fill_id"])["amount"].sum())
    signed = fill["quantity"] if fill["side"] == "buy" else -fill["quantity"]
    yield (
        f"Cash {shown(fill['cash_after'] - paid, 'money')} → {shown(fill['cash_after'], 'money')}; "
        f"position {fill['position_after'] - signed:,.10g} → {fill['position_after']:,.10g}."
    )


def _source(bar: Bar, fill: Row) -> str:
    """Which price of the bar the fill's reference is, where it is one of the four."""
    for name in ("close", "open") if fill["segment"] in ("close", "after_close") else ("open", "close"):
        if getattr(bar, name) == fill["reference_price"]:
            return f" The market's price is its {name}."
    return " The market's price is on the way between its prices."


def _end(order: Row) -> Iterator[str]:
    closed = (
        "still alive at the end of the run" if order["closed_at"] is None else f"since {_time_of(order['closed_at'])}"
    )
    yield f"It is {_words(order['state'])} ({_words(order['reason'])}), {closed}; filled {order['filled_quantity']:,.10g}."
    if (advice := remedy(order["reason"])) and order["state"] != "filled":
        yield advice


def _trades(subject: Subject, number: int) -> Iterator[str]:
    touched = subject.trades.filter(
        (pl.col("entry_order_id") == number) | (pl.col("exit_order_id") == number).fill_null(value=False)
    )
    for trade in touched.head(MOST).iter_rows(named=True):
        role = "opened" if trade["entry_order_id"] == number else "closed"
        yield f"It {role} trade {trade['trade_id']}: {trade['direction']} {trade['quantity']:,.10g}, P&L {shown(trade['pnl'], 'money')}."


# --------------------------------------------------------------------------------------------------- a time, a symbol
def _time(subject: Subject, when: datetime, symbol: str | None) -> Iterator[str]:
    if subject.bars is None:
        raise BacktestError(f"A time cannot be explained. {subject.bars_missing}")
    bars = bars_at(subject.bars, when, symbol)
    if not bars:
        of = f" of {symbol}" if symbol else ""
        first, last = subject.bars.description.first, subject.bars.description.last
        raise BacktestError(f"No bar{of} covers {_time_of(when)}; the bars start between {first} and {last}.")
    for bar in bars[:MOST]:
        yield f"{printable(bar.symbol)}: {bar}."
    begin, end = min(bar.start for bar in bars), max(bar.end for bar in bars)
    inside = WHEN.is_between(begin, end)
    yield from _point("Before", subject.equity.filter(begin >= WHEN).tail(1))
    events = subject.order_events.join(subject.orders.select("order_id", "symbol"), on="order_id").filter(inside)
    fills = subject.fills.filter(inside)
    if symbol is not None:
        events, fills = (frame.filter(pl.col("symbol") == symbol) for frame in (events, fills))
    for event in events.head(MOST).iter_rows(named=True):
        yield f"{_time_of(event['timestamp'])}: order {event['order_id']} {_words(event['to_state'])}, {_words(event['reason'])}."
    for fill in fills.head(MOST).iter_rows(named=True):
        yield from _fill(subject, fill)
    if events.is_empty() and fills.is_empty():
        yield "Nothing happened to any order."
    yield from _point("After", subject.equity.filter(end >= WHEN).tail(1))


def _point(when: str, frame: pl.DataFrame) -> Iterator[str]:
    for row in frame.iter_rows(named=True):
        yield (
            f"{when}, {_time_of(row['timestamp'])}: equity {shown(row['equity'], 'money')}, cash {shown(row['cash'], 'money')}, "
            f"net exposure {shown(row['net_exposure'], 'money')}."
        )


def _symbol(subject: Subject, symbol: str) -> Iterator[str]:
    orders, trades = (frame.filter(pl.col("symbol") == symbol) for frame in (subject.orders, subject.trades))
    profit = float(trades["pnl"].sum())
    yield f"{printable(symbol)}: {orders.height:,} orders, {trades.height:,} trades, P&L {shown(profit, 'money')}."
    for order in orders.head(MOST).iter_rows(named=True):
        end = f"{_words(order['state'])} ({_words(order['reason'])})"
        yield f"{_time_of(order['submitted_at'])}: order {order['order_id']}, {_wish(order)}: {end}."
    if orders.height > MOST:
        yield f"And {orders.height - MOST:,} more."


def _time_of(value: datetime) -> str:
    return shown(value, "time")


def _words(name: str | None) -> str:
    return "unknown" if name is None else name.replace("_", " ")
