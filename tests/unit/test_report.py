"""The report: its numbers are those of the artifacts, its text is text, its bytes are the same every time."""

import re
import string
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import reported
from ml4t.backtest import Result, run
from ml4t.backtest.artifacts import load_run
from ml4t.backtest.errors import ArtifactError, ConfigError
from ml4t.backtest.metrics import METRICS
from ml4t.backtest.report import Subject, report_html, write_report
from ml4t.backtest.report.assumption import SENTENCES, assumptions
from ml4t.backtest.report.benchmark import benchmark
from ml4t.backtest.report.candle import DETAIL, LEVELS, candle_trace, grouped, stretches
from ml4t.backtest.report.drawdown import deepest
from ml4t.backtest.report.page import bundle, packed
from ml4t.backtest.report.period import daily, monthly, rolling, yearly
from ml4t.backtest.report.resolution import OVERVIEW, WHOLE, curve
from ml4t.backtest.report.subject import COLUMNS, completed
from ml4t.backtest.report.trade_figure import groups
from ml4t.backtest.report.trade_section import TRADE_COLUMNS, missing_sessions
from ml4t.backtest.report.waterfall import waterfall
from parsed_page import ParsedPage, numbers, unpacked

LARGEST = 6.0e6  # bytes; Plotly's bundle is 1.2 of them


@pytest.fixture(scope="module")
def result() -> Result:
    return reported.ordinary()


@pytest.fixture(scope="module")
def saved(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def page(saved: Path) -> ParsedPage:
    return ParsedPage(report_html(Subject.of_saved(load_run(saved))))


def exact(cell: str) -> float:
    return float(cell.replace(",", ""))


# ------------------------------------------------------------------------------------------- numbers are the artifacts'
def test_every_metric_on_the_page_is_the_one_in_the_file(page: ParsedPage, saved: Path) -> None:
    metrics = load_run(saved).metrics
    shown = dict(page.tables["metrics"])
    assert set(shown) == {metric.label for metric in METRICS.values()}
    for name, metric in METRICS.items():
        value = metrics[name]
        assert shown[metric.label] == "–" if value is None else exact(shown[metric.label]) == value, name


def test_every_trade_on_the_page_is_a_row_of_the_file(page: ParsedPage, saved: Path) -> None:
    trades = pl.read_parquet(saved / "trades.parquet")
    rows = page.rows("trades-table")
    assert len(rows) == trades.height > 100
    for place, (name, column) in enumerate(TRADE_COLUMNS.items()):
        for row, value in zip(rows, trades[name].to_list(), strict=True):
            if column.is_number and value is not None:
                assert exact(row[place]) == value, name
            elif column.kind == "text":
                assert row[place] == ("–" if value is None else str(value))


def test_the_curve_on_the_page_is_equity_parquet(page: ParsedPage, saved: Path) -> None:
    equity = pl.read_parquet(saved / "equity.parquet")
    traces = {trace["name"]: trace for trace in page.figures["equity"]["data"]}
    assert (numbers(traces["Equity"]["y"]) == equity["equity"].to_numpy()).all()
    assert (numbers(traces["Equity"]["x"]) == equity["timestamp"].dt.epoch("ms").to_numpy()).all()
    assert (numbers(traces["Drawdown"]["y"]) == equity["drawdown"].to_numpy()).all()


def test_hashes_settings_and_inputs_are_those_of_the_manifest(page: ParsedPage, saved: Path) -> None:
    run_ = load_run(saved)
    origin = dict(page.tables["origin"])
    assert {f"File {name}": record.sha256 for name, record in run_.manifest.artifacts.items()}.items() <= origin.items()
    assert origin["Input bars"] == run_.inputs[0].sha256
    assert origin["numba"] == run_.manifest.versions["numba"]
    settings = dict(page.tables["configuration"])
    assert settings["costs.commission.rate"] == "0.001"
    assert len(settings) == len(run_.config.flatten())


def test_the_header_says_which_data_code_and_configuration(saved: Path) -> None:
    run_ = load_run(saved)
    html = report_html(Subject.of_saved(run_))
    header = html[html.index("<header>") : html.index("</header>")]
    assert f"Data: bars {run_.inputs[0].sha256[:12]}<" in header
    assert f"Code: {run_.strategy.sha256[:12]}<" in header
    assert f"Configuration: {run_.manifest.artifacts['config.toml'].sha256[:12]}<" in header
    unsaved = report_html(Subject.of_result(reported.ordinary()))
    assert header in unsaved


def test_outcomes_count_the_orders(page: ParsedPage, result: Result) -> None:
    counted = {(row[0], row[1], row[2]): int(exact(row[3])) for row in page.rows("outcomes")}
    expected = result.orders.group_by("type", "state", "reason").len()
    assert counted == {tuple(row[:3]): row[3] for row in expected.iter_rows()}
    assert counted["market", "rejected", "insufficient_cash"] == 3
    assert any("account.shortfall" in row[4] for row in page.rows("outcomes"))


def test_a_life_is_the_events_of_the_order(page: ParsedPage, result: Result) -> None:
    row = next(row for row in page.rows("orders-table") if row[0] == "1")
    events = result.order_events.filter(pl.col("order_id") == 1)
    assert row[8] == " → ".join(f"{to} ({why})" for to, why in events.select("to_state", "reason").iter_rows())


# -------------------------------------------------------------------------------------------------- the arithmetic of it
def subject_of(equity: list[float], cash: float = 100.0) -> Subject:
    """Sessions with these equities, from the first of January 2020."""
    result = reported.single()
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=len(equity) - 1), eager=True)
    frame = pl.DataFrame({"timestamp": days.cast(pl.Datetime("ns", "UTC")), "session": days, "equity": equity})
    from dataclasses import replace

    subject = Subject.of_result(result)
    config = subject.config.load(subject.config, **{"account.cash": cash})
    return replace(subject, config=config, frames={**subject.frames, "equity": frame}, bars=None, bars_missing="gone")


