"""What is known of the days before a bar, against Polars' rolling windows, which share no code with ours."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import BacktestConfig, Engine, Strategy
from ml4t.backtest.lower.day import mean_before, volatility_before

WINDOW = 3


def bars(symbol: str, days: int, a_day: int, seed: int) -> pl.DataFrame:
    """Hourly bars, the first `a_day` hours of each day, with one day missing."""
    random = np.random.default_rng(seed)
    start = datetime(2024, 1, 29, tzinfo=UTC)
    when = [start + timedelta(days=d, hours=h) for d in range(days) if d != 4 for h in range(a_day)]
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, len(when))))
    return pl.DataFrame(
        {"timestamp": when, "symbol": symbol, "volume": random.integers(1, 900, len(when)).astype(float)}
    ).with_columns(pl.Series(name, close) for name in ("open", "high", "low", "close"))


def expected(data: pl.DataFrame) -> pl.DataFrame:
    """Per symbol and day the conditions, shifted so that a day knows those before it only."""
    daily = (
        data.with_columns(day=pl.col("timestamp").dt.date())
        .group_by("symbol", "day", maintain_order=True)
        .agg(close=pl.col("close").last(), volume=pl.col("volume").sum())
        .sort("symbol", "day")
    )
    returns = (pl.col("close") / pl.col("close").shift(1)).log()
    return daily.with_columns(
        volatility=returns.rolling_std(WINDOW).shift(1).over("symbol"),
        average=pl.col("volume").rolling_mean(WINDOW).shift(1).over("symbol"),
    )


def test_two_symbols_with_different_days() -> None:
    data = pl.concat([bars("A", 9, 3, 1), bars("B", 7, 2, 2)]).sort("timestamp", "symbol")
    slippage = {"kind": "square_root", "coefficient": 1.0, "window": WINDOW}
    engine = Engine(
        Strategy(), data, BacktestConfig.load({"costs": {"slippage": slippage}, "data": {"frequency": "1h"}})
    )
    state = engine.state
    rows = pl.DataFrame(
        {
            "symbol": [engine.bars.symbols[s] for s in state.bars.symbol],
            "day": pl.Series(state.bars.start).cast(pl.Datetime("ns")).dt.date(),
            "found_volatility": state.conditions.volatility,
            "found_average": state.conditions.average_volume,
        }
    ).join(expected(data), on=["symbol", "day"], how="left", maintain_order="left")
    assert rows.height == 8 * 3 + 6 * 2
    for name in ("volatility", "average"):
        wanted = rows[name].fill_null(float("nan")).to_numpy()
        np.testing.assert_allclose(rows[f"found_{name}"].to_numpy(), wanted, rtol=1e-9)
        assert np.isfinite(wanted).sum() > 10


def test_only_what_is_needed_is_there() -> None:
    data = bars("A", 6, 1, 3)
    for kind, lengths in (("volatility", (5, 0, 0)), ("volume_share", (0, 0, 0))):
        terms = {"share": 1.0, "window": 2} if kind == "volatility" else {"impact": 1.0}
        conditions = Engine(
            Strategy(), data, BacktestConfig.load({"costs": {"slippage": {"kind": kind} | terms}})
        ).state.conditions
        assert (len(conditions.volatility), len(conditions.average_volume), len(conditions.month)) == lengths


def test_the_month_is_that_of_the_session() -> None:
    """A day that ends at midnight belongs to the month that it began in."""
    data = bars("A", 5, 1, 4)  # 29, 30, 31 January, 1 February
    commission = {"kind": "monthly_tiered", "tiers": [{"rate": 0.001}]}
    state = Engine(Strategy(), data, BacktestConfig.load({"costs": {"commission": commission}})).state
    assert state.conditions.month.tolist() == [12 * 54] * 3 + [12 * 54 + 1]


@pytest.mark.parametrize("days", [1, 2, 3])
def test_few_days_know_nothing(days: int) -> None:
    values = np.arange(1.0, days + 1.0)
    assert np.isnan(volatility_before(values, 2)).all()
    assert np.isnan(mean_before(values, 3)).all()


def test_a_price_of_zero_has_no_return() -> None:
    assert np.isnan(volatility_before(np.array([1.0, 0.0, 1.0, 1.0]), 2)).all()
