"""Fills, transitions of orders and signals in compiled code: what `on_fill`, `on_order` and `on_signal` are told."""

import operator
from typing import Any

from ml4t.backtest.compilation.name import field_number
from ml4t.backtest.compilation.order import order_of
from ml4t.backtest.compilation.view import (
    VALUES,
    Fill,
    OrderEvent,
    Signal,
    Values,
    attribute,
    function,
    maker,
    number_of,
    state_of,
)

values_of = maker(VALUES)


def _reads(view: Any, name: str, group: str, field: str) -> None:
    """An attribute that is a column of a table."""
    space: dict[str, Any] = {"state_of": state_of, "number_of": number_of}
    exec(f"def read(self):\n    return state_of(self).{group}.{field}[number_of(self)]\n", space)  # noqa: S102  as in `broker`
    attribute(view, name)(lambda self: space["read"])


for _name, _group, _field in (
    ("time_ns", "fills", "time"),
    ("symbol", "fills", "symbol"),
    ("price", "fills", "price"),
    ("commission", "fills", "commission"),
    ("_signed", "fills", "quantity"),
    ("position_after", "aftermath", "position"),
    ("cash_after", "aftermath", "cash"),
):
    _reads(Fill, _name, _group, _field)
for _name, _field in (("time_ns", "time"), ("source", "source"), ("target", "target"), ("reason", "reason")):
    _reads(OrderEvent, _name, "events", _field)
_reads(Signal, "event_ns", "information", "event")
_reads(Signal, "arrival_ns", "information", "arrival")


@attribute(Fill, "fill_id")
def _fill_id(self: Any) -> Any:
    return lambda self: number_of(self) + 1


@attribute(Fill, "order")
def _filled_order(self: Any) -> Any:
    return lambda self: order_of(self, state_of(self).fills.order[number_of(self)])


@attribute(Fill, "quantity")
def _filled(self: Any) -> Any:
    return lambda self: abs(self._signed)


@attribute(Fill, "side")
def _side(self: Any) -> Any:
    return lambda self: 1 if self._signed > 0.0 else -1


@attribute(OrderEvent, "order")
def _changed_order(self: Any) -> Any:
    return lambda self: order_of(self, state_of(self).events.order[number_of(self)])


# --------------------------------------------------------------------------------------------------------------- signals
@attribute(Signal, "symbol")
def _symbol(self: Any) -> Any:
    def symbol(self):
        state, at = state_of(self), number_of(self)
        symbols = state.market.mark.shape[0]
        return (state.information.series[at] - symbols) % (symbols + 1)

    return symbol


@attribute(Signal, "values")
def _values(self: Any) -> Any:
    return lambda self: values_of(self, number_of(self))


@function(operator.getitem)
def _value(values: Any, name: Any) -> Any:
    if not isinstance(values, Values):
        return None
    column = field_number(name)

    def value(values, name):
        state, at = state_of(values), number_of(values)
        stream = state.information.stream[at]
        first = state.streams.source_first[stream] + column(state, stream, name) * state.streams.rows[stream]
        return state.history.source[first + state.information.row[at]]

    return value
