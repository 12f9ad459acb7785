"""TargetWeights: from columns to weights to orders; expected values are worked out by hand from docs/semantics/columns.md."""

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import ConfigError, DataError, OrderError, StrategyError, TargetWeights, run
from ml4t.backtest.artifacts import verify
from ml4t.backtest.datasets import us_indices
from told import bars, minute, rows

NAN = math.nan
WHOLE = {"account": {"cash": 10_000.0, "kind": "margin"}, "instruments": {"default": {"lot_size": 1.0}}}
FLAT = (100.0, 100.0, 100.0, 100.0)


def flat(count: int, symbols: str = "ABC") -> pl.DataFrame:
    return bars(*[FLAT] * count, symbols=symbols)


def batches(count: int, *given: tuple[int, dict[str, float]]) -> pl.DataFrame:
    """A long frame labelled like the bars: batch of bar n, symbol → weight."""
    table = [(minute(n), symbol, weight) for n, weights in given for symbol, weight in weights.items() if n < count]
    return pl.DataFrame(table, schema=["timestamp", "symbol", "w"], orient="row")


def traded(result: Any) -> list[tuple[int, str, float]]:
    """Bar of the fill, symbol, and signed quantity."""
    sign = {"buy": 1, "sell": -1}
    return [
        (round((row["timestamp"] - minute(0)).total_seconds() / 60), row["symbol"], sign[row["side"]] * row["quantity"])
        for row in result.fills.iter_rows(named=True)
    ]


# ---------------------------------------------------------------------------------------------------------- rebalancing
def test_a_batch_is_traded_at_the_next_open_reductions_first() -> None:
    weights = batches(5, (0, {"A": 0.5, "C": 0.2}), (2, {"A": 0.6, "B": 0.1, "C": 0.1}))
    result = run(TargetWeights(weights), flat(5), WHOLE)
    assert traded(result) == [(1, "A", 50), (1, "C", 20), (3, "C", -10), (3, "A", 10), (3, "B", 10)]
    assert rows(result, "sizing", "origin")[0] == ("target_percent", "target")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("close", [(3, "A", -50), (3, "B", 30)]), ("hold", [(3, "B", 30)]), ("last", [(3, "B", 30)])],
)
def test_what_a_batch_does_not_name(rule: str, expected: list[tuple[int, str, float]]) -> None:
    weights = batches(5, (0, {"A": 0.5}), (2, {"B": 0.3}))
    result = run(TargetWeights(weights, unnamed=rule), flat(5), WHOLE)
    assert traded(result)[1:] == expected


def test_hold_leaves_alone_what_last_brings_back_to_its_weight() -> None:
    """50 A at 100 double to 200: 10,000 of 15,000. Half of equity is 37 A; a batch of B alone leaves A alone, or sells 13."""
    rises = pl.concat([bars(FLAT, FLAT, *[(200.0,) * 4] * 3), flat(5, "B")]).sort("timestamp", "symbol")
    weights = batches(5, (0, {"A": 0.5}), (2, {"B": 0.1}))
    assert traded(run(TargetWeights(weights, unnamed="hold"), rises, WHOLE)) == [(1, "A", 50), (3, "B", 15)]
    last = run(TargetWeights(weights, unnamed="last"), rises, WHOLE)
    assert traded(last) == [(1, "A", 50), (3, "A", -13), (3, "B", 15)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [  # held 50 A and 20 C of 10,000; wanted 52 A (0.02, 200 away) and 15 C (0.05, 500 away)
        ({}, [("C", -5), ("A", 2)]),
        ({"drift": 0.03}, [("C", -5)]),
        ({"drift": 0.05}, []),
        ({"minimum_trade": 300.0}, [("C", -5)]),
        ({"minimum_trade": 500.0}, [("C", -5)]),
        ({"minimum_trade": 501.0}, []),
    ],
)
def test_bands(rules: dict[str, float], expected: list[tuple[str, float]]) -> None:
    weights = batches(4, (0, {"A": 0.5, "C": 0.2}), (2, {"A": 0.52, "C": 0.15}))
    result = run(TargetWeights(weights, **rules), flat(4), WHOLE)
    assert [(symbol, quantity) for bar, symbol, quantity in traded(result) if bar == 3] == expected


