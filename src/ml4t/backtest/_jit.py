"""The compile decorators and the compiled view of the state. With `_cache` and `_compiler` on Numba's private side.

Four decorators: `inline` (part of its caller), `function` (a unit of its own that compiled code calls), `entry` (what Python calls) and
`loop` (what calls Python). Units are linked by symbol: Numba alone would copy every callee into its caller and optimise it again at each
level, 70 s instead of 10 (ADR 0012). What crosses from Python is one int: the address of a table of (pointer, length) pairs, one for each
array of the state (`Handle`). In compiled code `state.orders.side[i]` reads the pointer from that table; the arrays have no owner there, so
no reference is ever counted (ADR 0005).
"""

import ctypes
import operator
from collections.abc import Callable
from itertools import count
from threading import RLock
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import config, typeof
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.dispatcher import Dispatcher
from numba.core.imputils import lower_builtin, lower_getattr, lower_getattr_generic
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    make_concrete_template,
    signature,
)
from numba.extending import intrinsic, typeof_impl

from ml4t.backtest._build import build
from ml4t.backtest._cache import DIGEST, KernelCache, cache_in, forget_old_kernels
from ml4t.backtest._compiler import FragmentCompiler, UnitCompiler, rare_collection, share_fragments

F = TypeVar("F", bound=Callable[..., Any])

# types of what units take and return
VOID, INT, FLOAT = types.void, types.int64, types.float64

COMPILING = RLock()
"""Held while anything is compiled or linked: a thread must find all units of the others."""
IS_COMPILED = not config.DISABLE_JIT


_strategies: dict[tuple[str, tuple[Any, ...]], Callable[..., Any]] = {}


def compile_strategy(f: Callable[..., Any], folder: str, signature: tuple[Any, ...]) -> Callable[..., Any]:
    """The loop of a strategy, compiled for its type or loaded from a folder of its own, to be called without the GIL.

    Once a process: the folder is named by what the strategy is made of. Raises what Numba raises.
    """
    if found := _strategies.get((folder, signature)):
        return found
    link_units()

    dispatcher = numba.njit(error_model="python", nogil=True, no_cfunc_wrapper=True)(f)
    dispatcher._cache = cache_in(folder)(f)
    dispatcher.compile(signature)
    return _strategies.setdefault((folder, signature), dispatcher.get_overload(signature))


def inline(f: F) -> F:
    """Compile f as part of its caller: no call, no cache entry, and no wrapper for Python to call (wrap it in `numba.njit`)."""
    fragment = _compiled(
        f, pipeline_class=FragmentCompiler, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )
    if IS_COMPILED:
        share_fragments(fragment)
    return cast("F", fragment)


def entry(f: F) -> F:
    """Compile f as a function that Python calls: cached on disk."""
    return cast("F", _cached(f, no_cfunc_wrapper=True))


def loop(f: F) -> F:
    """Compile f(key, function) as a C function that calls a Python function, see `call_python`: cached on disk."""
    return cast("F", _cached(f, no_cpython_wrapper=True))


def _compiled(f: Callable[..., Any], **options: Any) -> Any:
    return numba.njit(error_model="numpy", **options)(f)


def _cached(f: Callable[..., Any], **options: bool) -> Any:
    dispatcher = _compiled(f, pipeline_class=UnitCompiler, **options)
    if IS_COMPILED:
        dispatcher._cache = KernelCache(f)
    return dispatcher


def function(result: Any, *arguments: Any, cold: bool = True) -> Callable[[F], F]:
    """Compile f(state, ...) as a unit of its own, cached on disk, for compiled code to call; argument types follow the state.

    `cold`: its calls lie outside the straight line of code that every bar runs through (ADR 0019).
    """

    def decorate(f: F) -> F:
        if not IS_COMPILED:
            return f
        symbol = f"ml4t_backtest_{DIGEST}_{f.__module__.rpartition('.')[2]}_{f.__name__}"
        # the result is declared like the arguments: callers expect a whole register, were it found to be a bool
        declared = result(STATE, *arguments)
        _units.append((symbol, _cached(f, no_cpython_wrapper=True), declared))
        return cast("F", _Unit(symbol, declared, cold))

    return decorate


