"""The comparison of runs as an HTML page: curves on one plot, metrics side by side, settings, trades, the first divergence."""

import polars as pl

from ml4t.backtest.metrics import METRICS, Unit
from ml4t.backtest.report import comparison
from ml4t.backtest.report.figure import BLUE, GREEN, ORANGE, PINK, RED, SKY, figure, line, title
from ml4t.backtest.report.page import page
from ml4t.backtest.report.resolution import curve
from ml4t.backtest.report.section import Chart, Section
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import Column, shown, table

KINDS = {Unit.FRACTION: "percent", Unit.RATIO: "number", Unit.MONEY: "money", Unit.COUNT: "count"}
COLOURS = (BLUE, ORANGE, GREEN, PINK, RED, SKY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
TRADES = 1_000  # rows
BETTER = " ★"


def comparison_html(subjects: list[Subject], names: list[str]) -> str:
    """Return the page for two or more runs; trades and divergence are each other run against the first."""
    parts = [_curves(subjects, names), _metrics(subjects, names), _settings(subjects, names)]
    others = enumerate(zip(subjects[1:], names[1:], strict=True), 1)
    parts += [_pair(subjects[0], subject, names[0], name, place) for place, (subject, name) in others]
    return page("Comparison of " + ", ".join(names), "", parts)


def metric_rows(subjects: list[Subject]) -> list[list[str]]:
    """Return label and values of each metric as text, the better one with a star."""
    rows = []
    for name, values in comparison.metrics(subjects).items():
        place = comparison.best(name, values)
        texts = [shown(value, KINDS[METRICS[name].unit]) for value in values]
        rows.append([METRICS[name].label, *(text + BETTER * (row == place) for row, text in enumerate(texts))])
    return rows


def _curves(subjects: list[Subject], names: list[str]) -> Section:
    traces = []
    for row, (subject, name) in enumerate(zip(subjects, names, strict=True)):
        growth = (subject.equity["equity"] / subject.cash).to_numpy()
        look = {"colour": COLOURS[row % 6], "dash": DASHES[row % 6]}
        traces.append(line(name, **look, **curve(subject.equity["timestamp"], growth)))
    drawn = figure(*traces, height=420, xaxis={"type": "date"}, yaxis=title("Growth of 1"))
    return Section(
        "curves", "Equity", (), (Chart("curves", "Lines of the equity of each run, the initial cash being 1.", drawn),)
    )


def _metrics(subjects: list[Subject], names: list[str]) -> Section:
    columns = [Column("Metric"), *(Column(name) for name in names)]
    rows = metric_rows(subjects)
    return Section(
        "metrics",
        "Metrics",
        (),
        (),
        (table(columns, rows, caption="Metrics; a star marks the better one", name="metrics-table"),),
    )


def _settings(subjects: list[Subject], names: list[str]) -> Section:
    columns = [Column("Setting"), *(Column(name) for name in names)]
    rows = [[key, *values] for key, values in comparison.settings(subjects).items()]
    return Section(
        "settings",
        "Settings that differ",
        (),
        (),
        (table(columns, rows, caption="Each setting that is not the same in all runs", name="settings-table"),),
    )


def _pair(left: Subject, right: Subject, a: str, b: str, number: int) -> Section:
    parted = comparison.divergence(left, right)
    trades = comparison.matched_trades(left, right)
    counts = dict(trades.group_by("status").len().iter_rows())
    notes = (
        f"First divergence: {parted}" if parted else "Orders, fills and equity are the same throughout.",
        f"{counts.get('both', 0):,} trades in both, {counts.get('left', 0):,} only in {a}, {counts.get('right', 0):,} only in {b}.",
    )
    columns = [
        *(Column(name) for name in ("In", "Symbol", "Side")),
        Column("Entry", "time"),
        *(Column(f"Trade in {name}") for name in (a, b)),
        *(Column(f"Quantity in {name}", "price") for name in (a, b)),
        *(Column(f"P&L in {name}", "money") for name in (a, b)),
        Column("Difference", "money"),
    ]
    places = pl.col("status").replace({"left": a, "right": b})
    rows = trades.with_columns(places).head(TRADES).iter_rows()
    caption = f"{min(trades.height, TRADES):,} of {trades.height:,} trades of {a} and {b}"
    return Section(
        f"pair-{number}",
        f"{a} and {b}",
        notes,
        (),
        (table(columns, rows, caption=caption, name=f"pair-table-{number}"),),
    )
