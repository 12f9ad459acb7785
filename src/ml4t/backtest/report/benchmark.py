"""What buying and holding would have brought: the benchmark of a report."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.report.subject import Subject


def benchmark(subject: Subject, days: pl.DataFrame, symbol: str | None = None) -> pl.Series | None:
    """Return the benchmark's return of each session of `days`; None where the bars are not there.

    - With `symbol`, that symbol is bought at its first close and held.
    - Without, each session's return is the mean of all symbols that had a close before and have one now.

    Raises: ConfigError for a symbol that the bars do not have.
    """
    bars = subject.bars
    if symbol is not None and symbol not in subject.symbols:
        raise ConfigError(f"The benchmark {symbol!r} is no symbol of the run.{nearest(symbol, subject.symbols)}")
    if bars is None or days.is_empty():
        return None
    closes = pl.DataFrame(
        {
            "date": pl.Series(bars.session, dtype=pl.Int32).cast(pl.Date),
            "symbol": bars.symbol,
            "close": bars.columns["close"],
        }
    )
    if symbol is not None:
        closes = closes.filter(pl.col("symbol") == bars.symbols.index(symbol))
    returns = (
        closes.group_by("symbol", "date", maintain_order=True)
        .agg(pl.col("close").last())
        .sort("symbol", "date")
        .with_columns(ratio=pl.col("close") / pl.col("close").shift(1).over("symbol") - 1.0)
        .group_by("date")
        .agg(pl.col("ratio").filter(pl.col("ratio").is_finite()).mean())
    )
    joined = days.select("date").join(returns, on="date", how="left", maintain_order="left")
    return joined["ratio"].fill_null(0.0).alias("benchmark")


def benchmark_path(returns: pl.Series, cash: float) -> NDArray[np.float64]:
    """Return what `cash` in the benchmark would have been worth at each session."""
    path: NDArray[np.float64] = np.cumprod(1.0 + returns.to_numpy()) * np.float64(cash)
    return path
