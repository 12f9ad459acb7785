"""Descriptions of models: the formula's terms behind every kind, and what a description refuses."""

from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from ml4t.backtest.enums import AccountKind, Shortfall
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.account import Account, CashAccount, MarginAccount
from ml4t.backtest.models.commission import (
    Commission,
    CommissionTerms,
    MakerTakerCommission,
    MonthlyTieredCommission,
    MonthTier,
    NoCommission,
    PerContractCommission,
    PerFillCommission,
    PerOrderCommission,
    PerShareCommission,
    RateCommission,
    RatePlusFixedCommission,
    TableCommission,
    Tier,
    TieredCommission,
)
from ml4t.backtest.models.instrument import Instrument, InstrumentOverride
from ml4t.backtest.models.slippage import (
    ExemptSlippage,
    FixedSlippage,
    HalfSpread,
    NoSlippage,
    RateSlippage,
    Slippage,
    SlippageTerms,
    SpreadSlippage,
    SquareRootSlippage,
    StopSlippage,
    TickSlippage,
    VolatilitySlippage,
    VolumeShareSlippage,
)
from ml4t.backtest.models.tax import Tax


def paid(terms: CommissionTerms, quantity: float, value: float) -> float:
    """The formula of docs/semantics/costs.md."""
    rate = next(rate for up_to, rate in terms.tiers if value <= up_to)
    return min(
        max(terms.fixed + terms.per_unit * quantity + rate * value, terms.minimum),
        terms.maximum,
        terms.cap_rate * value,
    )


TIERS = TieredCommission((Tier(0.002, up_to=10_000), Tier(0.001, up_to=50_000), Tier(0.0005)))


@pytest.mark.parametrize(
    ("commission", "quantity", "value", "expected"),
    [
        (NoCommission(), 100, 5_000, 0.0),
        (RateCommission(0.001), 100, 5_000, 5.0),
        (PerShareCommission(0.005), 1_000, 20_000, 5.0),
        (PerShareCommission(0.005, minimum=1.0), 100, 2_000, 1.0),  # 0.50 is below the minimum
        (PerShareCommission(0.005, minimum=1.0, cap_rate=0.01), 10, 20, 0.2),  # a cap of 1 % of 20
        (PerOrderCommission(7.0), 3, 300, 7.0),
        (RatePlusFixedCommission(0.001, 2.0), 100, 5_000, 7.0),
        (TIERS, 1, 10_000, 20.0),  # the limit belongs to the lower tier
        (TIERS, 1, 10_001, 10.001),  # and then the whole value pays the next rate
        (TIERS, 1, 50_000, 50.0),
        (TIERS, 1, 60_000, 30.0),
        (RateCommission(0.001, minimum=6.0), 100, 5_000, 6.0),
        (RateCommission(0.001, maximum=4.0), 100, 5_000, 4.0),
        (PerContractCommission(2.0), 3, 5_000, 6.0),
        (PerContractCommission(2.0, minimum=7.0), 3, 5_000, 7.0),
        (PerContractCommission(2.0, minimum=1.0, maximum=5.0), 3, 5_000, 5.0),
        (MakerTakerCommission(-0.1, 0.2), 3, 5_000, 0.0),  # paid by fills, not by the order
        (MonthlyTieredCommission((MonthTier(0.1),)), 3, 5_000, 0.0),
    ],
)
def test_commission_by_kind(commission, quantity, value, expected):
    assert paid(commission.terms(), quantity, value) == pytest.approx(expected, rel=1e-12)


def test_every_kind_ends_with_a_tier_for_all_values():
    examples = [
        NoCommission(),
        RateCommission(0.1),
        PerShareCommission(1.0),
        PerContractCommission(1.0),
        PerOrderCommission(1.0),
        RatePlusFixedCommission(0.1, 1.0),
        TIERS,
        MakerTakerCommission(0.1, 0.2),
        MonthlyTieredCommission((MonthTier(0.1, up_to=5.0), MonthTier(0.2))),
    ]
    assert {type(c) for c in examples} | {PerFillCommission, TableCommission} == set(get_args(Commission))
    assert [(c.terms().fill_tiers or c.terms().tiers)[-1][0] for c in examples] == [inf] * 9


def test_what_fills_pay():
    """(up to, rate, maker's rate); without a maker's rate there is no difference."""
    assert MakerTakerCommission(-0.1, 0.2).terms().fill_tiers == ((inf, 0.2, -0.1),)
    monthly = MonthlyTieredCommission((MonthTier(0.4, 0.25, up_to=50_000.0), MonthTier(0.35)))
    assert monthly.terms().fill_tiers == ((50_000.0, 0.4, 0.25), (inf, 0.35, 0.35))
    assert RateCommission(0.1).terms().fill_tiers == ()


@pytest.mark.parametrize("tiers", [(), (MonthTier(0.1, up_to=5),), (MonthTier(0.1, up_to=5), MonthTier(0.2, up_to=5))])
def test_monthly_tiers_are_checked_as_others(tiers):
    with pytest.raises(ConfigError, match="tiers"):
        MonthlyTieredCommission(tiers)


