"""A strategy compiled into the loop, ready to run."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import types
from numba.core.errors import NumbaError, UnsupportedBytecodeError
from numba.extending import NativeValue, unbox

from ml4t.backtest._jit import COMPILING, Handle, compile_strategy
from ml4t.backtest.allocation import frozen, grow
from ml4t.backtest.broker import Broker
from ml4t.backtest.compilation import broker as _broker  # noqa: F401  registers what compiled code calls, as the next do
from ml4t.backtest.compilation import event as _event  # noqa: F401
from ml4t.backtest.compilation import portfolio as _portfolio  # noqa: F401
from ml4t.backtest.compilation.check import StrategyCompiler
from ml4t.backtest.compilation.code import digest_of, methods_of, names_in, reached, texts
from ml4t.backtest.compilation.data import make_readable
from ml4t.backtest.compilation.driver import run
from ml4t.backtest.compilation.explanation import explain
from ml4t.backtest.compilation.instance import METHODS, Instance, StrategyType
from ml4t.backtest.compilation.instance import texts as attribute_texts
from ml4t.backtest.compilation.mistake import raise_mistake
from ml4t.backtest.compilation.view import EVENT, FILL, INLINED, SIGNAL
from ml4t.backtest.errors import CompilationError
from ml4t.backtest.exits import Exits
from ml4t.backtest.feed import Stream
from ml4t.backtest.inputs import Names
from ml4t.backtest.kernel.decision import STOPPED
from ml4t.backtest.kernel.step import GROW
from ml4t.backtest.lookup import digest
from ml4t.backtest.lower import PRICES
from ml4t.backtest.register import Register
from ml4t.backtest.strategy import Notes, Strategy
from ml4t.backtest.tables import (
    DECISION_ROOM,
    FIELD_NAME,
    INFORMED,
    RECORD_NAME,
    RECORDS,
    STREAM_NAME,
    SYMBOL_NAME,
    TAG_NAME,
)

HOOKS = {"on_bar": (), "on_fill": (FILL,), "on_order": (EVENT,), "on_signal": (SIGNAL,)}
# Python calls none of them, so none needs what would make it callable
METHOD_OPTIONS = INLINED | {"error_model": "python", "boundscheck": True}
GIVEN = ("data", "broker", "portfolio", "clock", "random", "exit_rules")  # what the engine, not the user, sets

NO_EXITS = (*[float("nan")] * 4, 0.0)


@unbox(StrategyType)
def _unbox(typ: StrategyType, obj: Any, c: Any) -> NativeValue:
    """The address of an instance."""
    return NativeValue(c.pyapi.long_as_longlong(obj))


class Part(NamedTuple):
    """What can be reached of a class: by its hooks, and by the methods that a run schedules."""

    methods: dict[str, Callable[..., Any]]
    source: str  # the digest of their code
    texts: frozenset[str]  # written out in them
    used: frozenset[str]  # attributes of anything


class Program:
    """What runs of one strategy class have in common: its methods, and the loops that were compiled for it. Of one thread.

    Raises:
        CompilationError: with the line and the remedy.

    """

    def __init__(self, cls: type[Strategy]) -> None:
        self.cls, self.name = cls, cls.__name__
        self._methods = methods_of(cls)
        self._parts: dict[tuple[str, ...], Part] = {}
        self._loops: dict[StrategyType, Callable[..., int]] = {}
        self._names: tuple[tuple[Stream, ...], dict[str, int], Names] | None = None

    def bound(
        self, strategy: Strategy, handle: Handle, streams: tuple[Stream, ...], broker: Broker, notes: Notes
    ) -> "CompiledStrategy":
        """The strategy, after its `on_start`, ready to run on this state."""
        schedules = tuple(self._scheduled(strategy, callback) for callback, _, _ in notes.schedules)
        part = self._part(schedules)
        values = {name: getattr(strategy, name) for name in _attributes(strategy) if name in part.used}
        names = self._named(part.texts | set(attribute_texts(values)), streams, broker.register)
        if handle.state.names is not names:
            handle.replace(handle.state._replace(names=names))
        instance = Instance(strategy, handle.key, values)
        exits = strategy.exit_rules
        handle.state.exits[:] = NO_EXITS if exits is None else exit_rates(exits)
        methods = frozenset(part.methods)
        kind = StrategyType(part.source, instance.slots, methods, schedules, has_exits=exits is not None)
        if kind not in self._loops:
            with COMPILING:
                self._loops[kind] = self._compiled(kind, part, streams, instance.unheld)
        return CompiledStrategy(self._loops[kind], instance, handle, streams, broker, notes)

    def _part(self, schedules: tuple[str, ...]) -> Part:
        if schedules not in self._parts:
            methods = reached(self._methods, [*HOOKS, *schedules])
            written = frozenset(text for f in methods.values() for text in texts(f))
            used = frozenset[str]().union(*map(names_in, methods.values()))
            self._parts[schedules] = Part(methods, digest_of(list(methods.values())), written, used)
        return self._parts[schedules]

    def _compiled(
        self, kind: StrategyType, part: Part, streams: tuple[Stream, ...], unheld: Mapping[str, str]
    ) -> Callable[..., int]:
        for name in streams[0].columns:
            make_readable(name)
        for name, function in part.methods.items():
            if (part.source, name) not in METHODS:
                METHODS[part.source, name] = numba.njit(**METHOD_OPTIONS, pipeline_class=StrategyCompiler)(function)
        counter = types.Array(types.int64, 1, "C")
        signature = (types.intp, kind, counter, counter)
        try:
            return compile_strategy(run, f"strategy-{kind.source}", signature)
        except (NumbaError, UnsupportedBytecodeError, NotImplementedError) as whole:
            error: BaseException = whole
            for name, told in HOOKS.items():  # again, alone: the shortest message
                if name in part.methods:
                    try:
                        METHODS[kind.source, name].compile((kind, *told))
                    except (NumbaError, UnsupportedBytecodeError) as alone:
                        error = alone
                        break
            raise CompilationError(explain(error, self.name, part.methods, unheld)) from error

    def _named(self, words: frozenset[str], streams: tuple[Stream, ...], register: Register) -> Names:
        """Every name that compiled code may use; those of the last run where they are the same."""
        tags = {text: register.tag(text) for text in sorted(words)}
        if self._names is None or self._names[0] is not streams or self._names[1] != tags:
            self._names = (streams, tags, names_of(streams, tags))
        return self._names[2]

    def _scheduled(self, strategy: Strategy, callback: Any) -> str:
        """The method that is scheduled. Raises CompilationError where it is something else."""
        name = getattr(callback, "__name__", "")
        if getattr(callback, "__self__", None) is not strategy or name not in self._methods:
            raise CompilationError(
                f"{self.name} schedules {callback!r}; a compiled strategy schedules its own methods, "
                "self.schedule(self.rebalance, ...)."
            )
        return name


class CompiledStrategy:
    """One strategy compiled for one run, after its `on_start`."""

    def __init__(
        self,
        loop: Callable[..., int],
        instance: Instance,
        handle: Handle,
        streams: tuple[Stream, ...],
        broker: Broker,
        notes: Notes,
    ) -> None:
        self._loop, self._instance = loop, instance
        self._handle, self._streams, self._broker, self._notes = handle, streams, broker, notes

    def drive(self, room: int, watched: Callable[..., Any]) -> None:
        """Every decision is made. `room`: orders that one decision may place; `watched`: as `Models.watched`."""
        state, run = self._handle.state, watched(self._loop, self._handle, self._streams[0].symbols)
        state.rules[DECISION_ROOM] = room
        told, heard = np.zeros(1, np.int64), np.array([state.clock[INFORMED]], np.int64)
        try:
            while True:
                answer = run(self._handle.key, self._instance.address, told, heard)
                if answer != GROW:
                    break
                grow(self._handle)
        finally:
            self._write_back()
        if answer == STOPPED:
            raise_mistake(self._handle.state, self._streams, self._broker.register.tags, room)

    def _write_back(self) -> None:
        """The strategy's attributes and notes are what compiled code made of them."""
        self._instance.write_back(self._broker)
        records, n = self._handle.state.records, int(self._handle.state.clock[RECORDS])
        names = {digest(text): text for text in self._broker.register.tags} if n else {}
        rows = zip(records.time[:n].tolist(), records.name[:n].tolist(), records.value[:n].tolist(), strict=True)
        self._notes.records.extend((time, names[name], value) for time, name, value in rows)


