"""The three presentations of a result: complete, bounded, and safe whatever the names are."""

import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import SimpleNamespace

import polars as pl
import pytest
from rich.console import Console

from ml4t.backtest.enums import Reason
from ml4t.backtest.metrics import METRICS
from ml4t.backtest.summary import MISSING, REMEDIES, SHOWN, html, rich_table, text

HARMLESS = {
    Reason.NONE, Reason.ADMITTED, Reason.STOP_REACHED, Reason.EXECUTED, Reason.CANCEL_REQUESTED,
    Reason.REPLACE_REQUESTED, Reason.SUPERSEDED_BY_TARGET, Reason.SESSION_CLOSED, Reason.GOOD_TILL_DATE_REACHED,
    Reason.PARENT_FILLED, Reason.ACTIVATED, Reason.LAST_BAR_ENDED, Reason.NOT_IMMEDIATE, Reason.LINKED_ORDER_FILLED,
    Reason.LINKED_ORDER_ENDED, Reason.PARENT_ENDED, Reason.POSITION_CLOSED,
}  # fmt: skip
METRIC_VALUES = {
    "basis": "session",
    "periods": 754,
    "periods_per_year": 252.0,
    "start": "2010-01-04",
    "end": "2012-12-31",
    "initial_cash": 100_000.0,
    "final_equity": 123_456.789,
    "total_return": 0.23456789,
    "sharpe": 1.239,
    "expectancy": -1234.5,
    "profit_factor": None,
    "trades": 1200,
    "orders": 42,
    "rejected_orders": 3,
    "fills": 40,
    "open_trades": 1,
}


@dataclass
class FakeResult:
    """What a summary reads, and nothing more."""

    name: str = "strategy:Crossover"
    universe: tuple[str, ...] | None = None
    leaky: tuple[str, ...] = ()
    order_ends: list[tuple[str, str, str]] = field(default_factory=lambda: [("SPX", "filled", "executed")])
    stale: list[tuple[str, int]] = field(default_factory=lambda: [("SPX", 0)])
    counts: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    status: str = "complete"
    error: str | None = None
    metrics: dict[str, float | int | str | None] = field(default_factory=lambda: dict(METRIC_VALUES))

    @property
    def strategy(self):
        return SimpleNamespace(name=self.name)

    @property
    def config(self):
        return SimpleNamespace(
            account=SimpleNamespace(currency="USD"),
            data=SimpleNamespace(universe=self.universe),
            leaky_rules=lambda: self.leaky,
        )

    @property
    def inputs(self):
        return (SimpleNamespace(name="bars", counts=self.counts, warnings=self.warnings),)

    @property
    def orders(self):
        return pl.DataFrame(
            self.order_ends, {"symbol": pl.String, "state": pl.String, "reason": pl.String}, orient="row"
        )

    @property
    def positions(self):
        return pl.DataFrame(self.stale, {"symbol": pl.String, "stale_marks": pl.Int64}, orient="row")


def terminal(result):
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(rich_table(result))
    return console.file.getvalue()


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data + "\n"


PRESENTATIONS = pytest.mark.parametrize(
    "show", [text, lambda r: Page(html(r)).text, terminal], ids=["text", "html", "rich"]
)


def test_header_and_table():
    lines = text(FakeResult()).splitlines()
    assert lines[:6] == [
        "Backtest of strategy:Crossover: complete",
        "Period    2010-01-04 to 2012-12-31, 754 sessions, 252 a year",
        "Symbols   SPX",
        "Account   100,000.00 to 123,456.79 USD",
        "Counts    orders 42, rejected orders 3, fills 40, open trades 1",
        "",
    ]
    rows = [line.split() for line in lines[6:]]
    assert rows[0] == ["Total", "return", "23.46%", "Closed", "trades", "1,200"]
    assert rows[2][-1] == MISSING  # no profit factor
    assert rows[3][:3] == ["Sharpe", "ratio", "1.24"]
    assert rows[4][-1] == "-1,234.50"
    assert len(rows) == len(SHOWN)


@PRESENTATIONS
def test_every_presentation_has_the_same_content(show):
    result = FakeResult(leaky=("fills.market=same_close",), order_ends=[("A", "rejected", "insufficient_cash")])
    shown = " ".join(show(result).split())
    for part in ("strategy:Crossover: complete", "754 sessions", "123,456.79 USD", "orders 42", "23.46%", MISSING,
                 "fills.market=same_close", "Orders rejected for insufficient_cash: 1."):  # fmt: skip
        assert part in shown
    for pair in SHOWN:
        for name in pair:
            assert METRICS[name].label in shown


