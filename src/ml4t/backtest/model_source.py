"""Where the models of a run come from: functions of the user, and fee tables."""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FEE_TABLE = "fee_table"
"""The role of a fee table in the manifest; it is data, not a function."""


@dataclass(frozen=True)
class ModelSource:
    """What the manifest keeps of a model: for what it is, its name and place, and the SHA-256 of its source.

    `sha256` is that of the function's own text (of its bytecode where it has none), or of a fee table's file.
    """

    role: str
    name: str
    file: str | None
    line: int | None
    sha256: str
    is_interpreted: bool = False

    @property
    def place(self) -> str:
        """Name, file and line, for messages."""
        name = self.name.partition(":")[2]
        return f"{name} ({Path(self.file).name}, line {self.line})" if self.file else name


def source_of(role: str, function: Callable[..., float], *, is_interpreted: bool = False) -> ModelSource:
    """Where a model comes from, and the hash of its own text; functions that it calls are not part of it."""
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        lines, line = inspect.getsourcelines(function)
        file, text = inspect.getsourcefile(function), "".join(lines).encode()
    except (OSError, TypeError):  # made by exec, or no function
        code = getattr(function, "__code__", None)
        file, line, text = None, 0, code.co_code + repr(code.co_consts).encode() if code else name.encode()
    return ModelSource(role, name, file, line or None, hashlib.sha256(text).hexdigest(), is_interpreted)


def fee_table_source(path: Path) -> ModelSource:
    """The record of a fee table: its path and the hash of the file."""
    full = path.resolve()
    return ModelSource(FEE_TABLE, full.name, str(full), None, hashlib.sha256(full.read_bytes()).hexdigest())
