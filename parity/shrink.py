"""The smallest case that still differs."""

from collections.abc import Callable, Iterator
from typing import Any

from parity.case import Case

MOST_TRIALS = 400


def shrunk(case: Case, differs: Callable[[Case], bool], defaults: dict[str, Any]) -> Case:
    """A case no simpler neighbour of which `differs`: fewer requests, fewer bars, defaults for options, rounder prices."""
    trials = 0
    improved = True
    while improved and trials < MOST_TRIALS:
        improved = False
        for simpler in _simpler(case, defaults):
            trials += 1
            if trials >= MOST_TRIALS:
                break
            if differs(simpler):
                case, improved = simpler, True
                break
    return case


def _simpler(case: Case, defaults: dict[str, Any]) -> Iterator[Case]:
    script, n = case.script, len(case.script)
    size = n // 2
    while size >= 1:
        for start in range(0, n, size):
            yield case.with_(script=script[:start] + script[start + size :])
        size //= 2
    yield from _shorter(case)
    for key, value in case.options.items():
        if key in defaults and value != defaults[key]:
            yield case.with_(options={**case.options, key: defaults[key]})
    for i, request in enumerate(script):
        for key in request:
            if key in ("sl", "tp", "limit", "stop", "portion", "valid"):
                less = {name: value for name, value in request.items() if name != key}
                yield case.with_(script=[*script[:i], less, *script[i + 1 :]])


def _shorter(case: Case) -> Iterator[Case]:
    used = max((request["bar"] for request in case.script), default=0)
    for length in (used + 1, (used + case.length) // 2, case.length - 1):
        if 2 <= length < case.length:
            yield case.with_(bars={symbol: rows[:length] for symbol, rows in case.bars.items()})
    if len(case.bars) > 1:
        for symbol in case.bars:
            if all(request.get("symbol") != symbol for request in case.script):
                yield case.with_(bars={name: rows for name, rows in case.bars.items() if name != symbol})
    for first in (case.length // 2, case.length // 4, 1):
        if 0 < first <= min((request["bar"] for request in case.script), default=0) - 1:
            moved = [{**request, "bar": request["bar"] - first} for request in case.script]
            yield case.with_(bars={symbol: rows[first:] for symbol, rows in case.bars.items()}, script=moved)
