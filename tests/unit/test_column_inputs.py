"""Where columns come from: the bars, frames long and wide, arrays; and when each row is known."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import (
    BacktestError,
    ConfigError,
    DataError,
    Signals,
    Strategy,
    TargetWeights,
    UnknownFieldError,
    run,
)
from ml4t.backtest.artifacts import verify
from ml4t.backtest.datasets import us_indices
from told import bars, minute

FLAT = (100.0, 100.0, 100.0, 100.0)
ENTRY = {"A": [0, 1, 0, 0, 0, 1], "B": [0, 0, 1, 0, 0, 0]}
LEAVE = {"A": [0, 0, 0, 1, 0, 0], "B": [0, 0, 0, 0, 1, 0]}
BARS = bars(*[(100.0 + n,) * 4 for n in range(7)], symbols="AB")
TIMES = [minute(n) for n in range(6)]


def long(values: dict[str, list[int]], name: str, **more: Any) -> pl.DataFrame:
    """Rows out of order of symbol, labelled like the bars."""
    rows = [(TIMES[n], symbol, values[symbol][n]) for n in range(6) for symbol in "BA"]
    return pl.DataFrame(rows, schema=["timestamp", "symbol", name], orient="row").with_columns(**more)


def wide(values: dict[str, list[int]]) -> pl.DataFrame:
    return pl.DataFrame({"timestamp": TIMES, "B": values["B"], "A": values["A"]})


def array(values: dict[str, list[int]]) -> np.ndarray[Any, Any]:
    return np.array([[*values["A"], 0], [*values["B"], 0]]).T


def joined() -> pl.DataFrame:
    return BARS.join(long(ENTRY, "e"), on=["timestamp", "symbol"], how="left").join(
        long(LEAVE, "x"), on=["timestamp", "symbol"], how="left"
    )


def sparse(values: dict[str, list[int]]) -> pl.DataFrame:
    """Only the rows that say yes: the gaps between them say nothing about the length of a bar."""
    return long(values, "any").filter(pl.col("any") == 1)


BOTH = long(ENTRY, "e").with_columns(x=long(LEAVE, "x")["x"])
SAME = {
    "columns of the bars": (Signals(entries="e", exits="x", size=3), {"data": joined()}),
    "long": (Signals(entries=long(ENTRY, "e"), exits=long(LEAVE, "x"), size=3), {}),
    "sparse": (Signals(entries=sparse(ENTRY), exits=sparse(LEAVE), size=3), {}),
    "wide": (Signals(entries=wide(ENTRY), exits=wide(LEAVE), size=3), {}),
    "arrays": (Signals(entries=array(ENTRY), exits=array(LEAVE).astype(bool), size=3), {}),
    "pandas": (Signals(entries=wide(ENTRY).to_pandas(), exits=long(LEAVE, "x").to_pandas(), size=3), {}),
    "one frame": (Signals(frame=BOTH, entries="e", exits="x", size=3), {}),
    "streams": (Signals(entries="mine:e", exits="mine:x", size=3), {"streams": {"mine": BOTH}}),
    "signals": (Signals(entries="signals:e", exits="signals:x", size=3), {"signals": BOTH}),
    "mixed": (Signals(entries="e", exits=array(LEAVE), size=3), {"data": joined().drop("x")}),
    "arrivals": (
        Signals(
            entries=long(ENTRY, "e", known_at=pl.col("timestamp").dt.offset_by("1m")),
            exits=long(LEAVE, "x", arrival=pl.col("timestamp").dt.offset_by("61s")),
            size=3,
        ),
        {"exits_later": True},
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_every_input_gives_the_same_fills(name: str) -> None:
    strategy, given = SAME[name]
    later = 1 if given.pop("exits_later", False) else 0
    data = given.pop("data", BARS)
    found = run(strategy, data, cash=10_000, **given).fills.select("symbol", "side", "quantity", "price").rows()
    assert found == [
        ("A", "buy", 3, 102),
        ("B", "buy", 3, 103),
        ("A", "sell", 3, 104 + later),
        ("B", "sell", 3, 105 + later),
        ("A", "buy", 3, 106),
    ]


def test_a_row_is_decided_with_the_bar_that_ends_after_it_is_known() -> None:
    """Known at 10:30:05: the bar that ends at 10:30 has been decided, the one that ends at 10:31 decides, and the open of 10:31 fills."""
    data = bars(*[(100.0 + n,) * 4 for n in range(40)])
    known = pl.Series([datetime(2024, 3, 5, 10, 30, 5, tzinfo=UTC)])
    signal = pl.DataFrame({"timestamp": known, "arrival": known, "symbol": ["A"], "buy": [True]})
    fill = run(Signals(entries=signal, size=1), data).fills.row(0, named=True)
    assert (fill["timestamp"], fill["price"]) == (datetime(2024, 3, 5, 10, 31, tzinfo=UTC), 131.0)
    exactly = signal.with_columns(
        arrival=pl.lit(datetime(2024, 3, 5, 10, 30, tzinfo=UTC)), timestamp=pl.col("arrival") - timedelta(minutes=1)
    )
    fill = run(Signals(entries=exactly, size=1), data).fills.row(0, named=True)
    assert (fill["timestamp"], fill["price"]) == (datetime(2024, 3, 5, 10, 30, tzinfo=UTC), 130.0)


def test_of_several_rows_since_the_bar_before_one_yes_is_enough() -> None:
    known = [minute(1) + timedelta(seconds=second) for second in (5, 20, 40)]
    signal = pl.DataFrame({"timestamp": known, "arrival": known, "symbol": ["A"] * 3, "buy": [0, 1, 0]})
    data = bars(*[(100.0 + n,) * 4 for n in range(5)])
    assert run(Signals(frame=signal, entries="buy", size=1), data).fills["price"].to_list() == [102]


def test_a_symbol_without_a_bar_is_decided_at_its_next() -> None:
    """B has no bars 2 and 3; its signal of bar 2 is decided when bar 4 ends."""
    gaps = BARS.filter(~((pl.col("symbol") == "B") & pl.col("timestamp").is_in([minute(2), minute(3)])))
    fills = run(Signals(entries=wide({"A": [0] * 6, "B": [0, 0, 1, 0, 0, 0]}), size=1), gaps).fills
    assert fills.select("symbol", "price").rows() == [("B", 105)]
    arrayed = run(Signals(entries=array({"A": [0] * 6, "B": [0, 0, 1, 0, 0, 0]}), size=1), gaps).fills
    assert arrayed.equals(fills)


def test_rows_of_the_warm_up_are_not_decided() -> None:
    """After two bars of warm-up the third is decided; it sees its own row, not the entries before."""
    early = {"A": [1, 0, 0, 0, 0, 0], "B": [1, 1, 1, 0, 0, 0]}
    for strategy in (Signals(entries=wide(early), size=1), Signals(entries=long(early, "e"), size=1)):
        fills = run(strategy, BARS, warmup=2).fills
        assert fills.select("symbol", "price").rows() == [("B", 103)]


def test_labels_at_the_end_of_bars() -> None:
    """A frame labelled by its bars' ends, as the bars are, is known when they end."""
    ends = BARS.with_columns(pl.col("timestamp").dt.offset_by("1m"))
    moved = long(ENTRY, "e").with_columns(pl.col("timestamp").dt.offset_by("1m"))
    config = {"data": {"label": "end"}}
    assert run(Signals(entries=moved, size=3), ends, config).fills["price"].to_list() == [102, 103]


