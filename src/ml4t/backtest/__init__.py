"""An event-driven backtesting engine: one clock, one ledger, one kernel."""

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.engine import Engine, run
from ml4t.backtest.enums import (
    OrderState,
    OrderType,
    Origin,
    Reason,
    Side,
    TimeInForce,
)
from ml4t.backtest.errors import (
    ArtifactError,
    BacktestError,
    ConfigError,
    DataError,
    LookAheadError,
    OrderError,
    StrategyError,
    UnknownFieldError,
    UnknownSymbolError,
)
from ml4t.backtest.result import Result
from ml4t.backtest.strategy import Fill, OrderEvent, Signal, Strategy

__all__ = [
    "ArtifactError",
    "BacktestConfig",
    "BacktestError",
    "ConfigError",
    "DataError",
    "Engine",
    "Fill",
    "LookAheadError",
    "OrderError",
    "OrderEvent",
    "OrderState",
    "OrderType",
    "Origin",
    "Reason",
    "Result",
    "Side",
    "Signal",
    "Strategy",
    "StrategyError",
    "TimeInForce",
    "UnknownFieldError",
    "UnknownSymbolError",
    "run",
]
