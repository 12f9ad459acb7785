"""The user's own models of slippage, commission and fill price: compiled into the run, or called interpreted.

The kernel knows a model by its address only: it is never compiled anew for one, and calls every model through the same pointer.
"""

import ctypes
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest._jit import IS_COMPILED, Handle, model_prototype
from ml4t.backtest._model_code import model_address
from ml4t.backtest.enums import Fault
from ml4t.backtest.errors import ConfigError, ModelError, nearest
from ml4t.backtest.model_source import ModelSource, fee_table_source, source_of
from ml4t.backtest.models.commission import TableCommission
from ml4t.backtest.tables import (
    COMMISSION_MODEL,
    FAULT,
    FAULT_ORDER,
    FAULT_TIME,
    PRICE_MODEL,
    SLIPPAGE_MODEL,
    State,
)

if TYPE_CHECKING:
    from ml4t.backtest.config import BacktestConfig, CostsConfig

BAR = ("open", "high", "low", "close", "volume")
ARGUMENTS = {
    "slippage": ("side", "quantity", "reference", *BAR),
    "commission": ("side", "quantity", "price", "filled_before", "value_before"),
    "fill_price": ("side", "quantity", *BAR),
}
RULES = {"slippage": SLIPPAGE_MODEL, "commission": COMMISSION_MODEL, "fill_price": PRICE_MODEL}
REPLACED = {"slippage": ("slippage", "spread", "stop_slippage"), "commission": ("commission",), "fill_price": ()}
FAULTS = {
    Fault.SLIPPAGE_MODEL: ("slippage", "a price that is NaN or infinite"),
    Fault.COMMISSION_MODEL: ("commission", "an amount that is NaN or infinite"),
    Fault.FILL_PRICE_MODEL: ("fill_price", "a price that is not inside the bar"),
}


@dataclass(frozen=True)
class Interpreted:
    """A model that is called as Python, some hundred times slower than compiled; what it raises is seen."""

    function: Callable[..., float]


def interpreted(function: Callable[..., float]) -> Interpreted:
    """The same model, called as plain Python: for what cannot be compiled, and to see what a model raises.

    >>> from ml4t.backtest import Strategy, interpreted, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> def a_cent(side, quantity, reference, open, high, low, close, volume):
    ...     return reference + 0.01 * side
    >>> class Buy(Strategy):
    ...     def on_start(self):
    ...         self.broker.buy("SPX", 10)
    >>> result = run(Buy(), us_indices(), models={"slippage": interpreted(a_cent)})
    >>> round(result.fills["slippage"][0], 2)
    0.1
    """
    return Interpreted(function)


Model: TypeAlias = Callable[..., float] | Interpreted
"""A function with the signature of its role (`ARGUMENTS`), or `interpreted` of one."""


