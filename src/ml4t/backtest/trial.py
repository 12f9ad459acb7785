"""One combination of a sweep: a run of which only the metrics are kept."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.dataset import Dataset
from ml4t.backtest.engine import Engine
from ml4t.backtest.enums import Mistake
from ml4t.backtest.errors import CompilationError, StrategyError, SweepError, nearest
from ml4t.backtest.grid import Combination
from ml4t.backtest.metrics import METRICS
from ml4t.backtest.result import Result
from ml4t.backtest.strategy import Strategy, checked
from ml4t.backtest.tables import MISTAKE, OWN_HISTORY, SHARED_HISTORY
from ml4t.backtest.user_model import Model

SETTING = "config."  # parameters that begin so are settings of the configuration


class Recipe:
    """How a strategy is made from parameters: by its class, by any function that returns one, or as a copy of an instance."""

    def __init__(self, strategy: Any) -> None:
        if not (isinstance(strategy, Strategy) or callable(strategy)):
            raise StrategyError(
                f"A sweep needs a subclass of Strategy, a function that returns a strategy, or a strategy, not {strategy!r}."
            )
        self._origin = strategy
        self._types: dict[str, Any] | None = None  # None: it checks its parameters itself
        self.name: str = getattr(strategy, "__name__", type(strategy).__name__)
        if isinstance(strategy, Strategy) or getattr(strategy, "__init__", None) is Strategy.__init__:
            self._types = strategy.parameter_types()

    def check(self, name: str, value: Any) -> Any:
        """The value as the strategy will have it. Raises StrategyError where it is no parameter, or of another type."""
        if self._types is None:
            try:
                inspect.signature(self._origin).bind_partial(**{name: value})
            except TypeError:
                raise StrategyError(f"{self.name} takes no parameter {name!r}.") from None
            return value
        if name not in self._types:
            raise StrategyError(
                f"{self.name} has no parameter {name!r}.{nearest(name, self._types)} Its parameters are {', '.join(self._types)}; "
                f"a setting of the configuration is written {SETTING}section.option."
            )
        return checked(f"{self.name}.{name}", value, self._types[name])

    def strategy(self, parameters: Mapping[str, Any]) -> Strategy:
        """A strategy that has not run, with these parameters."""
        if isinstance(self._origin, Strategy):
            made = deepcopy(self._origin)
            for name, value in parameters.items():
                setattr(made, name, value)
            return made
        made = self._origin(**parameters)
        if not isinstance(made, Strategy):
            raise StrategyError(f"{self.name} returned {made!r}, which is no strategy.")
        return made


class Outcome(NamedTuple):
    """What became of a combination: the values of the metrics, or an error."""

    values: tuple[float | int | None, ...] | None
    error: str | None = None
    result: Result | None = None
    failure: CompilationError | None = None


class Study:
    """What all combinations of a sweep share."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        config: BacktestConfig,
        models: Mapping[str, Model] | None,
        metrics: Sequence[str],
        *,
        compiled: bool | None,
        keep_results: bool,
    ) -> None:
        self.recipe, self.dataset, self.models, self.metrics = recipe, dataset, models, metrics
        self.compiled, self.keep_results = compiled, keep_results
        self._config = config
        self._configs: dict[str, BacktestConfig] = {}

    def check(self, name: str, value: Any) -> Any:
        """As `grid.Check`: a parameter of the strategy, or a setting."""
        if not name.startswith(SETTING):
            return self.recipe.check(name, value)
        if name.startswith(f"{SETTING}data."):
            raise SweepError(f"{name}: the data are read once for all combinations. Sweep over other settings only.")
        self.config({name: value})
        return value

    def config(self, combination: Combination) -> BacktestConfig:
        """The configuration of a combination: the same object for the same settings. Raises ConfigError."""
        settings = {
            name.removeprefix(SETTING): value for name, value in combination.items() if name.startswith(SETTING)
        }
        if not settings:
            return self._config
        key = repr(sorted(settings.items(), key=lambda item: item[0]))
        if key not in self._configs:
            self._configs[key] = BacktestConfig.load(self._config, **settings)
        return self._configs[key]

    def is_compiled(self, strategy: Strategy) -> bool:
        """Whether the strategy runs without the GIL."""
        return IS_COMPILED and (strategy.is_compiled if self.compiled is None else self.compiled)

    def prepare(self, combination: Combination) -> bool:
        """What all threads share is there. Whether there may be several: the strategy of the combination is compiled."""
        strategy = self.strategy(combination)
        rows, is_compiled = self.dataset.rows(strategy), self.is_compiled(strategy)
        return is_compiled and rows.history is not None

    def strategy(self, combination: Combination) -> Strategy:
        """The strategy of a combination."""
        return self.recipe.strategy({k: v for k, v in combination.items() if not k.startswith(SETTING)})


class Worker:
    """What runs one combination after the other, in one thread, with the tables of the first."""

    def __init__(self, study: Study, is_stopping: Callable[[], bool]) -> None:
        self._study = study
        self._engine: Engine | None = None
        self._is_stopping = is_stopping

    def outcome(self, combination: Combination) -> Outcome:
        """What became of the combination; it raises nothing but interrupts."""
        try:
            return self._kept(combination) if self._study.keep_results else self._measured(combination)
        except Exception as error:  # noqa: BLE001  whatever a strategy raises is the outcome of its combination, and of no other
            self._engine = None  # nothing of a failed run serves again
            failure = error if isinstance(error, CompilationError) else None
            return Outcome(None, f"{type(error).__name__}: {error}", getattr(error, "result", None), failure)

    def stop(self) -> None:
        """The compiled loop that is running ends at its next decision."""
        if (engine := self._engine) is not None:
            engine.state.clock[MISTAKE] = Mistake.INTERRUPTED

    def _measured(self, combination: Combination) -> Outcome:
        strategy, study = self._study.strategy(combination), self._study
        history = SHARED_HISTORY if study.is_compiled(strategy) else OWN_HISTORY
        engine = self._engine = self._built(strategy, combination, history=history, before=self._engine)
        if self._is_stopping():
            return Outcome(None, "not run")
        engine.execute()
        return Outcome(self._metrics(engine))

    def _kept(self, combination: Combination) -> Outcome:
        engine = self._engine = self._built(self._study.strategy(combination), combination)
        result = engine.run()
        return Outcome(self._metrics(engine), None, result)

    def _built(self, strategy: Strategy, combination: Combination, **others: Any) -> Engine:
        study = self._study
        config = study.config(combination)
        return Engine(strategy, study.dataset, config, models=study.models, compiled=study.compiled, **others)

    def _metrics(self, engine: Engine) -> tuple[float | int | None, ...]:
        sample = engine.sample()
        return tuple(METRICS[name].value(sample) for name in self._study.metrics)
