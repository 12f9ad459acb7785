"""What was held and traded over time, from the fills."""

import polars as pl

from ml4t.backtest.report.subject import Subject


def holdings(fills: pl.DataFrame) -> pl.DataFrame:
    """Return `timestamp` and `held`, the number of symbols with a position from then on; one row an instant with fills."""
    is_held = pl.col("position_after") != 0.0
    return (
        fills.select("timestamp", "symbol", now=is_held)
        .with_columns(before=pl.col("now").shift(1).over("symbol").fill_null(value=False))
        .group_by("timestamp", maintain_order=True)
        .agg((pl.col("now").cast(pl.Int64) - pl.col("before").cast(pl.Int64)).sum().alias("change"))
        .select("timestamp", held=pl.col("change").cum_sum())
    )


def turnover(subject: Subject) -> pl.DataFrame:
    """Return `year`, `month`, the `traded` value (money) and `turnover`, traded value ÷ mean equity of the month."""
    month = [pl.col("timestamp").dt.year().alias("year"), pl.col("timestamp").dt.month().alias("month")]
    multiplier = {
        symbol: subject.config.instrument_of(symbol).multiplier for symbol in subject.fills["symbol"].unique()
    }
    value = pl.col("quantity") * pl.col("price").abs()
    if multiplier:
        value = value * pl.col("symbol").replace_strict(multiplier, return_dtype=pl.Float64)
    traded = subject.fills.group_by(*month).agg(value.sum().alias("traded"))
    equity = subject.equity.group_by(*month).agg(pl.col("equity").mean())
    return (
        equity.join(traded, on=["year", "month"], how="left")
        .sort("year", "month")
        .with_columns(pl.col("traded").fill_null(0.0))
        .select(
            "year", "month", "traded", turnover=pl.when(pl.col("equity") > 0).then(pl.col("traded") / pl.col("equity"))
        )
    )
