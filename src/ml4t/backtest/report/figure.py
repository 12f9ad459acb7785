"""Figures of accounts over time, as Plotly specifications: plain dictionaries for the page and for notebooks alike."""

from html import escape
from typing import Any

import numpy as np
import polars as pl

from ml4t.backtest.report.benchmark import benchmark_path
from ml4t.backtest.report.drawdown import Drawdown
from ml4t.backtest.report.resolution import LEVELS, array, curve, milliseconds
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import printable

Figure = dict[str, Any]
BLUE, ORANGE, GREEN, RED, SKY, PINK = "#2a85c8", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"
"""After Okabe and Ito: told apart with any colour vision, on white and on black."""
COARSE = LEVELS[:1]  # what exposures and holdings are worth
ROLLING = 1_300  # points of a rolling figure, which changes slowly


def figure(*traces: dict[str, Any], height: int = 320, **layout: Any) -> Figure:
    """Return a figure; axes and colours of the page are added where it is shown."""
    return {
        "data": list(traces),
        "layout": {
            "height": height,
            "margin": {"l": 64, "r": 16, "t": 24, "b": 40},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "x": 0, "y": 1.03, "yanchor": "bottom"},
            **layout,
        },
    }


def line(name: str, colour: str, **trace: Any) -> dict[str, Any]:
    """Return a line trace; a single point is a mark."""
    dash = trace.pop("dash", "solid")
    is_point = trace.get("meta", {}).get("points") == 1
    return {
        "type": "scatter",
        "mode": "markers" if is_point else "lines",
        "name": plain(name),
        "line": {"color": colour, "width": 1.5, "dash": dash},
        **trace,
    }


def plain(text: object) -> str:
    """Return text as Plotly shows it letter by letter: it takes `<b>` and `&lt;` for markup otherwise.

    >>> plain("<b>A&B</b>")
    '&lt;b&gt;A&amp;B&lt;/b&gt;'
    """
    return escape(printable(text), quote=False)


def title(text: str) -> dict[str, Any]:
    """Return an axis title."""
    return {"title": {"text": plain(text)}}


def equity_figure(subject: Subject, benchmark: pl.Series | None) -> Figure:
    """Return equity above drawdown, with what the benchmark would have been worth."""
    equity = subject.equity
    times = equity["timestamp"]
    traces = [line("Equity", BLUE, **curve(times, equity["equity"].to_numpy()))]
    if benchmark is not None:
        path = benchmark_path(benchmark, subject.cash)
        last = equity.group_by("session", maintain_order=True).agg(pl.col("timestamp").last())["timestamp"]
        traces.append(line("Benchmark", ORANGE, dash="dash", **curve(last, path)))
    traces.append(line("Drawdown", RED, yaxis="y2", fill="tozeroy", **curve(times, equity["drawdown"].to_numpy())))
    return figure(
        *traces,
        height=460,
        yaxis={"domain": [0.34, 1.0], **title(subject.config.account.currency)},
        yaxis2={"domain": [0.0, 0.26], "tickformat": "~%", **title("Drawdown")},
        xaxis={"type": "date", "anchor": "y2"},
    )


def drawdown_figure(subject: Subject, episodes: list[Drawdown]) -> Figure:
    """Return the drawdown with its deepest episodes shaded."""
    equity = subject.equity
    shapes = [
        {
            "type": "rect",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": str(episode.peak or equity["session"][0]),
            "x1": str(episode.end or equity["session"][-1]),
            "fillcolor": SKY,
            "opacity": 0.15,
            "line": {"width": 0},
        }
        for episode in episodes
    ]
    trace = line("Drawdown", RED, fill="tozeroy", **curve(equity["timestamp"], equity["drawdown"].to_numpy()))
    return figure(trace, shapes=shapes, yaxis={"tickformat": "~%"}, xaxis={"type": "date"})


def exposure_figure(subject: Subject, held: pl.DataFrame) -> Figure:
    """Return gross and net exposure as fractions of equity, and the number of positions held."""
    equity = subject.equity
    value = equity["equity"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        gross, net = (
            equity[f"{kind}_exposure"].to_numpy() / np.where(value > 0, value, np.nan) for kind in ("gross", "net")
        )
    traces = [
        line("Gross (leverage)", BLUE, **curve(equity["timestamp"], np.nan_to_num(gross), COARSE)),
        line("Net", GREEN, dash="dot", **curve(equity["timestamp"], np.nan_to_num(net), COARSE)),
    ]
    if held.is_empty():  # nothing was ever held
        held = pl.DataFrame({"timestamp": equity["timestamp"].gather([0, -1]), "held": [0, 0]})
    trace = line(
        "Positions held", PINK, yaxis="y2", **curve(held["timestamp"], held["held"].to_numpy().astype(float), COARSE)
    )
    trace["line"]["shape"] = "hv"
    traces.append(trace)
    return figure(
        *traces,
        height=400,
        yaxis={"domain": [0.4, 1.0], "tickformat": "~%", **title("Of equity")},
        yaxis2={"domain": [0.0, 0.3], "rangemode": "tozero", **title("Positions")},
        xaxis={"type": "date", "anchor": "y2"},
    )


def turnover_figure(months: pl.DataFrame) -> Figure:
    """Return the traded value of each month as a fraction of the mean equity in it."""
    return figure(
        {
            "type": "bar",
            "name": "Turnover",
            "marker": {"color": SKY},
            "xperiod": "M1",
            "xperiodalignment": "middle",
            "x": [f"{year}-{month:02}" for year, month in months.select("year", "month").iter_rows()],
            "y": months["turnover"].to_list(),
        },
        height=240,
        yaxis={"tickformat": "~%"},
        xaxis={"type": "date"},
    )


def rolling_figure(frame: pl.DataFrame, window: int) -> Figure:
    """Return rolling Sharpe ratio, volatility and beta."""
    frame = frame.gather_every(-(-frame.height // ROLLING) or 1)
    x = array(milliseconds(frame["date"]))
    traces = [
        line(f"Sharpe ({window} sessions)", BLUE, x=x, y=_nullable(frame["sharpe"])),
        line("Beta", GREEN, x=x, y=_nullable(frame["beta"]), dash="dot"),
        line("Volatility", ORANGE, x=x, y=_nullable(frame["volatility"]), yaxis="y2"),
    ]
    return figure(
        *(trace for trace, name in zip(traces, ("sharpe", "beta", "volatility"), strict=True) if frame[name].count()),
        height=400,
        yaxis={"domain": [0.45, 1.0], **title("Ratio")},
        yaxis2={"domain": [0.0, 0.35], "tickformat": "~%", **title("Volatility")},
        xaxis={"type": "date", "anchor": "y2"},
    )


def _nullable(values: pl.Series) -> dict[str, str]:
    """NaN stays a gap in the line."""
    return array(values.fill_null(float("nan")).to_numpy())
