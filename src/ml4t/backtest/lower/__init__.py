"""Descriptions become arrays and rule codes: config and streams in, the kernel's state out."""

from ml4t.backtest.lower.history import PRICES, series_of
from ml4t.backtest.lower.row import Rows
from ml4t.backtest.lower.state import lower, lower_again, order_room, terms_of

__all__ = ["PRICES", "Rows", "lower", "lower_again", "order_room", "series_of", "terms_of"]
