"""What users write: parameters, hooks and their order, schedules, warm-up, notes, and errors that say where."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml4t.backtest import ConfigError, Engine, Fill, OrderError, OrderEvent, Signal, Strategy, StrategyError, run
from ml4t.backtest.datasets import us_indices

INDICES = us_indices()
SPX = INDICES.filter(symbol="SPX")
START = datetime(2024, 3, 5, 10, tzinfo=UTC)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def bars(count: int, start: datetime = START, symbol: str = "A") -> pl.DataFrame:
    """Minute bars: bar n opens at 100 + n and closes at 101 + n."""
    rows = [
        (start + timedelta(minutes=n), symbol, 100.0 + n, 101.0 + n, 100.0 + n, 101.0 + n, 1.0) for n in range(count)
    ]
    return pl.DataFrame(rows, schema=["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


# ---------------------------------------------------------------------------------------------------------- parameters
class Base(Strategy):
    window: int = 10
    share: float = 0.5


class Child(Base):
    name: str
    is_on: bool = True
    levels: list[int] = [1, 2]  # noqa: RUF012
    plain = 7  # not annotated: no parameter
    _secret: int = 3


def test_parameters_are_annotated_attributes_those_of_bases_first() -> None:
    assert Child.parameter_types() == {"window": int, "share": float, "name": str, "is_on": bool, "levels": list[int]}
    strategy = Child(name="x", window=20)
    assert (strategy.window, strategy.share, strategy.name, strategy.is_on, strategy.levels) == (
        20,
        0.5,
        "x",
        True,
        [1, 2],
    )
    assert Base().window == 10


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"share": 1}, 1.0),
        ({"share": np.float32(0.25)}, 0.25),
        ({"window": np.int64(3)}, 3),
        ({"is_on": np.bool_(False)}, False),
        ({"levels": [3, 4]}, [3, 4]),
    ],
)
def test_a_value_becomes_its_declared_type(given: dict[str, Any], kept: Any) -> None:
    value = getattr(Child(name="x", **given), next(iter(given)))
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": 2.5}, "Child.window must be int, not 2.5 (float)"),
        ({"window": "20"}, "Child.window must be int, not '20' (str)"),
        ({"window": True}, "Child.window must be int, not True (bool)"),
        ({"share": "half"}, "Child.share must be float, not 'half' (str)"),
        ({"is_on": 1}, "Child.is_on must be bool, not 1 (int)"),
        ({"name": None}, "Child.name must be str, not None (NoneType)"),
        ({"levels": ["a"]}, "Child.levels: Input should be a valid integer"),
        ({"windw": 5}, "Child has no parameter 'windw'. Did you mean 'window'?"),
        ({"plain": 5}, "Child has no parameter 'plain'"),
        ({"_secret": 5}, "Child has no parameter '_secret'"),
    ],
)
def test_wrong_parameters(given: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError) as raised:
        Child(**{"name": "x"} | given)
    assert message in str(raised.value)


def test_a_parameter_without_a_default_is_needed() -> None:
    with pytest.raises(StrategyError, match=r"Child needs the parameter 'name': Child\(name=...\)"):
        Child()
    with pytest.raises(StrategyError, match="It has no parameters"):
        Strategy(window=1)


def test_a_parameter_may_be_a_dataclass() -> None:
    @dataclass
    class Band:
        low: float
        high: float

    class Banded(Strategy):
        band: Band

    assert Banded(band=Band(1.0, 2.0)).band == Band(1.0, 2.0)


def test_parameters_are_kept_with_the_result() -> None:
    source = run(Child(name="x", window=20), bars(2)).strategy
    assert source.parameters == {"window": 20, "share": 0.5, "name": "x", "is_on": True, "levels": [1, 2]}


@pytest.mark.parametrize(
    ("given", "message"), [(Base, r"pass an instance, Base\(\)"), (5, "not 5"), (None, "not None")]
)
def test_run_wants_an_instance(given: Any, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        run(given, bars(2))


# --------------------------------------------------------------------------------------------------------------- hooks
class Diary(Strategy):
    """Notes every call with its time."""

    def on_start(self) -> None:
        self.calls: list[tuple[str, datetime]] = []
        self.note("start")

    def note(self, what: str) -> None:
        self.calls.append((what, self.clock.now))

    def on_order(self, event: OrderEvent) -> None:
        self.note(f"{event.order.id} {event.target.name.lower()}")

    def on_fill(self, fill: Fill) -> None:
        self.note(f"fill of {fill.order.id}")

    def on_signal(self, signal: Signal) -> None:
        self.note(f"signal {signal.values['score']:g}")

    def on_bar(self) -> None:
        self.note("bar")

    def on_end(self) -> None:
        self.note("end")


def test_the_order_of_the_hooks() -> None:
    """In one decision: what happened to orders, in order; then signals; then schedules; then the bar."""

    class Busy(Diary):
        def on_start(self) -> None:
            super().on_start()
            self.schedule(lambda: self.note("scheduled"), every=2)

        def on_bar(self) -> None:
            super().on_bar()
            if self.clock.now == minute(1):
                self.broker.buy("A", 2, limit=50, tif="GTD", until=minute(1.5))
                self.broker.buy("A", 1)
                self.broker.buy("A", 1, stop=101.5)

    strategy = Busy()
    at = [minute(2), minute(2.5)]
    run(strategy, bars(3), signals=pl.DataFrame({"timestamp": at, "arrival": at, "score": [1.0, 2.0]}))
    # bar 1 opens at 101: order 2 fills at minute 1; the first expires inside; the third is reached on the path to 102
    assert strategy.calls == [
        ("start", minute(0)),
        ("bar", minute(1)),
        ("1 accepted", minute(2)),
        ("2 accepted", minute(2)),
        ("3 accepted", minute(2)),
        ("fill of 2", minute(2)),
        ("1 expired", minute(2)),
        ("3 triggered", minute(2)),
        ("fill of 3", minute(2)),
        ("signal 1", minute(2)),
        ("scheduled", minute(2)),
        ("bar", minute(2)),
        ("signal 2", minute(2.5)),
        ("bar", minute(3)),
        ("end", minute(3)),
    ]


def test_a_fill_and_an_event_tell_how_it_was() -> None:
    """Two fills before the next decision: each with its own moment, position and cash; the portfolio is what is now."""
    fills: list[Fill] = []
    events: list[OrderEvent] = []
    now: list[tuple[float, float]] = []

    class Remember(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 10, tag="in")
            self.broker.sell("A", 4, limit=100.5)

        def on_bar(self) -> None: ...

        def on_fill(self, fill: Fill) -> None:
            fills.append(fill)
            now.append((self.portfolio.position("A").quantity, self.portfolio.cash))

        def on_order(self, event: OrderEvent) -> None:
            events.append(event)

    run(Remember(), bars(2), {"costs": {"commission": {"kind": "per_order", "fixed": 1.0}}}, cash=5_000)
    ns = int(START.timestamp()) * 1_000_000_000
    told = [
        (f.fill_id, f.order.id, f.time_ns - ns, f.symbol, f.side.name, f.quantity, f.price, f.commission) for f in fills
    ]
    assert told == [(1, 1, 0, "A", "BUY", 10, 100, 1), (2, 2, 60_000_000_000, "A", "SELL", 4, 100.5, 1)]
    assert [(f.position_after, f.cash_after) for f in fills] == [(10, 3_999), (6, 4_400)]  # 5 000 − 1 001; + 402 − 1
    assert now == [(6, 4_400), (6, 4_400)]
    assert [(e.order.id, e.time_ns - ns, e.source.name, e.target.name, e.reason.name) for e in events] == [
        (1, 0, "CREATED", "ACCEPTED", "ADMITTED"),
        (2, 0, "CREATED", "ACCEPTED", "ADMITTED"),
    ]


@pytest.mark.parametrize(
    "hears",
    [False, True],
)
def test_an_order_from_on_fill_carries_the_time_of_the_decision(hears: bool) -> None:
    """Bought at the open of bar 0, told at its end, sold at the open of bar 1; with on_bar and without."""

    class React(Strategy):
        def on_start(self) -> None:
            self.broker.buy("A", 1)

        def on_fill(self, fill: Fill) -> None:
            if fill.side.name == "BUY":
                self.broker.sell("A", 1)

    class ReactAndLook(React):
        def on_bar(self) -> None: ...

    result = run(ReactAndLook() if hears else React(), bars(3))
    assert result.orders["submitted_at"].to_list() == [minute(0), minute(1)]
    assert result.fills.select("timestamp", "price").rows() == [(minute(0), 100), (minute(1), 101)]


def test_what_is_asked_at_the_end_is_not_done() -> None:
    class Late(Strategy):
        def on_end(self) -> None:
            self.broker.buy("A", 1)

    result = run(Late(), bars(2))
    assert result.fills.height == 0
    assert result.orders["state"].to_list() == ["created"]


# ----------------------------------------------------------------------------------------------------------- schedules
def due(data: pl.DataFrame, config: dict[str, Any] | None = None, **terms: Any) -> list[datetime]:
    """When a callback with these terms is called."""
    times: list[datetime] = []

    class Scheduled(Strategy):
        def on_start(self) -> None:
            self.schedule(lambda: times.append(self.clock.now), **terms)

    run(Scheduled(), data, config)
    return times


def first_sessions(period: str) -> list[date]:
    dates = SPX.select(pl.col("timestamp").alias("day"), pl.col("timestamp").dt.truncate(period).alias("period"))
    return dates.group_by("period").agg(pl.col("day").min()).sort("day")["day"].to_list()


@pytest.mark.parametrize(("every", "period"), [("month", "1mo"), ("week", "1w"), ("session", "1d")])
@pytest.mark.parametrize("at", ["open", "close"])
def test_the_first_session_of_each_period(every: str, period: str, at: str) -> None:
    times = due(INDICES, every=every, at=at)
    assert [time.date() for time in times] == first_sessions(period)
    clock = {"open": (0, 0), "close": (23, 59)}[at]  # sessions of dates without declared hours
    assert {(time.hour, time.minute) for time in times} == {clock}


def test_every_n_bars() -> None:
    assert due(bars(7), every=3) == [minute(3), minute(6)]
    assert due(bars(2), every=1) == [minute(1), minute(2)]
    assert due(bars(2), every=3) == []


def test_bars_of_several_symbols_count_once_an_instant() -> None:
    both = pl.concat([bars(4), bars(4, symbol="B")]).sort("timestamp", "symbol")
    assert due(both, every=2) == [minute(2), minute(4)]


SESSIONS = {"data": {"session": {"open": "10:00", "close": "10:05", "timezone": "UTC"}}}
TWO_DAYS = pl.concat([bars(3), bars(3, START + timedelta(days=1))])


def test_a_session_close_after_the_last_bar_is_a_decision_of_its_own() -> None:
    """The bars end at 10:03, the session at 10:05. The run ends with its last bar, before the second day's close."""
    assert due(TWO_DAYS, SESSIONS, every="session", at="close") == [minute(5)]


