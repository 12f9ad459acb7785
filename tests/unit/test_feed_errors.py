"""Bad input: every row is one thing that goes wrong and what the message must say."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest

from ml4t.backtest.enums import TimestampLabel
from ml4t.backtest.errors import ConfigError, DataError
from ml4t.backtest.feed import SessionTimes, StreamRules, frame_of, load_bars, load_information

DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
GOOD = {
    "timestamp": DAYS,
    "symbol": ["SPX"] * 3,
    "open": [10.0, 11.0, 12.0],
    "high": [12.0, 13.0, 14.0],
    "low": [9.0, 10.0, 11.0],
    "close": [11.0, 12.0, 13.0],
    "volume": [100.0, 0.0, 300.0],
}


def bars(drop=(), **changes):
    return pl.DataFrame({k: v for k, v in (GOOD | changes).items() if k not in drop}, strict=False)


def minutes(*clock, **changes):
    """Rows at these naive times of day on the given date (default 2024-01-02)."""
    day = changes.pop("day", DAYS[0])
    at = [datetime.combine(day, time.fromisoformat(c)) for c in clock]
    return pl.DataFrame({k: (v[:1] * len(at)) for k, v in (GOOD | changes).items()} | {"timestamp": at})


def rules(**given):
    return StreamRules(**given)


NY = "America/New_York"
Y_2012 = date(2012, 1, 1)
MIXED = [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03", tz="UTC"), pd.Timestamp("2024-01-04", tz="UTC")]

# name, source, rules, fragments of the message
CASES = [
    ("missing column", bars(drop=("close",)), rules(), ["frame", "no column 'close'", "Found ["]),
    ("misspelt column", bars(drop=("close",), clsoe=[1.0] * 3), rules(), ["'close'", "Did you mean 'clsoe'?"]),
    ("misspelt, in capitals", bars(drop=("close",), CLSOE=[1.0] * 3), rules(), ["'close'", "Did you mean 'CLSOE'?"]),
    ("no volume", bars(drop=("volume",)), rules(), ["no column 'volume'"]),
    ("no timestamp", bars(drop=("timestamp",)), rules(), ["no column 'timestamp'"]),
    ("no symbol", bars(drop=("symbol",)), rules(), ["no symbol column", "symbol='SPX'"]),
    ("symbol given twice", bars(), rules(symbol="NDX"), ["symbol='NDX'", "['SPX']"]),
    ("same name twice", bars(Close=[1.0] * 3), rules(), ["'close' and 'Close'", "differ only in case"]),
    (
        "two timestamps",
        bars(drop=("timestamp",), date=DAYS, time=["9:30"] * 3),
        rules(),
        ["['date', 'time']", "join a date and a time"],
    ),
    ("two symbol columns", bars(drop=("symbol",), ticker=["A"] * 3, asset=["A"] * 3), rules(), ["'ticker', 'asset'"]),
    (
        "string prices",
        bars(close=["11.0", "x", "12"]),
        rules(),
        ["expected numbers", "String", "'x'", "row 1", "close"],
    ),
    ("all strings numeric", bars(close=["11.0", "12", "12"]), rules(), ["expected numbers", "row 0", "Float64"]),
    ("decimal comma", bars(close=["11,5", "12,5", "13,5"]), rules(), ["decimal comma", "'11,5'"]),
    ("boolean price", bars(open=[True, True, True]), rules(), ["expected numbers", "Boolean", "'open'"]),
    ("list price", bars(open=[[1.0], [1.0], [1.0]]), rules(), ["expected numbers", "List"]),
    ("huge integer", bars(volume=[2**53 + 1, 1, 1]), rules(), ["float64 cannot hold 9007199254740993", "row 0"]),
    (
        "long decimal",
        bars(volume=[Decimal("1.00000000000000000001")] * 3),
        rules(),
        ["float64 cannot hold 1.00000000000000000001"],
    ),
    ("integer symbols", bars(symbol=[600000] * 3), rules(), ["expected text", "Int64", "'symbol'"]),
    ("null symbol", bars(symbol=["SPX", None, "SPX"]), rules(), ["symbol is null", "row 1"]),
    ("blank symbol", bars(symbol=["SPX", " ", "SPX"]), rules(), ["' '", "row 1", "Strip"]),
    ("NaN close", bars(close=[11.0, math.nan, 13.0]), rules(), ["row 1", "'SPX'", "2024-01-03", "'close'", "nan"]),
    ("null open", bars(open=[10.0, 11.0, None]), rules(), ["row 2", "'open'", "None", "missing = 'drop'"]),
    ("infinite high", bars(high=[math.inf, 13.0, 14.0]), rules(), ["row 0", "'high'", "inf"]),
    ("minus infinite low", bars(low=[9.0, -math.inf, 1.0]), rules(), ["row 1", "'low'", "-inf", "not finite"]),
    ("NaN volume", bars(volume=[1.0, math.nan, 1.0]), rules(), ["row 1", "'volume'"]),
    ("zero price", bars(low=[9.0, 0.0, 11.0]), rules(), ["row 1", "'low'", "0.0 is not positive", "non_positive"]),
    ("negative price", bars(low=[-9.0, 10.0, -1.0]), rules(), ["row 0", "-9.0", "(and 1 more row)"]),
    ("negative volume", bars(volume=[1.0, 2.0, -5.0]), rules(), ["row 2", "'volume'", "-5.0 is negative"]),
    ("high below low", bars(high=[8.0, 13.0, 14.0]), rules(), ["row 0", "9.0 is above the high 8.0", "'low'"]),
    ("open above high", bars(open=[10.0, 13.5, 12.0]), rules(), ["row 1", "13.5 is above the high 13.0", "'open'"]),
    ("close above high", bars(close=[11.0, 12.0, 15.0]), rules(), ["row 2", "15.0 is above the high", "'close'"]),
    ("open below low", bars(open=[8.0, 11.0, 12.0]), rules(), ["row 0", "8.0 is below the low 9.0", "'open'"]),
    ("close below low", bars(close=[8.5, 12.0, 13.0]), rules(), ["row 0", "8.5 is below the low", "'close'"]),
    (
        "identical duplicates",
        pl.concat([bars().head(2), bars()[1:2], bars()[2:]]),
        rules(),
        ["row 2", "same timestamp and symbol as row 1", "2024-01-03", "duplicates"],
    ),
    (
        "differing duplicates",
        bars(timestamp=[*DAYS[:2], DAYS[1]]),
        rules(),
        ["row 2", "same timestamp and symbol as row 1"],
    ),
    ("unsorted", bars(timestamp=DAYS[::-1]), rules(), ["row 1", "out of order", "data.sort = true"]),
    ("integer timestamps", bars(timestamp=[1, 2, 3]), rules(), ["Int64", "from_epoch"]),
    ("string timestamps", bars(timestamp=["2024-01-02", "x", "y"]), rules(), ["String", "'x'", "row 1", "ISO 8601"]),
    ("null timestamp", bars(timestamp=[DAYS[0], None, DAYS[2]]), rules(), ["time is null", "row 1", "'timestamp'"]),
    (
        "far future",
        bars(timestamp=[datetime(2024, 1, 2), datetime(2024, 1, 3), datetime(9999, 1, 1)]),
        rules(),
        ["outside the years", "row 2"],
    ),
    (
        "clock gap",
        minutes("01:59", "02:30", "03:00", day=date(2024, 3, 10)),
        rules(timezone=NY),
        ["row 1", "2024-03-10 02:30:00 does not exist in America/New_York"],
    ),
    (
        "clock fold",
        minutes("00:59", "01:00", "02:01", day=date(2024, 11, 3)),
        rules(timezone=NY),
        ["row 1", "2024-11-03 01:00:00 happens twice"],
    ),
    (
        "overlap",
        minutes("09:30", "09:31", "09:32", "09:32:30"),
        rules(),
        ["row 2", "overlaps", "60 s", "data.frequency"],
    ),
    (
        "declared overlap",
        minutes("09:30", "09:31"),
        rules(frequency_ns=300 * 10**9),
        ["row 0", "2024-01-02T09:35:00Z", "overlaps", "2024-01-02T09:31:00Z"],
    ),
    ("one row, no frequency", minutes("09:30"), rules(), ["cannot be inferred", "data.frequency"]),
    ("not dates", minutes("09:30", "09:31"), rules(label=TimestampLabel.SESSION), ["'session'", "data.timezone"]),
    (
        "session of a week",
        bars(),
        rules(label=TimestampLabel.SESSION, frequency_ns=7 * 86_400 * 10**9),
        ["'session'", "data.frequency is not 1d"],
    ),
    ("bar_end alone", bars(bar_end=DAYS), rules(), ["'bar_end' is alone", "both"]),
    (
        "bar without length",
        bars(drop=("timestamp",), bar_start=DAYS, bar_end=DAYS),
        rules(),
        ["row 0", "bar_end is not after bar_start"],
    ),
    (
        "naive and aware columns",
        bars(
            bar_start=[datetime(2024, 1, d, 9) for d in (2, 3, 4)],
            bar_end=[datetime(2024, 1, d, 16, tzinfo=UTC) for d in (2, 3, 4)],
        ),
        rules(),
        ["some time columns have a time zone and some have none"],
    ),
    (
        "pandas naive and aware",
        pd.DataFrame(GOOD | {"timestamp": MIXED}),
        rules(),
        ["mixes the time zones", "'None'", "UTC"],
    ),
    (
        "pandas index of naive and aware times",
        pd.DataFrame({k: v for k, v in GOOD.items() if k != "timestamp"}, index=pd.Index(MIXED, dtype=object)),
        rules(),
        ["mixes the time zones", "'None'", "UTC"],
    ),
    ("empty", bars().clear(), rules(), ["there are no rows"]),
    ("pandas empty", pd.DataFrame(), rules(), ["there are no rows"]),
    ("universe lacks", bars(), rules(universe=("SPY", "NDX")), ["lacks the symbol 'SPX'", "Did you mean 'SPY'?"]),
    ("universe too large", bars(), rules(universe=("SPX", "SP")), ["'SP', which has no rows"]),
    ("universe twice", bars(), rules(universe=("SPX", "SPX")), ["names 'SPX' twice"]),
    (
        "start after end",
        bars(),
        rules(start=date(2024, 2, 1), end=date(2024, 1, 1)),
        ["2024-02-01 is after", "2024-01-01"],
    ),
    ("empty period", bars(), rules(end=Y_2012), ["no row lies between", "from 2024-01-02T00:00:00Z to 2024-01-04"]),
    ("a dict", GOOD, rules(), ["a dict is not accepted", "Polars DataFrame"]),
    ("a number", 7, rules(), ["a int is not accepted"]),
    ("a series", bars()["close"], rules(), ["a Series is not accepted"]),
    (
        "pandas price pairs",
        pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
        rules(),
        ["(price, ticker)"],
    ),
    ("lazy, no such file", pl.scan_parquet("/nowhere/x.parquet"), rules(), ["LazyFrame cannot be read"]),
]


@pytest.mark.parametrize(("source", "given", "fragments"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bad_frames_raise_data_errors_that_name_place_and_remedy(source, given, fragments):
    with pytest.raises(DataError) as caught:
        load_bars(source, given)
    message = str(caught.value)
    assert message.startswith("bars (frame)")
    for fragment in fragments:
        assert fragment in message


def test_the_good_frame_of_the_table_is_good():
    assert len(load_bars(bars(), rules()).end) == 3


HEADER = "timestamp,symbol,open,high,low,close,volume\n"
LINE = "2024-01-02,SPX,10,12,9,11,100\n"
LINE_2 = "2024-01-03,SPX,10,12,9,11,100\n"


def parquet_bytes():
    import io

    buffer = io.BytesIO()
    bars().write_parquet(buffer)
    return buffer.getvalue()


# name, file name, bytes, fragments
FILES = [
    ("zero bytes parquet", "x.parquet", b"", ["empty (0 bytes)"]),
    ("zero bytes csv", "x.csv", b"", ["empty (0 bytes)"]),
    ("truncated parquet", "x.parquet", parquet_bytes()[:-20], ["truncated or damaged"]),
    ("headless parquet", "x.parquet", parquet_bytes()[4:], ["not a Parquet file"]),
    ("csv named parquet", "x.parquet", (HEADER + LINE).encode(), ["not a Parquet file"]),
    ("excel named parquet", "x.parquet", b"PK\x03\x04" + b"0" * 99, ["ZIP archive or Excel"]),
    ("parquet named csv", "x.csv", parquet_bytes(), ["not a CSV", "a Parquet file"]),
    ("gzip named csv", "x.csv", b"\x1f\x8b\x08\x00" + b"a" * 50, ["gzip-compressed"]),
    ("pickle", "x.pkl", b"\x80\x04.", [".pkl files are never read", "run code"]),
    ("npy", "x.npy", b"\x93NUMPY", ["never read"]),
    ("excel", "x.xlsx", b"PK\x03\x04", [".xlsx is not supported"]),
    ("no extension", "x", b"abc", ["(none) is not supported"]),
    ("header only", "x.csv", HEADER.encode(), ["there are no rows"]),
    ("UTF-16", "x.csv", (HEADER + LINE).encode("utf-16"), ["UTF-16", "UTF-8"]),
    ("UTF-16 without mark", "x.csv", (HEADER + LINE).encode("utf-16-le"), ["UTF-16"]),
    ("semicolons", "x.csv", (HEADER + LINE).replace(",", ";").encode(), ["separated by ';'", "decimal commas"]),
    ("tabs", "x.csv", (HEADER + LINE).replace(",", "\t").encode(), ["separated by tabs"]),
    ("NUL byte", "x.csv", (HEADER + LINE + "2024-01-03,S\0X,10,12,9,11,1\n").encode(), ["line 3", "NUL byte"]),
    (
        "too many cells",
        "x.csv",
        (HEADER + LINE + "2024-01-03,SPX,10,12,9,11,1,000\n").encode(),
        ["row 1 (line 3)", "8 cells", "7"],
    ),
    ("too few cells", "x.csv", (HEADER + LINE + "2024-01-03,SPX,10\n").encode(), ["row 1 (line 3)", "3 cells"]),
    (
        "quoted decimal comma",
        "x.csv",
        (HEADER + '2024-01-02,SPX,"10,5",12,9,11,1\n').encode(),
        ["row 0 (line 2)", "decimal comma"],
    ),
    (
        "text in a price",
        "x.csv",
        (HEADER + LINE + "2024-01-03,SPX,10,12,9,N/A,1\n").encode(),
        ["row 1 (line 3)", "'N/A'", "'close'"],
    ),
    ("american dates", "x.csv", (HEADER + "01/02/2024,SPX,10,12,9,11,1\n").encode(), ["ISO 8601", "'01/02/2024'"]),
    ("compact dates", "x.csv", (HEADER + "20240102,SPX,10,12,9,11,1\n").encode(), ["Int64", "20240102"]),
    (
        "mixed dates",
        "x.csv",
        (HEADER + LINE + LINE_2.replace("-03", "-03T10:00:00")).encode(),
        ["row 1 (line 3)", "one ISO 8601 form"],
    ),
    (
        "mixed zones",
        "x.csv",
        (HEADER + LINE.replace("02,", "02T09:30:00Z,", 1) + LINE_2.replace("03,", "03T09:30:00,", 1)).encode(),
        ["expected Date or Datetime", "all with an offset or all without"],
    ),
    ("column twice", "x.csv", (HEADER.replace("open", "close") + LINE).encode(), ["'close' appears twice"]),
    ("not UTF-8", "x.csv", HEADER.encode() + b"2024-01-02,\xff\xfe\xfd,10,12,9,11,1\n", ["cannot be read", "UTF-8"]),
    ("a million columns", "x.csv", b",".join(b"%d" % i for i in range(20_000)) + b"\n1\n", ["10000 columns"]),
    (
        "missing price in csv",
        "x.csv",
        (HEADER + LINE + "2024-01-03,SPX,10,12,9,,1\n").encode(),
        ["row 1 (line 3)", "'close'", "None"],
    ),
]


@pytest.mark.parametrize(("name", "content", "fragments"), [c[1:] for c in FILES], ids=[c[0] for c in FILES])
def test_bad_files_raise_data_errors_that_name_the_file(tmp_path, name, content, fragments):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_bars(path, rules())
    message = str(caught.value)
    assert message.startswith(f"bars (file {path})")
    for fragment in fragments:
        assert fragment in message


def test_a_parquet_file_that_memory_cannot_hold_is_not_unpacked(tmp_path, monkeypatch):
    """A million equal rows are a small file; the machine is said to be smaller than they are."""
    path = tmp_path / "bomb.parquet"
    bars().head(1).select(pl.all().repeat_by(1_000_000).explode()).write_parquet(path)
    assert path.stat().st_size < 200_000
    monkeypatch.setattr("ml4t.backtest.feed.file.MEMORY", 10_000_000)
    monkeypatch.setattr("polars.read_parquet", None)  # calling it fails
    with pytest.raises(
        DataError, match=r"bomb.parquet\): the file has 1,000,000 rows of 7 columns, more than the 0.0 GB"
    ):
        frame_of(path)


def test_missing_files_and_directories_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        frame_of(tmp_path / "nothing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a directory"):
        frame_of(str(tmp_path / "folder.csv"))


def test_a_damaged_parquet_file_is_a_data_error_or_still_readable_whatever_byte_is_wrong(tmp_path):
    good, path = parquet_bytes(), tmp_path / "x.parquet"
    refused = 0
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        try:
            load_bars(path, rules())
        except DataError:
            refused += 1
    assert refused > 20


SIGNAL = {
    "timestamp": [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 11)],
    "symbol": ["SPX", "NDX"],
    "score": [1.0, 2.0],
}
INFORMATION = [
    (
        "arrival before event",
        {"arrival": [datetime(2024, 1, 2, 10), datetime(2024, 1, 2, 10, 59)]},
        ["row 1", "'arrival'", "before the event"],
    ),
    ("unknown symbol", {"symbol": ["SPX", "NDQ"]}, ["row 1", "no symbol 'NDQ'", "Did you mean 'NDX'?"]),
    ("no value", {"score": ["a", "b"]}, ["no numeric column"]),
    ("null arrival", {"arrival": [datetime(2024, 1, 2, 10), None]}, ["row 1", "time is null"]),
    ("text arrival", {"arrival": ["a", "b"]}, ["'arrival'", "String"]),
    ("aware arrival", {"arrival": [datetime(2024, 1, 2, 12, tzinfo=UTC)] * 2}, ["one of timestamp and arrival"]),
    (
        "duplicate",
        {
            "timestamp": [datetime(2024, 1, 2, 10)] * 2,
            "symbol": ["SPX"] * 2,
            "known_at": [datetime(2024, 1, 2, 11)] * 2,
        },
        ["row 1", "as row 0"],
    ),
    ("unsorted", {"timestamp": [datetime(2024, 1, 2, 11), datetime(2024, 1, 2, 10)]}, ["row 1", "out of order"]),
]


@pytest.mark.parametrize(("changes", "fragments"), [c[1:] for c in INFORMATION], ids=[c[0] for c in INFORMATION])
def test_bad_information_raises_data_errors(changes, fragments):
    with pytest.raises(DataError) as caught:
        load_information(pl.DataFrame(SIGNAL | changes), rules(), name="signals", symbols=("SPX", "NDX"))
    message = str(caught.value)
    assert message.startswith("signals (frame)")
    for fragment in fragments:
        assert fragment in message


def test_wrong_zones_and_session_times_are_config_errors():
    with pytest.raises(ConfigError, match="America/New_York"):
        load_bars(bars(), rules(timezone="America/NewYork"))
    with pytest.raises(ConfigError, match="bar_start"):
        SessionTimes(time(18), time(17), "America/Chicago")
    with pytest.raises(ConfigError, match="time zone"):
        SessionTimes(time(9), time(17), "Mars")


def test_times_outside_the_gap_and_fold_are_read():
    frame = minutes("00:59", "02:01", day=date(2024, 11, 3))
    stream = load_bars(frame, rules(timezone=NY, frequency_ns=60 * 10**9))
    expected = [datetime(2024, 11, 3, 0, 59, tzinfo=ZoneInfo(NY)), datetime(2024, 11, 3, 2, 1, tzinfo=ZoneInfo(NY))]
    assert stream.start.tolist() == [int(t.timestamp()) * 10**9 for t in expected]
    assert expected[1] - expected[0].astimezone(UTC) == timedelta(hours=2, minutes=2)
