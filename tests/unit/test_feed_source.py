"""The same bars from every accepted source give the same stream; nothing is copied that need not be."""

import hashlib
from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml4t.backtest import datasets
from ml4t.backtest.enums import DuplicatePolicy, MissingPolicy, PricePolicy
from ml4t.backtest.errors import DataError
from ml4t.backtest.feed import StreamRules, frame_of, load_bars

DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
FRAME = pl.DataFrame(
    {
        "timestamp": [d for d in DAYS for _ in "AB"],
        "symbol": ["A", "B"] * 3,
        "open": [10.0, 20.0, 11.0, 21.0, 12.0, 22.0],
        "high": [12.5, 22.5, 13.5, 23.5, 14.5, 24.5],
        "low": [9.5, 19.5, 10.5, 20.5, 11.5, 21.5],
        "close": [11.0, 21.0, 12.0, 22.0, 13.0, 23.0],
        "volume": [100.0, 200.0, 300.0, 0.0, 500.0, 600.0],
        "signal": [0.5, -0.5, 1.0, 0.0, 2.0, 4.0],
    }
)
ONE = FRAME.filter(pl.col("symbol") == "A").drop("symbol")


def assert_same(left, right):
    assert left.symbols == right.symbols
    for name in ("symbol", "start", "end", "session", "session_close"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert list(left.columns) == list(right.columns)
    for name in left.columns:
        np.testing.assert_array_equal(left.columns[name], right.columns[name])


def pandas_frame():
    return FRAME.to_pandas().assign(timestamp=pd.to_datetime(FRAME["timestamp"].to_list()))


def yfinance_pairs():
    frame = pandas_frame().rename(columns=str.title).set_index(["Timestamp", "Symbol"]).unstack()
    frame.columns = frame.columns.set_names(["Price", "Ticker"])
    frame.index.name = "Date"
    return frame


def with_nulls_elsewhere():
    return pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)


SOURCES = {
    "lazy": FRAME.lazy,
    "pandas": pandas_frame,
    "pandas multi-index": lambda: pandas_frame().set_index(["timestamp", "symbol"]),
    "pandas unnamed multi-index": lambda: pandas_frame().set_index(["timestamp", "symbol"]).rename_axis([None, None]),
    "pandas index": lambda: pandas_frame().set_index("timestamp"),
    "pandas index called Date": lambda: pandas_frame().set_index("timestamp").rename_axis("Date"),
    "pandas unnamed index of Python's datetimes": lambda: (
        pandas_frame().set_index(pd.Index(FRAME["timestamp"].to_list(), dtype=object)).drop(columns="timestamp")
    ),
    "pandas categorical": lambda: pandas_frame().astype({"symbol": "category"}),
    "pandas subset": lambda: pd.concat([pandas_frame(), pandas_frame()]).iloc[6:],
    "arrow": FRAME.to_arrow,
    "record batch": lambda: FRAME.to_arrow().to_batches()[0],
    "reader": lambda: pa.RecordBatchReader.from_batches(FRAME.to_arrow().schema, FRAME.to_arrow().to_batches()),
    "many chunks": lambda: pl.concat([FRAME[i : i + 1] for i in range(6)], rechunk=False),
    "capitals": lambda: FRAME.rename(lambda c: c if c == "signal" else f" {c.title()} "),
    "ticker": lambda: FRAME.rename({"symbol": "Ticker", "timestamp": "Datetime"}),
    "float32": lambda: FRAME.with_columns(pl.col(pl.Float64).cast(pl.Float32)),
    "decimal": lambda: FRAME.with_columns(pl.col("open", "high").cast(pl.Decimal(12, 2))),
    "integers": lambda: FRAME.with_columns(pl.col("volume").cast(pl.Int64), pl.col("close").cast(pl.UInt8)),
    "enum": lambda: FRAME.with_columns(pl.col("symbol").cast(pl.Enum(["B", "A"]))),
    "datetimes": lambda: FRAME.with_columns(pl.col("timestamp").cast(pl.Datetime("ms"))),
    "ties in any order": lambda: FRAME[[1, 0, 2, 3, 5, 4]],
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_the_same_stream(make):
    assert_same(load_bars(make(), StreamRules()), load_bars(FRAME, StreamRules()))


def test_price_and_ticker_pairs_become_rows():
    stream = load_bars(yfinance_pairs().drop(columns="Signal", level=0), StreamRules())
    assert_same(stream, load_bars(FRAME.drop("signal"), StreamRules()))
    late = yfinance_pairs()
    late.iloc[0, late.columns.get_level_values("Ticker") == "B"] = np.nan  # not yet listed
    assert load_bars(late, StreamRules()).symbol.tolist() == [0, 0, 1, 0, 1]
    swapped = yfinance_pairs().swaplevel(axis=1)
    assert load_bars(swapped, StreamRules()).columns["Signal"].tolist() == FRAME["signal"].to_list()


@pytest.mark.parametrize("index", ["Date", "Datetime", None])
def test_one_symbol_of_a_pandas_index_is_named_by_the_caller(index):
    frame = ONE.to_pandas().rename(columns=str.title).set_index("Timestamp").rename_axis(index)
    frame.index = pd.DatetimeIndex(frame.index)
    frame["Adj Close"] = frame["Close"] / 2
    stream = load_bars(frame, StreamRules(symbol="SPX"))
    assert stream.symbols == ("SPX",)
    assert stream.columns["close"].tolist() == [11.0, 12.0, 13.0]
    assert stream.columns["Adj Close"].tolist() == [5.5, 6.0, 6.5]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "CSV", "bom.csv"])
