"""The command line of the suite."""

import argparse
import contextlib
import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import environment, table

from suite.environment import OURS, versions
from suite.growth import growth
from suite.page import lanes_table, markdown, size_of, work_section, written
from suite.race import race
from suite.start import starts
from suite.work import WORKS

PARTS = ("start", "growth", "loop")


def main() -> None:
    """Everything asked for is measured, printed and, with --page, written."""
    parser = argparse.ArgumentParser(description="Same trades in every engine; see benchmarks/README.md.")
    parser.add_argument("rows", nargs="*", help=f"of {', '.join((*WORKS, *PARTS))}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes: everything works, no number means anything")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--patience", type=float, default=8.0, help="seconds a peer may take in one row before it takes part no more"
    )
    parser.add_argument("--engines", nargs="*", default=[], help="only these peers")
    parser.add_argument(
        "--page", type=Path, help="docs/performance.md: its tables are replaced, the plot goes beside it"
    )
    options = parser.parse_args()
    unknown = set(options.rows) - {*WORKS, *PARTS}
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join((*WORKS, *PARTS))}")
    begun, rows, size = time.perf_counter(), options.rows or [*WORKS, *PARTS], "quick" if options.quick else "full"
    sections, races, curves, failed = [_machine(rows)], {}, [], []
    for name in [row for row in rows if row in WORKS]:
        try:
            lanes = races[name] = race(name, size, options.rounds, options.patience, options.engines)
        except RuntimeError as error:  # the other rows are measured all the same
            failed.append(name)
            print(f"\n{name}: NOT MEASURED. {error}")
            sections.append(
                f"### {WORKS[name].title}\n\nNot measured in this run: {str(error).strip().splitlines()[-1]}"
            )
            continue
        table(f"{name}: {WORKS[name].title} ({size_of(name, size)})", *lanes_table(name, lanes))
        for lane in lanes:
            print(f"  {lane.engine}: {lane.note}" if lane.note else "", end="\n" if lane.note else "")
        sections.append(work_section(name, size, lanes))
    if "start" in rows:
        sections.append(_start())
    if "growth" in rows:
        curves = growth(options.quick)
        sections.append(_growth(curves))
    if "loop" in rows:
        sections.append(_loop(options.quick))
    sections.append(f"Measured in {time.perf_counter() - begun:.0f} s by `benchmarks/run`.")
    if options.page:
        from suite.plot import draw

        picture = options.page.with_suffix(".svg")
        draw(picture, races, curves)
        sections.insert(1, f"![Ratios of CPU time, and how time grows]({picture.name})")
        written(options.page, sections)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def _machine(rows: list[str]) -> str:
    """Machine and versions, printed and as text."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        environment()
    print(text.getvalue())
    engines = [
        OURS,
        *dict.fromkeys(engine.partition(":")[0] for row in rows if row in WORKS for engine in WORKS[row].aims),
    ]
    lines = []
    for engine in engines:
        found = ", ".join(f"{name} {version}" for name, version in versions(engine).items())
        lines.append(f"- {engine}: {found}")
        print(lines[-1])
    return f"Machine: {text.getvalue().splitlines()[0]}. Environments:\n\n" + "\n".join(lines)


def _start() -> str:
    rows = [[f"{engine}, {name}", cold, warm] for name, engine, cold, warm in starts()]
    heads = ["engine and work", "cold s", "warm s"]
    table("start: import to first result of a small run, new processes; cold: empty caches", heads, rows)
    return (
        "### Start\n\nSeconds from import to the first result of a small run, in new processes; cold: empty caches.\n\n"
        + markdown(heads, rows)
    )


def _growth(curves: list[tuple[str, str, int, int, float]]) -> str:
    rows: list[list[Any]] = []
    for name, work, n, constant, seconds in curves:
        rows.append([f"{name}: {n:,}", work, constant or "", 1e3 * seconds, 1e6 * seconds / max(n, 1)])
    heads = ["curve", "row", "at constant", "ms", "µs each"]
    table("growth: whole runs of ours, the best of three", heads, rows)
    text = "### Growth\n\nWhole runs of ours with frames and metrics, the best of three. Constant: bars for orders and combinations, "
    return text + "sessions for assets and open positions.\n\n" + markdown(heads, rows)


def _loop(quick: bool) -> str:
    script = Path(__file__).resolve().parents[1] / "loop.py"
    command = [sys.executable, str(script), "--bars", "0.2" if quick else "2", "--rounds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tail = done[done.index("Compiled loop") :].strip()
    print("\n" + tail)
    return f"### The plain loop and memory bandwidth\n\n```\n{tail}\n```"
