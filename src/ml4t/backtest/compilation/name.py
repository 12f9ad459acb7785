"""Names in compiled code: symbols, columns, streams and tags, known by their digests."""

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.core.errors import TypingError

from ml4t.backtest.compilation.view import INLINED, Name, digest_of, function
from ml4t.backtest.enums import Mistake
from ml4t.backtest.kernel.decision import named_number, note_mistake
from ml4t.backtest.lookup import FNV_OFFSET, FNV_PRIME, digest
from ml4t.backtest.tables import FIELD_NAME, NONE, RECORD_NAME, STREAM_NAME, SYMBOL_NAME, TAG_NAME

OFFSET, PRIME = np.uint64(FNV_OFFSET), np.uint64(FNV_PRIME)


def inlined(f: Callable[..., Any]) -> Any:
    """Compile f as part of its caller."""
    return numba.njit(**INLINED)(f)


@numba.njit(error_model="numpy")
def text_digest(text):
    """`lookup.digest` of a string that is made in compiled code."""
    word = OFFSET
    for character in text:
        word = (word ^ np.uint64(ord(character))) * PRIME
    return np.int64(word) if word != np.uint64(0) else np.int64(1)


@cache
def digested(name: Any) -> Any:
    """What compiled code does to know a name by its digest. Raises TypingError where it is no name."""
    if isinstance(name, types.StringLiteral):
        number = digest(name.literal_value)
        return inlined(lambda name: number)
    if isinstance(name, Name):
        return inlined(lambda name: digest_of(name))
    if isinstance(name, types.UnicodeType):
        return text_digest
    raise TypingError(f"a name is a text, and this is a {name}")


@cache
def symbol_number(symbol: Any) -> Any:
    """What compiled code does to know a symbol by its number."""
    if isinstance(symbol, types.Integer):

        def by_number(state, symbol):
            if symbol < 0 or symbol >= state.market.mark.shape[0]:
                note_mistake(state, Mistake.UNKNOWN_NAME, symbol, NONE)
                return 0
            return symbol

        return inlined(by_number)
    number = digested(symbol)
    return inlined(lambda state, symbol: named_number(state, number(symbol), SYMBOL_NAME))


@cache
def series_number(symbol: Any) -> Any:
    """As `symbol_number`; None stands for the rows that concern no symbol, which come after those of the last one."""
    if isinstance(symbol, types.NoneType):
        return inlined(lambda state, symbol: state.market.mark.shape[0])
    return symbol_number(symbol)


@cache
def field_number(field: Any) -> Any:
    """What compiled code does to know a column of a stream by its number."""
    number = digested(field)
    return inlined(lambda state, stream, field: named_number(state, number(field), FIELD_NAME + stream))


@cache
def _number_as(kind: int, name: Any, missing: int) -> Any:
    if name is None or isinstance(name, types.NoneType | types.Omitted):
        return inlined(lambda state, name: missing)
    number = digested(name)
    return inlined(lambda state, name: named_number(state, number(name), kind))


@cache
def stream_number(stream: Any) -> Any:
    """What compiled code does to know a stream by its number; where none is given it is the bars."""
    return _number_as(STREAM_NAME, stream, 0)


@cache
def tag_number(tag: Any) -> Any:
    """What compiled code does to know a tag by its number."""
    return _number_as(TAG_NAME, tag, NONE)


def record_name(name: Any) -> Any:
    """What compiled code does to know under which name something is recorded: its digest."""
    number = digested(name)

    def known(state, name):
        named_number(state, number(name), RECORD_NAME)
        return number(name)

    return inlined(known)


def _compares(a: Any, b: Any) -> bool:
    named = isinstance(a, Name) + isinstance(b, Name)
    return named == 2 or (named == 1 and any(isinstance(x, types.UnicodeType | types.StringLiteral) for x in (a, b)))


@function(operator.eq)
def _eq(a: Any, b: Any) -> Any:
    if _compares(a, b):
        left, right = digested(a), digested(b)
        return lambda a, b: left(a) == right(b)
    return None


@function(operator.ne)
def _ne(a: Any, b: Any) -> Any:
    if _compares(a, b):
        left, right = digested(a), digested(b)
        return lambda a, b: left(a) != right(b)
    return None
