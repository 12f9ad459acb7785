"""`self.portfolio` in compiled code: the same questions as `portfolio.Portfolio` answers."""

import operator
from typing import Any

from ml4t.backtest.compilation.name import symbol_number
from ml4t.backtest.compilation.view import (
    POSITION,
    POSITIONS,
    Portfolio,
    Position,
    Positions,
    attribute,
    function,
    maker,
    method,
    number_of,
    state_of,
)
from ml4t.backtest.tables import GROSS, HELD, NET

position_of, positions_of = maker(POSITION), maker(POSITIONS)


@attribute(Portfolio, "cash")
def _cash(self: Any) -> Any:
    return lambda self: state_of(self).cash[0]


@attribute(Portfolio, "equity")
def _equity(self: Any) -> Any:
    return lambda self: state_of(self).cash[0] + state_of(self).money[NET]


@attribute(Portfolio, "net_exposure")
def _net(self: Any) -> Any:
    return lambda self: state_of(self).money[NET]


@attribute(Portfolio, "gross_exposure")
def _gross(self: Any) -> Any:
    return lambda self: state_of(self).money[GROSS]


@attribute(Portfolio, "leverage")
def _leverage(self: Any) -> Any:
    def leverage(self):
        state = state_of(self)
        equity = state.cash[0] + state.money[NET]
        return state.money[GROSS] / equity if equity != 0.0 else float("nan")

    return leverage


@attribute(Portfolio, "realized_pnl")
def _realized(self: Any) -> Any:
    def realized(self):
        state, total = state_of(self), 0.0
        for slot in range(state.positions.realized.shape[0]):
            total += state.positions.realized[slot]
        return total

    return realized


@attribute(Portfolio, "unrealized_pnl")
def _unrealized(self: Any) -> Any:
    def unrealized(self):
        state, total = state_of(self), 0.0
        for slot in range(state.positions.quantity.shape[0]):
            if state.positions.quantity[slot] != 0.0:
                total += position_of(self, slot).unrealized_pnl
        return total

    return unrealized


@method(Portfolio, "position")
def _position(self: Any, symbol: Any) -> Any:
    number = symbol_number(symbol)
    return lambda self, symbol: position_of(self, number(state_of(self), symbol))


@attribute(Portfolio, "positions")
def _positions(self: Any) -> Any:
    return lambda self: positions_of(self, 0)


@function(len)
def _len(held: Any) -> Any:
    return (lambda held: state_of(held).clock[HELD]) if isinstance(held, Positions) else None


@function(bool)
def _bool(held: Any) -> Any:
    return (lambda held: state_of(held).clock[HELD] > 0) if isinstance(held, Positions) else None


@function(operator.contains)
def _contains(held: Any, symbol: Any) -> Any:
    if not isinstance(held, Positions):
        return None
    number = symbol_number(symbol)
    return lambda held, symbol: state_of(held).positions.quantity[number(state_of(held), symbol)] != 0.0


@function(operator.getitem)
def _getitem(held: Any, symbol: Any) -> Any:
    if not isinstance(held, Positions):
        return None
    number = symbol_number(symbol)
    return lambda held, symbol: position_of(held, number(state_of(held), symbol))


# -------------------------------------------------------------------------------------------------------------- position
@attribute(Position, "quantity")
def _quantity(self: Any) -> Any:
    return lambda self: state_of(self).positions.quantity[number_of(self)]


@attribute(Position, "average_price")
def _average(self: Any) -> Any:
    return lambda self: state_of(self).positions.average_price[number_of(self)]


@attribute(Position, "mark")
def _mark(self: Any) -> Any:
    return lambda self: state_of(self).market.mark[number_of(self)]


@attribute(Position, "value")
def _value(self: Any) -> Any:
    def value(self):
        state, slot = state_of(self), number_of(self)
        quantity = state.positions.quantity[slot]
        return quantity * state.instruments.multiplier[slot] * state.market.mark[slot] if quantity != 0.0 else 0.0

    return value


@attribute(Position, "unrealized_pnl")
def _unrealized_of(self: Any) -> Any:
    def unrealized(self):
        state, slot = state_of(self), number_of(self)
        quantity, average = state.positions.quantity[slot], state.positions.average_price[slot]
        if quantity == 0.0:
            return 0.0
        return quantity * state.instruments.multiplier[slot] * (state.market.mark[slot] - average)

    return unrealized


@attribute(Position, "realized_pnl")
def _realized_of(self: Any) -> Any:
    return lambda self: state_of(self).positions.realized[number_of(self)]
