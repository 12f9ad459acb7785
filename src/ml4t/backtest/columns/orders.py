"""Orders from a frame, one a row."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ml4t.backtest.columns.order_frame import NUMBERS, order_frame, order_table, tags_of
from ml4t.backtest.errors import StrategyError
from ml4t.backtest.feed import Stream
from ml4t.backtest.strategy import Signal, Strategy

EXITS = 4  # orders that one order may bring with it
STREAM = "signals"  # its rows are decisions


class Orders(Strategy):
    """Sends the orders of a frame, each in a decision of its own when it is known, in order of time, then of rows.

    Columns: timestamp, symbol, side ("buy", "sell", 1, -1; without it the size has a sign), one of quantity, value and percent; optional
    arrival, limit, stop, tif, bars, stop_loss, take_profit, trail, max_bars, reduce_only, tag. Null is what `buy` does without.
    docs/columns.md says when a row is known.

    >>> from datetime import date
    >>> import polars as pl
    >>> from ml4t.backtest import Orders, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> days = [date(2010, 3, 1), date(2010, 6, 1)]
    >>> orders = pl.DataFrame({"timestamp": days, "symbol": ["SPX", "SPX"], "side": ["buy", "sell"], "quantity": [10, 10]})
    >>> run(Orders(orders), us_indices()).fills["timestamp"].dt.date().to_list()
    [datetime.date(2010, 3, 2), datetime.date(2010, 6, 2)]
    """

    orders: str = STREAM
    tags: tuple[str, ...] = ()
    stops_are_prices: bool = False

    is_compiled = True
    _repeating: ClassVar[frozenset[str]] = frozenset({STREAM})

    def __init__(self, orders: Any = None, **parameters: Any) -> None:
        self._table = None
        if orders is None or isinstance(orders, str):
            if orders != STREAM:
                raise StrategyError("Orders: pass the frame of orders, Orders(frame).")
        else:
            self._table = order_table(orders)
            parameters["tags"] = tags_of(self._table)
        super().__init__(**parameters)

    def inputs(self, bars: Stream) -> Mapping[str, Any]:
        """The orders as rows of numbers, which concern no symbol: so their order is that of the frame."""
        if self._table is None:
            return {STREAM: None}
        return {STREAM: order_frame(self._table, bars.symbols, self.tags, stops_are_prices=self.stops_are_prices)}

    def _most_orders(self, symbols: int, signals: int) -> int:  # noqa: ARG002
        return (1 + EXITS) * signals

    def on_start(self) -> None:
        """What was known before the first bar is sent now."""
        if set(NUMBERS) - set(self.data.columns(STREAM)):
            raise StrategyError(
                "Orders: the signals are not the orders that a run has saved; pass the frame, Orders(frame)."
            )
        self.tag_numbers = np.array([self.broker.register.tag(tag) for tag in self.tags] or [-1], np.int64)
        whose = None if self.data.count(None, STREAM) else self.data.symbols[0]  # of the only symbol that the run names
        known = self.data.count(whose, STREAM)
        rows = {name: self.data.window(whose, name, known, stream=STREAM) for name in NUMBERS} if known else {}
        for row in range(known):
            self.send({name: float(values[row]) for name, values in rows.items()})

    def on_signal(self, signal: Signal) -> None:
        """The order is sent."""
        self.send(signal.values)

    def send(self, order: Any) -> None:
        """An order of the broker has these terms."""
        tag = int(order["tag"])
        bars, max_bars = order["bars"], order["max_bars"]
        self.broker.place(
            self.data.symbols[int(order["place"])],
            int(order["side"]),
            int(order["sizing"]),
            order["size"],
            limit=order["limit"],
            stop=order["stop"],
            tif=int(order["tif"]),
            bars=int(bars) if bars > 0.0 else 0,
            tag=int(self.tag_numbers[tag]) if tag >= 0 else -1,
            stop_loss=order["stop_loss"],
            take_profit=order["take_profit"],
            trail=order["trail"],
            max_bars=int(max_bars) if max_bars > 0.0 else 0,
            stop_is_price=self.stops_are_prices,
            reduce_only=order["reduce_only"] != 0.0,
        )
