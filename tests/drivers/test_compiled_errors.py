"""What cannot be compiled, and what a compiled strategy asks for in vain: the line, the reason, and what to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from ml4t.backtest import (
    Atr,
    CompilationError,
    Exits,
    LookAheadError,
    OrderError,
    Strategy,
    StrategyError,
    UnknownFieldError,
    UnknownSymbolError,
    run,
)
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.compilation import replay
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.source import user_lines

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="nothing is compiled")


def plain(x: float) -> float:
    return x + 1


class OnBar(Strategy):
    """Counts; each case below replaces `on_bar`."""

    def on_start(self) -> None:
        self.count, self.x, self.order, self.array = 0, 0.0, None, np.zeros(3)


def strategy(**members: Any) -> Strategy:
    """An instance of a class with these members."""
    return type("Case", (OnBar,), members)()


def changes_type(self: Any) -> None:
    self.count = self.count * 0.5


def new_attribute(self: Any) -> None:
    self.seen = 1


def replaces_an_array(self: Any) -> None:
    self.array = np.ones(3)


def plain_function(self: Any) -> None:
    self.x = plain(self.x)


def imports(self: Any) -> None:
    import pandas as pd

    pd.Series(self.data.close("SPX", 30)).mean()


def misspells(self: Any) -> None:
    self.broker.bye("SPX", 10)


def misspells_a_term(self: Any) -> None:
    self.broker.buy("SPX", 10, limmit=3.0)


def formats(self: Any) -> None:
    name = f"order {self.count:5.2f}"
    self.count += len(name)


def unknown_tif(self: Any) -> None:
    self.broker.buy("SPX", 1, tif="GTX")


def until(self: Any) -> None:
    self.broker.buy("SPX", 1, tif="GTD", until=3)


def two_sizes(self: Any) -> None:
    self.broker.buy("SPX", 1, percent=0.5)


def posts_for_one_moment(self: Any) -> None:
    self.broker.buy("SPX", 1, limit=99, tif="IOC", post_only=True)


def writes(self: Any) -> None:
    self.data.close("SPX", 3)[0] = 1.0


def logs(self: Any) -> None:
    self.log("hello")


def asks_for_now(self: Any) -> None:
    self.count = self.clock.now.year


def trails_by_atr(self: Any) -> None:
    self.broker.buy("SPX", 1, stop_loss=Atr(14, 2.0))


UNCOMPILED = {
    changes_type: r"self.count was int64 after on_start and is given float64 here: start it as `self.count = 0.0`",
    new_attribute: r"Cannot resolve setattr.*\n.*self.seen = 1\n.*set this attribute in on_start",
    replaces_an_array: r"self.array is an array: assign its elements, `self.array\[:\] = ...`",
    plain_function: r"Untyped global name 'plain'.*\n.*self.x = plain\(self.x\)\n.*decorate that function with numba.njit",
    imports: r"IMPORT_NAME.*\n.*import pandas as pd\n.*import at the top of the file",
    misspells: r"Unknown attribute 'bye' of type Broker. Did you mean 'buy'\?\n.*self.broker.bye",
    misspells_a_term: r"unexpected keyword argument 'limmit'.*\n.*limmit=3.0",
    formats: r"f-strings.*\n.*\n.*texts cannot be made",
    unknown_tif: r"tif is one of DAY, GTC.*\n.*GTX",
    until: r"until= is not compiled.*\n.*until=3",
    two_sizes: r"exactly one of quantity, value and percent.*\n.*percent=0.5",
    posts_for_one_moment: r"post_only= belongs to an order that may rest, not to IOC.*\n.*post_only=True",
    writes: r"setitem.*\n.*\n.*windows are read-only",
    logs: r"Unknown attribute 'log'.*\n.*\n.*use record\(\)",
    asks_for_now: r"Unknown attribute 'now' of type Clock.*\n.*\n.*clock.now_ns",
    trails_by_atr: r"(?s)Atr.*stop_loss=Atr\(14, 2.0\)",
}


@pytest.mark.parametrize("on_bar", UNCOMPILED, ids=lambda f: f.__name__)
def test_what_cannot_be_compiled(on_bar: Any) -> None:
    with pytest.raises(CompilationError, match=UNCOMPILED[on_bar]) as raised:
        run(strategy(on_bar=on_bar), us_indices(), compiled=True)
    assert "compiled=False" in str(raised.value)
    assert "test_compiled_errors.py:" in str(raised.value)


def keeps(self: Any) -> None:
    self.seen = {"SPX": 1}
    self.column = np.zeros((4, 4))[:, 0]


def reads_the_dict(self: Any) -> None:
    self.record("x", self.seen["SPX"])


def reads_the_column(self: Any) -> None:
    self.record("x", self.column[0])


def replaces_the_dict(self: Any) -> None:
    self.seen = 3


@pytest.mark.parametrize(
    ("on_bar", "message"),
    [
        (reads_the_dict, r"self.seen is a dict, \{'SPX': 1\}. Compiled code holds numbers"),
        (reads_the_column, "self.column is an array of float64, not contiguous"),
        (replaces_the_dict, "self.seen is a dict"),
    ],
)
def test_attributes_that_compiled_code_cannot_hold(on_bar: Any, message: str) -> None:
    """They are a problem where they are used; what only `on_start` and `on_end` need may be anything."""
    with pytest.raises(CompilationError, match=message):
        run(strategy(on_start=keeps, on_bar=on_bar), us_indices(), compiled=True)
    case = strategy(on_start=keeps, on_bar=lambda self: None)
    run(case, us_indices(), compiled=True)
    assert case.seen == {"SPX": 1}


def test_properties_and_other_callbacks() -> None:
    with pytest.raises(CompilationError, match=r"Case.half is a property; a compiled strategy has ordinary methods"):
        run(strategy(half=property(lambda self: 0.5)), us_indices(), compiled=True)
    case = strategy(on_start=lambda self: self.schedule(lambda: None, every="week"))
    with pytest.raises(CompilationError, match="schedules its own methods"):
        run(case, us_indices(), compiled=True)


def test_exit_rules_that_need_python() -> None:
    with pytest.raises(CompilationError, match="exits at rates from the fill"):
        run(strategy(exit_rules=Exits(stop_loss=Atr(14, 2)), on_bar=lambda self: None), us_indices(), compiled=True)


def unknown_symbol(self: Any) -> None:
    self.broker.buy("SPY", 1)


def unknown_column(self: Any) -> None:
    self.x = self.data.value("SPX", "clos")


def unknown_stream(self: Any) -> None:
    self.x = self.data.value("SPX", "close", stream="news")


def no_size(self: Any) -> None:
    self.broker.buy("SPX", self.x)


def no_number(self: Any) -> None:
    self.broker.order_target_percent("SPX", np.nan)


def no_price(self: Any) -> None:
    self.broker.buy("SPX", 1, limit=-1.0)


def no_rate(self: Any) -> None:
    self.broker.buy("SPX", 1, stop_loss=1.5)


def only_closes(self: Any) -> None:
    self.broker.buy("SPX", 5)
    self.broker.sell("SPX", 5, stop_loss=0.05)


def the_future(self: Any) -> None:
    self.x = self.data.close("SPX", -1)[0]


def no_rows(self: Any) -> None:
    self.x = self.data.mean("SPX", self.count)


def no_order(self: Any) -> None:
    self.broker.cancel(self.order)


def dead_order(self: Any) -> None:
    order = self.broker.buy("SPX", 1)
    self.broker.cancel(order)
    self.broker.cancel(order)


def no_such_price(self: Any) -> None:
    self.broker.replace(self.broker.buy("SPX", 1), limit=3.0)


def flood(self: Any) -> None:
    for _ in range(1000):
        self.broker.buy("SPX", 1)


def many_records(self: Any) -> None:
    for _ in range(1000):
        self.record("much", 1.0)


MISTAKES = {
    unknown_symbol: (UnknownSymbolError, r"No symbol 'SPY' in this run. Did you mean 'SPX'\?"),
    unknown_column: (UnknownFieldError, r"No column 'clos' in this run. Did you mean 'close'\?"),
    unknown_stream: (UnknownFieldError, r"No stream 'news' in this run. There are bars"),
    no_size: (OrderError, "SPX: the size of an order must be a finite number above 0"),
    no_number: (OrderError, "SPX: a target must be a finite number"),
    no_price: (OrderError, "a price of an order"),
    no_rate: (OrderError, "SPX: an exit is a rate above 0"),
    only_closes: (OrderError, "SPX: the order only closes a position"),
    the_future: (LookAheadError, "A window of -1 rows would reach into the future"),
    no_rows: (ValueError, "A window has a whole number of rows, 1 or more; 0 was given"),
    no_order: (OrderError, "there is no such order"),
    dead_order: (OrderError, r"the order is not live.*\(order 1\)"),
    no_such_price: (OrderError, r"the order has no such price.*\(order 1\)"),
    flood: (OrderError, "SPX: more than 72 orders in one decision: raise orders.reserve"),
    many_records: (OrderError, "more than 72 records in one decision"),
}


@pytest.mark.parametrize("on_bar", MISTAKES, ids=lambda f: f.__name__)
def test_mistakes_end_the_run_as_in_python(on_bar: Any) -> None:
    """The same class of error (but for the room, which Python does not need), with what was done until then."""
    kind, message = MISTAKES[on_bar]
    error = StrategyError if kind is ValueError else kind
    with pytest.raises(error, match=message) as raised:
        run(strategy(on_bar=on_bar), us_indices(), compiled=True)
    assert raised.value.result.equity.height < 5031
    lines = "".join(user_lines(raised.value.__cause__ or raised.value))
    if on_bar not in (flood, many_records):
        with pytest.raises(error):
            run(strategy(on_bar=on_bar), us_indices(), compiled=False)
        assert re.search(rf"{__file__}:\d+ in {on_bar.__name__}: self\.", lines), lines
    else:
        assert raised.value.__cause__ is None


def raises(self: Any) -> None:
    self.count += 1
    if self.count == 7:
        raise ValueError("too many")


def divides(self: Any) -> None:
    self.x = 1.0 / self.count


def out_of_range(self: Any) -> None:
    self.x = self.data.close("SPX", 5)[7]


@pytest.mark.parametrize(
    ("on_bar", "message"), [(raises, "too many"), (divides, "division by zero"), (out_of_range, "out of bounds")]
)
def test_what_the_strategy_raises_is_told(on_bar: Any, message: str) -> None:
    case = strategy(on_bar=on_bar)
    with pytest.raises(StrategyError, match=message) as raised:
        run(case, us_indices(), compiled=True)
    assert "bar of NASDAQ, SPX" in str(raised.value)
    line = {"raises": "raise ValueError(", "divides": "self.x = 1.0 / self.count", "out_of_range": "self.x = self.data"}
    assert line[on_bar.__name__] in user_lines(raised.value.__cause__)[-1]
    assert case.count == (7 if on_bar is raises else 0)  # its attributes are as it left them


def test_the_line_is_looked_for_no_longer_than_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "SECONDS", -1.0)

    class Late(Strategy):
        def on_bar(self) -> None:
            if self.data.count("SPX") == 2_000:
                self.broker.buy("SPX", -1)

    with pytest.raises(OrderError) as raised:
        run(Late(), us_indices(), compiled=True)
    assert raised.value.__notes__[-1] == replay.LATE


def test_an_error_that_plain_python_does_not_meet_names_no_line() -> None:
    class Changed(Strategy):
        start = 3.0

        def on_start(self) -> None:
            self.left = self.start

        def on_bar(self) -> None:
            self.left -= 1.0
            if self.left == 0.0:
                self.broker.buy("SPX", -1)

        def on_end(self) -> None: ...

    class Once(Changed):
        def on_start(self) -> None:
            super().on_start()
            Changed.start = 5.0

    with pytest.raises(OrderError) as raised:
        run(Once(), us_indices(), compiled=True)
    assert raised.value.__cause__ is None
