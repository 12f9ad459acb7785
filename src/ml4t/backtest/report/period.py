"""Equity by session, month and year: what each period returned."""

import polars as pl

from ml4t.backtest.report.subject import Subject


def daily(subject: Subject) -> pl.DataFrame:
    """Return `date`, `equity` (the last point of the session) and `return`, the first against the initial cash.

    A return is null where the equity before it was not positive.
    """
    before = pl.col("equity").shift(1, fill_value=subject.cash)
    return (
        subject.equity.group_by("session", maintain_order=True)
        .agg(pl.col("equity").last())
        .rename({"session": "date"})
        .with_columns(pl.when(before > 0).then(pl.col("equity") / before - 1.0).alias("return"))
    )


def monthly(days: pl.DataFrame) -> pl.DataFrame:
    """Return `year`, `month` and the compound `return` of the sessions in it."""
    return (
        days.group_by(
            pl.col("date").dt.year().alias("year"), pl.col("date").dt.month().alias("month"), maintain_order=True
        )
        .agg(_compound())
        .sort("year", "month")
    )


def yearly(days: pl.DataFrame) -> pl.DataFrame:
    """Return `year` and the compound `return` of the sessions in it."""
    return days.group_by(pl.col("date").dt.year().alias("year"), maintain_order=True).agg(_compound()).sort("year")


def rolling(days: pl.DataFrame, benchmark: pl.Series | None, periods_per_year: float, rate: float) -> pl.DataFrame:
    """Return `date`, `volatility` and `sharpe` (a year) and `beta` over `window(days)` sessions; null before the first whole window.

    Sharpe and volatility are those of `metrics.risk`; beta is cov(r, b) ÷ var(b).
    """
    window, r = window_of(days), pl.col("return")
    excess = r - ((1.0 + rate) ** (1.0 / periods_per_year) - 1.0)
    frame = days.select("date", "return", benchmark=pl.lit(None, pl.Float64) if benchmark is None else benchmark)
    scale = periods_per_year**0.5
    deviation = r.rolling_std(window)
    b = pl.col("benchmark")
    return frame.select(
        "date",
        volatility=deviation * scale,
        sharpe=pl.when(deviation > 1e-15).then(excess.rolling_mean(window) / deviation * scale),
        beta=pl.rolling_cov(r, b, window_size=window) / b.rolling_var(window),
    ).with_columns(pl.col("volatility", "sharpe", "beta").replace([float("inf"), float("-inf")], None).fill_nan(None))


def window_of(days: pl.DataFrame) -> int:
    """Return the sessions of a rolling figure: half a year, or a fifth of a short run, but never fewer than two."""
    return max(2, min(126, days.height // 5))


def _compound() -> pl.Expr:
    return ((1.0 + pl.col("return")).product() - 1.0).alias("return")
