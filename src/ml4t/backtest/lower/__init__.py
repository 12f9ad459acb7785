"""Descriptions become arrays and rule codes: config and streams in, the kernel's state out."""

from ml4t.backtest.lower.history import PRICES, series_of
from ml4t.backtest.lower.state import lower, order_room

__all__ = ["PRICES", "lower", "order_room", "series_of"]
