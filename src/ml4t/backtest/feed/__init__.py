"""Data comes in here: any accepted source becomes one validated, sorted `Stream` of arrays."""

from ml4t.backtest.config.period import duration_ns

from .bars import load_bars
from .calendar import Calendar, calendar_around
from .finer import FinerStream, load_finer
from .information import load_information
from .rules import SessionTimes, StreamRules
from .source import frame_of
from .stream import Input, Stream

__all__ = [
    "Calendar",
    "FinerStream",
    "Input",
    "SessionTimes",
    "Stream",
    "StreamRules",
    "calendar_around",
    "duration_ns",
    "frame_of",
    "load_bars",
    "load_finer",
    "load_information",
]
