"""What a configuration may hold where: the schema, walked by key. Models and sections are its only source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel


@dataclass(frozen=True)
class Place:
    """Where in the schema a key is: its path in the file, and the types its value may have."""

    path: tuple[str | int, ...]
    types: tuple[Any, ...]
    notes: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, Any]:
        """The descriptions to choose from by `kind`, by kind; empty where there is no choice."""
        return {t.kind: t for t in self.types if is_dataclass(t) and hasattr(t, "kind")}


def fields_of(owner: Any) -> dict[str, Any]:
    """The type of each field of a section or a description."""
    if is_dataclass(owner):
        hints = get_type_hints(owner, include_extras=True)
        return {field.name: hints[field.name] for field in fields(owner)}
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        return {name: field.annotation for name, field in owner.model_fields.items()}
    return {}


def place(root: type[BaseModel], location: Sequence[str | int]) -> Place:
    """Where pydantic's location leads: it names the kind chosen of several as if it were a key."""
    here = Place((), (root,))
    for step in location:
        if step == "[key]":  # pydantic's way to say that the name itself is wrong
            continue
        if len(here.types) > 1 and step in here.kinds:
            here = Place(here.path, (here.kinds[str(step)],))
        else:
            here = _below(here, step)
    return here


def truths_for_numbers(here: Place, given: Any) -> Iterator[str]:
    """A problem for each true or false that stands for a number: Python, and so pydantic, would read 1 or 0."""
    if isinstance(given, bool):
        if {float, int} & set(here.types) and bool not in here.types:
            yield f"{'.'.join(map(str, here.path))} = {given}: must not be true or false"
    elif isinstance(given, Mapping):
        if (kind := given.get("kind")) in here.kinds:
            here = Place(here.path, (here.kinds[kind],))
        for name, value in given.items():
            yield from truths_for_numbers(_below(here, name), value)


def _below(here: Place, step: str | int) -> Place:
    found: list[Any] = []
    for owner in here.types:
        known = fields_of(owner)
        if step in known:
            found.append(known[str(step)])
        elif get_origin(owner) in (dict, tuple):
            found.append(get_args(owner)[1 if get_origin(owner) is dict else 0])
    types, notes = [], []
    for annotation in found:
        for part, note in _parts(annotation):
            types.append(part)
            notes += note
    return Place((*here.path, step), tuple(types), tuple(dict.fromkeys(notes)))


def _parts(annotation: Any) -> Iterator[tuple[Any, list[str]]]:
    """The types of an annotation, unions taken apart, each with the notes (`doc`) written on it."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        own = [note.documentation for note in metadata if hasattr(note, "documentation")]
        yield from ((part, notes + own) for part, notes in _parts(inner))
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _parts(member)
    elif annotation is not NoneType:
        yield annotation, []
