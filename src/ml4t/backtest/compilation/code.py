"""The code of a strategy class: its methods, a digest of all that they are made of, and the texts in them."""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from ml4t.backtest.errors import CompilationError
from ml4t.backtest.strategy import Strategy

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
INTERPRETED = ("on_start", "on_end", "__init__", "inputs")  # hooks that stay Python


def methods_of(cls: type[Strategy]) -> dict[str, Callable[..., Any]]:
    """Name → function of every method that the class and its bases add to `Strategy`. Raises CompilationError for properties."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(cls.__mro__):
        if base in Strategy.__mro__:
            continue
        for name, value in vars(base).items():
            if isinstance(value, property | classmethod | staticmethod):
                raise CompilationError(
                    f"{base.__name__}.{name} is a {type(value).__name__}; a compiled strategy has ordinary methods only. "
                    "Make it one, or run with compiled=False."
                )
            if inspect.isfunction(value) and name not in INTERPRETED:
                found[name] = value
    return found


def names_in(function: Callable[..., Any]) -> set[str]:
    """Every name that a function uses, of attributes as well."""
    found, codes = set[str](), [function.__code__]
    while codes:
        code = codes.pop()
        found.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return found


def reached(methods: Mapping[str, Callable[..., Any]], first: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """The methods that are called from these, directly or not; the others need not compile, and change nothing where they are edited."""
    found: dict[str, Callable[..., Any]] = {}
    waiting = [name for name in first if name in methods]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = methods[name]
            waiting += sorted(names_in(methods[name]) & methods.keys())
    return {name: found[name] for name in methods if name in found}


def digest_of(functions: Iterator[Callable[..., Any]] | list[Callable[..., Any]], seen: set[Any] | None = None) -> str:
    """A digest of the functions' code and of every global that they use, functions and constants, and of this package."""
    seen = set() if seen is None else seen
    hashed = hashlib.sha256(_facade() if not seen else b"")
    for function in functions:
        plain = getattr(function, "py_func", function)
        if plain in seen:
            continue
        seen.add(plain)
        _hash_code(hashed, plain.__code__)
        hashed.update(
            repr((plain.__globals__.get("__name__"), plain.__defaults__)).encode()
        )  # Numba's cache imports the module
        closure = inspect.getclosurevars(plain)
        for name, value in sorted({**closure.globals, **closure.nonlocals}.items()):
            hashed.update(name.encode() + _described(value, seen))
    return hashed.hexdigest()[:16]


def _hash_code(hashed: Any, code: CodeType) -> None:
    hashed.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _hash_code(hashed, constant)
        else:
            hashed.update(repr(constant).encode())


def _described(value: Any, seen: set[Any]) -> bytes:
    if inspect.isfunction(value) or hasattr(value, "py_func"):
        return digest_of([value], seen).encode()
    if isinstance(value, np.ndarray):
        return value.tobytes() + str((value.dtype, value.shape)).encode()
    if isinstance(value, ModuleType):
        return (value.__name__ + str(getattr(value, "__version__", ""))).encode()
    return ADDRESS.sub("", repr(value)).encode()


_package: list[bytes] = []


def _facade() -> bytes:
    """The text of what compiled strategies call: this package, and what it takes from beside it."""
    if not _package:
        folder = Path(__file__).parent
        files = [*sorted(folder.glob("*.py")), *(folder.parent / name for name in ("lookup.py", "market_data.py"))]
        _package.append(b"\0".join(path.read_bytes() for path in files))
    return _package[0]


def texts(function: Callable[..., Any]) -> Iterator[str]:
    """Every text that is written out in a function."""
    codes = [getattr(function, "py_func", function).__code__]
    while codes:
        for constant in codes.pop().co_consts:
            if isinstance(constant, CodeType):
                codes.append(constant)
            elif isinstance(constant, str):
                yield constant
            elif isinstance(constant, tuple | frozenset):
                yield from (part for part in constant if isinstance(part, str))
