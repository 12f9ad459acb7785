"""Orders that depend on one another: parents and children, one cancels the other, exits of a position (docs/semantics/orders.md)."""

from ml4t.backtest._jit import FLOAT, INT, VOID, function, inline
from ml4t.backtest.enums import Admission, OrderState, Origin, Ratchet, Reason, Sizing
from ml4t.backtest.kernel.orders import close_order, is_grouped, note, transition
from ml4t.backtest.kernel.path import OPEN_LEG, last_leg
from ml4t.backtest.kernel.quantity import is_unresolved
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE, towards_zero
from ml4t.backtest.kernel.terms import accept_child, begin_at, change_quantity, follow_price
from ml4t.backtest.kernel.trigger import (
    beginning,
    followed,
    has_begun,
    is_eligible,
    is_live,
    is_trailing,
    is_used_up,
    may_grow,
)
from ml4t.backtest.queue_rule import LinkRule
from ml4t.backtest.tables import ADMISSION, FOLLOWING, LINKED, LINKS, NONE, NOW, SPILLED, UNCHECKED, State


# ----------------------------------------------------------------------------------------------------------------- links
@inline
def join_rings(state: State, a: int, b: int) -> None:
    """The oco groups of two orders are one."""
    ring, group = state.links.ring, state.terms.group
    member = ring[a]
    while member != a:
        if member == b:
            return
        member = ring[member]
    for cell in (a, b):
        if not is_grouped(state, cell):
            state.clock[LINKED] += 1
            state.clock[UNCHECKED] = 1
    ring[a], ring[b] = ring[b], ring[a]
    number, member = state.orders.id[a], ring[a]
    while member != a:
        number = min(number, state.orders.id[member])
        member = ring[member]
    group[a] = number
    member = ring[a]
    while member != a:
        group[member] = number
        member = ring[member]


@inline
def attach(state: State, cell: int, parent: int) -> None:
    """The order is the parent's youngest child."""
    links = state.links
    if not is_grouped(state, cell):
        state.clock[LINKED] += 1
        state.clock[UNCHECKED] = 1
    state.terms.parent[cell] = state.orders.id[parent]
    links.parent[cell] = parent
    if links.child[parent] == NONE:
        links.child[parent] = cell
        return
    last = links.child[parent]
    while links.sibling[last] != NONE:
        last = links.sibling[last]
    links.sibling[last] = cell
    if state.rules[LINKS] == LinkRule.TOGETHER:
        join_rings(state, last, cell)


@inline
def detach(state: State, cell: int) -> None:
    """The order has no parent any more."""
    links, parent = state.links, state.links.parent[cell]
    if links.child[parent] == cell:
        links.child[parent] = links.sibling[cell]
    else:
        before = links.child[parent]
        while links.sibling[before] != cell:
            before = links.sibling[before]
        links.sibling[before] = links.sibling[cell]
    links.parent[cell] = NONE
    links.sibling[cell] = NONE


@inline
def leave_ring(state: State, cell: int) -> None:
    """The order is in no oco group any more."""
    ring, before = state.links.ring, cell
    while ring[before] != cell:
        before = ring[before]
    ring[before] = ring[cell]
    ring[cell] = cell


@inline
def dissolve_ring(state: State, cell: int) -> None:
    """None of the order's oco group is in it any more."""
    ring = state.links.ring
    while ring[cell] != cell:
        leave_ring(state, ring[cell])


# ---------------------------------------------------------------------------------------------------- what follows
@inline
def parents_share(state: State, cell: int, filled: float) -> float:
    """The units that a child sized by its parent is for when the parent has filled so many: no lot is lost between siblings."""
    lot, before = state.instruments.lot_size[state.orders.symbol[cell]], state.terms.before[cell]
    return towards_zero((before + state.terms.request[cell]) * filled, lot) - towards_zero(before * filled, lot)


@inline
def follow_until(state: State, cell: int, row: int, leg: int, price: float) -> None:
    """A trailing stop has followed the bar up to a price on this leg."""
    first, _, start = beginning(state, cell, row)
    last = last_leg(state, row)
    watermark = followed(state, cell, row, first, start, min(leg - 1, last))
    is_on_path = OPEN_LEG < leg <= last and state.terms.ratchet[cell] == Ratchet.PATH
    if is_on_path and state.orders.side[cell] * (watermark - price) > 0.0:
        watermark = price
    follow_price(state, cell, watermark, watermark)


