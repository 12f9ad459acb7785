"""Orders: requests to the kernel, and views of what became of them."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ml4t.backtest._jit import Handle
from ml4t.backtest.clock import instant
from ml4t.backtest.enums import OrderState, OrderType, Origin, Reason, Side, Sizing, TimeInForce
from ml4t.backtest.errors import OrderError, nearest
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.request import (
    FULL,
    NO_PRICE,
    NO_SUCH_PRICE,
    NOT_ABOVE_FILLED,
    NOT_LIVE,
    NOTHING_TO_DO,
)
from ml4t.backtest.lookup import Symbols
from ml4t.backtest.tables import IDS, LIVE, NEVER, NONE, NOW, State, grow

NAN = math.nan
# plain ints: an enum member costs more to pass than the kernel needs for an order
BUY, SELL = int(Side.BUY), int(Side.SELL)
QUANTITY, VALUE, PERCENT, CLOSE = int(Sizing.QUANTITY), int(Sizing.VALUE), int(Sizing.PERCENT), int(Sizing.CLOSE)
STRATEGY, TARGET, CLOSING = int(Origin.STRATEGY), int(Origin.TARGET), int(Origin.CLOSE)
TIF = {name: int(tif) for tif in TimeInForce for name in (tif.name, tif.name.lower(), tif)}


class Order:
    """View of an order, live or closed. Its numbers are read from the book when asked for."""

    __slots__ = ("_broker", "id")

    def __init__(self, broker: "Broker", number: int) -> None:
        self._broker = broker
        self.id = number

    def _read(self, group: str, field: str) -> Any:
        state: State = self._broker.handle.state
        place = int(state.places[self.id - 1])
        table = getattr(state, group if place >= 0 else f"closed_{group}")
        return getattr(table, field)[place if place >= 0 else ~place]

    @property
    def symbol(self) -> str:
        """The symbol it is for."""
        return self._broker.symbols[int(self._read("orders", "symbol"))]

    @property
    def side(self) -> Side:
        """BUY or SELL."""
        return Side(int(self._read("orders", "side")))

    @property
    def type(self) -> OrderType:
        """MARKET, LIMIT, STOP or STOP_LIMIT."""
        return OrderType(int(self._read("orders", "type")))

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
        return int(self._broker.handle.state.places[self.id - 1]) >= 0

    @property
    def quantity(self) -> float:
        """Unsigned units; NaN while it is resolved at the fill."""
        return float(self._read("terms", "quantity"))

    @property
    def limit(self) -> float | None:
        """Limit price, None without."""
        value = float(self._read("terms", "limit"))
        return None if math.isnan(value) else value

    @property
    def stop(self) -> float | None:
        """Stop price, None without."""
        value = float(self._read("terms", "stop"))
        return None if math.isnan(value) else value

    @property
    def tag(self) -> str | None:
        """The caller's own mark."""
        number = int(self._read("terms", "tag"))
        return None if number == NONE else self._broker.tags[number]

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
            / float(self._broker.handle.state.instruments.multiplier[number])
        )

    @property
    def commission(self) -> float:
        """Commission paid so far, account currency."""
        return float(self._read("progress", "commission"))

    def __repr__(self) -> str:
        prices = "".join(
            f", {name}={value:g}" for name, value in (("limit", self.limit), ("stop", self.stop)) if value is not None
        )
        return f"Order({self.id}, {self.side.name} {self.quantity:g} {self.symbol}{prices}, {self.state.name})"


