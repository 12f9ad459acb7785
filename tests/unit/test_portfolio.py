"""Cash and positions as a strategy sees them: views that agree with arithmetic at every step."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import Strategy, UnknownSymbolError, run
from ml4t.backtest.datasets import us_indices

START = datetime(2024, 3, 5, 10, tzinfo=UTC)
PRICES = {"A": [100.0, 110.0, 120.0, 90.0], "B": [50.0, 40.0, 45.0, 60.0]}


def bars() -> pl.DataFrame:
    """Flat bars: A and B trade at one price a minute."""
    rows = [
        (START + timedelta(minutes=n), symbol, *[PRICES[symbol][n]] * 4, 1.0) for n in range(4) for symbol in PRICES
    ]
    return pl.DataFrame(rows, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


class Trade(Strategy):
    """Long 10 of A and short 20 of B from the first open on; 4 of A are sold at minute 2, B is closed at minute 3."""

    def on_start(self) -> None:
        self.seen: list[Any] = []
        self.broker.buy("A", 10)
        self.broker.sell("B", 20)
        self.a, self.b = self.portfolio.position("A"), self.portfolio.position("B")

    def on_bar(self) -> None:
        p = self.portfolio
        self.seen.append(
            {
                "cash": p.cash,
                "equity": p.equity,
                "net": p.net_exposure,
                "gross": p.gross_exposure,
                "leverage": p.leverage,
                "unrealized": p.unrealized_pnl,
                "realized": p.realized_pnl,
                "held": list(p.positions),
                "a": (
                    self.a.quantity,
                    self.a.average_price,
                    self.a.mark,
                    self.a.value,
                    self.a.unrealized_pnl,
                    self.a.realized_pnl,
                ),
                "b": (
                    self.b.quantity,
                    self.b.average_price,
                    self.b.mark,
                    self.b.value,
                    self.b.unrealized_pnl,
                    self.b.realized_pnl,
                ),
            }
        )
        if len(self.seen) == 2:
            self.broker.sell("A", 4)
        if len(self.seen) == 3:
            self.broker.close("B")


def test_every_number_at_every_step() -> None:
    """Bought 10 at 100, sold 20 at 50: cash stays 1 000. Then A 110 and B 40; A 120 and B 45; A 90 and B 60."""
    strategy = Trade()
    run(strategy, bars(), {"account": {"kind": "margin"}}, cash=1_000)
    one, two, three, four = strategy.seen
    assert one == {
        "cash": 1000, "equity": 1000, "net": 0, "gross": 2000, "leverage": 2, "unrealized": 0, "realized": 0, "held": ["A", "B"],
        "a": (10, 100, 100, 1000, 0, 0), "b": (-20, 50, 50, -1000, 0, 0),
    }  # fmt: skip
    # 10 · 110 − 20 · 40 = 300; both earn: 10 · 10 + 20 · 10
    assert two == {
        "cash": 1000, "equity": 1300, "net": 300, "gross": 1900, "leverage": 1900 / 1300, "unrealized": 300, "realized": 0,
        "held": ["A", "B"], "a": (10, 100, 110, 1100, 100, 0), "b": (-20, 50, 40, -800, 200, 0),
    }  # fmt: skip
    # 4 of A sold at 120: cash + 480, realised 4 · 20; 6 · 120 − 20 · 45 = −180
    assert three == {
        "cash": 1480, "equity": 1300, "net": -180, "gross": 1620, "leverage": 1620 / 1300, "unrealized": 120 + 100, "realized": 80,
        "held": ["A", "B"], "a": (6, 100, 120, 720, 120, 80), "b": (-20, 50, 45, -900, 100, 0),
    }  # fmt: skip
    # B bought back at 60: cash − 1 200, realised 20 · (50 − 60); 6 · 90 = 540
    assert four == {
        "cash": 280, "equity": 820, "net": 540, "gross": 540, "leverage": 540 / 820, "unrealized": -60, "realized": 80 - 200,
        "held": ["A"], "a": (6, 100, 90, 540, -60, 80), "b": (0, 0, 60, 0, 0, -200),
    }  # fmt: skip


def test_multiplier() -> None:
    """2 contracts of 50 a point bought at 100, marked at 110: value 11 000, 1 000 earned."""
    seen: list[Any] = []

    class Hold(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 2)

        def on_bar(self) -> None:
            position = self.portfolio.position("A")
            seen.append((position.value, position.unrealized_pnl, self.portfolio.equity))

    run(Hold(), bars(), {"instruments": {"default": {"multiplier": 50.0}}})
    assert seen[1] == (11_000, 1_000, 101_000)


def test_positions_are_those_held_in_the_order_of_the_universe() -> None:
    seen: list[list[str]] = []

    class Both(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 1)
            self.broker.buy("B", 1)

        def on_bar(self) -> None:
            seen.append(list(self.portfolio.positions))
            if len(seen) == 1:
                self.broker.close("B")

    run(Both(), bars(), {"data": {"universe": ["B", "A"]}})
    assert seen == [["B", "A"], ["A"], ["A"], ["A"]]


def test_a_wrong_symbol_suggests_the_nearest() -> None:
    class Ask(Strategy):
        def on_bar(self) -> None:
            self.portfolio.position("SPY")

    with pytest.raises(UnknownSymbolError, match=r"No symbol 'SPY' in this run. Did you mean 'SPX'\?"):
        run(Ask(), us_indices().head(4))


def test_views_cannot_be_written() -> None:
    class Cheat(Strategy):
        def on_bar(self) -> None:
            for owner, name in (
                (self.portfolio, "cash"),
                (self.portfolio, "equity"),
                (self.portfolio.position("A"), "quantity"),
            ):
                with pytest.raises(AttributeError):
                    setattr(owner, name, 1e9)

    assert run(Cheat(), bars()).equity["equity"].to_list() == [100_000.0] * 4


def test_in_words() -> None:
    class Speak(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 2)

        def on_end(self) -> None:
            self.text = repr(self.portfolio)

    strategy = Speak()
    run(strategy, bars(), cash=1_000)
    position = "Position('A', quantity=2, average_price=100, mark=90)"
    assert strategy.text == f"Portfolio(cash=800.00, equity=980.00, positions=[{position}])"


def test_the_portfolio_agrees_with_the_equity_frame_on_real_data() -> None:
    class Switch(Strategy):
        def on_start(self) -> None:
            self.seen: list[tuple[float, float, float, float]] = []

        def on_bar(self) -> None:
            p = self.portfolio
            self.seen.append((p.cash, p.equity, p.net_exposure, p.gross_exposure))
            n = len(self.seen)
            if n % 50 == 0:
                self.broker.order_target_percent("SPX", 0.5 if n % 100 else -0.5)
                self.broker.order_target_percent("NASDAQ", -0.5 if n % 100 else 0.5)

    strategy = Switch()
    config = {"account": {"kind": "margin"}, "costs": {"commission": {"kind": "rate", "rate": 0.001}}}
    result = run(strategy, us_indices(), config)
    assert result.equity.select("cash", "equity", "net_exposure", "gross_exposure").rows() == strategy.seen
    assert result.fills.height > 150
