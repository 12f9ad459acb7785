"""Config and streams become arrays: every expected number is worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import tables
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.enums import PostOnly, PriceSource, TouchRule, VolumeBasis
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.feed import StreamRules, load_bars, load_finer
from ml4t.backtest.lower import Rows, lower
from ml4t.backtest.lower.condition import allowance_volume

MINUTE = 60 * 10**9
TEN = datetime(2024, 1, 2, 10, tzinfo=UTC)


def frame(times, symbols=None, volume=None, **more):
    n = len(times)
    prices = {"open": [100.0] * n, "high": [110.0] * n, "low": [90.0] * n, "close": [105.0] * n}
    at = [t if isinstance(t, date) else TEN + timedelta(minutes=t) for t in times]
    named = {"symbol": list(symbols or "A" * n)}
    return pl.DataFrame({"timestamp": at} | named | prices | {"volume": volume or [1.0] * n} | more)


def load(*given, **more):
    return load_bars(frame(*given, **more), StreamRules(frequency_ns=5 * MINUTE))


def lowered(bars, finer=None, **settings):
    return lower(
        BacktestConfig.load({}, **{key.replace("__", "."): v for key, v in settings.items()}), Rows(bars, finer=finer)
    )


# --------------------------------------------------------------------------------------------------- places of the bars
def test_bars_are_counted_within_their_symbol():
    bars = load([0, 0, 5, 10, 10], "ABBAB")  # rows A0 B0 B5 A10 B10
    assert lowered(bars).bars.ordinal.tolist() == [0, 0, 1, 1, 2]
    assert lowered(load([0, 5, 10])).bars.ordinal.tolist() == [0, 1, 2]


def test_a_session_has_a_first_and_a_last_bar_of_each_symbol():
    night = 24 * 60
    one = load([0, 5, 10, night, 2 * night])
    assert lowered(one).bars.session_edge.tolist() == [1, 0, 2, 3, 3]
    two = load([0, 0, 5, night, night, night + 5], "ABAABB")  # A: 2 bars, then 1; B: 1 bar, then 2
    assert lowered(two).bars.session_edge.tolist() == [1, 3, 2, 3, 1, 2]
    assert lowered(load([0])).bars.session_edge.tolist() == [3]


# -------------------------------------------------------------------------------------------------------------- columns
def test_named_columns_are_found_in_the_source():
    """After volume come a, BID, halted: of 2 rows each, so BID begins at 2 and halted at 4."""
    bars = load([0, 5], a=[1.0, 2.0], BID=[3.0, 4.0], halted=[0, 1])
    state = lowered(bars)
    expected = np.full(tables.COLUMNS_SIZE, tables.NONE)
    expected[tables.BID], expected[tables.HALTED] = 2, 4
    assert state.columns.tolist() == expected.tolist()
    assert state.history.source[2:6].tolist() == [3.0, 4.0, 0.0, 1.0]


def test_every_named_column_has_its_place():
    names = ("bid", "ask", "open_bid", "open_ask", "vwap", "halted", "limit_up", "limit_down")
    state = lowered(load([0], **{name: [10.0] for name in names}))
    assert state.columns.tolist() == list(range(8))  # the order of `tables.COLUMNS`


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fills__market": "next_vwap"}, "fills.market = 'next_vwap' needs the column 'vwap'"),
        ({"fills__quote": "mid"}, "fills.quote = 'mid' needs the column 'open_bid'"),
        ({"account__mark": "bid_ask"}, "account.mark = 'bid_ask' needs the column 'bid'"),
    ],
)
def test_a_rule_without_its_column_is_an_error(settings, said):
    with pytest.raises(ConfigError) as caught:
        lowered(load([0], vwpa=[1.0]), **settings)
    assert said in str(caught.value)
    assert ("Did you mean 'vwpa'?" in str(caught.value)) == ("vwap" in said)


def test_a_quote_needs_all_four_columns_and_a_mark_two():
    needed = BacktestConfig.load({"fills": {"quote": "bid_ask"}}).columns_needed()
    assert sorted(needed) == ["ask", "bid", "open_ask", "open_bid"]
    assert sorted(BacktestConfig.load({"account": {"mark": "mid"}}).columns_needed()) == ["ask", "bid"]
    assert BacktestConfig().columns_needed() == {}


# --------------------------------------------------------------------------------------------------------- finer bars
def test_finer_bars_are_offsets_by_execution_bar():
    """Rows A0 B0 A5 B5. Finer: two in A0, none in B0, one in A5, two in B5, given in another order."""
    bars = load([0, 0, 5, 5], "ABAB")
    times, symbols = [0, 1, 5, 6, 7], "AABAB"
    inside = frame(times, symbols).with_columns(close=pl.Series([101.0, 102.0, 103.0, 104.0, 105.0]))
    state = lowered(bars, load_finer(inside, StreamRules(frequency_ns=MINUTE), bars))
    assert state.finer.first.tolist() == [0, 2, 2, 3, 5]
    assert state.finer.close.tolist() == [101.0, 102.0, 104.0, 103.0, 105.0]
    assert state.finer.first.dtype == np.int64


def test_without_finer_bars_there_are_no_offsets():
    assert [len(column) for column in lowered(load([0])).finer] == [0] * 5


def test_finer_prices_are_inside_the_bar_to_the_last_bit():
    bars = load([0])
    high = 110 * (1 + 5e-10)
    inside = frame([0]).with_columns(high=pl.lit(high), close=pl.lit(high))
    finer = lowered(bars, load_finer(inside, StreamRules(frequency_ns=MINUTE), bars)).finer
    assert (finer.high[0], finer.close[0]) == (110.0, 110.0)


# --------------------------------------------------------------------------------------------------------------- volume
def allowed(bars, **participation):
    return allowance_volume(BacktestConfig.load({"fills": {"participation": participation}}), bars).tolist()


VOLUME = [10.0, 20.0, 60.0, 0.0, 30.0]
WHOLE = load([0, 5, 10, 15, 20], None, VOLUME)


def test_the_volume_that_limits_fills():
    assert allowance_volume(BacktestConfig(), WHOLE).tolist() == []
    assert allowed(WHOLE, share=0.5) == VOLUME
    assert allowed(WHOLE, share=0.5, basis="previous") == [0.0, 10.0, 20.0, 60.0, 0.0]
    # the mean of the two before: (10 + 20) / 2, (20 + 60) / 2, (60 + 0) / 2
    assert allowed(WHOLE, share=0.5, basis="average", window=2) == [0.0, 0.0, 15.0, 40.0, 30.0]
    assert allowed(WHOLE, share=0.5, basis="average", window=5) == [0.0] * 5
    assert allowed(WHOLE, share=0.5, basis="average", window=50) == [0.0] * 5


def test_each_symbol_has_a_volume_of_its_own():
    """A: 10, 30, 50; B: 2, 4, 6. Rows A0 B0 A5 B5 A10 B10."""
    bars = load([0, 0, 5, 5, 10, 10], "ABABAB", [10.0, 2.0, 30.0, 4.0, 50.0, 6.0])
    assert allowed(bars, share=1, basis="previous") == [0.0, 0.0, 10.0, 2.0, 30.0, 4.0]
    assert allowed(bars, share=1, basis="average", window=2) == [0.0, 0.0, 0.0, 0.0, 20.0, 3.0]


def test_daily_volume_is_spread_over_the_bars_of_the_sessions_before():
    """A: 10 and 30, then 50 alone, then 7 and 9; B: a bar a day, 2, 4, 6."""
    day = 24 * 60
    times = [0, 0, 5, day, day, 2 * day, 2 * day, 2 * day + 5]
    bars = load(times, "ABAABABA", [10.0, 2.0, 30.0, 50.0, 4.0, 7.0, 6.0, 9.0])
    assert allowed(bars, share=1, basis="daily_average", window=1) == [0.0, 0.0, 0.0, 20.0, 2.0, 50.0, 4.0, 50.0]
    # (10 + 30 + 50) / 3 of A, (2 + 4) / 2 of B
    assert allowed(bars, share=1, basis="daily_average", window=2) == [0.0, 0.0, 0.0, 0.0, 0.0, 30.0, 3.0, 30.0]
    assert allowed(bars, share=1, basis="daily_average", window=3) == [0.0] * 8


def test_fractions_of_units_are_added_in_order_of_time():
    """0.1 + 0.2 + 0.3 is 0.6000000000000001 in this order, and 0.6 in the other."""
    bars = load([0, 5, 10, 15, 20], None, [0.1, 0.2, 0.3, 0.1, 5.0])
    assert allowed(bars, share=1, basis="average", window=3) == [
        0.0,
        0.0,
        0.0,
        (0.1 + 0.2 + 0.3) / 3,
        (0.2 + 0.3 + 0.1) / 3,
    ]
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1


# ---------------------------------------------------------------------------------------------------------------- rules
def test_defaults_limit_and_delay_nothing():
    rules = lowered(load([0])).rules
    assert rules[tables.VOLUME_BASIS] == VolumeBasis.NONE
    assert rules[tables.TOUCH] == TouchRule.ALWAYS
    assert [rules[n] for n in (tables.SUBMIT_DELAY, tables.SUBMIT_DELAY_BARS, tables.CANCEL_DELAY)] == [0, 0, 0]
    assert lowered(load([0])).share.tolist() == [1.0, 0.0, 0.0]  # a queue is served by the whole volume


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        ({"fills.participation": {"share": 0.25, "basis": "previous"}}, {tables.VOLUME_BASIS: VolumeBasis.PREVIOUS}),
        ({"fills.touch": {"kind": "through"}}, {tables.TOUCH: TouchRule.THROUGH}),
        ({"fills.touch": {"kind": "probability", "probability": 0.3}}, {tables.TOUCH: TouchRule.PROBABILITY}),
        ({"fills.touch": {"kind": "queue", "ahead": 500}}, {tables.TOUCH: TouchRule.QUEUE}),
        ({"orders.post_only": "reprice"}, {tables.POST_ONLY: PostOnly.REPRICE}),
        ({"orders.latency.submit": "1m"}, {tables.SUBMIT_DELAY: MINUTE, tables.SUBMIT_DELAY_BARS: 0}),
        ({"orders.latency.submit": 3}, {tables.SUBMIT_DELAY: 0, tables.SUBMIT_DELAY_BARS: 3}),
        ({"orders.latency.cancel": "50ms"}, {tables.CANCEL_DELAY: 50_000_000, tables.CANCEL_DELAY_BARS: 0}),
        ({"orders.latency.cancel": 2}, {tables.CANCEL_DELAY: 0, tables.CANCEL_DELAY_BARS: 2}),
        ({"account.mark": "mid"}, {tables.MARK_SOURCE: PriceSource.MID}),
        ({"fills.quote": "bid_ask"}, {tables.QUOTE: PriceSource.BID_ASK}),
        ({"run.seed": 7}, {tables.SEED: 7}),
    ],
)
def test_options_become_rules(settings, rules):
    bars = load([0], bid=[104.0], ask=[106.0], open_bid=[99.0], open_ask=[101.0])
    state = lower(BacktestConfig.load({}, **settings), Rows(bars))
    assert {rule: state.rules[rule] for rule in rules} == rules


def test_parameters_of_the_fill_rules():
    def share(**settings):
        return lower(
            BacktestConfig.load({}, **{f"fills.{k}": v for k, v in settings.items()}), Rows(load([0]))
        ).share.tolist()

    assert share(participation={"share": 0.25}) == [0.25, 0.0, 0.0]
    assert share(touch={"kind": "probability", "probability": 0.3}) == [1.0, 0.3, 0.0]
    assert share(touch={"kind": "queue", "ahead": 500}) == [1.0, 0.0, 500.0]
