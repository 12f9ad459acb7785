"""The broker: what a strategy may ask for."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Unpack
from weakref import proxy

from ml4t.backtest import rebalance
from ml4t.backtest._jit import Handle
from ml4t.backtest.desk import EXIT_ORIGINS, Desk, Owner
from ml4t.backtest.enums import Origin, Side, Sizing, TimeInForce, Trigger
from ml4t.backtest.errors import OrderError
from ml4t.backtest.exits import Exits, check_rules, checked_exits, legs
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.request import (
    GROUP_TOO_LARGE,
    MOST_MEMBERS,
    NO_SUCH_PRICE,
    NOT_ABOVE_FILLED,
    NOT_LIVE,
    NOTHING_TO_DO,
)
from ml4t.backtest.kernel.rounding import NEARLY_WHOLE
from ml4t.backtest.number import NAN, PLAIN, finite, given_or_none, positive
from ml4t.backtest.order import Order
from ml4t.backtest.price import Level, Offset, Price, Reference, Trail
from ml4t.backtest.request import (
    FUNDS,
    GTC,
    GTD,
    ORDER_NAMES,
    PERCENT,
    QUANTITY,
    SIZES,
    TARGET_NAMES,
    OrderTerms,
    TargetTerms,
    check_names,
    size_of,
)
from ml4t.backtest.tables import LIVE, NEVER, NONE

# plain ints: an enum member costs more to pass than the kernel needs for an order
BUY, SELL, CLOSE = int(Side.BUY), int(Side.SELL), int(Sizing.CLOSE)
TARGET_QUANTITY, TARGET_VALUE = int(Sizing.TARGET_QUANTITY), int(Sizing.TARGET_VALUE)
TARGET_PERCENT = int(Sizing.TARGET_PERCENT)
STRATEGY, TARGET, CLOSING = int(Origin.STRATEGY), int(Origin.TARGET), int(Origin.CLOSE)


class Broker:
    """What a strategy may ask for. Every request is decided by the kernel; docs/orders.md shows each kind of order.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Dip(Strategy):
    ...     def on_bar(self):
    ...         if not self.portfolio.positions and not self.broker.orders():
    ...             self.broker.buy("SPX", percent=0.5, limit=self.data.close("SPX") * 0.99, tif="DAY")
    >>> run(Dip(), us_indices()).fills.height
    1
    """

    def __init__(self, handle: Handle, symbols: tuple[str, ...], timezone: str, owner: Owner) -> None:
        self._desk = Desk(handle, symbols, timezone, owner)
        self.handle = handle
        self.symbols = symbols
        self.register = self._desk.register
        self._numbers = self._desk.numbers
        self._owner: Owner = proxy(owner)  # which holds the broker: a cycle would keep the tables of a run
        self._submit = entry_point("submit")
        self._under_way = entry_point("under_way")

    # -------------------------------------------------------------------------------------------------------- requests
    def buy(
        self,
        symbol: str,
        quantity: float | None = None,
        *,
        value: float | None = None,
        percent: float | None = None,
        limit: Level | None = None,
        stop: Level | Trail | None = None,
        tif: str | TimeInForce = "GTC",
        until: datetime | date | None = None,
        reduce_only: bool = False,
        tag: str | None = None,
        **more: Unpack[OrderTerms],
    ) -> Order | None:
        """A new order to buy `quantity` units, or units worth `value`, or worth `percent` (a fraction) of equity.

        None where the size comes to zero units. Prices are numbers or `Offset`; docs/orders.md shows every kind of order.

        - `stop`: a price or a `Trail`; `tif`: "GTC", "DAY", "GTD" with until, "BARS" with bars, "IOC", "FOK", "OPG", "CLS"
        - lot: the only one that it may close (docs/semantics/lots.md)
        - funds, instead of a size: that share of what the account can pay, at the fill
        - more: touch, activation, bars, post_only, parent, fraction (of what the parent fills), client_id, and the exits of what it opens:
          stop_loss, take_profit, trail, break_even, max_bars, or all of them as exits=Exits(...)

        Raises:
            OrderError: not exactly one size; a size or price that is not positive and finite; terms that contradict each other.
            UnknownSymbolError: the run has no such symbol.

        """
        sized_or_priced = value is not None or percent is not None or limit is not None or stop is not None
        if not (sized_or_priced or more or reduce_only or tif != "GTC" or until is not None or tag is not None):
            return self._plain(BUY, symbol, quantity)
        return self._order(
            BUY, STRATEGY, QUANTITY, symbol, quantity, value, percent, limit, stop, tif, until, reduce_only, tag, more
        )

    def sell(
        self,
        symbol: str,
        quantity: float | None = None,
        *,
        value: float | None = None,
        percent: float | None = None,
        limit: Level | None = None,
        stop: Level | Trail | None = None,
        tif: str | TimeInForce = "GTC",
        until: datetime | date | None = None,
        reduce_only: bool = False,
        tag: str | None = None,
        **more: Unpack[OrderTerms],
    ) -> Order | None:
        """A new order to sell; arguments, answer and errors as for `buy`."""
        sized_or_priced = value is not None or percent is not None or limit is not None or stop is not None
        if not (sized_or_priced or more or reduce_only or tif != "GTC" or until is not None or tag is not None):
            return self._plain(SELL, symbol, quantity)
        return self._order(
            SELL, STRATEGY, QUANTITY, symbol, quantity, value, percent, limit, stop, tif, until, reduce_only, tag, more
        )

    def place(
        self,
        symbol: str,
        side: int,
        sizing: int,
        size: float,
        *,
        limit: float = NAN,
        stop: float = NAN,
        tif: int = GTC,
        bars: int = 0,
        tag: int = NONE,
        stop_loss: float = NAN,
        take_profit: float = NAN,
        trail: float = NAN,
        max_bars: int = 0,
        stop_is_price: bool = False,
        reduce_only: bool = False,
    ) -> Order | None:
        """A new order whose terms are all numbers, as columns hold them; NaN and 0 stand for a term that is not given.

        - side 1 or -1; sizing `Sizing.QUANTITY`, `VALUE` or `PERCENT`; tif a `TimeInForce` without until; tag of `register.tag(name)`
        - stop_loss, take_profit and trail are rates; with `stop_is_price` the first two are prices

        Raises:
            OrderError: as for `buy`.
            UnknownSymbolError: the run has no such symbol.

        """
        has_exits = max_bars > 0 or not (math.isnan(stop_loss) and math.isnan(take_profit) and math.isnan(trail))
        has_prices = not (math.isnan(limit) and math.isnan(stop))
        is_usual = not (has_exits or has_prices) and self._owner.exit_rules is None and tif <= GTC
        if is_usual and 0.0 < size < math.inf:
            terms = (side, sizing, size, NAN, NAN, tif, NEVER, reduce_only, STRATEGY, tag, 0)
            code = self._submit(self.handle.key, self._numbers[symbol], *terms)
            if code > 0:
                return Order(self, code)
        far = Price if stop_is_price else float
        given = {
            "limit": given_or_none(limit),
            "stop": given_or_none(stop),
            "bars": bars or None,
            "stop_loss": None if math.isnan(stop_loss) else far(stop_loss),
            "take_profit": None if math.isnan(take_profit) else far(take_profit),
            "trail": given_or_none(trail),
            "max_bars": max_bars or None,
        }
        usual = {"tif": TimeInForce(tif), "until": None, "reduce_only": reduce_only, "tag": tag}
        size = positive(f"{symbol}: {SIZES[sizing]}", size)
        code = self._desk.order(symbol, side, sizing, size, STRATEGY, {**usual, **given})
        return Order(self, code) if code else None

    def is_under_way(self, symbol: str) -> bool:
        """Whether an order of the symbol is live that is more than an exit of a position."""
        return bool(self._under_way(self.handle.key, self._numbers[symbol]))

    def order_target_quantity(self, symbol: str, target: float, **terms: Unpack[TargetTerms]) -> Order | None:
        """An order for the difference between the position and `target` signed units; None where there is none.

        It replaces the symbol's live target order. `terms`: as for `buy`, but for sizes and parent.
        """
        return self._target(TARGET_QUANTITY, symbol, target, **terms)

    def order_target_value(self, symbol: str, target: float, **terms: Unpack[TargetTerms]) -> Order | None:
        """As `order_target_quantity`, for a position worth `target` (signed, account currency)."""
        return self._target(TARGET_VALUE, symbol, target, **terms)

    def order_target_percent(self, symbol: str, target: float, **terms: Unpack[TargetTerms]) -> Order | None:
        """As `order_target_quantity`, for a position worth the fraction `target` of equity (1.0: all of it; signed)."""
        return self._target(TARGET_PERCENT, symbol, target, **terms)

    def rebalance(
        self,
        weights: Mapping[str, float],
        *,
        minimum_trade: float = 0.0,
        drift: float = 0.0,
        cash_buffer: float = 0.0,
        **terms: Unpack[TargetTerms],
    ) -> list[Order]:
        """Orders towards these weights (signed fractions of equity), reductions first; what is held and not named is closed.

        - Weights are taken of equity · (1 − cash_buffer), in whole lots, never more than the weight.
        - A symbol whose weight misses its target by `drift` or less, or by less than `minimum_trade` in value, is left alone.
          A target of 0 is always traded.
        - Target orders of before that still live are cancelled or replaced.

        Raises:
            OrderError: a weight or limit is not finite; a term makes no sense.
            UnknownSymbolError: the run has no such symbol.

        """
        limits = rebalance.band(minimum_trade, drift, cash_buffer)
        changes = rebalance.targets(self.handle.state, self._numbers, weights, limits)
        traded = {number for number, _ in changes}
        for number, symbol in enumerate(self.symbols):
            if number not in traded:
                self.cancel_target(symbol)
        orders = [self._target(TARGET_PERCENT, self.symbols[n], weight, **terms) for n, weight in changes]
        return [order for order in orders if order is not None]

    def cancel_target(self, symbol: str) -> None:
        """The symbol has no live target order."""
        for order in self.orders(symbol) if self.is_under_way(symbol) else ():
            if order.origin == Origin.TARGET:
                self.cancel(order)

    def close(self, symbol: str, *, tag: str | None = None) -> Order | None:
        """A market order that closes the position as it is when it fills; None where the position is flat."""
        terms = (0.0, NAN, NAN, GTC, NEVER, 1, CLOSING, self._desk.label(tag), 0)
        code = self._desk.send(self._numbers[symbol], BUY, CLOSE, *terms)
        return Order(self, code) if code else None

    def protect(self, symbol: str, exits: Exits | None = None, **given: Any) -> list[Order]:
        """The orders that are now the position's exits: for its quantity, from the next bar on. Empty where it is flat.

        Rules as arguments of `Exits` or as `exits`. What is measured from the "fill" is measured from the position's average price here.
        The exits that the position has are cancelled; those of orders that have not filled stay.

        Raises:
            OrderError: no rule; a rule that makes no sense.

        """
        number, state = self._numbers[symbol], self.handle.state
        if exits is None:
            check_rules({name: value for name, value in given.items() if name != "basis"})
            exits = Exits(**given)
        elif given:
            raise OrderError(f"{symbol}: exits= and {next(iter(given))}= are two answers; put all into Exits(...).")
        if not checked_exits(exits):
            raise OrderError(f"{symbol}: protect() needs a rule, such as stop_loss=0.05.")
        held = float(state.positions.quantity[number])
        if held == 0.0:
            return []
        side = BUY if held > 0.0 else SELL
        rings = list(legs(exits, side, Reference(self.handle, symbol, number), exits.basis))
        for order in self.orders(symbol):
            waits = order.parent is not None and not order.parent.filled_quantity
            if order.origin in EXIT_ORIGINS and not waits and order.is_live:
                self.cancel(order)
        left, orders = abs(held), list[int]()
        for nth, (fraction, ring) in enumerate(rings, 1):
            quantity = left if nth == len(rings) else min(left, self._lots(number, fraction * abs(held)))
            left -= quantity
            if quantity > 0.0:
                orders += self._desk.ring(number, -side, QUANTITY, quantity, ring, 0)
        return [Order(self, order) for order in orders]

    def oco(self, first: Order | int | str, *others: Order | int | str) -> None:
        """The orders are one group: what one fills, the others lose; one that is filled cancels the others.

        Raises:
            OrderError: fewer than two different orders, or one that is not live.

        """
        numbers = [self._desk.find(order).id for order in (first, *others)]
        if len(set(numbers)) < max(2, len(numbers)):
            raise OrderError(f"oco() links two or more different orders, not {numbers}.")
        for number in numbers:
            self._require_live(number, "linked")
        for number in numbers[1:]:
            if self._desk.ask("link", numbers[0], number) == GROUP_TOO_LARGE:
                raise OrderError(f"oco(): a group has at most {MOST_MEMBERS} orders.")

    def cancel(self, order: Order | int | str) -> None:
        """The order is cancelled, at once or after `orders.latency.cancel`. Raises OrderError where it is not live."""
        number = self._desk.find(order).id
        if self._desk.ask("cancel", number) == NOT_LIVE:
            self._require_live(number, "cancelled")

    def cancel_all(self, symbol: str | None = None, tag: str | None = None) -> list[Order]:
        """The live orders, of one symbol or tag or of all, are cancelled; they are returned."""
        chosen = [order for order in self.orders(symbol) if tag is None or order.tag == tag]
        for order in chosen:
            if order.is_live:  # a child ends with its parent
                self.cancel(order)
        return chosen

    def replace(
        self,
        order: Order | int | str,
        *,
        quantity: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        touch: float | None = None,
    ) -> None:
        """The order has the given terms; it keeps its id and priority, and is eligible as if it were new.

        Raises:
            OrderError: the order is not live, has no such price, or has filled as much as `quantity` already.

        """
        view = self._desk.find(order)
        number, trigger = view.id, view.type // 2
        for what, given in (("limit", limit), ("stop", stop), ("touch", touch)):
            if isinstance(given, Offset):
                raise OrderError(
                    f"replace: {what} is a price, not an Offset; reckon it, or cancel {view} and place a new one."
                )
        if trigger == Trigger.TRAIL and stop is not None:
            raise OrderError(f"{view}: its stop follows the market; cancel it and place a new one.")
        if touch is not None:
            if trigger != Trigger.TOUCH or stop is not None:
                raise OrderError(f"{view} has no touch price.")
            stop = touch
        elif trigger == Trigger.TOUCH and stop is not None:
            raise OrderError(f"{view} waits for a touch: replace touch=.")
        terms = [
            NAN if x is None else positive(what, x)
            for what, x in (("quantity", quantity), ("limit", limit), ("stop", stop))
        ]
        if all(math.isnan(x) for x in terms):
            raise OrderError("replace: give at least one of quantity, limit, stop and touch.")
        code = self._desk.ask("replace", number, *terms)
        if code == NOT_LIVE:
            self._require_live(number, "replaced")
        if code == NO_SUCH_PRICE:
            raise OrderError(
                f"{self.order(number)} has no such price (a stop is gone once it is triggered); cancel it and place a new one."
            )
        if code == NOT_ABOVE_FILLED:
            raise OrderError(
                f"{self.order(number)} has filled {self.order(number).filled_quantity:g} already; ask for more than that."
            )

    # ----------------------------------------------------------------------------------------------------------- views
    def order(self, number: int | str) -> Order:
        """View of the order with this id or client id. Raises OrderError where there is none."""
        return self._desk.find(number)

    def orders(self, symbol: str | None = None) -> list[Order]:
        """The live orders, of one symbol or of all, in the order of submission."""
        if symbol is None and self.handle.state.clock[LIVE] == 0:
            return []
        numbers = range(len(self.symbols)) if symbol is None else (self._numbers[symbol],)
        return [Order(self, number) for number in sorted(id_ for each in numbers for id_ in self._desk.live(each))]

    # ---------------------------------------------------------------------------------------------------------- checks
    def _plain(self, side: int, symbol: str, quantity: Any) -> Order | None:
        """Most orders, a quantity at the market, without the questions that others raise."""
        if quantity.__class__ in PLAIN and 0.0 < quantity < math.inf and self._owner.exit_rules is None:
            number = self._numbers[symbol]
            code = self._submit(
                self.handle.key, number, side, QUANTITY, quantity, NAN, NAN, GTC, NEVER, 0, STRATEGY, NONE, 0
            )
            if code > 0:
                return Order(self, code)
        # it makes room, or says what is wrong
        return self._order(
            side, STRATEGY, QUANTITY, symbol, quantity, None, None, None, None, "GTC", None, False, None, {}
        )

    def _target(
        self,
        sizing: int,
        symbol: str,
        target: float,
        limit: Any = None,
        stop: Any = None,
        tif: Any = "GTC",
        until: Any = None,
        reduce_only: bool = False,
        tag: str | None = None,
        **more: Any,
    ) -> Order | None:
        if more:
            check_names("a target order", more, TARGET_NAMES)
        size = finite(f"{symbol}: target", target)
        return self._order(
            BUY, TARGET, sizing, symbol, size, None, None, limit, stop, tif, until, reduce_only, tag, more
        )

    def _order(
        self,
        side: int,
        origin: int,
        sizing: int,
        symbol: str,
        size: Any,
        value: float | None,
        percent: float | None,
        limit: Any,
        stop: Any,
        tif: Any,
        until: Any,
        reduce_only: bool,
        tag: str | None,
        more: Mapping[str, Any],
    ) -> Order | None:
        """Usual terms go to the kernel from here, as fast as they can; with any other, the desk takes the order."""
        is_usual = not more and self._owner.exit_rules is None
        if origin == STRATEGY:
            if more or size is None or value is not None or percent is not None:
                if not more and size is None and value is None and percent is not None:
                    sizing, size = PERCENT, percent
                else:
                    check_names("sell" if side == SELL else "buy", more, ORDER_NAMES)
                    sizing, size = size_of(symbol, size, value, percent, more)
            if size.__class__ not in PLAIN or not 0.0 < size < math.inf:
                size = size if (sizing, size) == (FUNDS, math.inf) else positive(f"{symbol}: {SIZES[sizing]}", size)
        life, end, near, trigger = GTC, NEVER, NAN, NAN
        if until is not None or tif != "GTC":
            life, end = self._desk.expiry(tif, until)
            is_usual = is_usual and life <= GTD
        if limit is not None:
            near = limit
            is_usual = is_usual and limit.__class__ in PLAIN and 0.0 < limit < math.inf
        if stop is not None:
            trigger = stop
            is_usual = is_usual and stop.__class__ in PLAIN and 0.0 < stop < math.inf
        if not is_usual:
            usual = {"limit": limit, "stop": stop, "tif": tif, "until": until, "reduce_only": reduce_only, "tag": tag}
            code = self._desk.order(symbol, side, sizing, size, origin, {**usual, **more})
            return Order(self, code) if code else None
        label = NONE if tag is None else self.register.tag(tag)
        number = self._numbers[symbol]
        code = self._submit(
            self.handle.key, number, side, sizing, size, near, trigger, life, end, reduce_only, origin, label, 0
        )
        if code <= 0 and code != NOTHING_TO_DO:  # the desk makes room, or says why
            code = self._desk.send(number, side, sizing, size, near, trigger, life, end, reduce_only, origin, label, 0)
        return Order(self, code) if code > 0 else None

    def _require_live(self, number: int, what: str) -> None:
        order = self.order(number)
        if not order.is_live:
            raise OrderError(
                f"Order {number} is not live ({order.state.name.lower()}); only live orders can be {what}."
            )

    def _lots(self, symbol: int, quantity: float) -> float:
        """The quantity in whole lots."""
        lot = float(self.handle.state.instruments.lot_size[symbol])
        return quantity if lot == 0.0 else math.floor(quantity / lot * (1.0 + NEARLY_WHOLE)) * lot