class _Unit:
    """What the name of a unit stands for in compiled code: a symbol to call."""

    def __init__(self, symbol: str, result: Any, cold: bool) -> None:
        self.type = types.Function(make_concrete_template(symbol, symbol, [result]))

        @lower_builtin(symbol, *result.args)
        def call(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            kind = ir.FunctionType(
                ir.VoidType() if sig.return_type == VOID else context.get_value_type(sig.return_type),
                [context.get_value_type(argument) for argument in sig.args],
            )
            unit = cgutils.get_or_insert_function(builder.module, kind, symbol)
            if cold:
                unit.attributes.add("cold")
            returned = builder.call(unit, args)
            return context.get_dummy_value() if sig.return_type == VOID else returned


@typeof_impl.register(_Unit)
def _typeof_unit(unit: _Unit, context: Any) -> Any:  # noqa: ARG001
    return unit.type


_units: list[tuple[str, Any, Any]] = []


def link_units() -> None:
    """Every unit is compiled, or loaded, and found by its symbol. In the order of definition: a unit calls only earlier ones."""
    with COMPILING:
        if _units:
            forget_old_kernels()
            build({symbol: _extent(f, set()) for symbol, f, _ in _units if not f._cache.has_files()})
        while _units:
            symbol, dispatcher, signature = _units.pop(0)
            llvmlite.binding.add_symbol(symbol, _address(dispatcher, signature))


def _address(dispatcher: Any, signature: Any) -> int:
    """Where the C function is, compiled or loaded."""
    dispatcher.compile(signature)
    compiled = dispatcher.overloads[dispatcher.signatures[0]]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name))


def _extent(dispatcher: Any, counted: set[Any]) -> int:
    """Bytes of Python's code in a function and in the fragments that become part of it."""
    code, names = dispatcher.py_func.__code__, dispatcher.py_func.__globals__
    counted.add(dispatcher)
    inside = {found for name in code.co_names if isinstance(found := names.get(name), Dispatcher)} - counted
    return len(code.co_code) + sum(_extent(each, counted) for each in inside if each not in counted)


def compile_into_cache(symbols: set[str]) -> None:
    """The units of these symbols are in the disk cache. This process cannot run them: the others have no addresses."""
    for symbol, _, _ in _units:
        llvmlite.binding.add_symbol(symbol, 1)
    for symbol, dispatcher, declared in _units:
        if symbol in symbols:
            dispatcher.compile(declared)


def bind(dispatcher: Any, *signature: Any) -> Callable[..., Any]:
    """The compiled function without Numba's dispatcher (0.06 instead of 0.5 µs a call). It converts arguments without checking."""
    if not IS_COMPILED:
        return cast("Callable[..., Any]", dispatcher)
    with COMPILING, rare_collection():
        link_units()
        dispatcher.compile(signature)
        return cast("Callable[..., Any]", dispatcher.get_overload(signature))


def bind_loop(dispatcher: Any) -> Callable[[Any, Callable[[], Any]], int]:
    """A loop as a function of a handle's key and the Python function to call. What the latter raises, it raises."""
    if not IS_COMPILED:
        return cast("Callable[[Any, Callable[[], Any]], int]", dispatcher)
    with COMPILING, rare_collection():
        link_units()
        # a function that holds the GIL, and after which Python looks for an error
        call = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(_address(dispatcher, INT(INT, INT)))
    return lambda key, function: int(call(key, id(function)))


# ---------------------------------------------------------------------------------------------------------------- state
class _View(types.Type):  # type: ignore[misc]
    """Compiled view of the state or of one of its groups: the table's address, and what each name finds behind it."""

    def __init__(self, name: str) -> None:
        self.members: dict[str, Any] = {}
        super().__init__(f"View({name})")


