"""Single bars of a stream, found by time."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ml4t.backtest.feed import Stream


@dataclass(frozen=True)
class Bar:
    """One bar. `start` and `end` are instants (UTC)."""

    symbol: str
    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __str__(self) -> str:
        span = f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
        prices = ", ".join(f"{name} {getattr(self, name):,.10g}" for name in ("open", "high", "low", "close"))
        return f"{span}, {prices}, volume {self.volume:,.10g}"


def bar_before(bars: Stream, symbol: str, when: datetime) -> Bar | None:
    """Return the last bar of a symbol that had ended by then."""
    rows = np.flatnonzero((bars.symbol == bars.symbols.index(symbol)) & (bars.end // 1000 <= _us(when)))
    return _bar(bars, int(rows[-1])) if len(rows) else None


def bar_of(bars: Stream, symbol: str, when: datetime, *, is_open: bool) -> Bar | None:
    """Return the bar of a symbol that starts at the time of a fill at its open, or ends at or covers that of another fill."""
    own, at = bars.symbol == bars.symbols.index(symbol), _us(when)
    start, end = bars.start // 1000, bars.end // 1000
    inside = start == at if is_open else (start < at) & (end >= at)
    rows = np.flatnonzero(own & inside)
    return _bar(bars, int(rows[0])) if len(rows) else None


def bars_at(bars: Stream, when: datetime, symbol: str | None = None) -> list[Bar]:
    """Return the bars that cover a time: those that start then, or started before and have not ended."""
    at = _us(when)
    covers = (bars.start // 1000 <= at) & (bars.end // 1000 > at)
    if symbol is not None:
        covers &= bars.symbol == bars.symbols.index(symbol)
    return [_bar(bars, int(row)) for row in np.flatnonzero(covers)]


def _bar(bars: Stream, row: int) -> Bar:
    values = (float(bars.columns[name][row]) for name in ("open", "high", "low", "close", "volume"))
    return Bar(bars.symbols[bars.symbol[row]], _instant(bars.start[row]), _instant(bars.end[row]), *values)


def _us(when: datetime) -> int:
    """Microseconds since 1970, all that a datetime has; instants are compared by them."""
    delta = when - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000_000 + delta.seconds * 1_000_000 + delta.microseconds


def _instant(ns: np.int64) -> datetime:
    return datetime.fromtimestamp(int(ns) // 1_000_000_000, UTC).replace(microsecond=int(ns) % 1_000_000_000 // 1000)
