"""Views of orders: what became of a request."""

import math
from typing import Any, Protocol

from ml4t.backtest._jit import Handle
from ml4t.backtest.enums import Basis, OrderState, OrderType, Origin, Reason, Side, Sizing, TimeInForce
from ml4t.backtest.register import Register
from ml4t.backtest.tables import CLOSED, NONE, State


class Book(Protocol):
    """Where orders are."""

    handle: Handle
    symbols: tuple[str, ...]
    register: Register


class Order:
    """View of an order, live or closed. Its numbers are read from the book when asked for.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Once(Strategy):
    ...     def on_start(self):
    ...         self.entry = self.broker.buy("SPX", 10, stop_loss=0.1, client_id="entry")
    ...     def on_end(self):
    ...         print(self.entry, self.entry.children[0].parent.client_id)
    >>> _ = run(Once(), us_indices())
    Order(1, BUY 10 SPX, FILLED) entry
    """

    __slots__ = ("_book", "id")

    def __init__(self, book: Book, number: int) -> None:
        self._book = book
        self.id = number

    def _read(self, group: str, field: str) -> Any:
        state: State = self._book.handle.state
        place = int(state.places[self.id - 1])
        table = getattr(state, group if place >= 0 else f"closed_{group}")
        return getattr(table, field)[place if place >= 0 else ~place]

    def _price(self, field: str) -> float | None:
        """A price, None where there is none, or where it is not known yet."""
        value = float(self._read("terms", field))
        is_known = self._read("terms", f"{field}_basis") == Basis.PRICE
        return value if is_known and not math.isnan(value) else None

    @property
    def symbol(self) -> str:
        """The symbol it is for."""
        return self._book.symbols[int(self._read("orders", "symbol"))]

    @property
    def side(self) -> Side:
        """BUY or SELL."""
        return Side(int(self._read("orders", "side")))

    @property
    def lot(self) -> int | None:
        """The id of the fill that opened the only lot it may close; None: any."""
        number = int(self._read("terms", "lot"))
        return number or None

    @property
    def rank(self) -> int:
        """Its place in the queue: the smallest comes first."""
        return int(self._read("progress", "rank"))

    @property
    def type(self) -> OrderType:
        """MARKET, LIMIT, STOP ..."""
        return OrderType(int(self._read("orders", "type")))

    @property
    def origin(self) -> Origin:
        """Who caused it: the strategy, a target, or which of the exits."""
        return Origin(int(self._read("orders", "origin")))

    @property
    def sizing(self) -> Sizing:
        """How its quantity was asked for."""
        return Sizing(int(self._read("orders", "sizing")))

    @property
    def submitted_ns(self) -> int:
        """When it was asked for, UTC nanoseconds."""
        return int(self._read("terms", "submitted"))

    @property
    def tif(self) -> TimeInForce:
        """How long it lives, and where it may fill."""
        return TimeInForce(int(self._read("orders", "tif")))

    @property
    def state(self) -> OrderState:
        """Where it is in its life."""
        return OrderState(int(self._read("orders", "state")))

    @property
    def reason(self) -> Reason:
        """Why it is in that state."""
        return Reason(int(self._read("orders", "reason")))

    @property
    def is_live(self) -> bool:
        """Whether it can still fill."""
        return int(self._book.handle.state.places[self.id - 1]) >= 0

    @property
    def quantity(self) -> float:
        """Unsigned units; NaN while it is resolved at the fill. Of a child sized by its parent: what the parent's fills have come to."""
        return float(self._read("terms", "quantity"))

    @property
    def limit(self) -> float | None:
        """Limit price; None without, and as long as it depends on something that has not happened."""
        return self._price("limit")

    @property
    def stop(self) -> float | None:
        """The trigger's price: of a stop, of a touch, or where a trailing stop is now; None as for `limit`."""
        return self._price("stop")

    @property
    def activation(self) -> float | None:
        """The price that wakes its trigger; None as for `limit`."""
        return self._price("activation")

    @property
    def parent(self) -> "Order | None":
        """The order whose fills it waits for, or waited for."""
        number = int(self._read("terms", "parent"))
        return Order(self._book, number) if number else None

    @property
    def children(self) -> "list[Order]":
        """The orders that wait, or waited, for its fills."""
        return self._those_with("parent", self.id)

    @property
    def linked(self) -> "list[Order]":
        """The other members of its oco group, those included that have ended."""
        group = int(self._read("terms", "group"))
        return [order for order in self._those_with("group", group) if order.id != self.id] if group else []

    def _those_with(self, field: str, value: int) -> "list[Order]":
        state: State = self._book.handle.state
        closed = int(state.clock[CLOSED])
        found = (
            *state.orders.id[getattr(state.terms, field) == value],
            *state.closed_orders.id[:closed][getattr(state.closed_terms, field)[:closed] == value],
        )
        return [Order(self._book, number) for number in sorted(map(int, found)) if number]

    @property
    def client_id(self) -> str | None:
        """The name that the strategy gave it."""
        return self._book.register.names.get(self.id)

    @property
    def tag(self) -> str | None:
        """The caller's own mark."""
        number = int(self._read("terms", "tag"))
        return None if number == NONE else self._book.register.tags[number]

    @property
    def filled_quantity(self) -> float:
        """Unsigned units filled so far."""
        return float(self._read("progress", "filled"))

    @property
    def average_fill_price(self) -> float | None:
        """Mean price of its fills, None before the first."""
        filled = self.filled_quantity
        if not filled:
            return None
        number = int(self._read("orders", "symbol"))
        return (
            float(self._read("progress", "value"))
            / filled
            / float(self._book.handle.state.instruments.multiplier[number])
        )

    @property
    def commission(self) -> float:
        """Commission paid so far, account currency."""
        return float(self._read("progress", "commission"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and other.id == self.id and other._book.handle is self._book.handle

    def __hash__(self) -> int:
        return hash((id(self._book.handle), self.id))

    def __repr__(self) -> str:
        prices = "".join(
            f", {name}={value:g}" for name, value in (("limit", self.limit), ("stop", self.stop)) if value is not None
        )
        return f"Order({self.id}, {self.side.name} {self.quantity:g} {self.symbol}{prices}, {self.state.name})"