def names_of(streams: tuple[Stream, ...], tags: Mapping[str, int]) -> Names:
    """The names of the streams and of everything in them, and the tags with their numbers, in a table of four cells a name.

    Raises:
        CompilationError: two names have the same digest.

    """
    entries: dict[tuple[int, int], tuple[int, str]] = {}
    for kind, number, name in _known(streams, tags):
        key = (digest(name), kind)
        if entries.setdefault(key, (number, name)) != (number, name):
            raise CompilationError(f"{name!r} and {entries[key][1]!r} have the same digest; rename one of them.")
    size = 1 << (4 * len(entries)).bit_length()
    digests, kinds, numbers = (np.zeros(size, np.int64) for _ in range(3))
    for (word, kind), (number, _) in entries.items():
        cell = (word + kind) & (size - 1)
        while digests[cell]:
            cell = (cell + 1) & (size - 1)
        digests[cell], kinds[cell], numbers[cell] = word, kind, number
    return frozen(Names, digest=digests, kind=kinds, number=numbers)


def _known(streams: tuple[Stream, ...], tags: Mapping[str, int]) -> Iterator[tuple[int, int, str]]:
    for number, symbol in enumerate(streams[0].symbols):
        yield SYMBOL_NAME, number, symbol
    for number, stream in enumerate(streams):
        yield STREAM_NAME, number, stream.name if number else "bars"
        own = [name for name in stream.columns if number or name not in PRICES]
        for place, name in enumerate((*PRICES, *own) if number == 0 else own):
            yield FIELD_NAME + number, place, name
    for text, number in tags.items():
        yield TAG_NAME, number, text
        yield RECORD_NAME, 0, text


def _attributes(strategy: Strategy) -> list[str]:
    """The parameters and the state of a strategy: what its classes and its `on_start` have set."""
    names = dict.fromkeys(
        name
        for base in reversed(type(strategy).__mro__)
        if base not in Strategy.__mro__
        for name, value in vars(base).items()
        if not callable(value)
    )
    names |= dict.fromkeys(vars(strategy))
    return [name for name in names if not name.startswith("_") and name not in GIVEN]


def exit_rates(exits: Any) -> tuple[float, ...]:
    """The exits of a strategy as `State.exits` holds them. Raises CompilationError where they are no rates from the fill."""
    rates: tuple[Any, ...] = ()
    if isinstance(exits, Exits) and exits.basis == "fill":
        rates = (exits.stop_loss, exits.take_profit, exits.trail, exits.break_even)
    if not rates or any(not isinstance(rate, int | float | None) for rate in rates):
        raise CompilationError(
            f"exit_rules = {exits!r}: compiled strategies have exits at rates from the fill (numbers). "
            "Give such, or run with compiled=False."
        )
    return (*(float("nan") if rate is None else float(rate) for rate in rates), float(exits.max_bars or 0))
