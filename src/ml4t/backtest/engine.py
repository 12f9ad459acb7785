"""One run: data in, decisions, result out. `run` is the front door, `Engine` what it builds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ml4t.backtest._jit import IS_COMPILED, Handle
from ml4t.backtest.allocation import grow
from ml4t.backtest.broker import Broker
from ml4t.backtest.clock import Clock
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.dataset import Dataset, Source
from ml4t.backtest.enums import OrderState, Reason, Side
from ml4t.backtest.errors import BacktestError, ModelError, StrategyError
from ml4t.backtest.feed import Input, Stream
from ml4t.backtest.kernel.clock import DECISION_TIMER
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.kernel.step import DONE
from ml4t.backtest.lower import lower, lower_again, order_room, terms_of
from ml4t.backtest.market_data import MarketData
from ml4t.backtest.measurement import sample_of
from ml4t.backtest.metrics import Sample
from ml4t.backtest.order import Order
from ml4t.backtest.portfolio import Portfolio
from ml4t.backtest.result import Result
from ml4t.backtest.round_trip import round_trips
from ml4t.backtest.schedule import due_times, undecided
from ml4t.backtest.source import describe
from ml4t.backtest.strategy import Fill, Notes, OrderEvent, Signal, Strategy
from ml4t.backtest.tables import (
    BAR_ENDED,
    DUE,
    EVENTS,
    INFORMED,
    NEXT,
    NONE,
    NOW,
    OWN_HISTORY,
    TIMER_ROOM,
    TIMERS,
    WAKE_ON_BAR,
    WARMUP,
    State,
)
from ml4t.backtest.user_model import Model, Models

if TYPE_CHECKING:
    from ml4t.backtest.compilation.strategy import Program

Progress: TypeAlias = Callable[[float], None]

DECISIONS_PER_REPORT = 512


def run(
    strategy: Strategy,
    data: Source | Dataset = None,
    config: BacktestConfig | Mapping[str, Any] | str | Path | None = None,
    *,
    profile: str | None = None,
    cash: float | None = None,
    symbol: str | None = None,
    start: date | datetime | str | None = None,
    end: date | datetime | str | None = None,
    signals: Source = None,
    streams: Mapping[str, Source] | None = None,
    finer: Source = None,
    models: Mapping[str, Model] | None = None,
    warmup: int | None = None,
    seed: int | None = None,
    compiled: bool | None = None,
    check_compiled: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """The result of a strategy on data.

    `data` are bars: a frame or file with timestamp, symbol, open, high, low, close, volume and any further columns; None: the file that
    the config names; or a `Dataset`, read once for many runs. `symbol` names the only symbol of data that has no symbol column. `signals`
    and `streams` only inform. `finer` are finer bars of some symbols for some period: the path of prices inside the bars there, which the
    strategy never sees. `models` are functions of your own in place of slippage, commission or fill_price (docs/semantics/costs.md).
    `profile` names another engine whose rules are laid under all other settings (docs/parity/README.md). `compiled` says whether the
    strategy's hooks are compiled into the loop (docs/compiled.md; None: as its class says); `check_compiled` runs it both ways and
    compares. Keyword arguments win over `config`.

    Raises:
        DataError, ConfigError: before the run starts.
        StrategyError: the strategy raised; the error's `result` holds what was done until then.
        ModelError: a model cannot be compiled, raised, or returned no number.
        CompilationError: the strategy cannot be compiled, or decides differently when it is.

    >>> from ml4t.backtest import Strategy, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> class Hold(Strategy):
    ...     def on_bar(self):
    ...         self.broker.order_target_percent("SPX", 1.0)
    >>> round(run(Hold(), us_indices(), cash=100_000).metrics["total_return"], 2)
    1.04

    """
    settings = BacktestConfig.load(
        config,
        **{
            "profile": profile,
            "account.cash": cash,
            "data.symbol": symbol,
            "data.start": start,
            "data.end": end,
            "run.warmup": warmup,
            "run.seed": seed,
        },
    )
    given: dict[str, Any] = {"signals": signals, "streams": streams, "finer": finer, "models": models}
    if check_compiled:
        from ml4t.backtest.compilation.comparison import compared  # the compiler is loaded where it is asked for

        return compared(strategy, lambda copy, way: Engine(copy, data, settings, **given, compiled=way))
    return Engine(strategy, data, settings, **given, compiled=compiled).run(progress)


class Engine:
    """One run, from validated data to its result.

    >>> from ml4t.backtest import Engine, Strategy
    >>> from ml4t.backtest.datasets import us_indices
    >>> Engine(Strategy(), us_indices()).run().equity.height
    5031
    """

    def __init__(
        self,
        strategy: Strategy,
        data: Source | Dataset = None,
        config: BacktestConfig | None = None,
        *,
        signals: Source = None,
        streams: Mapping[str, Source] | None = None,
        finer: Source = None,
        models: Mapping[str, Model] | None = None,
        compiled: bool | None = None,
        history: int = OWN_HISTORY,
        before: "Engine | None" = None,
    ) -> None:
        """An engine that is ready to run.

        `history` says which of the histories in `tables` the strategy sees. `before` is an engine of the same dataset and models whose run
        is over and whose result nobody reads any more: its tables serve again, and so does its compiled loop.
        """
        if not isinstance(strategy, Strategy):
            what = (
                f"the class {strategy.__name__}; pass an instance, {strategy.__name__}()"
                if isinstance(strategy, type)
                else repr(strategy)
            )
            raise StrategyError(f"A strategy is an instance of a subclass of Strategy, not {what}.")
        self.config = config or BacktestConfig()
        self.strategy = strategy
        self.compiled = IS_COMPILED and (strategy.is_compiled if compiled is None else compiled)
        self.dataset = Dataset.of(data, self.config, signals=signals, streams=streams, finer=finer)
        self.rows = self.dataset.rows(strategy)
        self.bars, *self.streams = self.rows.given
        self._models: Models = (
            before._models if before and before.config is self.config else Models(models, self.config)
        )
        self._handle = self._lowered(history, before)
        self._models.install(self.state.rules)
        self.state.rules[WARMUP] = self.config.run.warmup
        self.state.rules[WAKE_ON_BAR] = any(_overrides(strategy, hook) for hook in ("on_bar", "on_fill", "on_order"))
        self._notes = Notes()
        self._broker: Broker = Broker(self._handle, self.bars.symbols, self.bars.description.timezone, strategy)
        self._clock = Clock(self._handle, self.bars.description.timezone)
        self._program: Program | None = before._program if before else None
        self._failure: str | None = None
        self._is_in_compiled_code = False

    def _lowered(self, history: int, before: "Engine | None") -> Handle:
        """The state before the first instant."""
        if before is None or before.rows is not self.rows:
            return Handle(lower(self.config, self.rows, history=history))
        handle = before._handle
        if before.config is not self.config:
            handle.replace(handle.state._replace(**terms_of(self.config, self.rows)))
        lower_again(handle.state, self.config, self.rows)
        return handle

    @property
    def state(self) -> State:
        """The kernel's arrays."""
        state: State = self._handle.state
        return state

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What was read: the bars, the streams, and the finer bars where there are any."""
        bars, *finer = self.dataset.inputs
        return (bars, *map(self._described, self.streams, self.state.streams.wakes[1:].tolist()), *finer)

    def _described(self, stream: Stream, wakes: int) -> Input:
        """What was read of a stream, and which of its signals `on_signal` was not called for."""
        found = stream.description
        if wakes and _overrides(self.strategy, "on_signal"):
            unheard = undecided(stream.end, self.bars, self.config.run.warmup)
            found = replace(found, warnings=(*found.warnings, *unheard))
        return found

    def run(self, progress: bool | Progress = False) -> Result:
        """Every decision is made and the result is there. Once for each engine."""
        if self._notes.has_begun:
            raise StrategyError("This engine has run. Build another one; the result of the first stays what it is.")
        source = describe(self.strategy)
        try:
            self.execute(progress)
        except BacktestError as error:
            error.result = self._result(source, self._failure)
            if self._is_in_compiled_code and not isinstance(error, ModelError):
                from ml4t.backtest.compilation.replay import trace  # needed where compiled code failed

                plain = Engine(
                    copy(self.strategy), self.dataset, self.config, models=self._models.given, compiled=False
                )
                trace(error, int(self.state.clock[NOW]), plain)
            raise
        return self._result(source, None)

    def execute(self, progress: bool | Progress = False) -> None:
        """Every decision is made: `run` without a result."""
        strategy = self.strategy
        strategy.data = MarketData(self._handle, self.bars, self.streams)
        strategy.broker = self._broker
        strategy.portfolio = Portfolio(self._handle, self.bars.symbols)
        strategy.clock = self._clock
        strategy.random = np.random.default_rng(self.config.run.seed)
        strategy._notes = self._notes
        try:
            self._start()
            with reporting(progress) as report:
                if self.compiled:
                    self._drive_compiled()
                else:
                    self._drive(report)
            strategy.on_end()
        except Exception as raised:
            error: Exception = raised
            if isinstance(raised, AttributeError) and raised.obj is strategy.data and raised.name:
                error = strategy.data.unknown(raised.name)
            self._failure = f"{type(error).__name__}: {error} in {self._where()}"
            if isinstance(error, BacktestError):
                error.add_note(f"in {self._where()}")
                if error is raised:
                    raise
                raise error from raised
            raise StrategyError(f"{self._where()} raised {type(error).__name__}: {error}") from raised

    def sample(self) -> Sample:
        """The arrays of the metrics, as far as the run has come."""
        return sample_of(self.state, self.rows, self.config, round_trips(self._handle))

    # ------------------------------------------------------------------------------------------------------- the start
    def _start(self) -> None:
        before = int(np.searchsorted(self.state.information.arrival, self.state.clock[NOW]))
        if before:  # what arrived before the first bar is known, but no decision
            entry_point("inform")(self._handle.key, before)
        self.strategy.on_start()
        self._notes.has_begun = True
        times = [due_times(self.bars, every, at, self.config.data.calendar) for _, every, at in self._notes.schedules]
        count = sum(map(len, times))
        self.state.needs[:] = 0
        self.state.needs[TIMER_ROOM] = self.state.clock[TIMERS] + count + 1
        grow(self._handle)
        self._handle.replace(self.state._replace(due=np.zeros(max(1, len(times)), np.int64)))
        push = entry_point("timer")
        for number, instants in enumerate(times):
            for due in instants.tolist():
                push(self._handle.key, due, DECISION_TIMER, number)

    # -------------------------------------------------------------------------------------------------------- the loop
    def _drive(self, report: Progress | None) -> None:
        key = self._handle.key
        drive = self._models.watched(entry_point("drive"), self._handle, self.bars.symbols)
        decide = self.strategy.on_bar if self._decides_on_bars_only() and report is None else self._decision(report)
        while drive(key, decide) != DONE:
            grow(self._handle)  # GROW: nothing was consumed

    def _drive_compiled(self) -> None:
        from ml4t.backtest.compilation.strategy import Program  # the compiler is loaded where it is asked for

        if self._program is None or self._program.cls is not type(self.strategy):
            self._program = Program(type(self.strategy))
        strategy = self._program.bound(self.strategy, self._handle, self.rows.given, self._broker, self._notes)
        symbols = len(self.bars.symbols)
        most = self.strategy._most_orders(symbols, self.rows.most_signals)
        self._is_in_compiled_code = True
        strategy.drive(max(order_room(self.config, symbols), most), self._models.watched)
        self._is_in_compiled_code = False

    def _decides_on_bars_only(self) -> bool:
        return not (
            self._notes.schedules
            or self.state.streams.wakes.any()
            or _overrides(self.strategy, "on_fill")
            or _overrides(self.strategy, "on_order")
        )

    def _decision(self, report: Progress | None) -> Callable[[], None]:
        strategy, clock = self.strategy, memoryview(self.state.clock)  # type: ignore[arg-type]
        callbacks = [callback for callback, _, _ in self._notes.schedules]
        tells = _overrides(strategy, "on_fill") or _overrides(strategy, "on_order")
        listens = bool(self.state.streams.wakes.any())
        wakes_on_bar = bool(self.state.rules[WAKE_ON_BAR])
        instants = len(self.state.timeline.time)
        told, heard, count = 0, int(clock[INFORMED]), 0

        def decide() -> None:
            nonlocal told, heard, count
            if tells:
                told = self._tell(told)
            if listens:
                heard = self._announce(heard)
            for i in range(clock[DUE]):
                callbacks[int(self.state.due[i])]()
            if wakes_on_bar and clock[BAR_ENDED]:
                strategy.on_bar()
            count += 1
            if report is not None and count % DECISIONS_PER_REPORT == 0:
                report(clock[NEXT] / instants)

        return decide

    def _tell(self, first: int) -> int:
        """`on_fill` and `on_order` have been called for the events from `first` on, in the order in which they happened."""
        last = int(self.state.clock[EVENTS])
        for i in range(first, last):
            events = self.state.events
            order = Order(self._broker, int(events.order[i]))
            time, fill = int(events.time[i]), int(events.fill[i])
            if fill == NONE:
                change = (
                    OrderState(int(events.source[i])),
                    OrderState(int(events.target[i])),
                    Reason(int(events.reason[i])),
                )
                self.strategy.on_order(OrderEvent(order, time, *change))
            else:
                self.strategy.on_fill(self._fill(fill, order))
        return last

    def _fill(self, number: int, order: Order) -> Fill:
        fills, after = self.state.fills, self.state.aftermath
        quantity = float(fills.quantity[number])
        return Fill(
            number + 1,
            order,
            int(fills.time[number]),
            self.bars.symbols[int(fills.symbol[number])],
            Side.BUY if quantity > 0 else Side.SELL,
            abs(quantity),
            float(fills.price[number]),
            float(fills.commission[number]),
            float(after.position[number]),
            float(after.cash[number]),
        )

    def _announce(self, first: int) -> int:
        """`on_signal` has been called for the signals that arrived now; what arrived in the warm-up is known, but no decision."""
        last = int(self.state.clock[INFORMED])
        for i in range(first, last):
            number, row = int(self.state.information.stream[i]), int(self.state.information.row[i])
            stream = self.streams[number - 1]
            if self.state.streams.wakes[number] and stream.end[row] == self.state.clock[NOW]:
                symbol = int(stream.symbol[row])
                values = {name: float(column[row]) for name, column in stream.columns.items()}
                name = None if symbol < 0 else self.bars.symbols[symbol]
                self.strategy.on_signal(Signal(name, int(stream.start[row]), int(stream.end[row]), values))
        return last

    # --------------------------------------------------------------------------------------------------------- the end
    def _where(self) -> str:
        """Which strategy, and when, for an error message."""
        return f"{type(self.strategy).__name__} at {self._clock.now.isoformat()} ({self._ended()})"

    def _ended(self) -> str:
        """Which bars had just ended, for an error message."""
        rows = np.flatnonzero(self.state.bars.end == self.state.clock[NOW])
        names = [self.bars.symbols[int(self.state.bars.symbol[row])] for row in rows[:5]]
        return f"bar of {', '.join(names)}" + (" and others" if len(rows) > 5 else "") if names else "no bar ended then"

    def _result(self, source: Any, error: str | None) -> Result:
        return Result(
            self.config,
            source,
            self.inputs,
            self._handle,
            self.rows,
            self._broker.register,
            self._notes,
            error,
            self._models.sources,
        )


def _overrides(strategy: Strategy, hook: str) -> bool:
    return getattr(type(strategy), hook) is not getattr(Strategy, hook)


@contextmanager
def reporting(progress: bool | Progress, name: str = "backtest") -> Iterator[Progress | None]:
    """Whom to tell how far the work is: nobody, the caller's function, or a bar on stderr."""
    if callable(progress):
        yield progress
    elif not progress:
        yield None
    else:
        from rich.console import Console  # only where a bar is shown
        from rich.progress import Progress as Bars

        with Bars(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(name, total=1.0)
            yield lambda done: bars.update(task, completed=done)