def test_returns_compound_by_month_and_year() -> None:
    days = daily(subject_of([110.0] * 31 + [99.0] * 29 + [118.8]))
    assert days["return"][0] == pytest.approx(0.1)
    months = {(y, m): r for y, m, r in monthly(days).iter_rows()}
    assert months == {(2020, 1): pytest.approx(0.1), (2020, 2): pytest.approx(-0.1), (2020, 3): pytest.approx(0.2)}
    assert yearly(days)["return"].to_list() == [pytest.approx(0.188)]


def test_a_return_after_ruin_is_not_there() -> None:
    assert daily(subject_of([-5.0, 10.0]))["return"].to_list() == [pytest.approx(-1.05), None]


def test_drawdowns_are_episodes_from_peak_to_recovery() -> None:
    # 100 → 90 → 105 (recovered) → 84 (−20 %) → 94.5 → 105 → 100.8 (−4 %, open)
    days = daily(subject_of([90.0, 105.0, 84.0, 94.5, 105.0, 100.8]))
    found = [(round(e.depth, 9), e.length, e.recovery, e.peak and e.peak.day) for e in deepest(days, 100.0)]
    assert found == [(-0.2, 3, 2, 2), (-0.1, 2, 1, None), (-0.04, 1, None, 5)]


def test_the_deepest_drawdown_is_the_metric(page: ParsedPage, saved: Path) -> None:
    assert exact(page.rows("drawdowns")[0][0]) == pytest.approx(load_run(saved).metrics["max_drawdown"], rel=1e-12)


def test_rolling_figures_are_those_of_the_last_window(result: Result) -> None:
    subject = Subject.of_result(result)
    days = daily(subject)
    market = benchmark(subject, days)
    window = 32  # a fifth of 160 sessions
    last = rolling(days, market, 252.0, 0.0).row(-1, named=True)
    r, b = days["return"].to_numpy()[-window:], market.to_numpy()[-window:]
    assert last["volatility"] == pytest.approx(r.std(ddof=1) * 252**0.5)
    assert last["sharpe"] == pytest.approx(r.mean() / r.std(ddof=1) * 252**0.5)
    assert last["beta"] == pytest.approx(np.cov(r, b)[0, 1] / b.var(ddof=1))


