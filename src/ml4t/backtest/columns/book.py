"""From scores or weights to the weights that are wanted: choose, divide, cap (docs/semantics/columns.md, Weights)."""

import math

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.columns.driver import Driver
from ml4t.backtest.enums import Book, Weighting

Floats = NDArray[np.float64]


class Booked(Driver):
    """Base of strategies that make weights of scores, and cap weights.

    Arrays are `[symbols]` in universe order; NaN: the symbol takes no part.
    """

    book: Book = Book.LONG
    top: int = 0
    bottom: int = 0
    weighting: Weighting = Weighting.EQUAL
    gross: float = 1.0
    window: int = 60
    cap: float = 0.0
    group_cap: float = 0.0

    def booked(self, scores: Floats, deviations: Floats) -> Floats:
        """The weights of a book: `top` best scores long, `bottom` worst short; 0 for what is not chosen, NaN for what has no score.

        Of equal scores the one that is earlier in the universe is the better. A symbol is on one side only, the long one first.
        """
        order = np.argsort(-scores, kind="mergesort")  # stable; NaN comes last
        count = 0
        weights = np.full(len(scores), math.nan)
        for i in range(len(scores)):
            if not math.isnan(scores[i]):
                count += 1
                weights[i] = 0.0
        longs = 0 if self.book == Book.SHORT else min(self.top, count)
        shorts = 0 if self.book == Book.LONG else min(self.bottom, count - longs)
        share = self.gross / 2.0 if self.book == Book.LONG_SHORT else self.gross
        for k in range(longs):
            weights[order[k]] = self.raw_weight(scores[order[k]], longs - k, deviations[order[k]])
        self.divide(weights, order, 0, longs, share)
        for k in range(shorts):
            i = order[count - 1 - k]
            weights[i] = self.raw_weight(-scores[i], shorts - k, deviations[i])
        self.divide(weights, order, count - shorts, count, -share)
        return weights

    def raw_weight(self, score: float, rank: int, deviation: float) -> float:
        """What a chosen symbol's share of its side is proportional to; `rank` is 1 for the last that is chosen."""
        if self.weighting == Weighting.SCORE:
            return max(score, 0.0)
        if self.weighting == Weighting.RANK:
            return float(rank)
        if self.weighting == Weighting.INVERSE_VOLATILITY:
            return 1.0 / deviation if deviation > 0.0 else 0.0
        return 1.0

    def divide(self, weights: Floats, order: NDArray[np.int64], first: int, last: int, share: float) -> None:
        """The weights at order[first:last] come to `share` together; where all are 0 they stay so."""
        total = 0.0
        for k in range(first, last):
            total += weights[order[k]]
        for k in range(first, last):
            if total > 0.0:
                weights[order[k]] *= share / total

    def limit(self, weights: Floats, groups: Floats) -> None:
        """No weight is larger than `cap`, no group's weights (absolute, together) than `group_cap`. What is cut stays cash.

        A symbol whose group is NaN is in no group.
        """
        n = len(weights)
        if self.cap > 0.0:
            for i in range(n):
                if abs(weights[i]) > self.cap:
                    weights[i] = math.copysign(self.cap, weights[i])
        if self.group_cap <= 0.0:
            return
        order = np.argsort(groups, kind="mergesort")
        first = 0
        while first < n and not math.isnan(groups[order[first]]):
            last, total = first, 0.0
            while last < n and groups[order[last]] == groups[order[first]]:
                if not math.isnan(weights[order[last]]):
                    total += abs(weights[order[last]])
                last += 1
            for k in range(first, last):
                if total > self.group_cap:
                    weights[order[k]] *= self.group_cap / total
            first = last
