"""Pages lead somewhere, and the map of the code is complete."""

import re
from pathlib import Path

import pytest

import page
import source_tree as source

PAGES = sorted([*page.ROOT.glob("*.md"), *(page.ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(page.ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    assert [target for target in page.links(path) if not (path.parent / target).exists()] == []


def modules() -> dict[str, set[str]]:
    """Folder (or "") → the files that the map's module table names in it."""
    named: dict[str, set[str]] = {"": set()}
    for row in page.tables(page.ROOT / "ARCHITECTURE.md")["Modules"]:
        files = re.findall(r"`([\w/]+(?:\.py|/))`", row["module"])
        for file in files:
            folder, _, name = file.rpartition("/")
            named.setdefault(folder, set())
            if name:
                named[folder].add(name)
            else:
                named[folder] |= set(re.findall(r"`(\w+\.py)`", row["what it is"]))
    return named


def test_every_module_is_on_the_map_and_nothing_else() -> None:
    actual: dict[str, set[str]] = {}
    for path in source.files():
        folder, _, name = source.name(path).rpartition("/")
        actual.setdefault(folder, set()).add(name)
    named = modules()
    for folder, files in actual.items():
        if folder:  # what a package re-exports needs no line of its own
            files.discard("__init__.py")
            named[folder].discard("__init__.py")
    assert named == actual


NAMES = r"(?:`[A-Za-z_]+(?:\.[a-z_]+)?`, )*`[A-Za-z_]+(?:\.[a-z_]+)?`"


def named_in_files(cell: str) -> list[tuple[str, str]]:
    """(name, file) of what a cell says is in a file, in either of its two forms."""
    pairs = [(names, file) for names, file in re.findall(rf"({NAMES}) in `([\w/]+\.py)`", cell)]
    pairs += [(names, file) for file, names in re.findall(rf"`([\w/]+\.py)` \(({NAMES})\)", cell)]
    return [(name.strip("`"), file) for names, file in pairs for name in names.split(", ") if not name.endswith(".py`")]


def test_what_the_map_names_exists() -> None:
    found = 0
    for row in page.tables(page.ROOT / "ARCHITECTURE.md")["Where do I change …?"]:
        for cell in (row["look at"], row["and also"]):
            for file in re.findall(r"`([\w/]+\.py)`", cell):
                assert (source.PACKAGE / file).exists(), file
            for name, file in named_in_files(cell):
                found += 1
                assert re.search(rf"\b{name.rpartition('.')[2]}\b", (source.PACKAGE / file).read_text()), (name, file)
    assert found > 15


def test_names_in_files_are_seen_in_both_forms() -> None:
    assert named_in_files("`a.py` (`f`, `g`)") == [("f", "a.py"), ("g", "a.py")]
    assert named_in_files("`a.py`, `K.f`, `G` in `b/c.py`") == [("K.f", "b/c.py"), ("G", "b/c.py")]


def test_every_decision_is_in_the_index() -> None:
    folder = page.ROOT / "docs" / "adr"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert sorted(page.links(folder / "README.md")) == records
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    for name in records:
        text = (folder / name).read_text()
        assert text.startswith(f"# {name[:4]} ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
