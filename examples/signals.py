"""A stream of scores that arrive between bars: each is a decision of its own, from the moment it is known.

The scores are made here from the bars: every month's return, published at noon on the third day after its last close.
Bars are daily, so `data.session` says when a session opens and closes; a score that arrives at noon is acted on at the
next session's open.
"""

import polars as pl

from ml4t.backtest import Fill, Signal, Strategy, run
from ml4t.backtest.datasets import us_indices

bars = us_indices().filter(pl.col("symbol") == "SPX")
close = pl.col("timestamp").last().cast(pl.Datetime("ns")).dt.offset_by("16h").dt.replace_time_zone("America/New_York")
scores = (
    bars.group_by_dynamic("timestamp", every="1mo")
    .agg(event=close, score=pl.col("close").last() / pl.col("close").first() - 1)
    .select(timestamp="event", arrival=pl.col("event").dt.offset_by("2d20h"), symbol=pl.lit("SPX"), score="score")
)


class Momentum(Strategy):
    """Invested after a month that rose by more than the threshold."""

    threshold: float = 0.0

    def on_signal(self, signal: Signal) -> None:
        """Act on each score when it arrives, at noon and not at the close."""
        self.record("score", signal.values["score"])
        self.broker.order_target_percent("SPX", 0.95 if signal.values["score"] > self.threshold else 0.0, tag="score")

    def on_fill(self, fill: Fill) -> None:
        """Keep a diary. A fill is told at the next decision, here with the next score."""
        self.log(
            f"{fill.side.name} {fill.quantity:g} at {fill.price:g}, order {fill.order.id}, cash {fill.cash_after:.2f}"
        )


session = {"open": "09:30", "close": "16:00", "timezone": "America/New_York"}
result = run(Momentum(), bars, {"data": {"session": session}}, signals=scores, cash=100_000)
print(result)
print(result.log.head(4))
