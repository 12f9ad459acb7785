"""`self.broker` and orders in compiled code: the same requests as `broker.Broker` takes, as far as they compile."""

import math
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.core.errors import TypingError

from ml4t.backtest.compilation.name import inlined, symbol_number, tag_number
from ml4t.backtest.compilation.order import order_of
from ml4t.backtest.compilation.price import count, flag, number, price, rate, size_of, trail_is_rate, trail_ratchet
from ml4t.backtest.compilation.view import (
    Broker,
    Order,
    Price,
    Trail,
    is_given,
    method,
    number_of,
    state_of,
)
from ml4t.backtest.enums import OrderType, Origin, Ratchet, Sizing, TimeInForce
from ml4t.backtest.kernel import decision
from ml4t.backtest.kernel.decision import order, order_with_exits
from ml4t.backtest.kernel.exit import is_under_way, write_ticket
from ml4t.backtest.request import GTC, MARKET_OR_LIMIT, TIF
from ml4t.backtest.tables import EXIT_BARS, EXIT_EVEN, EXIT_LOSS, EXIT_PROFIT, EXIT_TRAIL, NONE

NAN = math.nan
ON_PATH = int(Ratchet.PATH)
NOT_COMPILED = ("until", "parent", "fraction", "client_id", "exits")
RULES = ("stop_loss", "take_profit", "trail", "break_even", "max_bars")


# -------------------------------------------------------------------------------------------------- parts of a request
def _refuse(given: dict[str, Any]) -> None:
    """Raises TypingError for terms that only Python has."""
    for name in NOT_COMPILED:
        if is_given(given[name]):
            raise TypingError(f"{name}= is not compiled; orders with it are for strategies that are not compiled")


def _size(quantity: Any, value: Any, percent: Any) -> tuple[int, Any]:
    """How the size is given, and what compiled code does to know it."""
    sizes = {Sizing.QUANTITY: quantity, Sizing.VALUE: value, Sizing.PERCENT: percent}
    given = [sizing for sizing, size in sizes.items() if is_given(size)]
    if len(given) != 1:
        raise TypingError("give exactly one of quantity, value and percent")
    plain = number(sizes[given[0]], "a size")
    choose = {
        Sizing.QUANTITY: lambda quantity, value, percent: plain(quantity),
        Sizing.VALUE: lambda quantity, value, percent: plain(value),
        Sizing.PERCENT: lambda quantity, value, percent: plain(percent),
    }
    return int(given[0]), inlined(choose[given[0]])


def _tif(tif: Any) -> tuple[int, Any]:
    """A time in force that is written out: its number, and whether it counts bars."""
    name = tif if isinstance(tif, str) else getattr(tif, "value", None)
    name = getattr(tif, "literal_value", name)
    if isinstance(tif, types.IntEnumMember) or name not in TIF:
        raise TypingError(f"tif is one of {', '.join(t.name for t in TimeInForce)}, written out as a text")
    if TIF[name] == TimeInForce.GTD:
        raise TypingError("tif='GTD' needs a date, which is not compiled; use tif='BARS' with bars=, or 'DAY'")
    return TIF[name], name


def _kind(limit: Any, stop: Any, touch: Any) -> int:
    """The type of the order."""
    if is_given(stop) and is_given(touch):
        raise TypingError("stop= and touch= are two triggers; an order has one")
    trigger = 3 if isinstance(stop, Trail) else 2 if is_given(touch) else 1 if is_given(stop) else 0
    base = {0: OrderType.MARKET, 1: OrderType.STOP, 2: OrderType.MARKET_IF_TOUCHED, 3: OrderType.TRAILING_STOP}[trigger]
    return int(base) + is_given(limit)


def _trigger(stop: Any, touch: Any) -> Any:
    """What compiled code does to know the trigger's price."""
    if isinstance(stop, Trail):
        return inlined(lambda state, stop, touch: NAN)
    if is_given(touch):
        near = price(touch)
        return inlined(lambda state, stop, touch: near(state, touch))
    near = price(stop)
    return inlined(lambda state, stop, touch: near(state, stop))


def _trail(stop: Any) -> tuple[Any, Any, Any]:
    """What compiled code does to know distance, whether that is a rate, and ratchet of a trailing stop."""
    if isinstance(stop, Trail):
        return size_of, trail_is_rate, trail_ratchet
    return inlined(lambda stop: NAN), inlined(lambda stop: 0), inlined(lambda stop: ON_PATH)


