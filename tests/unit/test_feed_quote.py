"""Columns that fill rules read by name: what a rule needs is checked, what no rule reads may hold anything."""

import math
from datetime import date

import polars as pl
import pytest

from ml4t.backtest.errors import DataError
from ml4t.backtest.feed import StreamRules, load_bars

NAN = math.nan
QUOTE = dict.fromkeys(("open_bid", "open_ask", "bid", "ask"), "fills.quote = 'mid'")
VWAP = {"vwap": "fills.market = 'next_vwap'"}


def load(needs=None, **more):
    prices = {"open": [10.0] * 2, "high": [12.0] * 2, "low": [9.0] * 2, "close": [11.0] * 2, "volume": [5.0] * 2}
    day = [date(2024, 1, 2), date(2024, 1, 3)]
    return load_bars(pl.DataFrame({"date": day} | prices | more), StreamRules(symbol="X", needs=needs or {}))


# name, needs, columns, fragments of the message
WRONG = [
    ("NaN that a rule reads", QUOTE, {"bid": [10.0, NAN]}, ["row 1", "'bid'", "fills.quote = 'mid' reads it"]),
    ("infinite", VWAP, {"vwap": [10.0, math.inf]}, ["row 1", "'vwap'", "missing or not finite"]),
    ("crossed", QUOTE, {"bid": [10.0, 10.0], "ask": [10.0, 9.5]}, ["row 1", "'bid'", "10.0 is above ask, 9.5"]),
    ("crossed at the open", QUOTE, {"open_bid": [3.0, 1.0], "open_ask": [2.0, 2.0]}, ["row 0", "above open_ask, 2.0"]),
    ("VWAP above the high", VWAP, {"vwap": [11.0, 12.1]}, ["row 1", "12.1 is outside the bar"]),
    ("VWAP below the low", VWAP, {"vwap": [8.9, 8.8]}, ["row 0", "8.9 is outside", "(and 1 more row)"]),
    ("halted is NaN", {}, {"halted": [0.0, NAN]}, ["row 1", "'halted'", "0 or false where the symbol trades"]),
    ("halted is null", {}, {"halted": [True, None]}, ["row 1", "'halted'"]),
    ("halted is text", {}, {"halted": ["N", "Y"]}, ["'halted'", "expected numbers or booleans, found String"]),
    ("limits crossed", {}, {"limit_down": [9.0, 12.0], "limit_up": [NAN, 9.0]}, ["row 1", "above limit_up, 9.0"]),
    ("two spellings", {}, {"halted": [0, 0], "Halted": [0, 1]}, ["'halted' and 'Halted'", "differ only in case"]),
]


@pytest.mark.parametrize(("needs", "columns", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_columns_are_named_with_their_row(needs, columns, said):
    with pytest.raises(DataError) as caught:
        load(needs, **columns)
    for fragment in ["bars (frame)", *said]:
        assert fragment in str(caught.value)


def test_what_no_rule_reads_may_hold_anything():
    bars = load(None, bid=[NAN, 5.0], ask=[1.0, 1.0], vwap=[99.0, NAN])
    assert bars.columns["vwap"][0] == 99.0


def test_a_limit_may_be_absent_on_some_bars():
    bars = load(None, limit_up=[NAN, 20.0], limit_down=[5.0, NAN], halted=[False, True])
    assert bars.columns["halted"].tolist() == [0.0, 1.0]


def test_a_vwap_that_rounding_put_outside_its_bar_is_inside():
    bars = load(VWAP, Vwap=[12.0 * (1 + 1e-10), 10.0])
    assert bars.columns["Vwap"].tolist() == [12.0, 10.0]
