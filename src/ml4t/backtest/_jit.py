"""The compile decorators, their disk cache, and the compiled view of the state. The only module that touches Numba's private side.

Three decorators: `inline` (part of its caller), `function` (a unit of its own that compiled code calls) and `entry` (what Python calls). Units are
linked by symbol: Numba alone would copy every callee into its caller and optimise it again at each level, 70 s instead of 10 (ADR 0012).
What crosses from Python is one int: the address of a table of (pointer, length) pairs, one per array of the state (`Handle`). In compiled code
`state.book.side[i]` reads the pointer from that table; the arrays have no owner there, so no reference is ever counted (ADR 0005).
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numpy as np
import platformdirs
from numba import config, typeof
from numba.core import cgutils, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

F = TypeVar("F", bound=Callable[..., Any])

# types of what units take and return
VOID, INT, FLOAT = types.void, types.int64, types.float64

PACKAGE = Path(__file__).parent
IS_COMPILED = not config.DISABLE_JIT


def kernel_sources() -> list[Path]:
    """Every file whose text may end up in compiled code."""
    return [PACKAGE / "_jit.py", PACKAGE / "enums.py", PACKAGE / "tables.py", *sorted((PACKAGE / "kernel").glob("*.py"))]


def kernel_digest() -> str:
    """SHA-256 over the kernel's sources, Numba's version and the flags that are missing in Numba's own cache key."""
    flags = (numba.__version__, config.BOUNDSCHECK, config.OPT, config.DEBUGINFO_DEFAULT, config.CPU_NAME)
    text = b"\0".join(path.read_bytes() for path in kernel_sources())
    return hashlib.sha256(text + repr(flags).encode()).hexdigest()[:16]


DIGEST = kernel_digest()


def cache_root() -> Path:
    """Folder of compiled code: `ML4T_BACKTEST_CACHE`, or the user's cache folder. As trusted as the code itself, hence private (0700)."""
    root = os.environ.get("ML4T_BACKTEST_CACHE") or platformdirs.user_cache_dir("ml4t-backtest", appauthor=False)
    path = Path(root)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class _DigestLocator(_CacheLocator):  # type: ignore[misc]
    """Stores entries under `cache_root()/DIGEST`. Numba alone would not notice an edit in a file that the cached function imports."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(cache_root() / DIGEST)

    def get_source_stamp(self) -> str:
        return DIGEST

    def get_disambiguator(self) -> str:
        return str(self._lineno)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_DigestLocator":
        self = cls(py_func, py_file)
        self.ensure_cache_path()
        return self


class _DigestImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_DigestLocator]


class _DigestCache(FunctionCache):  # type: ignore[misc]
    _impl_class = _DigestImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001  a damaged file can raise anything; compiling again is always right
            warnings.warn(f"compiled code in {self.cache_path} is damaged ({error!r}) and is compiled again", stacklevel=2)
            self.flush()
            return None


def inline(f: F) -> F:
    """Compile f as part of its caller: no call, no cache entry of its own."""
    return cast("F", numba.njit(forceinline=True, error_model="numpy")(f))


def entry(f: F) -> F:
    """Compile f as a function that Python calls: cached on disk, without the GIL while it runs."""
    dispatcher = numba.njit(error_model="numpy", nogil=True)(f)
    if IS_COMPILED:
        dispatcher._cache = _DigestCache(f)
    return cast("F", dispatcher)


@dataclass(frozen=True)
class _Unit:
    """A function compiled once and called by its symbol."""

    symbol: str
    dispatcher: Any
    signature: tuple[Any, ...]

    def link(self) -> None:
        """Compiled code that calls the symbol finds it from now on."""
        self.dispatcher.compile(self.signature)
        compiled = self.dispatcher.overloads[self.dispatcher.signatures[0]]
        address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
        llvmlite.binding.add_symbol(self.symbol, address)


_units: list[_Unit] = []


def function(result: Any, *arguments: Any) -> Callable[[F], F]:
    """Compile f(state, ...) as a unit of its own, cached on disk, for compiled code to call; argument types follow the state."""

    def decorate(f: F) -> F:
        if not IS_COMPILED:
            return f
        code = f.__code__
        names = ", ".join(code.co_varnames[1 : code.co_argcount])
        symbol = f"ml4t_backtest_{DIGEST}_{f.__module__.rpartition('.')[2]}_{f.__name__}"
        scope = {
            "__name__": f.__module__,
            "body": inline(f),
            "borrow": borrow,
            "address_of": address_of,
            "external": types.ExternalFunction(symbol, result(types.intp, *arguments)),
        }
        text = f"def {f.__name__}_unit(key, {names}):\n    return body(borrow(key), {names})\n"
        text += f"def {f.__name__}(state, {names}):\n    return external(address_of(state), {names})\n"
        exec(compile(text, code.co_filename, "exec"), scope)  # noqa: S102  two lines of our own that forward f's arguments
        _units.append(_Unit(symbol, entry(cast("Any", scope[f"{f.__name__}_unit"])), (types.intp, *arguments)))
        return cast("F", inline(cast("Any", scope[f.__name__])))

    return decorate


def link_units() -> None:
    """Every unit is compiled, or loaded, and can be called. In the order of definition: a unit calls only earlier ones."""
    while _units:
        _units.pop(0).link()


def bind(dispatcher: Any, *signature: Any) -> Callable[..., Any]:
    """The compiled function without Numba's dispatcher (0.06 instead of 0.5 µs a call). Arguments are converted, their types not inspected."""
    if not IS_COMPILED:
        return cast("Callable[..., Any]", dispatcher)
    link_units()
    dispatcher.compile(signature)
    return cast("Callable[..., Any]", dispatcher.get_overload(signature))


