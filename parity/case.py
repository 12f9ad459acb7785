"""A case: bars, options of the peer, and a script of what the strategy asks for. Plain data, so that it travels as one JSON line."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Case:
    """One experiment. `bars`: symbol → rows (open, high, low, close, volume); row i of every symbol is day i, None: no bar then.

    `script` rows are requests: {"bar": t, "do": …, …}, carried out in this order when bar t has ended. What `options` and the
    other keys of a request mean is said by the peer's module.
    """

    peer: str
    bars: dict[str, list[list[float] | None]]
    options: dict[str, Any] = field(default_factory=dict)
    script: list[dict[str, Any]] = field(default_factory=list)
    name: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Case":
        """The case that `to_json` wrote."""
        return cls(**json.loads(line))

    @property
    def length(self) -> int:
        """The number of bars."""
        return max(len(rows) for rows in self.bars.values())

    def with_(self, **changes: Any) -> "Case":
        """The same case but for these fields."""
        return replace(self, **changes)
