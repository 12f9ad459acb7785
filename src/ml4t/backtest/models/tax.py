"""What the state and the exchange take of a fill, whoever the broker is."""

from dataclasses import dataclass

from ml4t.backtest.models.description import Amount, Description, Rate


@dataclass(frozen=True)
class Tax(Description):
    """Fractions of the value of buys and of sells; and a fee per unit sold, at most `sell_cap` a fill (None: any amount).

    >>> stamp_duty_reserve_tax = Tax(buy_rate=0.005)
    """

    buy_rate: Rate = 0.0
    sell_rate: Rate = 0.0
    sell_per_unit: Amount = 0.0
    sell_cap: Amount | None = None
