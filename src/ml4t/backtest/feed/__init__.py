"""Data comes in here: any accepted source becomes one validated, sorted `Stream` of arrays."""

from ml4t.backtest.config.period import duration_ns

from .bars import load_bars
from .finer import FinerStream, load_finer
from .information import load_information
from .rules import SessionTimes, StreamRules
from .source import frame_of
from .stream import Input, Stream

__all__ = [
    "FinerStream",
    "Input",
    "SessionTimes",
    "Stream",
    "StreamRules",
    "duration_ns",
    "frame_of",
    "load_bars",
    "load_finer",
    "load_information",
]
