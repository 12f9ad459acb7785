"""What the streams hold as read-only arrays, which any number of runs may share: no rule of a run changes them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.allocation import freeze
from ml4t.backtest.feed import FinerStream, Stream
from ml4t.backtest.inputs import F8
from ml4t.backtest.lower.execution import execution_bars, finer_bars, instants_of
from ml4t.backtest.lower.history import beginnings, complete_history, information_of, sources_of, streams_of
from ml4t.backtest.lower.instrument import final_rows


class Rows:
    """The rows of all streams, the instants at which something happens, and where each column lies.

    `given` are the streams, the bars first; `signals` is the place in `streams` of the stream whose rows are decisions.
    """

    def __init__(
        self,
        bars: Stream,
        streams: Sequence[Stream] = (),
        *,
        signals: int | None = None,
        finer: FinerStream | None = None,
    ) -> None:
        first = int(bars.start.min())
        self.given = (bars, *streams)
        self.first_instant = first
        self.information = information_of(bars, streams, int(bars.end[-1]))
        self.timeline = instants_of(bars, np.maximum(self.information.arrival, first))  # time starts with the first bar
        self.points = int(np.count_nonzero(np.diff(self.timeline.end_first)))
        self.bars = execution_bars(bars)
        self.finer = finer_bars(bars, finer)
        self.streams = streams_of(bars, streams, signals)
        self.source = freeze(sources_of(bars, streams), "f8")
        self.begin = freeze(beginnings(bars, streams), "i8")
        self.final = final_rows(bars)
        self.history_size = sum(len(s.columns) * len(s.end) for s in (bars, *streams))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The universe."""
        return self.given[0].symbols

    @cached_property
    def point_time(self) -> NDArray[np.int64]:
        """The time of each equity point [P]: an instant at which a bar ends."""
        times: NDArray[np.int64] = self.given[0].end[self._last_bars]
        return times

    @cached_property
    def point_session(self) -> NDArray[np.int32]:
        """The session date of each equity point [P], days since 1970."""
        sessions: NDArray[np.int32] = self.given[0].session[self._last_bars]
        return sessions

    @cached_property
    def _last_bars(self) -> "NDArray[np.int32] | slice":
        """The last bar that ends at each equity point [P]."""
        if self.points == len(self.bars.end):
            return slice(None)
        return self.timeline.end_first[1:][np.diff(self.timeline.end_first) > 0] - 1

    @cached_property
    def session_ends(self) -> NDArray[np.intp]:
        """The last equity point of each session; sessions never decrease."""
        days = self.point_session
        return np.flatnonzero(np.append(days[1:] != days[:-1], len(days) > 0))

    @cached_property
    def most_signals(self) -> int:
        """The largest number of rows of one stream that are a decision together."""
        listened = [
            stream for stream, wakes in zip(self.given, self.streams.wakes, strict=True) if wakes and len(stream.end)
        ]
        return max((int(np.unique(stream.end, return_counts=True)[1].max()) for stream in listened), default=0)

    @cached_property
    def history(self) -> F8:
        """What `History.value` holds when everything is known. Runs that share it write nothing to it (ADR 0023)."""
        return complete_history(self.given[0], self.given[1:], self.information, self.begin)
