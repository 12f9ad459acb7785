"""The life of an order: acceptance, transitions, fills, expiry (docs/semantics/orders.md and time.md)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from cases import Bar
from ml4t.backtest.config.period import duration_ns
from ml4t.backtest.enums import OrderState
from ml4t.backtest.kernel.orders import LEGAL_EDGES
from observation import ENGINE_ORIGINS, Observation, Row

EDGES = {(source.name.lower(), target.name.lower()) for source, targets in LEGAL_EDGES.items() for target in targets}
FINAL = {state.name.lower() for state in OrderState if not LEGAL_EDGES[state]}
PATH = ("first_leg", "second_leg", "third_leg", "finer_bar")

STAYS = {"replace_requested", "activated", "parent_filled", "linked_order_filled", "would_take"}
"""Reasons of events that keep the state."""

REASONS = {
    "admitted": {"accepted", "pending"},
    "parent_filled": {"accepted"},
    "stop_reached": {"triggered"},
    "executed": {"partially_filled", "filled"},
    "cancel_requested": {"cancelled"},
    "superseded_by_target": {"cancelled"},
    "session_closed": {"expired"},
    "good_till_date_reached": {"expired"},
    "last_bar_ended": {"expired"},
    "not_immediate": {"expired"},
    "not_in_full": {"expired"},
    "missed_open": {"expired"},
    "missed_close": {"expired"},
    "would_take": {"rejected"},
    "linked_order_filled": {"cancelled"},
    "parent_ended": {"cancelled"},
    "position_closed": {"cancelled"},
    "insufficient_cash": {"rejected", "cancelled"},
    "insufficient_margin": {"rejected", "cancelled"},
    "short_not_allowed": {"rejected", "cancelled"},
    "not_a_lot_multiple": {"rejected"},
    "nothing_to_reduce": {"cancelled"},
    "nothing_to_trade": {"cancelled"},
}
EXPIRIES = {
    "day": {"session_closed"},
    "gtd": {"good_till_date_reached"},
    "bars": {"last_bar_ended"},
    "ioc": {"not_immediate"},
    "fok": {"not_immediate", "not_in_full"},
    "opg": {"missed_open"},
    "cls": {"missed_close"},
    "gtc": set(),
}


def histories(run: Observation) -> dict[int, list[Row]]:
    """The events of each order."""
    found = defaultdict(list)
    for event in run.events:
        found[event["order_id"]].append(event)
    return found


def transitions_are_legal_and_chained(run: Observation) -> None:
    """Each event starts from where the one before has led, for a reason that leads there; nothing follows a final state."""
    events = histories(run)
    for number, order in run.orders.items():
        state, time = "created", order["submitted_at"]
        for event in events[number]:
            assert state not in FINAL
            assert event["from_state"] == state
            if event["reason"] in STAYS and event["to_state"] == state:
                assert event["fill"] is None
            else:
                assert (state, event["to_state"]) in EDGES
                assert event["to_state"] in REASONS[event["reason"]]
            # under `queue` a fill or an expiry at the open is dated back to it
            assert event["timestamp"] >= time or (run.is_queue and opens(run, event))
            state, time = event["to_state"], event["timestamp"]
        assert state == order["state"] != "created"
        assert order["closed_at"] == (time if state in FINAL else None)
        if state in FINAL:
            assert order["reason"] == events[number][-1]["reason"]


def opens(run: Observation, event: Row) -> bool:
    """Whether a bar of the order's symbol starts at the time of the event."""
    symbol = run.orders[event["order_id"]]["symbol"]
    return any(bar.symbol == symbol and bar.start == event["timestamp"] for bar in run.bars)


def every_fill_is_one_event(run: Observation) -> None:
    """In the same order, with the same time, of the same order, leading to filled or partially filled.

    A child that is used up is filled without a further fill when its parent ends.
    """
    told = [event for event in run.events if event["fill"] is not None]
    assert [event["fill"] for event in told] == list(range(len(run.fills)))
    for event, fill in zip(told, run.fills, strict=True):
        assert event["order_id"] == fill["order_id"]
        assert event["timestamp"] == fill["timestamp"]
        assert event["reason"] == "executed"
    for event in run.events:
        if event["reason"] == "executed" and event["fill"] is None:
            order = run.orders[event["order_id"]]
            assert order["parent_id"] is not None
            assert event["to_state"] == "filled"
            assert order["filled_quantity"] > 0


class Eligibility:
    """Since when an order may fill: a time, a number of bars that must have ended, or a place on the bar on which a child began."""

    def __init__(self, run: Observation, order: Row) -> None:
        latency = run.case.config["orders"].get("latency", {}).get("submit") or 0
        if order["parent_id"] is not None:  # a child and its replaces are in the market already
            latency = 0
        self.delay = latency if isinstance(latency, int) else 0
        self.wait = duration_ns(latency) if isinstance(latency, str) else 0
        self.order, self.run = order, run
        self.begin(order["submitted_at"])

    def begin(self, time: int) -> None:
        """It was submitted or replaced at this time."""
        self.since, self.asked, self.born = time + self.wait, time, None
        self.bars = self.delay

    def begin_as_child(self, time: int, fill: Row) -> None:
        """Its parent had this fill at this time."""
        self.since = self.asked = time
        self.bars, self.born = 0, fill["bar"] if fill["symbol"] == self.order["symbol"] else None

    def first_bar(self) -> Bar | None:
        """The first bar that it may meet as a whole."""
        own = sorted((bar for bar in self.run.bars if bar.symbol == self.order["symbol"]), key=lambda bar: bar.start)
        ended = sum(bar.end <= self.asked for bar in own)
        return next((bar for bar in own[ended + self.bars :] if bar.start >= self.since), None)

    def allows(self, fill: Row) -> bool:
        """Whether the order may fill on this part of its bar."""
        bar = fill["bar"]
        if bar is self.born:  # where on the path: children_wait_for_their_parent
            return True
        ended = [each for each in self.run.bars if each.symbol == bar.symbol and self.asked < each.end <= bar.start]
        if len(ended) < self.bars:
            return False
        if fill["segment"] == "after_close":
            return self.since <= bar.end
        return self.since < bar.end if fill["segment"] == "close" else self.since <= bar.start


