"""Prices, rates and counts as arguments of requests in compiled code: checked, or what stands for "not given"."""

import math
from typing import Any

from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from ml4t.backtest.compilation.name import inlined
from ml4t.backtest.compilation.view import PRICE, TRAIL, Price, Trail, View, function, is_given, part
from ml4t.backtest.enums import Mistake, Ratchet
from ml4t.backtest.kernel.decision import note_mistake
from ml4t.backtest.price import Price as GivenPrice
from ml4t.backtest.price import Trail as GivenTrail
from ml4t.backtest.tables import NONE

NAN = math.nan
size_of, trail_is_rate, trail_ratchet = (
    part("size", types.float64),
    part("is_rate", types.int64),
    part("ratchet", types.int64),
)


@inlined
def _checked_price(state, price):
    if not (price > 0.0 and price < math.inf):
        note_mistake(state, Mistake.BAD_PRICE, 0, NONE)
    return float(price)


def price(argument: Any) -> Any:
    """What compiled code does with a price of an order: NaN where none is given; one that is none is a mistake."""
    if not is_given(argument):
        return inlined(lambda state, price: NAN)
    if isinstance(argument, Price):
        return inlined(lambda state, price: _checked_price(state, size_of(price)))
    if isinstance(argument, View):
        raise TypingError(f"a price is a number, and this is a {argument}")
    plain = number(argument, "a price (Offset and Atr are not compiled)")
    return inlined(lambda state, price: _checked_price(state, plain(price)))


def rate(argument: Any) -> Any:
    """What compiled code does with the distance of an exit, a rate or a Price: NaN where none is given."""
    if not is_given(argument):
        return inlined(lambda rate: NAN)
    if isinstance(argument, Price | Trail):
        return inlined(lambda rate: size_of(rate))
    return number(argument, "an exit (ladders, Offset and Atr are not compiled)")


def count(argument: Any) -> Any:
    """What compiled code does with a number of bars: 0 where none is given; below 1 is a mistake."""
    if not is_given(argument):
        return inlined(lambda state, count: 0)
    if not isinstance(argument, types.Integer):
        raise TypingError(f"a number of bars is a whole number, and this is a {argument}")

    def checked(state, count):
        if count < 1:
            note_mistake(state, Mistake.BAD_COUNT, count, NONE)
        return count

    return inlined(checked)


def number(argument: Any, what: str) -> Any:
    """What compiled code does with a number that is asked for as a float. Raises TypingError where it is none."""
    if isinstance(argument, types.Optional) and isinstance(argument.type, types.Number):
        return inlined(lambda number: number * 1.0)  # None raises
    if isinstance(argument, types.Number | types.Boolean):
        return inlined(lambda number: float(number))
    raise TypingError(f"{what} is a number, and this is a {argument}")


def flag(argument: Any) -> Any:
    """What compiled code does with a boolean: a number."""
    if not is_given(argument) or argument is False:
        return inlined(lambda flag: 0)
    return inlined(lambda flag: 1 if flag else 0)


# ---------------------------------------------------------------------------------------------- Price(...), Trail(...)
@intrinsic
def _make_price(typingctx: Any, size: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out = cgutils.create_struct_proxy(PRICE)(context, builder)
        out.size = args[0]
        return out._getvalue()

    return PRICE(types.float64), codegen


@intrinsic
def _make_trail(typingctx: Any, size: Any, is_rate: Any, ratchet: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out = cgutils.create_struct_proxy(TRAIL)(context, builder)
        out.size, out.is_rate, out.ratchet = args
        return out._getvalue()

    return TRAIL(types.float64, types.int64, types.int64), codegen


@function(GivenPrice)
def _price_of(value: Any) -> Any:
    return lambda value: _make_price(float(value))


@function(GivenTrail)
def _trail_of(
    amount: Any = None, rate: Any = None, atr: Any = None, ratchet: Any = "path", activation: Any = None
) -> Any:
    if is_given(atr) or is_given(activation):
        raise TypingError("Trail with atr= or activation= is not compiled; give amount= or rate=")
    if is_given(amount) == is_given(rate):
        raise TypingError("Trail: give exactly one of amount and rate")
    name = ratchet if isinstance(ratchet, str) else getattr(ratchet, "literal_value", getattr(ratchet, "value", None))
    if str(name).upper() not in Ratchet.__members__:
        raise TypingError(f"Trail: ratchet must be one of {', '.join(r.name.lower() for r in Ratchet)}, written out")
    number, is_rate = int(Ratchet[str(name).upper()]), int(is_given(rate))
    if is_rate:
        return lambda amount=None, rate=None, atr=None, ratchet="path", activation=None: _make_trail(
            float(rate), 1, number
        )
    return lambda amount=None, rate=None, atr=None, ratchet="path", activation=None: _make_trail(
        float(amount), 0, number
    )
