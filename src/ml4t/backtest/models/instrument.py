"""What is traded: the grid of its quantities and prices, and what one unit is worth."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated

from annotated_types import Ge, Gt

from ml4t.backtest.models.description import Description


@dataclass(frozen=True)
class Instrument(Description):
    """`lot_size`: quantities are multiples of it (0: any quantity). `tick_size`: prices are (0: any price).

    A fill is for `min_quantity` units or more, and never for more than `max_quantity` (None: any).
    `multiplier`: account currency per unit and point of price. What a balance account pays for a position (docs/semantics/turns.md):
    1 ÷ `leverage` of a long's value; or, of a future, `margin` a unit, in account currency, or `margin_rate` of its value.
    """

    lot_size: Annotated[float, Ge(0)] = 1.0
    tick_size: Annotated[float, Ge(0)] = 0.0
    multiplier: Annotated[float, Gt(0)] = 1.0
    min_quantity: Annotated[float, Ge(0)] = 0.0
    max_quantity: Annotated[float, Gt(0)] | None = None
    leverage: Annotated[float, Gt(0)] = 1.0
    margin: Annotated[float, Gt(0)] | None = None
    margin_rate: Annotated[float, Gt(0)] | None = None

    @property
    def on_margin(self) -> bool:
        """Whether a position ties up a margin, and is not paid for."""
        return self.margin is not None or self.margin_rate is not None


@dataclass(frozen=True)
class InstrumentOverride(Description):
    """What one symbol has of its own; None: as the default instrument."""

    lot_size: Annotated[float, Ge(0)] | None = None
    tick_size: Annotated[float, Ge(0)] | None = None
    multiplier: Annotated[float, Gt(0)] | None = None
    min_quantity: Annotated[float, Ge(0)] | None = None
    max_quantity: Annotated[float, Gt(0)] | None = None
    leverage: Annotated[float, Gt(0)] | None = None
    margin: Annotated[float, Gt(0)] | None = None
    margin_rate: Annotated[float, Gt(0)] | None = None

    def over(self, default: Instrument) -> Instrument:
        """The default instrument with this symbol's own fields in place.

        >>> InstrumentOverride(lot_size=0.0).over(Instrument(tick_size=0.01)) == Instrument(lot_size=0.0, tick_size=0.01)
        True
        """
        return replace(default, **{name: value for name, value in asdict(self).items() if value is not None})
