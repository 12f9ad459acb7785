"""What a fill pays: descriptions by kind, and the one formula's terms that every kind comes down to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt, Lt, doc

from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.description import Amount, Description, Rate

FillRate = Annotated[
    float, Gt(-1), Lt(1), doc("a fraction of value: 0.001 means 0.1 %, below 0 is a rebate; was a percentage given?")
]


@dataclass(frozen=True)
class CommissionTerms:
    """Terms of commission(Q, V) = min(max(fixed + per_unit·Q + rate(V)·V, minimum), maximum, cap_rate·V).

    Source: docs/semantics/costs.md. Q is an order's cumulative quantity, V its cumulative value in account currency.
    `tiers` rows are (up_to, rate), ascending; rate(V) is that of the first row with V ≤ up_to; the last up_to is inf.
    `fill_tiers` rows are (up_to, rate, maker rate): what each fill pays by itself, by the value traded in the month before it.
    """

    fixed: float = 0.0
    per_unit: float = 0.0
    minimum: float = 0.0
    maximum: float = inf
    cap_rate: float = inf
    fill_fixed: float = 0.0
    tiers: tuple[tuple[float, float], ...] = ((inf, 0.0),)
    fill_tiers: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class NoCommission(Description):
    """Nothing is paid."""

    kind: Literal["none"] = "none"

    def terms(self) -> CommissionTerms:
        """All terms zero."""
        return CommissionTerms()


@dataclass(frozen=True)
class RateCommission(Description):
    """A fraction `rate` of value, at least `minimum` and at most `maximum` per order (account currency; None: any amount).

    >>> RateCommission(0.001).terms().tiers
    ((inf, 0.001),)
    """

    rate: Rate
    minimum: Amount = 0.0
    maximum: Amount | None = None
    kind: Literal["rate"] = "rate"

    def terms(self) -> CommissionTerms:
        """One tier without end."""
        return CommissionTerms(minimum=self.minimum, maximum=_limit(self.maximum), tiers=((inf, self.rate),))


@dataclass(frozen=True)
class PerShareCommission(Description):
    """`per_share` per unit, at least `minimum` per order, at most `cap_rate` (a fraction) of the order's value."""

    per_share: Amount
    minimum: Amount = 0.0
    cap_rate: Annotated[Rate, Gt(0)] | None = None
    kind: Literal["per_share"] = "per_share"

    def terms(self) -> CommissionTerms:
        """No cap is an infinite cap."""
        return CommissionTerms(per_unit=self.per_share, minimum=self.minimum, cap_rate=_limit(self.cap_rate))


@dataclass(frozen=True)
class PerContractCommission(Description):
    """`per_contract` per unit, at least `minimum` and at most `maximum` per order (None: any amount)."""

    per_contract: Amount
    minimum: Amount = 0.0
    maximum: Amount | None = None
    kind: Literal["per_contract"] = "per_contract"

    def terms(self) -> CommissionTerms:
        """No maximum is an infinite one."""
        return CommissionTerms(per_unit=self.per_contract, minimum=self.minimum, maximum=_limit(self.maximum))


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
        _check_tiers(self.tiers)

    def terms(self) -> CommissionTerms:
        """One row per tier."""
        return CommissionTerms(tiers=tuple((_limit(t.up_to), t.rate) for t in self.tiers))


@dataclass(frozen=True)
class MakerTakerCommission(Description):
    """Fractions of the value of each fill: `maker` where the limit order had rested, else `taker`. Below 0: a rebate."""

    maker: FillRate
    taker: FillRate
    kind: Literal["maker_taker"] = "maker_taker"

    def terms(self) -> CommissionTerms:
        """One tier of fills without end."""
        return CommissionTerms(fill_tiers=((inf, self.taker, self.maker),))


@dataclass(frozen=True)
class PerFillCommission(Description):
    """`fixed` (account currency) plus a fraction `rate` of value, for each fill by itself; `rate` below 0 is a rebate."""

    fixed: Amount = 0.0
    rate: FillRate = 0.0
    kind: Literal["per_fill"] = "per_fill"

    def terms(self) -> CommissionTerms:
        """One tier of fills without end, and the fixed part of each."""
        return CommissionTerms(fill_fixed=self.fixed, fill_tiers=((inf, self.rate, self.rate),))


@dataclass(frozen=True)
class MonthTier(Description):
    """Fills pay `rate`, or `maker` (None: `rate`), while the value traded in the month before them is at most `up_to`."""

    rate: FillRate
    maker: FillRate | None = None
    up_to: Annotated[float, Gt(0)] | None = None


@dataclass(frozen=True)
class MonthlyTieredCommission(Description):
    """Each fill pays the rate of the first tier that the account's traded value of the calendar month, before it, fits in.

    Raises:
        ConfigError: there are no tiers, they do not ascend, or not exactly the last one lacks `up_to`.

    """

    tiers: tuple[MonthTier, ...]
    kind: Literal["monthly_tiered"] = "monthly_tiered"

    def __post_init__(self) -> None:
        _check_tiers(self.tiers)

    def terms(self) -> CommissionTerms:
        """One row per tier."""
        return CommissionTerms(
            fill_tiers=tuple((_limit(t.up_to), t.rate, t.rate if t.maker is None else t.maker) for t in self.tiers)
        )


@dataclass(frozen=True)
class TableCommission(Description):
    """The terms of each symbol stand in a CSV or Parquet file (`ml4t.backtest.fee_table`)."""

    path: Path
    kind: Literal["table"] = "table"


def _limit(value: float | None) -> float:
    return inf if value is None else value


def _check_tiers(tiers: Sequence[Tier | MonthTier]) -> None:
    if any(tier.up_to is None for tier in tiers[:-1]):
        raise ConfigError("only the last of tiers may lack up_to")
    if not tiers:
        raise ConfigError("tiers must have at least one row")
    if tiers[-1].up_to is not None:
        raise ConfigError("the last of tiers must not have up_to: it is for all values above the others")
    limits = [tier.up_to for tier in tiers if tier.up_to is not None]
    if any(later <= earlier for earlier, later in pairwise(limits)):
        raise ConfigError(f"tiers must ascend by up_to, got {limits}")


Commission = (
    NoCommission
    | RateCommission
    | PerShareCommission
    | PerContractCommission
    | PerOrderCommission
    | RatePlusFixedCommission
    | TieredCommission
    | MakerTakerCommission
    | PerFillCommission
    | MonthlyTieredCommission
    | TableCommission
)
"""Every kind of commission; `kind` tells them apart."""
