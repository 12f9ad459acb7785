"""`self.data` and `self.clock` in compiled code: the same questions as `market_data.MarketData` answers."""

import operator
from typing import Any

from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ml4t.backtest._jit import column_address
from ml4t.backtest.compilation.name import field_number, inlined, series_number, stream_number, symbol_number
from ml4t.backtest.compilation.view import KNOWN, Clock, Data, attribute, function, is_given, method, state_of
from ml4t.backtest.enums import Mistake
from ml4t.backtest.kernel.decision import note_mistake
from ml4t.backtest.kernel.indicator import (
    MAX,
    MEAN,
    MIN,
    RANK,
    SLOPE,
    STD,
    WEIGHTED_MEAN,
    average_true_range,
    of_window,
    regression,
)
from ml4t.backtest.kernel.memory import EMA, RSI, recursive
from ml4t.backtest.lower import PRICES
from ml4t.backtest.market_data import MarketData, Regression
from ml4t.backtest.tables import NONE, NOW

NAN = float("nan")
WINDOW = types.Array(types.float64, 1, "C", readonly=True)


@intrinsic
def rows(typingctx: Any, column: Any, first: Any, last: Any) -> Any:
    """The elements first:last of a column, as a read-only array without owner."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address, start, end = args
        array = make_array(WINDOW)(context, builder)
        item = context.get_constant(types.intp, 8)
        data = builder.gep(builder.inttoptr(column_address(builder, sig.args[0], address), array.data.type), [start])
        length = builder.sub(end, start)
        populate_array(array, data=data, shape=[length], strides=[item], itemsize=item, meminfo=None)
        return array._getvalue()

    return WINDOW(column, types.intp, types.intp), codegen


@inlined
def at_least_one(state, count):
    """The count of rows; one below 1 is a mistake, and 1."""
    if count < 1:
        note_mistake(state, Mistake.BAD_COUNT, count, NONE)
        return 1
    return count


def _count(count: Any) -> None:
    if not isinstance(count, types.Integer):
        raise TypingError(f"a window has a whole number of rows, and this is a {count}")


# --------------------------------------------------------------------------------------------------------------- columns
@inlined
def latest(state, symbol, column):
    """The last known value of a column of the bars, NaN before the first."""
    return state.history.latest[column * state.market.mark.shape[0] + symbol]


@inlined
def newest_rows(state, offset, series, count):
    """The last `count` known rows of a series in the column that begins at `offset` of the flat history."""
    end = state.history.known[series]
    first = max(end - at_least_one(state, count), state.history.begin[series])
    return rows(state.history.value, offset + first, offset + end)


@inlined
def column_offset(state, stream, column):
    """Where a column of a stream begins in the flat history."""
    return state.streams.value_first[stream] + column * state.streams.rows[stream]


@inlined
def series_of(state, stream, symbol):
    """The series of a symbol in a stream (one past the last symbol: of no symbol)."""
    symbols = state.market.mark.shape[0]
    return symbol if stream == 0 else symbols + (stream - 1) * (symbols + 1) + symbol


def reader(find_column: Any) -> Any:
    """The method of one column of the bars: the last value, or the last `count`."""

    def column(self: Any, symbol: Any, count: Any = None) -> Any:
        number = symbol_number(symbol)
        if not is_given(count):

            def last(self, symbol, count=None):
                state = state_of(self)
                return latest(state, number(state, symbol), find_column(state))

            return last
        _count(count)

        def several(self, symbol, count=None):
            state = state_of(self)
            return newest_rows(state, column_offset(state, 0, find_column(state)), number(state, symbol), count)

        return several

    return column


def _price(place: int) -> Any:
    return inlined(lambda state: place)


_readable = set(vars(MarketData)) | set(PRICES)
for _place, _name in enumerate(PRICES):
    method(Data, _name)(reader(_price(_place)))


def make_readable(name: str) -> None:
    """A further column of the bars is a method of `self.data`, found by its name at run time."""
    if name in _readable or not name.isidentifier():
        return
    _readable.add(name)
    find = field_number(types.StringLiteral(name))
    method(Data, name)(reader(inlined(lambda state: find(state, 0, name))))
    KNOWN["Data"].remove(name)  # of this run's bars, not of `data`


@method(Data, "value")
def _value(self: Any, symbol: Any, field: Any, stream: Any = None) -> Any:
    number, column, source = series_number(symbol), field_number(field), stream_number(stream)
    return _value_with(number, column, source)


def _value_with(number: Any, column: Any, source: Any) -> Any:
    def value(self, symbol, field, stream=None):
        state = state_of(self)
        at = source(state, stream)
        series = series_of(state, at, number(state, symbol))
        known = state.history.known[series]
        if known == state.history.begin[series]:
            return NAN
        return state.history.value[column_offset(state, at, column(state, at, field)) + known - 1]

    return value


@method(Data, "signal")
def _signal(self: Any, symbol: Any, name: Any) -> Any:
    source = stream_number(types.StringLiteral("signals"))
    find = _value_with(
        series_number(symbol), field_number(name), inlined(lambda state, stream: source(state, "signals"))
    )
    value = inlined(find)
    return lambda self, symbol, name: value(self, symbol, name, None)


@method(Data, "window")
def _window(self: Any, symbol: Any, field: Any, count: Any, stream: Any = None) -> Any:
    _count(count)
    number, column, source = series_number(symbol), field_number(field), stream_number(stream)

    def window(self, symbol, field, count, stream=None):
        state = state_of(self)
        at = source(state, stream)
        series = series_of(state, at, number(state, symbol))
        return newest_rows(state, column_offset(state, at, column(state, at, field)), series, count)

    return window


@method(Data, "count")
def _known(self: Any, symbol: Any, stream: Any = "bars") -> Any:
    number, source = series_number(symbol), stream_number(None if isinstance(stream, str) else stream)

    def count(self, symbol, stream="bars"):
        state = state_of(self)
        series = series_of(state, source(state, stream), number(state, symbol))
        return state.history.known[series] - state.history.begin[series]

    return count


@method(Data, "is_new")
def _is_new(self: Any, symbol: Any) -> Any:
    number = symbol_number(symbol)

    def is_new(self, symbol):
        state = state_of(self)
        row = state.market.row[number(state, symbol)]
        return row >= 0 and state.bars.end[row] == state.clock[NOW]

    return is_new


@attribute(Data, "symbols")
def _symbols(self: Any) -> Any:
    return lambda self: range(state_of(self).market.mark.shape[0])


@function(operator.getitem)
def _at(symbols: Any, place: Any) -> Any:
    """Numba iterates over ranges, and does not index them."""
    if not (isinstance(symbols, types.RangeType) and isinstance(place, types.Integer)):
        return None

    def at(symbols, place):
        n = len(symbols)
        if place < -n or place >= n:
            raise IndexError("range object index out of range")
        return symbols.start + symbols.step * (place if place >= 0 else n + place)

    return at


# ------------------------------------------------------------------------------------------------------------ indicators
def _field(field: Any) -> Any:
    """What compiled code does to know a column of the bars; close where none is given."""
    if not is_given(field) or isinstance(field, str):
        return inlined(lambda state, field: 3)
    column = field_number(field)
    return inlined(lambda state, field: column(state, 0, field))


def _of_window(what: int) -> Any:
    def indicator(self: Any, symbol: Any, count: Any, field: Any = "close") -> Any:
        _count(count)
        number, column = symbol_number(symbol), _field(field)

        def answer(self, symbol, count, field="close"):
            state = state_of(self)
            series, n = number(state, symbol), at_least_one(state, count)
            known = state.history.known[series]
            if known - state.history.begin[series] < n:
                return NAN
            end = column_offset(state, 0, column(state, field)) + known
            return of_window(state, what, end - n, end)

        return answer

    return indicator


def _remembered(what: int, more: int, default: int | None) -> Any:
    def indicator(self: Any, symbol: Any, count: Any = default, field: Any = "close") -> Any:
        number, column = symbol_number(symbol), _field(field)

        def answer(self, symbol, count=default, field="close"):
            state = state_of(self)
            series, n = number(state, symbol), at_least_one(state, count)
            begin, known = state.history.begin[series], state.history.known[series]
            if known - begin < n + more:
                return NAN
            offset = column_offset(state, 0, column(state, field))
            return recursive(state, what, offset + begin, offset + known, n)

        return answer

    return indicator


for _name, _what in (
    ("mean", MEAN),
    ("std", STD),
    ("min", MIN),
    ("max", MAX),
    ("wma", WEIGHTED_MEAN),
    ("rank", RANK),
    ("slope", SLOPE),
):
    method(Data, _name)(_of_window(_what))
method(Data, "ema")(_remembered(EMA, 0, None))
method(Data, "rsi")(_remembered(RSI, 1, 14))


@method(Data, "atr")
def _atr(self: Any, symbol: Any, count: Any = 14) -> Any:
    number = symbol_number(symbol)

    def atr(self, symbol, count=14):
        state = state_of(self)
        return average_true_range(state, number(state, symbol), at_least_one(state, count))

    return atr


@method(Data, "regression")
def _regression(self: Any, symbol: Any, on: Any, count: Any, field: Any = "close") -> Any:
    _count(count)
    dependent, independent, column = symbol_number(symbol), symbol_number(on), _field(field)

    def fit(self, symbol, on, count, field="close"):
        state = state_of(self)
        history, n = state.history, at_least_one(state, count)
        y, x = dependent(state, symbol), independent(state, on)
        if min(history.known[y] - history.begin[y], history.known[x] - history.begin[x]) < n:
            return Regression(NAN, NAN, NAN)
        first = column_offset(state, 0, column(state, field)) - n
        a, b = first + history.known[y], first + history.known[x]
        return Regression(regression(state, a, b, n, 0), regression(state, a, b, n, 1), regression(state, a, b, n, 2))

    return fit


# ----------------------------------------------------------------------------------------------------------------- clock
@attribute(Clock, "now_ns")
def _now(self: Any) -> Any:
    return lambda self: state_of(self).clock[NOW]
