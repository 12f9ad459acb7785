"""What users write: a class with parameters and hooks."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar, get_origin, get_type_hints

import numpy as np

from ml4t.backtest.broker import Broker
from ml4t.backtest.clock import Clock
from ml4t.backtest.enums import OrderState, Reason, Side
from ml4t.backtest.errors import StrategyError, nearest
from ml4t.backtest.exits import Exits
from ml4t.backtest.feed import Stream
from ml4t.backtest.market_data import MarketData
from ml4t.backtest.order import Order
from ml4t.backtest.portfolio import Portfolio


class Fill(NamedTuple):
    """An execution, as it was: `position_after` and `cash_after` are those of its moment; `portfolio` is now.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Once(Strategy):
    ...     def on_start(self):
    ...         self.broker.buy("SPX", 10)
    ...     def on_fill(self, fill):
    ...         print(fill.side.name, fill.quantity, fill.symbol, fill.position_after)
    >>> _ = run(Once(), us_indices())
    BUY 10.0 SPX 10.0
    """

    fill_id: int
    order: Order
    time_ns: int
    symbol: str
    side: Side
    quantity: float
    price: float
    commission: float
    position_after: float
    cash_after: float


class OrderEvent(NamedTuple):
    """A transition of an order, as it was: `order` is as it is now.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Changed(Strategy):
    ...     def on_start(self):
    ...         self.broker.cancel(self.broker.buy("SPX", 10))
    ...     def on_order(self, event):
    ...         print(event.source.name, event.target.name, event.reason.name)
    >>> _ = run(Changed(), us_indices())
    CREATED CANCELLED CANCEL_REQUESTED
    """

    order: Order
    time_ns: int
    source: OrderState
    target: OrderState
    reason: Reason


class Signal(NamedTuple):
    """A row of the signals that has arrived.

    >>> import polars as pl
    >>> from datetime import date
    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Listens(Strategy):
    ...     def on_signal(self, signal):
    ...         print(signal.symbol, signal.values)
    >>> signals = pl.DataFrame({"timestamp": [date(2010, 1, 5)], "symbol": ["SPX"], "score": [0.7]})
    >>> _ = run(Listens(), us_indices(), signals=signals)
    SPX {'score': 0.7}
    """

    symbol: str | None
    event_ns: int
    arrival_ns: int
    values: dict[str, float]


@dataclass
class Notes:
    """What a strategy leaves behind besides orders."""

    records: list[tuple[int, str, float]] = field(default_factory=list)
    messages: list[tuple[int, str]] = field(default_factory=list)
    schedules: list[tuple[Callable[[], None], str | int, str]] = field(default_factory=list)
    has_begun: bool = False


S = TypeVar("S", bound="type[Strategy]")


def compiled(cls: S) -> S:
    """Class decorator: the strategy is compiled into the loop unless `run(..., compiled=False)` says otherwise (docs/compiled.md).

    >>> from ml4t.backtest import Strategy, compiled, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> @compiled
    ... class Above(Strategy):
    ...     count: int = 100
    ...     def on_bar(self):
    ...         if self.data.close("SPX") > self.data.mean("SPX", self.count):
    ...             self.broker.order_target_percent("SPX", 1.0)
    ...         else:
    ...             self.broker.close("SPX")
    >>> result = run(Above(), us_indices())
    >>> result.fills.equals(run(Above(), us_indices(), compiled=False).fills)
    True
    """
    cls.is_compiled = True
    return cls


class Strategy:
    """Base of every strategy. Annotated class attributes are its parameters, checked and listed in the manifest.

    Hooks are called in decisions (docs/semantics/time.md): first `on_order` and `on_fill` of what happened since the last decision, then
    `on_signal`, due schedules, and `on_bar` once if a bar ended. `random` is a NumPy generator seeded by `run.seed`: chance that repeats.
    `exit_rules` are the exits of every position that the strategy's orders open; it is looked at when an order is placed.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class BuyOnce(Strategy):
    ...     after: int = 100
    ...     def on_bar(self):
    ...         if self.data.count("SPX") == self.after:
    ...             self.broker.buy("SPX", 10)
    >>> run(BuyOnce(after=50), us_indices()).fills["quantity"].to_list()
    [10.0]
    """

    data: MarketData
    broker: Broker
    portfolio: Portfolio
    clock: Clock
    random: np.random.Generator
    exit_rules: Exits | None = None
    is_compiled: ClassVar[bool] = False
    _notes: Notes
    _repeating: ClassVar[frozenset[str]] = frozenset()  # streams in which rows may share symbol, event and arrival

    def __init__(self, **parameters: Any) -> None:
        known = self.parameter_types()
        for name in parameters:
            if name not in known:
                there = (
                    f"Its parameters are {', '.join(known)}."
                    if known
                    else "It has no parameters (annotated class attributes)."
                )
                raise StrategyError(f"{type(self).__name__} has no parameter {name!r}.{nearest(name, known)} {there}")
        for name, kind in known.items():
            if name not in parameters and not hasattr(type(self), name):
                raise StrategyError(
                    f"{type(self).__name__} needs the parameter {name!r}: {type(self).__name__}({name}=...)."
                )
            value = parameters.get(name, getattr(type(self), name, None))
            setattr(self, name, checked(f"{type(self).__name__}.{name}", value, kind))

    @classmethod
    def parameter_types(cls) -> dict[str, Any]:
        """Name → type of the parameters, those of base classes first."""
        own = {name for base in cls.__mro__ if base not in Strategy.__mro__ for name in inspect.get_annotations(base)}
        hints = get_type_hints(cls)
        return {
            name: hint
            for name, hint in hints.items()
            if name in own and not name.startswith("_") and get_origin(hint) is not ClassVar
        }

    def inputs(self, bars: Stream) -> Mapping[str, Any]:  # noqa: ARG002
        """Streams that the strategy brings: name → frame or path; None: the stream of that name that `run` is given.

        Asked for once, when the bars are loaded. Where rows have no arrival they are labelled like the bars, so each is known when the bar
        ends that has its label (docs/semantics/time.md). A stream called "signals" calls `on_signal`.
        """
        return {}

    def _most_orders(self, symbols: int, signals: int) -> int:  # noqa: ARG002
        """How many orders one decision may place where so many signals arrive at once; 0 where `orders.reserve` says it."""
        return 0

    # ----------------------------------------------------------------------------------------------------------- hooks
    def on_start(self) -> None:
        """Called once, before the first instant: set the strategy's own state and its schedules."""

    def on_bar(self) -> None:
        """Called once for each instant at which an execution bar ended."""

    def on_signal(self, signal: Signal) -> None:
        """Called for each row of the signals, when it has arrived."""

    def on_fill(self, fill: Fill) -> None:
        """Called for each fill, at the next decision."""

    def on_order(self, event: OrderEvent) -> None:
        """Called for each transition of an order without a fill, at the next decision."""

    def on_end(self) -> None:
        """Called once, after the last instant. Orders placed here are not executed."""

    # ----------------------------------------------------------------------------------------------------------- notes
    def record(self, name: str, value: float) -> None:
        """The value is saved with the run, under this name and the time of the decision."""
        self._notes.records.append((self.clock.now_ns, str(name), float(value)))

    def log(self, *message: object) -> None:
        """The message is saved with the run, with the time of the decision."""
        self._notes.messages.append((self.clock.now_ns, " ".join(map(str, message))))

    def schedule(self, callback: Callable[[], None], *, every: str | int, at: str = "close") -> None:
        """`callback` is called in decisions of its own. In `on_start` only.

        - `every` = "session", "week" or "month": in each one's first session, `at` its "open" or "close"
        - `every` = "week_end" or "month_end": in each one's last session, which takes `data.calendar` to know in advance
        - `every` = n: after every n-th bar
        """
        if self._notes.has_begun:
            raise StrategyError("schedule() belongs in on_start: the run has begun.")
        self._notes.schedules.append((callback, every, at))


def checked(what: str, value: Any, kind: Any) -> Any:
    """The value as its declared type. Raises StrategyError where it is another."""
    if kind in (int, float, str, bool):  # the usual ones, without waiting for pydantic
        plain = value.item() if hasattr(value, "item") and not isinstance(value, type) else value
        if type(plain) is kind:
            return plain
        if kind is float and type(plain) is int:
            return float(plain)
        raise StrategyError(f"{what} must be {kind.__name__}, not {value!r} ({type(value).__name__}).")
    from pydantic import PydanticUserError, TypeAdapter, ValidationError  # other types are rare

    try:
        adapter = TypeAdapter(kind, config={"arbitrary_types_allowed": True})
    except PydanticUserError:  # models and dataclasses have a config of their own
        adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise StrategyError(f"{what}: {error.errors()[0]['msg']}, not {value!r}.") from None