class _Column(types.Type):  # type: ignore[misc]
    """Compiled view of one array of the state: the table's address; the type knows the array's place in it.

    No owner, hence no reference counts; no negative indices; and no column ever overlaps another, which the optimiser is told (TBAA).
    """

    def __init__(self, dtype: Any, place: int) -> None:
        self.dtype = dtype
        self.place = place
        super().__init__(f"Column({dtype}, {place})")


STATE = _View("State")
_layout: list[tuple[Any, ...]] = []


@register_default(_View)
@register_default(_Column)
class _AddressModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, cgutils.intp_t)


@infer_getattr
class _ViewAttribute(AttributeTemplate):  # type: ignore[misc]
    key = _View

    def generic_resolve(self, typ: _View, attr: str) -> Any:
        return typ.members.get(attr)


@infer_getattr
class _ColumnAttribute(AttributeTemplate):  # type: ignore[misc]
    key = _Column

    def resolve_shape(self, typ: _Column) -> Any:  # noqa: ARG002
        return types.UniTuple(types.intp, 1)


@infer_global(operator.getitem)
class _ColumnGetItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], _Column) and isinstance(args[1], types.Integer) and not kws:
            return signature(args[0].dtype, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _ColumnSetItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], _Column) and isinstance(args[1], types.Integer) and not kws:
            return signature(types.none, args[0], types.intp, args[0].dtype)
        return None


@lower_getattr_generic(_View)
def _member(context: Any, builder: Any, typ: _View, address: Any, attr: str) -> Any:  # noqa: ARG001
    """A group or a column: the same address, seen as another type."""
    return address


def _table_entry(builder: Any, address: Any, position: int) -> Any:
    """A word of the table. Python rewrites the table only between calls."""
    value = builder.load(cgutils.gep(builder, builder.inttoptr(address, address.type.as_pointer()), position))
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _alone(builder: Any, instruction: Any, place: int) -> None:
    """The optimiser knows that this access touches no other column."""
    root = builder.module.add_metadata(["ml4t.backtest"])
    kind = builder.module.add_metadata([f"column {place}", root, cgutils.intp_t(0)])
    instruction.set_metadata("tbaa", builder.module.add_metadata([kind, kind, cgutils.intp_t(0)]))


def column_address(builder: Any, column: _Column, address: Any) -> Any:
    """The address of a column's first element."""
    return _table_entry(builder, address, 2 * column.place)


def _element(context: Any, builder: Any, column: _Column, address: Any, index: Any) -> Any:
    if config.BOUNDSCHECK:
        cgutils.do_boundscheck(context, builder, index, _table_entry(builder, address, 2 * column.place + 1))
    kind = context.get_data_type(column.dtype)
    data = builder.inttoptr(column_address(builder, column, address), kind.as_pointer())
    return builder.gep(data, [index])


@lower_getattr(_Column, "shape")
def _shape(context: Any, builder: Any, typ: _Column, address: Any) -> Any:
    length = _table_entry(builder, address, 2 * typ.place + 1)
    return context.make_tuple(builder, types.UniTuple(types.intp, 1), [length])


@lower_builtin(operator.getitem, _Column, types.intp)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    column = sig.args[0]
    value = builder.load(_element(context, builder, column, *args))
    _alone(builder, value, column.place)
    return context.data_model_manager[column.dtype].from_data(builder, value)


@lower_builtin(operator.setitem, _Column, types.intp, types.Any)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> None:
    column = sig.args[0]
    value = context.data_model_manager[column.dtype].as_data(builder, args[2])
    _alone(builder, builder.store(value, _element(context, builder, column, args[0], args[1])), column.place)


def arrays_of(state: Any) -> list[np.ndarray]:
    """The arrays of a state, and of the groups in it, in order."""
    return [a for part in state for a in ((part,) if isinstance(part, np.ndarray) else part)]


def _type_of(array: Any) -> tuple[Any, ...]:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"the state holds {array!r}, which is no array")
    return array.dtype, array.ndim, array.flags.c_contiguous, array.flags.writeable


