"""What a compiled strategy asked for in vain, as the error that Python would have raised."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from ml4t.backtest.enums import Mistake
from ml4t.backtest.errors import LookAheadError, OrderError, UnknownFieldError, UnknownSymbolError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.lookup import digest
from ml4t.backtest.lower import PRICES
from ml4t.backtest.tables import (
    FIELD_NAME,
    MISTAKE,
    MISTAKE_NAME,
    MISTAKE_SYMBOL,
    NONE,
    STREAM_NAME,
    SYMBOL_NAME,
    State,
)

MESSAGES = {
    Mistake.BAD_SIZE: "the size of an order must be a finite number above 0; the side says the direction",
    Mistake.BAD_TARGET: "a target must be a finite number",
    Mistake.BAD_PRICE: "a price of an order (limit, stop, touch, activation) must be a finite number above 0",
    Mistake.BAD_RATE: "an exit is a rate above 0 (5 % is 0.05), a stop-loss or trail below 1; a price is Price(...)",
    Mistake.NO_PRICE_YET: "no price is known yet; a size by value or percent needs one. Wait for its first bar",
    Mistake.NOT_LIVE: "the order is not live; only live orders can be cancelled, replaced or linked",
    Mistake.NOT_ABOVE_FILLED: "the order has filled that much already; replace it with a larger quantity",
    Mistake.NO_SUCH_PRICE: "the order has no such price (a stop is gone once it is triggered); cancel it and place a new one",
    Mistake.NO_DIRECTION: "a target that is resolved at the fill (orders.valuation = 'fill_price') cannot wait for a limit or stop",
    Mistake.GROUP_TOO_LARGE: "the group of orders is too large",
    Mistake.ONLY_CLOSES: "the order only closes a position, so its exits have nothing to do; exits of a position are orders of their own",
    Mistake.NO_ORDER: "there is no such order (buy() and the like answer none where the size comes to zero); ask `is not None` first",
    Mistake.INTERRUPTED: "the run was interrupted",
}


def raise_mistake(state: State, streams: Sequence[Stream], texts: Iterable[str], room: int) -> NoReturn:
    """Raises what Python would have raised for the first mistake of the run."""
    symbols = streams[0].symbols
    mistake, name, number = (int(state.clock[place]) for place in (MISTAKE, MISTAKE_NAME, MISTAKE_SYMBOL))
    if mistake == Mistake.UNKNOWN_NAME:
        raise _unknown(name, number, streams, texts)
    about = f"{symbols[number]}: " if number != NONE else ""
    if mistake in (Mistake.TOO_MANY_ORDERS, Mistake.TOO_MANY_RECORDS):
        what = "orders" if mistake == Mistake.TOO_MANY_ORDERS else "records"
        raise OrderError(f"{about}more than {room} {what} in one decision: raise orders.reserve in the configuration.")
    if mistake == Mistake.BAD_COUNT:
        if name < 0:
            raise LookAheadError(
                f"A window of {name} rows would reach into the future; windows end now. Ask for 1 or more rows."
            )
        raise ValueError(f"A window has a whole number of rows, 1 or more; {name} was given.")
    order = f" (order {name})" if mistake in (Mistake.NOT_LIVE, Mistake.NOT_ABOVE_FILLED, Mistake.NO_SUCH_PRICE) else ""
    raise OrderError(f"{about}{MESSAGES[Mistake(mistake)]}{order}.")


def _unknown(name: int, kind: int, streams: Sequence[Stream], texts: Iterable[str]) -> Exception:
    """The error for a name that the run does not have."""
    if kind == NONE:
        return OrderError(f"There is no symbol number {name}; take the numbers from `for symbol in self.data.symbols`.")
    text = next((text for text in texts if digest(text) == name), None)
    if text is None:
        return OrderError("A text that is made in compiled code names nothing in this run.")
    known: Iterable[str] = streams[0].symbols
    if kind == STREAM_NAME:
        known = ["bars", *(stream.name for stream in streams[1:])]
    elif kind >= FIELD_NAME:
        stream = streams[kind - FIELD_NAME]
        known = dict.fromkeys((*PRICES, *stream.columns) if stream is streams[0] else stream.columns)
    told = f"{text!r} in this run.{nearest(text, known)} There are {', '.join(list(known)[:10])}."
    if kind == SYMBOL_NAME:
        return UnknownSymbolError(f"No symbol {told}")
    return UnknownFieldError(f"No {'stream' if kind == STREAM_NAME else 'column'} {told}")
