"""What must exist somewhere else when something exists here: pages, reasons, limits."""

import ast
import re
import sys
import tomllib
from enum import IntEnum
from pathlib import Path

import pytest

import ml4t.backtest
import source_tree as source
from ml4t.backtest import enums, queue_rule

LONGEST_FILE = 500  # lines
OTHER_ENGINES = re.compile(
    r"\b(vectorbt|backtrader|backtesting\.py|zipline|nautilus|pybroker|quantconnect|qstrader|pyalgotrade|"
    r"moonshot|rqalpha|hftbacktest|barter|freqtrade|vnpy|hikyuu|fastquant|lumibot)",
    re.IGNORECASE,
)

# Members that no rule uses yet: causes of cash changes that come with the work on accounts.
RESERVED = {
    "JournalCause.DIVIDEND",
    "JournalCause.INTEREST",
    "JournalCause.BORROW",
    "JournalCause.FUNDING",
    "JournalCause.SETTLEMENT",
    "JournalCause.DEPOSIT",
    "JournalCause.WITHDRAWAL",
}

# A new order is `created` without an event, so nothing gives this reason.
NEVER_GIVEN: set[str] = set()

# Described, but not by this name. Write the name there and take it off; nothing may be added.
OWED: set[str] = set()


def choices() -> list[IntEnum]:
    """Every member of every closed choice."""
    kinds = [
        kind
        for kind in (vars(enums) | vars(queue_rule)).values()
        if isinstance(kind, type) and issubclass(kind, IntEnum) and kind is not IntEnum
    ]
    return [member for kind in kinds for member in kind]


def semantics() -> str:
    return "\n".join(path.read_text() for path in sorted((source.ROOT / "docs" / "semantics").glob("*.md")))


def is_named(name: str, text: str) -> bool:
    """Whether the text has the name as a word, in any case; `stop_limit` may be written stop-limit."""
    spelled = name.lower().replace("_", "[ _-]")
    return re.search(rf"(?<![a-z]){spelled}(?![a-z])", text.lower()) is not None


def members_used(tree: ast.Module) -> set[str]:
    """`OrderState.FILLED` for every such attribute in a file."""
    kinds = {type(member).__name__ for member in choices()}
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in kinds
    }


def test_every_choice_is_documented() -> None:
    text = semantics()
    missing = {f"{type(member).__name__}.{member.name}" for member in choices() if not is_named(member.name, text)}
    assert missing - RESERVED == OWED


def test_every_public_name_says_what_it_is_with_an_example() -> None:
    """That the examples run, test_doctests.py checks."""
    documented = {name: getattr(ml4t.backtest, name).__doc__ or "" for name in ml4t.backtest.__all__}
    assert [name for name, text in documented.items() if ">>>" not in text] == []


def test_what_is_reserved_is_not_used() -> None:
    used = set().union(*(members_used(source.tree(path)) for path in source.files()))
    assert used & RESERVED == set()
    assert {f"{type(member).__name__}.{member.name}" for member in choices()} >= RESERVED | OWED


def test_every_outcome_of_an_order_is_used_by_the_kernel() -> None:
    """A reason, origin or state that the kernel cannot give is a promise nobody keeps."""
    used = set().union(*(members_used(source.tree(path)) for path in source.files()))
    kinds = (enums.OrderState, enums.Origin, enums.Reason, enums.Sizing, enums.Trigger)
    promised = {f"{kind.__name__}.{member.name}" for kind in kinds for member in kind}
    assert promised - used == NEVER_GIVEN


def test_a_name_is_found_only_as_a_word() -> None:
    assert is_named("STOP_LIMIT", "| stop-limit, second stage |")
    assert not is_named("STOP_LIMIT", "nonstop_limits")
    assert not is_named("DROP", "dropped")


# -------------------------------------------------------------------------------------------------------- dependencies
def dependencies() -> set[str]:
    """Every package that pyproject.toml asks for, in any group."""
    project = tomllib.loads((source.ROOT / "pyproject.toml").read_text())["project"]
    listed = [
        *project["dependencies"],
        *(line for group in project["optional-dependencies"].values() for line in group),
    ]
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in listed}


def test_every_dependency_has_a_reason() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| (\S.*) \|$", (source.ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE
    )
    assert {name for name, _ in rows} == dependencies()
    assert len(rows) == len({name for name, _ in rows})


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, also inside functions."""
    names = set()
    for node in ast.walk(source.tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def test_every_import_is_a_declared_dependency() -> None:
    """What another package brings along counts as ours only here, by name."""
    brought_along = {"llvmlite": "numba", "pydantic_core": "pydantic"}
    project = tomllib.loads((source.ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("-", "_") for line in project["dependencies"]}
    used = set().union(*map(imported, source.files())) - set(sys.stdlib_module_names) - {"ml4t"}
    optional = {"exchange_calendars", "plotly"}  # imported where a run asks for it, with an error that names the extra
    assert used - declared == set(brought_along) | optional
    assert declared - used == {"tzdata"}  # zoneinfo finds it by itself


# --------------------------------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("path", source.files(), ids=source.name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_no_other_engine_is_named() -> None:
    """Their names belong to profiles, parity tests and docs: the package has rules, not imitations."""
    allowed = ("profiles/",)
    found = {
        f"{source.name(path)}: {match[0]}"
        for path in source.files()
        if not source.name(path).startswith(allowed)
        for match in OTHER_ENGINES.finditer(path.read_text())
    }
    assert found == set()
    assert OTHER_ENGINES.search("as Backtrader does")
