"""A sweep's rows are what `run` gives, to the last bit, whatever the threads; a failing combination is a row."""

import os
import resource
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import (
    BacktestConfig,
    CompilationError,
    ConfigError,
    Dataset,
    Engine,
    Exits,
    Signals,
    Strategy,
    StrategyError,
    SweepError,
    SweepInterrupted,
    compiled,
    run,
    sweep,
)
from ml4t.backtest._jit import IS_COMPILED, arrays_of
from ml4t.backtest.lower import lower, lower_again
from ml4t.backtest.lower import state as lowering
from ml4t.backtest.metrics import METRICS, compute
from ml4t.backtest.tables import OWN_HISTORY, SHARED_HISTORY, State

needs_compiler = pytest.mark.skipif(not IS_COMPILED, reason="about compiled code")
COSTS = {"costs": {"commission": {"kind": "rate", "rate": 0.001}, "slippage": {"kind": "rate", "rate": 0.0005}}}
SESSIONS, BARS = 40, 24


def random_bars(symbols=("A", "B"), sessions=SESSIONS, bars=BARS, seed=1):
    chance = np.random.default_rng(seed)
    start = datetime(2024, 1, 1, 10, tzinfo=UTC)
    times = [start + timedelta(days=day, minutes=5 * bar) for day in range(sessions) for bar in range(bars)]
    frames = []
    for symbol in symbols:
        close = 100.0 * np.exp(np.cumsum(chance.normal(0, 0.004, len(times))))
        before = np.concatenate(([100.0], close[:-1]))
        frames.append(
            pl.DataFrame(
                {
                    "timestamp": times,
                    "symbol": symbol,
                    "open": before,
                    "high": np.maximum(before, close) * 1.001,
                    "low": np.minimum(before, close) * 0.999,
                    "close": close,
                    "volume": chance.integers(1, 1000, len(times)).astype(float),
                    "score": chance.normal(size=len(times)),
                }
            )
        )
    return pl.concat(frames).sort("timestamp", "symbol")


BARS_GIVEN = random_bars()


@compiled
class Crossing(Strategy):
    fast: int = 5
    slow: int = 20
    share: float = 0.4

    def on_start(self):
        self.last = np.zeros(2)
        self.exit_rules = Exits(stop_loss=0.01, max_bars=self.slow)

    def on_bar(self):
        i = -1
        for symbol in self.data.symbols:
            i += 1
            quick, slow = self.data.mean(symbol, self.fast), self.data.ema(symbol, self.slow)
            side = 1.0 if quick > slow else -1.0
            if quick == quick and side != self.last[i]:
                self.last[i] = side
                self.broker.order_target_percent(symbol, self.share if side > 0 else 0.0)


class Fragile(Strategy):
    """Fails for some parameters: when it starts, on a bar, or in its window."""

    n: int = 3

    def on_start(self):
        if self.n == 0:
            raise RuntimeError("no such n")

    def on_bar(self):
        if self.n == 1:
            self.broker.buy("A", -1.0)
        if self.n == 2:
            self.data.close("A", self.n - 5)
        if self.n == 3:
            self.broker.order_target_percent("A", 0.5)


def same(table, strategy, data, config=None, parameters=("fast", "slow")):
    """Every row is what a run of its own comes to, bit for bit."""
    for row in table.iter_rows(named=True):
        assert row["error"] is None
        own = run(strategy(**{name: row[name] for name in parameters}), data, config).metrics
        assert {name: row[name] for name in METRICS} == {name: own[name] for name in METRICS}


GRID = {"fast": [3, 5, 8], "slow": [13, 21]}


@pytest.mark.parametrize("basis", ["session", "bar"])
def test_rows_are_what_run_gives(basis):
    config = COSTS | {"metrics": {"basis": basis}}
    data = Dataset(BARS_GIVEN)
    table = sweep(Crossing, data, GRID, config)
    assert table["fills"].min() > 20
    assert table["final_equity"].n_unique() == table.height == 6
    same(table, Crossing, data, config)


def test_the_number_of_threads_changes_nothing():
    tables = [sweep(Crossing, BARS_GIVEN, GRID, COSTS, threads=threads) for threads in (1, 2, 4)]
    assert tables[0].equals(tables[1], null_equal=True)
    assert tables[0].equals(tables[2], null_equal=True)