def test_the_benchmark_is_the_mean_of_the_symbols_or_one_of_them(result: Result) -> None:
    subject = Subject.of_result(result)
    days = daily(subject)
    frame = reported.bars(("AAA", "BBB"), 160)
    closes = [frame.filter(pl.col("symbol") == name)["close"].to_numpy() for name in ("AAA", "BBB")]
    ratios = [close[1:] / close[:-1] - 1 for close in closes]
    assert benchmark(subject, days, "BBB").to_numpy()[1:] == pytest.approx(ratios[1])
    assert benchmark(subject, days).to_numpy()[1:] == pytest.approx(np.mean(ratios, axis=0))
    with pytest.raises(ConfigError, match="'BBC' is no symbol of the run"):
        benchmark(subject, days, "BBC")


def test_the_waterfall_leads_from_gross_to_net_without_a_rest(result: Result) -> None:
    steps = {step.name: step.amount for step in waterfall(Subject.of_result(result))}
    assert list(steps) == [
        "Gross profit",
        "Commission, fees and taxes",
        "Slippage",
        "Borrow fees",
        "Interest",
        "Net profit",
    ]
    assert steps["Commission, fees and taxes"] == pytest.approx(-result.fills["commission"].sum())
    assert steps["Slippage"] == pytest.approx(-result.fills["slippage"].sum())
    assert steps["Slippage"] < 0
    assert steps["Net profit"] == result.metrics["final_equity"] - 10_000
    assert sum(list(steps.values())[:-1]) == pytest.approx(steps["Net profit"], abs=1e-8)


def test_what_is_booked_after_the_last_point_is_shown() -> None:
    from dataclasses import replace

    subject = Subject.of_result(reported.ordinary())
    short = {**subject.frames, "equity": subject.equity.head(20)}
    steps = {step.name: step.amount for step in waterfall(replace(subject, frames=short))}
    assert steps["Not in the last equity point"] == pytest.approx(
        short["equity"]["equity"][-1] - subject.equity["equity"][-1]
    )


def test_groups_hold_every_closed_trade(result: Result) -> None:
    closed = result.trades.filter(~pl.col("is_open"))
    for name, group in groups(result.trades, "UTC").items():
        assert group["trades"].sum() == closed.height, name
        assert group["pnl"].sum() == pytest.approx(closed["pnl"].sum()), name
        assert group["wins"].sum() == (closed["pnl"] > 0).sum(), name


def test_gaps_are_sessions_that_others_have() -> None:
    frame = reported.bars(("AAA", "BBB", "CCC"), 20)
    hole = (pl.col("symbol") == "BBB") & pl.col("timestamp").dt.day().is_in([5, 6, 7])
    late = (pl.col("symbol") == "CCC") & (pl.col("timestamp").dt.day() < 4)
    result = run(reported.Idle(), frame.filter(~hole & ~late))
    assert missing_sessions(Subject.of_result(result)).rows() == [("BBB", 3, 20)]


def test_candles_of_several_bars_keep_open_extremes_and_close() -> None:
    frame = reported.bars(("AAA", "BBB"), 160).filter(pl.col("symbol") == "BBB")
    column = {name: frame[name].to_numpy() for name in ("open", "high", "low", "close")}
    start, prices = grouped(np.arange(160.0), column, 3)
    assert (len(start), start[1], start[-1]) == (54, 3.0, 159.0)
    part = frame[3:6]
    assert [prices[name][1] for name in ("open", "high", "low", "close")] == [
        part["open"][0], part["high"].max(), part["low"].min(), part["close"][2],
    ]  # fmt: skip


def test_single_bars_are_kept_around_trades_and_where_they_meet_are_one_stretch() -> None:
    start = np.arange(1_000.0)
    at = [(100, 110), (400, 900), (930, None)]
    times = {
        name: pl.Series([pair[place] for pair in at]).cast(pl.Datetime("ms"))
        for place, name in enumerate(("entry_time", "exit_time"))
    }
    trades = pl.DataFrame(times)
    # 60 bars around do not fit: 191 + 120 + 151. Of 30: (71, 141); (371, 431); (871, 961), where two meet.
    assert stretches(trades, start, 300) == [(71, 141), (371, 431), (871, 961)]
    assert stretches(trades, start, 1000)[0] == (41, 171)
    assert stretches(trades, start, 20) == [(97, 115)]  # not even four around each: the first
    assert stretches(trades.clear(), start, 300) == []


