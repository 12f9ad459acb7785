"""A portfolio that follows weights from columns."""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ml4t.backtest.columns.book import Booked, Floats
from ml4t.backtest.columns.driver import BARS
from ml4t.backtest.enums import Book, Unnamed, Weighting
from ml4t.backtest.errors import DataError, StrategyError, nearest
from ml4t.backtest.feed import Stream

RATES = ("drift", "minimum_trade", "cash_buffer", "gross", "cap", "group_cap")


class TargetWeights(Booked):
    """Rebalances towards weights (signed fractions of equity), or towards a book of the best and worst scores.

    - weights or scores, and groups: a column of numbers, or a dictionary symbol → group
    - every: "signal" (each batch: the rows that became known since the last decision), a number of bars, "session", "week", "month",
      "week_end", "month_end" (the last batch), `at` its "open" or "close"
    - drift, minimum_trade, cash_buffer: as in `Broker.rebalance`; reductions come first
    - unnamed: what becomes of symbols that a batch does not name
    - book, top, bottom, weighting, gross, window: the weights that scores come to; cap and group_cap limit all weights

    >>> import polars as pl
    >>> from ml4t.backtest import TargetWeights, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> bars = us_indices().with_columns(change=pl.col("close").pct_change(120).over("symbol"))
    >>> result = run(TargetWeights(scores="change", top=1, every="month", gross=0.98), bars)
    >>> result.orders["sizing"].unique().to_list(), result.fills["symbol"][0]
    (['target_percent'], 'NASDAQ')
    """

    weights: str = ""
    scores: str = ""
    groups: str = ""
    every: int | str = "signal"
    at: str = "close"
    drift: float = 0.0
    minimum_trade: float = 0.0
    cash_buffer: float = 0.0
    unnamed: Unnamed = Unnamed.CLOSE

    _roles = ("weights", "scores", "groups")
    _choices: ClassVar[Mapping[str, type[IntEnum]]] = {"unnamed": Unnamed, "book": Book, "weighting": Weighting}

    def __init__(self, *values: Any, **parameters: Any) -> None:
        named = parameters.get("groups")
        if isinstance(named, Mapping):
            parameters["groups"] = "groups:groups"
        super().__init__(*values, **parameters)
        if isinstance(named, Mapping):
            self._frames["groups"] = dict(named)
        self._check()

    def _check(self) -> None:
        name = type(self).__name__
        if bool(self.weights) == bool(self.scores):
            raise StrategyError(f"{name}: give either weights or scores.")
        for rate in RATES:
            if not 0.0 <= getattr(self, rate) < math.inf:
                raise StrategyError(f"{name}: {rate} must be 0 or more and finite, not {getattr(self, rate)!r}.")
        if self.cash_buffer >= 1.0:
            raise StrategyError(f"{name}: cash_buffer is a fraction of equity below 1, not {self.cash_buffer!r}.")
        if self.group_cap > 0.0 and not self.groups:
            raise StrategyError(f"{name}: group_cap needs groups, a column or a dictionary symbol → group.")
        if self.groups and self.group_cap == 0.0:
            raise StrategyError(f"{name}: groups are there for group_cap; give it.")
        if self.scores:
            wanted = {Book.LONG: ("top",), Book.SHORT: ("bottom",), Book.LONG_SHORT: ("top", "bottom")}[self.book]
            for side in ("top", "bottom"):
                if (getattr(self, side) > 0) != (side in wanted):
                    need = "needs" if side in wanted else "has no"
                    raise StrategyError(
                        f"{name}: the book {self.book.name.lower()} {need} {side}, a number of symbols; not {getattr(self, side)}."
                    )
        elif self.top or self.bottom or self.book != Book.LONG or self.weighting != Weighting.EQUAL:
            raise StrategyError(
                f"{name}: book, top, bottom and weighting make weights of scores; weights are there already."
            )
        if self.window < 2:
            raise StrategyError(f"{name}: window={self.window} must be 2 or more.")

    def inputs(self, bars: Stream) -> Mapping[str, Any]:
        """The frames; groups that are a dictionary are known from the first bar's start."""
        named = self._frames.get("groups")
        if isinstance(named, Mapping):
            self._frames["groups"] = _group_frame(named, bars)
        return super().inputs(bars)

    # ------------------------------------------------------------------------------------------------------- the start
    def on_start(self) -> None:
        """Nothing is wanted yet."""
        count = len(self.data.symbols)
        self.seen = np.zeros(count, np.int64)  # rows of the weights or scores that have been looked at
        self.given = np.full(count, math.nan)  # the last batch, NaN where it does not name a symbol
        self.is_absent = np.zeros(count, np.bool_)  # no bar of the symbol ended with the batch, which is of the bars
        self.has_batch = False
        self.is_scored, self.stream, self.column = self.located("scores")
        if not self.is_scored:
            _, self.stream, self.column = self.located("weights")
        self.is_grouped, self.group_stream, self.group_column = self.located("groups")
        self.is_of_bars = self.stream == BARS
        self.waits_for_batch = self.every == "signal"
        if not self.waits_for_batch:
            self.schedule(self.rebalance, every=self.every, at=self.at)

    # --------------------------------------------------------------------------------------------------- the decisions
    def on_bar(self) -> None:
        """A new batch is on record, and traded where that is the schedule."""
        if self.collect() and self.waits_for_batch:
            self.trade()

    def rebalance(self) -> None:
        """The portfolio follows the last batch."""
        self.collect()
        if self.has_batch:
            self.trade()

    def collect(self) -> bool:
        """Whether rows with a value have become known since the last look. They are the batch now."""
        is_new = False
        i = -1
        for symbol in self.data.symbols:
            i += 1
            if self.has_news(i, symbol):
                is_new = True
        i = -1
        for symbol in self.data.symbols:
            i += 1
            if is_new:
                self.is_absent[i] = self.is_of_bars and not self.data.is_new(symbol)
                if self.has_news(i, symbol):
                    self.given[i] = self.data.value(symbol, self.column, stream=self.stream)
                elif self.unnamed != Unnamed.LAST:
                    self.given[i] = math.nan
            self.seen[i] = self.data.count(symbol, self.stream)
        self.has_batch = self.has_batch or is_new
        return is_new

    def has_news(self, i: int, symbol: str) -> bool:
        """Whether a row of the symbol with a value is new."""
        if self.data.count(symbol, self.stream) == self.seen[i] or (self.is_of_bars and not self.data.is_new(symbol)):
            return False
        return not math.isnan(self.data.value(symbol, self.column, stream=self.stream))

    def wanted(self) -> Floats:
        """The weight that each symbol is to have [symbols], NaN where it is left alone."""
        n = len(self.given)
        deviations, groups = np.full(n, math.nan), np.full(n, math.nan)
        weights = self.given.copy()
        i = -1
        for symbol in self.data.symbols:
            i += 1
            if self.weighting == Weighting.INVERSE_VOLATILITY:
                deviations[i] = self.deviation(symbol, self.window)
            if self.is_grouped:
                groups[i] = self.data.value(symbol, self.group_column, stream=self.group_stream)
            if self.is_absent[i]:
                weights[i] = math.nan
        if self.is_scored:
            weights = self.booked(weights, deviations)
        self.limit(weights, groups)
        for k in range(n):
            if math.isnan(weights[k]) and self.unnamed == Unnamed.CLOSE and not self.is_absent[k]:
                weights[k] = 0.0
        return weights

    def trade(self) -> None:
        """Orders towards the weights, reductions first; target orders of what need not change are cancelled (as `rebalance.targets`)."""
        equity = self.portfolio.equity
        if equity <= 0.0:
            self.record("no_equity", equity)
            return
        weights = self.wanted()
        side = np.zeros(len(weights))  # of what is to be traded: −1 where the position is reduced, 0 where it stays
        i = -1
        for symbol in self.data.symbols:
            i += 1
            if math.isnan(weights[i]):
                continue
            weight = float(weights[i]) * (1.0 - self.cash_buffer)
            position = self.portfolio.position(symbol)
            held = position.quantity
            missing = weight * equity - position.value
            is_large = abs(missing) > self.drift * equity and abs(missing) >= self.minimum_trade
            weights[i] = weight
            if (held != 0.0 and weight == 0.0) or (is_large and missing != 0.0):
                side[i] = -1.0 if missing * held < 0.0 else 1.0
            else:
                self.broker.cancel_target(symbol)
        for part in (-1.0, 1.0):
            i = -1
            for symbol in self.data.symbols:
                i += 1
                if side[i] == part:
                    self.broker.order_target_percent(symbol, float(weights[i]))


def _group_frame(groups: Mapping[Any, Any], bars: Stream) -> pl.DataFrame:
    """The number of each symbol's group, known when the first bar starts. Raises DataError where a symbol has none."""
    for symbol in bars.symbols:
        if symbol not in groups:
            raise DataError(
                f"groups: the symbol {symbol!r} has none.{nearest(symbol, groups)} Give every symbol of the bars one."
            )
    for symbol in groups:
        if symbol not in bars.symbols:
            raise DataError(
                f"groups: the bars have no symbol {symbol!r}.{nearest(str(symbol), bars.symbols)} Take it out."
            )
    names = sorted({str(group) for group in groups.values()})
    first = pl.Series([int(bars.start.min())]).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    numbers = [float(names.index(str(groups[symbol]))) for symbol in bars.symbols]
    frame = pl.DataFrame({"symbol": list(bars.symbols), "groups": numbers})
    return frame.with_columns(timestamp=pl.lit(first[0]), arrival=pl.lit(first[0]))
