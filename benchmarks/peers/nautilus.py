"""nautilus_trader, as its users write it: the low-level engine, a cash account. Market orders fill at the close of the bar just seen."""

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from peers.outcome import Outcome, metrics_of

VENUE = Venue("SIM")
ID = InstrumentId(Symbol("X"), VENUE)
BARS = BarType.from_str("X.SIM-1-MINUTE-LAST-EXTERNAL")
MINUTES = 252 * 1440


class FlagsConfig(StrategyConfig, frozen=True):
    """None of its own."""


class Flags(Strategy):
    """Buys and sells at the flags."""

    def __init__(self, flags: list[float], units: int) -> None:
        super().__init__(FlagsConfig())
        self.flags, self.units, self.bar = flags, Quantity.from_int(units), 0
        self.points: list[float] = []

    def on_start(self) -> None:
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        held = self.portfolio.net_position(ID)
        account = self.portfolio.account(VENUE)
        self.points.append(float(account.balance_total(USD)) + float(held) * float(bar.close))
        flag = self.flags[self.bar]
        self.bar += 1
        if flag:
            side = OrderSide.BUY if flag > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(ID, side, self.units))


def callback(market: SimpleNamespace) -> Callable[[], Outcome]:
    """Buys and sells at the flags."""
    instrument = Equity(
        instrument_id=ID,
        raw_symbol=Symbol("X"),
        currency=USD,
        price_precision=3,
        price_increment=Price.from_str("0.001"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(str(market.rate)),
        taker_fee=Decimal(str(market.rate)),
    )
    names = ("open", "high", "low", "close", "volume")
    index = pd.DatetimeIndex(market.time, tz="UTC")
    frame = pd.DataFrame({name: getattr(market, name) for name in names}, index=index)
    bars = BarDataWrangler(BARS, instrument).process(frame)
    flags, units = market.flag.tolist(), int(market.units)

    def run() -> Outcome:
        quiet = LoggingConfig(bypass_logging=True)
        engine = BacktestEngine(BacktestEngineConfig(logging=quiet, risk_engine=RiskEngineConfig(bypass=True)))
        engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(market.cash, USD)], base_currency=USD)
        engine.add_instrument(instrument)
        engine.add_data(bars, sort=False)
        strategy = Flags(flags, units)
        engine.add_strategy(strategy)
        engine.run()
        orders = engine.trader.generate_order_fills_report()
        trades = engine.trader.generate_positions_report()
        account = engine.trader.generate_account_report(VENUE)
        points = np.array(strategy.points)
        pnl = np.array(
            [float(p.realized_pnl) for p in engine.cache.position_snapshots() + engine.cache.positions_closed()]
        )
        final = float(engine.portfolio.account(VENUE).balance_total(USD))
        final += float(engine.portfolio.net_position(ID)) * market.close[-1]
        outcome = Outcome(len(orders), final, metrics_of(points, pnl, MINUTES), (orders, trades, account))
        engine.dispose()
        return outcome

    return run


WORKS = {"callback": callback}
