"""`orders.batch_order = "value"`: the orders of one decision come in the order of what they come to at the mark, sales first."""

import math
from typing import Any

from ml4t.backtest import Strategy, run
from told import FLAT, bars

SYMBOLS = "ABCDEFGHI"


class Batch(Strategy):
    """Holds A 10, B 20, C 6 at 100, cash 6,400 of 10,000; then asks for one order of each size at once."""

    def on_bar(self) -> None:
        ask = self.broker
        if self.data.count("A") == 1:
            for symbol, units in (("A", 10), ("B", 20), ("C", 6)):
                ask.buy(symbol, units)
        if self.data.count("A") == 3:
            ask.buy("D", value=300)  # +300
            ask.order_target_percent("A", 0.05)  # 500 − 1,000
            ask.order_target_quantity("B", 10)  # 1,000 − 2,000
            ask.close("C")  # −600
            ask.buy("E", percent=0.01)  # +100
            ask.buy("F", 2)  # +200
            ask.order_target_value("G", 150)  # +150, one unit
            ask.buy("H", funds=0.0625)  # of the cash: +400
            ask.buy("I", funds=math.inf)  # last


def test_every_size_has_its_place() -> None:
    config: dict[str, Any] = {
        "account": {"kind": "proceeds", "cash": 10_000, "shortfall": "reduce"},
        "orders": {"batch_order": "value"},
        "fills": {"schedule": "queue"},
    }
    fills = run(Batch(), bars(*[FLAT] * 5, symbols=SYMBOLS), config).fills
    assert "".join(fills["symbol"][3:]) == "BCAEGFDHI"
