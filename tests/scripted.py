"""A strategy that does what a function says. Alone in its file: a run hashes that and all that it imports."""

from __future__ import annotations

from collections.abc import Callable

from ml4t.backtest import Strategy


class Scripted(Strategy):
    """Calls `decide(self)` on every bar."""

    def __init__(self, decide: Callable[[Strategy], None]) -> None:
        super().__init__()
        self._decide = decide

    def on_bar(self) -> None:
        self._decide(self)
