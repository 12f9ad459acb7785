"""The page: one HTML file that needs nothing else. Its policy lets only the scripts run whose hashes it names."""

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from ml4t.backtest.report.section import Chart, Section
from ml4t.backtest.report.table import listed, printable

BUNDLE = "plotly.min.js.gz"


def page(title: str, header: str, sections: Iterable[Section]) -> str:
    """Return the page. `header` is HTML; `title` and all text of the sections are escaped. The same input gives the same bytes."""
    parts = list(sections)
    figures = {chart.name: chart.figure for section in parts for chart in section.charts}
    scripts = [bundle(), asset("page.js")] if figures else [asset("page.js")]
    links = "".join(f'<a href="#{escape(part.name)}">{escape(part.title)}</a>' for part in parts)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">',
            f"<title>{escape(printable(title))}</title><style>{asset('page.css')}</style></head><body>",
            '<a class="skip" href="#main">To the content</a>',
            f'<header><h1>{escape(printable(title))}</h1>{header}<nav aria-label="Sections">{links}</nav>',
            '<button id="theme" type="button">Light or dark</button></header><main id="main">',
            *(_section(part) for part in parts),
            "</main>",
            *(
                f'<script type="text/plain" id="figure-{escape(name)}">{packed(figure)}</script>'
                for name, figure in figures.items()
            ),
            *(f"<script>{script}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


def policy(scripts: Iterable[str]) -> str:
    """Return the Content-Security-Policy that allows these scripts, styles in the page, pictures made in it, and nothing else."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def packed(content: Any) -> str:
    """Return JSON, compressed, in letters that cannot end the element they stand in. Raises: ValueError for NaN and infinities."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return b64encode(zlib.compress(text.encode(), 9)).decode()


@cache
def bundle() -> str:
    """Return Plotly's strict bundle, which makes no code from strings."""
    return gzip.decompress(files(__package__).joinpath("asset", BUNDLE).read_bytes()).decode()


@cache
def asset(name: str) -> str:
    """Return a text file of the page."""
    return files(__package__).joinpath("asset", name).read_text(encoding="utf-8")


def _section(section: Section) -> str:
    folded = (
        f"<details><summary>{escape(section.title)}: tables</summary>{''.join(section.folded)}</details>"
        if section.folded
        else ""
    )
    return (
        f'<section id="{escape(section.name)}" aria-labelledby="{escape(section.name)}-title">'
        f'<h2 id="{escape(section.name)}-title">{escape(section.title)}</h2>'
        f"{listed((note for note in section.notes if note), 'notes')}"
        f"{''.join(map(_chart, section.charts))}{''.join(section.tables)}{folded}</section>"
    )


def _chart(chart: Chart) -> str:
    height = int(chart.figure["layout"]["height"])
    return (
        f'<figure><div class="chart" data-figure="{escape(chart.name)}" style="height:{height}px"></div>'
        f"<figcaption>{escape(printable(chart.label))}</figcaption></figure>"
    )