def no_fill_before_it_may(run: Observation) -> None:
    """A fill happens after its order's acceptance, on a part of the bar that the order is eligible for."""
    eligible = {number: Eligibility(run, order) for number, order in run.orders.items()}
    accepted: dict[int, int] = {}
    first: dict[int, Row] = {}
    for event in run.events:
        number, order = event["order_id"], run.orders[event["order_id"]]
        if event["reason"] == "replace_requested":
            eligible[number].begin(event["timestamp"])
        if event["to_state"] == "accepted" != event["from_state"]:
            accepted[number] = event["timestamp"]
            if event["from_state"] == "pending":
                eligible[number].begin_as_child(event["timestamp"], first[order["parent_id"]])
            else:
                assert event["timestamp"] == order["submitted_at"]
        if event["fill"] is None:
            continue
        fill = run.fills[event["fill"]]
        first.setdefault(number, fill)
        assert accepted[number] <= fill["happened"]
        if order["origin"] in ENGINE_ORIGINS:
            assert fill["segment"] == "after_close"
        else:
            assert is_a_place_for(run, order, fill)
            assert eligible[number].allows(fill)


def is_a_place_for(run: Observation, order: Row, fill: Row) -> bool:
    """Whether an order of this kind may fill on this part of a bar."""
    segment, rule = fill["segment"], run.case.config["fills"]["market"]
    if order["time_in_force"] in ("opg", "cls"):
        return bool(segment == {"opg": "open", "cls": "close"}[order["time_in_force"]])
    markets = {
        "next_open": ("open",),
        "next_close": ("close",),
        "next_vwap": ("close",),
        "same_close": ("close", "after_close"),
    }
    if order["type"] == "market":
        return segment in markets[rule]
    # what is left of a triggered order without a limit is a market order; a child may begin, and fill, at its parent's close
    if order["parent_id"] is not None:
        return True
    is_market_in_the_end = not order["type"].endswith(("limit", "limit_if_touched"))
    return segment in ("open", *PATH) or (is_market_in_the_end and segment in markets[rule])


def one_moment_is_enough(run: Observation) -> None:
    """IOC, FOK, OPG and CLS orders have one fill at most; FOK all or nothing."""
    count: dict[int, int] = defaultdict(int)
    for fill in run.fills:
        count[fill["order_id"]] += 1
    for number, order in run.orders.items():
        if order["time_in_force"] in ("ioc", "fok", "opg", "cls"):
            assert count[number] <= 1
        if order["time_in_force"] == "fok" and count[number]:
            assert order["filled_quantity"] == order["quantity"]


def orders_expire_when_due(run: Observation) -> None:
    """Each time in force by its own reasons; DAY orders end at the close of the session of their first bar, if not before.

    Its first bar: of a child that begins inside a bar that one or the next; of an order that is replaced the first before or after it.
    """
    eligible = {number: Eligibility(run, order) for number, order in run.orders.items()}
    first: dict[int, list[Bar | None]] = defaultdict(list)
    fills: dict[int, Row] = {}
    for event in run.events:
        number, order = event["order_id"], run.orders[event["order_id"]]
        if event["fill"] is not None:
            fills.setdefault(number, run.fills[event["fill"]])
        is_replaced = event["reason"] == "replace_requested"
        if is_replaced:
            eligible[number].begin(event["timestamp"])
        elif event["from_state"] == "pending" and event["to_state"] == "accepted":
            eligible[number].begin_as_child(event["timestamp"], fills[order["parent_id"]])
        if (is_replaced and first[number]) or event["to_state"] == "accepted" != event["from_state"]:
            first[number] += [bar for bar in (eligible[number].born,) if bar] + [eligible[number].first_bar()]
    for number, order in run.orders.items():
        if order["state"] == "expired":
            assert order["reason"] in EXPIRIES[order["time_in_force"]]
        if order["time_in_force"] == "day" and order["origin"] not in ENGINE_ORIGINS and first[number]:
            _day_order_ends(run, order, {bar.session_close if bar else None for bar in first[number]})


def _day_order_ends(run: Observation, order: dict[str, Any], closes: set[int | None]) -> None:
    if order["state"] == "expired":
        assert order["closed_at"] in closes
    elif None in closes:
        return
    elif order["state"] in FINAL:
        assert order["closed_at"] <= max(filter(None, closes))
    else:
        assert max(filter(None, closes)) > run.equity[-1]["timestamp"]


INVARIANTS = (
    transitions_are_legal_and_chained,
    every_fill_is_one_event,
    no_fill_before_it_may,
    one_moment_is_enough,
    orders_expire_when_due,
)