def _ticket(kind: int, tif: int, terms: dict[str, Any]) -> tuple[int, Any]:
    """1 where the order needs a ticket, and what compiled code does to write it."""
    activation, stop, post_only, bars = (terms[name] for name in ("activation", "stop", "post_only", "bars"))
    is_rare = kind > OrderType.STOP_LIMIT or is_given(activation) or is_given(bars) or tif >= TimeInForce.IOC
    posts = is_given(post_only) and post_only is not False
    if (tif == TimeInForce.BARS) != is_given(bars):
        raise TypingError("bars= and tif='BARS' belong together")
    if is_given(activation) and kind < OrderType.STOP:
        raise TypingError("activation= wakes a trigger; give stop= or touch=, too")
    if posts and kind != OrderType.LIMIT:
        raise TypingError("post_only= belongs to a limit order without trigger")
    if tif in MARKET_OR_LIMIT and posts:
        raise TypingError("post_only= belongs to an order that may rest, not to IOC, FOK, OPG or CLS")
    if tif in MARKET_OR_LIMIT and kind > OrderType.LIMIT:
        raise TypingError("IOC, FOK, OPG and CLS are for market and limit orders")
    if not (is_rare or posts):
        return 0, inlined(lambda state, activation, stop, post_only, bars: 0)
    wake, only, length = price(activation), flag(post_only), count(bars)
    distance, is_rate, ratchet = _trail(stop)

    def write(state, activation, stop, post_only, bars):
        write_ticket(
            state,
            kind,
            wake(state, activation),
            distance(stop),
            is_rate(stop),
            ratchet(stop),
            only(post_only),
            length(state, bars),
        )
        return 1

    return 1, inlined(write)


def _sender(side: int, origin: int, sizing: int, broker: Broker, terms: dict[str, Any]) -> Any:
    """What compiled code does to send an order, with the exits of its own or of the strategy."""
    asset_of, tag, near, trigger = (
        symbol_number(terms["symbol"]),
        tag_number(terms["tag"]),
        price(terms["limit"]),
        _trigger(terms["stop"], terms["touch"]),
    )
    kind = _kind(terms["limit"], terms["stop"], terms["touch"])
    tif, _ = _tif(terms["tif"])
    reduces = flag(terms["reduce_only"])
    is_rare, ticket = _ticket(kind, tif, terms)
    is_own = int(any(is_given(terms[rule]) for rule in RULES))
    if not (is_own or broker.has_exits):

        def plain(broker, symbol, size, limit, stop, touch, activation, reduce_only, tag_, post_only, bars, *exits):
            state = state_of(broker)
            level, wait = near(state, limit), trigger(state, stop, touch)
            ticket(state, activation, stop, post_only, bars)
            asset = asset_of(state, symbol)
            return order(
                state,
                asset,
                side,
                sizing,
                size,
                level,
                wait,
                tif,
                reduces(reduce_only),
                origin,
                tag(state, tag_),
                is_rare,
            )

        return inlined(plain)
    loss, profit, trail, even, bars_held, follows, prices = _exits(terms, is_own=bool(is_own))

    def guarded(broker, symbol, size, limit, stop, touch, activation, reduce_only, tag_, post_only, bars, *exits):
        state = state_of(broker)
        level, wait = near(state, limit), trigger(state, stop, touch)
        ticket(state, activation, stop, post_only, bars)
        asset = asset_of(state, symbol)
        return order_with_exits(
            state,
            asset,
            side,
            sizing,
            size,
            level,
            wait,
            tif,
            reduces(reduce_only),
            origin,
            tag(state, tag_),
            is_rare,
            loss(state, exits[0]),
            profit(state, exits[1]),
            trail(state, exits[2]),
            even(state, exits[3]),
            bars_held(state, exits[4]),
            follows,
            prices,
            is_own,
        )

    return inlined(guarded)


