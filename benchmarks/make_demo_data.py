"""Writes src/ml4t/backtest/data/us_indices.parquet from the data sets of the `arch` package.

Run: pip install arch pandas; python benchmarks/make_demo_data.py
"""

from pathlib import Path

import arch.data.nasdaq
import arch.data.sp500
import polars as pl

TARGET = Path(__file__).parents[1] / "src/ml4t/backtest/data/us_indices.parquet"
SOURCES = {"SPX": arch.data.sp500, "NASDAQ": arch.data.nasdaq}


def bars() -> pl.DataFrame:
    """Both indices, values as they are; stops if a bar contradicts itself."""
    parts = [
        pl.from_pandas(source.load().reset_index()).select(
            pl.col("Date").cast(pl.Date).alias("timestamp"),
            pl.lit(symbol).alias("symbol"),
            pl.col("Open", "High", "Low", "Close").name.to_lowercase(),
            pl.col("Volume").cast(pl.Int64).alias("volume"),
        )
        for symbol, source in SOURCES.items()
    ]
    frame = pl.concat(parts).sort("timestamp", "symbol")
    lowest, highest = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    wrong = frame.filter((pl.col("low") > lowest) | (pl.col("high") < highest) | (pl.col("low") <= 0))
    if wrong.height:
        raise SystemExit(f"{wrong.height} bars contradict themselves:\n{wrong}")
    return frame


if __name__ == "__main__":
    frame = bars()
    frame.write_parquet(TARGET, compression="zstd", compression_level=22, statistics=False)
    print(f"{TARGET}: {frame.height} rows, {TARGET.stat().st_size} bytes")
    print(frame.filter(pl.col("volume") == 0))
