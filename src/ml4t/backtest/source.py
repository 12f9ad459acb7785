"""Strategy sources: where a strategy's code lives, what it hashes to, and how `module:Class` becomes a class again."""

import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from ml4t.backtest.errors import StrategyError, nearest
from ml4t.backtest.source_file import find_file, is_library, source_hashes

if TYPE_CHECKING:
    from ml4t.backtest.strategy import Strategy


@dataclass(frozen=True)
class StrategySource:
    """Where a strategy came from, precisely enough to notice an edit and to load it again.

    `sources` maps every file the strategy is made of (its own and the siblings it imports, relative to `folder`) to
    its SHA-256. `reason` says why the strategy cannot be loaded again where `verifiable` is false.
    """

    name: str
    file: str | None
    folder: str | None
    sha256: str | None
    verifiable: bool
    reason: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def describe(strategy: "Strategy | type[Strategy]") -> StrategySource:
    """Return the source of a strategy instance (or class) as it is on disk now.

    Example:
        >>> from ml4t.backtest.demo import Crossover
        >>> describe(Crossover()).name
        'ml4t.backtest.demo:Crossover'

    """
    cls = strategy if isinstance(strategy, type) else type(strategy)
    name = f"{cls.__module__}:{cls.__qualname__}"
    values = {name: getattr(strategy, name) for name in cls.parameter_types() if hasattr(strategy, name)}
    parameters, problem = _jsonable(values)
    file = _file_of(cls)
    if file is None:
        where = "a notebook or an interactive session"
        reason = f"{name} is defined in {where}, which cannot be imported again; move the class into a .py file"
        return StrategySource(name, None, None, None, verifiable=False, reason=reason, parameters=parameters)
    folder = _root(file, cls.__module__)
    if cls.__module__ == "__main__":
        problem = f"{cls.__qualname__} is defined in the script that was run; move the class into a module of its own"
    elif "." in cls.__qualname__:
        problem = f"{cls.__qualname__} is defined inside a function or another class; move it to the top of its module"
    sources = source_hashes(file, folder)
    own = sources[file.relative_to(folder).as_posix()]
    return StrategySource(name, str(file), str(folder), own, problem is None, problem, parameters, sources)


def load_strategy(name: str, folder: str | Path) -> "type[Strategy]":
    """Return the strategy class called `module:Class`, imported afresh from `folder` or else from what is installed.

    - `name` must be two identifiers joined by a colon (the module may be dotted); anything else is refused unread.
    - A module found in `folder` (beside the config file) wins over an installed one.
    - Only a subclass of `Strategy` is returned.

    Raises: StrategyError.
    """
    from ml4t.backtest.strategy import Strategy  # reason: describing and hashing sources needs no engine

    module_name, class_name = split_name(name)
    module = _import(module_name, Path(folder).resolve())
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, Strategy) and found is not Strategy:
        return found
    where = getattr(module, "__file__", None) or module_name
    if found is not None:
        raise StrategyError(f"{where}: {class_name} is not a subclass of Strategy; it cannot be run.")
    classes = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    known = [name for name, value in classes.items() if issubclass(value, Strategy) and value is not Strategy]
    there = f"It defines {', '.join(known)}." if known else "It defines no subclass of Strategy."
    raise StrategyError(f"{where}: no class {class_name!r}.{nearest(class_name, known)} {there}")


def split_name(name: str) -> tuple[str, str]:
    """Return module and class of `module:Class`. Raises: StrategyError when it is anything else."""
    module_name, _, class_name = name.partition(":")
    if not all(part.isidentifier() for part in (class_name, *module_name.split("."))):
        raise StrategyError(f"strategy.name = {name!r} is not of the form 'module:Class', e.g. 'strategy:Crossover'.")
    return module_name, class_name


def no_module(name: str, folder: str | Path) -> StrategyError:
    """Return the error for a module that is neither in `folder` nor installed."""
    known = [path.stem for path in Path(folder).glob("*.py")]
    return StrategyError(f"No module {name!r} in {folder}, and none installed.{nearest(name, known)}")


def _root(file: Path, module_name: str) -> Path:
    """The folder from which `import module_name` finds `file`; the file's own folder where the names do not match."""
    depth = module_name.count(".") + (file.name == "__init__.py")
    root = file.parents[min(depth, len(file.parents) - 1)]
    return root if find_file(module_name, root) == file else file.parent


def _file_of(cls: type) -> Path | None:
    try:
        file = Path(inspect.getfile(cls))
    except (TypeError, OSError):  # no file at all: a REPL, or made by exec
        return None
    # Notebooks compile cells under names such as /tmp/ipykernel_123/456.py, which may exist but cannot be imported.
    if "ipykernel" in str(file) or file.suffix != ".py" or not file.is_file():
        return None
    return file.resolve()


def _jsonable(parameters: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Parameters as JSON values, and why the strategy could not be made again from them (None when it can)."""
    values: dict[str, Any] = {}
    problem = None
    for name, value in parameters.items():
        try:
            values[name] = to_jsonable_python(value)
            json.dumps(values[name], allow_nan=False)
        except ValueError:  # of a type, or a number, that JSON does not have
            values[name] = repr(value)
            problem = f"parameter {name!r} = {value!r} cannot be written to the manifest"
    return values, problem


def _import(name: str, folder: Path) -> ModuleType:
    file = find_file(name, folder)
    try:
        if file is None or is_library(file, folder):
            return importlib.import_module(name)
        return _import_beside(name, file, folder)
    except StrategyError:
        raise
    except (Exception, SystemExit) as error:
        is_missing = isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.")
        raise (no_module(name, folder) if is_missing else _import_failure(name, file, error)) from error


def _import_beside(name: str, file: Path, folder: Path) -> ModuleType:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "ml4t":
        raise StrategyError(f"{file}: the name {top!r} belongs to an installed module; rename the file.")
    # Another run's module of the same name, or this one before an edit, must not be served from memory.
    for relative in source_hashes(file, folder):
        parts = Path(relative).with_suffix("").parts
        for end in range(1, len(parts) + 1):
            if parts[0] not in sys.stdlib_module_names:
                sys.modules.pop(".".join(parts[:end]), None)
    with _first_on_path(folder):
        return importlib.import_module(name)


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """`folder` is searched first, and stays so: strategies may import siblings later, inside a method.

    Bytecode is neither written nor read: Python matches it by whole seconds and size, so after a quick edit of the
    same length the old code would run.
    """
    before = sys.dont_write_bytecode, sys.pycache_prefix
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]
    sys.dont_write_bytecode, sys.pycache_prefix = True, str(folder / ".no-bytecode")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = before


def _import_failure(name: str, file: Path | None, error: BaseException) -> StrategyError:
    """One message with the last lines of the traceback that lie in the user's files."""
    where = file or name
    if isinstance(error, SyntaxError):
        return StrategyError(f"{error.filename or where}:{error.lineno}: {error.msg}: {(error.text or '').strip()}")
    return StrategyError("\n".join([f"{where}: importing it raised {_said(error)}", *user_lines(error)[-3:]]))


def user_lines(error: BaseException) -> list[str]:
    """Return `file:line in function: code` of each traceback entry outside this package and the import system."""
    package = Path(__file__).parent
    return [
        f"  {entry.filename}:{entry.lineno} in {entry.name}: {entry.line}"
        for entry in traceback.extract_tb(error.__traceback__)
        if package not in Path(entry.filename).parents and "importlib" not in entry.filename
    ]


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
