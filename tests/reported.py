"""Runs to look at: few and many trades, none, one bar, a million bars, names that are code."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from ml4t.backtest import Result, Strategy, run

HOSTILE = (
    "<script>window.broken=1</script>",
    '=HYPERLINK("http://x")',
    "\"'><img src=x onerror=window.broken=1>",
    "</script>\u2028&amp;",
)


class Idle(Strategy):
    """Trades nothing."""


class Alternate(Strategy):
    """In and out of every symbol, every second bar; protected; now and then asks for more than there is."""

    def on_bar(self) -> None:
        for symbol in self.data.symbols:
            if symbol in self.portfolio.positions:
                self.broker.close(symbol)
            else:
                self.broker.buy(symbol, 1 + self.data.count(symbol) % 3, stop_loss=0.2, tag="=1+1")
        if self.data.count(self.data.symbols[0]) % 50 == 0:
            self.broker.buy(self.data.symbols[0], 1e9, tag="too much")


def bars(symbols: tuple[str, ...], count: int, step: timedelta = timedelta(days=1), seed: int = 7) -> pl.DataFrame:
    """Random walks; opens equal the closes before them, and highs and lows stand a little apart."""
    random = np.random.default_rng(seed)
    first = datetime(2015, 1, 1, tzinfo=UTC)
    times = pl.datetime_range(first, first + step * (count - 1), step, eager=True, time_unit="us")
    frames = []
    for symbol in symbols:
        close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))
        open_ = np.concatenate(([100.0], close[:-1]))
        frames.append(
            pl.DataFrame(
                {
                    "timestamp": times,
                    "symbol": pl.Series([symbol] * count, dtype=pl.String),
                    "open": open_,
                    "high": np.maximum(open_, close) * 1.005,
                    "low": np.minimum(open_, close) * 0.995,
                    "close": close,
                    "volume": 1000.0,
                }
            )
        )
    return pl.concat(frames).sort("timestamp", "symbol")


CONFIG = {
    "costs": {"commission": {"kind": "rate", "rate": 0.001}, "slippage": {"kind": "rate", "rate": 0.0005}},
    "account": {"cash": 10_000.0},
}


def ordinary() -> Result:
    """Two symbols, some 120 trades, three rejected orders."""
    return run(Alternate(), bars(("AAA", "BBB"), 160), config=CONFIG)


def thousand() -> Result:
    """Ten years daily, over a thousand trades."""
    return run(Alternate(), bars(("AAA",), 2520), config=CONFIG)


def idle() -> Result:
    """No order."""
    return run(Idle(), bars(("AAA",), 60))


def single() -> Result:
    """One bar."""
    return run(Idle(), bars(("AAA",), 1))


def hostile() -> Result:
    """Symbols and tags that want to be code, traded."""
    return run(Alternate(), bars(HOSTILE, 40), config=CONFIG)


def wide(symbols: int = 3000) -> Result:
    """Very many symbols, five bars each."""
    return run(Idle(), bars(tuple(f"S{i:04}" for i in range(symbols)), 5))


class Brief(Strategy):
    """In at every ten thousandth bar, out seven bars later."""

    def on_bar(self) -> None:
        for symbol in self.data.symbols:
            phase = self.data.count(symbol) % 10_000
            if phase == 1:
                self.broker.order_target_percent(symbol, 0.5)
            elif phase == 8:
                self.broker.close(symbol)


def long(count: int = 1_000_000) -> Result:
    """A million minute bars, a hundred trades."""
    return run(Brief(), bars(("AAA",), count, timedelta(minutes=1)))