# ---------------------------------------------------------------------------------------------------- long series
def test_a_long_series_keeps_its_extremes_and_its_ends_at_every_level() -> None:
    values = np.sin(np.arange(200_000) / 500.0)
    values[123_456] = 9.0
    times = pl.Series(np.arange(200_000) * 60_000).cast(pl.Datetime("ms"))
    trace = curve(times, values)
    assert len(numbers(trace["y"])) <= OVERVIEW + 2
    assert numbers(trace["y"]).max() == 9.0
    assert numbers(trace["x"])[[0, -1]].tolist() == [0.0, 199_999 * 60_000.0]
    for level in trace["meta"]["levels"]:
        x, y = unpacked(level)["x"], unpacked(level)["y"]
        assert y.max() == 9.0
        assert x[int(y.argmax())] == 123_456 * 60_000
        assert (x[0], x[-1]) == (0, 199_999 * 60_000)
        assert level["spans"] == [[0, len(x)]]
    assert len(x) >= 24_000


def test_every_level_of_long_candles_is_the_bars(result: Result) -> None:
    frame = reported.bars(("AAA",), 100_000, timedelta(minutes=1))
    made = run(reported.Brief(), frame)
    trace = candle_trace(made.bars, "AAA", made.trades)
    assert trace["name"] == "67 bars a candle"
    levels = trace["meta"]["levels"]
    assert [level["name"] for level in levels] == ["12 bars a candle", "2 bars a candle", "Bars"]
    start = frame["timestamp"].dt.epoch("ms").to_numpy()
    for level, group in zip(levels, (12, 2, 1), strict=True):
        found = unpacked(level)
        place = np.searchsorted(start, found["x"])
        assert (start[place] == found["x"]).all()
        for name, pick in (("open", min), ("close", max)):
            row = [pick(p, min(p + group - 1, 99_999)) for p in place.tolist()]
            assert (found[name] == frame[name].to_numpy()[row].astype("f4")).all(), (group, name)
        high = frame["high"].to_numpy().astype("f4")
        assert all(found["high"][i] == high[p : p + group].max() for i, p in enumerate(place.tolist()))
    trades = made.trades.select(pl.col("entry_time", "exit_time").dt.epoch("ms"))
    bars = unpacked(levels[-1])["x"]
    spans = [(bars[first], bars[last - 1]) for first, last in levels[-1]["spans"]]
    assert all(any(a < entry <= leave < b for a, b in spans) for entry, leave in trades.iter_rows())
    assert sum(len(unpacked(level)["x"]) for level in levels) < sum(LEVELS) + DETAIL


def test_what_24_long_charts_hold_is_shared() -> None:
    frame = reported.bars(tuple(f"S{i:02}" for i in range(24)), 4_000)
    html = report_html(Subject.of_result(run(reported.Alternate(), frame)))
    assert len(html.encode()) < LARGEST


def test_a_short_series_is_whole() -> None:
    values = np.random.default_rng(1).normal(size=WHOLE)
    trace = curve(pl.Series(np.arange(WHOLE)).cast(pl.Datetime("ms")), values)
    assert (numbers(trace["y"]) == values).all()
    assert "levels" not in trace["meta"]


# --------------------------------------------------------------------------------------------------------- the page
RUNS = ("ordinary", "thousand", "idle", "single", "hostile", "wide")


@pytest.mark.parametrize("name", RUNS)
def test_a_page_of_any_run_is_one_safe_file(name: str) -> None:
    html = report_html(Subject.of_result(getattr(reported, name)()))
    page = ParsedPage(html)
    assert len(html.encode()) < LARGEST
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert set(re.findall(r"'(sha256-[^']+)'", rules["script-src"])) == page.hashes()
    assert "unsafe" not in rules["script-src"]
    assert "http" not in page.policy
    assert {name for name, _ in page.attributes} <= ALLOWED
    for name_, value in page.attributes:
        if name_ == "href":
            assert value.startswith("#")
    ids = [value for name_, value in page.attributes if name_ == "id"]
    assert len(ids) == len(set(ids))


ALLOWED = {
    "lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "type", "aria-label", "aria-labelledby",
    "data-figure", "data-key", "data-v", "style", "tabindex", "role", "scope", "colspan",
}  # fmt: skip


def test_hostile_names_are_text() -> None:
    html = report_html(Subject.of_result(reported.hostile()))
    page = ParsedPage(html)
    assert "img" not in page.tags
    assert page.tags.count("script") == len(page.figures) + 2  # the bundle, the page's own
    assert {row[1] for row in page.rows("trades-table")} == {name.replace("\u2028", "�") for name in reported.HOSTILE}
    assert "<script>window" not in html