def _exits(terms: dict[str, Any], *, is_own: bool) -> tuple[Any, ...]:
    """What compiled code does to know each exit; those of the strategy lie in the state."""
    if not is_own:
        own = [inlined(_own(place)) for place in (EXIT_LOSS, EXIT_PROFIT, EXIT_TRAIL, EXIT_EVEN)]
        return *own, inlined(lambda state, bars: int(state.exits[EXIT_BARS])), 1, 0
    for rule in ("take_profit", "break_even"):
        if isinstance(terms[rule], Trail):
            raise TypingError(f"{rule} is a rate or a Price")
    follows = 0 if isinstance(terms["trail"], Trail) else 1
    if isinstance(terms["trail"], Trail | Price) or isinstance(terms["break_even"], Price):
        raise TypingError("as an exit, trail= and break_even= are rates in compiled code")
    prices = isinstance(terms["stop_loss"], Price) + 2 * isinstance(terms["take_profit"], Price)
    found = [inlined(_given(rate(terms[rule]))) for rule in RULES[:4]]
    return *found, count(terms["max_bars"]), follows, prices


def _given(read: Any) -> Callable[..., float]:
    return lambda state, rate: read(rate)


def _own(place: int) -> Callable[..., float]:
    return lambda state, rate: state.exits[place]


# -------------------------------------------------------------------------------------------------------------- requests
def _request(side: int) -> Any:
    def request(
        self: Any,
        symbol: Any,
        quantity: Any = None,
        value: Any = None,
        percent: Any = None,
        limit: Any = None,
        stop: Any = None,
        tif: Any = "GTC",
        until: Any = None,
        reduce_only: Any = False,
        tag: Any = None,
        touch: Any = None,
        activation: Any = None,
        bars: Any = None,
        post_only: Any = False,
        stop_loss: Any = None,
        take_profit: Any = None,
        trail: Any = None,
        break_even: Any = None,
        max_bars: Any = None,
        exits: Any = None,
        parent: Any = None,
        fraction: Any = None,
        client_id: Any = None,
    ) -> Any:
        terms = dict(locals())
        _refuse(terms)
        sizing, size = _size(quantity, value, percent)
        send = _sender(side, int(Origin.STRATEGY), sizing, self, terms)

        def ask(
            self,
            symbol,
            quantity=None,
            value=None,
            percent=None,
            limit=None,
            stop=None,
            tif="GTC",
            until=None,
            reduce_only=False,
            tag=None,
            touch=None,
            activation=None,
            bars=None,
            post_only=False,
            stop_loss=None,
            take_profit=None,
            trail=None,
            break_even=None,
            max_bars=None,
            exits=None,
            parent=None,
            fraction=None,
            client_id=None,
        ):
            amount = size(quantity, value, percent)
            code = send(
                self, symbol, amount, limit, stop, touch, activation, reduce_only, tag, post_only, bars,
                stop_loss, take_profit, trail, break_even, max_bars,
            )  # fmt: skip
            return order_of(self, code)

        return ask

    return request


method(Broker, "buy")(_request(1))
method(Broker, "sell")(_request(-1))


def _target(sizing: Sizing) -> Any:
    def request(
        self: Any,
        symbol: Any,
        target: Any,
        limit: Any = None,
        stop: Any = None,
        tif: Any = "GTC",
        until: Any = None,
        tag: Any = None,
        touch: Any = None,
        activation: Any = None,
        bars: Any = None,
        post_only: Any = False,
        stop_loss: Any = None,
        take_profit: Any = None,
        trail: Any = None,
        break_even: Any = None,
        max_bars: Any = None,
        exits: Any = None,
        client_id: Any = None,
    ) -> Any:
        terms = {**locals(), "reduce_only": False, "parent": None, "fraction": None}
        _refuse(terms)
        wanted = number(target, "a target")
        send = _sender(1, int(Origin.TARGET), int(sizing), self, terms)

        def ask(
            self,
            symbol,
            target,
            limit=None,
            stop=None,
            tif="GTC",
            until=None,
            tag=None,
            touch=None,
            activation=None,
            bars=None,
            post_only=False,
            stop_loss=None,
            take_profit=None,
            trail=None,
            break_even=None,
            max_bars=None,
            exits=None,
            client_id=None,
        ):
            code = send(
                self, symbol, wanted(target), limit, stop, touch, activation, False, tag, post_only, bars,
                stop_loss, take_profit, trail, break_even, max_bars,
            )  # fmt: skip
            return order_of(self, code)

        return ask

    return request


