"""Tables of the page: escaped text, with the exact value of every number beside what is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from math import isnan
from typing import Any

MISSING = "–"
LONG = 24  # rows; a table of more has a fixed height on the page, which need not lay it out before it is in view


@dataclass(frozen=True)
class Column:
    """A column: its heading, and how a value is shown: text, count, number, money, price, percent, time, date."""

    name: str
    kind: str = "text"

    @property
    def is_number(self) -> bool:
        """Whether its values are aligned and sorted as numbers."""
        return self.kind in ("count", "number", "money", "price", "percent")


def shown(value: Any, kind: str = "text") -> str:
    """Return a value as a reader sees it; None is a dash.

    >>> shown(0.12345, "percent"), shown(1234.5, "money"), shown(-0.001, "money"), shown(None)
    ('12.35%', '1,234.50', '0.00', '–')
    """
    if value is None or (isinstance(value, float) and isnan(value)):
        return MISSING
    if kind == "percent":
        return f"{value:z,.2%}"
    if kind == "count":
        return f"{value:,.0f}"
    if kind in ("money", "number"):
        return f"{value:z,.2f}" if abs(value) < 1e12 else f"{value:.4g}"
    if kind == "price":
        return f"{value:,.8g}" if abs(value) < 1e6 else f"{value:,.2f}"
    if kind == "time" and isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S" if value.second or value.microsecond else "%Y-%m-%d %H:%M")
    if isinstance(value, date | datetime):
        return value.isoformat()
    return printable(value)


def printable(value: object, width: int = 300) -> str:
    """Return text without control characters and without what turns the reading direction, cut at `width`."""
    line = "".join(c if c.isprintable() else "�" for c in str(value)[: width + 1])
    return line if len(line) <= width else f"{line[: width - 1]}…"


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str,
    name: str = "",
    keys: Iterable[str] | None = None,
) -> str:
    """Return an HTML table. `name` makes it sortable and filterable on the page; `keys` are the `data-key` of its rows.

    A number's exact value is in `data-v`, so that it can be sorted, exported and compared with the artifacts. Rows and cells have
    no end tags, which HTML does not need: they would be a tenth of the page.
    """
    heads = "".join(f'<th scope="col">{escape(column.name)}</th>' for column in columns)
    if keys is None:
        body = "".join(f"<tr>{_cells(columns, row)}" for row in rows)
    else:
        marked = zip(keys, rows, strict=True)
        body = "".join(f'<tr data-key="{escape(key)}">{_cells(columns, row)}' for key, row in marked)
    if not body:
        body = f'<tr><td colspan="{len(columns)}">none'
    mark = (f' id="{escape(name)}"' if name else "") + _kinds(name, columns)
    kind = "scroll long" if body.count("<tr") > LONG else "scroll"
    return (
        f'<div class="{kind}" tabindex="0" role="region" aria-label="{escape(caption)}"><table{mark}>'
        f"<caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(columns: Sequence[Column], row: Sequence[Any]) -> str:
    return "".join(_cell(column, value) for column, value in zip(columns, row, strict=True))


def _cell(column: Column, value: Any) -> str:
    text = shown(value, column.kind)
    exact = f' data-v="{value!r}"' if column.is_number and value is not None and text != f"{value!r}" else ""
    return f"<td{exact}>{escape(text)}"


def _kinds(name: str, columns: Sequence[Column]) -> str:
    """The classes of a table: `live` where the page makes it sortable, `r3` where the third column is of numbers."""
    numbers = [f"r{place}" for place, column in enumerate(columns, 1) if column.is_number]
    return f' class="{" ".join(["live"] * bool(name) + numbers)}"'


def pairs(caption: str, rows: Iterable[tuple[str, Any, str]], name: str = "") -> str:
    """Return a table of names and values, each value of a kind of its own."""
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>{_cell(Column(label, kind), value)}' for label, value, kind in rows
    )
    mark = f' id="{escape(name)}"' if name else ""
    return f'<table class="pairs"{mark}><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>'


def listed(lines: Iterable[str], kind: str = "") -> str:
    """Return the lines as an HTML list; nothing for no line."""
    items = "".join(f"<li>{escape(printable(line))}</li>" for line in lines)
    return f'<ul class="{escape(kind)}">{items}</ul>' if items else ""
