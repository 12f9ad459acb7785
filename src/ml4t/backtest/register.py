"""The names that a strategy gives to its orders: tags, and client ids."""

from dataclasses import dataclass, field

from ml4t.backtest.errors import OrderError, nearest
from ml4t.backtest.tables import IDS, State


@dataclass(slots=True)
class Register:
    """Tags and client ids of the orders of one run. A tag may stand on many orders, a client id names one."""

    tags: list[str] = field(default_factory=list)  # interned: the kernel knows their numbers
    clients: dict[str, int] = field(default_factory=dict)  # client id → order id ...
    names: dict[int, str] = field(default_factory=dict)  # ... and back
    _numbers: dict[str, int] = field(default_factory=dict)

    def tag(self, tag: str) -> int:
        """The number of a tag."""
        number = self._numbers.get(tag)
        if number is None:
            number = self._numbers[tag] = len(self.tags)
            self.tags.append(str(tag))
        return number

    def check_client(self, client_id: str | None) -> None:
        """Raises OrderError where an order of this run has the client id already, or it is none."""
        if client_id is None:
            return
        if not isinstance(client_id, str) or not client_id:
            raise OrderError(f"client_id must be a text, not {client_id!r}.")
        if client_id in self.clients:
            raise OrderError(
                f"client_id={client_id!r} is taken by order {self.clients[client_id]}; it names one order of a run. A tag may repeat."
            )

    def name(self, order: int, client_id: str | None) -> None:
        """The order has this client id."""
        if client_id is not None:
            self.clients[client_id] = order
            self.names[order] = client_id

    def number(self, order: int | str, state: State) -> int:
        """The id of an order that there is. Raises OrderError."""
        if isinstance(order, str):
            if order not in self.clients:
                raise OrderError(f"No order with client_id {order!r}.{nearest(order, self.clients)}")
            return self.clients[order]
        if not hasattr(order, "__index__"):
            raise OrderError(
                f"{order!r} is no order. Give what buy() returned (None where the size came to zero units), or an id."
            )
        count = int(state.clock[IDS])
        if not 1 <= order <= count:
            known = f"ids so far are 1 to {count}" if count else "there is none yet"
            raise OrderError(f"No order {order}; {known}.")
        return int(order)
