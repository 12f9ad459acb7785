"""The sections about the account: what it was worth, what it risked, what it held, what it paid."""

import polars as pl

from ml4t.backtest.report import figure, return_figure
from ml4t.backtest.report.drawdown import deepest
from ml4t.backtest.report.holding import holdings, turnover
from ml4t.backtest.report.period import monthly, rolling, window_of, yearly
from ml4t.backtest.report.section import Chart, Section, Story
from ml4t.backtest.report.table import Column, shown, table
from ml4t.backtest.report.trade_figure import waterfall_figure
from ml4t.backtest.report.waterfall import waterfall

SESSIONS = 260  # in the table behind the equity curve


def equity(story: Story) -> Section:
    """Equity with its benchmark, and the deepest drawdowns."""
    subject, days = story.subject, story.days
    if subject.equity.is_empty():
        return Section("equity", "Equity and drawdown", ("No bar ended: there is no equity point.",))
    episodes = deepest(days, subject.cash)
    columns = [
        Column("Depth", "percent"),
        Column("Peak", "date"),
        Column("Trough", "date"),
        Column("Recovered", "date"),
        Column("Length, sessions", "count"),
        Column("Recovery, sessions", "count"),
    ]
    rows = [(e.depth, e.peak, e.trough, e.end, e.length, e.recovery) for e in episodes]
    last = days.select("date", "equity", "return").tail(SESSIONS)
    worth = [Column("Session", "date"), Column("Equity", "money"), Column("Return", "percent")]
    return Section(
        "equity",
        "Equity and drawdown",
        (_benchmark_note(story),),
        (Chart("equity", _equity_label(story), figure.equity_figure(subject, story.benchmark)),),
        (
            table(
                columns,
                rows,
                caption="The deepest drawdowns, at ends of sessions. A dash: from the initial cash; not recovered.",
                name="drawdowns",
            ),
        ),
        (
            table(
                worth,
                last.iter_rows(),
                caption=f"Equity at the end of the last {last.height:,} of {days.height:,} sessions",
                name="sessions",
            ),
        ),
    )


def returns(story: Story) -> Section:
    """Returns by month and year, and how they are distributed."""
    days = story.days
    if days["return"].count() == 0:
        return Section("returns", "Returns", ("There is no return.",))
    months, years = monthly(days), yearly(days)
    level = float(story.subject.config.metrics.var_level)
    return Section(
        "returns",
        "Returns",
        (),
        (
            Chart("months", "Heatmap of monthly returns.", return_figure.month_figure(months)),
            Chart("years", "Bars of yearly returns.", return_figure.year_figure(years)),
            Chart("distribution", "Histogram of session returns.", return_figure.distribution_figure(days, level)),
        ),
        (),
        (
            table(
                [Column("Year"), Column("Month"), Column("Return", "percent")],
                months.iter_rows(),
                caption="Monthly returns",
                name="monthly",
            ),
            table(
                [Column("Year"), Column("Return", "percent")],
                years.iter_rows(),
                caption="Yearly returns",
                name="yearly",
            ),
        ),
    )


def risk(story: Story) -> Section:
    """Rolling Sharpe ratio, volatility and beta."""
    metrics, days = story.subject.config.metrics, story.days
    frame = rolling(days, story.benchmark, metrics.periods_per_year, metrics.risk_free_rate)
    if not frame["volatility"].count():
        return Section("risk", "Rolling risk", ("There are too few sessions for rolling figures.",))
    window = window_of(days)
    month = pl.col("date").dt.month()
    ends = frame.filter(month != month.shift(-1, fill_value=0))
    columns = [
        Column("Session", "date"),
        Column("Volatility", "percent"),
        Column("Sharpe", "number"),
        Column("Beta", "number"),
    ]
    return Section(
        "risk",
        "Rolling risk",
        (f"Over {window} sessions, as yearly figures; beta is against the benchmark.",),
        (
            Chart(
                "rolling", "Lines of rolling Sharpe ratio, beta and volatility.", figure.rolling_figure(frame, window)
            ),
        ),
        (),
        (table(columns, ends.iter_rows(), caption="Rolling figures at the ends of months", name="rolling-table"),),
    )


def exposure(story: Story) -> Section:
    """Exposure, leverage, holdings, turnover."""
    subject = story.subject
    if subject.equity.is_empty():
        return Section("exposure", "Exposure, holdings and turnover", ("There is no equity point.",))
    months = turnover(subject)
    columns = [Column("Year"), Column("Month"), Column("Traded", "money"), Column("Of equity", "percent")]
    return Section(
        "exposure",
        "Exposure, holdings and turnover",
        (),
        (
            Chart(
                "exposure",
                "Lines of gross exposure (leverage) and net exposure as shares of equity, and of the positions held.",
                figure.exposure_figure(subject, holdings(subject.fills)),
            ),
            Chart(
                "turnover", "Bars of the value traded each month as a share of equity.", figure.turnover_figure(months)
            ),
        ),
        (),
        (table(columns, months.iter_rows(), caption="Turnover by month", name="turnover-table"),),
    )


def costs(story: Story) -> Section:
    """The way from gross to net profit."""
    steps = waterfall(story.subject)
    label = "; ".join(f"{step.name} {shown(step.amount, 'money')}" for step in steps)
    return Section(
        "costs",
        "From gross to net",
        ("Costs are those of the journal. Slippage is contained in the prices of the fills.",),
        (Chart("waterfall", f"Waterfall: {label}.", waterfall_figure(steps)),),
        (
            table(
                [Column("Step"), Column("Amount", "money")],
                [(step.name, step.amount) for step in steps],
                caption="The steps from gross to net profit",
                name="costs-table",
            ),
        ),
    )


def _benchmark_note(story: Story) -> str:
    if story.benchmark is None:
        return f"No benchmark. {story.subject.bars_missing or ''}"
    if story.symbol:
        return f"Benchmark: {story.symbol}, bought and held."
    return "Benchmark: the mean return of the symbols in the data, each session; no costs."


def _equity_label(story: Story) -> str:
    subject = story.subject
    first, last = subject.equity["timestamp"][0], subject.equity["timestamp"][-1]
    worst = shown(subject.equity["drawdown"].min(), "percent")
    money = [shown(value, "money") for value in (subject.cash, subject.equity["equity"][-1])]
    return (
        f"Equity from {money[0]} to {money[1]} {subject.config.account.currency} between {shown(first, 'time')} and "
        f"{shown(last, 'time')}; deepest drawdown {worst}."
    )
