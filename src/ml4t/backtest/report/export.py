"""A run as the files of other programs: CSV for spreadsheets, and the file set that `ml4t-diagnostic` reads."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

from ml4t.backtest.errors import ArtifactError, BacktestError
from ml4t.backtest.report.csv_file import write_csv
from ml4t.backtest.report.period import daily
from ml4t.backtest.report.subject import Subject


def export_run(subject: Subject, folder: str | Path, kind: str = "csv") -> list[Path]:
    """Return the files that now hold the run in one of the formats of `EXPORTS`. Raises: ArtifactError, BacktestError."""
    try:
        return EXPORTS[kind](subject, folder)
    except OSError as error:
        raise ArtifactError(f"Cannot write into {folder}: {error.strerror or error}.") from error


def write_diagnostic(subject: Subject, folder: str | Path) -> list[Path]:
    """Return `trades.parquet`, `daily_returns.parquet`, `weights.parquet` and `spec.json`, with the columns that ml4t-diagnostic 0.2 reads.

    - Trades are the closed ones; `pnl_percent` is a fraction, `fees` are commissions, `mfe` and `mae` fractions of the entry price.
    - Weights are Σ position value ÷ equity of each session and symbol that was held at its end.

    Raises: BacktestError where the bars are missing, without which there are no weights.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    frames = {
        "trades": diagnostic_trades(subject),
        "daily_returns": diagnostic_returns(subject),
        "weights": weights(subject),
    }
    for name, frame in frames.items():
        frame.write_parquet(target / f"{name}.parquet")
    spec = {
        "backtest_config": {"cash": {"initial": subject.cash}},
        "run": subject.name,
        "strategy": {"name": subject.strategy.name},
    }
    (target / "spec.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
    return [*(target / f"{name}.parquet" for name in frames), target / "spec.json"]


def diagnostic_trades(subject: Subject) -> pl.DataFrame:
    """Return the closed trades; times in microseconds, as Python has them."""
    entry = pl.col("entry_price").abs()
    signed = pl.when(pl.col("direction") == "long").then(pl.col("quantity")).otherwise(-pl.col("quantity"))
    return subject.trades.filter(~pl.col("is_open")).select(
        "symbol",
        pl.col("entry_time", "exit_time").dt.cast_time_unit("us"),
        "entry_price",
        "exit_price",
        signed.alias("quantity"),
        "pnl",
        pl.col("return").fill_null(0.0).alias("pnl_percent"),
        "bars_held",
        pl.col("commission").alias("fees"),
        pl.col("exit_reason").fill_null("signal"),
        pl.lit("closed").alias("status"),
        pl.when(entry > 0).then(pl.col("mfe") / entry).alias("mfe"),
        pl.when(entry > 0).then(pl.col("mae") / entry).alias("mae"),
    )


def diagnostic_returns(subject: Subject) -> pl.DataFrame:
    """Return `timestamp` and `daily_return` of each session."""
    return daily(subject).select(
        pl.col("date").cast(pl.Datetime("us", "UTC")).alias("timestamp"),
        pl.col("return").fill_null(0.0).alias("daily_return"),
    )


def weights(subject: Subject) -> pl.DataFrame:
    """Return `timestamp`, `symbol` and `weight` of what was held at the end of each session. Raises: BacktestError without bars."""
    bars = subject.bars
    if bars is None:
        raise BacktestError(f"Weights need the bars. {subject.bars_missing}")
    closes = (
        pl.DataFrame({"date": bars.session, "symbol": bars.symbol, "close": bars.columns["close"], "end": bars.end})
        .group_by("symbol", "date", maintain_order=True)
        .agg(pl.col("close", "end").last())
        .with_columns(pl.col("symbol").replace_strict(dict(enumerate(bars.symbols)), return_dtype=pl.String))
    )
    held = subject.fills.select(pl.col("timestamp").dt.epoch("ns").alias("end"), "symbol", "position_after")
    equity = daily(subject).select("date", "equity")
    multiplier = {symbol: subject.config.instrument_of(symbol).multiplier for symbol in bars.symbols}
    return (
        closes.filter(pl.col("symbol").is_in(subject.fills["symbol"].unique().to_list()))
        .sort("end")
        .join_asof(held.sort("end"), on="end", by="symbol", check_sortedness=False)
        .with_columns(pl.col("date").cast(pl.Int32).cast(pl.Date))
        .join(equity, on="date")
        .filter(pl.col("position_after").fill_null(0.0) != 0.0, pl.col("equity") > 0)
        .select(
            pl.col("date").cast(pl.Datetime("us", "UTC")).alias("timestamp"),
            "symbol",
            weight=pl.col("position_after")
            * pl.col("close")
            * pl.col("symbol").replace_strict(multiplier, return_dtype=pl.Float64)
            / pl.col("equity"),
        )
        .sort("timestamp", "symbol")
    )


EXPORTS: dict[str, Callable[[Subject, str | Path], list[Path]]] = {
    "csv": lambda subject, folder: write_csv(dict(subject.frames), folder),
    "diagnostic": write_diagnostic,
}
"""The formats of `export_run`."""
