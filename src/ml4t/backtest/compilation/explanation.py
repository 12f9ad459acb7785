"""Why a strategy does not compile: the user's line, the one sentence of the compiler's that is about it, and what to do."""

import linecache
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ml4t.backtest.compilation.view import KNOWN
from ml4t.backtest.errors import nearest

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PLACE = re.compile(r'(?:File "|Raised from )([^"\s]+)"?(?:, line | \()(\d+)')
TELLING = (
    r"self\.\w+ (?:was|is an array|is a ).*",
    r"[^\n]*(?:is not compiled|are not compiled|not compiled;)[^\n]*",
    r"(?:a name is|a window has|a size is|a target is|a price is|an exit is|an order is|a number of bars is)[^\n]*",
    r"(?:give exactly one|tif is one of|stop= and touch=|bars= and|activation= wakes|post_only= belongs|IOC, FOK|as an exit)[^\n]*",
    r"Unknown attribute '\w+' of type \w+",
    r"Untyped global name '\w+'",
    r"got an unexpected keyword argument '\w+'",
    r"missing a required argument: '\w+'",
    r"too many positional arguments",
    r"Use of unsupported opcode \(\w+\)",
    r"[^\n]*not supported yet",
    r"Cannot resolve setattr[^\n]*",
    r"Cannot unify [^\n]*",
    r"No implementation of function[^\n]*",
    r"Cannot determine Numba type of [^\n]*",
)
REMEDIES = {
    "Cannot resolve setattr": "set this attribute in on_start",
    "Untyped global": "decorate that function with numba.njit: it then works in both modes",
    "IMPORT_NAME": "import at the top of the file; only NumPy and math work in compiled code",
    "Unknown attribute 'log'": "use record()",
    "Unknown attribute 'random'": "draw an array in on_start and take one element after the other",
    "Unknown attribute 'now' of type Clock": "use clock.now_ns",
    "f-strings": "texts cannot be made in compiled code",
    "Cannot unify": "give a variable values of one type only",
    "setitem": "windows are read-only; change a copy",
}
SEE = "see docs/compiled.md for what compiles"


HELD = (
    "numbers, booleans, texts, orders or None, tuples of one of these, and contiguous writeable NumPy arrays of numbers"
)


def explain(
    error: BaseException, name: str, methods: Mapping[str, Callable[..., Any]], unheld: Mapping[str, str]
) -> str:
    """The message of a CompilationError. `unheld`: attributes that compiled code cannot hold, and what they are."""
    text = COLOUR.sub("", str(error))
    files = {Path(f.__code__.co_filename).name: f.__code__.co_filename for f in methods.values()}
    places = [(files[Path(file).name], int(line)) for file, line in PLACE.findall(text) if Path(file).name in files]
    reason = next((found.group(0) for shape in TELLING if (found := re.search(shape, text))), None)
    reason = reason or next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    reason = (
        re.sub(r"Strategy\([^\n]*?\)\)(?=[\s,.'\"]|$)", "self", reason)
        .strip()
        .removeprefix("TypingError: ")
        .rstrip(".:")
    )
    reason += "." + _suggestion(reason)
    used = re.search(r"Unknown attribute '(\w+)' of type Strategy|resolve setattr: \(self\.(\w+) ", reason)
    attribute = next((found for found in used.groups() if found), "") if used else ""
    if attribute in unheld:
        reason = f"self.{attribute} is {unheld[attribute]}. Compiled code holds {HELD}."
    remedy = next((cure for key, cure in REMEDIES.items() if key in reason), SEE)
    lines = [f"{name} cannot be compiled: {reason}"]
    lines += [f"  {file}:{line}:  {linecache.getline(file, line).strip()}" for file, line in places[-1:]]
    return "\n".join([*lines, f"  Remedy: {remedy}, or run with compiled=False."])


def _suggestion(reason: str) -> str:
    """The nearest name that a view does have."""
    found = re.search(r"Unknown attribute '(\w+)' of type (\w+)", reason)
    if found is None:
        return ""
    return nearest(found.group(1), [name for name in KNOWN.get(found.group(2), []) if not name.startswith("_")])