def test_failed_orders_are_grouped_by_reason_with_a_remedy():
    cash, margin = ("A", "rejected", "insufficient_cash"), ("A", "rejected", "insufficient_margin")
    cut, wanted = ("A", "cancelled", "insufficient_cash"), ("A", "cancelled", "cancel_requested")
    lines = text(FakeResult(order_ends=[margin, cash, cash, cash, cut, cut, wanted])).splitlines()
    assert lines[lines.index("Warnings") + 1 :] == [
        f"- Orders rejected for insufficient_cash: 3. {REMEDIES[Reason.INSUFFICIENT_CASH]}",
        f"- Orders cancelled for insufficient_cash: 2. {REMEDIES[Reason.INSUFFICIENT_CASH]}",
        f"- Orders rejected for insufficient_margin: 1. {REMEDIES[Reason.INSUFFICIENT_MARGIN]}",
    ]


def test_every_reason_has_a_remedy_or_needs_none():
    assert set(REMEDIES) | HARMLESS == set(Reason)
    assert not set(REMEDIES) & HARMLESS
    assert all(remedy.endswith(".") for remedy in REMEDIES.values())


def test_warnings_name_what_to_look_at():
    result = FakeResult(
        stale=[("A", 3), ("B", 0), ("C", 4)], counts={"missing": 5, "duplicates": 0}, warnings=("odd gap",)
    )
    shown = text(result)
    assert "Stale marks of A, C: 7." in shown
    assert "Input bars: 5 rows fell under the policy for missing" in shown
    assert "duplicates" not in shown
    assert "Input bars: odd gap" in shown
    assert "sent no order" not in shown
    assert "sent no order" in text(FakeResult(order_ends=[]))
    assert "Warnings" not in text(FakeResult())


def test_symbols_come_from_the_universe_or_from_what_was_traded():
    assert "Symbols   B, A\n" in text(FakeResult(universe=("B", "A")))
    assert "Symbols   A, B\n" in text(FakeResult(order_ends=[("B", "filled", "executed")], stale=[("A", 0)]))
    assert f"Symbols   {MISSING}\n" in text(FakeResult(order_ends=[], stale=[]))
    assert "Symbols   S0, S1, S2, S3, S4, S5, and 94 more\n" in text(
        FakeResult(universe=tuple(f"S{i}" for i in range(100)))
    )


def test_a_failed_run_says_how_it_ended():
    error = "Traceback (most recent call last):\n  File x\n\nValueError: boom\nat 2010-01-05, symbol SPX\n"
    shown = text(FakeResult(status="failed", error=error))
    assert shown.startswith("Backtest of strategy:Crossover: failed\n")
    assert "Error     ValueError: boom\nError     at 2010-01-05, symbol SPX\n" in shown
    assert "Traceback" not in shown


def test_a_run_without_metrics_still_has_a_summary():
    result = FakeResult(metrics={}, order_ends=[], stale=[])
    assert f"Period    {MISSING} to {MISSING}" in text(result)
    assert html(result)
    assert terminal(result)


def test_instants_are_shown_to_the_second():
    metrics = METRIC_VALUES | {"basis": "bar", "start": "2020-01-02T15:00:00.000000000Z"}
    assert "Period    2020-01-02 15:00:00 to" in text(FakeResult(metrics=metrics))


def hostile():
    name = "</td><script>alert('1')</script>[red]\x1b[2J\n\r\u202e&\"'" * 1000
    return FakeResult(
        name=name,
        universe=(name,) * 1000,
        leaky=(name,) * 1000,
        order_ends=[(name, "rejected", f"{i}{name}") for i in range(100)],
        stale=[(name, 1)] * 1000,
        counts={f"{i}{name}": 1 for i in range(100)},
        warnings=(name,) * 1000,
        status="failed",
        error="\n".join([name] * 1000),
        metrics=METRIC_VALUES | {"start": name, "end": name, "basis": name, "final_equity": 1e300},
    )


def test_hostile_names_stay_text_in_html():
    page = html(hostile())
    parsed = Page(page)
    assert len(page.encode()) < 50_000
    assert set(parsed.tags) <= {"div", "b", "table", "tbody", "tr", "td", "ul", "li"}
    assert {name for name, _ in parsed.attributes} == {"style"}
    assert "<script>alert('1')</script>" in parsed.text
    for outside in ("http", "src=", "href=", "url(", "@import"):
        assert outside not in page


@pytest.mark.parametrize("show", [text, terminal])
def test_hostile_names_cannot_move_the_cursor(show):
    shown = show(hostile())
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "[red]" in shown  # markup is shown, not obeyed
    assert len(text(hostile()).splitlines()) <= 40
