"""Choices of the configuration as the numbers that the kernel reads."""

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.config import BacktestConfig, duration_ns
from ml4t.backtest.enums import Shortfall, VolumeBasis
from ml4t.backtest.queue_rule import Netting, RuinRule
from ml4t.backtest.tables import (
    ACCOUNT,
    ADMISSION,
    BATCH_ORDER,
    CANCEL_DELAY,
    CANCEL_DELAY_BARS,
    END_OF_DATA,
    END_OF_RUN,
    EXECUTIONS,
    EXHAUSTION,
    EXPIRY,
    FILL_BASIS,
    HALT_WITHOUT_VOLUME,
    INITIAL_CASH,
    LIMIT_RULE,
    LINKS,
    LOT_RULE,
    MARGIN_RATE,
    MARK_SOURCE,
    MARKET_FILL,
    MISSING_BAR,
    MONEY_SIZE,
    NETTING,
    PARTICIPATION,
    PARTLY_PAID,
    PATH,
    POST_ONLY,
    QUOTE,
    RESCAN,
    RUIN,
    RULES_SIZE,
    SCHEDULE,
    SEED,
    SHARES_SIZE,
    SHORTFALL,
    SLIPPAGE_RANGE,
    STOP_LIMIT_RULE,
    SUBMIT_DELAY,
    SUBMIT_DELAY_BARS,
    TOUCH,
    TOUCH_AHEAD,
    TOUCH_PROBABILITY,
    VALUATION,
    VOLUME_BASIS,
)


def rules_of(config: BacktestConfig) -> NDArray[np.int64]:
    """The rules; what depends on the strategy is still 0."""
    rules = np.zeros(RULES_SIZE, np.int64)
    rules[MARKET_FILL] = config.fills.market
    rules[PATH] = config.fills.path
    rules[SCHEDULE] = config.fills.schedule
    rules[RESCAN] = config.fills.rescan
    rules[STOP_LIMIT_RULE] = config.fills.stop_limit
    rules[LINKS] = config.orders.links
    rules[EXPIRY] = config.orders.expiry
    rules[SLIPPAGE_RANGE] = config.costs.slippage_range.rule
    rules[EXECUTIONS] = config.fills.executions
    rules[LIMIT_RULE] = config.fills.limit
    rules[EXHAUSTION] = config.fills.exhausted
    rules[HALT_WITHOUT_VOLUME] = config.fills.halt_without_volume
    rules[NETTING] = getattr(config.account, "netting", Netting.FIFO)
    rules[RUIN] = getattr(config.account, "ruin", RuinRule.CONTINUE)
    rules[TOUCH] = config.fills.touch.rule
    rules[VOLUME_BASIS] = volume_basis(config)
    rules[MISSING_BAR] = config.fills.missing_bar
    rules[QUOTE] = config.fills.quote
    rules[ACCOUNT] = config.account.rule
    rules[PARTLY_PAID] = config.is_partly_paid
    rules[SHORTFALL] = getattr(config.account, "shortfall", Shortfall.REJECT)
    rules[MARK_SOURCE] = config.account.mark
    rules[ADMISSION] = config.orders.admission
    rules[BATCH_ORDER] = config.orders.batch_order
    rules[LOT_RULE] = config.orders.lots
    rules[FILL_BASIS] = config.orders.fill_basis == "reference"
    rules[VALUATION] = config.orders.valuation
    rules[POST_ONLY] = config.orders.post_only
    submit, cancel = config.orders.latency.submit, config.orders.latency.cancel
    if isinstance(submit, int):
        rules[SUBMIT_DELAY_BARS] = submit
    elif submit is not None:
        rules[SUBMIT_DELAY] = duration_ns(submit)
    if isinstance(cancel, int):
        rules[CANCEL_DELAY_BARS] = cancel
    elif cancel is not None:
        rules[CANCEL_DELAY] = duration_ns(cancel)
    rules[END_OF_DATA] = config.end.symbol
    rules[END_OF_RUN] = config.end.run
    rules[SEED] = config.run.seed
    return rules


def volume_basis(config: BacktestConfig) -> VolumeBasis:
    """Whose volume limits fills."""
    participation = config.fills.participation
    return VolumeBasis.NONE if participation is None else VolumeBasis[participation.basis.upper()]


def shares_of(config: BacktestConfig) -> NDArray[np.float64]:
    """The parameters of the fill rules; a queue loses a bar's whole volume where nothing says which share."""
    participation, touch = config.fills.participation, config.fills.touch
    share = np.zeros(SHARES_SIZE)
    share[PARTICIPATION] = participation.share if participation else 1.0
    share[TOUCH_PROBABILITY] = getattr(touch, "probability", 0.0)
    share[TOUCH_AHEAD] = getattr(touch, "ahead", 0.0)
    return share


def money_of(config: BacktestConfig) -> NDArray[np.float64]:
    """The amounts of the account before the run."""
    money = np.zeros(MONEY_SIZE)
    money[INITIAL_CASH] = config.account.cash
    money[MARGIN_RATE] = config.account.initial_margin_rate
    return money
