"""What a run has produced: frames, metrics, and where they came from."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ml4t.backtest import frames
from ml4t.backtest._jit import Handle
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import BacktestError
from ml4t.backtest.feed import Input, Stream
from ml4t.backtest.lower import Rows
from ml4t.backtest.measurement import sample_of
from ml4t.backtest.metrics import evaluate
from ml4t.backtest.register import Register
from ml4t.backtest.round_trip import RoundTrips, round_trips
from ml4t.backtest.source import StrategySource

if TYPE_CHECKING:
    from datetime import datetime

    from plotly.graph_objects import Figure

    from ml4t.backtest.model_source import ModelSource
    from ml4t.backtest.strategy import Notes


class Result:
    """The result of a run. Every frame is made from the kernel's arrays when it is first asked for.

    Frames: `fills`, `orders`, `order_events`, `trades`, `positions`, `equity`, `journal`, `records`, `log`; their columns are described in
    docs/results.md. `metrics` is a dictionary. `status` is "complete" or "failed", then `error` says why.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> result = run(Strategy(), us_indices())
    >>> result.equity.columns
    ['timestamp', 'session', 'cash', 'equity', 'net_exposure', 'gross_exposure', 'drawdown']
    """

    def __init__(
        self,
        config: BacktestConfig,
        strategy: StrategySource,
        inputs: tuple[Input, ...],
        handle: Handle,
        rows: Rows,
        register: Register,
        notes: "Notes",
        error: str | None,
        models: "tuple[ModelSource, ...]" = (),
    ) -> None:
        self.config = config
        self.strategy = strategy
        self.inputs = inputs
        self.models = models
        self.error = error
        self.status = "complete" if error is None else "failed"
        self._handle = handle
        self._state = handle.state
        self._rows = rows
        self._bars = rows.given[0]
        self._register = register
        self._notes = notes

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row an execution."""
        return frames.fills(self._state, self._bars.symbols, self.orders)

    @cached_property
    def orders(self) -> pl.DataFrame:
        """One row an order."""
        return frames.orders(self._state, self._bars.symbols, self._register)

    @cached_property
    def order_events(self) -> pl.DataFrame:
        """One row a transition of an order."""
        return frames.order_events(self._state)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """One row a pair of entry and exit (FIFO); open trades last."""
        return frames.trades(self._handle, self._round_trips, self._bars, self.orders)

    @cached_property
    def positions(self) -> pl.DataFrame:
        """One row a symbol, as the run ended."""
        return frames.positions(self._state, self._bars.symbols)

    @cached_property
    def equity(self) -> pl.DataFrame:
        """One row an equity point."""
        return frames.equity(self._state, self._rows, self.config.account.cash)

    @cached_property
    def journal(self) -> pl.DataFrame:
        """One row a change of cash: cash = initial + Σ amount."""
        return frames.journal(self._state, self._bars.symbols, self.config.account.currency)

    @cached_property
    def records(self) -> pl.DataFrame:
        """One row a call of `Strategy.record`."""
        schema = {"timestamp": pl.Int64, "name": pl.String, "value": pl.Float64}
        frame = pl.DataFrame(self._notes.records, schema, orient="row")
        return frame.with_columns(frames.times(frame["timestamp"].to_numpy()))

    @cached_property
    def log(self) -> pl.DataFrame:
        """One row a call of `Strategy.log`."""
        frame = pl.DataFrame(self._notes.messages, {"timestamp": pl.Int64, "message": pl.String}, orient="row")
        return frame.with_columns(frames.times(frame["timestamp"].to_numpy()))

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every frame by its name."""
        return {name: getattr(self, name) for name in FRAMES}

    @cached_property
    def metrics(self) -> dict[str, float | int | str | None]:
        """Performance, risk, trade and cost figures; docs in `ml4t.backtest.metrics`. None where one is not defined."""
        sample = sample_of(self._state, self._rows, self.config, self._round_trips)
        return evaluate(sample, self.config.metrics.basis)

    @cached_property
    def _round_trips(self) -> RoundTrips:
        return round_trips(self._handle)

    @property
    def bars(self) -> Stream:
        """The bars it was run on."""
        return self._bars

    def report(self, path: str | Path, benchmark: str | None = None) -> Path:
        """The file that now holds the report: one HTML page that needs no network.

        The benchmark is the mean of all symbols, or one `benchmark` symbol. Raises: ArtifactError, ConfigError.
        """
        from ml4t.backtest.report import Subject, write_report  # reason: most runs are not looked at

        return write_report(Subject.of_result(self), path, benchmark)

    def explain(self, order: int | None = None, time: "datetime | str | None" = None, symbol: str | None = None) -> str:
        """The life of one order, of the bars at a time, or of a symbol, in sentences. Raises: BacktestError."""
        from ml4t.backtest.report import Subject, explain  # reason: as in `report`

        return explain(Subject.of_result(self), order, time, symbol)

    def plot(self, benchmark: str | None = None) -> "Figure":
        """Equity, drawdown and benchmark as a Plotly figure (extra `plot`). Raises: BacktestError without Plotly."""
        from ml4t.backtest.report import Subject, plot  # reason: as in `report`

        return plot.equity_plot(Subject.of_result(self), benchmark)

    def plot_trades(self, symbol: str) -> "Figure":
        """The bars of a symbol with fills, stops and trades, likewise."""
        from ml4t.backtest.report import Subject, plot  # reason: as in `report`

        return plot.trade_plot(Subject.of_result(self), symbol)

    def plot_drawdowns(self) -> "Figure":
        """The drawdown with its deepest episodes, likewise."""
        from ml4t.backtest.report import Subject, plot  # reason: as in `report`

        return plot.drawdown_plot(Subject.of_result(self))

    @cached_property
    def daily_returns(self) -> pl.DataFrame:
        """One row a session: `date`, `equity` at its end, and `return`, the first against the initial cash."""
        from ml4t.backtest.report import Subject, daily  # reason: as in `report`

        return daily(Subject.of_result(self))

    def returns(self) -> Any:
        """Daily returns as a pandas Series by date, as quantstats, pyfolio and empyrical take them (extra `pandas`)."""
        frame = self.daily_returns.select(pl.col("date").cast(pl.Datetime("ns")), pl.col("return").alias("returns"))
        return _to_pandas(frame).set_index("date")["returns"]

    def to_pandas(self) -> dict[str, Any]:
        """Every frame by its name as a pandas frame (extra `pandas`). Raises: BacktestError without pandas."""
        return {name: _to_pandas(frame) for name, frame in self.frames().items()}

    def to_arrow(self) -> dict[str, Any]:
        """Every frame by its name as an Arrow table, mostly without copying (extra `pandas`)."""
        try:
            return {name: frame.to_arrow() for name, frame in self.frames().items()}
        except ModuleNotFoundError as error:
            raise BacktestError(NEEDS_PANDAS) from error

    def save(self, path: str | Path | None = None, *, inputs: bool = True) -> Path:
        """The run directory that now holds everything; see `ml4t.backtest.artifacts.save`."""
        from ml4t.backtest.artifacts import save  # writing is not needed by every run

        return save(self, path, inputs=inputs)

    def __repr__(self) -> str:
        from ml4t.backtest.summary import text  # neither is printing

        return text(self)

    def _repr_html_(self) -> str:
        from ml4t.backtest.sketch import drawing
        from ml4t.backtest.summary import html

        return drawing(self.equity["equity"].to_list(), "Equity") + html(self)


def _to_pandas(frame: pl.DataFrame) -> Any:
    try:
        return frame.to_pandas()
    except ModuleNotFoundError as error:
        raise BacktestError(NEEDS_PANDAS) from error


NEEDS_PANDAS = (
    "pandas and Arrow objects need the extra: pip install 'ml4t-backtest[pandas]'. Polars frames need nothing."
)


FRAMES = ("fills", "orders", "order_events", "trades", "positions", "equity", "journal", "records", "log")
