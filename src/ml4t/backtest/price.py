"""Prices of orders, given relative to something (docs/semantics/orders.md, Relative prices)."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ml4t.backtest._jit import Handle
from ml4t.backtest.enums import Basis, Ratchet
from ml4t.backtest.errors import OrderError, nearest
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.number import NAN, PLAIN, counted, finite, positive
from ml4t.backtest.tables import State

REFERENCES = ("last", "signal", "fill", "average", "stop")
LATER = {
    ("fill", False): Basis.FILL_AMOUNT,
    ("fill", True): Basis.FILL_RATE,
    ("average", False): Basis.AVERAGE_AMOUNT,
    ("average", True): Basis.AVERAGE_RATE,
    ("stop", False): Basis.STOP_AMOUNT,
    ("stop", True): Basis.STOP_RATE,
}


@dataclass(frozen=True, slots=True)
class Atr:
    """A distance: `multiple` average true ranges of the last `count` bars (`self.data.atr`), as they are when the order is submitted.

    >>> from ml4t.backtest import Atr, Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Stopped(Strategy):
    ...     def on_bar(self):
    ...         if self.data.count("SPX") == 20:
    ...             self.broker.buy("SPX", 10, stop_loss=Atr(14, 3))
    >>> run(Stopped(), us_indices()).orders["origin"].to_list()
    ['strategy', 'stop_loss']
    """

    count: int = 14
    multiple: float = 1.0

    def __post_init__(self) -> None:
        counted("Atr: count", self.count)
        if finite("Atr: multiple", self.multiple) == 0.0:
            raise OrderError("Atr: multiple must not be 0.")


@dataclass(frozen=True, slots=True)
class Price:
    """An absolute price, where a number would mean a rate: `stop_loss=Price(95.0)`.

    >>> from ml4t.backtest import Price
    >>> Price(95.0).value
    95.0
    """

    value: float

    def __post_init__(self) -> None:
        positive("Price", self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """A price relative to a reference: reference + amount, reference · (1 + rate), or reference + an ATR multiple; signed.

    `of`: "last" (the mark at submission; default), "signal", "fill" and "average" (of a parent's fill), "stop" (limits only). In exits an
    offset is a distance: above 0, the rule knows the direction, and the default reference is that of the exits.

    >>> from ml4t.backtest import Offset, Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Dip(Strategy):
    ...     def on_bar(self):
    ...         if self.data.count("SPX") == 1:  # closed at 1228.10
    ...             self.broker.buy("SPX", 10, limit=Offset(amount=-8))
    >>> run(Dip(), us_indices()).orders["limit"].round(2).to_list()
    [1220.1]
    """

    amount: float | None = None
    rate: float | None = None
    atr: Atr | None = None
    of: str | None = None

    def __post_init__(self) -> None:
        _one_distance("Offset", self.amount, self.rate, self.atr)
        if self.of is not None and self.of not in REFERENCES:
            raise OrderError(
                f"Offset: of={self.of!r} is no reference.{nearest(str(self.of), REFERENCES)} There are {', '.join(REFERENCES)}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A stop that follows the market at a distance: a price, a fraction of the best price so far, or an ATR multiple.

    `ratchet`: "path" (it moves with every price), "close" (with closes only) or "bar" (with the best of every bar, once that has ended).
    `activation`: it sleeps until this price is reached.

    >>> from ml4t.backtest import Strategy, Trail, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Follow(Strategy):
    ...     def on_bar(self):
    ...         if self.data.count("SPX") == 1:
    ...             self.broker.buy("SPX", 10)
    ...         if self.data.count("SPX") == 2:
    ...             self.broker.sell("SPX", 10, stop=Trail(rate=0.05))
    >>> run(Follow(), us_indices()).fills["order_type"].to_list()
    ['market', 'trailing_stop']
    """

    amount: float | None = None
    rate: float | None = None
    atr: Atr | None = None
    ratchet: str = "path"
    activation: "float | Price | Offset | None" = None

    def __post_init__(self) -> None:
        _one_distance("Trail", self.amount, self.rate, self.atr)
        multiple = None if self.atr is None else self.atr.multiple
        for what, size in (("amount", self.amount), ("rate", self.rate), ("atr", multiple)):
            if size is not None and size <= 0.0:
                raise OrderError(f"Trail: {what} must be above 0, not {size!r}; the order's side says the direction.")
        if self.rate is not None and self.rate >= 1.0:
            raise OrderError(f"Trail: a rate is a fraction below 1 (5 % is 0.05), not {self.rate!r}.")
        names = [each.name.lower() for each in Ratchet]
        if str(self.ratchet).lower() not in names:
            raise OrderError(f"Trail: ratchet must be one of {', '.join(names)}, not {self.ratchet!r}.")


Level: TypeAlias = float | Price | Offset
"""A price of an order."""
Distance: TypeAlias = float | Price | Offset | Atr
"""Where an exit is: a rate, a distance, or a price."""


def _one_distance(what: str, amount: Any, rate: Any, atr: Any) -> None:
    if sum(size is not None for size in (amount, rate, atr)) != 1:
        raise OrderError(f"{what}: give exactly one of amount, rate and atr.")
    if atr is not None and not isinstance(atr, Atr):
        raise OrderError(f"{what}: atr must be Atr(count, multiple), not {atr!r}.")
    if atr is None:
        finite(f"{what}: {'amount' if rate is None else 'rate'}", amount if rate is None else rate)


class Placed(NamedTuple):
    """A price, or an offset that the kernel resolves later."""

    value: float = NAN
    basis: int = int(Basis.PRICE)


NOWHERE = Placed()


class Reference:
    """What the prices of one order are measured from, as it is now."""

    __slots__ = ("_key", "_number", "_parent", "_signal", "_state", "symbol")

    def __init__(
        self, handle: Handle, symbol: str, number: int, parent: int | None = None, *, signal: bool = True
    ) -> None:
        """`parent`: the parent's symbol, None without parent. `signal`: whether the parent is of this decision."""
        self._key = handle.key
        self._state: State = handle.state
        self.symbol = symbol
        self._number = number
        self._parent = parent
        self._signal = signal

    @property
    def has_parent(self) -> bool:
        """Whether there is a fill to come from which a price can be measured."""
        return self._parent is not None

    def range_of(self, what: str, atr: Atr) -> float:
        """The distance in price. Raises OrderError where there are too few bars."""
        value = float(entry_point("range")(self._key, self._number, int(atr.count)))
        if math.isnan(value):
            known = int(self._state.history.known[self._number] - self._state.history.begin[self._number])
            raise OrderError(
                f"{what}: Atr({atr.count}) needs {atr.count + 1} bars of {self.symbol}, {known} are known; order later, or set run.warmup."
            )
        return value * atr.multiple

    def size(self, what: str, distance: Offset | Trail) -> tuple[float, bool]:
        """How far, and whether that is a rate."""
        if distance.rate is not None:
            return float(distance.rate), True
        return self.range_of(what, distance.atr) if distance.atr else float(distance.amount or 0.0), False

    def place(self, what: str, size: float, is_rate: bool, of: str) -> Placed:
        """The price at that offset from the reference. Raises OrderError where there is no such reference."""
        if self._parent is not None and of in ("fill", "average"):
            if self._parent != self._number:
                raise OrderError(f"{what}: of={of!r} is a price of the parent's symbol, not of {self.symbol}.")
            return Placed(size, int(LATER[of, is_rate]))
        if of == "stop":
            return Placed(size, int(LATER[of, is_rate]))
        base = self._base(what, of)
        how = f"{base:g} · (1{size:+g})" if is_rate else f"{base:g}{size:+g}"
        return Placed(positive(f"{what}, {how},", base * (1.0 + size) if is_rate else base + size))

    def _base(self, what: str, of: str) -> float:
        if of == "fill":
            raise OrderError(f"{what}: of='fill' is the fill of a parent; give parent=, or use of='last'.")
        if of == "signal" and not self._signal:
            raise OrderError(f"{what}: of='signal' needs the parent's own decision, which is past; give the price.")
        if of == "average":
            if not self._state.positions.quantity[self._number]:
                raise OrderError(f"{what}: of='average' needs a position or parent=; {self.symbol} is flat.")
            return float(self._state.positions.average_price[self._number])
        mark = float(self._state.market.mark[self._number])
        if math.isnan(mark):
            raise OrderError(f"{what}: {self.symbol} has no price yet; wait for its first bar, or give a price.")
        return mark


def placed(what: str, level: Any, reference: Reference, default: str = "last") -> Placed:
    """A price of an order, as it was given. Raises OrderError where it makes no sense."""
    if level is None:
        return NOWHERE
    if isinstance(level, Offset):
        return reference.place(what, *reference.size(what, level), level.of or default)
    return Placed(absolute(what, level))


def absolute(what: str, level: Any) -> float:
    """A price that depends on nothing. Raises OrderError."""
    if level.__class__ in PLAIN and 0.0 < level < math.inf:
        return float(level)
    return float(level.value) if isinstance(level, Price) else positive(what, level)
