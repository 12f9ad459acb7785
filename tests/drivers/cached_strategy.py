"""A strategy that says whether it was compiled or loaded; a script."""

import sys

import numba

from ml4t.backtest import Strategy, run
from ml4t.backtest.datasets import us_indices

LIMIT = 100.0


@numba.njit
def scaled(x):
    return x * 2.0


class Cached(Strategy):
    """Buys above a limit."""

    def on_bar(self):
        if scaled(self.data.close("SPX")) > LIMIT and self.data.count("SPX") % int(scaled(25.0)) == 0:
            self.broker.buy("SPX", 1)


if __name__ == "__main__":
    counted = []
    compile_function = numba.core.compiler.compile_extra

    def watched(*args, **kwargs):
        counted.append(args[2].__name__)
        return compile_function(*args, **kwargs)

    numba.core.compiler.compile_extra = watched
    result = run(Cached(), us_indices(), cash=1e7, compiled=True)
    sys.stdout.write(f"{'compiled' if 'run' in counted else 'loaded'} {result.fills.height}\n")
