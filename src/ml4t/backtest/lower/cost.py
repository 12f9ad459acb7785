"""What a fill of each symbol costs, as parameters of the one formula."""

from collections.abc import Sequence

import numpy as np

from ml4t.backtest.allocation import frozen
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.fee_table import read_fee_table
from ml4t.backtest.inputs import Costs, Tiers
from ml4t.backtest.lower.instrument import check_known
from ml4t.backtest.models.commission import Commission, CommissionTerms, TableCommission
from ml4t.backtest.models.slippage import SlippageTerms
from ml4t.backtest.queue_rule import Executions

CONDITIONAL = ("volume_impact", "root_impact", "volatility_share", "spread_share")


def costs_of(config: BacktestConfig, symbols: Sequence[str]) -> tuple[Costs, Tiers]:
    """The costs of every symbol.

    Raises:
        ConfigError: costs of a symbol that has no bars, or a fee table that cannot be used.

    """
    check_known("costs.symbols", list(config.costs.symbols), symbols)
    models = [config.costs_of(symbol) for symbol in symbols]
    commissions = commissions_of([m.commission for m in models], symbols)
    slippages = [m.slippage.terms() for m in models]
    spreads = [m.spread.terms() for m in models]
    stops = [m.stop_slippage.terms() for m in models]
    taxes = [m.tax for m in models]
    tiers = [c.fill_tiers or tuple((up_to, rate, rate) for up_to, rate in c.tiers) for c in commissions]
    both = list(zip(slippages, spreads, strict=True))  # a modelled half-spread is slippage by another name
    by_lot = config.fills.executions == Executions.LOT
    costs = frozen(
        Costs,
        **{name: [getattr(c, name) for c in commissions] for name in ORDER_TERMS},
        tier_first=np.cumsum([0, *map(len, tiers)]),
        by_fill=[bool(c.fill_tiers) for c in commissions],
        slippage_rate=[s.rate if by_lot else s.rate + h.rate for s, h in both],
        opening_rate=[h.rate for h in spreads],
        slippage_amount=[s.amount + h.amount for s, h in both],
        slippage_ticks=[s.ticks + h.ticks for s, h in both],
        stop_exempt=[s.is_exempt for s in stops],
        stop_rate=[s.rate for s in stops],
        stop_ticks=[s.ticks for s in stops],
        is_conditional=[is_conditional(s) for s in slippages],
        shares_bar=[s.volume_of == "bar" for s in slippages],
        **{name: [getattr(s, name) for s in slippages] for name in CONDITIONAL},
        **{name: [getattr(t, name) for t in taxes] for name in ("buy_rate", "sell_rate", "sell_per_unit")},
        sell_cap=[np.inf if t.sell_cap is None else t.sell_cap for t in taxes],
    )
    rows = [row for own in tiers for row in own]
    up_to, rate, maker_rate = zip(*rows, strict=True) if rows else ((), (), ())
    return costs, frozen(Tiers, up_to=up_to, rate=rate, maker_rate=maker_rate)


ORDER_TERMS = ("fixed", "per_unit", "fill_fixed", "minimum", "maximum", "cap_rate")


def is_conditional(terms: SlippageTerms) -> bool:
    """Whether the slippage depends on volume, volatility or quotes."""
    return any(getattr(terms, name) for name in CONDITIONAL)


def commissions_of(models: Sequence[Commission], symbols: Sequence[str]) -> list[CommissionTerms]:
    """The commission of every symbol; every fee table is read once."""
    tables = {m.path: read_fee_table(m.path) for m in dict.fromkeys(models) if isinstance(m, TableCommission)}
    return [
        tables[model.path].terms(symbol) if isinstance(model, TableCommission) else model.terms()
        for model, symbol in zip(models, symbols, strict=True)
    ]
