"""Requests to the broker: what may be asked for, checked and in the kernel's terms."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

from ml4t.backtest.clock import instant
from ml4t.backtest.enums import Basis, OrderType, Ratchet, Sizing, TimeInForce, Trigger
from ml4t.backtest.errors import OrderError, nearest
from ml4t.backtest.number import NAN, counted
from ml4t.backtest.price import NOWHERE, Distance, Level, Offset, Placed, Reference, Trail, placed
from ml4t.backtest.tables import NEVER, NOW, State

if TYPE_CHECKING:
    from ml4t.backtest.exits import Exits, Ladder
    from ml4t.backtest.order import Order


class RareTerms(TypedDict, total=False):
    """What orders may have beside the usual terms. docs/orders.md explains each."""

    touch: Level | None
    activation: Level | None
    bars: int | None
    post_only: bool
    stop_loss: Distance | None
    take_profit: "Distance | Ladder | None"
    trail: Distance | Trail | None
    break_even: Distance | None
    max_bars: int | None
    exits: "Exits | None"
    client_id: str | None


class OrderTerms(RareTerms, total=False):
    """What `buy` and `sell` take beside their named arguments."""

    fraction: float | None
    funds: float | None
    parent: "Order | int | str | None"
    lot: int | None


class TargetTerms(RareTerms, total=False):
    """What a target order may have beside its target."""

    limit: Level | None
    stop: Level | Trail | None
    tif: str | TimeInForce
    until: datetime | date | None
    reduce_only: bool
    tag: str | None


ORDER_NAMES = frozenset(OrderTerms.__annotations__)
TARGET_NAMES = frozenset(TargetTerms.__annotations__)
TIF = {name: int(tif) for tif in TimeInForce for name in (tif.name, tif.name.lower(), tif)}
MARKET_OR_LIMIT = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS)
# plain ints: an enum member costs more to pass than the kernel needs for an order
GTC = int(TimeInForce.GTC)
GTD = int(TimeInForce.GTD)  # times in force after it have terms of their own
QUANTITY, VALUE, PERCENT = int(Sizing.QUANTITY), int(Sizing.VALUE), int(Sizing.PERCENT)
OF_PARENT, FUNDS = int(Sizing.PARENT), int(Sizing.FUNDS)
SIZES = {QUANTITY: "quantity", VALUE: "value", PERCENT: "percent", OF_PARENT: "fraction", FUNDS: "funds"}


class Ticket(NamedTuple):
    """The terms that only some orders have, in the order of `tables.KIND` and those after it."""

    kind: float = float(OrderType.MARKET)
    limit_basis: float = float(Basis.PRICE)
    stop_basis: float = float(Basis.PRICE)
    activation: float = NAN
    activation_basis: float = float(Basis.PRICE)
    trail: float = NAN
    trail_is_rate: float = 0.0
    ratchet: float = float(Ratchet.PATH)
    post_only: float = 0.0
    delay: float = 0.0
    bars: float = 0.0
    parent: float = 0.0
    fraction: float = 1.0
    before: float = 0.0
    oco: float = 0.0
    lot: float = 0.0

    def linked(self, parent: int, fraction: float, before: float = 0.0, oco: int = 0) -> "Ticket":
        """The same with a parent and a group. `before`: the fraction of the parent's fills that earlier rungs are for."""
        return self._replace(parent=parent, fraction=fraction, before=before, oco=oco)


class Prices(NamedTuple):
    """The prices of one order, and the ticket with the rest."""

    limit: float
    stop: float
    ticket: Ticket