def test_a_buffer_stays_cash() -> None:
    result = run(TargetWeights(batches(2, (0, {"A": 1.0})), cash_buffer=0.02), flat(2), WHOLE)
    assert traded(result) == [(1, "A", 98)]


def test_columns_of_the_bars() -> None:
    """B has no bar 2: it is left alone there, while A, whose weight is null, is closed."""
    table = [(0, "A", 0.5), (0, "B", 0.2), (1, "A", 0.5), (1, "B", 0.2), (2, "A", None), (2, "C", 0.1)]
    data = flat(5).join(
        pl.DataFrame([(minute(n), s, w) for n, s, w in table], schema=["timestamp", "symbol", "w"], orient="row"),
        on=["timestamp", "symbol"],
        how="left",
    )
    data = data.filter(~((pl.col("symbol") == "B") & (pl.col("timestamp") == minute(2))))
    result = run(TargetWeights("w"), data, WHOLE)
    assert traded(result) == [(1, "A", 50), (1, "B", 20), (3, "A", -50), (3, "C", 10)]


def test_wide_frames_and_arrays() -> None:
    wide = pl.DataFrame({"timestamp": [minute(0), minute(2)], "A": [0.5, None], "B": [None, 0.3]})
    array = np.full((5, 2), NAN)
    array[0, 0], array[2, 1] = 0.5, 0.3
    for given in (wide, array):
        assert traded(run(TargetWeights(given), flat(5, "AB"), WHOLE)) == [(1, "A", 50), (3, "A", -50), (3, "B", 30)]


def test_no_equity_nothing_is_traded_and_the_record_says_so() -> None:
    """100 A short at 100, then at 250: 10,000 + 10,000 − 25,000."""
    data = bars(FLAT, FLAT, *[(250.0,) * 4] * 2)
    result = run(TargetWeights(batches(4, (0, {"A": -1.0}), (2, {"A": -0.5}))), data, WHOLE)
    assert traded(result) == [(1, "A", -100)]
    assert result.records.select("name", "value").rows() == [("no_equity", -5_000.0)]


# ------------------------------------------------------------------------------------------------------------ schedules
def test_every_n_bars_takes_the_last_batch() -> None:
    """Decisions at the ends of bars 1, 3, 5: the batch of bar 2 is traded on bar 4."""
    weights = batches(7, (0, {"A": 0.5}), (2, {"A": 0.2}), (3, {"A": 0.3}))
    assert traded(run(TargetWeights(weights, every=2), flat(7), WHOLE)) == [(2, "A", 50), (4, "A", -20)]


def test_nothing_is_traded_before_a_batch() -> None:
    assert traded(run(TargetWeights(batches(6, (3, {"A": 0.5})), every=1), flat(6), WHOLE)) == [(4, "A", 50)]


def days(first: date, count: int) -> pl.DataFrame:
    """Daily bars of A at 100 and B at 100, Mondays to Fridays."""
    dates = [day for n in range(count) if (day := first + timedelta(days=n)).weekday() < 5]
    table = [(day, symbol, *FLAT, 1000.0) for day in dates for symbol in "AB"]
    return pl.DataFrame(table, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


XNYS = {"data": {"calendar": "XNYS"}}
# 2024: January 1st and 15th and February 19th are holidays; January 31st is a Wednesday
NEW_YEAR = days(date(2024, 1, 2), 60).filter(~pl.col("timestamp").is_in([date(2024, 1, 15), date(2024, 2, 19)]))


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("month", ["01-02", "02-01", "03-01"]),
        ("month_end", ["01-31", "02-29"]),
        ("week", ["01-02", "01-08", "01-16", "01-22", "01-29", "02-05", "02-12", "02-20", "02-26"]),
        ("week_end", ["01-05", "01-12", "01-19", "01-26", "02-02", "02-09", "02-16", "02-23", "03-01"]),
    ],
)
def test_calendar_schedules(every: str, expected: list[str]) -> None:
    """A weight that changes from day to day is traded the session after each close that is due."""
    dates = NEW_YEAR["timestamp"].unique().sort()
    weights = pl.DataFrame({"timestamp": dates, "A": [0.1 + 0.01 * n for n in range(len(dates))]})
    weights = weights.with_columns(B=pl.lit(0.0))
    result = run(TargetWeights(weights, every=every), NEW_YEAR, XNYS)
    due = [time.date() for time in result.orders["submitted_at"].dt.convert_time_zone("America/New_York")]
    assert [day.strftime("%m-%d") for day in due] == expected


