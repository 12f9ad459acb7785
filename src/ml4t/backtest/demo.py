"""The strategy of `ml4t-backtest demo`; `ml4t-backtest init` writes this file as the example to start from."""

from ml4t.backtest import Strategy


class Crossover(Strategy):
    """Holds a symbol while its fast mean is above its slow mean, with equal parts of the equity for all symbols."""

    fast: int = 50
    slow: int = 200

    def on_bar(self) -> None:
        """Enter where the fast mean is above the slow one, leave where it is below."""
        symbols = self.data.symbols
        for symbol in symbols:
            is_up = self.data.mean(symbol, self.fast) > self.data.mean(symbol, self.slow)
            is_held = self.portfolio.position(symbol).quantity > 0
            if is_up and not is_held:
                self.broker.order_target_percent(symbol, 1 / len(symbols))
            elif is_held and not is_up:
                self.broker.close(symbol)
