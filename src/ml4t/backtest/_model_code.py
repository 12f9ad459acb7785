"""A user's own model as a C function: compiled on its own, and called by its address (ADR 0020)."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types

from ml4t.backtest._jit import FLOAT, INT


def model_address(f: Callable[..., Any], arguments: int) -> tuple[int, Any]:
    """The address of a user's model, compiled, and what must be kept as long as it is used. NaN stands for an exception in it.

    Raises numba.errors.NumbaError, or TypeError where it does not always return a number.
    """
    signature = (INT, *[FLOAT] * (arguments - 1))
    compiled = numba.njit(error_model="python")(f)
    compiled.compile(signature)
    result = compiled.overloads[signature].signature.return_type
    if not isinstance(result, types.Number):
        raise TypeError(f"it must return a number on every path, not {result}")

    kept = numba.cfunc(FLOAT(*signature))(_guarded(compiled, arguments))
    return kept.address, kept


def _guarded(f: Any, arguments: int) -> Any:
    """Functions of 5, 7 or 8 arguments that return NaN where f raises: a C function cannot, and has no `*args`."""

    def five(a: Any, b: Any, c: Any, d: Any, e: Any) -> float:
        try:
            return float(f(a, b, c, d, e))
        except Exception:  # noqa: BLE001  what it raises is found by calling it interpreted
            return np.nan

    def seven(a: Any, b: Any, c: Any, d: Any, e: Any, g: Any, h: Any) -> float:
        try:
            return float(f(a, b, c, d, e, g, h))
        except Exception:  # noqa: BLE001
            return np.nan

    def eight(a: Any, b: Any, c: Any, d: Any, e: Any, g: Any, h: Any, i: Any) -> float:
        try:
            return float(f(a, b, c, d, e, g, h, i))
        except Exception:  # noqa: BLE001
            return np.nan

    return {5: five, 7: seven, 8: eight}[arguments]
