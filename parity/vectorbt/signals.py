"""What the columns of entries and exits ask for, one row and symbol at a time: the decisions of `from_signals`, none of its fills.

A decision is a `Request`: how much, in which size type, and which side it may not open (docs/parity/vectorbt.md).
"""

import math
from typing import Any, NamedTuple

LONG, SHORT, BOTH = "longonly", "shortonly", "both"


class Request(NamedTuple):
    """A signed size in a size type; `direction` LONG or SHORT: only that side is opened or closed. `closes`: all of the position."""

    size: float
    size_type: str = "amount"
    direction: str = BOTH
    closes: bool = False
    reverses: bool = False


class Wish(NamedTuple):
    """The four signals of a row."""

    long_entry: bool
    long_exit: bool
    short_entry: bool
    short_exit: bool


def wish(entry: bool, leave: bool, short_entry: bool, short_exit: bool, direction: str) -> Wish:
    """Entries and exits of a direction, merged with those of shorts."""
    if direction == LONG:
        return Wish(entry, leave, short_entry, short_exit)
    if direction == SHORT:
        return Wish(False, False, entry or short_entry, leave or short_exit)
    return Wish(entry, False, leave or short_entry, short_exit)


def without_conflict(wanted: Wish, held: float, rules: dict[str, Any]) -> Wish:
    """The signals of which none contradicts another."""
    long_entry, long_exit = _one(wanted.long_entry, wanted.long_exit, held, rules["upon_long_conflict"])
    short_entry, short_exit = _one(wanted.short_entry, wanted.short_exit, held, rules["upon_short_conflict"])
    if long_entry and short_entry:
        rule = rules["upon_dir_conflict"]
        keeps_long = rule == "long" or (rule == "adjacent" and held > 0) or (rule == "opposite" and held < 0)
        keeps_short = rule == "short" or (rule == "adjacent" and held < 0) or (rule == "opposite" and held > 0)
        long_entry, short_entry = keeps_long, keeps_short
    return Wish(long_entry, long_exit, short_entry, short_exit)


def _one(entry: bool, leave: bool, held: float, rule: str) -> tuple[bool, bool]:
    """Of an entry and an exit in one row, the one that the rule keeps; neither where it cannot decide."""
    if not (entry and leave):
        return entry, leave
    if rule == "entry" or (rule == "adjacent" and held != 0):
        return True, False
    if rule == "exit" or (rule == "opposite" and held != 0):
        return False, True
    return False, False


def request(wanted: Wish, held: float, size: float, size_type: str, rules: dict[str, Any]) -> Request | None:
    """What the signals of one row come to with this position; None: nothing."""
    accumulate = rules["accumulate"]
    if wanted.long_entry or wanted.short_entry:
        wanted = without_conflict(wanted, held, rules)
        against = wanted.short_entry if held > 0 else wanted.long_entry
        if held != 0 and against:
            rule = rules["upon_opposite_entry"]
            if rule in ("ignore", "close", "closereduce"):
                wanted = wanted._replace(**{"short_entry" if held > 0 else "long_entry": False})
            if rule in ("close", "closereduce"):
                wanted = wanted._replace(**{"long_exit" if held > 0 else "short_exit": True})
            if rule in ("close", "reverse"):
                accumulate = "disabled"
    if held == 0:
        side = 1.0 if wanted.long_entry else -1.0
        return Request(side * size, size_type) if wanted.long_entry or wanted.short_entry else None
    return _with_position(wanted, held, size, size_type, accumulate)


def stopped(held: float, size: float, size_type: str, mode: str, accumulate: str) -> Request | None:
    """What a stop that is hit comes to: it closes or reverses; `…reduce`: as accumulation has it, without it all."""
    leaves = mode.startswith("close")
    accumulate = accumulate if mode.endswith("reduce") else "disabled"
    if held > 0:
        return _with_position(Wish(False, leaves, not leaves, False), held, size, size_type, accumulate)
    return _with_position(Wish(not leaves, False, False, leaves), held, size, size_type, accumulate)


def _with_position(wanted: Wish, held: float, size: float, size_type: str, accumulate: str) -> Request | None:
    side, own = math.copysign(1.0, held), LONG if held > 0 else SHORT
    entry, leave, against = wanted.long_entry, wanted.long_exit, wanted.short_entry
    if held < 0:
        entry, leave, against = wanted.short_entry, wanted.short_exit, wanted.long_entry
    removes, adds = accumulate in ("both", "removeonly"), accumulate in ("both", "addonly")
    if against:
        if removes:
            return Request(-side * size, size_type)
        if math.isnan(size):
            return Request(-held, closes=True)
        if size_type == "percent":
            raise ValueError("a percentage cannot reverse a position")
        return Request(-side * size, size_type, reverses=True)
    if leave:
        return Request(-side * size, size_type, own) if removes else Request(-held, direction=own, closes=True)
    return Request(side * size, size_type, own) if entry and adds else None
