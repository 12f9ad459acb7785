"""What happened to the orders of a run, in one form for the engine, the oracle, and tables written by hand."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from outcome import Outcome
from replay import table_rows


class Event(NamedTuple):
    order: int
    time: int
    to: str
    reason: str


class Fill(NamedTuple):
    order: int
    time: int
    segment: str
    quantity: float  # signed
    price: float


class History(NamedTuple):
    """Events by order, in each order's own sequence; fills as they happened; the change of cash."""

    events: dict[int, list[Event]]
    fills: list[Fill]
    cash: float


def history(events: list[Event], fills: list[Fill], cash: float) -> History:
    by_order: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_order[event.order].append(event)
    return History(dict(by_order), fills, cash)


def of_outcome(outcome: Outcome) -> History:
    """What the oracle says."""
    return history(
        [Event(event.order_id, event.time, event.to_state, event.reason) for event in outcome.order_events],
        [Fill(f.order_id, f.time, f.segment, float(f.quantity), float(f.price)) for f in outcome.fills],
        float(sum(entry.amount for entry in outcome.journal)),
    )


def of_result(result: Any) -> History:
    """What the engine did; the event of an order's creation is left out."""
    frames = {name: table_rows(result.frames()[name]) for name in ("order_events", "fills", "journal")}
    events = [row for row in frames["order_events"] if row["reason"] != "submitted"]
    return history(
        [Event(row["order_id"], row["timestamp"], row["to_state"], row["reason"]) for row in events],
        [
            Fill(
                row["order_id"],
                row["timestamp"],
                row["segment"],
                row["quantity"] if row["side"] == "buy" else -row["quantity"],
                row["price"],
            )
            for row in frames["fills"]
        ],
        sum(row["amount"] for row in frames["journal"]),
    )
