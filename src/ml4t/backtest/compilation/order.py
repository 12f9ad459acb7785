"""Orders in compiled code: the same answers as `order.Order` gives."""

import operator
from typing import Any

from numba.core import cgutils, types
from numba.core.imputils import lower_builtin, lower_cast

from ml4t.backtest.compilation.name import inlined
from ml4t.backtest.compilation.view import ORDER, Order, attribute, function, maker, number_of, state_of
from ml4t.backtest.enums import Basis, Mistake
from ml4t.backtest.kernel.decision import note_mistake
from ml4t.backtest.tables import NONE

order_of = maker(ORDER)


@lower_cast(types.NoneType, Order)
def _none(context: Any, builder: Any, given: Any, wanted: Any, value: Any) -> Any:
    """No order: the id 0."""
    return context.get_constant_null(wanted)


@lower_builtin(operator.is_, Order, types.NoneType)
def _is_none(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    view = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
    return builder.icmp_signed("==", view.number, context.get_constant(types.int64, 0))


@lower_builtin(operator.is_not, Order, types.NoneType)
def _is_some(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.not_(_is_none(context, builder, sig, args))


@function(bool)
def _bool(order: Any) -> Any:
    return (lambda order: number_of(order) > 0) if isinstance(order, Order) else None


@function(operator.eq)
def _same(a: Any, b: Any) -> Any:
    if isinstance(a, Order) and isinstance(b, Order):
        return lambda a, b: number_of(a) == number_of(b)
    return None


@attribute(Order, "id")
def _order_id(self: Any) -> Any:
    return lambda self: number_of(self)


@inlined
def cell_of(state, number):
    """Where an order lies: its cell, or ~row among the closed orders. None that there is not is a mistake, and the first cell."""
    if number < 1:
        note_mistake(state, Mistake.NO_ORDER, 0, NONE)
        return 0
    return state.places[number - 1]


@attribute(Order, "is_live")
def _is_live(self: Any) -> Any:
    return lambda self: cell_of(state_of(self), number_of(self)) >= 0


def _reads(name: str, group: str, field: str | None = None) -> None:
    """An attribute of orders that is a column of the book."""
    space: dict[str, Any] = {"state_of": state_of, "number_of": number_of, "cell_of": cell_of}
    column = field or name
    exec(  # noqa: S102  a column's name is part of the compiled code; getattr with a variable does not compile
        f"def read(self):\n"
        f"    state = state_of(self)\n"
        f"    cell = cell_of(state, number_of(self))\n"
        f"    return state.{group}.{column}[cell] if cell >= 0 else state.closed_{group}.{column}[~cell]\n",
        space,
    )
    attribute(Order, name)(lambda self: space["read"])


for _name, _group in (
    ("symbol", "orders"),
    ("side", "orders"),
    ("type", "orders"),
    ("origin", "orders"),
    ("sizing", "orders"),
    ("tif", "orders"),
    ("state", "orders"),
    ("reason", "orders"),
    ("quantity", "terms"),
    ("commission", "progress"),
):
    _reads(_name, _group)
_reads("submitted_ns", "terms", "submitted")
_reads("filled_quantity", "progress", "filled")
_reads("_value", "progress", "value")


def _price_of(name: str) -> None:
    """A price of an order: None where there is none, or where it is not known yet."""
    space: dict[str, Any] = {
        "state_of": state_of,
        "number_of": number_of,
        "cell_of": cell_of,
        "PRICE": int(Basis.PRICE),
    }
    exec(  # noqa: S102
        f"def read(self):\n"
        f"    state = state_of(self)\n"
        f"    cell = cell_of(state, number_of(self))\n"
        f"    value = state.terms.{name}[cell] if cell >= 0 else state.closed_terms.{name}[~cell]\n"
        f"    basis = state.terms.{name}_basis[cell] if cell >= 0 else state.closed_terms.{name}_basis[~cell]\n"
        f"    return value if value == value and basis == PRICE else None\n",
        space,
    )
    attribute(Order, name)(lambda self: space["read"])


for _name in ("limit", "stop", "activation"):
    _price_of(_name)


@attribute(Order, "average_fill_price")
def _average(self: Any) -> Any:
    def average(self):
        filled = self.filled_quantity
        if filled == 0.0:
            return None
        return self._value / filled / state_of(self).instruments.multiplier[self.symbol]

    return average