@function(VOID, INT, INT, INT, INT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT)
def feed_child(
    state: State,
    cell: int,
    time: int,
    row: int,
    leg: int,
    progress: float,
    reference: float,
    price: float,
    before: float,
    after: float,
) -> None:
    """A child knows of a fill after which its parent has filled `after` units instead of `before`."""
    is_pending = state.orders.state[cell] == OrderState.PENDING
    more = 0.0
    if state.orders.sizing[cell] == Sizing.PARENT:
        more = parents_share(state, cell, after) - parents_share(state, cell, before)
        change_quantity(state, cell, state.terms.quantity[cell] + more)
    if is_pending:
        accept_child(state, cell, time, row, leg, progress, reference, price)
    elif more > 0.0:
        if row != NONE and (has_begun(state, cell, row) or is_eligible(state, cell, row)):
            if is_trailing(state, cell):
                follow_until(state, cell, row, leg, reference)
            begin_at(state, cell, row, leg, progress, reference)
        note(state, cell, time, Reason.PARENT_FILLED)


@function(VOID, INT, INT, INT, FLOAT, FLOAT, FLOAT, FLOAT)
def feed_children(
    state: State,
    parent: int,
    row: int,
    leg: int,
    progress: float,
    reference: float,
    price: float,
    quantity: float,
) -> None:
    """The children of an order know that it has filled `quantity` more units."""
    after = state.progress.filled[parent]
    cell = state.links.child[parent]
    while cell != NONE:
        following = state.links.sibling[cell]
        at = row if state.orders.symbol[cell] == state.orders.symbol[parent] else NONE
        if at == NONE:
            state.clock[SPILLED] = 1
        feed_child(state, cell, state.clock[NOW], at, leg, progress, reference, price, after - quantity, after)
        cell = following


@inline
def next_member(state: State, of: int, after: int) -> int:
    """The member of an oco group, other than `of`, with the smallest id above `after`; NONE after the last."""
    found, cell = NONE, state.links.ring[of]
    while cell != of:
        number = state.orders.id[cell]
        if number > after and (found == NONE or number < state.orders.id[found]):
            found = cell
        cell = state.links.ring[cell]
    return found


@inline
def is_same(a: float, b: float) -> bool:
    """Whether two quantities are equal, or both not known."""
    return a == b or (not a == a and not b == b)


@function(VOID, INT, FLOAT)
def reduce_others(state: State, filled: int, kept: float) -> None:
    """The other members of the order's oco group keep this fraction of what they have left."""
    progress, time = state.progress, state.clock[NOW]
    cell = next_member(state, filled, 0)
    while cell != NONE:
        number, symbol = state.orders.id[cell], state.orders.symbol[cell]
        if symbol != state.orders.symbol[filled]:
            state.clock[SPILLED] = 1
        left, rest = state.terms.quantity[cell] - progress.filled[cell], 0.0
        if is_unresolved(state, cell):
            rest = 0.0 if kept == 0.0 else left
        elif kept > 0.0:
            rest = towards_zero(left * kept, state.instruments.lot_size[symbol])
            rest = 0.0 if rest <= NEARLY_WHOLE * left else rest
        if is_live(state.orders.state[cell]) and left != 0.0 and not is_same(rest, left):
            if rest == 0.0 and not may_grow(state, cell):
                transition(state, cell, time, OrderState.CANCELLED, Reason.LINKED_ORDER_FILLED, NONE)
            else:
                change_quantity(state, cell, progress.filled[cell] + rest)
                note(state, cell, time, Reason.LINKED_ORDER_FILLED)
        cell = next_member(state, filled, number)
    if state.rules[LINKS] == LinkRule.TOGETHER:
        dissolve_ring(state, filled)


@inline
def is_exit(state: State, cell: int) -> bool:
    """Whether the order exists only to end a position."""
    by_rule = state.orders.origin[cell] >= Origin.STOP_LOSS or state.orders.sizing[cell] == Sizing.PARENT
    return by_rule and state.terms.reduce_only[cell] != 0


