"""What a metric is: a label, a unit and a function; and the one rule for values that do not exist."""

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from math import isfinite
from typing import NamedTuple, ParamSpec

import numpy as np

from ml4t.backtest.metrics.sample import Sample

P = ParamSpec("P")


class Unit(IntEnum):
    """What a metric is measured in; decides how it is shown."""

    FRACTION = 0
    RATIO = 1
    MONEY = 2
    COUNT = 3


class Metric(NamedTuple):
    """One line of a result."""

    label: str
    unit: Unit
    value: Callable[[Sample], float | int | None]


def defined(function: Callable[P, float]) -> Callable[P, float | None]:
    """The same function, with None for a result that does not exist (NaN or infinite), and without NumPy's warnings.

    Example:
        >>> defined(lambda a, b: np.divide(a, b))(1.0, 0.0) is None
        True

    """

    @wraps(function)
    def value(*args: P.args, **kwargs: P.kwargs) -> float | None:
        with np.errstate(all="ignore"):
            try:
                result = float(function(*args, **kwargs))
            except (OverflowError, ZeroDivisionError):
                return None
        return result if isfinite(result) else None

    return value
