"""What a profile is: a short list of differences from our defaults. Data only; config lays it under what a user sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One setting that is not our default, why in a sentence, and where the other engine's source says so (file, function)."""

    key: str
    value: Any
    sentence: str
    source: str


@dataclass(frozen=True)
class Profile:
    """The rules of another engine, as differences from our defaults. `package` and `version`: what it was compared with."""

    name: str
    package: str
    version: str
    differences: tuple[Difference, ...]

    def tables(self) -> dict[str, Any]:
        """The settings as nested tables.

        >>> one = Difference("fills.schedule", "queue", "Orders are tried in turn.", "broker.py::next")
        >>> Profile("name", "package", "1.0", (one,)).tables()
        {'fills': {'schedule': 'queue'}}
        """
        result: dict[str, Any] = {}
        for difference in self.differences:
            *path, last = difference.key.split(".")
            table = result
            for name in path:
                table = table.setdefault(name, {})
            table[last] = dict(difference.value) if isinstance(difference.value, Mapping) else difference.value
        return result
