"""Cash and positions as they are now: views of the ledger, no number of their own."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ml4t.backtest._jit import Handle
from ml4t.backtest.lookup import Symbols
from ml4t.backtest.tables import GROSS, HELD, NET, NONE, State


class Position:
    """View of one symbol's position."""

    __slots__ = ("_average", "_mark", "_multiplier", "_number", "_quantity", "_realized", "symbol")

    def __init__(self, state: State, symbol: str, number: int) -> None:
        self.symbol = symbol
        self._number = number
        self._quantity = memoryview(state.positions.quantity)  # type: ignore[arg-type]
        self._average = memoryview(state.positions.average_price)  # type: ignore[arg-type]
        self._realized = memoryview(state.positions.realized)  # type: ignore[arg-type]
        self._mark = memoryview(state.market.mark)  # type: ignore[arg-type]
        self._multiplier = memoryview(state.instruments.multiplier)  # type: ignore[arg-type]

    @property
    def quantity(self) -> float:
        """Signed units: negative is short."""
        return float(self._quantity[self._number])

    @property
    def average_price(self) -> float:
        """Average entry price, 0 when flat."""
        return float(self._average[self._number])

    @property
    def mark(self) -> float:
        """The price it is valued at: the last close, or the last fill since."""
        return float(self._mark[self._number])

    @property
    def value(self) -> float:
        """Signed value at the mark, account currency."""
        return self.quantity * self._multiplier[self._number] * self.mark if self.quantity else 0.0

    @property
    def unrealized_pnl(self) -> float:
        """What closing at the mark would earn before costs."""
        return (
            self.quantity * self._multiplier[self._number] * (self.mark - self.average_price) if self.quantity else 0.0
        )

    @property
    def realized_pnl(self) -> float:
        """What closing fills have earned before costs."""
        return float(self._realized[self._number])

    def __repr__(self) -> str:
        return f"Position({self.symbol!r}, quantity={self.quantity:g}, average_price={self.average_price:g}, mark={self.mark:g})"


class Lot(NamedTuple):
    """An open lot: the id of the fill that opened it, what is left of it (signed units), and its entry price."""

    id: int
    symbol: str
    quantity: float
    price: float


class Portfolio:
    """View of the ledger, in account currency.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Hold(Strategy):
    ...     def on_bar(self):
    ...         if not self.portfolio.positions:
    ...             self.broker.buy("SPX", 10)
    ...     def on_end(self):
    ...         print(self.portfolio.position("SPX"))
    >>> _ = run(Hold(), us_indices(), cash=50_000)
    Position('SPX', quantity=10, average_price=1228.1, mark=2506.85)
    """

    __slots__ = ("_cash", "_clock", "_handle", "_money", "_positions", "_state", "position")

    def __init__(self, handle: Handle, symbols: Sequence[str]) -> None:
        state: State = handle.state
        self._handle = handle
        self._state = state
        self._cash = memoryview(state.cash)  # type: ignore[arg-type]
        self._money = memoryview(state.money)  # type: ignore[arg-type]
        self._clock = memoryview(state.clock)  # type: ignore[arg-type]
        self._positions = _Positions(state, symbols)
        # the dictionary's own method: no Python frame for the most frequent question
        self.position: Callable[[str], Position] = self._positions.__getitem__

    @property
    def cash(self) -> float:
        """Cash."""
        return float(self._cash[0])

    @property
    def equity(self) -> float:
        """Cash and positions at their marks."""
        return float(self._cash[0] + self._money[NET])

    @property
    def positions(self) -> dict[str, Position]:
        """Symbol → position, of the symbols held now, in universe order."""
        held = sorted(int(slot) for slot in self._state.held[: self._clock[HELD]])
        return {name: self._positions[name] for name in (self._positions.names[slot] for slot in held)}

    def lots(self, symbol: str) -> list[Lot]:
        """The open lots of a symbol, the oldest first."""
        state = self._handle.state  # the tables of lots and fills grow
        lots, at = [], int(state.positions.oldest_lot[self.position(symbol)._number])
        while at != NONE:
            fill = int(state.lots.fill[at])
            sign = 1.0 if state.fills.quantity[fill] > 0.0 else -1.0
            lots.append(Lot(fill + 1, symbol, sign * float(state.lots.quantity[at]), float(state.fills.price[fill])))
            at = int(state.lots.next[at])
        return lots

    @property
    def net_exposure(self) -> float:
        """Σ position value."""
        return float(self._money[NET])

    @property
    def gross_exposure(self) -> float:
        """Σ |position value|."""
        return float(self._money[GROSS])

    @property
    def leverage(self) -> float:
        """Gross exposure ÷ equity."""
        return self.gross_exposure / self.equity if self.equity else float("nan")

    @property
    def unrealized_pnl(self) -> float:
        """Σ of the positions held."""
        return sum(position.unrealized_pnl for position in self.positions.values())

    @property
    def realized_pnl(self) -> float:
        """Σ over all symbols, before costs."""
        return float(sum(self._state.positions.realized))

    def __repr__(self) -> str:
        return f"Portfolio(cash={self.cash:.2f}, equity={self.equity:.2f}, positions={list(self.positions.values())})"


class _Positions(dict[str, Position]):
    """Symbol → view."""

    __slots__ = ("names",)

    def __init__(self, state: State, symbols: Sequence[str]) -> None:
        super().__init__({name: Position(state, name, number) for number, name in enumerate(symbols)})
        self.names = tuple(symbols)

    def __missing__(self, name: str) -> Position:
        Symbols(self.names)[name]
        raise AssertionError("unreachable")
