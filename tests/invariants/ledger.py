"""The books: cash, positions, trades and equity follow from the fills and the journal (docs/semantics/ledger.md)."""

from __future__ import annotations

from collections import defaultdict

import pytest

from case import Bar
from observation import Observation


def equity_is_cash_and_positions(run: Observation) -> None:
    """At every point, with positions from the fills and marks from bars and fills, whichever came last."""
    for point in run.equity:
        time = point["timestamp"]
        held, marks = defaultdict(float), {}
        for bar in run.bars:
            if bar.end <= time:
                marks[bar.symbol] = (bar.end, 0, mark_of(run, bar))
        for n, fill in enumerate(run.fills):
            # A fill of this instant is in unless it is one at the open, which follows the point.
            if fill["happened"] < time or (fill["happened"] == time and (run.is_queue or not fill["at_open"])):
                held[fill["symbol"]] += fill["signed"]
                is_after_mark = fill["segment"] == "after_close" or (fill["at_open"] and not run.is_queue)
                mark = (fill["happened"], n + 1 if is_after_mark else -1)
                if marks.get(fill["symbol"], (-1, 0))[:2] < mark:
                    marks[fill["symbol"]] = (*mark, fill["reference_price"])
        values = [
            units * run.instrument(symbol)["multiplier"] * marks[symbol][2] for symbol, units in held.items() if units
        ]
        assert point["equity"] == point["cash"] + point["net_exposure"]
        assert point["net_exposure"] == pytest.approx(sum(values), rel=1e-12, abs=1e-6)
        assert point["gross_exposure"] == pytest.approx(sum(map(abs, values)), rel=1e-12, abs=1e-6)


def mark_of(run: Observation, bar: Bar) -> float:
    """The price at which the bar's symbol is marked when it ends: `account.mark`."""
    rule = run.case.config["account"].get("mark", "last")
    if rule == "last":
        return bar.close
    held = 0.0
    for fill in run.fills:
        is_of_next_bar = fill["at_open"] and not run.is_queue
        is_later = fill["happened"] > bar.end or (
            fill["happened"] == bar.end and (is_of_next_bar or fill["segment"] == "after_close")
        )
        if fill["symbol"] == bar.symbol and not is_later:
            held += fill["signed"]
    if rule == "mid" or held == 0:
        return (bar.bid + bar.ask) / 2
    return bar.bid if held > 0 else bar.ask


def cash_is_initial_and_journal(run: Observation) -> None:
    """Bit for bit, added in the order written: after every fill, at every equity point, and at the end."""
    cash, after_fill = run.initial_cash, []
    for entry in run.journal:
        if entry["cause"] == "fill":
            after_fill.append(cash)
        cash += entry["amount"]
        after_fill[entry["fill_id"] - 1] = cash
    assert [fill["cash_after"] for fill in run.fills] == after_fill
    assert run.state.cash.tolist() == [cash]
    assert run.equity[-1]["cash"] == cash  # nothing can happen after the last point
    for point in run.equity:
        before = [
            cash
            for cash, fill in zip(after_fill, run.fills, strict=True)
            if fill["happened"] < point["timestamp"]
            or (fill["happened"] == point["timestamp"] and (run.is_queue or not fill["at_open"]))
        ]
        assert point["cash"] == (before[-1] if before else run.initial_cash)


def journal_entries_follow_from_fills(run: Observation) -> None:
    """Two causes, in this order: the value traded, and the commission where there is one."""
    expected = []
    for fill in run.fills:
        value = fill["signed"] * fill["price"] * run.instrument(fill["symbol"])["multiplier"]
        expected.append((fill["timestamp"], "fill", fill["fill_id"], fill["symbol"], -value))
        if fill["commission"] != 0:
            expected.append((fill["timestamp"], "commission", fill["fill_id"], fill["symbol"], -fill["commission"]))
    found = [
        tuple(entry[name] for name in ("timestamp", "cause", "fill_id", "symbol", "amount")) for entry in run.journal
    ]
    assert found == expected


def position_is_the_sum_of_fills(run: Observation) -> None:
    """Bit for bit, after every fill and at the end; and an order has filled what its fills say."""
    held, filled = defaultdict(float), defaultdict(float)
    for fill in run.fills:
        held[fill["symbol"]] += fill["signed"]
        filled[fill["order_id"]] += fill["quantity"]
        assert fill["position_after"] == held[fill["symbol"]]
    assert {symbol: row["quantity"] for symbol, row in run.positions.items()} == {
        symbol: held[symbol] for symbol in run.case.universe
    }
    assert {number: row["filled_quantity"] for number, row in run.orders.items()} == {
        number: filled[number] for number in run.orders
    }


def trades_add_up_to_the_change_of_equity(run: Observation) -> None:
    """Open trades at their marks; and the quantities of a fill's trades add up to the fill."""
    profit = sum(trade["pnl"] for trade in run.trades)
    turnover = sum(abs(entry["amount"]) for entry in run.journal)
    assert profit == pytest.approx(run.equity[-1]["equity"] - run.initial_cash, rel=1e-9, abs=1e-9 * (1 + turnover))
    entered = defaultdict(float)
    for trade in run.trades:
        assert trade["quantity"] > 0
        entered[trade["entry_order_id"]] += trade["quantity"]
        if not trade["is_open"]:
            entered[trade["exit_order_id"]] += trade["quantity"]
            # Under `queue` an order that fills at the open, with the bar's start as its time, may come after one on the path.
            assert trade["entry_time"] <= trade["exit_time"] or run.is_queue
    for number, order in run.orders.items():
        assert entered[number] == pytest.approx(order["filled_quantity"], rel=1e-8)


def realized_and_unrealized_add_up(run: Observation) -> None:
    """Profit by average price, before commission, is the profit of the lots."""
    gross = defaultdict(float)
    for trade in run.trades:
        gross[trade["symbol"]] += trade["gross_pnl"]
    turnover = sum(abs(entry["amount"]) for entry in run.journal)
    for symbol, row in run.positions.items():
        profit = row["realized_pnl"] + row["unrealized_pnl"]
        assert profit == pytest.approx(gross[symbol], rel=1e-9, abs=1e-9 * (1 + turnover))


INVARIANTS = (
    equity_is_cash_and_positions,
    cash_is_initial_and_journal,
    journal_entries_follow_from_fills,
    position_is_the_sum_of_fills,
    trades_add_up_to_the_change_of_equity,
    realized_and_unrealized_add_up,
)