class Models:
    """The models of one run, ready to be called.

    Raises:
        ModelError: an unknown role, a wrong number of arguments, or a function that cannot be compiled, with line and reason.
        ConfigError: the configuration has costs that the model would replace.

    """

    def __init__(self, given: Mapping[str, Model] | None, config: "BacktestConfig") -> None:
        self.given = given
        self._addresses: dict[str, int] = {}
        self._kept: list[Any] = []  # machine code lives as long as its owner
        self._raised: list[tuple[str, BaseException]] = []
        self._compiled: set[str] = set()
        self._places: dict[str, str] = {}
        self.sources: tuple[ModelSource, ...] = ()
        for role, model in (given or {}).items():
            if role not in ARGUMENTS:
                raise ModelError(
                    f"models[{role!r}]: there is no such role.{nearest(role, ARGUMENTS)} Known: {', '.join(ARGUMENTS)}."
                )
            function = model.function if isinstance(model, Interpreted) else model
            _check(role, function)
            _check_alone(role, config.costs)
            source = source_of(role, function, is_interpreted=isinstance(model, Interpreted))
            self.sources += (source,)
            self._places[role] = source.place
            self._addresses[role] = self._address(role, function, source)
        commissions = [config.costs.commission, *(own.commission for own in config.costs.symbols.values())]
        tables = {model.path for model in commissions if isinstance(model, TableCommission)}
        self.sources += tuple(map(fee_table_source, sorted(tables)))

    def install(self, rules: NDArray[np.int64]) -> None:
        """The kernel's rules lead to these models."""
        for role, address in self._addresses.items():
            rules[RULES[role]] = address

    def _address(self, role: str, function: Callable[..., float], source: ModelSource) -> int:
        count = len(ARGUMENTS[role])
        if source.is_interpreted or not IS_COMPILED:
            kept: Any = model_prototype(count)(self._remembering(role, function))
            address = ctypes.cast(kept, ctypes.c_void_p).value or 0
        else:
            try:
                address, kept = model_address(function, count)
                self._compiled.add(role)
            except Exception as error:
                raise ModelError(
                    f"The {_words(role)} model {source.place} cannot be compiled: {_reason(error, function, source)}\n"
                    f"It may use numbers, the math module, NumPy and other such functions. Or pass models={{{role!r}: "
                    f"interpreted({getattr(function, '__name__', role)})}}: it is then called as Python, and slower."
                ) from error
        self._kept.append(kept)
        return address

    def _remembering(self, role: str, function: Callable[..., float]) -> Callable[..., float]:
        """The function, returning NaN where it raises: what it raised is told when the kernel is back."""

        def call(*given: float) -> float:
            try:
                result = function(*given)
                if not isinstance(result, int | float | np.number):
                    raise TypeError(f"it returned {result!r}, which is no number")
                return float(result)
            except BaseException as error:  # noqa: BLE001  also an interrupt: C code stands between here and the engine
                self._raised.append((role, error))
                return np.nan

        return call

    def watched(self, advance: Callable[..., int], handle: Handle, symbols: Sequence[str]) -> Callable[..., int]:
        """`advance`, raising a ModelError where a fill has no cost; `advance` itself where every fill has one."""
        if not self._addresses and not handle.state.costs.is_conditional.any():
            return advance
        clock = handle.state.clock

        def guarded(*arguments: Any) -> int:
            code = advance(*arguments)
            if clock[FAULT] != Fault.NONE:
                raise self._error(handle.state, symbols)
            return code

        return guarded

    def _error(self, state: State, symbols: Sequence[str]) -> BaseException:
        fault, order, time = (int(state.clock[field]) for field in (FAULT, FAULT_ORDER, FAULT_TIME))
        place = int(state.places[order - 1])
        symbol = state.orders.symbol[place] if place >= 0 else state.closed_orders.symbol[~place]
        at = datetime.fromtimestamp(time // 10**9, UTC) + timedelta(microseconds=time % 10**9 // 1000)
        where = f"for order {order} on the bar of {symbols[symbol]} at {at.isoformat()}"
        if fault == Fault.UNKNOWN_MARKET:
            return ModelError(
                f"The slippage {where} depends on what is not known there: the volatility or volume of the days before. "
                "Trade later (run.warmup), give earlier bars, or choose a smaller window or another kind."
            )
        if fault == Fault.NO_PRICE_LEFT:
            return ModelError(
                f"The slippage {where} is the whole price: a sale of this size is beyond what its model can tell. "
                "Trade less (fills.participation limits fills to a share of the volume), or choose smaller terms."
            )
        role, what = FAULTS[Fault(fault)]
        if not self._raised and role not in self._compiled:
            return ModelError(f"The {_words(role)} model {self._places[role]} returned {what}, {where}.")
        if not self._raised:
            return ModelError(
                f"The {_words(role)} model {self._places[role]} returned {what}, or raised, {where}. "
                f"To see what it raises, pass models={{{role!r}: interpreted(...)}}."
            )
        role, error = self._raised[0]
        if not isinstance(error, Exception):
            return error  # an interrupt
        failure = ModelError(
            f"The {_words(role)} model {self._places[role]} raised {type(error).__name__}: {error}{_line(error)}, {where}."
        )
        failure.__cause__ = error
        return failure


def _check(role: str, function: Any) -> None:
    wanted = ARGUMENTS[role]
    asked = f"{role}({', '.join(wanted)})"
    if not callable(function):
        raise ModelError(f"models[{role!r}]: {function!r} is not a function. Give one of the form {asked}.")
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError as error:
        raise ModelError(f"models[{role!r}]: it is called as {asked}: {error}.") from None
    except ValueError:
        return  # a builtin that does not tell its signature


def _check_alone(role: str, costs: "CostsConfig") -> None:
    for field in REPLACED[role]:
        for where, own in (("costs", costs), *((f"costs.symbols.{name}", own) for name, own in costs.symbols.items())):
            model = getattr(own, field)
            if model is not None and model.kind != "none":
                raise ConfigError(
                    f"{where}.{field}.kind = {model.kind!r}: models[{role!r}] replaces it. Remove the one or the other."
                )


def _words(role: str) -> str:
    return role.replace("_", " ")


def _reason(error: Exception, function: Callable[..., float], source: ModelSource) -> str:
    """The compiler's first sentence that says what is wrong, and the line of the model that it concerns."""
    said = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
    reason = said[0] if said else type(error).__name__
    file = Path(source.file).name if source.file else ""
    named = [re.search(r"line (\d+)", line) for line in said if line.startswith("File ") and file in line]
    line = int(named[0][1]) if named and named[0] else getattr(getattr(error, "loc", None), "line", None)
    line = line or _line_with(re.findall(r"'(\w+)", reason), function)
    return f"line {line}: {reason}" if line else reason


def _line_with(words: Sequence[str], function: Callable[..., float]) -> int | None:
    """The first line of a function's body with one of these words: some refusals of the compiler name no line."""
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return None
    return next(
        (first + n for n, text in enumerate(lines) if n and any(w in re.findall(r"\w+", text) for w in words)), None
    )


def _line(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename == __file__:
        return ""
    return f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
