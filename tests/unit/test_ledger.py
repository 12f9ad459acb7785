"""The snap of fills that close next to everything (docs/semantics/ledger.md): 0.1 + 0.2 is 0.30000000000000004 in float64."""

from datetime import UTC, datetime, timedelta

import numba
import polars as pl
import pytest

from ml4t.backtest import Result, Strategy, run
from ml4t.backtest.kernel.ledger import closing_snap


@numba.njit
def snapped(held: float, quantity: float) -> float:
    """What Python may call: an inlined function has no code of its own to jump to."""
    return closing_snap(held, quantity)


@pytest.mark.parametrize(
    ("held", "quantity", "fill"),
    [
        (0.1 + 0.2, -0.3, -(0.1 + 0.2)),  # leaves 5.6e-17
        (-0.3, 0.1 + 0.2, 0.3),  # would flip by 5.6e-17
        (1e9, -1e9 + 0.5, -1e9),  # leaves 5e-10 of the position: next to nothing
        (1e9, -1e9 + 2.0, -1e9 + 2.0),  # 2e-9 is something
        (0.3, -0.2, -0.2),
        (0.0, 1e-12, 1e-12),  # nothing is held: any quantity opens
        (1.0, 1e-12, 1e-12),
    ],
)
def test_what_closes_next_to_everything_closes_everything(held: float, quantity: float, fill: float) -> None:
    assert snapped(held, quantity) == fill


def result_of(quantities: list[float]) -> Result:
    """One order a bar, at prices that never move."""

    class Steps(Strategy):
        def on_bar(self) -> None:
            if self.todo:
                quantity = self.todo.pop(0)
                (self.broker.buy if quantity > 0 else self.broker.sell)("A", abs(quantity))

        def on_start(self) -> None:
            self.todo = list(quantities)

    start = datetime(2024, 1, 1, 10, tzinfo=UTC)
    times = [start + timedelta(minutes=n) for n in range(len(quantities) + 2)]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0)
    bars = pl.DataFrame({"timestamp": times}).with_columns(
        symbol=pl.lit("A"), **{name: pl.lit(price) for name, price in prices.items()}
    )
    return run(Steps(), bars, {"account": {"kind": "margin"}, "instruments": {"default": {"lot_size": 0.0}}})


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_close_leaves_no_position_no_lot_and_no_open_trade(sign: int) -> None:
    result = result_of([sign * 0.1, sign * 0.2, sign * -0.3])
    assert result.fills["position_after"][-1] == 0.0
    assert result.positions["quantity"].to_list() in ([], [0.0])
    assert result.trades["is_open"].to_list() == [False, False]
    assert result.trades["quantity"].to_list() == [0.1, 0.2]


def test_the_average_price_of_one_fill_is_its_price() -> None:
    """In float64 100 · ⅓ ÷ ⅓ is 99.99999999999999, and a stop that is measured from it would not be where it was meant to be."""
    assert result_of([1 / 3]).positions["average_price"].to_list() == [100.0]
