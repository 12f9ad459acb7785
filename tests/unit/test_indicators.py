"""Indicators: against TA-Lib and pandas on real bars, by hand at the edges, and the same bits plain and compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib

from ml4t.backtest import Strategy, run
from ml4t.backtest.datasets import us_indices

BARS = us_indices().filter(symbol="SPX").head(400)
OTHER = us_indices().filter(symbol="NASDAQ").head(400)
HIGH, LOW, CLOSE = (BARS[name].to_numpy() for name in ("high", "low", "close"))
SERIES, ON = pd.Series(CLOSE), pd.Series(OTHER["close"].to_numpy())
N = 14


class Asks(Strategy):
    """Records one answer a bar."""

    question: str = "mean"
    count: int = N

    def on_bar(self) -> None:
        answer = self.ask()
        if answer == answer:
            self.record("answer", answer)

    def ask(self) -> float:
        return 0.0


def answers(ask: Any, data: pl.DataFrame = BARS, **parameters: Any) -> np.ndarray[Any, Any]:
    """What the strategy's method answers after each bar, plain; NaN where that is no number. Compiled it must be the same."""
    cls = type("Case", (Asks,), {"ask": ask})
    plain, fast = (run(cls(**parameters), data, compiled=way).records for way in (False, True))
    assert plain.equals(fast)
    times = data["timestamp"].unique(maintain_order=True)
    found = dict(zip(plain["timestamp"].dt.date(), plain["value"], strict=True))
    return np.array([found.get(time, math.nan) for time in times])


def regression(part: str) -> Any:
    """By NumPy, for each window."""
    out = np.full(len(CLOSE), math.nan)
    for i in range(N - 1, len(CLOSE)):
        y, x = CLOSE[i - N + 1 : i + 1], ON.to_numpy()[i - N + 1 : i + 1]
        slope, intercept = np.polyfit(x, y, 1)
        rest = y - slope * x - intercept
        out[i] = {"slope": slope, "intercept": intercept, "deviation": math.sqrt((rest**2).sum() / (N - 2))}[part]
    return out


CASES = {
    "mean": (lambda s: s.data.mean("SPX", s.count), talib.SMA(CLOSE, N)),
    "wma": (lambda s: s.data.wma("SPX", s.count), talib.WMA(CLOSE, N)),
    "std": (lambda s: s.data.std("SPX", s.count), SERIES.rolling(N).std().to_numpy()),
    "min": (lambda s: s.data.min("SPX", s.count), talib.MIN(CLOSE, N)),
    "max": (lambda s: s.data.max("SPX", s.count), talib.MAX(CLOSE, N)),
    "rank": (lambda s: s.data.rank("SPX", s.count), SERIES.rolling(N).rank(pct=True).to_numpy()),
    "slope": (lambda s: s.data.slope("SPX", s.count), talib.LINEARREG_SLOPE(CLOSE, N)),
    "rsi": (lambda s: s.data.rsi("SPX", s.count), talib.RSI(CLOSE, N)),
    "atr": (lambda s: s.data.atr("SPX", s.count), talib.SMA(talib.TRANGE(HIGH, LOW, CLOSE), N)),
    "of another column": (lambda s: s.data.mean("SPX", s.count, "high"), talib.SMA(HIGH, N)),
}


@pytest.mark.parametrize("name", CASES)
def test_against_a_library(name: str) -> None:
    ask, expected = CASES[name]
    found = answers(ask)
    assert np.isfinite(found).sum() > 300
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ema_starts_at_the_first_value() -> None:
    """pandas without adjustment; TA-Lib starts at the mean of the first values."""
    expected = SERIES.ewm(span=N, adjust=False).mean().to_numpy().copy()
    expected[: N - 1] = math.nan
    np.testing.assert_allclose(answers(lambda s: s.data.ema("SPX", s.count)), expected, rtol=1e-12)


@pytest.mark.parametrize("part", ["slope", "intercept", "deviation"])
def test_regression_of_one_symbol_on_another(part: str) -> None:
    asks = {
        "slope": lambda s: s.data.regression("SPX", "NASDAQ", s.count).slope,
        "intercept": lambda s: s.data.regression("SPX", "NASDAQ", s.count).intercept,
        "deviation": lambda s: s.data.regression("SPX", "NASDAQ", s.count).deviation,
    }
    both = pl.concat([BARS, OTHER]).sort("timestamp", "symbol")
    np.testing.assert_allclose(answers(asks[part], both), regression(part), rtol=1e-6)


def bars(*closes: float) -> pl.DataFrame:
    """Daily bars that stand still inside."""
    days = list(pd.bdate_range("2024-01-01", periods=len(closes)).date)
    return pl.DataFrame(
        {"timestamp": days, "symbol": "SPX", **dict.fromkeys(("open", "high", "low", "close"), closes), "volume": 1.0}
    )


def test_the_edges() -> None:
    flat = bars(*[100.0] * 5)
    assert answers(lambda s: s.data.rsi("SPX", 2), flat).tolist()[2:] == [50.0] * 3
    assert answers(lambda s: s.data.slope("SPX", 3), flat).tolist()[2:] == [0.0] * 3
    assert answers(lambda s: s.data.rank("SPX", 4), flat).tolist()[3:] == [0.625, 0.625]  # rank 2.5 of 4
    rising = bars(1.0, 2.0, 3.0, 4.0)
    assert answers(lambda s: s.data.rsi("SPX", 2), rising).tolist()[2:] == [100.0, 100.0]
    assert answers(lambda s: s.data.wma("SPX", 2), rising)[1:].tolist() == [5 / 3, 8 / 3, 11 / 3]
    np.testing.assert_allclose(answers(lambda s: s.data.slope("SPX", 2), rising)[1:], 1.0)


def test_what_is_remembered_survives_a_table_that_fills() -> None:
    """More averages than the first table has cells, asked for now and then: what is forgotten is made anew, to the same bits."""
    few = answers(lambda s: s.data.ema("SPX", 7) if s.data.count("SPX") % 3 == 0 else float("nan"))

    def many(s: Any) -> float:
        total = 0.0
        for n in range(2, 200):
            total += s.data.ema("SPX", n)
        return s.data.ema("SPX", 7) if s.data.count("SPX") % 3 == 0 else total * float("nan")

    np.testing.assert_array_equal(few, answers(many))


def test_a_gap_in_the_values_is_no_answer() -> None:
    """NaN inside a window is NaN, not a number without it; so are a line through two points, and a deviation of one."""
    gaps = bars(1.0, 2.0, 3.0, 4.0, 5.0, 6.0).with_columns(x=pl.Series([1.0, None, 3.0, 4.0, 5.0, 6.0]))
    for ask in (
        lambda s: s.data.min("SPX", 3, "x"),
        lambda s: s.data.max("SPX", 3, "x"),
        lambda s: s.data.rank("SPX", 3, "x"),
    ):
        assert np.isnan(answers(ask, gaps)).tolist() == [True] * 4 + [False] * 2
    assert np.isnan(answers(lambda s: s.data.rsi("SPX", 2, "x"), gaps)).all()  # it remembers every value
    assert np.isnan(answers(lambda s: s.data.std("SPX", 1), gaps)).all()
    assert np.isnan(answers(lambda s: s.data.regression("SPX", "SPX", 2).slope, gaps)).all()
    assert np.isnan(answers(lambda s: s.data.ema("SPX", 1 << 19), gaps)).all()
