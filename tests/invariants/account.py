"""What the account takes (docs/semantics/account.md)."""

from __future__ import annotations

from collections import defaultdict

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
            marks[bar.symbol] = bar.close
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
    """An order fills at most its quantity, once, in its direction; less only where it says why."""
    seen = set()
    for fill in run.fills:
        order = run.orders[fill["order_id"]]
        assert fill["order_id"] not in seen
        seen.add(fill["order_id"])
        assert fill["side"] == order["side"]
        assert 0 < fill["quantity"] <= order["quantity"] * (1 + 1e-9)
        if fill["quantity"] < order["quantity"] * (1 - 1e-9) and order["sizing"] != "close":
            assert (order["state"], order["reason"]) in {
                ("cancelled", "insufficient_cash"),
                ("cancelled", "insufficient_margin"),
                ("cancelled", "short_not_allowed"),
                ("cancelled", "nothing_to_reduce"),
            }


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
