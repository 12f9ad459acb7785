"""Names to numbers, with an error that helps."""

from collections.abc import Sequence
from typing import NoReturn

from ml4t.backtest.errors import UnknownFieldError, UnknownSymbolError, nearest

FNV_OFFSET, FNV_PRIME, WORD = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def digest(name: str) -> int:
    """A 64-bit number for a name, never 0: what compiled code knows a name by.

    FNV-1a over code points. Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, RFC 9923.
    """
    word = FNV_OFFSET
    for character in name:
        word = ((word ^ ord(character)) * FNV_PRIME) & WORD
    word = word or 1
    return word - (1 << 64) if word >> 63 else word


class Symbols(dict[str, int]):
    """Symbol → its number in the universe. A builtin's speed for names that exist."""

    __slots__ = ()

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__({name: number for number, name in enumerate(names)})

    def __missing__(self, name: object) -> NoReturn:
        raise UnknownSymbolError(
            f"No symbol {name!r} in this run.{nearest(str(name), self)} There are {', '.join(list(self)[:10])}."
        )


class Fields(dict[str, int]):
    """Column of a stream → its number."""

    __slots__ = ("stream",)

    def __init__(self, stream: str, names: Sequence[str]) -> None:
        super().__init__({name: number for number, name in enumerate(names)})
        self.stream = stream

    def __missing__(self, name: object) -> NoReturn:
        raise UnknownFieldError(
            f"No column {name!r} in {self.stream}.{nearest(str(name), self)} There are {', '.join(self)}."
        )
