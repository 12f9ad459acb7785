"""Where in the user's code a compiled run failed: the same run as plain Python, up to the same error."""

from time import monotonic
from typing import TYPE_CHECKING

from ml4t.backtest.errors import BacktestError
from ml4t.backtest.tables import NOW

if TYPE_CHECKING:
    from ml4t.backtest.engine import Engine

SECONDS = 10.0
LATE = f"Plain Python did not get there within {SECONDS:.0f} s. With compiled=False the traceback names the line."


class _Late(BaseException):
    """The time is up; no error of the strategy."""


def trace(error: BacktestError, now: int, plain: "Engine") -> None:
    """The cause of the error is what plain Python raises at the same instant, with the traceback that compiled code has not.

    Nothing is changed where plain Python fails otherwise, or not at all (room in tables is no matter for it). Where it takes more than
    `SECONDS` a note says so.
    """
    deadline = monotonic() + SECONDS

    def watch(_: float) -> None:
        if monotonic() > deadline:
            raise _Late

    try:
        plain.execute(watch)
    except BacktestError as again:
        same = type(again) is type(error) and type(again.__cause__) is type(error.__cause__)
        if same and plain.state.clock[NOW] == now:
            error.__cause__ = again.__cause__ or again
    except _Late:
        error.add_note(LATE)