def test_a_last_session_without_bars_is_due_all_the_same() -> None:
    gap = NEW_YEAR.filter(pl.col("timestamp") != date(2024, 1, 31))
    weights = pl.DataFrame({"timestamp": [date(2024, 1, 10)], "A": [0.5], "B": [0.0]})
    order = run(TargetWeights(weights, every="month_end"), gap, XNYS).orders.row(0, named=True)
    assert order["submitted_at"].isoformat() == "2024-01-31T21:00:00+00:00"  # 16:00 in New York


def test_a_month_that_began_before_the_data_does_not_start_by_the_calendar() -> None:
    late = NEW_YEAR.filter(pl.col("timestamp") >= date(2024, 1, 10))
    weights = pl.DataFrame({"timestamp": [date(2024, 1, 10), date(2024, 1, 11)], "A": [0.5, 0.5], "B": [0.0, 0.0]})
    first = run(TargetWeights(weights, every="month"), late, XNYS).fills["timestamp"][0]
    assert first.date() == date(2024, 2, 2)
    assert run(TargetWeights(weights, every="month"), late).fills["timestamp"][0].date() == date(2024, 1, 11)


def test_at_the_open() -> None:
    """The batch of January is known; at the open of the first session of February it is traded at that open."""
    weights = pl.DataFrame({"timestamp": [date(2024, 1, 10)], "A": [0.5], "B": [0.0]})
    fill = run(TargetWeights(weights, every="month", at="open"), NEW_YEAR, XNYS).fills.row(0, named=True)
    assert fill["timestamp"].isoformat() == "2024-02-01T14:30:00+00:00"


@pytest.mark.parametrize("every", ["week_end", "month_end"])
def test_an_end_needs_a_calendar(every: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"every='{every}': which session is the last one .* Set data.calendar, such as 'XNYS', or use every='{every[:-4]}'",
    ):
        run(TargetWeights(batches(2, (0, {"A": 0.5})), every=every), flat(2))


# ---------------------------------------------------------------------------------------------------------------- books
def booked(scores: list[float], deviations: list[float] | None = None, **rules: Any) -> list[float]:
    strategy = TargetWeights(scores="s", **rules)
    found = strategy.booked(np.array(scores), np.array(deviations or [NAN] * len(scores)))
    return [NAN if math.isnan(x) else round(x, 12) for x in found]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [  # scores 3, 1, none, −2, 3
        ({"top": 1}, [1, 0, NAN, 0, 0]),  # of equal scores the earlier one
        ({"top": 2, "gross": 0.8}, [0.4, 0, NAN, 0, 0.4]),
        ({"top": 9}, [0.25, 0.25, NAN, 0.25, 0.25]),
        ({"book": "short", "bottom": 1}, [0, 0, NAN, -1, 0]),
        ({"book": "short", "bottom": 2}, [0, -0.5, NAN, -0.5, 0]),
        ({"book": "long_short", "top": 2, "bottom": 1}, [0.25, 0, NAN, -0.5, 0.25]),
        ({"book": "long_short", "top": 3, "bottom": 3}, [1 / 6, 1 / 6, NAN, -0.5, 1 / 6]),  # nothing on both sides
        ({"top": 3, "weighting": "score"}, [3 / 7, 1 / 7, NAN, 0, 3 / 7]),
        (
            {"top": 4, "weighting": "score"},
            [3 / 7, 1 / 7, NAN, 0, 3 / 7],
        ),  # a score below 0 has no weight on the long side
        ({"top": 3, "weighting": "rank"}, [3 / 6, 1 / 6, NAN, 0, 2 / 6]),
        ({"book": "short", "bottom": 2, "weighting": "rank"}, [0, -1 / 3, NAN, -2 / 3, 0]),
        ({"book": "short", "bottom": 2, "weighting": "score"}, [0, 0, NAN, -1, 0]),
    ],
)
def test_books(rules: dict[str, Any], expected: list[float]) -> None:
    assert booked([3, 1, NAN, -2, 3], **rules) == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_inverse_volatility() -> None:
    """1/0.1 : 1/0.4 is 4 : 1; without a known deviation there is no weight."""
    found = booked([3, 2, 1], [0.1, 0.4, NAN], top=3, weighting="inverse_volatility")
    assert found == [0.8, 0.2, 0]


