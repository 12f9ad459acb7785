"""An event-driven backtesting engine: one clock, one ledger, one kernel."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml4t.backtest.columns import Orders, Signals, TargetWeights
    from ml4t.backtest.config import BacktestConfig
    from ml4t.backtest.dataset import Dataset
    from ml4t.backtest.engine import Engine, run
    from ml4t.backtest.enums import OrderState, OrderType, Origin, Reason, Side, TimeInForce
    from ml4t.backtest.errors import (
        ArtifactError,
        BacktestError,
        CompilationError,
        ConfigError,
        DataError,
        LookAheadError,
        ModelError,
        OrderError,
        StrategyError,
        SweepError,
        SweepInterrupted,
        UnknownFieldError,
        UnknownSymbolError,
    )
    from ml4t.backtest.exits import Exits
    from ml4t.backtest.order import Order
    from ml4t.backtest.parameter_sweep import sweep
    from ml4t.backtest.price import Atr, Offset, Price, Trail
    from ml4t.backtest.result import Result
    from ml4t.backtest.strategy import Fill, OrderEvent, Signal, Strategy, compiled
    from ml4t.backtest.user_model import interpreted

_HOMES = {
    "columns": ("Orders", "Signals", "TargetWeights"),
    "config": ("BacktestConfig",),
    "dataset": ("Dataset",),
    "engine": ("Engine", "run"),
    "enums": ("OrderState", "OrderType", "Origin", "Reason", "Side", "TimeInForce"),
    "errors": (
        "ArtifactError",
        "BacktestError",
        "CompilationError",
        "ConfigError",
        "DataError",
        "LookAheadError",
        "ModelError",
        "OrderError",
        "StrategyError",
        "SweepError",
        "SweepInterrupted",
        "UnknownFieldError",
        "UnknownSymbolError",
    ),
    "exits": ("Exits",),
    "order": ("Order",),
    "parameter_sweep": ("sweep",),
    "price": ("Atr", "Offset", "Price", "Trail"),
    "result": ("Result",),
    "strategy": ("Fill", "OrderEvent", "Signal", "Strategy", "compiled"),
    "user_model": ("interpreted",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ArtifactError",
    "Atr",
    "BacktestConfig",
    "BacktestError",
    "CompilationError",
    "ConfigError",
    "DataError",
    "Dataset",
    "Engine",
    "Exits",
    "Fill",
    "LookAheadError",
    "ModelError",
    "Offset",
    "Order",
    "OrderError",
    "OrderEvent",
    "OrderState",
    "OrderType",
    "Orders",
    "Origin",
    "Price",
    "Reason",
    "Result",
    "Side",
    "Signal",
    "Signals",
    "Strategy",
    "StrategyError",
    "SweepError",
    "SweepInterrupted",
    "TargetWeights",
    "TimeInForce",
    "Trail",
    "UnknownFieldError",
    "UnknownSymbolError",
    "compiled",
    "interpreted",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: the command line starts without the engine."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"ml4t.backtest.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
