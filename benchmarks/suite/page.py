"""The measured part of docs/performance.md: tables between two markers; what is written around them by hand stays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import number

from suite.race import Lane
from suite.work import WORKS

BEGIN, END = "<!-- measured: written by benchmarks/run -->", "<!-- end of what is measured -->"
MIB = 2**20


def markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; numbers with three digits."""
    lines = [list(heads), ["---", *["---:"] * (len(heads) - 1)], *([number(x) for x in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def size_of(name: str, size: str) -> str:
    """The arguments of a work's market as words."""
    words = {"bars": "bars", "assets": "assets", "count": "sessions", "every": "sessions between"}
    return ", ".join(f"{value:,} {words[key]}" for key, value in getattr(WORKS[name], size).items())


def lanes_table(name: str, lanes: Sequence[Lane]) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of one work: a row an engine."""
    heads = [
        "engine",
        "first result s",
        "warm ms",
        "CPU ms",
        "MiB",
        "ours is faster ×",
        "by CPU ×",
        "aim",
        "memory ×",
        "rounds",
    ]
    rows: list[list[Any]] = []
    for lane in lanes:
        row: list[Any] = [lane.engine, lane.imported + lane.first, 1e3 * lane.median("wall"), 1e3 * lane.median("cpu")]
        row.append(lane.memory / MIB)
        aim = WORKS[name].aims.get(lane.engine)
        if aim is None:
            row += ["", "", "", ""]
        else:
            row += [lane.ratio("wall"), lane.ratio("cpu"), f"≥ {aim:g}", lane.memory / max(lanes[0].memory, MIB)]
        rows.append([*row, len(lane.runs)])
    return heads, rows


def work_section(name: str, size: str, lanes: Sequence[Lane]) -> str:
    """A heading, a table, and how peers were compared."""
    fills = lanes[0].runs[0]["fills"]
    text = f"### {WORKS[name].title}\n\n`{name}`: {size_of(name, size)}; {fills:,} fills, the same in all engines.\n\n"
    text += markdown(*lanes_table(name, lanes)) + "\n"
    notes = [f"- {lane.engine} {lane.note}.\n" for lane in lanes if lane.note]
    return text + ("\n" + "".join(notes) if notes else "")


def written(path: Path, sections: Sequence[str]) -> None:
    """The page holds these sections between its markers. Raises ValueError where it has none."""
    text = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {BEGIN!r} and {END!r}")
    path.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(section.strip() for section in sections) + f"\n\n{END}{after}")
