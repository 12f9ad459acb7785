"""`self` in compiled code: the address of a table that leads to the state and to the strategy's attributes.

Numbers lie in two arrays (so that Python reads them back), arrays are themselves, strings are their digests, None and orders are ids.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.imputils import (
    impl_ret_borrowed,
    impl_ret_new_ref,
    lower_builtin,
    lower_getattr_generic,
    lower_setattr_generic,
)
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import as_dtype, from_dtype

from ml4t.backtest.compilation.view import CLOCK, DATA, NAME, ORDER, PORTFOLIO, Broker
from ml4t.backtest.lookup import digest
from ml4t.backtest.order import Order

STATE_WORD, INT_WORD, FLOAT_WORD, ARRAY_WORD = range(4)  # of the table: addresses; arrays follow, each with its shape


class Slot(NamedTuple):
    """Where an attribute lies, and its type in compiled code."""

    name: str
    kind: str  # "int", "flag", "name", "order": `ints`; "float": `floats`; "array": the table; "tuple": several
    place: int  # index into its array, or word of the table
    type: Any
    length: int = 1  # of a tuple


SCALARS = {"int": types.int64, "flag": types.boolean, "float": types.float64, "name": NAME, "order": ORDER}


class StrategyType(types.Type):
    """`self` of a strategy class. `source`: the digest of its code; `schedules`: the methods that it schedules."""

    def __init__(
        self,
        source: str,
        slots: tuple[Slot, ...],
        methods: frozenset[str],
        schedules: tuple[str, ...],
        *,
        has_exits: bool,
    ) -> None:
        self.source = source
        self.slots = {slot.name: slot for slot in slots}
        self.methods = methods
        self.schedules = schedules
        self.facades = {"data": DATA, "portfolio": PORTFOLIO, "clock": CLOCK, "broker": Broker(has_exits=has_exits)}
        super().__init__(f"Strategy({source}, {slots}, {sorted(methods)}, {schedules}, {has_exits})")


@register_default(StrategyType)
class _StrategyModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, cgutils.intp_t)


METHODS: dict[tuple[str, str], Any] = {}
"""(digest of the class's code, method) → what compiles it."""


# ------------------------------------------------------------------------------------------------------------- attributes
@infer_getattr
class _StrategyAttribute(AttributeTemplate):  # type: ignore[misc]
    key = StrategyType

    def generic_resolve(self, typ: StrategyType, attr: str) -> Any:
        if attr in typ.facades:
            return typ.facades[attr]
        if attr in typ.slots:
            return typ.slots[attr].type
        if (typ.source, attr) in METHODS:
            return types.BoundFunction(_template(typ, attr), typ)
        return None


def _template(typ: StrategyType, attr: str) -> Any:
    dispatcher = types.Dispatcher(METHODS[typ.source, attr])
    _lower_method(attr)

    class Method(AbstractTemplate):  # type: ignore[misc]
        key = (StrategyType, attr)

        def generic(self, args: Any, kws: Any) -> Any:
            found: Any = dispatcher.get_call_type(self.context, (typ, *args), kws)
            return found.as_method()

    return Method


_lowered: set[str] = set()


def _lower_method(attr: str) -> None:
    if attr in _lowered:
        return
    _lowered.add(attr)

    @lower_builtin((StrategyType, attr), StrategyType, types.VarArg(types.Any))
    def call(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        f = context.get_function(types.Dispatcher(METHODS[sig.args[0].source, attr]), sig)
        context.add_linking_libs(getattr(f, "libs", ()))
        return impl_ret_new_ref(context, builder, sig.return_type, f(builder, args))


def _word(builder: Any, address: Any, position: int) -> Any:
    """A word of the table, which never changes during a run."""
    value = builder.load(cgutils.gep(builder, builder.inttoptr(address, address.type.as_pointer()), position))
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _element(builder: Any, address: Any, slot: Slot, offset: int = 0) -> Any:
    """Pointer to the number behind an attribute."""
    is_float = slot.kind == "float" or (slot.kind == "tuple" and slot.type.dtype == types.float64)
    kind = ir.DoubleType() if is_float else ir.IntType(64)
    base = builder.inttoptr(_word(builder, address, FLOAT_WORD if is_float else INT_WORD), kind.as_pointer())
    return builder.gep(base, [ir.Constant(ir.IntType(64), slot.place + offset)])


def _view(context: Any, builder: Any, kind: Any, address: Any, number: Any) -> Any:
    out = cgutils.create_struct_proxy(kind)(context, builder)
    out.key, out.number = _word(builder, address, STATE_WORD), number
    return out._getvalue()


def _array(context: Any, builder: Any, slot: Slot, address: Any) -> Any:
    """The attribute's array, borrowed: the strategy owns it."""
    kind = slot.type
    array = make_array(kind)(context, builder)
    data = builder.inttoptr(_word(builder, address, slot.place), array.data.type)
    shape = [_word(builder, address, slot.place + 1 + i) for i in range(kind.ndim)]
    size = context.get_constant(types.intp, as_dtype(kind.dtype).itemsize)
    strides: list[Any] = []
    step = size
    for length in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, length)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()


@lower_getattr_generic(StrategyType)
def _get(context: Any, builder: Any, typ: StrategyType, address: Any, attr: str) -> Any:
    if attr in typ.facades:
        return _view(context, builder, typ.facades[attr], address, context.get_constant(types.int64, 0))
    slot = typ.slots[attr]
    if slot.kind == "array":
        return impl_ret_borrowed(context, builder, slot.type, _array(context, builder, slot, address))
    if slot.kind == "tuple":
        return context.make_tuple(
            builder, slot.type, [builder.load(_element(builder, address, slot, i)) for i in range(slot.length)]
        )
    value = builder.load(_element(builder, address, slot))
    if slot.kind == "order":
        return _view(context, builder, ORDER, address, value)
    if slot.kind == "flag":
        return cgutils.is_not_null(builder, value)
    return value


@lower_setattr_generic(StrategyType)
def _set(context: Any, builder: Any, sig: Any, args: Any, attr: str) -> None:
    slot, value = sig.args[0].slots[attr], args[1]
    if slot.kind == "order":
        value = cgutils.create_struct_proxy(ORDER)(context, builder, value=value).number
    elif slot.kind == "flag":
        value = builder.zext(value, ir.IntType(64))
    builder.store(value, _element(builder, args[0], slot))


# --------------------------------------------------------------------------------------------------------------- storage
class Instance:
    """The attributes of one strategy where compiled code finds them. `write_back` gives the strategy their last values."""

    def __init__(self, strategy: Any, state_key: int, values: Mapping[str, Any]) -> None:
        self._strategy = strategy
        self._arrays: list[np.ndarray[Any, Any]] = []
        ints: list[int] = []
        floats: list[float] = []
        words = [state_key, 0, 0]
        slots = []
        self.unheld: dict[str, str] = {}  # what compiled code cannot hold, which is a problem only where it is used
        for name, value in values.items():
            kind, stored = _stored(value)
            if kind == "":
                self.unheld[name] = _described(value)
            elif kind == "array":
                slots.append(Slot(name, kind, len(words), types.Array(from_dtype(stored.dtype), stored.ndim, "C")))
                self._arrays.append(stored)
                words += [stored.ctypes.data, *stored.shape]
            elif kind == "tuple":
                element, numbers = stored
                target = floats if element == "float" else ints
                kept = types.UniTuple(SCALARS[element], len(numbers))
                slots.append(Slot(name, kind, len(target), kept, len(numbers)))
                target += numbers
            else:
                target = floats if kind == "float" else ints
                slots.append(Slot(name, kind, len(target), SCALARS[kind]))
                target.append(stored)
        self.slots = tuple(slots)
        self._ints, self._floats = np.array(ints, np.int64), np.array(floats, np.float64)
        words[INT_WORD], words[FLOAT_WORD] = self._ints.ctypes.data, self._floats.ctypes.data
        self._table = np.array(words, np.int64)
        self.address: int = self._table.ctypes.data

    def write_back(self, broker: Any) -> None:
        """The strategy's attributes have the values that compiled code gave them."""
        for slot in self.slots:
            if slot.kind == "float":
                value: Any = float(self._floats[slot.place])
            elif slot.kind in ("int", "flag", "order"):
                value = int(self._ints[slot.place])
                value = bool(value) if slot.kind == "flag" else value
                if slot.kind == "order":
                    value = Order(broker, value) if value else None
            else:
                continue
            setattr(self._strategy, slot.name, value)


def _stored(value: Any) -> tuple[str, Any]:
    """How an attribute is kept: its kind, and the number, array or numbers; "" where compiled code cannot hold it."""
    kind, stored = "", value
    if isinstance(value, bool | np.bool_):
        kind, stored = "flag", int(value)
    elif isinstance(value, int | np.integer):
        kind, stored = "int", int(value)
    elif isinstance(value, float | np.floating):
        kind, stored = "float", float(value)
    elif isinstance(value, str):
        kind, stored = "name", digest(value)
    elif value is None:
        kind, stored = "order", 0
    elif isinstance(value, Order):
        kind, stored = "order", value.id
    elif isinstance(value, np.ndarray):
        is_plain = value.dtype.kind in "fiub" and value.flags.c_contiguous and value.flags.writeable
        kind = "array" if is_plain else ""
    elif isinstance(value, tuple) and value:
        parts = [_stored(part) for part in value]
        kinds = {part for part, _ in parts}
        if len(kinds) == 1 and kinds <= {"int", "float", "name"}:
            kind, stored = "tuple", (kinds.pop(), [number for _, number in parts])
    return kind, stored


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, " + ("contiguous" if value.flags.c_contiguous else "not contiguous")
    return f"a {type(value).__name__}, {value!r:.60}"


def texts(values: Mapping[str, Any]) -> Iterator[str]:
    """Every text among the attributes."""
    for value in values.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, str))
