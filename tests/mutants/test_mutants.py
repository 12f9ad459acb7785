"""Every patch applies, and the suites catch the defects: a sample of two here, all with `-m slow`."""

import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutant import ROOT, Mutant, Verdict, copy_of_sources, failures, mutants, verdicts

ALL = mutants()


def sample() -> list[Mutant]:
    """Two mutants that follow from the sources: the same for a commit, others for the next."""
    text = b"".join(path.read_bytes() for path in sorted((ROOT / "src").rglob("*.py")))
    return random.Random(sha256(text).digest()).sample(ALL, 2)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_the_patch_applies(mutant: Mutant) -> None:
    with copy_of_sources() as folder:
        assert not mutant.apply(folder), "tests/mutants/README.md says how to renew it"
        changed = [
            path for path in folder.rglob("*.py") if path.read_bytes() != (ROOT / path.relative_to(folder)).read_bytes()
        ]
        assert changed
        # a name that is missing would crash, and a crash is caught by everything
        names = ["ruff", "check", "--isolated", "--no-cache", "--select=F821,E9", *map(str, changed)]
        assert subprocess.run([sys.executable, "-m", *names], check=False).returncode == 0


def test_every_patch_says_what_it_brings_back() -> None:
    assert [
        mutant.name for mutant in ALL if not mutant.header.startswith("Defect: ") or "say it" in mutant.header
    ] == []
    assert [mutant.name for mutant in ALL if len(set(mutant.suites)) < 2] == []


def test_failures_are_read_whole() -> None:
    lines = ["x", "FAILED a.py::f[buy, one - two] - assert 1 == 2", "FAILED a.py::g - E: [1]", "ERROR b.py::h[0]", "3"]
    assert failures("\n".join(lines)) == ["a.py::f[buy, one - two]", "a.py::g", "b.py::h[0]"]


def test_the_tests_that_catch_are_noted_and_read(tmp_path: Path) -> None:
    mutant = Mutant(tmp_path / "a.patch")
    mutant.path.write_text("Defect: none.\nSuites: a b\n\n--- a/x\n+++ b/x\n")
    mutant.note([Verdict("a", "a/t.py::f[buy, one]"), Verdict("b", "b/u.py::g")])
    mutant.note([Verdict("a", "a/t.py::f[sell]"), Verdict("b", "b/u.py::g")])
    expected = "Defect: none.\nSuites: a b\nCaught by: a/t.py::f[sell]\nCaught by: b/u.py::g\n\n--- a/x\n+++ b/x\n"
    assert mutant.path.read_text() == expected
    assert mutant.tests == ["a/t.py::f[sell]", "b/u.py::g"]
    assert mutant.suites == ("a", "b")


# That the suites pass without a defect is what they say themselves in the same run of CI.
@pytest.mark.parametrize("mutant", sample(), ids=lambda mutant: mutant.name)
def test_both_suites_catch_the_sample(mutant: Mutant) -> None:
    assert [verdict.suite for verdict in verdicts(mutant) if verdict.failed is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_both_suites_catch_it(mutant: Mutant, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.getoption("-m"):
        pytest.skip("minutes; run with -m slow")
    assert [verdict.suite for verdict in verdicts(mutant) if verdict.failed is None] == []
