"""A report read back: its tables with exact values, its figures, its policy."""

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from typing import Any

import numpy as np


class ParsedPage(HTMLParser):
    """Every element, attribute, script and table row of a page. A cell is its exact value, or else its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.figures: dict[str, Any] = {}
        self.policy = ""
        self._table = ""
        self._is_text = False  # inside a cell whose text is its value
        self._script: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        elif tag == "script":
            self._script = given
        elif tag == "table":
            self._table = given.get("id") or ""
            self.tables[self._table] = []
        elif tag in ("tr", "td", "th"):
            if tag == "tr":
                self.tables[self._table].append([])
            else:
                self.tables[self._table][-1].append(given.get("data-v") or "")
            self._is_text = tag != "tr" and "data-v" not in given

    def handle_endtag(self, tag: str) -> None:
        self._is_text = False
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            if self._is_text:
                self.tables[self._table][-1][-1] += data
        elif (name := self._script.get("id") or "").startswith("figure-"):
            self.figures[name.removeprefix("figure-")] = json.loads(zlib.decompress(b64decode(data)))
        else:
            self.scripts.append(data)

    def rows(self, table: str) -> list[list[str]]:
        """The rows of a table's body."""
        return self.tables[table][1:]

    def hashes(self) -> set[str]:
        """What the policy must name for the scripts to run."""
        return {"sha256-" + b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in self.scripts}


def numbers(array: dict[str, str]) -> np.ndarray[Any, np.dtype[Any]]:
    """A typed array of a figure."""
    return np.frombuffer(b64decode(array["bdata"]), array["dtype"])


def unpacked(level: dict[str, Any]) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The times (ms) and values of a finer level, as the page's own code reads them."""
    steps = numbers({"bdata": level["steps"], "dtype": "<u4"}).astype("f8")
    values = {name: numbers({"bdata": text, "dtype": "<f4"}) for name, text in level["values"].items()}
    return {"x": level["start"] + level["unit"] * np.cumsum(steps), **values}
