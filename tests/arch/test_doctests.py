"""Every example in a docstring runs, and every public name has one."""

import doctest
import importlib

import pytest

import ml4t.backtest
import source_tree as source

# Names that still owe an example. Give the name one and take it off this list; nothing may be added.
OWED: set[str] = set()


def module_name(file: str) -> str:
    return ".".join(
        ["ml4t.backtest", *file.removesuffix(".py").removesuffix("__init__").rstrip("/").split("/")]
    ).rstrip(".")


def examples(text: str | None) -> int:
    return len(doctest.DocTestParser().get_examples(text or ""))


def with_examples() -> list[str]:
    return [module_name(source.name(path)) for path in source.files() if ">>>" in path.read_text()]


@pytest.mark.parametrize("name", with_examples())
def test_the_examples_of_a_module_run(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert (failed, attempted > 0) == (0, True)


def test_every_public_name_says_what_it_is() -> None:
    assert [name for name in ml4t.backtest.__all__ if not (getattr(ml4t.backtest, name).__doc__ or "").strip()] == []


def test_every_public_name_has_an_example() -> None:
    assert {name for name in ml4t.backtest.__all__ if not examples(getattr(ml4t.backtest, name).__doc__)} == OWED


def test_an_example_that_is_wrong_fails() -> None:
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "seeded", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(example, out=lambda _: None).failed == 1