def test_dates_beside_daily_bars() -> None:
    spx = us_indices().filter(symbol="SPX").head(5)
    entry = pl.DataFrame({"timestamp": [spx["timestamp"][1]], "symbol": ["SPX"], "e": [1]})
    assert run(Signals(entries=entry, size=1), spx).fills["price"].to_list() == [spx["open"][2]]
    no_symbol = entry.drop("symbol")
    assert run(Signals(entries=no_symbol, size=1), spx).fills["price"].to_list() == [spx["open"][2]]
    assert run(Signals(frame=no_symbol, entries="e", size=1), spx).fills["price"].to_list() == [spx["open"][2]]
    assert run(Signals(entries=np.arange(5) == 1, size=1), spx).fills["price"].to_list() == [spx["open"][2]]


def test_a_saved_run_with_frames_can_be_verified(tmp_path: Path) -> None:
    spx = us_indices().filter(pl.col("timestamp") < date(1999, 6, 1))
    result = run(Signals(entries=wide_dates(spx), size=3), spx)
    assert result.fills.height == 1
    assert verify(result.save(tmp_path / "saved")).outcome.name == "IDENTICAL"


def wide_dates(spx: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"date": spx["timestamp"].unique().sort()[3:5], "NASDAQ": [0.0, None], "SPX": [1.0, 0.0]})


