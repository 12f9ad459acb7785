"""Brings each known defect back, and requires that two independent suites catch it (README.md)."""

# ruff: noqa: T201  a program: printing is what it is for

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutant import FOLDER, ROOT, Mutant, mutants, unmutated, verdicts


def test_all(chosen: list[Mutant]) -> int:
    """Prints a table; how many mutants a suite has missed."""
    suites = tuple(sorted({suite for mutant in chosen for suite in mutant.suites}))
    excused = unmutated(suites)
    for test in excused:
        print(f"fails without any defect, does not count: {test}")
    missed = 0
    for mutant in chosen:
        found = verdicts(mutant, excused)
        is_caught = len(found) > 1 and all(verdict.failed for verdict in found)
        missed += not is_caught
        if is_caught:
            mutant.note(found)
        print(f"{'caught' if is_caught else 'MISSED'}  {mutant.name}", flush=True)
        for verdict in found:
            print(f"        {verdict.suite}: {verdict.failed or 'NOTHING FAILED'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} caught by both suites")
    return missed


def open_mutant(mutant: Mutant) -> None:
    """A copy of src with the defect is in a new folder; what no longer fits is in `.rej` files there."""
    folder = Path(tempfile.mkdtemp(prefix=f"{mutant.name}-"))
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    if mutant.path.exists():
        print(mutant.apply(folder, "--reject") or "The patch still fits.")
    print(f"Edit {folder}/src, then: python tests/mutants/run.py --record {mutant.name} {folder}")


def record(mutant: Mutant, folder: Path) -> None:
    """The patch is the difference between src and the folder's, under the words it had."""
    words = mutant.header if mutant.path.exists() else "Defect: say it in one sentence\n\n"
    with tempfile.TemporaryDirectory() as name:
        for side, sources in (("a", ROOT), ("b", folder)):
            ignored = shutil.ignore_patterns("__pycache__", "*.rej", "*.orig", "*.pyc")
            shutil.copytree(sources / "src", Path(name) / side / "src", ignore=ignored)
        command = ["git", "diff", "--unified=2", "--no-index", "--no-prefix", "--no-color", "a", "b"]
        text = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False).stdout
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(("diff ", "index "))]
    mutant.path.write_text(words + "".join(lines))
    print(f"{mutant.path.relative_to(ROOT)}: {sum(line.startswith('@@') for line in lines)} places")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="defects to bring back (default: all)")
    parser.add_argument(
        "--open", metavar="NAME", help="put a copy of src with this defect into a new folder, to edit it"
    )
    parser.add_argument("--record", nargs=2, metavar=("NAME", "FOLDER"), help="write the patch from an edited folder")
    options = parser.parse_args()
    if options.open:
        open_mutant(Mutant(FOLDER / f"{options.open}.patch"))
    elif options.record:
        record(Mutant(FOLDER / f"{options.record[0]}.patch"), Path(options.record[1]))
    else:
        known = {mutant.name: mutant for mutant in mutants()}
        if unknown := [name for name in options.names if name not in known]:
            parser.error(f"no {unknown[0]!r}; there are {', '.join(known)}")
        return int(test_all([known[name] for name in options.names] or list(known.values())) > 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
