"""How much worse than the reference price a fill is: descriptions by kind, and the one formula's terms."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from ml4t.backtest.choice import ByName
from ml4t.backtest.models.description import Amount, Description, Rate
from ml4t.backtest.queue_rule import Beyond

Days = Annotated[int, Ge(2), Le(10_000)]


@dataclass(frozen=True)
class SlippageTerms:
    """Terms of price = reference + side · (what they come to per unit), docs/semantics/costs.md.

    `window`: days over which volatility and average volume are measured, 0 where neither matters. `is_exempt`: nothing is paid at all.
    """

    rate: float = 0.0
    amount: float = 0.0
    ticks: float = 0.0
    volume_impact: float = 0.0
    volume_of: str = "fill"
    root_impact: float = 0.0
    volatility_share: float = 0.0
    spread_share: float = 0.0
    window: int = 0
    is_exempt: bool = False


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

    >>> RateSlippage(0.0005).terms().rate
    0.0005
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


@dataclass(frozen=True)
class VolumeShareSlippage(Description):
    """Worse by `impact` · share² of the reference price; share: a quantity ÷ the bar's volume, at most 1.

    `of`: the quantity is that of the fill, or, with `"bar"`, that of all fills of the symbol on that bar, up to and with this one.
    """

    impact: Amount
    of: Literal["fill", "bar"] = "fill"
    kind: Literal["volume_share"] = "volume_share"

    def terms(self) -> SlippageTerms:
        """The impact of volume only."""
        return SlippageTerms(volume_impact=self.impact, volume_of=self.of)


@dataclass(frozen=True)
class SquareRootSlippage(Description):
    """Worse by `coefficient` · σ · √(quantity ÷ average daily volume) of the reference price.

    σ: daily volatility. Both are those of the `window` days before. Source: docs/semantics/costs.md.
    """

    coefficient: Amount
    window: Days = 20
    kind: Literal["square_root"] = "square_root"

    def terms(self) -> SlippageTerms:
        """The impact of the root only."""
        return SlippageTerms(root_impact=self.coefficient, window=self.window)


@dataclass(frozen=True)
class VolatilitySlippage(Description):
    """Worse by a fraction `share` of the daily volatility of the `window` days before, times the reference price."""

    share: Amount
    window: Days = 20
    kind: Literal["volatility"] = "volatility"

    def terms(self) -> SlippageTerms:
        """The volatility only."""
        return SlippageTerms(volatility_share=self.share, window=self.window)


@dataclass(frozen=True)
class SpreadSlippage(Description):
    """Worse by a fraction `share` of ask − bid, from the columns `open_bid` and `open_ask` at opens, `bid` and `ask` elsewhere."""

    share: Amount = 0.5
    kind: Literal["spread"] = "spread"

    def terms(self) -> SlippageTerms:
        """The spread only."""
        return SlippageTerms(spread_share=self.share)


@dataclass(frozen=True)
class ExemptSlippage(Description):
    """Triggered orders fill at the reference price, whatever slippage and spread others pay.

    >>> ExemptSlippage().terms().is_exempt
    True
    """

    kind: Literal["exempt"] = "exempt"

    def terms(self) -> SlippageTerms:
        """All terms zero, and those of other models do not count."""
        return SlippageTerms(is_exempt=True)


Slippage = (
    NoSlippage
    | RateSlippage
    | FixedSlippage
    | TickSlippage
    | VolumeShareSlippage
    | SquareRootSlippage
    | VolatilitySlippage
    | SpreadSlippage
)
"""Every kind of slippage; `kind` tells them apart."""

HalfSpread = NoSlippage | RateSlippage | FixedSlippage | TickSlippage
"""Every kind of modelled half-spread: what market and triggered orders pay on top of slippage."""

StopSlippage = NoSlippage | RateSlippage | TickSlippage | ExemptSlippage
"""Every kind of slippage that only triggered orders pay, on top, or that spares them any."""


@dataclass(frozen=True)
class AnyRange(Description):
    """Slippage goes as far as it goes, and orders that fill at their limit pay none."""

    rule: ClassVar[int] = 0

    kind: Literal["any"] = "any"


@dataclass(frozen=True)
class BarRange(Description):
    """Slippage ends at the bar's high or low: `beyond` says what happens there, `beyond_limit` where the order has a limit.

    `opens`: whether fills at the open pay any. Where they do, so does a limit order that the open is better than, up to its limit.

    >>> BarRange(opens=False, beyond=Beyond.WAIT).rule
    5
    """

    opens: bool = True
    beyond: Annotated[Beyond, ByName] = Beyond.CAP
    beyond_limit: Annotated[Beyond, ByName] = Beyond.CAP
    kind: Literal["bar"] = "bar"

    @property
    def rule(self) -> int:
        """The kernel's rule: 1, and the choices as bits."""
        return 1 + 2 * self.opens + 4 * self.beyond + 16 * self.beyond_limit


SlippageRange = AnyRange | BarRange
"""How far slippage may go."""
