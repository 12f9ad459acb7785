"""The same strategy compiled and as plain Python: the first order in which they differ, and the line that asked for it."""

import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml4t.backtest.errors import CompilationError

if TYPE_CHECKING:
    from ml4t.backtest.engine import Engine
    from ml4t.backtest.result import Result
    from ml4t.backtest.strategy import Strategy

PACKAGE = str(Path(__file__).parent.parent)
FRAMES = ("orders", "fills", "journal", "equity", "records")


class Watch:
    """Which line asked for which order: remembered while a strategy runs as plain Python."""

    def __init__(self, engine: "Engine") -> None:
        self.lines: dict[int, str] = {}
        for owner in (engine._broker, engine._broker._desk):
            owner._submit = self._watched(owner._submit)

    def _watched(self, submit: Callable[..., int]) -> Callable[..., int]:
        def watched(*terms: Any) -> int:
            code = submit(*terms)
            if code > 0:
                frame: Any = sys._getframe(1)
                while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
                    frame = frame.f_back
                self.lines[code] = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"
            return code

        return watched


def compared(strategy: "Strategy", build: "Callable[[Strategy, bool], Engine]") -> "Result":
    """The result of the compiled run, which is that of the plain one. Raises CompilationError where they differ."""
    engine = build(deepcopy(strategy), False)
    watch = Watch(engine)
    plain, fast = engine.run(), build(strategy, True).run()
    for name in FRAMES:
        ours, theirs = getattr(fast, name), getattr(plain, name)
        if not ours.equals(theirs, null_equal=True):
            raise CompilationError(_difference(type(strategy).__name__, name, ours, theirs, watch.lines))
    return fast


def _difference(strategy: str, name: str, compiled: Any, plain: Any, lines: dict[int, str]) -> str:
    """The first row that differs, both ways, and who asked for it."""
    rows = min(compiled.height, plain.height)
    at = next((i for i in range(rows) if repr(compiled.row(i)) != repr(plain.row(i))), rows)
    ours, theirs = (frame.row(at, named=True) if at < frame.height else None for frame in (compiled, plain))
    told = [f"{strategy} decides differently when it is compiled: row {at} of {name}."]
    if ours and theirs:
        parts = {key: (ours[key], theirs[key]) for key in ours if repr(ours[key]) != repr(theirs[key])}
        told += [f"  {key}: compiled {a!r}, plain {b!r}" for key, (a, b) in parts.items()]
    else:
        told.append(f"  compiled: {ours}\n  plain: {theirs}")
    order = (theirs or ours or {}).get("order_id")
    if order in lines:
        told.append(f"  plain Python asked for order {order} at {lines[order]}")
    told.append("  Arithmetic of your own can differ in the last bit (np.mean does): take averages from self.data.")
    return "\n".join(told)