# -------------------------------------------------------------------------------------------------------------- errors
FREE = bars(*[FLAT] * 3, symbols="AB")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"entries": "enrty"}, "entries='enrty': the bars have no such column. Did you mean 'entry'?"),
        ({"entries": "other:e"}, "Signals needs stream 'other': pass streams={'other': ...} to run()."),
        (
            {"entries": np.zeros((2, 2))},
            "shape (2, 2) does not fit the bars. They end at 3 instants and have 2 symbols (A, B)",
        ),
        ({"entries": np.zeros(3)}, "shape (3,) does not fit the bars"),
        ({"entries": np.full((3, 2), "yes")}, "holds no numbers"),
        ({"entries": wide(ENTRY).rename({"B": "C"})}, "column 'C': the column 'C' is no symbol of the bars"),
        ({"entries": wide(ENTRY).with_columns(A=pl.lit("yes"))}, "column 'A': expected numbers, found String"),
        (
            {"entries": BOTH},
            "there are 2 columns of numbers (e, x), and entries is one. Select it, or name it: frame=..., entries='e'",
        ),
        ({"entries": BOTH.select("timestamp", "symbol")}, "there is no column beside the times"),
        ({"entries": long(ENTRY, "e").with_columns(symbol=pl.lit("C"))}, "the bars have no symbol 'C'"),
        ({"entries": long(ENTRY, "e").drop("timestamp")}, "no column 'timestamp'"),
        ({"frame": BOTH.drop("symbol"), "entries": "e"}, "there is no symbol column"),
        (
            {"frame": BOTH.rename({"e": "entry"}), "entries": "entry"},
            "'entry' is a column of the bars and of frame=. Rename",
        ),
        (
            {"entries": BOTH.select("timestamp", "symbol", "e").head(2).with_columns(pl.col("timestamp").dt.date())},
            "data.session",
        ),
        ({"entries": {"A": [1]}}, "a dict is not accepted"),
    ],
)
def test_what_is_wrong_is_named(rules: dict[str, Any], message: str) -> None:
    data = FREE.with_columns(entry=True)
    with pytest.raises((DataError, ConfigError)) as raised:
        run(Signals(**rules), data)
    assert message in str(raised.value)


def test_a_column_that_a_stream_lacks_is_named() -> None:
    with pytest.raises(UnknownFieldError, match="No column 'f' in stream 'mine'"):
        run(Signals(entries="mine:f"), BARS, streams={"mine": BOTH})


