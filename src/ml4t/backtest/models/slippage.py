"""How much worse than the reference price a fill is: descriptions by kind, and the one formula's terms."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from ml4t.backtest.models.description import Amount, Description, Rate


@dataclass(frozen=True)
class SlippageTerms:
    """Terms of price = reference + side·(rate·reference + amount + ticks·tick_size), docs/semantics/costs.md."""

    rate: float = 0.0
    amount: float = 0.0
    ticks: float = 0.0


@dataclass(frozen=True)
class NoSlippage(Description):
    """Fills happen at the reference price."""

    kind: Literal["none"] = "none"

    def terms(self) -> SlippageTerms:
        """All terms zero."""
        return SlippageTerms()


@dataclass(frozen=True)
class RateSlippage(Description):
    """Worse by a fraction `rate` of the reference price.

    >>> RateSlippage(0.0005).terms()
    SlippageTerms(rate=0.0005, amount=0.0, ticks=0.0)
    """

    rate: Rate
    kind: Literal["rate"] = "rate"

    def terms(self) -> SlippageTerms:
        """The rate only."""
        return SlippageTerms(rate=self.rate)


@dataclass(frozen=True)
class FixedSlippage(Description):
    """Worse by `amount` per unit, in account currency."""

    amount: Amount
    kind: Literal["fixed"] = "fixed"

    def terms(self) -> SlippageTerms:
        """The amount only."""
        return SlippageTerms(amount=self.amount)


@dataclass(frozen=True)
class TickSlippage(Description):
    """Worse by a number of `ticks`; the symbol's instrument must have a tick size."""

    ticks: Annotated[int, Ge(0)]
    kind: Literal["ticks"] = "ticks"

    def terms(self) -> SlippageTerms:
        """The ticks only."""
        return SlippageTerms(ticks=float(self.ticks))


Slippage = NoSlippage | RateSlippage | FixedSlippage | TickSlippage
"""Every kind of slippage; `kind` tells them apart."""