class Broker:
    """What a strategy may ask for. Every request is decided by the kernel; nothing is kept here.

    Market orders fill at the next open by default. `limit=` and `stop=` make limit, stop and stop-limit orders.
    `tif`: "GTC" (default), "DAY", or "GTD" with `until=`.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Dip(Strategy):
    ...     def on_bar(self):
    ...         if not self.portfolio.positions and not self.broker.orders():
    ...             self.broker.buy("SPX", percent=0.5, limit=self.data.close("SPX") * 0.99, tif="DAY")
    >>> run(Dip(), us_indices()).fills.height
    1
    """

    def __init__(self, handle: Handle, symbols: tuple[str, ...], timezone: str) -> None:
        self.handle = handle
        self.symbols = symbols
        self.tags: list[str] = []  # interned: the kernel knows their numbers
        self._tag_numbers: dict[str, int] = {}
        self._zone = ZoneInfo(timezone)
        self._numbers = Symbols(symbols)
        self._submit: Callable[..., int] = entry_point("submit")

    # -------------------------------------------------------------------------------------------------------- requests
    def buy(
        self,
        symbol: str,
        quantity: float | None = None,
        *,
        value: float | None = None,
        percent: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        tif: str | TimeInForce = "GTC",
        until: datetime | date | None = None,
        reduce_only: bool = False,
        tag: str | None = None,
    ) -> Order | None:
        """A new order to buy `quantity` units, or units worth `value`, or worth `percent` (a fraction) of equity.

        None where the size comes to zero units.

        Raises:
            OrderError: not exactly one size; a size or price that is not positive and finite; a wrong `tif` or `until`.
            UnknownSymbolError: the run has no such symbol.

        """
        return self._trade(BUY, symbol, quantity, value, percent, limit, stop, tif, until, reduce_only, tag)

    def sell(
        self,
        symbol: str,
        quantity: float | None = None,
        *,
        value: float | None = None,
        percent: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        tif: str | TimeInForce = "GTC",
        until: datetime | date | None = None,
        reduce_only: bool = False,
        tag: str | None = None,
    ) -> Order | None:
        """A new order to sell; arguments, answer and errors as for `buy`."""
        return self._trade(SELL, symbol, quantity, value, percent, limit, stop, tif, until, reduce_only, tag)

    def order_target_quantity(self, symbol: str, target: float, **terms: Any) -> Order | None:
        """An order for the difference between the position and `target` signed units; None where there is none.

        It replaces the symbol's live target order. `terms`: limit, stop, tif, until, tag.
        """
        return self._target(Sizing.TARGET_QUANTITY, symbol, target, **terms)

    def order_target_value(self, symbol: str, target: float, **terms: Any) -> Order | None:
        """As `order_target_quantity`, for a position worth `target` (signed, account currency)."""
        return self._target(Sizing.TARGET_VALUE, symbol, target, **terms)

    def order_target_percent(self, symbol: str, target: float, **terms: Any) -> Order | None:
        """As `order_target_quantity`, for a position worth the fraction `target` of equity (1.0: all of it; signed)."""
        return self._target(Sizing.TARGET_PERCENT, symbol, target, **terms)

    def close(self, symbol: str, *, tag: str | None = None) -> Order | None:
        """A market order that closes the position as it is when it fills; None where the position is flat."""
        return self._ask(symbol, BUY, CLOSE, 0.0, NAN, NAN, "GTC", NEVER, True, CLOSING, tag)

    def cancel(self, order: Order | int) -> None:
        """The order is cancelled, at once. Raises OrderError where it is not live."""
        number = order.id if isinstance(order, Order) else int(order)
        while (code := entry_point("cancel")(self.handle.key, number)) == FULL:
            grow(self.handle)
        if code == NOT_LIVE:
            raise OrderError(
                f"Order {number} is not live ({self._standing(number)}); only live orders can be cancelled."
            )

    def replace(
        self,
        order: Order | int,
        *,
        quantity: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
    ) -> None:
        """The order has the given terms; it keeps its id and priority, and is eligible as if it were new.

        Raises:
            OrderError: the order is not live, has no such price, or has filled as much as `quantity` already.

        """
        number = order.id if isinstance(order, Order) else int(order)
        terms = [
            NAN if x is None else self._positive(what, x)
            for what, x in (("quantity", quantity), ("limit", limit), ("stop", stop))
        ]
        if all(math.isnan(x) for x in terms):
            raise OrderError("replace: give at least one of quantity, limit and stop.")
        while (code := entry_point("replace")(self.handle.key, number, *terms)) == FULL:
            grow(self.handle)
        if code == NOT_LIVE:
            raise OrderError(
                f"Order {number} is not live ({self._standing(number)}); only live orders can be replaced."
            )
        if code == NO_SUCH_PRICE:
            raise OrderError(
                f"{self.order(number)} has no such price (a stop is gone once it is triggered); cancel it and place a new one."
            )
        if code == NOT_ABOVE_FILLED:
            raise OrderError(
                f"{self.order(number)} has filled {self.order(number).filled_quantity:g} already; ask for more than that."
            )

    # ----------------------------------------------------------------------------------------------------------- views
    def order(self, number: int) -> Order:
        """View of the order with this id. Raises OrderError where there is none."""
        if not 1 <= number <= self._count():
            raise OrderError(f"No order {number}; ids so far are 1 to {self._count()}.")
        return Order(self, number)

    def orders(self, symbol: str | None = None) -> list[Order]:
        """The live orders, of one symbol or of all, in the order of submission."""
        if symbol is None and self.handle.state.clock[LIVE] == 0:
            return []
        numbers = range(len(self.symbols)) if symbol is None else (self._numbers[symbol],)
        return [Order(self, number) for number in sorted(id_ for each in numbers for id_ in self._live(each))]

    def _live(self, symbol: int) -> Iterator[int]:
        state: State = self.handle.state
        cell = int(state.market.oldest[symbol])
        while cell != NONE:
            yield int(state.orders.id[cell])
            cell = int(state.links.after[cell])

    def _count(self) -> int:
        return int(self.handle.state.clock[IDS])

    def _standing(self, number: int) -> str:
        return Order(self, number).state.name.lower() if 1 <= number <= self._count() else "there is none with this id"

    # ---------------------------------------------------------------------------------------------------------- checks
    def _trade(
        self,
        side: int,
        symbol: str,
        quantity: float | None,
        value: float | None,
        percent: float | None,
        limit: float | None,
        stop: float | None,
        tif: str | TimeInForce,
        until: datetime | date | None,
        reduce_only: bool,
        tag: str | None,
    ) -> Order | None:
        if quantity is not None and value is None and percent is None:
            sizing, request, what = QUANTITY, quantity, "quantity"
        elif value is not None and quantity is None and percent is None:
            sizing, request, what = VALUE, value, "value"
        elif percent is not None and quantity is None and value is None:
            sizing, request, what = PERCENT, percent, "percent"
        else:
            raise OrderError(f"{symbol}: give exactly one of quantity, value and percent.")
        if not (request.__class__ in _NUMBERS and 0.0 < request < math.inf):
            request = self._positive(f"{symbol}: {what}", request)
        return self._ask(
            symbol,
            side,
            sizing,
            request,
            NAN if limit is None else self._positive(f"{symbol}: limit", limit),
            NAN if stop is None else self._positive(f"{symbol}: stop", stop),
            tif,
            NEVER if until is None and tif == "GTC" else self._until(tif, until),
            reduce_only,
            STRATEGY,
            tag,
        )

    def _target(
        self,
        sizing: int,
        symbol: str,
        target: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: str | TimeInForce = "GTC",
        until: datetime | date | None = None,
        tag: str | None = None,
    ) -> Order | None:
        return self._ask(
            symbol,
            BUY,
            sizing,
            self._finite(f"{symbol}: target", target),
            NAN if limit is None else self._positive(f"{symbol}: limit", limit),
            NAN if stop is None else self._positive(f"{symbol}: stop", stop),
            tif,
            NEVER if until is None and tif == "GTC" else self._until(tif, until),
            False,
            TARGET,
            tag,
        )

    def _ask(
        self,
        symbol: str,
        side: int,
        sizing: int,
        request: float,
        limit: float,
        stop: float,
        tif: str | TimeInForce,
        until: int,
        reduce_only: bool,
        origin: int,
        tag: str | None,
    ) -> Order | None:
        number, key = self._numbers[symbol], self.handle.key
        label = NONE if tag is None else self._tag(tag)
        while (
            code := self._submit(
                key, number, side, sizing, request, limit, stop, TIF[tif], until, reduce_only, origin, label
            )
        ) == FULL:
            grow(self.handle)
        if code > 0:
            return Order(self, code)
        if code == NOTHING_TO_DO:
            return None
        if code == NO_PRICE:
            raise OrderError(
                f"{symbol} has no price yet at {self._now()}; a size by value or percent needs one. Wait for its first bar."
            )
        raise OrderError(
            f"{symbol}: a target or size that is resolved at the fill (orders.valuation = 'fill_price') cannot wait for a limit or stop."
        )

    def _until(self, tif: str | TimeInForce, until: datetime | date | None) -> int:
        if tif not in TIF:
            raise OrderError(
                f"tif={tif!r} is not a time in force.{nearest(str(tif), ('DAY', 'GTC', 'GTD'))} There are DAY, GTC and GTD."
            )
        if TIF[tif] != TimeInForce.GTD:
            if until is not None:
                raise OrderError("until= belongs to tif='GTD'.")
            return NEVER
        if until is None:
            raise OrderError("tif='GTD' needs until=, a datetime (or a date: the end of that day).")
        if not isinstance(until, datetime):
            until = datetime(until.year, until.month, until.day, 23, 59, 59, 999999, tzinfo=self._zone)
        moment = until if until.tzinfo else until.replace(tzinfo=self._zone)
        difference = moment - datetime(1970, 1, 1, tzinfo=UTC)
        time = (difference.days * 86_400 + difference.seconds) * 1_000_000_000 + difference.microseconds * 1_000
        if time <= self.handle.state.clock[NOW]:
            raise OrderError(f"until={until} is not later than now, {self._now()}.")
        return time

    def _now(self) -> datetime:
        return instant(int(self.handle.state.clock[NOW]), self._zone)

    def _tag(self, tag: str) -> int:
        number = self._tag_numbers.get(tag)
        if number is None:
            number = self._tag_numbers[tag] = len(self.tags)
            self.tags.append(str(tag))
        return number

    @staticmethod
    def _finite(what: str, number: Any) -> float:
        try:
            value = float(number) if not isinstance(number, str | bytes) else NAN
        except (TypeError, ValueError):
            value = NAN
        if not math.isfinite(value):
            raise OrderError(f"{what} must be a finite number, not {number!r}.")
        return value

    @classmethod
    def _positive(cls, what: str, number: Any) -> float:
        value = cls._finite(what, number)
        if value <= 0.0:
            raise OrderError(f"{what} must be above 0, not {number!r}; the side says the direction.")
        return value


_NUMBERS = (float, int)
