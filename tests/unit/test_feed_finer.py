"""Finer bars: in which bar each lies is worked out by hand; every way not to lie in one is refused."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from ml4t.backtest import Dataset, Strategy, run
from ml4t.backtest.artifacts import verify
from ml4t.backtest.enums import DuplicatePolicy, TimestampLabel
from ml4t.backtest.errors import ConfigError, DataError
from ml4t.backtest.feed import StreamRules, load_bars, load_finer
from ml4t.backtest.source import load_strategy

MINUTE = 60 * 10**9
TEN = datetime(2024, 1, 2, 10, tzinfo=UTC)
FIVE_MINUTES = StreamRules(frequency_ns=5 * MINUTE)
ONE_MINUTE = StreamRules(frequency_ns=MINUTE)


def frame(times, symbols="A", prices=(100, 110, 90, 105), **more):
    """Bars at these minutes after ten; `prices` are one bar's or one for each row."""
    n = len(times)
    each = prices if isinstance(prices, list) else [prices] * n
    columns = dict(zip(("open", "high", "low", "close"), zip(*each, strict=True), strict=True))
    at = [t if isinstance(t, date) else TEN + timedelta(minutes=t) for t in times]
    return pl.DataFrame(
        {"timestamp": at, "symbol": list(symbols) * (n // len(symbols))}
        | {name: [float(p) for p in column] for name, column in columns.items()}
        | {"volume": [1.0] * n}
        | more
    )


# A: 10:00, 10:05, 10:15; B: 10:00. In order of (end, symbol): A0, B0, A5, A15.
BARS = load_bars(frame([0, 0, 5, 15], "ABAA"), FIVE_MINUTES)


def refusal(finer, rules=ONE_MINUTE, bars=BARS):
    with pytest.raises(DataError) as caught:
        load_finer(finer, rules, bars)
    return str(caught.value)


def test_each_finer_bar_lies_in_a_bar_of_its_symbol():
    finer = load_finer(frame([0, 0, 4, 5, 9, 15], "ABAAAA"), ONE_MINUTE, BARS)
    assert finer.row.tolist() == [0, 1, 0, 2, 2, 3]
    assert (finer.start - BARS.start[0]).tolist() == [m * MINUTE for m in (0, 0, 4, 5, 9, 15)]
    assert finer.columns["high"].tolist() == [110.0] * 6
    assert (finer.description.name, finer.description.rows) == ("finer", 6)


def test_volume_and_other_columns_are_not_needed():
    finer = load_finer(frame([0, 1]).drop("volume"), ONE_MINUTE, BARS)
    assert sorted(finer.columns) == ["close", "high", "low", "open"]


def test_the_only_symbol_needs_no_name():
    bars = load_bars(frame([0, 5]), FIVE_MINUTES)
    assert load_finer(frame([0, 5]).drop("symbol"), ONE_MINUTE, bars).row.tolist() == [0, 1]
    assert "the bars have several symbols" in refusal(frame([0, 5]).drop("symbol"))


def test_finer_bars_may_be_as_long_as_their_bar():
    assert load_finer(frame([0]), FIVE_MINUTES, BARS).row.tolist() == [0]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0, 10], ["row 1", "10:10:00Z to 2024-01-02T10:11:00Z", "row 2 of bars", "10:05:00Z to 2024-01-02T10:10:00Z"]),
        ([-1, 0], ["row 0", "lies in no bar", "no bar of its symbol starts before it"]),
        ([0, 20], ["row 1", "row 3 of bars", "10:15:00Z to 2024-01-02T10:20:00Z"]),
        ([10, 11, 12], ["row 0", "(3 such rows in all)", "check label, frequency and timezone"]),
    ],
)
def test_a_finer_bar_in_no_bar_is_refused_and_both_are_named(times, said):
    message = refusal(frame(times))
    for fragment in ["finer (frame)", *said]:
        assert fragment in message


def test_a_finer_bar_in_two_bars_is_refused():
    assert "lies in no bar" in refusal(frame([4]), StreamRules(frequency_ns=2 * MINUTE))


def test_the_bar_of_another_symbol_is_no_home():
    assert "row 0, symbol 'B'" in refusal(frame([5], "B"))


def test_an_unknown_symbol_is_refused():
    assert "the bars have no symbol 'C'" in refusal(frame([0], "C"))


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ((100, 110.01, 90, 105), ["column 'high'", "110.01 is beyond the high 110.0", "row 0 of bars"]),
        ((100, 110, 89.99, 105), ["column 'low'", "89.99 is beyond the low 90.0", "adjustments"]),
        ((100, 99, 90, 105), ["column 'open'", "above the high"]),
        ((100, 110, 90, float("nan")), ["column 'close'", "missing or not finite"]),
    ],
)
def test_prices_outside_the_bar_or_wrong_in_themselves_are_refused(prices, said):
    message = refusal(frame([0], prices=prices))
    for fragment in ["row 0", *said]:
        assert fragment in message


def test_rounding_beyond_the_bar_is_forgiven():
    assert load_finer(frame([0], prices=(100, 110 * (1 + 9e-10), 90 * (1 - 9e-10), 105)), ONE_MINUTE, BARS)
    assert "beyond the high" in refusal(frame([0], prices=(100, 110 * (1 + 2e-9), 90, 105)))


def test_duplicates_and_overlaps_are_refused():
    assert "same timestamp and symbol as row 0" in refusal(frame([0, 0]))
    assert "overlaps the next one" in refusal(frame([0, 1]), StreamRules(frequency_ns=2 * MINUTE))
    kept = load_finer(frame([0, 0]), StreamRules(frequency_ns=MINUTE, duplicates=DuplicatePolicy.KEEP_LAST), BARS)
    assert kept.description.counts["duplicates_dropped"] == 1


