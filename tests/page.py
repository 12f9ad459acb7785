"""The repository's documents as data. `python tests/page.py` prints the ten-line example of the README."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def code_blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def tables(path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of the table under each second-level heading, as column → cell."""
    found: dict[str, list[dict[str, str]]] = {}
    for section in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        rows = [_cells(line) for line in text.splitlines() if line.startswith("|")]
        if rows:
            found[heading.strip()] = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def links(path: Path) -> list[str]:
    """The targets of the relative links of a page, without anchors."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    return [target for target in targets if "://" not in target]


if __name__ == "__main__":
    sys.stdout.write(code_blocks(README, "python")[0])
