"""Numbers as users give them: checked, with errors that say which."""

import math
from typing import Any

from ml4t.backtest.errors import OrderError

NAN = math.nan
PLAIN = (float, int)


def finite(what: str, number: Any) -> float:
    """The number as a float. Raises OrderError where it is none, or not finite."""
    try:
        value = float(number) if not isinstance(number, str | bytes) else NAN
    except (TypeError, ValueError):
        value = NAN
    if not math.isfinite(value):
        raise OrderError(f"{what} must be a finite number, not {number!r}.")
    return value


def positive(what: str, number: Any) -> float:
    """The number as a float above 0. Raises OrderError."""
    value = finite(what, number)
    if value <= 0.0:
        raise OrderError(f"{what} must be above 0, not {number!r}; the side says the direction.")
    return value


def given_or_none(number: float) -> float | None:
    """The number, None where it is NaN."""
    return None if math.isnan(number) else number


def counted(what: str, number: Any) -> int:
    """A whole number, 1 or more. Raises OrderError."""
    if isinstance(number, bool) or not hasattr(number, "__index__") or number < 1:
        raise OrderError(f"{what} must be a whole number, 1 or more, not {number!r}.")
    return int(number)
