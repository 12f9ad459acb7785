"""What can go wrong, one class per kind. Every message says what, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BacktestError(Exception):
    """Base of every error this package raises on purpose. `result`: what a run had done when it was raised inside one.

    >>> issubclass(ConfigError, BacktestError)
    True
    """

    result: Any = None


class ConfigError(BacktestError, ValueError):
    """The configuration is wrong: unknown key, value out of range, unsupported combination.

    >>> from ml4t.backtest import BacktestConfig
    >>> BacktestConfig.load({"account": {"csh": 1000.0}})
    Traceback (most recent call last):
    ml4t.backtest.errors.ConfigError: ...
    """


class DataError(BacktestError, ValueError):
    """The input data is wrong: names the source, the row, the column and the remedy.

    >>> import polars as pl
    >>> from ml4t.backtest import Strategy, run
    >>> run(Strategy(), pl.DataFrame({"timestamp": [], "close": []}))
    Traceback (most recent call last):
    ml4t.backtest.errors.DataError: ...
    """


class StrategyError(BacktestError):
    """The strategy cannot be imported, has wrong parameters, or raised.

    >>> from ml4t.backtest import Strategy
    >>> class Plain(Strategy):
    ...     fast: int = 10
    >>> Plain(fsat=20)
    Traceback (most recent call last):
    ml4t.backtest.errors.StrategyError: Plain has no parameter 'fsat'. Did you mean 'fast'? ...
    """


class SweepError(BacktestError, ValueError):
    """A sweep cannot start: no combinations, too many, or one that is none.

    >>> from ml4t.backtest import Strategy, sweep
    >>> from ml4t.backtest.datasets import us_indices
    >>> sweep(Strategy, us_indices(), {})
    Traceback (most recent call last):
    ml4t.backtest.errors.SweepError: No combination: the space is empty.
    """


class SweepInterrupted(KeyboardInterrupt):
    """The user has stopped a sweep. `result`: the frame of the combinations that were done.

    >>> issubclass(SweepInterrupted, KeyboardInterrupt)
    True
    """

    result: Any = None


class OrderError(BacktestError, ValueError):
    """A request to the broker makes no sense: quantity ≤ 0, price ≤ 0, contradicting arguments.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Wrong(Strategy):
    ...     def on_bar(self):
    ...         self.broker.buy("SPX", -1)
    >>> run(Wrong(), us_indices())
    Traceback (most recent call last):
    ml4t.backtest.errors.OrderError: ...
    """


class ModelError(BacktestError, ValueError):
    """A user's own model cannot be compiled, raised, or returned no number; or the market that slippage depends on is not known.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> run(Strategy(), us_indices(), models={"slipage": round})
    Traceback (most recent call last):
    ml4t.backtest.errors.ModelError: models['slipage']: there is no such role. Did you mean 'slippage'? ...
    """


class CompilationError(StrategyError):
    """A strategy uses something that compiled code does not have; the message names the line and what to use instead.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Remembers(Strategy):
    ...     def on_start(self):
    ...         self.seen = {}
    ...     def on_bar(self):
    ...         self.seen["SPX"] = self.data.close("SPX")
    >>> run(Remembers(), us_indices(), compiled=True)
    Traceback (most recent call last):
    ml4t.backtest.errors.CompilationError: Remembers cannot be compiled: self.seen is a dict, {}. Compiled code holds numbers, ...
    """


class UnknownSymbolError(BacktestError, KeyError):
    """The run has no such symbol.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Wrong(Strategy):
    ...     def on_bar(self):
    ...         self.broker.buy("SPY", 1)
    >>> run(Wrong(), us_indices())
    Traceback (most recent call last):
    ml4t.backtest.errors.UnknownSymbolError: ...
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownFieldError(BacktestError, AttributeError, KeyError):
    """A stream has no such column.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Wrong(Strategy):
    ...     def on_bar(self):
    ...         self.data.vwap("SPX")
    >>> run(Wrong(), us_indices())
    Traceback (most recent call last):
    ml4t.backtest.errors.UnknownFieldError: ...
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class LookAheadError(BacktestError):
    """Something about the future was asked for.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Peeks(Strategy):
    ...     def on_bar(self):
    ...         self.data.close("SPX", -1)
    >>> run(Peeks(), us_indices())
    Traceback (most recent call last):
    ml4t.backtest.errors.LookAheadError: ...
    """


class ArtifactError(BacktestError):
    """A run directory is missing, incomplete, changed or not writable.

    >>> from ml4t.backtest.artifacts import load_run
    >>> load_run("no/such/run")
    Traceback (most recent call last):
    ml4t.backtest.errors.ArtifactError: ...
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'X'?"` for the known name closest to `name`, whatever their cases, or an empty string."""
    lowered = {str(k).lower(): str(k) for k in known}
    match = get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return f" Did you mean {lowered[match[0]]!r}?" if match else ""
