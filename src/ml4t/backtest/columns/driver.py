"""What strategies that are columns share: where the columns come from."""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ml4t.backtest.columns.frame import long_frame, with_symbol
from ml4t.backtest.errors import DataError, StrategyError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.feed.source import frame_of
from ml4t.backtest.strategy import Strategy

BARS = "bars"


class Driver(Strategy):
    """Base of the strategies that read their decisions from columns.

    A parameter named in `_roles` is a column: its name in the bars or in `frame`, "stream:name" in a stream that `run` is given, or the
    values themselves as a frame or an array (`columns.frame.long_frame`). What a run keeps of values is the name of their stream.
    `_choices` are the parameters that are enums: a member or its name.
    """

    is_compiled = True
    _roles: ClassVar[tuple[str, ...]] = ()
    _choices: ClassVar[Mapping[str, type[IntEnum]]] = {}

    def __init__(self, *values: Any, **parameters: Any) -> None:
        if len(values) > len(self._roles):
            raise StrategyError(f"{type(self).__name__} takes {', '.join(self._roles)} by position, and nothing after.")
        for role, value in zip(self._roles, values, strict=False):
            if role in parameters:
                raise StrategyError(f"{type(self).__name__}: {role} is given twice, by position and by name.")
            parameters[role] = value
        self._frames: dict[str, Any] = {}
        frame = parameters.pop("frame", None)
        if frame is not None:
            self._frames["frame"] = frame_of(frame)
        for role in self._roles:
            value = parameters.get(role)
            if isinstance(value, np.generic):
                value = parameters[role] = value.item()
            if isinstance(value, str):
                if ":" not in value and frame is not None and value in self._frames["frame"].columns:
                    parameters[role] = f"frame:{value}"
            elif value is not None and not isinstance(value, int | float):
                self._frames[role] = value
                parameters[role] = f"{role}:{role}"
            elif value is None:
                parameters.pop(role, None)
        for name, choice in self._choices.items():
            if isinstance(given := parameters.get(name), str):
                parameters[name] = self._chosen(name, choice, given)
        super().__init__(**parameters)

    def inputs(self, bars: Stream) -> Mapping[str, Any]:
        """The frames, as rows that have a symbol; None for streams that are only named."""
        needed: dict[str, Any] = {}
        for role in self._roles:
            if not isinstance(name := getattr(self, role), str) or not name:
                continue
            stream, column = self.place(role)
            if stream == BARS:
                self._check_bars(role, column, bars)
            else:
                needed[stream] = None
        for name, given in self._frames.items():
            if name in needed:
                needed[name] = self._shared(given, bars) if name == "frame" else long_frame(given, name, bars)
        return needed

    def place(self, role: str) -> tuple[str, str]:
        """Stream and column of a role."""
        stream, colon, column = str(getattr(self, role)).partition(":")
        return (stream, column) if colon else (BARS, stream)

    def located(self, role: str) -> tuple[bool, str, str]:
        """Whether a role is a column, and its stream and name. Raises UnknownFieldError where there is no such column."""
        value = getattr(self, role)
        if not isinstance(value, str) or not value:
            return False, BARS, "close"
        stream, name = self.place(role)
        if name not in self.data.columns(stream):
            self.data.value(self.data.symbols[0], name, stream=stream)  # says what there is
        if not self.data.has_symbols(stream):
            raise DataError(
                f"{type(self).__name__}: {role}={value!r}: the stream {stream!r} has no symbol column, so none of its rows is of a symbol "
                f"that could be decided. Add the column (the bars have {', '.join(self.data.symbols[:10])}), or give the values as a "
                f"frame, {role}=frame, with one column a symbol or, where there is one symbol, one column."
            )
        return True, stream, name

    def deviation(self, symbol: str, n: int) -> float:
        """The sample standard deviation of the last n returns, NaN while fewer are known."""
        closes = self.data.window(symbol, "close", n + 1)
        if len(closes) <= n:
            return math.nan
        mean, total = 0.0, 0.0
        for k in range(n):
            mean += closes[k + 1] / closes[k] - 1.0
        mean /= n
        for k in range(n):
            distance = closes[k + 1] / closes[k] - 1.0 - mean
            total += distance * distance
        return math.sqrt(total / (n - 1))

    def _chosen(self, name: str, choice: type[IntEnum], given: str) -> IntEnum:
        names = [member.name.lower() for member in choice]
        if given.lower() not in names:
            raise StrategyError(
                f"{type(self).__name__}.{name} must be one of {', '.join(names)}, not {given!r}.{nearest(given.lower(), names)}"
            )
        return choice[given.upper()]

    def _check_bars(self, role: str, column: str, bars: Stream) -> None:
        if column not in bars.columns:
            raise DataError(
                f"{type(self).__name__}: {role}={column!r}: the bars have no such column.{nearest(column, bars.columns)} "
                f"There are {', '.join(bars.columns)}. A column of another stream is 'stream:column', values are a frame or an array."
            )

    def _shared(self, frame: pl.DataFrame, bars: Stream) -> pl.DataFrame:
        for role in self._roles:
            if isinstance(getattr(self, role), str):
                stream, column = self.place(role)
                if stream == "frame" and column in bars.columns:
                    raise DataError(
                        f"{type(self).__name__}: {role}={column!r} is a column of the bars and of frame=. Rename one of them."
                    )
        return with_symbol(frame, bars)