method(Broker, "order_target_quantity")(_target(Sizing.TARGET_QUANTITY))
method(Broker, "order_target_value")(_target(Sizing.TARGET_VALUE))
method(Broker, "order_target_percent")(_target(Sizing.TARGET_PERCENT))


@method(Broker, "close")
def _close(self: Any, symbol: Any, tag: Any = None) -> Any:
    asset_of, label = symbol_number(symbol), tag_number(tag)
    sizing, origin, tif = int(Sizing.CLOSE), int(Origin.CLOSE), int(TimeInForce.GTC)

    def close(self, symbol, tag=None):
        state = state_of(self)
        asset = asset_of(state, symbol)
        return order_of(self, order(state, asset, 1, sizing, 0.0, NAN, NAN, tif, 1, origin, label(state, tag), 0))

    return close


@method(Broker, "place")
def _place(
    self: Any,
    symbol: Any,
    side: Any,
    sizing: Any,
    size: Any,
    limit: Any = NAN,
    stop: Any = NAN,
    tif: Any = GTC,
    bars: Any = 0,
    tag: Any = NONE,
    stop_loss: Any = NAN,
    take_profit: Any = NAN,
    trail: Any = NAN,
    max_bars: Any = 0,
    stop_is_price: Any = False,
    reduce_only: Any = False,
) -> Any:
    asset_of, place = symbol_number(symbol), decision.order_of_numbers

    def ask(
        self,
        symbol,
        side,
        sizing,
        size,
        limit=NAN,
        stop=NAN,
        tif=GTC,
        bars=0,
        tag=NONE,
        stop_loss=NAN,
        take_profit=NAN,
        trail=NAN,
        max_bars=0,
        stop_is_price=False,
        reduce_only=False,
    ):
        state = state_of(self)
        code = place(
            state, asset_of(state, symbol), side, sizing, size, limit, stop, tif, bars, tag, stop_loss, take_profit, trail,
            max_bars, 1 if stop_is_price else 0, 1 if reduce_only else 0,
        )  # fmt: skip
        return order_of(self, code)

    return ask


@method(Broker, "is_under_way")
def _under_way(self: Any, symbol: Any) -> Any:
    asset_of = symbol_number(symbol)
    return lambda self, symbol: is_under_way(state_of(self), asset_of(state_of(self), symbol)) != 0


@method(Broker, "cancel_target")
def _cancel_target(self: Any, symbol: Any) -> Any:
    asset_of, cancel_target = symbol_number(symbol), decision.cancel_target
    return lambda self, symbol: cancel_target(state_of(self), asset_of(state_of(self), symbol))


def _id(given: Any) -> Any:
    if isinstance(given, Order):
        return inlined(lambda order: number_of(order))
    if isinstance(given, types.Integer):
        return inlined(lambda order: order)
    raise TypingError(f"an order is what buy() answered, or an id, and this is a {given}")


@method(Broker, "cancel")
def _cancel(self: Any, order: Any) -> Any:
    id_of, cancel = _id(order), decision.cancel
    return lambda self, order: cancel(state_of(self), id_of(order))


@method(Broker, "cancel_all")
def _cancel_all(self: Any, symbol: Any = None, tag: Any = None) -> Any:
    if is_given(tag):
        raise TypingError("cancel_all(tag=) is not compiled; keep the orders and cancel each")
    cancel_all = decision.cancel_all
    if not is_given(symbol):
        return lambda self, symbol=None, tag=None: cancel_all(state_of(self), NONE)
    asset_of = symbol_number(symbol)
    return lambda self, symbol=None, tag=None: cancel_all(state_of(self), asset_of(state_of(self), symbol))


@method(Broker, "replace")
def _replace(self: Any, order: Any, quantity: Any = None, limit: Any = None, stop: Any = None) -> Any:
    id_of, size, near, trigger, replace = _id(order), price(quantity), price(limit), price(stop), decision.replace

    def change(self, order, quantity=None, limit=None, stop=None):
        state = state_of(self)
        replace(state, id_of(order), size(state, quantity), near(state, limit), trigger(state, stop))

    return change


@method(Broker, "order")
def _order(self: Any, number: Any) -> Any:
    if not isinstance(number, types.Integer):
        raise TypingError("client ids are not compiled; give the order's id")
    return lambda self, number: order_of(self, number)
