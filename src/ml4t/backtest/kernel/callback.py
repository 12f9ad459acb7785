"""From decision to decision of a strategy in Python: compiled code calls it."""

from typing import Any

from ml4t.backtest._jit import INT, borrow, call_python, function, loop
from ml4t.backtest.enums import Fault
from ml4t.backtest.kernel.decision import STOPPED
from ml4t.backtest.kernel.step import READY, advance
from ml4t.backtest.tables import FAULT, State

RAISED = 4
"""What `call_at_decisions` returns, beside the answers of `advance_to_decision`, when the function raised."""


@function(INT, cold=False)
def advance_to_decision(state: State) -> int:
    """As `advance`; STOPPED where a fill has no cost."""
    answer = advance(state)
    return STOPPED if state.clock[FAULT] != Fault.NONE else answer


@loop
def call_at_decisions(key: Any, decide: Any) -> int:
    """The Python function was called at every decision, until the answer was not READY or it raised.

    Nothing of the state is read here: it may be replaced while the function decides.
    """
    answer = READY
    while answer == READY:
        answer = advance_to_decision(borrow(key))
        if answer == READY and call_python(decide):
            answer = RAISED
    return answer
