"""Weights that a portfolio is to have, as targets of single symbols."""

from collections.abc import Mapping
from typing import NamedTuple

from ml4t.backtest.errors import OrderError
from ml4t.backtest.lookup import Symbols
from ml4t.backtest.number import finite
from ml4t.backtest.tables import HELD, NET, State


class Band(NamedTuple):
    """What is too small to trade, and what is not to be invested."""

    minimum_trade: float  # value, account currency
    drift: float  # weight
    cash_buffer: float  # fraction of equity


def band(minimum_trade: float, drift: float, cash_buffer: float) -> Band:
    """The limits, checked. Raises OrderError."""
    given = Band(
        finite("rebalance: minimum_trade", minimum_trade),
        finite("rebalance: drift", drift),
        finite("rebalance: cash_buffer", cash_buffer),
    )
    for name, value in given._asdict().items():
        if value < 0.0:
            raise OrderError(f"rebalance: {name} must be 0 or more, not {value!r}.")
    if given.cash_buffer >= 1.0:
        raise OrderError(f"rebalance: cash_buffer is a fraction of equity below 1, not {cash_buffer!r}.")
    return given


def targets(state: State, numbers: Symbols, weights: Mapping[str, float], limits: Band) -> list[tuple[int, float]]:
    """(symbol, weight of equity) of each position that has to change, reductions first.

    - A symbol's target is its weight · (1 − cash_buffer); of a symbol that is held and not named, 0.
    - It is left alone where its weight misses the target by `drift` or less, or by less than `minimum_trade` in value.
    - A position whose target is 0 is closed in any case.

    Raises:
        OrderError: a weight is not finite, or there is no equity.
        UnknownSymbolError: the run has no such symbol.

    """
    wanted = {numbers[symbol]: finite(f"rebalance: weight of {symbol}", weights[symbol]) for symbol in weights}
    wanted = {number: weight * (1.0 - limits.cash_buffer) for number, weight in wanted.items()}
    for slot in sorted(state.held[: int(state.clock[HELD])].tolist()):
        wanted.setdefault(int(state.positions.symbol[slot]), 0.0)
    equity = float(state.cash.sum() + state.money[NET])
    if equity <= 0.0:
        raise OrderError(f"rebalance: equity is {equity:g}; weights of it mean nothing.")
    changes = []
    for number, weight in wanted.items():
        held = float(state.positions.quantity[number])
        value = held * float(state.instruments.multiplier[number]) * float(state.market.mark[number]) if held else 0.0
        missing = weight * equity - value
        is_close = held != 0.0 and weight == 0.0
        is_large = abs(missing) > limits.drift * equity and abs(missing) >= limits.minimum_trade
        if is_close or (is_large and missing != 0.0):
            changes.append((missing * held >= 0.0, number, weight))
    return [(number, weight) for _, number, weight in sorted(changes, key=lambda change: change[0])]
