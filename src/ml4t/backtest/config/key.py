"""Dotted keys, spelled as in TOML."""

import re
from collections.abc import Iterable

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Iterable[str | int]) -> str:
    """One key for a path; a name that TOML would quote is quoted, a position in a list is in brackets.

    >>> dotted(("costs", "symbols", "BRK.B", "commission", "tiers", 0))
    'costs.symbols."BRK.B".commission.tiers[0]'
    """
    key = ""
    for step in path:
        if isinstance(step, int):
            key += f"[{step}]"
        else:
            name = step if _BARE.fullmatch(step) else '"' + step.replace("\\", "\\\\").replace('"', '\\"') + '"'
            key += f".{name}" if key else name
    return key
