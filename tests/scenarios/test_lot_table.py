"""Orders filled lot by lot, worked out by hand (docs/semantics/lots.md). Every bar is 100, 102, 98, 100; one request a decision."""

from typing import Any

import polars as pl
import pytest

from ml4t.backtest import OrderError, Strategy, run

DAYS = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 8), eager=True)
BARS = pl.DataFrame({"timestamp": DAYS}).with_columns(
    symbol=pl.lit("A"), open=100.0, high=102.0, low=98.0, close=100.0, volume=1.0
)
BASE = {
    "account": {"kind": "margin", "cash": 10_000.0, "initial_margin_rate": 1.0},
    "fills": {"schedule": "queue", "executions": "lot", "rescan": "exits"},
    "orders": {"valuation": "bar_close"},
    "run": {"acknowledge_leaky": True},
}
FEE = {"commission": {"kind": "per_fill", "fixed": 1.0}}
SPREAD = {"spread": {"kind": "rate", "rate": 0.01}}

# settings, orders as (signed quantity or percent), fills as (signed quantity, price), cash at the end
ROWS: dict[str, tuple[dict[str, Any], list[float], list[tuple[float, float]], float]] = {
    "the oldest lots are closed first, each an execution with its commission": (
        {"costs": FEE},
        [10, 5, -12],
        [(10, 100.0), (5, 100.0), (-10, 100.0), (-2, 100.0)],
        10_000 - 1_500 + 1_200 - 4,
    ),
    "closing pays no spread, opening the rest does": (
        {"costs": SPREAD},
        [10, -15],
        [(10, 101.0), (-10, 100.0), (-5, 99.0)],
        10_000 - 1_010 + 1_000 + 495,
    ),
    "without netting the sides stand side by side": (
        {"account": BASE["account"] | {"netting": "none"}},
        [10, -4],
        [(10, 100.0), (-4, 100.0)],
        10_000 - 1_000 + 400,
    ),
    "a percent is of buying power, at the price with spread": (
        {"costs": SPREAD},
        [0.5],
        [(49, 101.0)],
        10_000 - 49 * 101,
    ),
    "what exceeds the buying power is not opened": ({}, [60, 41], [(60, 100.0)], 4_000),
    "and the commission counts": ({"costs": FEE}, [100], [], 10_000),
}


class Sends(Strategy):
    """One order a decision: units, or a fraction."""

    def __init__(self, sizes: list[float]) -> None:
        self.sizes = list(sizes)

    def on_bar(self) -> None:
        if self.sizes:
            size = self.sizes.pop(0)
            send = self.broker.buy if size > 0 else self.broker.sell
            send("A", **({"percent": abs(size)} if abs(size) < 1 else {"quantity": abs(size)}))


@pytest.mark.parametrize(("settings", "sizes", "fills", "cash"), ROWS.values(), ids=ROWS)
def test_row(settings: dict[str, Any], sizes: list[float], fills: list[tuple[float, float]], cash: float) -> None:
    result = run(Sends(sizes), BARS, BASE | settings)
    side = pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0)
    assert result.fills.select(pl.col("quantity") * side, "price").rows() == fills
    assert result.equity["cash"][-1] == pytest.approx(cash, abs=1e-9)
    assert result.equity["cash"][-1] == pytest.approx(10_000 + result.journal["amount"].sum(), abs=1e-9)


def test_exits_belong_to_the_lot_and_meet_the_bar_of_a_market_entry() -> None:
    """The stop at 99 is inside the bar on which its parent fills at 100; the limit goes with the lot."""

    class Brackets(Strategy):
        def on_bar(self) -> None:
            if self.data.count("A") == 1:
                self.entry = self.broker.buy("A", 10)
                self.limit = self.broker.sell("A", parent=self.entry, limit=110)
                self.broker.sell("A", parent=self.entry, stop=99)

        def on_end(self) -> None:
            self.ended = (self.limit.state.name, self.limit.filled_quantity)

    strategy = Brackets()
    result = run(strategy, BARS, BASE)
    assert result.fills.select("quantity", "price").rows() == [(10.0, 100.0), (10.0, 99.0)]
    assert strategy.ended == ("CANCELLED", 0.0)


def test_targets_are_refused() -> None:
    class Targets(Strategy):
        def on_bar(self) -> None:
            self.broker.order_target_quantity("A", 5)

    with pytest.raises(OrderError, match="quantity or a percent"):
        run(Targets(), BARS, BASE)
