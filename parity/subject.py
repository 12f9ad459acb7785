"""What the laboratory knows of a peer."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from parity.book import Book
from parity.case import Case


@dataclass(frozen=True)
class Defect:
    """A defect of a peer that we do not copy: the cases it may touch, by a predicate on the input alone, and the smallest of them."""

    name: str
    applies: Callable[[Case], bool]
    sentence: str
    example: Case


@dataclass(frozen=True)
class Subject:
    """A peer's cases, from the modules `cases` and `defects` of its package, and what our engine makes of them, from `ours`."""

    defaults: dict[str, Any]  # every option of the peer that cases vary, with its default
    exceptions: tuple[Defect, ...]
    draw: Callable[[random.Random], Case]
    run: Callable[..., Book]  # of a case, and settings over its own by key
    rules: Callable[
        [Case], dict[str, str]
    ]  # the settings of a case that are not our defaults, with their places in the peer's source
    nudged: Callable[
        [Case], Iterable[Case]
    ]  # the case with one quotient of ours, before its floor, moved by at most 4 ulp


def subject_of(peer: str) -> Subject:
    """The peer of that name."""
    cases, ours = import_module(f"parity.{peer}.cases"), import_module(f"parity.{peer}.ours")
    has_defects = find_spec(f"parity.{peer}.defects") is not None
    exceptions = import_module(f"parity.{peer}.defects").EXCEPTIONS if has_defects else ()
    nudged = getattr(cases, "nudged", lambda _: ())  # a peer that floors nothing has none
    return Subject(cases.DEFAULTS, exceptions, cases.draw, ours.run_case, ours.rules_of, nudged)
