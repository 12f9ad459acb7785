"""What `self.data`, `self.broker`, an order, a fill … are in compiled code: the state's address and a number."""

from collections.abc import Callable
from typing import Any, ClassVar

from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, overload, overload_attribute, overload_method

from ml4t.backtest._jit import STATE

# compiled into its caller, and not callable from Python or C, which takes a third of the compiler's time
INLINED = {"forceinline": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class View(types.Type):
    """Base of the views. `number`: the symbol, the order's id, the fill … it is a view of."""

    members: ClassVar[list[tuple[str, Any]]] = [("key", types.intp), ("number", types.int64)]

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name or type(self).__name__)


class Data(View):
    """`self.data`."""


class Portfolio(View):
    """`self.portfolio`."""


class Positions(View):
    """`self.portfolio.positions`."""


class Position(View):
    """A position; its number is the symbol's."""


class Clock(View):
    """`self.clock`."""


class Order(View):
    """An order; its number is its id, 0: none."""

    def unify(self, typingctx: Any, other: Any) -> "Order | None":
        """A variable that is an order or None is an order."""
        return self if isinstance(other, types.NoneType) else None

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """None is no order."""
        return Conversion.safe if isinstance(other, types.NoneType) else None


class Fill(View):
    """A fill; its number is its row."""


class OrderEvent(View):
    """A transition of an order; its number is its row."""


class Signal(View):
    """A row of the signals; its number is its place among the information rows."""


class Values(View):
    """The values of a signal; its number is the signal's."""


class Broker(View):
    """`self.broker`. Whether the strategy has exits of its own is part of the type; what they are lies in the state."""

    def __init__(self, *, has_exits: bool) -> None:
        self.has_exits = has_exits
        super().__init__(f"Broker({has_exits})")


class Trail(View):
    """A `Trail` made in compiled code: see `compilation.price`."""

    members: ClassVar = [("size", types.float64), ("is_rate", types.int64), ("ratchet", types.int64)]


class Price(View):
    """A `Price` made in compiled code."""

    members: ClassVar = [("size", types.float64)]


class Name(types.Type):
    """A string that is known by its digest: a symbol, column, stream or tag in an attribute of the strategy."""

    def __init__(self) -> None:
        super().__init__("Name")


for _view in (
    Data,
    Portfolio,
    Positions,
    Position,
    Clock,
    Order,
    Fill,
    OrderEvent,
    Signal,
    Values,
    Broker,
    Trail,
    Price,
):

    @register_default(_view)
    class _ViewModel(models.StructModel):  # type: ignore[misc]
        def __init__(self, dmm: Any, fe_type: Any) -> None:
            super().__init__(dmm, fe_type, fe_type.members)


@register_default(Name)
class _NameModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, cgutils.intp_t)


NAME = Name()
DATA, PORTFOLIO, POSITIONS, POSITION, CLOCK, ORDER = Data(), Portfolio(), Positions(), Position(), Clock(), Order()
FILL, EVENT, SIGNAL, VALUES, TRAIL, PRICE = Fill(), OrderEvent(), Signal(), Values(), Trail(), Price()


def _bare(register: Callable[..., Any]) -> Callable[..., Any]:
    """Numba compares the signatures of a chooser and of what it chooses, annotations included: these are for the reader only."""

    def decorate(chooser: Callable[..., Any]) -> Callable[..., Any]:
        chooser.__annotations__ = {}
        register(chooser)
        return chooser

    return decorate


KNOWN: dict[str, list[str]] = {}
"""View → what it can be asked."""


def method(view: type[types.Type], name: str) -> Callable[..., Any]:
    """Decorator: the function chooses, by the types of its arguments, what compiled code does for `view.name(...)`."""
    KNOWN.setdefault(view.__name__, []).append(name)
    return _bare(overload_method(view, name, jit_options=INLINED, prefer_literal=True))


def attribute(view: type[types.Type], name: str) -> Callable[..., Any]:
    """Decorator: the function returns what compiled code does for `view.name`."""
    KNOWN.setdefault(view.__name__, []).append(name)
    return _bare(overload_attribute(view, name, jit_options=INLINED))


def function(target: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the function chooses, by the types of its arguments, what compiled code does for `target(...)`."""
    return _bare(overload(target, jit_options=INLINED, prefer_literal=True))


def part(name: str, result: Any) -> Any:
    """An intrinsic that answers one member of a view."""

    @intrinsic
    def read(typingctx: Any, view: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]), name)

        return result(view), codegen

    return read


state_of, number_of = part("key", STATE), part("number", types.int64)
"""The state behind a view, and its number."""


def maker(result: View) -> Any:
    """An intrinsic that makes a view of another: of the same state, with this number."""

    @intrinsic
    def make(typingctx: Any, view: Any, number: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            source = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
            made = cgutils.create_struct_proxy(sig.return_type)(context, builder)
            made.key, made.number = source.key, args[1]
            return made._getvalue()

        return result(view, types.int64), codegen

    return make


@intrinsic
def digest_of(typingctx: Any, name: Any) -> Any:
    """The digest behind a Name."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[0]

    return types.int64(name), codegen


def is_given(argument: Any) -> bool:
    """Whether an argument of an overload is there, and not None."""
    return argument is not None and not isinstance(argument, types.NoneType | types.Omitted)
