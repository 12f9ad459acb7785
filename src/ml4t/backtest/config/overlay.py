"""Laying one set of values over another."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from ml4t.backtest.config.schema import fields_of, place


def as_table(value: Any) -> Any:
    """The fields of a section or description as a dictionary, one level deep; any other value as it is."""
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        names = sorted((field.name for field in fields(value)), key=lambda name: name != "kind")  # kind comes first
        return {name: getattr(value, name) for name in names}
    return value


def laid_over(
    root: type[BaseModel], below: Any, above: Mapping[str, Any], path: tuple[str, ...] = ()
) -> dict[str, Any]:
    """`below` with the values of `above` in place, table by table.

    Where `above` names another `kind`, what only the old kind has goes.
    """
    result = dict(as_table(below))
    kind = above.get("kind")
    if isinstance(kind, str) and kind != result.get("kind"):
        described = place(root, path).kinds.get(kind.lower())
        result = {name: value for name, value in result.items() if not described or name in fields_of(described)}
    for name, value in above.items():
        old, new = as_table(result.get(name)), as_table(value)
        both = isinstance(old, Mapping) and isinstance(new, Mapping)
        result[name] = laid_over(root, old, new, (*path, name)) if both else value
    return result


def nested(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One table for each dotted key; keys whose value is None were not given and are left out.

    >>> nested({"account.cash": 5.0, "data.start": None})
    [{'account': {'cash': 5.0}}]
    """
    tables = []
    for key, value in values.items():
        if value is not None:
            for name in reversed(key.split(".")):
                value = {name: value}  # noqa: PLW2901
            tables.append(value)
    return tables
