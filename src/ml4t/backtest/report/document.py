"""The report of one run: its header and its sections, written as one file."""

import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ml4t.backtest.artifacts.manifest import CONFIG
from ml4t.backtest.errors import ArtifactError
from ml4t.backtest.metrics import METRICS, Unit
from ml4t.backtest.report import account_section, trade_section
from ml4t.backtest.report.assumption import assumptions
from ml4t.backtest.report.page import page
from ml4t.backtest.report.section import Section, Story
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import listed, pairs
from ml4t.backtest.summary import summary

KINDS = {Unit.FRACTION: "percent", Unit.RATIO: "number", Unit.MONEY: "money", Unit.COUNT: "count"}
DIGITS = 12  # of a hash in the header

SECTIONS: tuple[Callable[[Story], Section], ...] = (
    account_section.equity,
    account_section.returns,
    account_section.risk,
    account_section.exposure,
    trade_section.charts,
    trade_section.trades,
    account_section.costs,
    trade_section.orders,
    trade_section.data,
)
"""The sections after the overview, in the order of the page."""


def report_html(subject: Subject, benchmark: str | None = None) -> str:
    """Return the report as one HTML page. The same run gives the same bytes. Raises: ConfigError for an unknown benchmark."""
    story = Story(subject, benchmark)
    content = summary(subject)
    header = listed([f"{name}: {value}" for name, value in (*content.facts, *_hashes(subject))], "facts")
    return page(content.title, header, [overview(story, content.warnings), *(section(story) for section in SECTIONS)])


def write_report(subject: Subject, path: str | Path, benchmark: str | None = None) -> Path:
    """Return the file that now holds the report, whole; what was there is replaced. Raises: ArtifactError."""
    return write_page(path, report_html(subject, benchmark))


def write_page(path: str | Path, text: str) -> Path:
    """Return the file that now holds a page, whole; what was there is replaced. Raises: ArtifactError."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtifactError(f"Cannot write the report {target}: {error.strerror or error}.") from error
    return target


def overview(story: Story, warnings: tuple[str, ...]) -> Section:
    """What to look at first: warnings, assumptions, metrics, and what exactly was run."""
    subject = story.subject
    return Section(
        "overview",
        "Overview",
        warnings,
        (),
        (
            "<h3>Assumptions</h3>" + listed([*assumptions(subject.config), *_adjustments(subject)], "plain"),
            pairs("Metrics", _metrics(subject), "metrics"),
        ),
        (
            pairs("What was run", _origin(subject), "origin"),
            pairs("Configuration", _settings(subject), "configuration"),
        ),
    )


def _hashes(subject: Subject) -> list[tuple[str, str]]:
    """The first digits of what says exactly which data, code and configuration; all digits are in the tables below."""
    data = ", ".join(f"{one.name} {one.sha256[:DIGITS]}" for one in subject.inputs)
    code = (subject.strategy.sha256 or "in no file")[:DIGITS]
    config = subject.hashes.get(CONFIG) or sha256(subject.config.to_toml().encode()).hexdigest()
    return [("Data", data), ("Code", code), ("Configuration", config[:DIGITS])]


def _metrics(subject: Subject) -> list[tuple[str, object, str]]:
    return [(metric.label, subject.metrics.get(name), KINDS[metric.unit]) for name, metric in METRICS.items()]


def _adjustments(subject: Subject) -> list[str]:
    """What was done to the data."""
    done = [
        f"{one.name}: {count:,} rows fell under the policy for {policy}."
        for one in subject.inputs
        for policy, count in one.counts.items()
        if count
    ]
    return done or ["Prices are taken as they are in the data: no row was dropped, filled or adjusted."]


def _origin(subject: Subject) -> list[tuple[str, object, str]]:
    strategy = subject.strategy
    rows: list[tuple[str, object, str]] = [("Run", subject.name, "text"), ("Strategy", strategy.name, "text")]
    rows += [(f"Source {name}", digest, "text") for name, digest in sorted(strategy.sources.items())]
    rows += [(f"Input {one.name}", one.sha256, "text") for one in subject.inputs]
    rows += [(f"File {name}", digest, "text") for name, digest in sorted(subject.hashes.items())]
    rows += [(name, version, "text") for name, version in sorted(subject.versions.items())]
    rows += [(f"git {name}", value, "text") for name, value in sorted((subject.git or {}).items())]
    return rows


def _settings(subject: Subject) -> list[tuple[str, object, str]]:
    return [(key, value, "text") for key, value in subject.config.flatten().items()]