def test_plain_strategies_give_the_same_rows():
    few = {"fast": [3, 5], "slow": [13]}
    fast, plain = (sweep(Crossing, BARS_GIVEN, few, COSTS, compiled=way) for way in (True, False))
    assert fast.equals(plain, null_equal=True)


def test_metrics_of_a_run_are_those_of_its_frames():
    for basis in ("session", "bar"):
        config = BacktestConfig.load(
            COSTS | {"metrics": {"basis": basis}, "instruments": {"default": {"multiplier": 2.0}}}
        )
        result = run(Crossing(), BARS_GIVEN, config)
        frames = (result.equity, result.trades, result.fills, result.orders, result.positions)
        multipliers = dict.fromkeys(("A", "B"), 2.0)
        assert result.metrics == compute(
            *frames, initial_cash=config.account.cash, basis=basis, multipliers=multipliers
        )


# ------------------------------------------------------------------------------------------------------------ the tables
def test_room_for_one_is_enough(monkeypatch):
    """Every growable table starts with room for one entry, and the tables of one run serve the next."""
    expected = sweep(Crossing, BARS_GIVEN, GRID, COSTS, threads=1)
    monkeypatch.setattr(lowering, "order_room", lambda config, symbols: 1)
    monkeypatch.setattr(lowering, "MEMORY_CELLS", 1)
    assert sweep(Crossing, BARS_GIVEN, GRID, COSTS, threads=2).equals(expected, null_equal=True)


@pytest.mark.parametrize("history", [OWN_HISTORY, SHARED_HISTORY])
def test_a_state_that_serves_again_is_as_new(history):
    """Array by array, but for what is never read before it is written: the curve, and room that has grown."""
    signals = BARS_GIVEN.select("timestamp", "symbol", "score").with_columns(arrival=pl.col("timestamp"))
    config = BacktestConfig.load(COSTS | {"fills": {"participation": {"share": 0.2}}})
    data = Dataset(BARS_GIVEN, config, signals=signals)
    engine = Engine(Crossing(), data, config, compiled=history == SHARED_HISTORY, history=history)
    engine.execute()
    used = engine.state
    lower_again(used, config, engine.rows)
    new = lower(config, engine.rows, history=history)
    compared = 0
    for name, group in zip(State._fields, new, strict=True):
        fields = [name] if isinstance(group, np.ndarray) else [f"{name}.{field}" for field in group._fields]
        pairs = zip(fields, arrays_of((group,)), arrays_of((getattr(used, name),)), strict=True)
        for field, ours, theirs in pairs:
            if field.startswith("curve.") or field in ("names.digest", "names.kind", "names.number"):
                continue
            if field in ("links.after", "lots.next"):  # linked free cells: of more room
                assert (theirs[:-1] == np.arange(1, len(theirs))).all(), field
                continue
            n = min(len(ours), len(theirs))
            assert np.array_equal(ours[:n], theirs[:n], equal_nan=ours.dtype.kind == "f"), field
            assert not theirs[n:].any(), field
            compared += 1
    assert compared > 150


@needs_compiler
def test_a_shared_history_is_what_a_run_fills():
    """What one run has written when it is over is what others read."""
    signals = BARS_GIVEN.select("timestamp", "symbol", "score").with_columns(
        arrival=pl.col("timestamp") + pl.duration(minutes=7) * (pl.int_range(pl.len()) % 3)
    )
    engine = Engine(Strategy(), BARS_GIVEN.sample(fraction=0.9, seed=3).sort("timestamp"), signals=signals)
    engine.execute()
    assert np.array_equal(engine.state.history.value, engine.rows.history)


