"""What can go wrong, one class per kind. Every message says what, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BacktestError(Exception):
    """Base of every error this package raises on purpose. `result`: what a run had done when it was raised inside one."""

    result: Any = None


class ConfigError(BacktestError, ValueError):
    """The configuration is wrong: unknown key, value out of range, unsupported combination."""


class DataError(BacktestError, ValueError):
    """The input data is wrong: names the source, the row, the column and the remedy."""


class StrategyError(BacktestError):
    """The strategy cannot be imported, has wrong parameters, or raised."""


class OrderError(BacktestError, ValueError):
    """A request to the broker makes no sense: quantity ≤ 0, price ≤ 0, contradicting arguments."""


class UnknownSymbolError(BacktestError, KeyError):
    """The run has no such symbol."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownFieldError(BacktestError, AttributeError, KeyError):
    """A stream has no such column."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class LookAheadError(BacktestError):
    """Something about the future was asked for."""


class ArtifactError(BacktestError):
    """A run directory is missing, incomplete, changed or not writable."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'X'?"` for the known name closest to `name`, or an empty string."""
    match = get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    return f" Did you mean {match[0]!r}?" if match else ""
