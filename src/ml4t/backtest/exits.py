"""Exits: rules that close a position, as the orders they are (docs/semantics/orders.md, Exits)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ml4t.backtest.enums import OrderType, Origin
from ml4t.backtest.errors import OrderError, nearest
from ml4t.backtest.number import counted, finite, positive
from ml4t.backtest.price import NOWHERE, Atr, Distance, Offset, Placed, Price, Reference, Trail, placed
from ml4t.backtest.request import Ticket, trail_terms

Ladder: TypeAlias = Sequence[tuple[Distance | None, float]]

BASES = ("fill", "signal", "average")
RULES = ("stop_loss", "take_profit", "trail", "break_even", "max_bars")
BELOW_ONE = ("stop_loss", "trail")
TOGETHER = 1e-9  # by how much the fractions of a ladder may miss 1: they are sums of floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """The exits of every position that a strategy opens, or of one order. A number is a rate: 0.05 is 5 % from `basis`.

    - stop_loss, take_profit: close at that distance against and in favour of the position; an Atr, Offset or Price works, too
    - take_profit may be a ladder: [(0.05, 0.5), (0.10, 0.5)] closes half at 5 %, half at 10 %; (None, 0.5) leaves half to the other rules
    - trail: a trailing stop from the fill on; a Trail works, too
    - break_even: from that distance in favour on, a stop at `basis`
    - max_bars: a market order, n bars after the bar of the entry
    - profit_by: "limit", or "touch": the take-profit is a market order once its price is touched: it pays slippage,
      and where orders are taken in turn (fills.schedule "queue") it comes after the stops
    - basis: "fill", "signal" (the mark when the order was submitted) or "average" (of the position)

    >>> from ml4t.backtest import Exits, Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Guarded(Strategy):
    ...     exit_rules = Exits(stop_loss=0.05, take_profit=0.10, max_bars=60)
    ...     def on_bar(self):
    ...         if not self.portfolio.positions:
    ...             self.broker.buy("SPX", 10)
    >>> trades = run(Guarded(), us_indices()).trades
    >>> sorted(trades["exit_reason"].drop_nulls().unique())
    ['max_bars', 'stop_loss', 'take_profit']
    """

    stop_loss: Distance | None = None
    take_profit: Distance | Ladder | None = None
    trail: Distance | Trail | None = None
    break_even: Distance | None = None
    max_bars: int | None = None
    profit_by: str = "limit"
    basis: str = "fill"

    def __post_init__(self) -> None:
        if self.profit_by not in ("limit", "touch"):
            raise OrderError(f"Exits: profit_by must be limit or touch, not {self.profit_by!r}.")
        if self.basis not in BASES:
            raise OrderError(f"Exits: basis must be one of {', '.join(BASES)}, not {self.basis!r}.")
        for what in ("stop_loss", "break_even"):
            _check_distance(what, getattr(self, what))
        if not isinstance(self.trail, Trail):
            _check_distance("trail", self.trail)
            if isinstance(self.trail, Price) or (isinstance(self.trail, Offset) and self.trail.of):
                raise OrderError("trail: it is a distance from the best price; give a rate, an amount or an Atr.")
        if self.max_bars is not None:
            counted("max_bars", self.max_bars)
        rungs = self.rungs()
        for level, fraction in rungs:
            _check_distance("take_profit", level)
            positive("take_profit: fraction", fraction)
        total = math.fsum(fraction for _, fraction in rungs)
        if abs(total - 1.0) > TOGETHER:
            raise OrderError(
                f"take_profit: the fractions of a ladder must be 1 together, not {total:g}; what is to stay is a rung (None, fraction)."
            )

    def rungs(self) -> list[tuple[Any, float]]:
        """Take-profit and fraction of each part of the position that leaves on its own."""
        if not isinstance(self.take_profit, Sequence) or isinstance(self.take_profit, str):
            return [(self.take_profit, 1.0)]
        try:
            rungs = [(level, finite("take_profit: fraction", fraction)) for level, fraction in self.take_profit]
        except (TypeError, ValueError) as error:
            if isinstance(error, OrderError):
                raise
            raise OrderError(
                f"take_profit: a ladder is a list of (level, fraction), not {self.take_profit!r}."
            ) from None
        if not rungs:
            raise OrderError("take_profit: a ladder needs rungs, [(level, fraction), ...].")
        return rungs

    def __bool__(self) -> bool:
        return any(getattr(self, rule) is not None for rule in RULES)


class Leg(NamedTuple):
    """One order of an exit."""

    origin: int
    limit: float
    stop: float
    rare: Ticket


def exits_of(terms: Mapping[str, Any]) -> Exits | None:
    """The exits that one call asks for, None where it asks for none. Raises OrderError."""
    given = {rule: terms[rule] for rule in RULES if terms.get(rule) is not None}
    exits = terms.get("exits")
    if exits is None:
        return Exits(**given) if given else None
    if given:
        raise OrderError(f"exits= and {next(iter(given))}= are two answers to one question; put all into Exits(...).")
    return checked_exits(exits)


def checked_exits(exits: Any) -> Exits:
    """The exits. Raises OrderError where they are something else."""
    if not isinstance(exits, Exits):
        raise OrderError(f"exits must be Exits(...), not {exits!r}.")
    return exits


def check_rules(rules: dict[str, Any]) -> None:
    """Raises OrderError where a name is no rule."""
    for name in rules:
        if name not in RULES:
            raise OrderError(f"There is no exit rule {name!r}.{nearest(name, RULES)} There are {', '.join(RULES)}.")


def legs(exits: Exits, side: int, reference: Reference, basis: str) -> Iterator[tuple[float, list[Leg]]]:
    """Fraction and orders of each ring; `side` is that of the position, `basis` what a distance is measured from."""
    for take_profit, fraction in exits.rungs():
        ring = []
        if exits.stop_loss is not None:
            stop = _away("stop_loss", exits.stop_loss, -side, reference, basis)
            ring.append(_leg(Origin.STOP_LOSS, OrderType.STOP, stop=stop))
        level = NOWHERE if take_profit is None else _away("take_profit", take_profit, side, reference, basis)
        is_limit = exits.profit_by == "limit"
        if take_profit is not None and is_limit:
            ring.append(_leg(Origin.TAKE_PROFIT, OrderType.LIMIT, limit=level))
        if exits.trail is not None:
            ring.append(_trailing(exits.trail, side, reference, basis))
        if take_profit is not None and not is_limit:
            ring.append(_leg(Origin.TAKE_PROFIT, OrderType.MARKET_IF_TOUCHED, stop=level))
        if exits.break_even is not None:
            activation = _away("break_even", exits.break_even, side, reference, basis)
            stop = reference.place("break_even", 0.0, False, _measured_from(basis, reference))
            ring.append(_leg(Origin.BREAK_EVEN, OrderType.STOP, stop=stop, activation=activation))
        if exits.max_bars is not None:
            ring.append(_leg(Origin.MAX_BARS, OrderType.MARKET, delay=float(exits.max_bars)))
        yield fraction, ring


def _leg(
    origin: Origin,
    kind: OrderType,
    *,
    limit: Placed = NOWHERE,
    stop: Placed = NOWHERE,
    activation: Placed = NOWHERE,
    **more: Any,
) -> Leg:
    ticket = Ticket(
        kind=int(kind),
        limit_basis=limit.basis,
        stop_basis=stop.basis,
        activation=activation.value,
        activation_basis=activation.basis,
        **more,
    )
    return Leg(int(origin), limit.value, stop.value, ticket)


def _trailing(trail: Any, side: int, reference: Reference, basis: str) -> Leg:
    if isinstance(trail, Trail):
        follows, wakes = trail, trail.activation
    elif isinstance(trail, Atr):
        follows, wakes = Trail(atr=trail), None
    elif isinstance(trail, Offset):
        follows, wakes = Trail(amount=trail.amount, rate=trail.rate, atr=trail.atr), None
    else:
        follows, wakes = Trail(rate=trail), None
    activation = NOWHERE
    if isinstance(wakes, Offset):
        activation = _away("trail: activation", wakes, side, reference, basis)
    elif wakes is not None:
        activation = placed("trail: activation", wakes, reference)
    leg = _leg(Origin.TRAILING_STOP, OrderType.TRAILING_STOP, activation=activation)
    return leg._replace(rare=leg.rare._replace(**trail_terms(follows, reference)))


def _away(what: str, distance: Any, direction: int, reference: Reference, basis: str) -> Placed:
    """The price that far from the basis in that direction."""
    if isinstance(distance, Price):
        return Placed(float(distance.value))
    if isinstance(distance, Offset):
        size, is_rate = reference.size(what, distance)
        of = distance.of if distance.of in ("last", "signal") else basis if distance.of is None else distance.of
    elif isinstance(distance, Atr):
        size, is_rate, of = reference.range_of(what, distance), False, basis
    else:
        size, is_rate, of = float(distance), True, basis
    return reference.place(what, direction * size, is_rate, _measured_from(of, reference))


def _measured_from(of: str, reference: Reference) -> str:
    """A position that is there already has no fill to come: its average price stands for it."""
    return of if of != "fill" or reference.has_parent else "average"


def _check_distance(what: str, distance: Any) -> None:
    """Raises OrderError where it is no distance."""
    if distance is None or isinstance(distance, Price):
        return
    size = distance
    if isinstance(distance, Offset):
        if distance.of == "stop":
            raise OrderError(f"{what}: of='stop' is for limits; give of='fill', 'signal' or 'average'.")
        size = distance.amount if distance.amount is not None else distance.rate
        distance = distance.atr or distance
    if isinstance(distance, Atr):
        size = distance.multiple
    elif not isinstance(distance, Offset) and what in BELOW_ONE and finite(what, size) >= 1.0:
        raise OrderError(f"{what}: a number is a rate (5 % is 0.05), not {size!r}; a price is Price({size!r}).")
    if finite(what, size) <= 0.0:
        raise OrderError(f"{what} must be above 0, not {size!r}; the rule knows the direction.")
