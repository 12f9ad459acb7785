"""The prices of fills: inside the bar, never beyond a limit, never better than the market (docs/semantics/fills.md, costs.md)."""

from __future__ import annotations

import pytest

from observation import ENGINE_ORIGINS, Observation


def reference_is_inside_its_bar(run: Observation) -> None:
    """Of its own symbol, at the bar's start or end; a close-out uses the symbol's last close, however old."""
    for fill in run.fills:
        bar = fill["bar"]
        assert bar.symbol == fill["symbol"]
        assert bar.low <= fill["reference_price"] <= bar.high
        if fill["at_open"]:
            assert (fill["timestamp"], fill["reference_price"]) == (bar.start, bar.open)
        elif run.orders[fill["order_id"]]["origin"] in ENGINE_ORIGINS:
            assert fill["timestamp"] >= bar.end
            assert fill["reference_price"] == bar.close
        else:
            assert fill["timestamp"] == bar.end
        if fill["segment"] in ("close", "after_close"):
            assert fill["reference_price"] == bar.close


def limits_are_kept_and_never_slip(run: Observation) -> None:
    """No fill of a limit or stop-limit order is worse than its limit, and none pays slippage."""
    for fill in run.fills:
        if fill["order_type"] not in ("limit", "stop_limit"):
            continue
        limit = run.orders[fill["order_id"]]["limit"]
        assert fill["price"] == fill["reference_price"]
        assert fill["slippage"] == 0
        assert fill["price"] <= limit if fill["side"] == "buy" else fill["price"] >= limit


def levels_were_reached(run: Observation) -> None:
    """A limit or a stop fills at its level, or at an open (or a trigger price) beyond it in the right direction."""
    for fill in run.fills:
        order, side = run.orders[fill["order_id"]], 1 if fill["side"] == "buy" else -1
        reference = fill["reference_price"]
        if fill["order_type"] == "limit":
            assert reference == order["limit"] or fill["at_open"]
        if fill["order_type"] == "stop":
            assert side * (reference - order["stop"]) >= 0
            assert reference == order["stop"] or fill["at_open"]
        if fill["order_type"] == "stop_limit":
            assert reference in (order["limit"], order["stop"], fill["bar"].open)


def slippage_is_what_was_configured(run: Observation) -> None:
    """Only worse, by rate, amount and ticks, then to the next tick further against the order; never below zero."""
    for fill in run.fills:
        if fill["order_type"] in ("limit", "stop_limit"):
            continue
        terms, model = run.instrument(fill["symbol"]), run.slippage(fill["symbol"])
        side = 1 if fill["side"] == "buy" else -1
        reference, tick = fill["reference_price"], terms["tick_size"]
        worse = model.get("rate", 0) * reference + model.get("amount", 0) + model.get("ticks", 0) * tick
        paid = side * (fill["price"] - reference)
        assert paid >= 0
        assert fill["price"] >= 0
        assert fill["slippage"] == pytest.approx(paid * fill["quantity"] * terms["multiplier"], rel=1e-12)
        if worse == 0:
            assert paid == 0
        elif fill["price"] > 0:
            assert worse - 1e-7 <= paid <= worse + tick + 1e-7
            if tick:
                assert fill["price"] / tick == pytest.approx(round(fill["price"] / tick), abs=1e-7)


INVARIANTS = (
    reference_is_inside_its_bar,
    limits_are_kept_and_never_slip,
    levels_were_reached,
    slippage_is_what_was_configured,
)
