"""Reading, checking and writing the configuration of a run."""

from ml4t.backtest.config.backtest import BacktestConfig, apply_overrides, config_json_schema, load_config
from ml4t.backtest.config.key import dotted
from ml4t.backtest.config.period import duration_ns
from ml4t.backtest.config.section import (
    RUN_ID,
    CostsConfig,
    DataConfig,
    EndConfig,
    FillsConfig,
    InstrumentsConfig,
    LatencyConfig,
    MetricsConfig,
    OrdersConfig,
    OutputConfig,
    ParticipationConfig,
    PolicyConfig,
    RunConfig,
    Section,
    SessionConfig,
    StrategyConfig,
    StreamConfig,
    SymbolCosts,
)

__all__ = [
    "RUN_ID",
    "BacktestConfig",
    "CostsConfig",
    "DataConfig",
    "EndConfig",
    "FillsConfig",
    "InstrumentsConfig",
    "LatencyConfig",
    "MetricsConfig",
    "OrdersConfig",
    "OutputConfig",
    "ParticipationConfig",
    "PolicyConfig",
    "RunConfig",
    "Section",
    "SessionConfig",
    "StrategyConfig",
    "StreamConfig",
    "SymbolCosts",
    "apply_overrides",
    "config_json_schema",
    "dotted",
    "duration_ns",
    "load_config",
]