def define_state(prototype: Any) -> None:
    """Fixes what compiled code finds behind a handle's address. Called once, by `allocation`."""
    global _layout  # noqa: PLW0603  one layout a process, as there is one kernel
    _layout = [_type_of(array) for array in arrays_of(prototype)]
    place = count()
    for name, part in zip(prototype._fields, prototype, strict=True):
        if isinstance(part, np.ndarray):
            STATE.members[name] = _Column(typeof(part).dtype, next(place))
        else:
            group = STATE.members[name] = _View(name)
            group.members.update(
                {f: _Column(typeof(a).dtype, next(place)) for f, a in zip(part._fields, part, strict=True)}
            )


class Handle:
    """Owner of the state. `key` is what entry points take: the address of its table, or the handle itself where nothing is compiled."""

    __slots__ = ("_arrays", "_table", "key", "state")

    def __init__(self, state: Any) -> None:
        self._arrays: list[Any] = [None] * len(arrays_of(state))
        self._table = np.zeros((len(self._arrays), 2), np.int64)
        self.key: Any = self._table.ctypes.data if IS_COMPILED else self
        self.replace(state)

    def replace(self, state: Any) -> None:
        """Point at these arrays from now on. Between calls only. Raises TypeError where one has another type than the kernel expects."""
        arrays = arrays_of(state)
        changed = [i for i, (new, old) in enumerate(zip(arrays, self._arrays, strict=True)) if new is not old]
        for i in changed:
            found = _type_of(arrays[i])
            if found != _layout[i]:
                raise TypeError(f"array {i} of the state is {found}, the kernel was compiled for {_layout[i]}")
        self.state, self._arrays = state, arrays
        for i in changed:
            self._table[i] = arrays[i].__array_interface__["data"][0], arrays[i].shape[0]


def model_prototype(arguments: int) -> Any:
    """The C type of a user's own model: a side and further numbers in, a number out."""
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, *[ctypes.c_double] * (arguments - 1))


if IS_COMPILED:

    @intrinsic
    def call_pointer(typingctx: Any, address: Any, arguments: Any) -> Any:  # noqa: ARG001
        """What the function at an address returns: a float, for a tuple of an int and floats."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            kind = ir.FunctionType(ir.DoubleType(), [context.get_value_type(t) for t in sig.args[1].types])
            return builder.call(builder.inttoptr(args[0], kind.as_pointer()), cgutils.unpack_tuple(builder, args[1]))

        wanted = types.Tuple([INT, *[FLOAT] * (len(arguments) - 1)])
        return FLOAT(INT, wanted), codegen

    @intrinsic
    def call_python(typingctx: Any, function: Any) -> Any:  # noqa: ARG001
        """The Python function at this address was called, without arguments, by a thread that holds the GIL. Whether it raised."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
            python = context.get_python_api(builder)
            name = "PyObject_CallNoArgs"
            call = cgutils.get_or_insert_function(builder.module, ir.FunctionType(python.pyobj, [python.pyobj]), name)
            result = builder.call(call, [builder.inttoptr(args[0], python.pyobj)])
            raised = cgutils.is_null(builder, result)
            with builder.if_then(builder.not_(raised)):
                python.decref(result)
            return raised

        return types.boolean(types.intp), codegen

    @intrinsic
    def borrow(typingctx: Any, key: Any) -> Any:  # noqa: ARG001
        """The state behind a handle's key."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
            return args[0]

        return STATE(types.intp), codegen

else:

    def call_pointer(address: int, arguments: tuple[float, ...]) -> float:
        """What the function at an address returns: a float, for a tuple of an int and floats."""
        return float(model_prototype(len(arguments))(int(address))(*arguments))

    def call_python(function: Callable[[], Any]) -> bool:
        """The function was called. It did not raise: here that would end the caller, too."""
        function()
        return False

    def borrow(key: Handle) -> Any:
        """The state behind a handle's key."""
        return key.state
