"""Results in other programs: pandas, Arrow, DuckDB, empyrical, Plotly, CSV, ml4t-diagnostic's files; notebooks and terminals."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import empyrical
import polars as pl
import pytest

import reported
from ml4t.backtest import Result, Strategy, run
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.report import Subject, export_run
from ml4t.backtest.report.csv_file import csv_text
from ml4t.backtest.sketch import drawing, sparkline
from ml4t.backtest.summary import text


@pytest.fixture(scope="module")
def result() -> Result:
    return reported.ordinary()


def test_returns_are_what_empyrical_takes(result: Result) -> None:
    returns = result.returns()
    assert str(returns.index.dtype).startswith("datetime64[")
    assert returns.index.is_monotonic_increasing
    for ours, theirs in (
        ("total_return", empyrical.cum_returns_final(returns)),
        ("max_drawdown", empyrical.max_drawdown(returns)),
        ("sharpe", empyrical.sharpe_ratio(returns)),
        ("volatility", empyrical.annual_volatility(returns)),
    ):
        assert result.metrics[ours] == pytest.approx(theirs, rel=1e-9), ours


def test_every_frame_goes_to_pandas_and_arrow(result: Result) -> None:
    frames, tables = result.to_pandas(), result.to_arrow()
    assert list(frames) == list(tables) == list(result.frames())
    assert frames["trades"]["pnl"].sum() == pytest.approx(result.trades["pnl"].sum())
    assert tables["fills"].num_rows == result.fills.height
    assert str(frames["equity"]["timestamp"].dt.tz) == "UTC"


def test_figures_are_plotlys(result: Result) -> None:
    equity = result.plot("AAA")
    assert list(equity.data[0].y) == result.equity["equity"].to_list()
    trades = result.plot_trades("BBB")
    buys = result.fills.filter(pl.col("symbol") == "BBB", pl.col("side") == "buy")
    assert next(len(trace.x) for trace in trades.data if trace.name == "buy fills") == buys.height
    assert len(result.plot_drawdowns().layout.shapes) == 1  # it never recovered from the first
    with pytest.raises(BacktestError, match="'BBC' is no symbol of the run"):
        result.plot_trades("BBC")


def test_without_plotly_the_error_names_the_extra(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(BacktestError, match=r"ml4t-backtest\[plot\]"):
        result.plot()


def test_a_notebook_shows_equity_and_summary(result: Result) -> None:
    html = result._repr_html_()
    assert html.startswith('<svg role="img" aria-label="Equity"')
    assert "Sharpe ratio" in html
    assert "script" not in html
    assert drawing([1.0], "x") == ""


def test_a_sparkline_has_the_shape_of_the_curve() -> None:
    line = sparkline([float(i) for i in range(1000)], 8)
    assert line == "▁▂▃▄▅▆▇█"
    assert sparkline([]) == ""


def test_csv_is_read_back_and_holds_no_formula() -> None:
    frame = pl.DataFrame(
        {"symbol": ["=1+1", "@x", "+y", "-z", "\tq", "SPX", None], "pnl": [-1.5, 2.0, 3.0, 4.0, 5.0, 1 / 3, None]}
    )
    rows = list(csv.reader(csv_text(frame).splitlines()))
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'@x", "'+y", "'-z", "'\tq", "SPX", ""]
    assert [float(row[1]) for row in rows[1:-1]] == frame["pnl"].to_list()[:-1]


def test_a_run_goes_to_csv_files(result: Result, tmp_path: Path) -> None:
    paths = export_run(Subject.of_result(result), tmp_path / "out")
    assert [path.stem for path in paths] == list(result.frames())
    again = pl.read_csv(tmp_path / "out" / "trades.csv")
    assert again["pnl"].to_list() == result.trades["pnl"].to_list()


def test_the_files_of_diagnostic_hold_the_run(result: Result, tmp_path: Path) -> None:
    export_run(Subject.of_result(result), tmp_path, "diagnostic")
    trades, returns, weights = (
        pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("trades", "daily_returns", "weights")
    )
    closed = result.trades.filter(~pl.col("is_open"))
    assert trades["pnl"].to_list() == closed["pnl"].to_list()
    assert json.loads((tmp_path / "spec.json").read_text())["backtest_config"]["cash"]["initial"] == 10_000.0
    assert (1 + returns["daily_return"]).product() * 10_000 == pytest.approx(result.equity["equity"][-1])
    gross = weights.group_by("timestamp").agg(pl.col("weight").abs().sum()).sort("timestamp")
    exposure = result.equity.with_columns(share=pl.col("gross_exposure") / pl.col("equity")).filter(pl.col("share") > 0)
    assert gross["timestamp"].dt.date().to_list() == exposure["session"].to_list()
    assert gross["weight"].to_list() == pytest.approx(exposure["share"].to_list())


def test_weights_need_the_bars(result: Result, tmp_path: Path) -> None:
    from dataclasses import replace

    subject = replace(Subject.of_result(result), bars=None, bars_missing="They were not stored.")
    with pytest.raises(BacktestError, match=r"Weights need the bars\. They were not stored\."):
        export_run(subject, tmp_path, "diagnostic")


class Lucky(Strategy):
    """Buys at limits that the low just touches."""

    def on_bar(self) -> None:
        if self.data.count("A") == 1:
            self.broker.buy("A", 1, limit=99.0)


def test_fills_at_the_extreme_of_a_bar_are_a_warning() -> None:
    frame = pl.DataFrame(
        {"open": [100.0, 100.0], "high": [101.0, 101.0], "low": [99.0, 99.0], "close": [100.0, 100.0]}
    ).with_columns(
        timestamp=pl.Series(["2020-01-01", "2020-01-02"]).str.to_date(), symbol=pl.lit("A"), volume=pl.lit(10)
    )
    assert "100% of fills at the bar's extreme" in text(run(Lucky(), frame))
    deeper = frame.with_columns(low=pl.lit(98.0))
    assert "extreme" not in text(run(Lucky(), deeper))


def test_colours_are_off_with_no_color_and_when_piped(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from ml4t.backtest.cli import main; main()",
        "demo",
        "--output",
        str(tmp_path / "runs"),
    ]
    environment = os.environ | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=True, timeout=300)
    assert "\x1b" not in done.stdout + done.stderr
    assert "Equity ▁" in done.stdout
    assert "report.html" in done.stdout