def test_an_order_of_the_open_gets_that_open() -> None:
    class AtOpen(Strategy):
        def on_start(self) -> None:
            self.schedule(self.enter, every="session", at="open")

        def enter(self) -> None:
            self.seen = self.data.count("A")
            self.broker.buy("A", 1)

    strategy = AtOpen()
    result = run(strategy, TWO_DAYS)
    assert result.fills["timestamp"].to_list() == [minute(0), minute(24 * 60)]
    assert strategy.seen == 3  # what ended before, and not the bar that opens now


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"every": "moth"}, r"every='moth'. Did you mean 'month'\?"),
        ({"every": 0}, "every=0 bars; give 1 or more"),
        ({"every": "session", "at": "noon"}, "at='noon'; use 'open' or 'close'"),
    ],
)
def test_wrong_schedules(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        due(bars(3), **terms)


def test_schedules_belong_in_on_start() -> None:
    class Late(Strategy):
        def on_bar(self) -> None:
            self.schedule(print, every=2)

    with pytest.raises(StrategyError, match="belongs in on_start: the run has begun"):
        run(Late(), bars(3))


# ------------------------------------------------------------------------------------------------- warm-up, clock, notes
def test_warmup_bars_come_before_the_first_decision() -> None:
    seen: list[tuple[datetime, int]] = []

    class Count(Strategy):
        def on_start(self) -> None:
            self.schedule(lambda: seen.append((self.clock.now, -1)), every=1)

        def on_bar(self) -> None:
            seen.append((self.clock.now, self.data.count("A")))

    result = run(Count(), bars(4), warmup=2)
    assert seen == [(minute(3), -1), (minute(3), 3), (minute(4), -1), (minute(4), 4)]
    assert result.equity.height == 4


def test_the_clock_is_in_the_zone_of_the_data() -> None:
    seen: list[Any] = []

    class Look(Strategy):
        def on_bar(self) -> None:
            seen.append((self.clock.now.isoformat(), self.clock.date, self.clock.now_ns))

    data = bars(1, datetime(2024, 3, 5, 1, tzinfo=UTC)).with_columns(
        bar_start="timestamp", bar_end=pl.col("timestamp") + pl.duration(minutes=1)
    )
    run(Look(), data, {"data": {"timezone": "America/New_York"}})
    # 01:01 UTC is 20:01 the evening before
    assert seen == [("2024-03-04T20:01:00-05:00", date(2024, 3, 4), 1_709_600_460_000_000_000)]


def test_records_and_messages_are_kept_with_their_time() -> None:
    class Write(Strategy):
        def on_start(self) -> None:
            self.log("begin", 1)

        def on_bar(self) -> None:
            self.record("close", self.data.close("A"))
            self.record("twice", np.float32(2.0))
            self.log("at", self.data.count("A"))

    result = run(Write(), bars(2))
    assert result.records.rows() == [
        (minute(1), "close", 101.0),
        (minute(1), "twice", 2.0),
        (minute(2), "close", 102.0),
        (minute(2), "twice", 2.0),
    ]
    assert result.log.rows() == [(minute(0), "begin 1"), (minute(1), "at 1"), (minute(2), "at 2")]
    assert result.records.schema["timestamp"] == pl.Datetime("ns", "UTC")


def test_chance_repeats_with_its_seed() -> None:
    class Draw(Strategy):
        def on_bar(self) -> None:
            self.record("draw", self.random.random())

    drawn = {seed: run(Draw(), bars(3), seed=seed).records["value"].to_list() for seed in (0, 7)}
    assert run(Draw(), bars(3)).records["value"].to_list() == drawn[0]  # 0 is the default
    assert drawn[7] == np.random.default_rng(7).random(3).tolist()
    assert drawn[0] != drawn[7]


# -------------------------------------------------------------------------------------------------------------- errors
class Failing(Strategy):
    def on_start(self) -> None:
        self.broker.buy("A", 1)

    def on_bar(self) -> None:
        self.record("n", self.data.count("A"))
        if self.data.count("A") == 2:
            raise ZeroDivisionError("by nothing")


def test_a_strategy_that_raises_says_when_and_where() -> None:
    with pytest.raises(StrategyError) as raised:
        run(Failing(), bars(4))
    error = raised.value
    assert str(error) == "Failing at 2024-03-05T10:02:00+00:00 (bar of A) raised ZeroDivisionError: by nothing"
    assert isinstance(error.__cause__, ZeroDivisionError)
    partial = error.result
    assert partial is not None
    assert (partial.status, partial.error) == (
        "failed",
        "ZeroDivisionError: by nothing in Failing at 2024-03-05T10:02:00+00:00 (bar of A)",
    )
    assert partial.fills["price"].to_list() == [100]
    assert partial.records["value"].to_list() == [1, 2]
    assert partial.equity.height == 1  # the second point comes after the decision
    assert partial.metrics["open_trades"] == 1


def test_an_error_of_ours_keeps_its_kind_and_gets_the_place() -> None:
    class Wrong(Strategy):
        def on_bar(self) -> None:
            self.broker.buy("A", -1)

    with pytest.raises(OrderError) as raised:
        run(Wrong(), bars(2))
    assert raised.value.__notes__ == ["in Wrong at 2024-03-05T10:01:00+00:00 (bar of A)"]
    assert raised.value.result.status == "failed"


def hooks() -> list[tuple[str, Callable[..., None]]]:
    def fail(*_: Any) -> None:
        raise RuntimeError("no")

    return [(name, fail) for name in ("on_start", "on_bar", "on_fill", "on_order", "on_signal", "on_end")]


@pytest.mark.parametrize(("hook", "fail"), hooks())
def test_every_hook_may_fail(hook: str, fail: Callable[..., None]) -> None:
    def on_bar(self: Strategy) -> None:
        self.broker.buy("A", 1)

    made = type("Made", (Strategy,), {"on_bar": on_bar, hook: fail})
    signals = pl.DataFrame({"timestamp": [minute(1.5)], "arrival": [minute(1.5)], "score": [1.0]})
    with pytest.raises(StrategyError, match=r"Made at 2024-03-05T10:0.*raised RuntimeError: no") as raised:
        run(made(), bars(3), signals=signals)
    assert raised.value.result.status == "failed"


def test_between_bars_no_bar_is_blamed() -> None:
    class Hears(Strategy):
        def on_signal(self, signal: Signal) -> None:
            raise RuntimeError("no")

    signals = pl.DataFrame({"timestamp": [minute(1.5)], "arrival": [minute(1.5)], "score": [1.0]})
    with pytest.raises(StrategyError, match=r"10:01:30\+00:00 \(no bar ended then\)"):
        run(Hears(), bars(3), signals=signals)


def test_an_interrupt_is_not_swallowed() -> None:
    class Stop(Strategy):
        def on_bar(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Stop(), bars(2))


def test_a_real_interrupt_ends_the_run_at_the_bar_on_which_it_came() -> None:
    """The hook is called by compiled code, where Python does not look for signals."""

    class Long(Strategy):
        seen = 0

        def on_bar(self) -> None:
            self.seen += 1
            if self.seen == 3:
                signal.raise_signal(signal.SIGINT)

    strategy = Long()
    with pytest.raises(KeyboardInterrupt):
        run(strategy, bars(9))
    assert strategy.seen in (3, 4)


def test_what_a_hook_returns_is_released() -> None:
    alive: set[int] = set()

    class Returned:
        def __init__(self) -> None:
            alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    class Returns(Strategy):
        most = 0

        def on_bar(self) -> Returned:  # type: ignore[override]
            self.most = max(self.most, len(alive))
            return Returned()

    strategy = Returns()
    before = sys.getrefcount(None)
    run(strategy, bars(300))
    assert (strategy.most, len(alive)) == (0, 0)
    assert sys.getrefcount(None) - before < 100


def test_time_starts_with_the_first_bar_whatever_arrived_before() -> None:
    """A signal of the year before is known at the start, is no decision, and no instant lies before the first bar."""
    signals = pl.DataFrame(
        {"timestamp": [datetime(1998, 6, 1), datetime(1999, 1, 20)], "symbol": ["SPX", "SPX"], "score": [1.0, 2.0]}
    )

    class Listen(Strategy):
        def on_start(self) -> None:
            self.seen = [("start", self.clock.now.year, self.data.signal("SPX", "score"))]

        def on_signal(self, signal: Signal) -> None:
            self.seen.append(("signal", self.clock.now.year, signal.values["score"]))

    engine = Engine(strategy := Listen(), us_indices().head(60), signals=signals)
    engine.run()
    assert strategy.seen == [("start", 1999, 1.0), ("signal", 1999, 2.0)]
    assert engine.state.timeline.time[0] == engine.bars.start[0]


def test_an_engine_runs_once() -> None:
    engine = Engine(Strategy(), us_indices().head(10))
    engine.run()
    with pytest.raises(StrategyError, match="Build another one"):
        engine.run()