def test_no_cap_is_infinite():
    assert PerShareCommission(0.005).terms().cap_rate == inf
    assert PerShareCommission(0.005, cap_rate=0.01).terms().cap_rate == 0.01


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ((), "at least one"),
        ((Tier(0.1, up_to=5),), "must not have up_to"),
        ((Tier(0.1), Tier(0.2)), "only the last"),
        ((Tier(0.1, up_to=5), Tier(0.2, up_to=5), Tier(0.3)), "ascend"),
        ((Tier(0.1, up_to=5), Tier(0.2, up_to=4), Tier(0.3)), "ascend"),
    ],
)
def test_tiers_that_make_no_sense(tiers, message):
    with pytest.raises(ConfigError, match=message):
        TieredCommission(tiers)


@pytest.mark.parametrize(
    ("slippage", "terms"),
    [
        (NoSlippage(), SlippageTerms(rate=0.0, amount=0.0, ticks=0.0)),
        (RateSlippage(0.0005), SlippageTerms(rate=0.0005, amount=0.0, ticks=0.0)),
        (FixedSlippage(10.0), SlippageTerms(rate=0.0, amount=10.0, ticks=0.0)),
        (TickSlippage(2), SlippageTerms(rate=0.0, amount=0.0, ticks=2.0)),
        (VolumeShareSlippage(0.1), SlippageTerms(volume_impact=0.1)),
        (SquareRootSlippage(0.7), SlippageTerms(root_impact=0.7, window=20)),
        (VolatilitySlippage(0.1, 5), SlippageTerms(volatility_share=0.1, window=5)),
        (SpreadSlippage(), SlippageTerms(spread_share=0.5)),
    ],
)
def test_slippage_by_kind(slippage, terms):
    assert slippage.terms() == terms


def test_spreads_and_stops_are_slippage_of_fewer_kinds():
    assert set(get_args(HalfSpread)) == {NoSlippage, RateSlippage, FixedSlippage, TickSlippage}
    assert set(get_args(StopSlippage)) == {NoSlippage, RateSlippage, TickSlippage, ExemptSlippage}


@pytest.mark.parametrize(
    ("union", "given"),
    [
        (Commission, RateCommission(1.0)),
        (Commission, RateCommission(0.1, minimum=-1.0)),
        (Commission, PerContractCommission(1.0, maximum=-1.0)),
        (Commission, MakerTakerCommission(-1.0, 0.1)),
        (Commission, MakerTakerCommission(0.1, 1.0)),
        (Commission, MonthlyTieredCommission((MonthTier(1.0),))),
        (Slippage, VolumeShareSlippage(-0.1)),
        (Slippage, SquareRootSlippage(1.0, window=1)),
        (Slippage, VolatilitySlippage(nan)),
        (Slippage, SpreadSlippage(-0.5)),
        (Tax, Tax(buy_rate=0.5, sell_rate=1.0)),
        (Tax, Tax(sell_per_unit=-1.0)),
        (Tax, Tax(sell_cap=-1.0)),
        (Commission, RateCommission(-0.001)),
        (Commission, RateCommission(nan)),
        (Commission, PerShareCommission(-1.0)),
        (Commission, PerShareCommission(inf)),
        (Commission, PerShareCommission(1.0, minimum=-1.0)),
        (Commission, PerShareCommission(1.0, cap_rate=0.0)),
        (Commission, PerOrderCommission(-1.0)),
        (Commission, TieredCommission((Tier(1.5),))),
        (Slippage, RateSlippage(1.0)),
        (Slippage, FixedSlippage(-1.0)),
        (Slippage, TickSlippage(-1)),
        (Account, CashAccount(0.0)),
        (Account, CashAccount(inf)),
        (Account, MarginAccount(initial_margin_rate=0.0)),
        (Account, MarginAccount(initial_margin_rate=1.01)),
        (Instrument, Instrument(lot_size=-1.0)),
        (Instrument, Instrument(tick_size=-0.01)),
        (Instrument, Instrument(multiplier=0.0)),
    ],
)
def test_ranges_hold_for_objects_too(union, given):
    """A config checks descriptions that were made in Python, like those from a file."""
    with pytest.raises(ValidationError):
        TypeAdapter(union).validate_python(given)


@pytest.mark.parametrize(
    ("union", "given"),
    [
        (Commission, RateCommission(0.999)),
        (Account, MarginAccount(initial_margin_rate=1.0)),
        (Instrument, Instrument(lot_size=0.0)),
        (Slippage, TickSlippage(0)),
    ],
)
def test_limits_of_ranges(union, given):
    assert TypeAdapter(union).validate_python(given) == given


def test_accounts():
    cash, margin = CashAccount(), MarginAccount(cash=5.0, shortfall=Shortfall.REDUCE)
    assert (cash.rule, cash.cash, cash.initial_margin_rate) == (AccountKind.CASH, 100_000.0, 1.0)
    assert (margin.rule, margin.cash, margin.initial_margin_rate) == (AccountKind.MARGIN, 5.0, 0.5)
    with pytest.raises(TypeError, match="initial_margin_rate"):
        CashAccount(initial_margin_rate=0.5)


def test_an_instrument_override_changes_only_what_it_has():
    default = Instrument(lot_size=10.0, tick_size=0.25, multiplier=50.0)
    assert InstrumentOverride().over(default) == default
    assert InstrumentOverride(lot_size=0.0, multiplier=5.0).over(default) == Instrument(0.0, 0.25, 5.0)


def test_descriptions_are_immutable():
    with pytest.raises(FrozenInstanceError):
        RateCommission(0.1).rate = 0.2