def test_rows_are_named_as_given():
    assert "row 0" in refusal(frame([20, 0]), StreamRules(frequency_ns=MINUTE, sort=True))


def test_a_shorter_period_leaves_finer_bars_out_that_have_no_bar_any_more():
    rules = StreamRules(frequency_ns=5 * MINUTE, start=TEN + timedelta(minutes=5), end=TEN + timedelta(minutes=14))
    bars = load_bars(frame([0, 5, 10, 15]), rules)
    own = StreamRules(frequency_ns=MINUTE, start=rules.start, end=rules.end)
    finer = load_finer(frame([0, 4, 5, 14, 15]), own, bars)
    assert finer.row.tolist() == [0, 1]
    assert finer.description.counts["rows_outside_period"] == 3
    assert load_finer(frame([15]), own, bars).row.tolist() == []


def test_minutes_lie_in_days_labelled_by_dates_up_to_midnight():
    days = load_bars(frame([date(2024, 1, 2), date(2024, 1, 3)]), StreamRules())
    times = [datetime(2024, 1, 2), datetime(2024, 1, 2, 23, 59), datetime(2024, 1, 3)]
    finer = load_finer(frame([t.replace(tzinfo=UTC) for t in times]), ONE_MINUTE, days)
    assert finer.row.tolist() == [0, 0, 1]


def test_days_lie_in_a_week():
    week = load_bars(frame([datetime(2024, 1, 1, tzinfo=UTC)]), StreamRules(frequency_ns=7 * 1440 * MINUTE))
    finer = load_finer(frame([date(2024, 1, 1), date(2024, 1, 7)]), StreamRules(), week)
    assert finer.row.tolist() == [0, 0]
    assert finer.description.label == "session"
    late = refusal(frame([date(2024, 1, 8)]), StreamRules(label=TimestampLabel.SESSION), week)
    assert "2024-01-08T00:00:00Z" in late


# -------------------------------------------------------------------------------------------------------- in a whole run
class Exits(Strategy):
    """Long from the first open, with a stop at 95 and a limit at 108."""

    def on_start(self):
        self.broker.buy("A", 1)

    def on_bar(self):
        if self.data.count("A") == 1:
            self.broker.sell("A", 1, stop=95, reduce_only=True)
            self.broker.sell("A", 1, limit=108, reduce_only=True)


TWO = frame([0, 5], prices=[(100, 101, 99, 100), (100, 110, 90, 105)])
RISES_FIRST = frame([5, 6], prices=[(100, 110, 100, 106), (106, 106, 90, 105)])


def test_the_path_of_the_finer_bars_decides_and_the_strategy_sees_none_of_them():
    class Counting(Exits):
        def on_end(self):
            assert self.data.count("A") == 2
            assert self.data.high("A", 9).tolist() == [101.0, 110.0]

    settings = {"data": {"frequency": "5m"}, "fills": {"path": "worst_first"}}
    coarse = run(Counting(), TWO, settings)  # worst first: down to the stop before it rises
    fine = run(
        Counting(),
        TWO,
        {**settings, "data": {"frequency": "5m", "finer": {"path": "x", "frequency": "1m"}}},
        finer=RISES_FIRST,
    )
    assert coarse.fills["price"].to_list() == [100.0, 95.0]
    assert fine.fills["price"].to_list() == [100.0, 108.0]
    assert fine.equity.height == coarse.equity.height == 2


def test_finer_bars_that_no_order_would_see_are_refused_however_they_are_given():
    """A file in the configuration was refused beside `close_only`, a frame was read and left aside."""
    settings = {"data": {"frequency": "5m"}, "fills": {"path": "close_only"}}
    for data, more in ((TWO, {"finer": RISES_FIRST}), (Dataset(TWO, settings, finer=RISES_FIRST), {})):
        with pytest.raises(ConfigError, match=r"Finer bars: .*close_only.* Leave finer= out"):
            run(Exits(), data, settings, **more)


def test_finer_bars_are_an_input_like_the_others(tmp_path):
    path = tmp_path / "finer.parquet"
    RISES_FIRST.write_parquet(path)
    settings = {"data": {"frequency": "5m", "finer": {"path": str(path), "frequency": "1m"}}}
    from_file = run(Exits(), TWO, settings)
    assert [entry.name for entry in from_file.inputs] == ["bars", "finer"]
    assert (from_file.inputs[1].path, from_file.inputs[1].rows) == (str(path), 2)
    assert from_file.fills["price"].to_list() == [100.0, 108.0]


def test_a_saved_run_with_finer_bars_runs_again(tmp_path, monkeypatch):
    (tmp_path / "patient.py").write_text(
        "from ml4t.backtest import Strategy\n\n\nclass Patient(Strategy):\n    def on_start(self):\n"
        "        self.broker.buy('A', 1, limit=96)\n"
    )
    strategy = load_strategy("patient:Patient", tmp_path)()
    start = pl.col("timestamp")
    finer = RISES_FIRST.with_columns(bar_start=start, bar_end=start + timedelta(minutes=1))
    result = run(strategy, TWO, {"data": {"frequency": "5m"}}, finer=finer)
    folder = result.save(tmp_path / "run")
    assert verify(folder).outcome.name == "IDENTICAL"
    assert sorted(path.name for path in (folder / "inputs").iterdir()) == ["bars.parquet", "finer.parquet"]


def test_a_stream_cannot_be_called_finer():
    with pytest.raises(ConfigError, match="cannot be called 'finer'"):
        run(Exits(), TWO, {"data": {"frequency": "5m"}}, streams={"finer": TWO})
