"""Orders that depend on one another (docs/semantics/orders.md, Groups)."""

from __future__ import annotations

from collections import defaultdict

from invariants.order import histories
from observation import Observation, Row

EXITS = ("stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars")
LEGS = {"open": 0, "first_leg": 1, "second_leg": 2, "third_leg": 3, "finer_bar": 3, "close": 4, "after_close": 5}


def children_wait_for_their_parent(run: Observation) -> None:
    """A child is accepted with the time of a fill of its parent, and fills only after that: on the same bar further along the path."""
    first: dict[int, Row] = {}
    for event in run.events:
        order = run.orders[event["order_id"]]
        if event["fill"] is not None:
            first.setdefault(event["order_id"], run.fills[event["fill"]])
        if order["parent_id"] is None:
            assert event["to_state"] != "pending"
            continue
        parent = first.get(order["parent_id"])
        if event["from_state"] == "pending" and event["to_state"] == "accepted":
            assert parent is not None
            assert event["timestamp"] >= parent["timestamp"]
        if event["fill"] is not None:
            fill = run.fills[event["fill"]]
            assert parent is not None
            assert fill["happened"] >= parent["happened"]
            if fill["bar"] is parent["bar"]:
                assert LEGS[fill["segment"]] >= LEGS[parent["segment"]]


def exits_close_no_more_than_was_opened(run: Observation) -> None:
    """All exits of an order together: whatever their number, never more than the order itself has filled."""
    closed, replaced = defaultdict(float), set()
    for order in run.orders.values():
        if order["origin"] in EXITS and order["parent_id"] is not None:
            closed[order["parent_id"]] += order["filled_quantity"]
            if order["sizing"] != "parent":  # a replace gave it a quantity of its own
                replaced.add(order["parent_id"])
    for parent, quantity in closed.items():
        assert parent in replaced or quantity <= run.orders[parent]["filled_quantity"] * (1 + 1e-9), parent


def an_ended_parent_leaves_nobody_waiting(run: Observation) -> None:
    """No child is pending once its parent has ended or filled."""
    for order in run.orders.values():
        if order["state"] == "pending":
            parent = run.orders[order["parent_id"]]
            assert parent["closed_at"] is None
            assert parent["filled_quantity"] == 0


def links_are_told(run: Observation) -> None:
    """Only members of a group or children lose quantity to another order, and it is on record who was there to take it."""
    for number, events in histories(run).items():
        order = run.orders[number]
        for event in events:
            if event["reason"] == "linked_order_filled":
                assert order["oco_group"] is not None or order["parent_id"] is not None
            if event["reason"] in ("parent_filled", "parent_ended"):
                assert order["parent_id"] is not None


INVARIANTS = (
    children_wait_for_their_parent,
    exits_close_no_more_than_was_opened,
    an_ended_parent_leaves_nobody_waiting,
    links_are_told,
)
