"""What is wrong with a configuration, in words: the dotted key, what was given, what is allowed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ml4t.backtest.config.key import dotted
from ml4t.backtest.config.schema import fields_of, place
from ml4t.backtest.errors import nearest

_TABLE_EXPECTED = {"model_type", "model_attributes_type", "dataclass_type", "dict_type", "mapping_type"}
_REWORDED = {
    "tuple_type": "must be a list",
    "path_type": "must be a path",
    "string_too_short": "must not be empty",
    "invalid_key": "keys must be strings",
}
_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


def explanation(root: type[BaseModel], error: ValidationError, source: str = "") -> str:
    """All problems, one a line, after the name of their source."""
    problems = [line for detail in error.errors(include_url=False) for line in _lines(root, detail)]
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n  ".join([f"{source}{': ' if source else ''}{count} in the configuration:", *problems])


def _lines(root: type[BaseModel], detail: ErrorDetails) -> list[str]:
    here = place(root, detail["loc"])
    key, given, kind = dotted(here.path), detail["input"], detail["type"]
    if kind in _UNKNOWN_KEY:
        return [f"{key}{_shown(given)}: {_unknown_key(root, detail['loc'])}"]
    if kind == "union_tag_invalid":
        chosen = given.get("kind") if isinstance(given, Mapping) else given
        return [
            f"{key}.kind{_shown(chosen)}: must be one of {', '.join(here.kinds)}.{nearest(str(chosen), here.kinds)}"
        ]
    if kind in {"missing", "missing_argument"}:
        return [f"{key}: is required"]
    if kind in _TABLE_EXPECTED:
        names = sorted({name for owner in here.types for name in fields_of(owner)})
        return [f"{key}{_shown(given)}: must be a table{' of ' + ', '.join(names) if names else ''}"]
    message = _REWORDED.get(kind, detail["msg"].removeprefix("Value error, ").replace("Input should", "must"))
    if not here.path:
        return message.splitlines()
    notes = "".join(f" ({note})" for note in here.notes)
    return [f"{key}{_shown(given)}: {message}{notes}"]


def _shown(given: Any) -> str:
    """`" = value"`, shortened; nothing for a whole table."""
    if isinstance(given, Mapping | BaseModel) or is_dataclass(given):
        return ""
    text = repr(given)
    return f" = {text if len(text) <= 60 else text[:57] + '...'}"


def _unknown_key(root: type[BaseModel], location: Sequence[str | int]) -> str:
    name = str(location[-1])
    owner = place(root, location[:-1]).types[0]
    known = list(fields_of(owner))
    if hasattr(owner, "kind"):
        union = place(root, location[:-2])
        having = [kind for kind, other in union.kinds.items() if name in fields_of(other)]
        if having:
            return f"kind {owner.kind!r} has no {name!r}; it belongs to kind {' and '.join(map(repr, having))}"
    elsewhere = [f"{section}.{name}" for section in _sections_with(root, name)] if len(location) == 1 else []
    hint = f" Did you mean {elsewhere[0]!r}?" if elsewhere else nearest(name, known)
    return f"unknown key.{hint} Known here: {', '.join(known)}"


def _sections_with(root: type[BaseModel], name: str) -> Iterator[str]:
    for section in fields_of(root):
        if any(name in fields_of(owner) for owner in place(root, (section,)).types):
            yield section
