"""A mutant: a known defect as a patch, and what two independent test suites say about the package with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]

# Written by different people from the same pages: expectations worked out by hand, and a second implementation.
SUITES = ("tests/scenarios", "tests/properties/test_oracle_agreement.py")
# Tests of the oracle and of the choice of cases: no engine runs in them, so they cannot catch anything.
LEFT_OUT = ("-k", "not keeps_its_own_books and not cover_every and not only_few and not with_the_oracle")
TESTS_FAILED = 1  # pytest's exit code; anything higher means that it could not run them
LONGEST = 300  # seconds a suite may take: a mutant that hangs is caught, too
HANGS = "(does not end)"


@dataclass(frozen=True)
class Mutant:
    """One patch against src. Lines before the first `---` describe it; `Suites:` there replaces SUITES, `Caught by:` names tests."""

    path: Path

    @property
    def name(self) -> str:
        """The defect."""
        return self.path.stem

    @property
    def header(self) -> str:
        """What the patch says about itself."""
        return re.split(r"^(?:---|diff) ", self.path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]

    @property
    def suites(self) -> tuple[str, ...]:
        """The two suites that must catch it."""
        named = re.search(r"^Suites: (.+)$", self.header, re.MULTILINE)
        return tuple(named[1].split()) if named else SUITES

    @property
    def tests(self) -> list[str]:
        """The tests that caught it when the patch was last recorded: they are tried first."""
        return re.findall(r"^Caught by: (.+)$", self.header, re.MULTILINE)

    def note(self, verdicts: list[Verdict]) -> None:
        """The patch names the tests that catch it."""
        text = self.path.read_text()
        words = re.sub(r"^Caught by: .+\n", "", self.header, flags=re.MULTILINE).rstrip("\n")
        lines = [f"Caught by: {verdict.failed}" for verdict in verdicts if verdict.failed not in (None, HANGS)]
        self.path.write_text("\n".join([words, *lines, "", text[len(self.header) :]]))

    def apply(self, folder: Path, *options: str) -> str:
        """The copy has the defect; why not, where the patch does not fit."""
        answer = subprocess.run(
            ["git", "apply", *options, str(self.path)],
            cwd=folder,
            # git would look for a repository above, and apply nothing to a folder that it ignores
            env=os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        return answer.stderr.strip() if answer.returncode else ""


@dataclass(frozen=True)
class Verdict:
    """What a suite says: the first test that failed, or None."""

    suite: str
    failed: str | None


def mutants() -> list[Mutant]:
    """All of them, by name."""
    return [Mutant(path) for path in sorted(FOLDER.glob("*.patch"))]


@contextmanager
def copy_of_sources() -> Iterator[Path]:
    """A folder with a copy of src."""
    with TemporaryDirectory(prefix="mutant-") as name:
        shutil.copytree(ROOT / "src", Path(name) / "src", ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(name)


def ask(folder: Path, suite: str, excused: tuple[str, ...] = (), *, every: bool = False) -> list[str]:
    """The tests of the suite that fail with the sources in the folder: the first, or every one. None in `excused`.

    Raises:
        RuntimeError: pytest could not run the suite, or ran it with other sources.
    """
    options = [f"--deselect={test}" for test in excused] + ([] if every else ["--exitfirst"])
    where = "import ml4t.backtest, sys; sys.exit(not ml4t.backtest.__file__.startswith(sys.argv[1]))"
    # nothing to compile: half a minute for each mutant otherwise
    env = os.environ | {"PYTHONPATH": str(folder / "src"), "NUMBA_DISABLE_JIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if subprocess.run([sys.executable, "-c", where, str(folder)], env=env, check=False).returncode:
        raise RuntimeError("The mutated copy is not what would be tested. Is another ml4t before it on the path?")
    command = [
        sys.executable,
        "-m",
        "pytest",
        suite,
        "-q",
        "-rfE",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        *LEFT_OUT,
        *options,
    ]
    try:
        answer = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return [HANGS]
    if answer.returncode > TESTS_FAILED:
        raise RuntimeError(f"{suite} did not run:\n{answer.stdout[-3000:]}{answer.stderr[-2000:]}")
    return failures(answer.stdout) if answer.returncode else []


def failures(summary: str) -> list[str]:
    """The tests that pytest's short summary names; their ids may hold spaces."""
    return re.findall(r"^(?:FAILED|ERROR) ([^\[\n]+?(?:\[.*?\])?)(?: - .*)?$", summary, re.MULTILINE)


def unmutated(suites: tuple[str, ...]) -> tuple[str, ...]:
    """The tests that fail without any defect: they cannot catch one. Empty, as long as the suites pass."""
    with copy_of_sources() as folder:
        found = tuple(test for suite in suites for test in ask(folder, suite, every=True))
    if HANGS in found:  # else a suite that is slow today would catch everything
        raise RuntimeError(f"A suite takes more than {LONGEST} s without any defect: the machine is too busy.")
    return found


def verdicts(mutant: Mutant, excused: tuple[str, ...] = ()) -> list[Verdict]:
    """What its suites say."""
    with copy_of_sources() as folder:
        if problem := mutant.apply(folder):
            raise RuntimeError(
                f"{mutant.path.name} does not apply (tests/mutants/README.md says what to do):\n{problem}"
            )
        return [Verdict(suite, first_failure(folder, suite, mutant.tests, excused)) for suite in mutant.suites]


def first_failure(folder: Path, suite: str, known: list[str], excused: tuple[str, ...]) -> str | None:
    """A test of the suite that fails with the sources in the folder: one that is known to, or else the first of all."""
    for test in known:
        if test.startswith(suite) and test not in excused:
            with suppress(RuntimeError):  # there is no such test any more
                if found := ask(folder, test, excused):
                    return found[0]
    return next(iter(ask(folder, suite, excused)), None)
