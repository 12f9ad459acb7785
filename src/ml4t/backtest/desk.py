"""The broker's desk: from the terms of a request to orders in the kernel's book, with their exits and kin."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from weakref import proxy
from zoneinfo import ZoneInfo

from ml4t.backtest._jit import Handle
from ml4t.backtest.allocation import grow
from ml4t.backtest.clock import instant
from ml4t.backtest.enums import OrderState, OrderType, Origin, Sizing, Valuation
from ml4t.backtest.errors import OrderError
from ml4t.backtest.exits import Exits, Leg, checked_exits, exits_of, legs
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.request import (
    FULL,
    MOST_GENERATIONS,
    MOST_MEMBERS,
    NO_DIRECTION,
    NO_PRICE,
    NOT_LIVE,
    NOTHING_TO_DO,
)
from ml4t.backtest.lookup import Symbols
from ml4t.backtest.order import Order
from ml4t.backtest.price import Reference
from ml4t.backtest.queue_rule import Executions, LinkRule
from ml4t.backtest.register import Register
from ml4t.backtest.request import GTC, OF_PARENT, QUANTITY, Ticket, expiry, prices
from ml4t.backtest.tables import EXECUTIONS, LINKS, NEVER, NONE, NOW, VALUATION, State

CLOSE, MARKET, TARGET = int(Sizing.CLOSE), int(OrderType.MARKET), int(Origin.TARGET)
FIRST_TARGET, LAST_TARGET = int(Sizing.TARGET_QUANTITY), int(Sizing.TARGET_PERCENT)
EXIT_ORIGINS = range(Origin.STOP_LOSS, Origin.MAX_BARS + 1)


class Owner(Protocol):
    """Whose orders they are: the strategy."""

    exit_rules: Exits | None


class Desk:
    """The way of requests to the kernel. Keeps nothing but the register."""

    def __init__(self, handle: Handle, symbols: tuple[str, ...], timezone: str, owner: Owner) -> None:
        self.handle = handle
        self.symbols = symbols
        self.register = Register()
        self.numbers = Symbols(symbols)
        self.owner: Owner = proxy(owner)
        self._zone = ZoneInfo(timezone)
        self._submit: Callable[..., int] = entry_point("submit")

    def label(self, tag: str | int | None) -> int:
        """The number of a tag, which may be one already."""
        if isinstance(tag, int):
            return tag
        return NONE if tag is None else self.register.tag(tag)

    def expiry(self, tif: Any, until: Any) -> tuple[int, int]:
        """Time in force and the end of it. Raises OrderError."""
        return expiry(tif, until, self.handle.state, self._zone)

    def ask(self, name: str, *arguments: float) -> int:
        """The kernel's answer to a request, once there is room for what follows from it."""
        while (code := int(entry_point(name)(self.handle.key, *arguments))) == FULL:
            grow(self.handle)
        return code

    def send(self, symbol: int, *terms: float) -> int:
        """The id of a new order, 0 where the request comes to nothing. Raises OrderError."""
        while (code := self._submit(self.handle.key, symbol, *terms)) == FULL:
            grow(self.handle)
        if code > 0:
            return code
        if code == NOTHING_TO_DO:
            return 0
        name = self.symbols[symbol]
        if code == NO_PRICE:
            now = instant(int(self.handle.state.clock[NOW]), self._zone)
            raise OrderError(
                f"{name} has no price yet at {now}; a size by value or percent needs one. Wait for its first bar."
            )
        if code == NOT_LIVE:
            raise OrderError(f"{name}: the parent, or the order to link with, is not live any more.")
        if code == NO_DIRECTION:
            raise OrderError(
                f"{name}: a target or size that is resolved at the fill (orders.valuation = 'fill_price') cannot wait for a limit or stop; "
                "and where fills.executions is 'lot', an order has a quantity or a percent, and reduces only as the exit of a lot."
            )
        raise OrderError(
            f"{name}: too large a group: an order has at most {MOST_MEMBERS} children, a group as many members, "
            f"and there are at most {MOST_GENERATIONS} generations."
        )

    def order(self, symbol: str, side: int, sizing: int, size: float, origin: int, terms: Mapping[str, Any]) -> int:
        """The id of the order that the terms describe, with its exits; 0 where it comes to nothing. Raises OrderError."""
        number, reduce_only = self.numbers[symbol], bool(terms.get("reduce_only"))
        tif, until = self.expiry(terms["tif"], terms["until"])
        if terms.get("lot") is not None and self.handle.state.rules[EXECUTIONS] != Executions.LOT:
            raise OrderError(f"{symbol}: lot= names one lot to close; it needs fills.executions = 'lot'.")
        own = exits_of(terms)
        if own and reduce_only:
            raise OrderError(f"{symbol}: a reduce_only order opens nothing that exits could close.")
        exits = checked_exits(self.owner.exit_rules) if own is None and self.owner.exit_rules is not None else own
        if exits and self._is_directionless(sizing):
            raise OrderError(
                f"{symbol}: a target that is resolved at the fill (orders.valuation = 'fill_price') has no direction before, so no exits: "
                "use buy or sell, or protect() the position."
            )
        held = self._expected(number, origin) if exits else 0.0
        if own and sizing == QUANTITY and _only_closes(held, side * size):
            raise OrderError(
                f"{symbol}: this order only closes a position, so its exits have nothing to do. A stop or trailing stop order is stop=..., "
                "exits of the position are protect()."
            )
        parent = self._parent(symbol, terms.get("parent"))
        is_plain = self.handle.state.rules[LINKS] == LinkRule.TOGETHER
        if parent is not None and parent.symbol == symbol and parent.side == -side and not is_plain:
            reduce_only = True
        limit, stop, ticket = prices(terms, tif, self._reference(symbol, number, parent))
        self.register.check_client(terms.get("client_id"))
        if parent is not None:
            ticket = ticket.linked(parent.id, size if sizing == OF_PARENT else 1.0)
        self._write(ticket)
        label = self.label(terms["tag"])
        order = self.send(number, side, sizing, size, limit, stop, tif, until, reduce_only, origin, label, 1)
        if order:
            self.register.name(order, terms.get("client_id"))
            if exits and not reduce_only:
                self._attach(order, exits, held)
        return order

    def ring(
        self, symbol: int, side: int, sizing: int, size: float, ring: list[Leg], parent: int = 0, before: float = 0.0
    ) -> list[int]:
        """The ids of exits that are new and cancel each other; `parent` 0: of a position that is there already."""
        members: list[int] = []
        for leg in ring:
            fraction = size if sizing == OF_PARENT else 1.0
            self._write(leg.rare.linked(parent, fraction, before, members[0] if members else 0))
            terms = (side, sizing, size, leg.limit, leg.stop, GTC, NEVER, 1, leg.origin, NONE, 1)
            members.append(self.send(symbol, *terms))
        return members

    def live(self, symbol: int) -> Iterator[int]:
        """The ids of a symbol's live orders, in order of submission."""
        state: State = self.handle.state
        cell = int(state.market.oldest[symbol])
        while cell != NONE:
            yield int(state.orders.id[cell])
            cell = int(state.links.after[cell])

    def _write(self, ticket: Ticket) -> None:
        """The next extended request has these terms."""
        self.handle.state.ticket[:] = ticket

    def _attach(self, number: int, exits: Exits, held: float) -> None:
        """The order has its exits, if it opens anything where `held` units are held. Where that fails it is cancelled."""
        order = Order(self, number)
        symbol, side = self.numbers[order.symbol], int(order.side)
        if order.sizing != OF_PARENT and _only_closes(held, side * order.quantity):
            return
        try:
            rings = list(legs(exits, side, Reference(self.handle, order.symbol, symbol, symbol), exits.basis))
        except OrderError:
            self.ask("cancel", number)
            raise
        before = 0.0
        for fraction, ring in rings:
            self.ring(symbol, -side, OF_PARENT, fraction, ring, number, before)
            before += fraction

    def _expected(self, symbol: int, origin: int) -> float:
        """The position as it will be once the live market orders have filled; exits and targets that a new one ends not counted."""
        held = float(self.handle.state.positions.quantity[symbol])
        for number in self.live(symbol):
            order = Order(self, number)
            if order.type != MARKET or order.state == OrderState.PENDING or order.origin in EXIT_ORIGINS:
                continue
            if origin == TARGET and order.origin == TARGET:
                continue
            if order.sizing == CLOSE:
                held = 0.0
            elif not math.isnan(order.quantity):
                held += order.side * (order.quantity - order.filled_quantity)
        return held

    def _is_directionless(self, sizing: int) -> bool:
        """Whether the direction is known at the fill only."""
        rule = self.handle.state.rules[VALUATION]
        return FIRST_TARGET <= sizing <= LAST_TARGET and rule == Valuation.FILL_PRICE

    def _parent(self, symbol: str, given: Any) -> Order | None:
        """The parent, which may have children now. Raises OrderError."""
        if given is None:
            return None
        parent = self.find(given)
        if self._is_directionless(int(parent.sizing)):
            raise OrderError(f"{symbol}: {parent} is resolved at its fill, and has no direction for children before.")
        if not parent.is_live or parent.filled_quantity:
            raise OrderError(
                f"{symbol}: order {parent.id} is {parent.state.name.lower()}; a child has to be there before its parent's first fill. "
                "Place an order of its own, or protect() the position."
            )
        return parent

    def find(self, order: Order | int | str) -> Order:
        """The order of that id, client id or view. Raises OrderError where there is none."""
        return order if isinstance(order, Order) else Order(self, self.register.number(order, self.handle.state))

    def _reference(self, symbol: str, number: int, parent: Order | None) -> Reference:
        if parent is None:
            return Reference(self.handle, symbol, number)
        is_new = parent.submitted_ns == self.handle.state.clock[NOW]
        return Reference(self.handle, symbol, number, self.numbers[parent.symbol], signal=is_new)


def _only_closes(held: float, quantity: float) -> bool:
    """Whether a signed quantity leaves of the position nothing but a part; not where it is unknown (NaN)."""
    return held * quantity < 0.0 and abs(quantity) <= abs(held)