def test_no_scores_no_weights() -> None:
    assert booked([NAN, NAN], top=1) == pytest.approx([NAN, NAN], nan_ok=True)
    assert booked([-1.0, -2.0], top=2, weighting="score") == [0, 0]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [  # weights 0.5, −0.3, none, 0.2, 0.1 in groups 1, 1, 1, 2, none
        ({"cap": 0.25}, [0.25, -0.25, NAN, 0.2, 0.1]),
        ({"group_cap": 0.4}, [0.25, -0.15, NAN, 0.2, 0.1]),
        ({"group_cap": 0.8}, [0.5, -0.3, NAN, 0.2, 0.1]),
        ({"group_cap": 0.1}, [0.0625, -0.0375, NAN, 0.1, 0.1]),
        ({"cap": 0.25, "group_cap": 0.4}, [0.2, -0.2, NAN, 0.2, 0.1]),
    ],
)
def test_caps(rules: dict[str, float], expected: list[float]) -> None:
    groups = {"groups": "g"} if "group_cap" in rules else {}
    weights = np.array([0.5, -0.3, NAN, 0.2, 0.1])
    TargetWeights(weights="w", **groups, **rules).limit(weights, np.array([1.0, 1.0, 1.0, 2.0, NAN]))
    assert weights.tolist() == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_scores_become_positions_and_groups_are_capped() -> None:
    """The two best of three, half each; A and C are one sector with at most 0.6, so 0.3 each; without sectors 0.5 each."""
    scores = batches(3, (0, {"A": 2.0, "B": 0.5, "C": 1.0}))
    assert traded(run(TargetWeights(scores=scores, top=2), flat(3), WHOLE)) == [(1, "A", 50), (1, "C", 50)]
    sectors = {"A": "tech", "B": "oil", "C": "tech"}
    capped = TargetWeights(scores=scores, top=2, groups=sectors, group_cap=0.6)
    assert traded(run(capped, flat(3), WHOLE)) == [(1, "A", 30), (1, "C", 30)]
    column = flat(3).with_columns(sector=pl.col("symbol").replace_strict({"A": 7, "B": 8, "C": 7}))
    assert traded(run(TargetWeights(scores=scores, top=2, groups="sector", group_cap=0.6), column, WHOLE)) == [
        (1, "A", 30),
        (1, "C", 30),
    ]


def test_a_long_short_book_trades_both_sides() -> None:
    scores = batches(4, (0, {"A": 2.0, "B": 0.5, "C": 1.0}), (2, {"A": 0.0, "B": 3.0, "C": 1.0}))
    result = run(TargetWeights(scores=scores, book="long_short", top=1, bottom=1), flat(4), WHOLE)
    assert traded(result) == [(1, "A", 50), (1, "B", -50), (3, "A", -100), (3, "B", 100)]


