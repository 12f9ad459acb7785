"""What the account takes (docs/semantics/account.md)."""

from __future__ import annotations

from collections import defaultdict

from invariants.ledger import mark_of
from observation import Observation


def cash_account_owes_nothing(run: Observation) -> None:
    """Neither cash nor units, after any fill and at any point."""
    if not run.is_cash_account:
        return
    assert all(fill["cash_after"] >= 0 and fill["position_after"] >= 0 for fill in run.fills)
    assert all(point["cash"] >= 0 and point["net_exposure"] >= 0 for point in run.equity)


def margin_account_covers_what_it_opens(run: Observation) -> None:
    """After a fill that opens, equity is at least the initial margin rate of the gross exposure."""
    if run.is_cash_account:
        return
    rate = run.case.config["account"]["initial_margin_rate"]
    held, marks = defaultdict(float), {}
    closes = iter(run.bars)
    bar = next(closes, None)
    for fill in run.fills:
        # closes that were marked before this fill: the bar that ends at the fill's time is marked after its path
        while bar is not None and (
            bar.end < fill["happened"] or (bar.end == fill["happened"] and _is_marked(run, fill))
        ):
            marks[bar.symbol] = mark_of(run, bar)
            bar = next(closes, None)
        before = held[fill["symbol"]]
        held[fill["symbol"]] += fill["signed"]
        marks[fill["symbol"]] = fill["reference_price"]
        values = [
            units * run.instrument(symbol)["multiplier"] * marks[symbol] for symbol, units in held.items() if units
        ]
        is_reduction = before * fill["signed"] < 0 and abs(fill["signed"]) <= abs(before)
        if not is_reduction:
            slack = 1e-9 * (1 + sum(map(abs, values)))
            assert fill["cash_after"] + sum(values) >= rate * sum(map(abs, values)) - slack


def _is_marked(run: Observation, fill: dict) -> bool:
    return (fill["at_open"] and not run.is_queue) or fill["segment"] == "after_close"


def reduce_only_never_increases(run: Observation) -> None:
    """Such an order leaves the position nearer to zero, on the same side or flat. `close` is one."""
    for fill in run.fills:
        order = run.orders[fill["order_id"]]
        assert order["reduce_only"] or order["sizing"] != "close"
        if order["reduce_only"]:
            before = fill["position_after"] - fill["signed"]
            assert before * fill["signed"] < 0
            assert abs(fill["signed"]) <= abs(before) * (1 + 1e-12)
            assert fill["position_after"] * before >= 0


def fills_never_exceed_the_order(run: Observation) -> None:
    """An order fills at most its quantity, in its direction, and counts as filled when that is all of it."""
    for fill in run.fills:
        assert fill["side"] == run.orders[fill["order_id"]]["side"]
        assert fill["quantity"] > 0
    for order in run.orders.values():
        quantity, filled = order["quantity"], order["filled_quantity"]
        if quantity is not None:
            assert filled <= quantity * (1 + 1e-9)
        if order["state"] == "filled":
            assert filled == quantity or abs(filled - quantity) <= 1e-9 * quantity


def fills_are_whole_lots(run: Observation) -> None:
    """Unless the position itself had been left with a part of a lot, which can only happen where lots differ."""
    for fill in run.fills:
        lot = run.instrument(fill["symbol"])["lot_size"]
        if lot:
            lots = fill["quantity"] / lot
            assert abs(lots - round(lots)) <= 1e-9 * max(lots, 1)


INVARIANTS = (
    cash_account_owes_nothing,
    margin_account_covers_what_it_opens,
    reduce_only_never_increases,
    fills_never_exceed_the_order,
    fills_are_whole_lots,
)
