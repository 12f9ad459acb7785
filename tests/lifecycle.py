"""What must hold of the live book after every step of a run, whoever drives it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from case import Cancel, CancelAll, Request
from ml4t.backtest.config.period import duration_ns
from ml4t.backtest.enums import OrderState, Origin, Reason, Sizing
from ml4t.backtest.kernel.orders import LEGAL_EDGES
from ml4t.backtest.tables import EVENTS, FILLS, JOURNAL, NONE, NOW, State
from stepped import Stepped, slot

STAYS = {
    Reason.REPLACE_REQUESTED,
    Reason.ACTIVATED,
    Reason.PARENT_FILLED,
    Reason.LINKED_ORDER_FILLED,
    Reason.WOULD_TAKE,
}
LIVE = range(OrderState.CREATED, OrderState.FILLED)


class Watch:
    """Follows the records of a run from step to step, and looks at what they have left in the book."""

    def __init__(self, run: Stepped) -> None:
        self.run = run
        self.events = self.fills = self.journal = 0
        self.states: dict[int, OrderState] = defaultdict(lambda: OrderState.CREATED)
        self.filled: dict[int, float] = defaultdict(float)
        self.position: dict[int, float] = defaultdict(float)
        self.cash = float(run.case.config["account"]["cash"])
        self.ends: dict[int, int] = {}  # order → when its cancel takes effect
        self.rings: dict[int, int] = {}  # live order → its oco group, as it was before the step

    def expect(self, request: Request) -> None:
        """A cancel is about to be asked for: nothing may fill after it takes effect."""
        delay = self.run.case.config["orders"]["latency"].get("cancel")
        if isinstance(request, Cancel):
            order = self.run.script.submitted[request.nth]
            cancelled = [] if order is None or not order.is_live else [order]
        elif isinstance(request, CancelAll):
            cancelled = self.run.broker.orders(request.symbol)
        else:
            return
        for order in cancelled:
            if isinstance(delay, int):  # with the end of a bar of all symbols
                effective = slot(self.run.passed - 1 + delay)[1]
            else:
                effective = int(self.run.state.clock[NOW]) + (duration_ns(delay) if delay else 0)
            self.ends[order.id] = min(effective, self.ends.get(order.id, effective))

    def look(self) -> None:
        """Everything holds that must hold after any step."""
        state = self.run.state
        full = self._follow_events(state)
        self._follow_money(state)
        self._one_cancels_the_other(full)
        self._live_orders_have_something_to_do(state)
        self.rings = {order.id: int(order._read("terms", "group")) for order in self.run.broker.orders()}

    def _follow_events(self, state: State) -> list[int]:
        """Transitions are legal, and fills come before the end of their order. The orders that were filled in full."""
        full = []
        for n in range(self.events, int(state.clock[EVENTS])):
            order, fill = int(state.events.order[n]), int(state.events.fill[n])
            source, target = OrderState(state.events.source[n]), OrderState(state.events.target[n])
            stays = source == target and Reason(state.events.reason[n]) in STAYS
            assert source == self.states[order]
            assert stays or target in LEGAL_EDGES[source], f"order {order}: {source.name} to {target.name}"
            self.states[order] = target
            if fill != NONE:
                self._fill_is_in_time(state, order, fill)
                if target == OrderState.FILLED:
                    full.append(order)
        self.events = int(state.clock[EVENTS])
        for order, now in self.states.items():
            assert self.run.broker.order(order).state == now
        return full

    def _fill_is_in_time(self, state: State, order: int, fill: int) -> None:
        """Not after a cancel took effect: bars that end then have still met it, bars that start then have not."""
        end = self.ends.get(order)
        if end is None:
            return
        row = int(state.fills.row[fill])
        is_open = state.fills.segment[fill] == 0
        is_queue = self.run.case.config["fills"]["schedule"] == "queue"
        if is_open and not is_queue:
            assert state.bars.start[row] < end, f"order {order} fills at an open after its cancel"
        else:
            assert state.bars.end[row] <= end, f"order {order} fills on a bar that ends after its cancel"

    def _follow_money(self, state: State) -> None:
        """Cash is what was there and the journal, positions and orders are their fills: bit for bit, in their order."""
        for n in range(self.fills, int(state.clock[FILLS])):
            self.position[int(state.fills.symbol[n])] += float(state.fills.quantity[n])
            self.filled[int(state.fills.order[n])] += abs(float(state.fills.quantity[n]))
        for n in range(self.journal, int(state.clock[JOURNAL])):
            self.cash += float(state.journal.amount[n])
        self.fills, self.journal = int(state.clock[FILLS]), int(state.clock[JOURNAL])
        assert float(state.cash[0]) == self.cash
        for symbol in range(len(self.run.case.universe)):
            assert float(state.positions.quantity[symbol]) == self.position[symbol]
        for order, quantity in self.filled.items():
            assert self.run.broker.order(order).filled_quantity == quantity

    def _one_cancels_the_other(self, full: list[int]) -> None:
        """Whoever was in a group with an order that has filled in full has nothing left to fill."""
        groups = {self.rings[order] for order in full if self.rings.get(order)}
        for number, group in self.rings.items():
            order = self.run.broker.order(number)
            if group in groups and order.is_live and number not in full:
                is_waiting = order.sizing == Sizing.PARENT and order.state == OrderState.PENDING
                assert is_waiting or order.quantity == order.filled_quantity, f"order {number} outlives its group"

    def _live_orders_have_something_to_do(self, state: State) -> None:
        """Filled no more than asked for; exits of one parent, or of a flat position, are never more than there is to close."""
        waiting: dict[Any, list[float]] = defaultdict(list)
        for order in self.run.broker.orders():
            assert order.state in LIVE
            left = order.quantity - order.filled_quantity
            assert not left < 0, f"order {order.id} has filled more than its quantity"
            if order.origin < Origin.STOP_LOSS or order.state <= OrderState.PENDING:
                continue
            parent = order.parent
            if parent is not None and order.sizing == Sizing.PARENT:
                taken = sum(each.filled_quantity for each in (order, *order.linked) if each.parent == parent)
                waiting[parent].append(left + taken)
            number = self.run.case.universe.index(order.symbol)
            if not np.isclose(left, 0.0) and (parent is None or not parent.is_live):
                assert order.side * self.position[number] < 0, f"exit {order.id} has nothing to close"
        for parent, units in waiting.items():
            assert max(units) <= parent.filled_quantity * (1 + 1e-9), (
                f"exits of order {parent.id} exceed what it filled"
            )