# --------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({}, "give either weights or scores"),
        ({"weights": "w", "scores": "s", "top": 1}, "give either weights or scores"),
        ({"scores": "s"}, "the book long needs top, a number of symbols; not 0"),
        ({"scores": "s", "top": 1, "bottom": 1}, "the book long has no bottom"),
        ({"scores": "s", "top": 1, "book": "long_short"}, "the book long_short needs bottom"),
        ({"weights": "w", "top": 3}, "make weights of scores; weights are there already"),
        ({"weights": "w", "drift": -0.1}, "drift must be 0 or more and finite, not -0.1"),
        ({"weights": "w", "cash_buffer": 1.0}, "cash_buffer is a fraction of equity below 1"),
        ({"weights": "w", "group_cap": 0.3}, "group_cap needs groups"),
        ({"weights": "w", "groups": "g"}, "groups are there for group_cap"),
        ({"weights": "w", "unnamed": "sell"}, "unnamed must be one of close, hold, last"),
        ({"weights": "w", "window": 1}, "window=1 must be 2 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError) as raised:
        TargetWeights(**rules)
    assert message in str(raised.value)


def test_positions_of_arguments() -> None:
    assert TargetWeights("w").weights == "w"
    with pytest.raises(StrategyError, match="weights is given twice"):
        TargetWeights("w", weights="v")
    with pytest.raises(StrategyError, match="takes weights, scores, groups by position"):
        TargetWeights("w", "", "", "month")


def test_errors_of_a_run() -> None:
    with pytest.raises(ConfigError, match=r"every='moth'. Did you mean 'month'"):
        run(TargetWeights(batches(2, (0, {"A": 0.5})), every="moth"), flat(2))
    with pytest.raises(DataError, match="the symbol 'C' has none"):
        run(TargetWeights(batches(2, (0, {"A": 0.5})), groups={"A": 1, "B": 1}, group_cap=0.5), flat(2))
    with pytest.raises(DataError, match="the bars have no symbol 'D'"):
        run(TargetWeights(batches(2, (0, {"A": 0.5})), groups=dict.fromkeys("ABCD", 1), group_cap=0.5), flat(2))
    with pytest.raises(OrderError, match=r"A: .*target must be a finite number"):
        run(TargetWeights(batches(2, (0, {"A": math.inf}))), flat(2))


def test_a_signal_of_the_night_is_traded_at_the_open_that_follows_its_decision() -> None:
    """Known on Wednesday at 08:00: decided when Wednesday's bar ends, filled at Thursday's open."""
    known = datetime(2024, 1, 10, 8)
    weights = pl.DataFrame({"timestamp": [known], "arrival": [known], "A": [0.5], "B": [0.0]})
    config = {"data": {"session": {"open": "09:30", "close": "16:00", "timezone": "America/New_York"}}}
    fill = run(TargetWeights(weights), NEW_YEAR, config).fills.row(0, named=True)
    assert fill["timestamp"].date() == date(2024, 1, 11)


def test_a_saved_run_can_be_verified(tmp_path: Path) -> None:
    data = us_indices().head(600).with_columns(change=pl.col("close").pct_change(20).over("symbol"))
    rules: dict[str, Any] = {"book": "long_short", "top": 1, "bottom": 1, "weighting": "rank", "unnamed": "hold"}
    groups = {"SPX": "large", "NASDAQ": "technology"}
    strategy = TargetWeights(scores="change", every="month", groups=groups, group_cap=0.3, **rules)
    result = run(strategy, data, {"account": {"kind": "margin"}})
    assert result.fills.height > 10
    assert verify(result.save(tmp_path / "saved")).outcome.name == "IDENTICAL"


def test_momentum_on_real_data_holds_one_index_at_a_time() -> None:
    data = us_indices().with_columns(change=pl.col("close").pct_change(120).over("symbol"))
    result = run(TargetWeights(scores="change", top=1, every="month", gross=0.98), data)
    assert result.fills.height > 20
    assert result.orders["state"].unique().to_list() == ["filled"]
