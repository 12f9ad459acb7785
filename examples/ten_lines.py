"""The ten lines of the README, on the bundled S&P 500 bars."""

from ml4t.backtest import Strategy, run
from ml4t.backtest.datasets import us_indices


class Crossover(Strategy):
    """Holds the index while its fast mean is above its slow one."""

    fast: int = 10
    slow: int = 30

    def on_bar(self) -> None:
        """Decide at each close; orders fill at the next open."""
        if self.data.count("SPX") < self.slow:  # bars known now
            return
        if self.data.mean("SPX", self.fast) > self.data.mean("SPX", self.slow):
            self.broker.order_target_percent("SPX", 1.0)
        else:
            self.broker.close("SPX")


result = run(Crossover(fast=20), us_indices(), cash=100_000)
print(result)