def test_files_give_the_same_stream(tmp_path, suffix):
    path = tmp_path / f"bars.{suffix}"
    if suffix == "parquet":
        FRAME.write_parquet(path)
    elif suffix == "bom.csv":
        path.write_bytes(b"\xef\xbb\xbf" + FRAME.write_csv().replace("\n", "\r\n").encode())
    else:
        FRAME.write_csv(path)
    for source in (path, str(path)):
        stream = load_bars(source, StreamRules())
        assert_same(stream, load_bars(FRAME, StreamRules()))
    assert (stream.description.kind, stream.description.path) == ("file", str(path))


@pytest.mark.parametrize("text", ["2024-01-02T09:30:00-05:00", "2024-01-02 14:30:00.000Z", "2024-01-02T14:30+0000"])
def test_csv_times_with_offsets_are_instants(tmp_path, text):
    path = tmp_path / "bars.csv"
    path.write_text(f"time,open,high,low,close,volume\n{text},1,1e0,1,1,1\n")
    stream = load_bars(path, StreamRules(symbol="X", frequency_ns=60 * 10**9))
    assert stream.start.tolist() == [int(datetime.fromisoformat("2024-01-02T14:30:00+00:00").timestamp()) * 10**9]


def test_pandas_files_with_an_unnamed_index_are_understood(tmp_path):
    frame = ONE.to_pandas().set_index("timestamp").rename_axis(None)
    frame.to_csv(tmp_path / "x.csv")
    frame.set_axis(pd.DatetimeIndex(frame.index)).to_parquet(tmp_path / "x.parquet")
    expected = load_bars(ONE, StreamRules(symbol="X"))
    for name in ("x.csv", "x.parquet"):
        assert_same(load_bars(tmp_path / name, StreamRules(symbol="X")), expected)


def test_sorted_float64_columns_are_views_of_the_frame():
    stream = load_bars(ONE, StreamRules(symbol="A"))
    for name in ("open", "high", "low", "close", "volume", "signal"):
        assert np.shares_memory(stream.columns[name], ONE[name].to_numpy(allow_copy=False)), name
    in_period = load_bars(ONE, StreamRules(symbol="A", start=DAYS[1]))
    assert np.shares_memory(in_period.columns["close"], ONE["close"].to_numpy(allow_copy=False))
    several = load_bars(FRAME, StreamRules())
    assert np.shares_memory(several.columns["close"], FRAME["close"].to_numpy(allow_copy=False))


def test_all_arrays_are_contiguous_read_only_and_of_the_promised_types():
    stream = load_bars(FRAME, StreamRules(sort=True))
    types = {"symbol": "i4", "session": "i4", "start": "i8", "end": "i8", "session_close": "i8"}
    arrays = [(getattr(stream, name), code) for name, code in types.items()]
    arrays += [(values, "f8") for values in stream.columns.values()]
    for values, code in arrays:
        assert values.dtype == np.dtype(code)
        assert values.flags.c_contiguous
        assert not values.flags.writeable
    assert list(stream.columns)[:5] == ["open", "high", "low", "close", "volume"]


@given(st.permutations(range(6)))
def test_shuffled_rows_sorted_on_request_give_the_same_stream(order):
    assert_same(load_bars(FRAME[order], StreamRules(sort=True)), load_bars(FRAME, StreamRules()))


@given(st.permutations(["timestamp", "symbol", "open", "high", "low", "close", "volume"]))
def test_the_order_of_columns_means_nothing(names):
    assert_same(load_bars(FRAME.select(names), StreamRules()), load_bars(FRAME.drop("signal"), StreamRules()))


def changed(row, **values):
    frame = FRAME.clone()
    for name, value in values.items():
        frame[row, name] = value
    return frame


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_missing_drop_drops_and_counts(column, value):
    stream = load_bars(changed(2, **{column: value}), StreamRules(missing=MissingPolicy.DROP))
    assert stream.columns["signal"].tolist() == [0.5, -0.5, 0.0, 2.0, 4.0]
    assert stream.description.counts == {"rows_dropped_missing": 1}


def test_non_positive_prices_are_dropped_or_kept_and_counted():
    frame = changed(5, low=0.0)
    dropped = load_bars(frame, StreamRules(non_positive=PricePolicy.DROP))
    assert dropped.columns["signal"].tolist() == [0.5, -0.5, 1.0, 0.0, 2.0]
    assert dropped.description.counts == {"rows_dropped_non_positive": 1}
    kept = load_bars(frame, StreamRules(non_positive=PricePolicy.ALLOW))
    assert kept.columns["low"][5] == 0.0
    assert kept.description.counts == {"rows_kept_non_positive": 1}