def test_nothing_ends_the_element_of_the_figures() -> None:
    assert set(packed(["</script><!--&"])) <= set(string.ascii_letters + string.digits + "+/=")
    with pytest.raises(ValueError, match="JSON"):
        packed([float("nan")])


def test_the_bundle_is_what_its_script_made() -> None:
    """`vendor/plotly/build` writes the same bytes again; whoever changes it knows the new ones."""
    import hashlib

    code = bundle()
    assert code.startswith("/*! plotly.js 4.1.1 with bar, candlestick, heatmap, scatter and waterfall;")
    assert (
        hashlib.sha256(code.encode()).hexdigest() == "b15a676280a3a57ced9b228aab7cfe6c586295c7c97aef77ddb022012ebd361d"
    )
    assert not re.search(r"\beval\(|\bnew Function\(|</script", code)


def test_every_kind_of_trace_is_in_the_bundle(page: ParsedPage) -> None:
    """A kind that is missing would be drawn as a line, without an error."""
    entry = (Path(__file__).parents[2] / "vendor" / "plotly" / "entry.js").read_text()
    kinds = {*re.findall(r"plotly\.js/lib/(\w+)\"", entry)} - {"core"} | {"scatter"}
    drawn = {trace["type"] for figure in page.figures.values() for trace in figure["data"]}
    assert drawn == kinds


def test_the_same_run_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    first = write_report(Subject.of_saved(load_run(saved)), tmp_path / "a.html").read_bytes()
    again = write_report(Subject.of_saved(load_run(saved)), tmp_path / "a.html").read_bytes()
    assert first == again
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_a_report_that_cannot_be_written_says_so(result: Result, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"Cannot write the report .*x\.html: No such file"):
        result.report(tmp_path / "nowhere" / "x.html")


# ------------------------------------------------------------------------------------- runs that lack something
def test_bars_that_changed_are_not_drawn(result: Result, tmp_path: Path) -> None:
    reported.bars(("AAA",), 30).write_parquet(tmp_path / "bars.parquet")
    folder = run(reported.Alternate(), tmp_path / "bars.parquet", config=reported.CONFIG).save(tmp_path / "one")
    assert Subject.of_saved(load_run(folder)).bars is not None
    reported.bars(("AAA",), 31).write_parquet(tmp_path / "bars.parquet")
    subject = Subject.of_saved(load_run(folder))
    assert subject.bars_missing == "The bars in bars.parquet are not those of the run: the file was changed since."
    page = report_html(subject)
    assert "No chart. The bars in bars.parquet are not those of the run" in page
    assert "No benchmark. The bars in bars.parquet" in page
    (tmp_path / "bars.parquet").unlink()
    assert (
        Subject.of_saved(load_run(folder)).bars_missing
        == "The bars in bars.parquet cannot be read: No such file or directory."
    )


def test_bars_that_were_not_stored_are_said_to_be_missing(result: Result, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "one", inputs=False)
    assert (
        Subject.of_saved(load_run(folder)).bars_missing == "The bars were given in memory and not stored with the run."
    )


def test_frames_of_older_versions_are_completed(result: Result) -> None:
    from dataclasses import replace

    subject = Subject.of_result(result)
    older = {name: frame.drop(COLUMNS.get(name, {})) for name, frame in subject.frames.items()}
    frames = {name: completed(name, frame) for name, frame in older.items()}
    assert all(set(columns) <= set(frames[name].columns) for name, columns in COLUMNS.items())
    assert "<table" in report_html(replace(subject, frames=frames))


def test_every_sentence_belongs_to_a_choice() -> None:
    from ml4t.backtest.config import BacktestConfig

    settings = BacktestConfig().flatten()
    assert set(SENTENCES) <= set(settings)
    said = assumptions(BacktestConfig.load({"run": {"acknowledge_leaky": True}, "fills": {"market": "same_close"}}))
    assert said[0] == "Looks ahead: fills.market=same_close. Such a result cannot be traded."
    assert (
        "Commission: a fraction rate of value, at least minimum and at most maximum per order (rate 0.001, minimum 0.0)."
        in (assumptions(BacktestConfig.load({"costs": {"commission": {"kind": "rate", "rate": 0.001}}})))
    )
