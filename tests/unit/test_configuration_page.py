"""docs/configuration.md lists every option with its default and its choices."""

import dataclasses
import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import page
from ml4t.backtest import BacktestConfig
from ml4t.backtest.config.schema import fields_of, place

PAGE = page.tables(page.ROOT / "docs" / "configuration.md")
NAMES = {"streams": "NAME", "symbols": "SYMBOL"}  # what stands for a user's own key
TABLES = ("costs.symbols.SYMBOL",)  # their options are tables described elsewhere


def options(location: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, Any, list[str]]]:
    """Section, kind, option, default and choices of every option, in the order of the model."""
    here = place(BacktestConfig, location)
    section = ".".join(map(str, here.path))
    for owner in here.types:
        kind = getattr(owner, "kind", "") if dataclasses.is_dataclass(owner) else ""
        inside = (*location, kind) if kind else location  # a location names the kind that was chosen
        own = [name for name in fields_of(owner) if name != "kind"]
        if not own:
            yield section, kind, "", PydanticUndefined, []
        for name in own:
            below = place(BacktestConfig, (*inside, name))
            if section not in TABLES and any(map(is_section, below.types)):
                yield from options((*inside, name))
            elif get_origin(below.types[0]) is dict and any(map(is_section, get_args(below.types[0]))):
                yield from options((*inside, name, NAMES[name]))
            else:
                choices = [c.name.lower() for t in below.types if is_choice(t) for c in t]
                choices += [c for t in below.types for c in get_args(t) if isinstance(c, str)]
                yield section, kind, name, default(owner, name), choices


def is_section(kind: Any) -> bool:
    if not isinstance(kind, type):
        return False
    return issubclass(kind, BaseModel) or (dataclasses.is_dataclass(kind) and kind.__name__ != "Tier")


def is_choice(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, IntEnum)


def default(owner: Any, name: str) -> Any:
    if issubclass(owner, BaseModel):
        return owner.model_fields[name].default
    value = next(field.default for field in dataclasses.fields(owner) if field.name == name)
    return PydanticUndefined if value is dataclasses.MISSING else value


def spelled(value: Any) -> str:
    """A default as the page has it: TOML in backticks, – for None, `required` without."""
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, IntEnum):
        return f'`"{value.name.lower()}"`'
    return f"`{value}`" if isinstance(value, int | float | dict) else f'`"{value}"`'


def rows() -> Iterator[tuple[str, str, str, dict[str, str]]]:
    for section, table in PAGE.items():
        for row in table:
            kind = row.get("kind", "").removesuffix(" (default)").strip("`")
            option = row["option"].strip("`").replace("–", "")
            yield section.strip("[]").replace("Top level", ""), kind, option, row


def test_every_option_is_described_and_nothing_else() -> None:
    expected = {(section, kind, name) for section, kind, name, _, _ in options()}
    described = [row[:3] for row in rows()]
    assert len(described) == len(set(described))
    assert set(described) == expected
    assert len(expected) > 60


def test_every_default_is_right() -> None:
    found = {row[:3]: row[3]["default"] for row in rows()}
    for section, kind, name, value, _ in options():
        if name:
            assert found[section, kind, name] == spelled(value), (section, kind, name)


def test_every_choice_is_named() -> None:
    """No choice missing, none invented, except words that are no choice of this option."""
    meanings = {row[:3]: row[3]["meaning"] for row in rows()}
    checked = 0
    for section, kind, name, _, choices in options():
        if choices:
            named = re.findall(r"`([a-z_]+)`", meanings[section, kind, name])
            assert set(choices) == set(named) - {"timestamp"}, (section, name)
            checked += 1
    assert checked >= 15


def test_the_default_kinds_are_marked() -> None:
    marked = {(row[0], row[1]) for row in rows() if "(default)" in row[3].get("kind", "")}
    config = BacktestConfig()
    assert marked == {
        ("account", config.account.kind),
        ("costs.commission", config.costs.commission.kind),
        ("costs.slippage", config.costs.slippage.kind),
        ("fills.touch", config.fills.touch.kind),
        ("costs.spread", config.costs.spread.kind),
        ("costs.stop_slippage", config.costs.stop_slippage.kind),
        ("costs.slippage_range", config.costs.slippage_range.kind),
    }
