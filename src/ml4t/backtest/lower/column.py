"""Where the columns of the bars lie that fill rules read by name."""

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.lower.history import PRICES
from ml4t.backtest.tables import (
    ASK,
    BID,
    COLUMNS_SIZE,
    HALTED,
    LIMIT_DOWN,
    LIMIT_UP,
    NONE,
    OPEN_ASK,
    OPEN_BID,
    VWAP,
)

PLACES = {
    "bid": BID,
    "ask": ASK,
    "open_bid": OPEN_BID,
    "open_ask": OPEN_ASK,
    "vwap": VWAP,
    "halted": HALTED,
    "limit_up": LIMIT_UP,
    "limit_down": LIMIT_DOWN,
}


def named_columns(config: BacktestConfig, bars: Stream) -> NDArray[np.int64]:
    """The first element of each named column in `history.source`, NONE where the bars do not have it.

    Raises:
        ConfigError: a rule of the run needs a column that is not there.

    """
    further = [name for name in bars.columns if name not in PRICES]
    place = {name.strip().lower(): number * len(bars.end) for number, name in enumerate(further)}
    for column, rule in config.columns_needed().items():
        if column not in place:
            raise ConfigError(
                f"{rule} needs the column {column!r} of the bars.{nearest(column, place)} "
                f"They have {', '.join(bars.columns)}. Add the column, or choose another rule."
            )
    columns = np.full(COLUMNS_SIZE, NONE)
    for name, number in PLACES.items():
        columns[number] = place.get(name, NONE)
    return columns