@inline
def has_something_to_reduce(state: State, cell: int) -> bool:
    """Whether the order is against the position as it is now."""
    return state.positions.quantity[state.orders.slot[cell]] * state.orders.side[cell] < 0.0


@function(VOID, INT, INT)
def cancel_exits(state: State, symbol: int, filled: int) -> None:
    """Exits of a symbol that have nothing to reduce any more are cancelled, but for the order that was just filled."""
    cell = state.market.oldest[symbol]
    while cell != NONE:
        following = state.links.after[cell]
        standing = state.orders.state[cell]
        is_waiting = standing == OrderState.CREATED or standing == OrderState.PENDING or not is_live(standing)
        is_fed = state.links.parent[cell] != NONE and is_live(state.orders.state[state.links.parent[cell]])
        if cell != filled and not is_waiting and not is_fed and is_exit(state, cell):
            if not is_used_up(state, cell) and not has_something_to_reduce(state, cell):
                transition(state, cell, state.clock[NOW], OrderState.CANCELLED, Reason.POSITION_CLOSED, NONE)
        cell = following


@inline
def end_child(state: State, cell: int, time: int) -> None:
    """The parent of the order has ended."""
    detach(state, cell)
    standing = state.orders.state[cell]
    if standing <= OrderState.PENDING:
        transition(state, cell, time, OrderState.CANCELLED, Reason.PARENT_ENDED, NONE)
    elif is_live(standing):
        if is_used_up(state, cell) and state.progress.filled[cell] > 0.0:
            transition(state, cell, time, OrderState.FILLED, Reason.EXECUTED, NONE)
        elif state.terms.lot[cell] == 0 and is_exit(state, cell) and not has_something_to_reduce(state, cell):
            transition(state, cell, time, OrderState.CANCELLED, Reason.POSITION_CLOSED, NONE)
        elif is_used_up(state, cell):
            transition(state, cell, time, OrderState.CANCELLED, Reason.LINKED_ORDER_FILLED, NONE)


@function(VOID, INT)
def end_with_it(state: State, cell: int) -> None:
    """What lives together with an order that has ended has ended, too: its group, which is no more, and an unfilled parent."""
    time = state.clock[NOW]
    state.clock[SPILLED] = 1  # they may be of other symbols
    if state.orders.state[cell] != OrderState.FILLED:
        parent = state.links.parent[cell]
        if parent != NONE and is_live(state.orders.state[parent]):
            transition(state, parent, time, OrderState.CANCELLED, Reason.LINKED_ORDER_ENDED, NONE)
        member = next_member(state, cell, 0)
        while member != NONE:
            number, standing = state.orders.id[member], state.orders.state[member]
            is_checked_yet = standing != OrderState.CREATED or state.rules[ADMISSION] == Admission.NONE
            if is_checked_yet and is_live(standing):
                transition(state, member, time, OrderState.CANCELLED, Reason.LINKED_ORDER_ENDED, NONE)
            member = next_member(state, cell, number)
    dissolve_ring(state, cell)


@function(VOID)
def follow(state: State) -> None:
    """Every linked order that has ended has left the book, and its children and groups know."""
    i = 0
    while i < state.clock[FOLLOWING]:
        cell = state.following[i]
        if state.rules[LINKS] == LinkRule.TOGETHER:
            end_with_it(state, cell)
        while state.links.child[cell] != NONE:
            end_child(state, state.links.child[cell], state.clock[NOW])
        if state.links.parent[cell] != NONE:
            detach(state, cell)
        leave_ring(state, cell)
        close_order(state, cell)
        i += 1
    state.clock[FOLLOWING] = 0


@inline
def end_order(state: State, cell: int, time: int, target: int, reason: int) -> None:
    """The order has ended, and what depends on it knows."""
    transition(state, cell, time, target, reason, NONE)
    if state.clock[FOLLOWING] > 0:
        follow(state)


@inline
def adopt(state: State, cell: int, parent: int) -> None:
    """The order is a child; what its parent has filled before does not concern it."""
    attach(state, cell, parent)
    if state.orders.sizing[cell] == Sizing.PARENT:
        change_quantity(state, cell, 0.0)
