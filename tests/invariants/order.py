"""The life of an order: acceptance, transitions, fills, expiry (docs/semantics/orders.md and time.md)."""

from __future__ import annotations

from collections import defaultdict

from ml4t.backtest.enums import OrderState
from ml4t.backtest.kernel.orders import LEGAL_EDGES
from observation import ENGINE_ORIGINS, Observation, Row

EDGES = {(source.name.lower(), target.name.lower()) for source, targets in LEGAL_EDGES.items() for target in targets}
FINAL = {state.name.lower() for state in OrderState if not LEGAL_EDGES[state]}


def histories(run: Observation) -> dict[int, list[Row]]:
    """The events of each order."""
    found = defaultdict(list)
    for event in run.events:
        found[event["order_id"]].append(event)
    return found


def transitions_are_legal_and_chained(run: Observation) -> None:
    """Each event starts from where the one before has led; a replace stays; nothing follows a final state."""
    events = histories(run)
    for number, order in run.orders.items():
        state, time = "created", order["submitted_at"]
        for event in events[number]:
            assert state not in FINAL
            assert event["from_state"] == state
            if event["reason"] == "replace_requested":
                assert event["to_state"] == state
            else:
                assert (state, event["to_state"]) in EDGES
            assert event["timestamp"] >= time
            state, time = event["to_state"], event["timestamp"]
        assert state == order["state"] != "created"
        assert order["closed_at"] == (time if state in FINAL else None)
        if state in FINAL:
            assert order["reason"] == events[number][-1]["reason"]


def every_fill_is_one_event(run: Observation) -> None:
    """In the same order, with the same time, of the same order, leading to filled or partially filled."""
    told = [event for event in run.events if event["fill"] is not None]
    assert [event["fill"] for event in told] == list(range(len(run.fills)))
    for event, fill in zip(told, run.fills, strict=True):
        assert (event["order_id"], event["timestamp"]) == (fill["order_id"], fill["timestamp"])
        assert event["reason"] == "executed"
        assert event["to_state"] in ("filled", "partially_filled")
    assert len(told) == sum(event["reason"] == "executed" for event in run.events)


def no_fill_before_it_may(run: Observation) -> None:
    """A fill happens after its order's acceptance, on a part of the bar that the order is eligible for."""
    eligible: dict[int, int] = {number: order["submitted_at"] for number, order in run.orders.items()}
    accepted: dict[int, int] = {}
    for event in run.events:
        number = event["order_id"]
        if event["reason"] == "replace_requested":
            eligible[number] = event["timestamp"]
        if event["to_state"] == "accepted" and event["from_state"] == "created":
            accepted[number] = event["timestamp"]
            assert event["timestamp"] == run.orders[number]["submitted_at"]
        if event["to_state"] == "triggered" and event["from_state"] != "triggered":
            assert event["timestamp"] > eligible[number] or _opens(run, event)
        if event["fill"] is not None:
            fill = run.fills[event["fill"]]
            assert accepted[number] <= fill["timestamp"]
            assert is_eligible(run, fill, eligible[number])


def is_eligible(run: Observation, fill: Row, since: int) -> bool:
    """Whether an order that is eligible since then may fill on this part of its bar."""
    bar, rule = fill["bar"], run.case.config["fills"]["market"]
    if run.orders[fill["order_id"]]["origin"] in ENGINE_ORIGINS:
        return fill["segment"] == "after_close" and fill["timestamp"] == since
    if fill["order_type"] != "market":
        return fill["segment"] in ("open", "first_leg", "second_leg", "third_leg") and since <= bar.start
    if rule == "next_open":
        return fill["segment"] == "open" and since <= bar.start
    if fill["segment"] == "after_close":
        return rule == "same_close" and since <= bar.end
    return fill["segment"] == "close" and since < bar.end


def _opens(run: Observation, event: Row) -> bool:
    symbol = run.orders[event["order_id"]]["symbol"]
    return any(bar.symbol == symbol and bar.start == event["timestamp"] for bar in run.bars)


def orders_expire_when_due(run: Observation) -> None:
    """DAY orders end at the close of the session of their first bar, if not before; others never expire for it."""
    for number, order in run.orders.items():
        if order["state"] == "expired":
            assert order["reason"] == {"day": "session_closed", "gtd": "good_till_date_reached"}[order["time_in_force"]]
        if order["time_in_force"] != "day" or order["origin"] in ENGINE_ORIGINS:
            continue
        starts = [bar for bar in run.bars if bar.symbol == order["symbol"] and bar.start >= order["submitted_at"]]
        if not starts:
            assert order["state"] != "expired", number
            continue
        close = min(starts, key=lambda bar: bar.start).session_close
        if order["state"] == "expired":
            assert order["closed_at"] == close
        elif order["state"] in FINAL:
            assert order["closed_at"] <= close
        else:
            assert close > run.equity[-1]["timestamp"]


INVARIANTS = (
    transitions_are_legal_and_chained,
    every_fill_is_one_event,
    no_fill_before_it_may,
    orders_expire_when_due,
)