def test_of_duplicates_the_first_or_the_last_row_given_is_kept():
    frame = pl.concat([FRAME[:4], FRAME[2:3].with_columns(signal=pl.lit(7.0)), FRAME[4:]])
    first = load_bars(frame, StreamRules(duplicates=DuplicatePolicy.KEEP_FIRST))
    last = load_bars(frame, StreamRules(duplicates=DuplicatePolicy.KEEP_LAST))
    assert first.columns["signal"].tolist() == [0.5, -0.5, 1.0, 0.0, 2.0, 4.0]
    assert last.columns["signal"].tolist() == [0.5, -0.5, 7.0, 0.0, 2.0, 4.0]
    assert first.description.counts == last.description.counts == {"duplicates_dropped": 1}


def test_policies_that_leave_nothing_are_errors():
    nothing = FRAME.with_columns(close=pl.lit(float("nan")))
    with pytest.raises(DataError, match="no row is left; rows_dropped_missing = 6"):
        load_bars(nothing, StreamRules(missing=MissingPolicy.DROP))


def test_symbols_that_lose_all_their_rows_leave_the_universe_with_a_warning():
    frame = FRAME.with_columns(close=pl.when(pl.col("symbol") == "A").then(None).otherwise("close"))
    stream = load_bars(frame, StreamRules(missing=MissingPolicy.DROP))
    assert (stream.symbols, stream.symbol.tolist()) == (("B",), [0, 0, 0])
    assert stream.description.counts == {"rows_dropped_missing": 3, "symbols_without_rows": 1}
    assert "A" in stream.description.warnings[0]


def test_missing_values_of_further_columns_are_kept_as_nan():
    stream = load_bars(changed(1, signal=None), StreamRules())
    np.testing.assert_array_equal(stream.columns["signal"], [0.5, np.nan, 1.0, 0.0, 2.0, 4.0])


def test_columns_that_are_not_numbers_are_left_out_and_named():
    stream = load_bars(FRAME.with_columns(note=pl.lit("x")), StreamRules())
    assert "note" not in stream.columns
    assert "note (String)" in stream.description.warnings[0]


def test_jumps_are_counted_per_symbol():
    jump = FRAME.with_columns(
        pl.when(pl.col("timestamp") > DAYS[1])
        .then(pl.col("open", "high", "low", "close") * 2)
        .otherwise(pl.col("open", "high", "low", "close"))
    )
    assert load_bars(jump, StreamRules()).description.counts == {"close_jumps": 2}
    assert load_bars(FRAME, StreamRules()).description.counts == {}  # 11 after 21 is another symbol


def test_the_digest_of_a_file_is_that_of_its_bytes_and_notices_changes(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_bytes(FRAME.write_csv().encode())
    description = load_bars(path, StreamRules()).description
    assert description.sha256 == hashlib.sha256(FRAME.write_csv().encode()).hexdigest()
    later = load_bars(path, StreamRules()).description
    path.write_text("changed")
    with pytest.raises(DataError, match="changed while"):
        later.sha256  # noqa: B018


def test_the_digest_of_a_frame_depends_on_names_types_and_values_but_not_on_chunks():
    def digest(frame):
        return load_bars(frame, StreamRules()).description.sha256

    same = [FRAME, FRAME.clone(), pl.concat([FRAME[:2], FRAME[2:]], rechunk=False)]
    other = [
        changed(0, close=11.25),
        changed(0, signal=None),
        changed(3, signal=None),
        FRAME.rename({"signal": "other"}),
        FRAME.with_columns(pl.col("volume").cast(pl.Int64)),
        FRAME.with_columns(symbol=pl.Series(["A", "C"] * 3)),
        FRAME[:4],
    ]
    assert len({digest(f) for f in same}) == 1
    assert len({digest(f) for f in [FRAME, *other]}) == len(other) + 1


def test_frame_of_reads_without_judging(tmp_path):
    pl.DataFrame({"anything": ["x"]}).write_parquet(tmp_path / "x.parquet")
    assert frame_of(tmp_path / "x.parquet").rows() == [("x",)]


def test_the_bundled_indices_are_valid_and_complete():
    frame = datasets.us_indices()
    assert frame.columns == ["timestamp", "symbol", "open", "high", "low", "close", "volume"]
    assert frame["symbol"].value_counts().sort("symbol").rows() == [("NASDAQ", 5031), ("SPX", 5031)]
    stream = load_bars(frame, StreamRules())
    assert (stream.symbols, len(stream.end)) == (("NASDAQ", "SPX"), 10_062)
    assert stream.description.warnings == ()
    # closes as published: S&P 500 at 676.53 on 2009-03-09, NASDAQ Composite at 5,048.62 on 2000-03-10
    low = frame.filter(pl.col("symbol") == "SPX", pl.col("timestamp") == date(2009, 3, 9))["close"][0]
    top = frame.filter(pl.col("symbol") == "NASDAQ", pl.col("timestamp") == date(2000, 3, 10))["close"][0]
    assert low == pytest.approx(676.53, abs=0.005)
    assert top == pytest.approx(5048.62, abs=0.005)
