"""The seed validation scenarios, on prices in closed form, so that every total is a line of plain arithmetic.

Linear bars: price(m) = 40 000 + 10 · m at minute m; bar m opens at price(m) and closes at price(m + 1). An order asked for at
minute m fills at the open of bar m, so at price(m).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import Result, Strategy, run

CASH = 1_000_000.0
TRIPS = 40
CYCLE, HOLD = 10, 5  # a round trip every 10 minutes, held for 5 bars
ENTRIES = [CYCLE * k + 1 for k in range(TRIPS)]
EXITS = [minute + HOLD for minute in ENTRIES]
GROWTH = 1.001  # of the geometric prices, a minute


def linear(minute: int) -> float:
    return 40_000.0 + 10.0 * minute


def geometric(minute: int) -> float:
    return float(100.0 * GROWTH**minute)


def minute_bars(price: Any, count: int, symbols: str = "A") -> pl.DataFrame:
    """Bars labelled by their start; their length follows from the distance of the rows."""
    start = datetime(2024, 3, 4, tzinfo=UTC)
    rows = []
    for n in range(count):
        first, last = price(n), price(n + 1)
        prices = (first, max(first, last), min(first, last), last)
        rows += [(start + timedelta(minutes=n), symbol, *prices, 1.0) for symbol in symbols]
    return pl.DataFrame(rows, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


class Flags(Strategy):
    """Buys at the entry minutes and closes at the exit minutes."""

    quantity: float = 1.0  # 0: all of the equity
    symbols: str = "A"
    entries: list[int] = ENTRIES
    exits: list[int] = EXITS

    def on_start(self) -> None:
        self.enter, self.leave = set(self.entries), set(self.exits)

    def on_bar(self) -> None:
        minute = self.data.count("A")  # bar n ends at minute n + 1
        for symbol in self.symbols:
            if minute in self.enter and self.quantity:
                self.broker.buy(symbol, self.quantity)
            elif minute in self.enter:
                self.broker.order_target_percent(symbol, 1.0)
            elif minute in self.leave:
                self.broker.close(symbol)


def flags(price: Any = linear, costs: dict[str, Any] | None = None, **parameters: Any) -> Result:
    symbols = parameters.get("symbols", "A")
    lots = {"default": {"lot_size": 1.0 if parameters.get("quantity", 1.0) else 0.0}}
    bars = minute_bars(price, CYCLE * TRIPS + CYCLE, symbols)
    return run(Flags(**parameters), bars, {"costs": costs or {}, "instruments": lots}, cash=CASH)


def final(result: Result) -> float:
    assert result.positions["quantity"].to_list() == [0.0] * result.positions.height
    return float(result.equity["equity"][-1])


def test_baseline_entries_and_exits() -> None:
    """20 entries and exits at uneven distances: each earns 10 a minute held."""
    entries = [7 * k + 3 for k in range(20)]
    exits = [7 * k + 3 + 1 + k % 6 for k in range(20)]
    result = flags(entries=entries, exits=exits)
    minutes = sum(1 + k % 6 for k in range(20))  # 3 · 21 + 1 + 2 = 66
    assert minutes == 66
    assert final(result) == CASH + 10 * minutes
    assert result.fills["price"].to_list() == [linear(m) for pair in zip(entries, exits, strict=True) for m in pair]
    assert result.trades["bars_held"].to_list() == [1 + k % 6 for k in range(20)]


def test_40_round_trips_of_5_bars() -> None:
    """40 · 5 · 10 = 2 000."""
    result = flags()
    assert final(result) == CASH + 2_000
    assert result.fills.height == 80
    assert result.trades["bars_held"].to_list() == [5] * 40
    assert result.trades["pnl"].to_list() == [50.0] * 40
    assert result.metrics["trades"] == 40
    assert result.metrics["win_rate"] == 1.0


def test_40_round_trips_all_in() -> None:
    """All of the equity each time: it grows by 1.001 a minute held, 200 minutes in all."""
    assert final(flags(geometric, quantity=0.0)) == pytest.approx(CASH * GROWTH ** (TRIPS * HOLD), rel=1e-12)


RATE = {"commission": {"kind": "rate", "rate": 0.001}}
TRADED = sum(linear(m) for m in ENTRIES + EXITS)  # 80 · 40 000 + 10 · Σ minutes


def test_commission_of_a_thousandth() -> None:
    """Each trade pays 0.001 of its price: 0.001 · (80 · 40 000 + 10 · (2 · Σ(10k + 1) + 40 · 5))."""
    minutes = 2 * (10 * 780 + 40) + 200  # Σ k for k < 40 is 780
    assert 3_200_000 + 10 * minutes == TRADED
    result = flags(costs=RATE)
    assert final(result) == pytest.approx(CASH + 2_000 - 0.001 * TRADED, rel=1e-12)
    assert result.metrics["commission"] == pytest.approx(0.001 * (3_200_000 + 10 * minutes))


def test_commission_of_a_thousandth_all_in() -> None:
    """Buying takes q · p · 1.001 of the cash, selling brings 0.999 of the value: a factor of 1.001⁵ · 0.999 / 1.001."""
    factor = GROWTH**HOLD * 0.999 / 1.001
    assert final(flags(geometric, RATE, quantity=0.0)) == pytest.approx(CASH * factor**TRIPS, rel=1e-12)


def test_commission_of_a_thousandth_and_two_dollars() -> None:
    """The same, and 2 for each of the 80 orders."""
    costs = {"commission": {"kind": "rate_plus_fixed", "rate": 0.001, "fixed": 2.0}}
    assert final(flags(costs=costs)) == pytest.approx(CASH + 2_000 - 0.001 * TRADED - 160, rel=1e-12)


def test_commission_of_a_thousandth_and_two_dollars_all_in() -> None:
    """q = (E − 2) ÷ (1.001 · p); then E = 0.999 · q · p · 1.001⁵ − 2."""
    costs = {"commission": {"kind": "rate_plus_fixed", "rate": 0.001, "fixed": 2.0}}
    equity = CASH
    for _ in range(TRIPS):
        equity = 0.999 * (equity - 2) / 1.001 * GROWTH**HOLD - 2
    assert final(flags(geometric, costs, quantity=0.0)) == pytest.approx(equity, rel=1e-12)


def test_different_fees_per_asset() -> None:
    """A pays 0.1 %, B 0.2 %, C 1.50 an order; the three trade alike."""
    costs = RATE | {
        "symbols": {
            "B": {"commission": {"kind": "rate", "rate": 0.002}},
            "C": {"commission": {"kind": "per_order", "fixed": 1.5}},
        }
    }
    result = flags(costs=costs, symbols="ABC")
    paid = {"A": 0.001 * TRADED, "B": 0.002 * TRADED, "C": 1.5 * 80}
    by_symbol = dict(result.fills.group_by("symbol").agg(pl.col("commission").sum()).rows())
    assert by_symbol == {symbol: pytest.approx(amount) for symbol, amount in paid.items()}
    assert final(result) == pytest.approx(CASH + 3 * 2_000 - sum(paid.values()), rel=1e-12)


def test_slippage_of_ten_dollars() -> None:
    """10 at each of the 80 fills: 2 000 − 800."""
    result = flags(costs={"slippage": {"kind": "fixed", "amount": 10.0}})
    assert final(result) == CASH + 1_200
    assert result.fills["price"].to_list()[:2] == [linear(1) + 10, linear(6) - 10]
    assert result.metrics["slippage"] == pytest.approx(800)


def test_slippage_of_five_basis_points() -> None:
    """0.0005 of the price at each fill."""
    result = flags(costs={"slippage": {"kind": "rate", "rate": 0.0005}})
    assert final(result) == pytest.approx(CASH + 2_000 - 0.0005 * TRADED, rel=1e-12)


def test_both_costs() -> None:
    """Slippage of 10 first; then 0.1 % of the slipped price: 0.001 · (Σ entries + 400 + Σ exits − 400)."""
    result = flags(costs=RATE | {"slippage": {"kind": "fixed", "amount": 10.0}})
    assert final(result) == pytest.approx(CASH + 1_200 - 0.001 * TRADED, rel=1e-12)
    # with a rate the two do not cancel: a buy pays 0.001 · 1.0005 · p, a sell 0.001 · 0.9995 · p
    result = flags(costs=RATE | {"slippage": {"kind": "rate", "rate": 0.0005}})
    entries, exits = sum(map(linear, ENTRIES)), sum(map(linear, EXITS))
    expected = CASH - entries * 1.0005 * 1.001 + exits * 0.9995 * 0.999
    assert final(result) == pytest.approx(expected, rel=1e-12)


# ------------------------------------------------------------------------------------------------ limits 0.3 % away
PERIOD, HALF = 48, 24


def triangle(minute: int) -> float:
    """Between 39 880 and 40 120 in steps of 10: the trough at phase 0, the peak at phase 24."""
    phase = minute % PERIOD
    return 39_880.0 + 10.0 * min(phase, PERIOD - phase)


PHASES = [7 * j % PERIOD for j in range(20)]
FLAGS = [2 * PERIOD * j + PERIOD + phase for j, phase in enumerate(PHASES)]  # windows of 48 minutes that do not overlap


class LimitFlags(Strategy):
    """At each flag a buy limit 0.3 % below the close, for 24 minutes; then, if it filled, a sell limit 0.3 % above."""

    def on_bar(self) -> None:
        minute = self.data.count("A")
        if minute in FLAGS:
            self.broker.buy("A", 1, limit=self.data.close("A") * 997 / 1000)
        elif minute - HALF in FLAGS:
            for order in self.broker.orders("A"):
                self.broker.cancel(order)
            if self.portfolio.position("A").quantity:
                self.broker.sell("A", 1, limit=self.data.close("A") * 1003 / 1000)


def test_limits_three_per_mille_away() -> None:
    """How many of the 20 entries fill follows from the phase of the flag.

    - Falling (24 ≤ phase < 48): the trough of 39 880 comes within 24 minutes, and 0.997 · p ≥ 39 880 means p ≥ 40 000,
      that is, phase ≤ 36. At phase 36 the limit of 39 880 is touched exactly.
    - Rising (phase < 24): after 24 minutes the price is back at 40 120 − 10 · phase, a fall of 20 · phase − 240 from p;
      a fall of 0.003 · p needs phase ≥ 19. At phase 18 the limit of 39 939.82 is missed by 18 cents.

    So phases 19 to 36 fill. The exit mirrors the entry at 40 000, so whatever was bought is sold, too, within 24 minutes.
    """
    filled = [phase for phase in PHASES if 19 <= phase <= 36]
    assert filled == [21, 28, 35, 22, 29, 36, 23, 30]
    result = run(LimitFlags(), minute_bars(triangle, 2 * PERIOD * 21), cash=CASH)
    assert result.orders["state"].value_counts(sort=True).rows() == [("filled", 16), ("cancelled", 12)]
    bought = [triangle(phase) * 0.997 for phase in filled]
    sold = [(80_000 - triangle(phase)) * 1.003 for phase in filled]
    prices = [price for pair in zip(bought, sold, strict=True) for price in pair]
    assert result.fills["price"].to_list() == pytest.approx(prices, rel=1e-12)
    assert final(result) == pytest.approx(CASH + sum(sold) - sum(bought), rel=1e-12)


@pytest.mark.parametrize(
    ("phase", "fills"), [(18, False), (19, True), (36, True), (37, False), (0, False), (47, False)]
)
def test_the_borders_of_what_fills(phase: int, fills: bool) -> None:
    class Once(Strategy):
        def on_bar(self) -> None:
            if self.data.count("A") == PERIOD + phase:
                self.broker.buy("A", 1, limit=self.data.close("A") * 997 / 1000)
            if self.data.count("A") == PERIOD + phase + HALF:
                for order in self.broker.orders():
                    self.broker.cancel(order)

    result = run(Once(), minute_bars(triangle, 3 * PERIOD), cash=CASH)
    assert result.orders["state"].to_list() == ["filled" if fills else "cancelled"]