def check_names(method: str, terms: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raises OrderError where a term does not exist."""
    for name in sorted(terms.keys() - known):
        raise OrderError(
            f"{method} has no argument {name!r}.{nearest(name, known)} See docs/orders.md: {', '.join(sorted(known))}."
        )


def size_of(symbol: str, quantity: Any, value: Any, percent: Any, terms: Mapping[str, Any]) -> tuple[int, float]:
    """How the size is given, and the number, which is not checked yet. Raises OrderError."""
    given = {QUANTITY: quantity, VALUE: value, PERCENT: percent}
    given |= {OF_PARENT: terms.get("fraction"), FUNDS: terms.get("funds")}
    sizes = {sizing: size for sizing, size in given.items() if size is not None}
    has_parent = terms.get("parent") is not None
    if OF_PARENT in sizes and not has_parent:
        raise OrderError(f"{symbol}: fraction= is a part of what a parent fills; it needs parent=.")
    if not sizes and has_parent:
        return OF_PARENT, 1.0
    if len(sizes) != 1:
        also = ", or fraction of the parent's fills" if has_parent else ""
        raise OrderError(f"{symbol}: give exactly one of quantity, value, percent and funds{also}.")
    return sizes.popitem()


def expiry(tif: Any, until: datetime | date | None, state: State, zone: ZoneInfo) -> tuple[int, int]:
    """Time in force and the end of it, UTC nanoseconds. Raises OrderError."""
    if tif not in TIF:
        names = [each.name for each in TimeInForce]
        raise OrderError(f"tif={tif!r} is not a time in force.{nearest(str(tif), names)} There are {', '.join(names)}.")
    if TIF[tif] != TimeInForce.GTD:
        if until is not None:
            raise OrderError("until= belongs to tif='GTD'.")
        return TIF[tif], NEVER
    if until is None:
        raise OrderError("tif='GTD' needs until=, a datetime (or a date: the end of that day).")
    time = moment_ns(until, zone)
    if time <= state.clock[NOW]:
        raise OrderError(f"until={until} is not later than now, {instant(int(state.clock[NOW]), zone)}.")
    return TIF[tif], time


def moment_ns(until: datetime | date, zone: ZoneInfo) -> int:
    """The moment, or the end of the date, as UTC nanoseconds."""
    if not isinstance(until, datetime):
        until = datetime(until.year, until.month, until.day, 23, 59, 59, 999999, tzinfo=zone)
    moment = until if until.tzinfo else until.replace(tzinfo=zone)
    difference = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (difference.days * 86_400 + difference.seconds) * 1_000_000_000 + difference.microseconds * 1_000


def prices(terms: Mapping[str, Any], tif: int, reference: Reference) -> Prices:
    """Every price of an order, and what else the kernel does not get as an argument. Raises OrderError."""
    symbol, stop, touch = reference.symbol, terms.get("stop"), terms.get("touch")
    if stop is not None and touch is not None:
        raise OrderError(f"{symbol}: stop= and touch= are two triggers; an order has one. Link two orders with oco().")
    trigger = _trigger(stop, touch)
    limit = _limit(terms.get("limit"), trigger, reference)
    has_limit = limit is not NOWHERE
    kind = OrderType(2 * trigger + has_limit)
    activation = _activation(terms.get("activation"), stop, trigger, reference)
    post_only = bool(terms.get("post_only"))
    if post_only and kind != OrderType.LIMIT:
        raise OrderError(f"{symbol}: post_only= belongs to a limit order without trigger, not to {kind.name.lower()}.")
    if post_only and tif in MARKET_OR_LIMIT:
        raise OrderError(
            f"{symbol}: post_only= belongs to an order that may rest; tif='{TimeInForce(tif).name}' fills at one moment. Leave one out."
        )
    if tif in MARKET_OR_LIMIT and trigger != Trigger.NONE:
        raise OrderError(
            f"{symbol}: tif='{TimeInForce(tif).name}' is for market and limit orders, not for {kind.name.lower()}."
        )
    level = NOWHERE
    if trigger == Trigger.TOUCH:
        level = _near(f"{symbol}: touch", touch, reference)
    elif trigger == Trigger.STOP:
        level = _near(f"{symbol}: stop", stop, reference)
    ticket = Ticket(
        kind=int(kind),
        limit_basis=limit.basis,
        stop_basis=level.basis,
        activation=activation.value,
        activation_basis=activation.basis,
        post_only=post_only,
        bars=_bars(symbol, terms.get("bars"), tif),
        lot=0 if terms.get("lot") is None else terms["lot"],
        **(trail_terms(stop, reference) if isinstance(stop, Trail) else {}),
    )
    return Prices(limit.value, level.value, ticket)


def trail_terms(trail: Trail, reference: Reference) -> dict[str, float]:
    """The fields of a ticket that say how a stop trails."""
    size, is_rate = reference.size(f"{reference.symbol}: trail", trail)
    return {"trail": size, "trail_is_rate": is_rate, "ratchet": float(Ratchet[str(trail.ratchet).upper()])}


def _trigger(stop: Any, touch: Any) -> Trigger:
    if isinstance(stop, Trail):
        return Trigger.TRAIL
    if stop is not None:
        return Trigger.STOP
    return Trigger.NONE if touch is None else Trigger.TOUCH


def _limit(limit: Any, trigger: Trigger, reference: Reference) -> Placed:
    what = f"{reference.symbol}: limit"
    if isinstance(limit, Offset) and limit.of == "stop" and trigger == Trigger.NONE:
        raise OrderError(f"{what}: of='stop' needs stop= or touch=.")
    return placed(what, limit, reference, "stop" if trigger == Trigger.TRAIL else "last")


def _near(what: str, level: Any, reference: Reference) -> Placed:
    """The price of a trigger or an activation."""
    if isinstance(level, Offset) and level.of == "stop":
        raise OrderError(f"{what}: of='stop' is for limits; name another reference.")
    return placed(what, level, reference)


def _activation(given: Any, stop: Any, trigger: Trigger, reference: Reference) -> Placed:
    what = f"{reference.symbol}: activation"
    own = stop.activation if trigger == Trigger.TRAIL else None
    if given is not None and own is not None:
        raise OrderError(f"{what}: it is given in Trail, too; give it once.")
    if given is not None and trigger == Trigger.NONE:
        raise OrderError(f"{what}: it wakes a trigger; give stop= or touch=, too.")
    return _near(what, own if given is None else given, reference)


def _bars(symbol: str, bars: Any, tif: int) -> int:
    if tif != TimeInForce.BARS:
        if bars is not None:
            raise OrderError(f"{symbol}: bars= belongs to tif='BARS'.")
        return 0
    if bars is None:
        raise OrderError(f"{symbol}: tif='BARS' needs bars=, a number of bars.")
    return counted(f"{symbol}: bars", bars)
