"""What a strategy sees of the market: all of the past, nothing of the future."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from ml4t.backtest import (
    BacktestError,
    LookAheadError,
    Strategy,
    StrategyError,
    UnknownFieldError,
    UnknownSymbolError,
    run,
)
from ml4t.backtest.datasets import us_indices

INDICES = us_indices()
SPX = INDICES.filter(symbol="SPX")
CLOSES = SPX["close"].to_numpy()
START = datetime(2024, 3, 5, 10, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def minute_bars(count: int, **more: Any) -> pl.DataFrame:
    """Bars of A from 10:30; bar n opens at 100 + n and closes at 101 + n."""
    first = [100.0 + n for n in range(count)]
    last = [value + 1 for value in first]
    prices = {"open": first, "high": last, "low": first, "close": last, "volume": [1.0] * count}
    return pl.DataFrame({"timestamp": [at(60 * n) for n in range(count)], "symbol": ["A"] * count} | prices | more)


def seen(look: Callable[[Strategy], Any], data: pl.DataFrame = INDICES, **arguments: Any) -> list[Any]:
    """What `look` answers at each decision."""
    answers: list[Any] = []

    class Look(Strategy):
        def on_bar(self) -> None:
            answers.append(look(self))

    run(Look(), data, **arguments)
    return answers


def refused(look: Callable[[Strategy], Any], kind: type[BacktestError], **arguments: Any) -> str:
    """The message of the error that ends the run at the first decision."""
    with pytest.raises(kind) as raised:
        seen(look, minute_bars(3), **arguments)
    return str(raised.value)


# ------------------------------------------------------------------------------------------------------------- windows
def test_windows_end_now() -> None:
    windows = seen(lambda s: (s.data.close("SPX", 5).tolist(), s.data.count("SPX"), s.data.close("SPX")))
    assert len(windows) == len(CLOSES)
    for n, (window, count, last) in enumerate(windows, 1):
        assert window == CLOSES[max(n - 5, 0) : n].tolist()
        assert (count, last) == (n, CLOSES[n - 1])


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
def test_each_column_has_a_method_and_a_window(field: str) -> None:
    def look(s: Strategy) -> Any:
        method = getattr(s.data, field)
        return (
            method("NASDAQ"),
            method("NASDAQ", 3).tolist(),
            s.data.window("NASDAQ", field, 3).tolist(),
            s.data.value("NASDAQ", field),
        )

    column = INDICES.filter(symbol="NASDAQ")[field].cast(pl.Float64).to_list()
    for n, (last, by_method, by_name, value) in enumerate(seen(look, INDICES.head(40)), 1):
        assert last == value == column[n - 1]
        assert by_method == by_name == column[max(n - 3, 0) : n]


def test_a_window_cannot_be_written_and_is_no_copy() -> None:
    def look(s: Strategy) -> None:
        window = s.data.close("SPX", 5)
        with pytest.raises(ValueError, match="read-only"):
            window[0] = 1.0
        assert np.shares_memory(window, s.data.window("SPX", "close", 2))
        assert not window.flags.owndata

    seen(look, INDICES.head(20))


def test_the_memory_behind_a_window_holds_no_later_row() -> None:
    """Whoever walks up the chain of bases finds NaN where the future will be."""

    def look(s: Strategy) -> tuple[int, int]:
        root = s.data.close("SPX", 1)
        while isinstance(root.base, np.ndarray):
            root = root.base
        return int(np.count_nonzero(root)), sum(s.data.count(name) for name in s.data.symbols)

    for values, rows in seen(look, INDICES.head(50)):
        assert values == 5 * rows  # five columns


def test_a_kept_window_does_not_move() -> None:
    kept: list[Any] = seen(lambda s: s.data.close("SPX", 3), INDICES.head(40))
    assert kept[4].tolist() == CLOSES[2:5].tolist()


def test_before_the_first_bar_there_is_nothing() -> None:
    class Early(Strategy):
        def on_start(self) -> None:
            assert np.isnan(self.data.close("A"))
            assert self.data.close("A", 3).tolist() == []
            assert np.isnan(self.data.mean("A", 1))
            assert self.data.bar("A") is None
            assert self.data.count("A") == 0
            assert self.data.history("A").shape == (0, 6)

    run(Early(), minute_bars(2))


def test_a_symbol_that_comes_later_is_unknown_until_then() -> None:
    late = minute_bars(2, symbol=["B", "B"]).with_columns(pl.col("timestamp") + pl.duration(minutes=2))
    data = pl.concat([minute_bars(4), late]).sort("timestamp", "symbol")
    counts = seen(lambda s: (s.data.count("B"), s.data.close("B", 9).tolist()), data)
    assert counts == [(0, []), (0, []), (1, [101.0]), (2, [101.0, 102.0])]


LOOKS: list[Callable[[Strategy], Any]] = [
    lambda s: s.data.close("A", -1),
    lambda s: s.data.window("A", "high", -5),
    lambda s: s.data.mean("A", -2),
    lambda s: s.data.std("A", -2),
    lambda s: s.data.min("A", -2),
    lambda s: s.data.max("A", -2),
    lambda s: s.data.ema("A", -2),
    lambda s: s.data.history("A", -1),
    lambda s: s.data.close("A", np.int64(-1)),
]


@pytest.mark.parametrize("look", LOOKS)
def test_the_future_is_refused(look: Callable[[Strategy], Any]) -> None:
    assert "would reach into the future; windows end now" in refused(look, LookAheadError)


@pytest.mark.parametrize("count", [0, True, 2.5, "3"])
def test_a_count_is_a_whole_number(count: Any) -> None:
    message = refused(lambda s: s.data.close("A", count), StrategyError)
    assert f"1 or more; {count!r} was given" in message
    assert f"1 or more; {count!r} was given" in refused(lambda s: s.data.mean("A", count), StrategyError)


def test_wrong_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownSymbolError, match=r"No symbol 'SPY' in this run. Did you mean 'SPX'\?"):
        seen(lambda s: s.data.close("SPY"), INDICES.head(4))
    for look in (
        lambda s: s.data.clsoe("A"),
        lambda s: s.data.window("A", "clsoe", 2),
        lambda s: s.data.value("A", "clsoe"),
        lambda s: s.data.mean("A", 1, "clsoe"),
    ):
        assert "'clsoe'" in (message := refused(look, UnknownFieldError))
        assert "Did you mean 'close'?" in message
    streams = {"weekly": pl.DataFrame({"timestamp": [at(0), at(60)], "x": [1.0, 2.0]})}
    message = refused(lambda s: s.data.value("A", "x", stream="wekly"), UnknownFieldError, streams=streams)
    assert "No stream 'wekly'. Did you mean 'weekly'?" in message
    assert "say which one" in refused(lambda s: s.data.value(None, "close"), UnknownFieldError)
    assert "No stream 'signals'" in refused(lambda s: s.data.signal("A", "x"), UnknownFieldError)


# ---------------------------------------------------------------------------------------------------------- indicators
@pytest.mark.parametrize("count", [2, 20, 200])
@pytest.mark.parametrize("field", ["close", "high", "volume"])
def test_indicators_on_real_data(count: int, field: str) -> None:
    """Against NumPy's windows and Polars' exponential mean, at each of 5 031 sessions."""
    names = ("mean", "std", "min", "max", "ema")
    answers = seen(lambda s: [getattr(s.data, name)("SPX", count, field) for name in names])
    found = np.array(answers)
    column = SPX[field].cast(pl.Float64)
    windows = sliding_window_view(column.to_numpy(), count)
    expected = np.full_like(found, np.nan)
    expected[count - 1 :, 0] = windows.mean(axis=1)
    expected[count - 1 :, 1] = windows.std(axis=1, ddof=1)
    expected[count - 1 :, 2] = windows.min(axis=1)
    expected[count - 1 :, 3] = windows.max(axis=1)
    expected[count - 1 :, 4] = column.ewm_mean(span=count, adjust=False)[count - 1 :]
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # NaN where fewer than `count` are known
    assert np.isnan(found[: count - 1]).all()


def test_an_exponential_mean_asked_for_now_and_then_is_the_same() -> None:
    every = seen(lambda s: s.data.ema("SPX", 10), INDICES.head(400))
    third = seen(lambda s: s.data.ema("SPX", 10) if s.data.count("SPX") % 3 == 0 else None, INDICES.head(400))
    assert every[17::3] == third[17::3]
    assert all(value is not None for value in third[17::3])


def test_the_indicators_of_symbols_counts_and_fields_do_not_mix() -> None:
    def look(s: Strategy) -> list[float]:
        return [s.data.ema(name, n, f) for name in ("SPX", "NASDAQ") for n in (3, 5) for f in ("close", "low")]

    found = seen(look, INDICES.head(60))[-1]
    expected = [
        INDICES.head(60).filter(symbol=name)[field].ewm_mean(span=n, adjust=False)[-1]
        for name in ("SPX", "NASDAQ")
        for n in (3, 5)
        for field in ("close", "low")
    ]
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_standard_deviation_of_one_value_is_not_defined() -> None:
    assert np.isnan(seen(lambda s: s.data.std("A", 1), minute_bars(2))).all()


# -------------------------------------------------------------------------------------------- bars, history and columns
def test_bar_is_the_last_that_ended() -> None:
    bars = seen(lambda s: s.data.bar("A"), minute_bars(3))
    assert [(b.open, b.high, b.low, b.close, b.volume) for b in bars] == [
        (100 + n, 101 + n, 100 + n, 101 + n, 1) for n in range(3)
    ]
    assert [bar.end_ns - bar.start_ns for bar in bars] == [60_000_000_000] * 3
    assert bars[1].start_ns == int(at(60).timestamp()) * 1_000_000_000


def test_history_is_the_past_as_a_frame() -> None:
    tables = seen(lambda s: (s.data.history("SPX"), s.data.history("SPX", 2)), INDICES.head(20))
    columns = ["open", "high", "low", "close", "volume"]
    for n, (whole, last) in enumerate(tables, 1):
        assert whole.columns == ["timestamp", *columns]
        assert whole.select(columns).rows() == SPX.head(n).select(pl.col(columns).cast(pl.Float64)).rows()
        assert last.equals(whole.tail(2))
        assert whole["timestamp"].is_sorted()
        # a session without declared hours ends a nanosecond before the next midnight
        end = whole["timestamp"][-1]
        assert end.date() == SPX["timestamp"][n - 1]


def test_further_columns() -> None:
    """`heat` has a method; `count` is a method of the view already, which is said, and read by name; flags are 0 and 1."""
    columns = {"heat": [1.0, None, 3.0], "count": [7.0, 8.0, 9.0], "up": [True, False, True], "note": ["a", "b", "c"]}
    data = minute_bars(3).with_columns(**{name: pl.Series(values) for name, values in columns.items()})

    def look(s: Strategy) -> Any:
        return s.data.heat("A"), s.data.value("A", "count"), s.data.count("A"), s.data.up("A", 3).tolist()

    with pytest.warns(
        UserWarning, match=r"'count' is hidden by `data.count`: read it with data.value\(symbol, 'count'\)"
    ):
        first, second, third = seen(look, data)
    assert first == (1.0, 7.0, 1, [1.0])
    assert np.isnan(second[0])
    assert third == (3.0, 9.0, 3, [1.0, 0.0, 1.0])
    with pytest.raises(UnknownFieldError, match="no column 'note'"):
        seen(lambda s: s.data.note("A"), data.drop("count"))


# ----------------------------------------------------------------------------------------------- signals and other streams
class Listen(Strategy):
    """Buys when a signal arrives, and notes when what was known."""

    def on_start(self) -> None:
        self.seen: list[Any] = []

    def on_signal(self, signal: Any) -> None:
        self.seen.append(("signal", self.clock.now, self.data.count("A"), signal))
        self.broker.buy("A", 1)

    def on_bar(self) -> None:
        score = self.data.signal("A", "score")
        self.seen.append(("bar", self.clock.now, self.data.count("A"), None if score != score else score))


def test_a_signal_between_bars_is_decided_when_it_arrives() -> None:
    """Bars of 10:30 and so on; a signal about 10:29:58 arrives at 10:30:05, and is not kept until the bar ends at 10:31."""
    signals = pl.DataFrame({"timestamp": [at(-2)], "arrival": [at(5)], "symbol": ["A"], "score": [0.7]})
    strategy = Listen()
    result = run(strategy, minute_bars(3), signals=signals)
    kind, time, known, signal = strategy.seen[0]
    assert (kind, time, known) == ("signal", at(5), 0)  # no bar has ended yet
    assert signal.symbol == "A"
    assert signal.values == {"score": 0.7}
    assert signal.event_ns == int(at(-2).timestamp() * 1e9)
    assert signal.arrival_ns == int(at(5).timestamp() * 1e9)
    assert [row[1:] for row in strategy.seen[1:]] == [(at(60), 1, 0.7), (at(120), 2, 0.7), (at(180), 3, 0.7)]
    assert result.orders["submitted_at"].to_list() == [at(5)]
    fill = result.fills.to_dicts()[0]
    assert (fill["timestamp"], fill["price"]) == (at(60), 101.0)  # the next open


def test_a_signal_at_a_bars_end_is_known_in_that_decision() -> None:
    signals = pl.DataFrame({"timestamp": [at(60)], "arrival": [at(60)], "symbol": ["A"], "score": [0.7]})
    strategy = Listen()
    run(strategy, minute_bars(2), signals=signals)
    assert [row[:3] for row in strategy.seen] == [("signal", at(60), 1), ("bar", at(60), 1), ("bar", at(120), 2)]
    assert strategy.seen[1][3] == 0.7


def test_signals_at_one_instant_come_one_by_one_in_order_of_symbols() -> None:
    data = pl.concat([minute_bars(2), minute_bars(2, symbol=["B", "B"])]).sort("timestamp", "symbol")
    signals = pl.DataFrame(
        {"timestamp": [at(5)] * 2, "arrival": [at(5)] * 2, "symbol": ["B", "A"], "score": [2.0, 1.0]}
    )
    strategy = Listen()
    run(strategy, data, signals=signals, config={"data": {"sort": True}})
    heard = [row[3] for row in strategy.seen if row[0] == "signal"]
    assert [(signal.symbol, signal.values["score"]) for signal in heard] == [("A", 1.0), ("B", 2.0)]


def test_a_signal_without_a_symbol_concerns_none() -> None:
    answers: list[Any] = []

    class Regime(Strategy):
        def on_signal(self, signal: Any) -> None:
            answers.append((signal.symbol, self.data.signal(None, "regime")))

    signals = pl.DataFrame({"timestamp": [at(5)], "arrival": [at(5)], "regime": [2]})
    run(Regime(), minute_bars(2), signals=signals)
    assert answers == [(None, 2.0)]


def test_a_date_of_a_signal_means_the_end_of_its_session() -> None:
    """A score of the 5th is decided after the close of the 5th, so it trades at the open of the 6th."""
    days = [date(2024, 3, day) for day in (4, 5, 6)]
    bars = minute_bars(3).with_columns(timestamp=pl.Series(days))
    strategy = Listen()
    result = run(strategy, bars, signals=pl.DataFrame({"timestamp": [days[1]], "symbol": ["A"], "score": [1.0]}))
    heard = next(row for row in strategy.seen if row[0] == "signal")
    assert heard[1].date() == days[1]
    assert heard[2] == 2
    assert result.fills["timestamp"][0].date() == days[2]


def test_what_arrived_before_the_first_bar_is_known_and_no_decision() -> None:
    signals = pl.DataFrame({"timestamp": [at(-60)], "arrival": [at(-30)], "symbol": ["A"], "score": [0.7]})
    strategy = Listen()
    run(strategy, minute_bars(2), signals=signals)
    assert [row[0] for row in strategy.seen] == ["bar", "bar"]
    assert strategy.seen[0][3] == 0.7


def test_a_stream_is_known_from_the_end_of_its_bar() -> None:
    """Two-minute values, labelled by their start: that of 10:30 is known at 10:32, with the second bar."""
    stream = pl.DataFrame({"timestamp": [at(0), at(120)], "level": [5.0, 6.0]})
    levels = seen(lambda s: s.data.value(None, "level", stream="slow"), minute_bars(4), streams={"slow": stream})
    assert levels[1:] == [5.0, 5.0, 6.0]
    assert np.isnan(levels[0])
    window = seen(
        lambda s: s.data.window(None, "level", 9, stream="slow").tolist(), minute_bars(4), streams={"slow": stream}
    )
    assert window == [[], [5.0], [5.0], [5.0, 6.0]]
