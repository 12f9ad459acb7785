"""Figures of returns: by month, by year, and how they are distributed."""

import calendar

import numpy as np
import polars as pl

from ml4t.backtest.report.figure import BLUE, GREEN, ORANGE, RED, Figure, figure, title


def month_figure(months: pl.DataFrame) -> Figure:
    """Return the heatmap of monthly returns, one row a year; losses and gains are blue and orange, and written."""
    years = sorted(set(months["year"].to_list()))
    known = {(year, month): value for year, month, value in months.select("year", "month", "return").iter_rows()}
    z = [[known.get((year, month)) for month in range(1, 13)] for year in years]
    bound = max((abs(value) for value in known.values() if value is not None), default=0.0) or 0.01
    return figure(
        {
            "type": "heatmap",
            "x": list(calendar.month_abbr)[1:],
            "y": [str(year) for year in years],
            "z": z,
            "zmin": -bound,
            "zmax": bound,
            "colorscale": [[0.0, "#b35806"], [0.5, "#f7f7f7"], [1.0, "#2166ac"]],
            "texttemplate": "%{z:.1%}",
            "hovertemplate": "%{y} %{x}: %{z:.2%}<extra></extra>",
            "xgap": 1,
            "ygap": 1,
            "colorbar": {"tickformat": "~%", "thickness": 12},
        },
        height=90 + 26 * max(len(years), 2),
        yaxis={"type": "category", "autorange": "reversed"},
        xaxis={"type": "category"},
        hovermode="closest",
    )


def year_figure(years: pl.DataFrame) -> Figure:
    """Return one bar a year."""
    values = years["return"].to_list()
    return figure(
        {
            "type": "bar",
            "name": "Return",
            "x": [str(year) for year in years["year"].to_list()],
            "y": values,
            "marker": {"color": [RED if (value or 0.0) < 0 else BLUE for value in values]},
            "texttemplate": "%{y:.1%}",
            "textangle": 0,
        },
        height=260,
        yaxis={"tickformat": "~%"},
        xaxis={"type": "category"},
    )


def distribution_figure(days: pl.DataFrame, level: float) -> Figure:
    """Return the histogram of session returns, with mean and the quantile at `level`."""
    returns = days["return"].drop_nulls().to_numpy()
    counts, edges = np.histogram(returns, bins=min(80, max(5, int(len(returns) ** 0.5))))
    marks = [
        ("mean", float(returns.mean()), GREEN),
        (f"{level:.0%} quantile", float(np.quantile(returns, level)), ORANGE),
    ]
    return figure(
        {
            "type": "bar",
            "name": "Sessions",
            "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
            "y": counts.tolist(),
            "width": np.diff(edges).tolist(),
            "marker": {"color": BLUE},
        },
        bargap=0,
        shapes=[
            {
                "type": "line",
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "x0": x,
                "x1": x,
                "line": {"color": colour, "dash": "dash"},
            }
            for _, x, colour in marks
        ],
        annotations=[
            {
                "x": x,
                "y": 1 - 0.1 * row,
                "yref": "paper",
                "text": name,
                "showarrow": False,
                "xanchor": "left",
                "xshift": 4,
            }
            for row, (name, x, _) in enumerate(marks)
        ],
        xaxis={"tickformat": "~%", **title("Return of a session")},
        yaxis=title("Sessions"),
        hovermode="closest",
    )
