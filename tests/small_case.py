"""Cases of a few bars written by hand, and what the oracle says of them in short."""

from __future__ import annotations

from typing import Any

from cases import EPOCH, HOUR, Bar, Case, Request, Submit
from oracle import simulate
from outcome import Outcome

Prices = tuple[float, float, float, float]
FLAT: Prices = (100, 100, 100, 100)
MARGIN = {"kind": "margin", "cash": 100_000.0}


def bars(
    *prices: Prices, symbol: str = "A", length: int = 1, first: int = 0, closes: int = 24, **columns: float
) -> list[Bar]:
    """Neighbouring bars of `length` hours from hour `first` on; the session closes at hour `closes`."""
    close = EPOCH + closes * HOUR
    starts = [EPOCH + (first + n * length) * HOUR for n in range(len(prices))]
    return [
        Bar(symbol, start, start + length * HOUR, close, *ohlc, **columns)
        for start, ohlc in zip(starts, prices, strict=True)
    ]


def outcome(rows: list[Bar], script: dict[int, list[Request]], *, finer: list[Bar] | None = None, **config: Any) -> Any:
    return simulate(Case(rows, sorted({bar.symbol for bar in rows}), config, script, finer=finer or []))


def buy(quantity: float | None = None, symbol: str = "A", **kwargs: Any) -> Submit:
    return Submit("buy", symbol, kwargs if quantity is None else {"quantity": quantity, **kwargs})


def sell(quantity: float | None = None, symbol: str = "A", **kwargs: Any) -> Submit:
    return Submit("sell", symbol, kwargs if quantity is None else {"quantity": quantity, **kwargs})


def hour(n: int) -> int:
    return EPOCH + n * HOUR


def fills(result: Outcome) -> list[tuple[int, int, float, float, str]]:
    """(order, hour, signed quantity, price, segment) of each fill."""
    return [(f.order_id, (f.time - EPOCH) // HOUR, float(f.quantity), float(f.price), f.segment) for f in result.fills]


def states(result: Outcome, order_id: int) -> list[tuple[str, str]]:
    return [(event.to_state, event.reason) for event in result.order_events if event.order_id == order_id]


def times(result: Outcome, order_id: int) -> list[int]:
    """The hour of each event of an order."""
    return [(event.time - EPOCH) // HOUR for event in result.order_events if event.order_id == order_id]
