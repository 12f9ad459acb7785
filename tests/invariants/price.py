"""The prices of fills: inside the bar, never beyond a limit, never better than the market (docs/semantics/fills.md, costs.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from invariants.ledger import mark_of
from invariants.order import histories
from observation import ENGINE_ORIGINS, Observation, Row

LIMITED = ("limit", "limit_if_touched")
"""How the names of the types of orders with a limit end."""


def reference_is_inside_its_bar(run: Observation) -> None:
    """Of its own symbol, at the bar's start or end. Market orders may have a quote instead, a close-out has the symbol's last mark."""
    for fill in run.fills:
        bar = fill["bar"]
        assert bar.symbol == fill["symbol"]
        is_close_out = run.orders[fill["order_id"]]["origin"] in ENGINE_ORIGINS
        assert fill["timestamp"] == (bar.start if fill["at_open"] else bar.end) or is_close_out
        if is_close_out:
            assert fill["timestamp"] >= bar.end
            same_close = (
                bar.close,
                bar.bid,
                bar.ask,
                bar.bid is not None and (bar.bid + bar.ask) / 2,
            )  # a pass that marks
            assert fill["reference_price"] in (mark_of(run, bar), *same_close)
        elif is_quoted(run, fill):
            quotes = (bar.open_bid, bar.open_ask) if fill["at_open"] else (bar.bid, bar.ask)
            is_market = fill["order_type"] == "market" and fill["reference_price"] != bar.vwap
            assert min(quotes) <= fill["reference_price"] <= max(quotes) or not is_market
        else:
            assert bar.low <= fill["reference_price"] <= bar.high
            if fill["at_open"]:
                assert fill["reference_price"] == bar.open
            if fill["segment"] in ("close", "after_close"):
                assert fill["reference_price"] in (bar.close, bar.vwap)


def is_quoted(run: Observation, fill: Row) -> bool:
    """Whether the reference may be a quote: of a market order, and so of a child that begins where its parent filled."""
    may_be = fill["order_type"] == "market" or run.orders[fill["order_id"]]["parent_id"] is not None
    return may_be and run.case.config["fills"].get("quote", "last") != "last"


def limits_are_kept_and_never_slip(run: Observation) -> None:
    """No fill of an order with a limit is worse than that limit, and none pays slippage."""
    for fill, _, was_changed in told(run):
        if not fill["order_type"].endswith(LIMITED):
            continue
        assert fill["price"] == fill["reference_price"]
        assert fill["slippage"] == 0
        limit = run.orders[fill["order_id"]]["limit"]
        if not was_changed:
            assert fill["price"] <= limit if fill["side"] == "buy" else fill["price"] >= limit


def levels_were_reached(run: Observation) -> None:
    """A price is the order's level, or that of an open, a jump or the moment it began, beyond it in the right direction."""
    for fill, is_triggered_now, was_changed in told(run):
        order, side = run.orders[fill["order_id"]], 1 if fill["side"] == "buy" else -1
        reference = fill["reference_price"]
        began_there = order["parent_id"] is not None or order["activation"] is not None
        may_be_beyond = fill["segment"] in ("open", "close", "finer_bar") or began_there
        if was_changed:
            continue
        if fill["order_type"] == "limit":
            assert reference == order["limit"] or may_be_beyond
        if fill["order_type"] in TRIGGERED and is_triggered_now and not _may_have_been_before(run, fill, order):
            assert TRIGGERED[fill["order_type"]] * side * (reference - order["stop"]) >= 0
            assert reference == order["stop"] or may_be_beyond


TRIGGERED = {"stop": 1, "trailing_stop": 1, "market_if_touched": -1}
"""Types that fill at their trigger, and whether they pay more than its price or less."""


def _may_have_been_before(run: Observation, fill: Row, order: Row) -> bool:
    """Whether the order may have been triggered on the bar that ended when this one opened, and was a market order at this open."""
    direction = TRIGGERED[fill["order_type"]] * (1 if fill["side"] == "buy" else -1)
    before = [bar for bar in run.bars if bar.symbol == fill["symbol"] and bar.end == fill["timestamp"]]
    return fill["at_open"] and any(
        direction * ((bar.high if direction > 0 else bar.low) - order["stop"]) >= 0 for bar in before
    )


def told(run: Observation) -> Iterator[tuple[Row, bool, bool]]:
    """Each fill, whether its order was triggered at that very moment, and whether its prices changed later."""
    for events in histories(run).values():
        for n, event in enumerate(events):
            if event["fill"] is None:
                continue
            before = events[n - 1]
            is_triggered = before["reason"] == "stop_reached" and before["timestamp"] == event["timestamp"]
            later = {each["reason"] for each in events[n + 1 :]}
            yield run.fills[event["fill"]], is_triggered, bool(later & {"replace_requested", "would_take"})


def slippage_is_what_was_configured(run: Observation) -> None:
    """Only worse, by what slippage, spread and stops cost, then to the next tick further against the order; never below zero."""
    for fill in run.fills:
        if fill["order_type"].endswith(LIMITED):
            continue
        terms, (least, most) = run.instrument(fill["symbol"]), slippage_bounds(run, fill)
        side = 1 if fill["side"] == "buy" else -1
        tick, paid = terms["tick_size"], side * (fill["price"] - fill["reference_price"])
        assert paid >= 0
        assert fill["price"] >= 0
        assert fill["slippage"] == pytest.approx(paid * fill["quantity"] * terms["multiplier"], rel=1e-12)
        if most == 0:
            assert paid == 0
        elif fill["price"] > 0:
            assert least - 1e-7 <= paid <= most + tick + 1e-7
            if tick and least > 0:
                assert fill["price"] / tick == pytest.approx(round(fill["price"] / tick), abs=1e-7)


def slippage_bounds(run: Observation, fill: Row) -> tuple[float, float]:
    """Per unit, before rounding. Volume and volatility are the oracle's matter: here they cost 0 at least."""
    symbol, bar, is_triggered = fill["symbol"], fill["bar"], fill["order_type"] != "market"
    stop, slippage = run.cost(symbol, "stop_slippage"), run.cost(symbol, "slippage")
    if is_triggered and stop["kind"] == "exempt":
        return 0.0, 0.0
    models = [slippage, run.cost(symbol, "spread"), *([stop] if is_triggered else [])]
    reference, tick = fill["reference_price"], run.instrument(symbol)["tick_size"]
    least = sum(
        model.get("rate", 0) * reference + model.get("amount", 0) + model.get("ticks", 0) * tick for model in models
    )
    if slippage["kind"] == "spread":
        quotes = (bar.open_bid, bar.open_ask) if fill["at_open"] else (bar.bid, bar.ask)
        least += slippage["share"] * (quotes[1] - quotes[0])
    unknown = {"volume_share": slippage.get("impact", 0) * reference, "square_root": math.inf, "volatility": math.inf}
    return least, least + unknown.get(slippage["kind"], 0.0)


INVARIANTS = (
    reference_is_inside_its_bar,
    limits_are_kept_and_never_slip,
    levels_were_reached,
    slippage_is_what_was_configured,
)