@needs_compiler
def test_memory_does_not_grow_with_the_combinations():
    data = Dataset(random_bars(("A",), sessions=500))
    few, many = ({"fast": range(2, 2 + n), "slow": [30]} for n in (10, 150))
    sweep(One, data, few, threads=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sweep(One, data, many, threads=2)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < 10 * 2**20  # 150 tables of these runs are some 300 MB


@compiled
class One(Strategy):
    fast: int = 5
    slow: int = 20

    def on_bar(self):
        if self.data.mean("A", self.fast) > self.data.mean("A", self.slow):
            self.broker.order_target_percent("A", 1.0)
        else:
            self.broker.close("A")


@needs_compiler
def test_other_parameters_are_not_compiled_again(monkeypatch):
    from ml4t.backtest.compilation import strategy as compilation

    kinds = []
    original = compilation.compile_strategy
    monkeypatch.setattr(
        compilation,
        "compile_strategy",
        lambda f, folder, signature: (kinds.append(signature[1]), original(f, folder, signature))[1],
    )
    sweep(Crossing, BARS_GIVEN, GRID | {"share": [0.1, 0.3]}, threads=2)
    assert len(kinds) <= 2  # loaded once a process, unless both threads ask before it is there
    assert len({kind.name for kind in kinds}) <= 1


# -------------------------------------------------------------------------------------------------------------- failures
@pytest.mark.parametrize("way", [pytest.param(True, marks=needs_compiler), False])
def test_a_failing_combination_is_a_row_and_the_others_go_on(way):
    table = sweep(Fragile, BARS_GIVEN, {"n": [3, 0, 1, 2, 3]}, compiled=way, threads=2)
    assert table["n"].to_list() == [3, 0, 1, 2, 3]
    errors = table["error"].to_list()
    assert errors[0] is None
    assert "raised RuntimeError: no such n" in errors[1]
    assert errors[2].startswith("OrderError: ")
    assert errors[3].startswith("LookAheadError: A window of -3 rows would reach into the future")
    assert table["total_return"].null_count() == 3
    assert table.row(0) == table.row(4)
    assert table["final_equity"][0] == run(Fragile(), BARS_GIVEN).metrics["final_equity"]


@needs_compiler
def test_what_cannot_be_compiled_is_an_error_at_once():
    with pytest.raises(CompilationError, match="Uncompilable"):
        sweep(Uncompilable, BARS_GIVEN, {"n": [1, 2, 3]}, threads=2)


@compiled
class Uncompilable(Strategy):
    n: int = 1

    def on_bar(self):
        self.broker.buy("A", {1: 2}.popitem())


@needs_compiler
def test_a_window_ends_now_also_where_the_history_is_shared():
    """Reading beyond a view is an error, not the next bar."""
    table = sweep(Beyond, BARS_GIVEN, {"n": [2, 3]}, threads=1)
    assert "IndexError" in table["error"][1]
    assert table["error"][0] is None


@compiled
class Beyond(Strategy):
    n: int = 2

    def on_bar(self):
        window = self.data.close("A", 3)
        if len(window) == 3 and window[self.n] > 1e9:
            self.broker.buy("A", 1.0)


# ------------------------------------------------------------------------------------------------ refused before a start
@pytest.mark.parametrize(
    ("space", "options", "error", "message"),
    [
        ({"fsat": [1]}, {}, StrategyError, "no parameter 'fsat'. Did you mean 'fast'"),
        ({"fast": [1, 2.5]}, {}, StrategyError, "Crossing.fast must be int, not 2.5"),
        ({"share": [0.5, float("nan")]}, {}, SweepError, "share: NaN"),
        ({"config.costs.comission.rate": [1]}, {}, ConfigError, "comission"),
        ({"config.data.start": ["2024-01-02"]}, {}, SweepError, "the data are read once"),
        ({"fast": [1]}, {"metrics": ["sharp"]}, SweepError, "No metric 'sharp'. Did you mean 'sharpe'"),
        ({"fast": [1]}, {"keep": "all"}, SweepError, "use one of metrics, results"),
        ({"fast": [1]}, {"threads": 0}, SweepError, "threads=0"),
    ],
)
def test_refused(space, options, error, message):
    started = []
    with pytest.raises(error, match=message):
        sweep(Crossing, BARS_GIVEN, space, progress=started.append, **options)
    assert not started


def test_a_parameter_with_the_name_of_a_metric_needs_another_column():
    class Turning(Strategy):
        turnover: float = 1.0

    with pytest.raises(SweepError, match="'turnover' has the name of another column"):
        sweep(Turning, BARS_GIVEN, {"turnover": [1.0]})
    assert sweep(Turning, BARS_GIVEN, {"turnover": [1.0]}, metrics="trades").row(0) == (1.0, 0, None)


def test_what_is_no_strategy_is_refused():
    with pytest.raises(StrategyError, match="A sweep needs a subclass of Strategy"):
        sweep("Crossing", BARS_GIVEN, {"fast": [1]})


# ---------------------------------------------------------------------------------------------------- what can be swept
def test_the_same_combination_is_computed_once():
    made = []

    def counted(n):
        made.append(n)
        return Fragile(n=n)

    table = sweep(counted, BARS_GIVEN, [{"n": 3}, {"n": 4}, {"n": 3}, {"n": 3}])
    assert table["n"].to_list() == [3, 4, 3, 3]
    assert table.row(0) == table.row(2) == table.row(3)
    assert sorted(made[1:]) == [3, 4]  # the first is made once more, to know whether it is compiled


def test_a_strategy_is_copied_and_stays_what_it_is():
    base = Crossing(fast=3, slow=13)
    table = sweep(base, BARS_GIVEN, {"fast": [5, 8]}, COSTS)
    assert (base.fast, hasattr(base, "last")) == (3, False)
    assert table["final_equity"].equals(
        sweep(Crossing, BARS_GIVEN, {"fast": [5, 8], "slow": [13]}, COSTS)["final_equity"]
    )


def test_strategies_of_columns_bring_their_streams():
    def of_score(size):
        entries = (pl.col("score") > 1.0).alias("entry")
        frame = BARS_GIVEN.select("timestamp", "symbol", entries, (pl.col("score") < -1.0).alias("exit"))
        return Signals(entries="entry", exits="exit", size=size, frame=frame)

    table = sweep(of_score, BARS_GIVEN, {"size": [1.0, 5.0]})
    assert table["error"].to_list() == [None, None]
    for size, equity in table.select("size", "final_equity").iter_rows():
        assert equity == run(of_score(size), BARS_GIVEN).metrics["final_equity"]
    assert table["final_equity"].n_unique() == 2


def test_settings_can_be_swept():
    rates = [0.0, 0.001, 0.002]
    table = sweep(Crossing, BARS_GIVEN, {"fast": [5], "config.costs.commission.rate": rates}, COSTS, threads=2)
    assert table["config.costs.commission.rate"].to_list() == rates
    own = [
        run(Crossing(), BARS_GIVEN, {"costs": COSTS["costs"] | {"commission": {"kind": "rate", "rate": rate}}}).metrics[
            "cost"
        ]
        for rate in rates
    ]
    assert table["cost"].to_list() == own
    assert own == sorted(set(own))


def test_full_results_on_request():
    table = sweep(Crossing, BARS_GIVEN, {"fast": [3, 5]}, COSTS, keep="results")
    for row in table.iter_rows(named=True):
        expected = run(Crossing(fast=row["fast"]), BARS_GIVEN, COSTS)
        assert row["result"].fills.equals(expected.fills)
        assert row["result"].equity.equals(expected.equity)
        assert row["final_equity"] == expected.metrics["final_equity"]


def test_columns_have_one_type_each():
    table = sweep(Crossing, BARS_GIVEN, {"fast": [3], "share": [1, 0.5]}, metrics=["trades", "sharpe", "trades"])
    assert dict(table.schema) == {
        "fast": pl.Int64,
        "share": pl.Float64,
        "trades": pl.Int64,
        "sharpe": pl.Float64,
        "error": pl.String,
    }


def test_progress_ends_at_one():
    told = []
    sweep(Crossing, BARS_GIVEN, GRID, progress=told.append, threads=2)
    assert told == sorted(told)
    assert told[-1] == 1.0


# ----------------------------------------------------------------------------------------------------------- interrupted
@pytest.mark.parametrize("way", [pytest.param(True, marks=needs_compiler), False])
def test_an_interrupt_ends_it_soon_and_keeps_what_is_done(way):
    data = Dataset(random_bars(("A",), sessions=400))
    long = [{"work": 0}, {"work": 0}, {"work": 10**9}, {"work": 10**9}]
    sent = []

    def press():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(3.0 if way else 1.5, press)
    sweep(Busy, data, [{"work": 1}], compiled=way)  # compiled before the clock runs
    timer.start()
    with pytest.raises(SweepInterrupted, match="2 of 4 combinations are done") as stopped:
        sweep(Busy, data, long, compiled=way, threads=2)
    assert time.monotonic() - sent[0] < 2.0
    assert stopped.value.result["work"].to_list() == [0, 0]
    assert stopped.value.result["error"].null_count() == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sweep-") and thread.is_alive()]


class Busy(Strategy):
    work: int = 0

    def on_bar(self):
        total, i = 0.0, 0
        while i < min(self.work, 2_000_000):
            total += 1.0 / (1.0 + i)
            i += 1
        if total < 0.0:
            self.broker.buy("A", 1.0)
