"""The market as it is known now: views that end at this instant."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest._jit import Handle
from ml4t.backtest.allocation import grow
from ml4t.backtest.errors import LookAheadError, UnknownFieldError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.indicator import MAX, MEAN, MIN, RANK, SLOPE, STD, WEIGHTED_MEAN
from ml4t.backtest.kernel.memory import EMA, RSI
from ml4t.backtest.lookup import Fields, Symbols
from ml4t.backtest.lower import PRICES
from ml4t.backtest.tables import MEMORIES, MEMORY_ROOM, NOW, State

NAN = float("nan")
Window = NDArray[np.float64]


class Bar(NamedTuple):
    """The last bar of a symbol that has ended. Times are UTC nanoseconds."""

    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Regression(NamedTuple):
    """A least-squares line: value of `symbol` = intercept + slope · value of `on`; `deviation` is that of the residuals (n − 2)."""

    slope: float
    intercept: float
    deviation: float


def checked_count(count: Any) -> int:
    """The count of rows asked for. Raises LookAheadError where it reaches beyond now."""
    if isinstance(count, int | np.integer) and not isinstance(count, bool) and count >= 1:
        return int(count)
    if isinstance(count, int | np.integer) and count < 0:
        raise LookAheadError(
            f"A window of {count} rows would reach into the future; windows end now. Ask for 1 or more rows."
        )
    raise ValueError(f"A window has a whole number of rows, 1 or more; {count!r} was given.")


class MarketData:
    """Point-in-time view of all streams. Nothing here holds a row that is not known yet.

    Each column of the bars is a method: `close(symbol)` is the last value (NaN before the first), `close(symbol, n)` the last n
    as a read-only view [≤ n], oldest first. `open`, `high`, `low`, `close`, `volume` and any further column work alike.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Peek(Strategy):
    ...     def on_end(self):
    ...         print(self.data.count("SPX"), self.data.close("SPX", 2))
    >>> _ = run(Peek(), us_indices())
    5031 [2485.73999  2506.850098]
    """

    def __init__(self, handle: Handle, bars: Stream, streams: Sequence[Stream]) -> None:
        state: State = handle.state
        self.symbols: tuple[str, ...] = bars.symbols
        self._handle = handle
        self._bars = bars
        self._numbers = Symbols(bars.symbols)
        names = (*PRICES, *(name for name in bars.columns if name not in PRICES))
        self._fields = {"bars": Fields("the bars", names)}
        self._streams = {"bars": 0}
        self._general = {stream.name for stream in streams if not (stream.symbol >= 0).any()}
        for number, stream in enumerate(streams, 1):
            self._fields[stream.name] = Fields(f"stream {stream.name!r}", tuple(stream.columns))
            self._streams[stream.name] = number
        # over a read-only buffer: a strategy cannot make its windows writable again
        self._value: Window = np.frombuffer(memoryview(state.history.value).toreadonly(), np.float64)  # type: ignore[arg-type]
        self._begin: list[int] = state.history.begin.tolist()
        self._known = memoryview(state.history.known)  # type: ignore[arg-type]
        self._row = memoryview(state.market.row)  # type: ignore[arg-type]
        self._end = memoryview(state.bars.end)  # type: ignore[arg-type]
        self._clock = memoryview(state.clock)  # type: ignore[arg-type]
        self._window = entry_point("window")
        self._recursive = entry_point("recursive")
        for name in names:
            if hasattr(type(self), name):
                warnings.warn(
                    f"The column {name!r} is hidden by `data.{name}`: read it with data.value(symbol, {name!r}), or rename it.",
                    stacklevel=4,
                )
            elif name.isidentifier():
                setattr(self, name, self._reader(name))

    def _reader(self, field: str) -> Callable[..., Any]:
        """The method of one column of the bars; a closure, because it is called more than anything else."""
        numbers, begin, known = self._numbers, self._begin, self._known
        plain: dict[str, int] = dict(numbers)  # an exact dictionary is faster than one with a message
        place, n, symbols = self._fields["bars"][field], len(self._bars.end), len(self.symbols)
        column = self._value[place * n : (place + 1) * n]
        latest = memoryview(self._handle.state.history.latest)[place * symbols : (place + 1) * symbols]

        def read(symbol: str, count: int | None = None) -> Any:
            try:
                number = plain[symbol]
            except KeyError:
                number = numbers[symbol]  # says what there is
            if count is None:
                return latest[number]
            if count.__class__ is not int or count < 1:
                count = checked_count(count)
            end, first = known[number], begin[number]
            return column[max(first, end - count) : end]  # max() would cost half of the call

        read.__name__ = field
        read.__doc__ = f"Last known {field} of a symbol (NaN before the first), or a read-only view of the last `count`, oldest first."
        return read

    def unknown(self, name: str) -> UnknownFieldError:
        """The error for a column that is not there. (`__getattr__` would slow every other attribute down.)"""
        known = self._fields["bars"]
        return UnknownFieldError(
            f"The bars have no column {name!r}.{nearest(name, known)} There are {', '.join(known)}."
        )

    def _place(self, symbol: str | None, field: str, stream: str) -> tuple[int, int, int, int]:
        """Offset of the column, first and end row of the series, and the series."""
        number = self._number(stream)
        state: State = self._handle.state
        offset = int(state.streams.value_first[number]) + self._fields[stream][field] * int(state.streams.rows[number])
        series = self._series(symbol, stream)
        return offset, self._begin[series], self._known[series], series

    def _number(self, stream: str) -> int:
        if stream not in self._streams:
            raise UnknownFieldError(
                f"No stream {stream!r}.{nearest(stream, self._streams)} There are {', '.join(self._streams)}."
            )
        return self._streams[stream]

    def _series(self, symbol: str | None, stream: str) -> int:
        number, symbols = self._number(stream), len(self.symbols)
        series = symbols if symbol is None else self._numbers[symbol]
        if number > 0:
            return series + symbols + (number - 1) * (symbols + 1)
        if symbol is None:
            raise UnknownFieldError("Every bar has a symbol: say which one.")
        return series

    def count(self, symbol: str | None, stream: str = "bars") -> int:
        """How many bars of the symbol, or rows of another stream, are known. `symbol=None`: rows that concern no symbol."""
        if stream == "bars" and symbol is not None:
            number = self._numbers[symbol]
        else:
            number = self._series(symbol, stream)
        return int(self._known[number] - self._begin[number])

    def is_new(self, symbol: str) -> bool:
        """Whether a bar of the symbol ended at this instant."""
        row = self._row[self._numbers[symbol]]
        return row >= 0 and self._end[row] == self._clock[NOW]

    def columns(self, stream: str = "bars") -> tuple[str, ...]:
        """The names of a stream's columns. Raises UnknownFieldError where there is no such stream."""
        self._number(stream)
        return tuple(self._fields[stream])

    def has_symbols(self, stream: str = "bars") -> bool:
        """Whether rows of a stream are of symbols; else they are read with `symbol=None`."""
        self._number(stream)
        return stream not in self._general

    def value(self, symbol: str | None, field: str, *, stream: str = "bars") -> float:
        """The last known value of a column, NaN before the first. `symbol=None`: rows that concern no symbol."""
        offset, begin, known, _ = self._place(symbol, field, stream)
        return float(self._value[offset + known - 1]) if known > begin else float("nan")

    def window(self, symbol: str | None, field: str, count: int, *, stream: str = "bars") -> Window:
        """The last `count` known values of a column (fewer at the beginning), oldest first: a read-only view [≤ count]."""
        offset, begin, known, _ = self._place(symbol, field, stream)
        return self._value[offset + max(known - checked_count(count), begin) : offset + known]

    def signal(self, symbol: str | None, name: str) -> float:
        """The last known value of a signal, NaN before the first has arrived."""
        return self.value(symbol, name, stream="signals")

    def bar(self, symbol: str) -> Bar | None:
        """The last bar of the symbol that has ended, None before the first."""
        row = int(self._handle.state.market.row[self._numbers[symbol]])
        if row < 0:
            return None
        b = self._handle.state.bars
        prices = (float(column[row]) for column in (b.open, b.high, b.low, b.close, b.volume))
        return Bar(int(b.start[row]), int(b.end[row]), *prices)

    # ------------------------------------------------------------------------------------------------------ indicators
    def _span(self, symbol: str, field: str, least: int) -> tuple[int, int] | None:
        """Places of the series' first value and past its last in the flat history; None where fewer than `least` are known."""
        if field == "close":
            number = self._numbers[symbol]
            offset, begin, known = 3 * len(self._bars.end), self._begin[number], self._known[number]
        else:
            offset, begin, known, _ = self._place(symbol, field, "bars")
        return None if known - begin < least else (offset + begin, offset + known)

    def _reduced(self, what: int, symbol: str, count: int, field: str) -> float:
        n = checked_count(count)
        span = self._span(symbol, field, n)
        return NAN if span is None else float(self._window(self._handle.key, what, span[1] - n, span[1]))

    def _remembered(self, what: int, symbol: str, count: int, field: str, least: int) -> float:
        n = checked_count(count)
        span = self._span(symbol, field, least)
        if span is None:
            return NAN
        state: State = self._handle.state
        if 2 * (state.clock[MEMORIES] + 1) > len(state.memories.key):
            state.needs[:] = 0
            state.needs[MEMORY_ROOM] = len(state.memories.key)
            grow(self._handle)
        return float(self._recursive(self._handle.key, what, *span, n))

    def mean(self, symbol: str, count: int, field: str = "close") -> float:
        """The mean of the last `count` values, NaN while fewer are known."""
        return self._reduced(MEAN, symbol, count, field)

    def std(self, symbol: str, count: int, field: str = "close") -> float:
        """The sample standard deviation (divisor count − 1) of the last `count` values, NaN while fewer are known."""
        return self._reduced(STD, symbol, count, field)

    def min(self, symbol: str, count: int, field: str = "close") -> float:
        """The smallest of the last `count` values, NaN while fewer are known."""
        return self._reduced(MIN, symbol, count, field)

    def max(self, symbol: str, count: int, field: str = "close") -> float:
        """The largest of the last `count` values, NaN while fewer are known."""
        return self._reduced(MAX, symbol, count, field)

    def wma(self, symbol: str, count: int, field: str = "close") -> float:
        """The mean of the last `count` values with weights 1 (oldest) to `count` (newest), NaN while fewer are known."""
        return self._reduced(WEIGHTED_MEAN, symbol, count, field)

    def rank(self, symbol: str, count: int, field: str = "close") -> float:
        """The average rank of the newest of the last `count` values, as a fraction: 1 for the largest, 1 / count for the smallest."""
        return self._reduced(RANK, symbol, count, field)

    def slope(self, symbol: str, count: int, field: str = "close") -> float:
        """The slope of the least-squares line through the last `count` values, change a bar; NaN while fewer are known."""
        return self._reduced(SLOPE, symbol, count, field)

    def ema(self, symbol: str, count: int, field: str = "close") -> float:
        """The exponential mean with weight 2 / (count + 1), started at the first value; NaN while fewer than `count` are known.

        Each call continues where the last one for the same series stopped.
        """
        return self._remembered(EMA, symbol, count, field, checked_count(count))

    def rsi(self, symbol: str, count: int = 14, field: str = "close") -> float:
        """Wilder's relative strength index, 0 to 100, 50 where nothing moved; NaN before count + 1 values.

        Gains and losses start as means of the first `count` changes; each further change weighs 1 / count.
        Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), ch. 6.
        """
        return self._remembered(RSI, symbol, count, field, checked_count(count) + 1)

    def atr(self, symbol: str, count: int = 14) -> float:
        """The average true range: the arithmetic mean of the last `count` true ranges, in price; NaN before count + 1 bars.

        A true range is max(high, close before) − min(low, close before). Wilder's smoothing (New Concepts in Technical Trading Systems,
        1978, ch. 3), which remembers every bar since the first, is replaced by a plain mean: it depends on count + 1 bars and nothing else.
        """
        return float(entry_point("range")(self._handle.key, self._numbers[symbol], checked_count(count)))

    def regression(self, symbol: str, on: str, count: int, field: str = "close") -> Regression:
        """The least-squares line of the last `count` values of `symbol` on the last `count` of `on`; NaN while fewer are known.

        Values are paired from the newest backwards: both symbols should have bars at the same instants.
        """
        n = checked_count(count)
        y, x = self._span(symbol, field, n), self._span(on, field, n)
        if y is None or x is None:
            return Regression(NAN, NAN, NAN)
        fit = entry_point("regression")
        return Regression(*(float(fit(self._handle.key, y[1] - n, x[1] - n, n, part)) for part in range(3)))

    def history(self, symbol: str, count: int | None = None) -> pl.DataFrame:
        """The known bars of a symbol, or the last `count`, as a frame: timestamp (the bar's end) and every column."""
        rows = self.count(symbol)
        last = rows if count is None else min(rows, checked_count(count))
        ends = self._bars.end[self._bars.symbol == self._numbers[symbol]][rows - last : rows]
        time = pl.Series("timestamp", ends, pl.Int64).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
        columns = [
            pl.Series(name, self.window(symbol, name, last).copy() if last else [], pl.Float64)
            for name in self._fields["bars"]
        ]
        return pl.DataFrame([time, *columns])