# ---------------------------------------------------------------------------------------------------------------- state
class _View(types.Type):  # type: ignore[misc]
    """Compiled view of the state or of one of its groups: an address, and what each name finds behind it.

    `members` maps a name to an array type and its place in the table, or to the view of a group.
    """

    def __init__(self, name: str) -> None:
        self.members: dict[str, Any] = {}
        super().__init__(f"View({name})")


_STATE = _View("State")
_layout: Any = None


@register_default(_View)
class _ViewModel(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, [("address", types.intp)])


@infer_getattr
class _ViewAttribute(AttributeTemplate):  # type: ignore[misc]
    key = _View

    def generic_resolve(self, typ: _View, attr: str) -> Any:
        member = typ.members.get(attr)
        return member[0] if isinstance(member, tuple) else member


@lower_getattr_generic(_View)
def _member(context: Any, builder: Any, typ: _View, val: Any, attr: str) -> Any:
    """The view of a group, or an array without owner whose pointer and length are read from the table."""
    member = typ.members[attr]
    if isinstance(member, _View):
        return val
    array_type, place = member
    address = cgutils.create_struct_proxy(typ)(context, builder, value=val).address
    word = address.type
    table = builder.inttoptr(address, word.as_pointer())

    def load(position: int) -> Any:
        value = builder.load(cgutils.gep(builder, table, position))
        # Python rewrites the table only between calls
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value

    array = make_array(array_type)(context, builder)
    item = word(context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
    data = builder.inttoptr(load(2 * place), array.data.type)
    populate_array(array, data=data, shape=[load(2 * place + 1)], strides=[item], itemsize=item, meminfo=None)
    return array._getvalue()


def arrays_of(value: Any) -> Iterator[np.ndarray]:
    """The arrays of nested NamedTuples, in order."""
    if isinstance(value, np.ndarray):
        yield value
    else:
        for part in value:
            yield from arrays_of(part)


def define_state(prototype: Any) -> None:
    """Fixes what compiled code finds behind a handle's address. Called once, by `tables`."""
    global _layout  # noqa: PLW0603  one layout a process, as there is one kernel
    _layout = typeof(prototype)
    place = 0
    for name, part in zip(prototype._fields, prototype, strict=True):
        if isinstance(part, np.ndarray):
            _STATE.members[name] = (typeof(part), place)
            place += 1
        else:
            group = _STATE.members[name] = _View(name)
            for field, array in zip(part._fields, part, strict=True):
                group.members[field] = (typeof(array), place)
                place += 1


class Handle:
    """Owner of the state. `key` is what entry points take: the address of its table, or the handle itself where nothing is compiled."""

    __slots__ = ("_table", "key", "state")

    def __init__(self, state: Any) -> None:
        self._table = np.zeros((sum(1 for _ in arrays_of(state)), 2), np.int64)
        self.key: Any = self._table.ctypes.data if IS_COMPILED else self
        self.replace(state)

    def replace(self, state: Any) -> None:
        """Point at these arrays from now on. Between calls only."""
        if typeof(state) != _layout:
            raise TypeError(f"state arrays have types {typeof(state)}, the kernel was compiled for {_layout}")
        self.state = state
        self._table[:] = [(a.ctypes.data, a.shape[0]) for a in arrays_of(state)]


if IS_COMPILED:

    @intrinsic
    def borrow(typingctx: Any, key: Any) -> Any:  # noqa: ARG001
        """The state behind a handle's key."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:  # noqa: ARG001
            out = cgutils.create_struct_proxy(_STATE)(context, builder)
            out.address = args[0]
            return out._getvalue()

        return _STATE(types.intp), codegen

    @intrinsic
    def address_of(typingctx: Any, state: Any) -> Any:  # noqa: ARG001
        """The key behind which the state was found."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).address

        return types.intp(_STATE), codegen

else:

    def borrow(key: Handle) -> Any:
        """The state behind a handle's key."""
        return key.state
