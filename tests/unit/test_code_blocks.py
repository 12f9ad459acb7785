"""Every Python block of every page runs: those of the pages without a test of their own here, and no page is forgotten."""

from typing import Any

import polars as pl
import pytest

import ml4t.backtest
import page
from ml4t.backtest import Result, Strategy, run
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.demo import Crossover

BARS = us_indices().filter(pl.col("timestamp").dt.year() < 2003)
SPX = BARS.filter(symbol="SPX")
TESTED_ELSEWHERE = {"columns", "compiled", "orders", "report", "sweep"}  # tests/unit/test_..._page.py


def block(name: str, number: int = 0) -> str:
    path = page.README if name == "README" else page.ROOT / "docs" / f"{name}.md"
    return page.code_blocks(path, "python")[number]


class Heard:
    """A `run` or `sweep` that keeps what it gave."""

    def __init__(self, function: Any) -> None:
        self.function, self.results = function, []

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.results.append(self.function(*given, **named))
        return self.results[-1]


def executed(code: str, **names: Any) -> list[Any]:
    """The results of the runs of a block."""
    heard = Heard(run)
    public = {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__}
    exec(code, public | {"run": heard, "bars": BARS} | names)
    return heard.results


def test_the_orders_of_the_readme_are_placed() -> None:
    """All of them in one decision."""
    code = compile(block("README", 2), "README.md", "exec")

    class Once(Strategy):
        def on_bar(self) -> None:
            if self.data.count("SPX") == 2:
                exec(code, {"self": self, "Trail": ml4t.backtest.Trail})

    result = run(Once(), SPX, {"account": {"kind": "margin"}})
    types = result.orders.filter(pl.col("origin") == "strategy")["type", "time_in_force"].rows()
    assert types == [("limit", "gtc"), ("trailing_stop", "gtc"), ("market", "opg")]
    assert set(result.orders["origin"]) == {"strategy", "stop_loss", "take_profit"}


def test_the_columns_of_the_readme_trade() -> None:
    close = pl.col("close")
    columns = {"entry": close > close.shift(1), "exit": close < close.shift(1), "momentum": close.pct_change(20)}
    data = BARS.with_columns(**{name: value.over("symbol") for name, value in columns.items()})
    frame = pl.DataFrame({"timestamp": [SPX["timestamp"][9]], "symbol": ["SPX"], "quantity": [5]})
    code = block("README", 3).replace("top=20", "top=1")  # there are two symbols
    results = executed(code, bars=data, frame=frame)
    assert [result.fills.height > 0 for result in results] == [True] * 3


@pytest.mark.parametrize("number", [4, 5])
def test_the_compiled_strategy_and_the_sweep_of_the_readme(number: int) -> None:
    swept = Heard(ml4t.backtest.sweep)
    results = executed(block("README", number), Crossover=Crossover, sweep=swept)
    if number == 4:
        assert results[0].fills.equals(run(Crossover(), BARS).fills)
    else:
        assert (swept.results[0].height, swept.results[0]["error"].count()) == (18, 0)


def test_signals_and_streams_of_the_page_of_data() -> None:
    scores = SPX.select("timestamp", "symbol", score=pl.col("close").pct_change().fill_null(0.0))
    weekly = SPX.gather_every(5).select("timestamp", "symbol", level="close")
    heard: list[float] = []

    class Listener(Strategy):
        def on_signal(self, signal: Any) -> None:
            heard.append(self.data.value(signal.symbol, "level", stream="weekly"))

    executed(block("data"), strategy=Listener(), bars=SPX, scores=scores, weekly=weekly)
    assert len(heard) == SPX.height
    assert set(heard) - set(weekly["level"]) == set()


def test_the_model_of_the_page_of_costs() -> None:
    space: dict[str, Any] = {}
    exec(block("semantics/costs"), space)

    class Once(Strategy):
        def on_bar(self) -> None:
            if self.data.count("SPX") == 1:
                self.broker.buy("SPX", 10)

    result: Result = run(Once(), SPX, models={"slippage": space["impact"]})
    fill = result.fills.row(0, named=True)
    assert fill["price"] == fill["reference_price"] * (1 + 0.1 * 10 / SPX["volume"][1])


def test_no_page_with_python_is_forgotten() -> None:
    pages = [*page.ROOT.glob("*.md"), *(page.ROOT / "docs").rglob("*.md")]
    found = {path.relative_to(page.ROOT).as_posix(): len(page.code_blocks(path, "python")) for path in pages}
    here = {"README.md": 6, "docs/data.md": 1, "docs/semantics/costs.md": 1}
    elsewhere = {f"docs/{name}.md" for name in TESTED_ELSEWHERE} | {
        "docs/parity/vectorbt.md"
    }  # tests/parity/test_migration.py
    assert {name: count for name, count in found.items() if count and name not in elsewhere} == here
    assert all((page.ROOT / "tests" / "unit" / f"test_{name}_page.py").is_file() for name in TESTED_ELSEWHERE)
