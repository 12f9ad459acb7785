"""What a fill pays: descriptions by kind, and the one formula's terms that every kind comes down to."""

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Annotated, Literal

from annotated_types import Gt

from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.description import Amount, Description, Rate


@dataclass(frozen=True)
class CommissionTerms:
    """Terms of commission(Q, V) = min(max(fixed + per_unit·Q + rate(V)·V, minimum), cap_rate·V).

    Source: docs/semantics/costs.md. Q is an order's cumulative quantity, V its cumulative value in account currency.
    `tiers` rows are (up_to, rate), ascending; rate(V) is that of the first row with V ≤ up_to; the last up_to is inf.
    """

    fixed: float = 0.0
    per_unit: float = 0.0
    minimum: float = 0.0
    cap_rate: float = inf
    tiers: tuple[tuple[float, float], ...] = ((inf, 0.0),)


@dataclass(frozen=True)
class NoCommission(Description):
    """Nothing is paid."""

    kind: Literal["none"] = "none"

    def terms(self) -> CommissionTerms:
        """All terms zero."""
        return CommissionTerms()


@dataclass(frozen=True)
class RateCommission(Description):
    """A fraction `rate` of the value of each fill.

    >>> RateCommission(0.001).terms().tiers
    ((inf, 0.001),)
    """

    rate: Rate
    kind: Literal["rate"] = "rate"

    def terms(self) -> CommissionTerms:
        """One tier without end."""
        return CommissionTerms(tiers=((inf, self.rate),))


@dataclass(frozen=True)
class PerShareCommission(Description):
    """`per_share` per unit, at least `minimum` per order, at most `cap_rate` (a fraction) of the order's value."""

    per_share: Amount
    minimum: Amount = 0.0
    cap_rate: Annotated[Rate, Gt(0)] | None = None
    kind: Literal["per_share"] = "per_share"

    def terms(self) -> CommissionTerms:
        """No cap is an infinite cap."""
        cap_rate = inf if self.cap_rate is None else self.cap_rate
        return CommissionTerms(per_unit=self.per_share, minimum=self.minimum, cap_rate=cap_rate)


@dataclass(frozen=True)
class PerOrderCommission(Description):
    """`fixed` (account currency) once per order that fills."""

    fixed: Amount
    kind: Literal["per_order"] = "per_order"

    def terms(self) -> CommissionTerms:
        """The fixed part only."""
        return CommissionTerms(fixed=self.fixed)


@dataclass(frozen=True)
class RatePlusFixedCommission(Description):
    """A fraction `rate` of value, plus `fixed` (account currency) once per order that fills."""

    rate: Rate
    fixed: Amount
    kind: Literal["rate_plus_fixed"] = "rate_plus_fixed"

    def terms(self) -> CommissionTerms:
        """One tier without end, and the fixed part."""
        return CommissionTerms(fixed=self.fixed, tiers=((inf, self.rate),))


@dataclass(frozen=True)
class Tier(Description):
    """Orders of a value up to and including `up_to` (account currency; None: any value) pay `rate`."""

    rate: Rate
    up_to: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True)
class TieredCommission(Description):
    """The whole value of an order pays the rate of the first tier it fits in.

    Raises:
        ConfigError: there are no tiers, they do not ascend, or not exactly the last one lacks `up_to`.

    """

    tiers: tuple[Tier, ...]
    kind: Literal["tiered"] = "tiered"

    def __post_init__(self) -> None:
        if any(tier.up_to is None for tier in self.tiers[:-1]):
            raise ConfigError("only the last of tiers may lack up_to")
        if not self.tiers:
            raise ConfigError("tiers must have at least one row")
        if self.tiers[-1].up_to is not None:
            raise ConfigError("the last of tiers must not have up_to: it is for all values above the others")
        limits = [tier.up_to for tier in self.tiers if tier.up_to is not None]
        if any(later <= earlier for earlier, later in pairwise(limits)):
            raise ConfigError(f"tiers must ascend by up_to, got {limits}")

    def terms(self) -> CommissionTerms:
        """One row per tier."""
        return CommissionTerms(tiers=tuple((inf if t.up_to is None else t.up_to, t.rate) for t in self.tiers))


Commission = (
    NoCommission | RateCommission | PerShareCommission | PerOrderCommission | RatePlusFixedCommission | TieredCommission
)
"""Every kind of commission; `kind` tells them apart."""
