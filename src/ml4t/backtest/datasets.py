"""The data bundled with the package; src/ml4t/backtest/data/README.md says where it comes from."""

from importlib.resources import as_file, files

import polars as pl


def us_indices() -> pl.DataFrame:
    """Daily bars of the S&P 500 ("SPX") and the NASDAQ Composite ("NASDAQ"), 1999–2018, sorted by timestamp, symbol.

    Columns: timestamp (Date), symbol, open, high, low, close, volume (shares). 10,062 rows.

    >>> us_indices()["symbol"].unique().sort().to_list()
    ['NASDAQ', 'SPX']
    """
    with as_file(files("ml4t.backtest") / "data" / "us_indices.parquet") as path:
        return pl.read_parquet(path, memory_map=False)  # `path` may be gone afterwards
