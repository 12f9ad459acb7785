"""Figures for notebooks: those of the report as Plotly objects."""

from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np

from ml4t.backtest.errors import BacktestError, nearest
from ml4t.backtest.report.candle import candle_figure
from ml4t.backtest.report.drawdown import deepest
from ml4t.backtest.report.figure import Figure, drawdown_figure, equity_figure
from ml4t.backtest.report.section import Story
from ml4t.backtest.report.subject import Subject

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure


def equity_plot(subject: Subject, benchmark: str | None = None) -> "PlotlyFigure":
    """Return equity, drawdown and benchmark. Raises: BacktestError without Plotly, ConfigError for an unknown benchmark."""
    return _plotly(equity_figure(subject, Story(subject, benchmark).benchmark))


def drawdown_plot(subject: Subject) -> "PlotlyFigure":
    """Return the drawdown with its five deepest episodes shaded. Raises: BacktestError without Plotly."""
    return _plotly(drawdown_figure(subject, deepest(Story(subject).days, subject.cash)))


def trade_plot(subject: Subject, symbol: str) -> "PlotlyFigure":
    """Return the candlesticks of a symbol with its fills, stops and trades.

    Raises: BacktestError without Plotly, or for an unknown symbol.
    """
    if symbol not in subject.symbols:
        raise BacktestError(f"{symbol!r} is no symbol of the run.{nearest(symbol, subject.symbols)}")
    return _plotly(candle_figure(subject, symbol))


def _plotly(figure: Figure) -> "PlotlyFigure":
    try:
        from plotly import graph_objects  # reason: optional, and slow to import
    except ModuleNotFoundError as error:
        raise BacktestError(
            "Figures in Python need Plotly: pip install 'ml4t-backtest[plot]'. The report needs nothing."
        ) from error
    return graph_objects.Figure(_unpacked(figure))


def _unpacked(part: Any) -> Any:
    """The figure with its typed arrays as NumPy's, which Python code can read."""
    if isinstance(part, dict):
        if "bdata" in part:
            return np.frombuffer(b64decode(part["bdata"]), np.dtype(part["dtype"]).newbyteorder("<"))
        return {name: _unpacked(inner) for name, inner in part.items() if name != "meta"}
    return [_unpacked(inner) for inner in part] if isinstance(part, list) else part