@pytest.mark.parametrize("symbols", ["A", "AB"])
@pytest.mark.parametrize("rule", ["entries", "size", "weights", "groups"])
def test_a_stream_without_symbols_is_no_column(symbols: str, rule: str) -> None:
    general = pl.DataFrame({"timestamp": TIMES, "on": [1] * 6})
    strategy = {
        "entries": lambda: Signals(entries="macro:on"),
        "size": lambda: Signals(entries="e", size="macro:on"),
        "weights": lambda: TargetWeights("macro:on"),
        "groups": lambda: TargetWeights("e", groups="macro:on", group_cap=0.5),
    }[rule]()
    data = bars(*[FLAT] * 7, symbols=symbols).with_columns(e=1)
    message = rf"{rule}='macro:on': the stream 'macro' has no symbol column.*the bars have {', '.join(symbols)}\)"
    with pytest.raises(DataError, match=message):
        run(strategy, data, streams={"macro": general})
    listed = pl.concat([general.with_columns(symbol=pl.lit(symbol)) for symbol in symbols])
    assert run(strategy, data, {"data": {"sort": True}}, streams={"macro": listed}).orders.height


def test_a_stream_that_is_brought_twice() -> None:
    with pytest.raises(ConfigError, match="Signals brings its own stream 'entries': do not pass streams="):
        run(Signals(entries=wide(ENTRY)), BARS, streams={"entries": BOTH})


def test_times_beside_daily_bars_need_an_arrival() -> None:
    spx = us_indices().filter(symbol="SPX").head(5)
    timed = pl.DataFrame({"timestamp": [datetime(1999, 1, 5, 10, 30)], "symbol": ["SPX"], "e": [1]})
    with pytest.raises(
        DataError,
        match=r"labelled by dates, and these rows are not. Say when each row becomes known: add the column arrival",
    ):
        run(Signals(entries=timed), spx)


def test_bars_without_a_length_need_an_arrival() -> None:
    start = BARS["timestamp"]
    odd = BARS.drop("timestamp").with_columns(bar_start=start, bar_end=start.dt.offset_by("37s"))
    with pytest.raises(DataError, match=r"no common length.*add the column arrival"):
        run(Signals(entries=long(ENTRY, "e")), odd)
    bounded = (
        long(ENTRY, "e")
        .with_columns(bar_start="timestamp", bar_end=pl.col("timestamp").dt.offset_by("37s"))
        .drop("timestamp")
    )
    assert run(Signals(entries=bounded, size=3), odd).fills["price"].to_list() == [102, 103]


def test_any_strategy_may_bring_streams() -> None:
    class Reads(Strategy):
        def inputs(self, bars: Any) -> dict[str, Any]:
            return {"scores": long(ENTRY, "score"), "signals": sparse(LEAVE)}

        def on_bar(self) -> None:
            self.record("A", self.data.value("A", "score", stream="scores"))

        def on_signal(self, signal: Any) -> None:
            self.log(signal.symbol, signal.values)

    result = run(Reads(), BARS)
    assert result.records["value"].to_list() == [0, 1, 0, 0, 0, 1, 1]
    assert result.log["message"].to_list() == ["A {'any': 1.0}", "B {'any': 1.0}"]
    assert {source.name for source in result.inputs} == {"bars", "scores", "signals"}


def test_a_bar_is_new_where_it_ends() -> None:
    gaps = BARS.filter(~((pl.col("symbol") == "B") & (pl.col("timestamp") == minute(2))))
    seen = []

    class Looks(Strategy):
        def on_bar(self) -> None:
            seen.append((self.data.is_new("A"), self.data.is_new("B")))

    run(Looks(), gaps)
    assert seen == [(True, number != 2) for number in range(7)]


def test_columns_are_named() -> None:
    class Looks(Strategy):
        def on_end(self) -> None:
            assert self.data.columns() == ("open", "high", "low", "close", "volume", "e", "x")
            assert self.data.columns("mine") == ("e", "x")
            assert (self.data.count("A", "mine"), self.data.count("A")) == (6, 7)
            with pytest.raises(UnknownFieldError, match=r"No stream 'mien'. Did you mean 'mine'"):
                self.data.columns("mien")

    assert isinstance(BacktestError, type)
    run(Looks(), joined(), streams={"mine": BOTH})
