"""What the size of a signal comes to (docs/semantics/sizing.md, Sizes of signals)."""

import math

from ml4t.backtest.columns.driver import Driver
from ml4t.backtest.enums import Size
from ml4t.backtest.request import PERCENT, QUANTITY, VALUE


class Sized(Driver):
    """Base of strategies that size their orders by `sizing`.

    - QUANTITY: units. VALUE: account currency. EQUITY, CASH: fractions of what there is at the decision.
    - RISK: the fraction of equity that is lost where the stop fills at its price.
    - VOLATILITY: the volatility a year, as a fraction of equity, of what is bought; that of returns over `window` bars, of which
      `bars_per_year` are a year.
    """

    sizing: Size = Size.QUANTITY
    stops_are_prices: bool = False
    window: int = 20
    bars_per_year: float = 0.0

    def sized(self, symbol: str, side: int, size: float, stop: float) -> tuple[int, float]:
        """`Sizing` and number of a request (docs/semantics/sizing.md, Sizes of signals); NaN where there is none."""
        if self.sizing == Size.QUANTITY:
            return QUANTITY, size
        if self.sizing == Size.VALUE:
            return VALUE, size
        if self.sizing == Size.CASH:
            return VALUE, size * max(self.portfolio.cash, 0.0)
        if self.sizing == Size.RISK:
            rate = stop
            if self.stops_are_prices:
                close = self.data.value(symbol, "close")
                rate = side * (close - stop) / close
            return PERCENT, size / rate if rate > 0.0 else math.nan
        if self.sizing == Size.VOLATILITY:
            deviation = self.deviation(symbol, self.window) * math.sqrt(self.bars_per_year)
            return PERCENT, size / deviation if deviation > 0.0 else math.nan
        return PERCENT, size
