"""Many runs of one strategy over one copy of the data: `sweep`, one row a combination of parameters."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import polars as pl

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.dataset import Dataset, Source
from ml4t.backtest.engine import Progress, reporting
from ml4t.backtest.errors import SweepError, SweepInterrupted, nearest
from ml4t.backtest.grid import Combination, Space, Where, combinations
from ml4t.backtest.metrics import METRICS, Unit
from ml4t.backtest.trial import Outcome, Recipe, Study, Worker
from ml4t.backtest.user_model import Model

KEEPS = ("metrics", "results")
WAIT = 0.05  # seconds between two looks at the threads


def sweep(
    strategy: Any,
    data: Source | Dataset,
    space: Space,
    config: BacktestConfig | Mapping[str, Any] | str | Path | None = None,
    *,
    cash: float | None = None,
    signals: Source = None,
    streams: Mapping[str, Source] | None = None,
    finer: Source = None,
    models: Mapping[str, Model] | None = None,
    method: str = "grid",
    n: int | None = None,
    seed: int = 0,
    where: Where | None = None,
    threads: int | None = None,
    compiled: bool | None = None,
    keep: str = "metrics",
    metrics: Sequence[str] | None = None,
    progress: bool | Progress = False,
) -> pl.DataFrame:
    """One row a combination of parameters: the parameters, the metrics that `run` would give, and an error or null.

    `strategy` is a class, a function that returns a strategy, or a strategy that is copied. `space` maps parameters to the values to try,
    or is a list of combinations; `config.section.option` sweeps over a setting. `method`, `n`, `seed` and `where` choose among all
    combinations as `grid.combinations` says. `metrics` names the metrics to compute (None: all of `METRICS`). With `keep="results"` a
    column `result` holds the whole result of each run. Compiled strategies run in `threads` threads at once (None: one a processor),
    others one after the other. The other arguments are those of `run`. docs/sweep.md has examples.

    Raises:
        SweepError, ConfigError, DataError, StrategyError: before the first run starts.
        CompilationError: the strategy cannot be compiled with the first combination.
        SweepInterrupted: by the user; the error's `result` is the frame of the combinations that were done.

    >>> from ml4t.backtest import Strategy, compiled, sweep
    >>> from ml4t.backtest.datasets import us_indices
    >>> @compiled
    ... class Above(Strategy):
    ...     count: int = 100
    ...     def on_bar(self):
    ...         if self.data.close("SPX") > self.data.mean("SPX", self.count):
    ...             self.broker.order_target_percent("SPX", 1.0)
    ...         else:
    ...             self.broker.close("SPX")
    >>> table = sweep(Above, us_indices(), {"count": range(50, 250, 50)}, metrics=["total_return", "max_drawdown"])
    >>> table.columns, table["count"].to_list()
    (['count', 'total_return', 'max_drawdown', 'error'], [50, 100, 150, 200])

    """
    if keep not in KEEPS:
        raise SweepError(f"keep is {keep!r}; use one of {', '.join(KEEPS)}.")
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise SweepError(f"threads={threads!r}: a whole number of threads, 1 or more.")
    settings = BacktestConfig.load(config, **{"account.cash": cash})
    names = _metrics(metrics)
    recipe = Recipe(strategy)
    dataset = Dataset.of(data, settings, signals=signals, streams=streams, finer=finer)
    keeps = keep == "results"
    study = Study(recipe, dataset, settings, models, names, compiled=compiled, keep_results=keeps)
    chosen = combinations(space, study.check, method=method, n=n, seed=seed, where=where)
    places: dict[str, int] = {}  # of each different combination among those that are run
    rows = [places.setdefault(repr(sorted(c.items(), key=lambda item: item[0])), len(places)) for c in chosen]
    first = {place: row for row, place in reversed(list(enumerate(rows)))}
    different = [chosen[first[place]] for place in range(len(places))]
    _check_columns(different, names, keeps=keeps)
    outcomes: list[Outcome | None] = [None] * len(different)
    try:
        with reporting(progress, "sweep") as report:
            _run(study, different, outcomes, threads, report or _silent)
    except KeyboardInterrupt as interrupt:
        done = [row for row, place in enumerate(rows) if outcomes[place] is not None]
        stopped = SweepInterrupted(
            f"{len(done)} of {len(rows)} combinations are done: `result` of this error holds them."
        )
        stopped.result = _frame(
            [chosen[row] for row in done], [outcomes[rows[row]] for row in done], names, keeps=keeps
        )
        raise stopped from interrupt
    return _frame(chosen, [outcomes[place] for place in rows], names, keeps=keeps)


def _metrics(names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(METRICS)
    for name in [names] if isinstance(names, str) else names:
        if name not in METRICS:
            raise SweepError(f"No metric {name!r}.{nearest(str(name), METRICS)} There are {', '.join(METRICS)}.")
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))


def _check_columns(chosen: list[Combination], names: Sequence[str], *, keeps: bool) -> None:
    """Raises SweepError where two columns would have the same name."""
    for name in {name for combination in chosen for name in combination}:
        if name in (*names, "error", *(["result"] if keeps else [])):
            raise SweepError(
                f"The parameter {name!r} has the name of another column. Leave this metric out (metrics=[...]), or rename the parameter."
            )


def _silent(done: float) -> None:
    """Nobody is told."""


# ------------------------------------------------------------------------------------------------------------- the runs
def _run(
    study: Study,
    chosen: list[Combination],
    outcomes: list[Outcome | None],
    threads: int | None,
    report: Callable[[float], None],
) -> None:
    """Every combination has its outcome. Raises KeyboardInterrupt, and CompilationError where the first cannot be compiled."""
    if not study.prepare(chosen[0]):
        worker = Worker(study, lambda: False)
        for number, combination in enumerate(chosen):
            outcomes[number] = worker.outcome(combination)
            report((number + 1) / len(chosen))
        return
    stopping, numbers = Event(), iter(range(len(chosen)))

    def work(worker: Worker) -> None:
        for number in numbers:  # shared: each number is taken once
            if stopping.is_set():
                return
            outcome = worker.outcome(chosen[number])
            if stopping.is_set():
                return
            outcomes[number] = outcome
            if number == 0 and outcome.failure is not None:
                stopping.set()

    count = min(threads or len(os.sched_getaffinity(0)), len(chosen))
    workers = [Worker(study, stopping.is_set) for _ in range(count)]
    running = [Thread(target=work, args=(worker,), name=f"sweep-{i}", daemon=True) for i, worker in enumerate(workers)]
    for thread in running:
        thread.start()
    try:
        for thread in running:
            while thread.is_alive():
                thread.join(WAIT)
                report(sum(outcome is not None for outcome in outcomes) / len(outcomes))
    finally:
        stopping.set()
        while any(thread.is_alive() for thread in running):
            for worker in workers:
                worker.stop()
            for thread in running:
                thread.join(WAIT)
    if outcomes[0] is not None and outcomes[0].failure is not None:
        raise outcomes[0].failure


# ------------------------------------------------------------------------------------------------------------ the frame
def _frame(
    chosen: list[Combination], outcomes: Sequence[Outcome | None], names: Sequence[str], *, keeps: bool
) -> pl.DataFrame:
    """The combinations with what became of them."""
    parameters = dict.fromkeys(name for combination in chosen for name in combination)
    columns = [_column(name, [combination.get(name) for combination in chosen]) for name in parameters]
    for place, name in enumerate(names):
        kind = pl.Int64 if METRICS[name].unit == Unit.COUNT else pl.Float64
        values = [outcome.values[place] if outcome and outcome.values else None for outcome in outcomes]
        columns.append(pl.Series(name, values, kind))
    columns.append(pl.Series("error", [outcome.error if outcome else None for outcome in outcomes], pl.String))
    if keeps:
        columns.append(pl.Series("result", [outcome.result if outcome else None for outcome in outcomes], pl.Object))
    return pl.DataFrame(columns)


def _column(name: str, values: list[Any]) -> pl.Series:
    """The values of a parameter; as texts where they are of no common type that a frame can hold."""
    if all(value is None or type(value) in (int, float, str, bool) for value in values):
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) <= 1 or kinds == {int, float}:
            return pl.Series(name, values, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)
