"""backtesting.py, as its users write it. AGPL: installed and compared, never copied from."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace

import pandas as pd
from backtesting import Backtest, Strategy

from peers.outcome import METRICS, Outcome

warnings.simplefilter("ignore")  # trades that are open at the end


def _frame(market: SimpleNamespace) -> pd.DataFrame:
    names = ("open", "high", "low", "close", "volume")
    columns = {name.capitalize(): getattr(market, name) for name in names}
    return pd.DataFrame(columns | {"Flag": market.flag}, index=pd.DatetimeIndex(market.time))


def _outcome(strategy: type[Strategy], bars: pd.DataFrame, cash: float, rate: float) -> Outcome:
    stats = Backtest(bars, strategy, cash=cash, commission=rate).run()
    trades, curve, open_trades = stats["_trades"], stats["_equity_curve"], stats["_strategy"].trades
    names = ("Return [%]", "Sharpe Ratio", "Max. Drawdown [%]", "# Trades", "Win Rate [%]")
    metrics = {name: float(stats[key]) for name, key in zip(METRICS, names, strict=True)}
    fills = 2 * len(trades) + len(open_trades)
    return Outcome(fills, float(stats["Equity Final [$]"]), metrics, (trades, curve))


def callback(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys and sells at the flags."""
    bars, units = _frame(market), int(market.units)

    class Flags(Strategy):
        def init(self) -> None:
            self.flag = self.I(lambda: self.data.Flag, plot=False)  # faster than self.data.Flag[-1]

        def next(self) -> None:
            flag = self.flag[-1]
            if flag > 0:
                self.buy(size=units)
            elif flag < 0:
                self.sell(size=units)

    return lambda: _outcome(Flags, bars, market.cash, market.rate)


def brackets(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys at flags while flat, with a stop-loss and a take-profit."""
    bars, units, stop, profit = _frame(market), int(market.units), 1.0 - market.stop, 1.0 + market.profit

    class Guarded(Strategy):
        def init(self) -> None:
            self.flag = self.I(lambda: self.data.Flag, plot=False)

        def next(self) -> None:
            if self.flag[-1] > 0 and not self.position:
                close = self.data.Close[-1]
                self.buy(size=units, sl=close * stop, tp=close * profit)

    return lambda: _outcome(Guarded, bars, market.cash, market.rate)


WORKS = {"callback": callback, "brackets": brackets}
