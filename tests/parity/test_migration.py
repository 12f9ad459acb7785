"""The pairs of code in vectorbt's migration guide: both sides are executed on the same bars, and every fill is equal."""

import json
import random
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ml4t.backtest
from parity.bars import bars as walk
from parity.engine import FIRST_DAY, day
from parity.environment import python_of

PAGE = (Path(__file__).parents[2] / "docs" / "parity" / "vectorbt.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PAIRS = [pair for pair in pairwise(BLOCKS) if pair[0].startswith("# vectorbt") and pair[1].startswith("# here")]
COLUMNS = ("open", "high", "low", "close", "volume", "entry", "exit", "size", "target")
PEER = """
import json, sys
import numpy as np, pandas as pd, vectorbt as vbt
code, rows = json.load(sys.stdin)
frames = {name: pd.DataFrame({s: column[name] for s, column in rows.items()}) for name in rows["A"]}
names = {"entry": "entries", "exit": "exits", "size": "sizes", "target": "targets"}
given = {"vbt": vbt, "np": np, **{names.get(name, name): frame for name, frame in frames.items()}}
exec(code, given)
records = given["pf"].orders.values
rows = zip(*(records[name].tolist() for name in ("idx", "col", "price", "size", "side", "fees")))
print(json.dumps([[bar, "AB"[col], price, size * (1 - 2 * side), fee] for bar, col, price, size, side, fee in rows]))
"""


def rows(seed: int, count: int = 120) -> dict[str, list[Any]]:
    """The columns of one symbol."""
    draw = random.Random(seed)
    made = {
        name: list(column) for name, column in zip(COLUMNS, zip(*walk(draw, count, 100.0), strict=True), strict=False)
    }
    made["entry"] = [draw.random() < 0.15 for _ in range(count)]
    made["exit"] = [draw.random() < 0.15 for _ in range(count)]
    made["size"] = [draw.choice((0.0, 0.0, 5.0, -3.0)) for _ in range(count)]
    made["target"] = [draw.choice((0.1, 0.3, 0.4)) for _ in range(count)]
    return made


@pytest.mark.parametrize("pair", PAIRS, ids=[str(number) for number in range(len(PAIRS))])
def test_both_sides_of_the_guide_fill_equally(pair: tuple[str, str]) -> None:
    theirs, ours = pair
    columns = {"A": rows(1), "B": rows(2)}
    python = [str(python_of("vectorbt")), "-W", "ignore", "-c", PEER]
    done = subprocess.run(python, input=json.dumps([theirs, columns]), capture_output=True, text=True, check=True)
    wanted = sorted(tuple(fill) for fill in json.loads(done.stdout.splitlines()[-1]))
    frames = [
        pl.DataFrame({"timestamp": [day(bar) for bar in range(len(column["close"]))], "symbol": symbol, **column})
        for symbol, column in columns.items()
    ]
    public = {name: getattr(ml4t.backtest, name) for name in ("Signals", "Strategy", "run")}
    given: dict[str, Any] = {"bars": pl.concat(frames).sort("timestamp", "symbol"), **public}
    exec(ours, given)
    found = sorted(
        ((time.date() - FIRST_DAY).days, symbol, price, quantity if side == "buy" else -quantity, fee)
        for result in given["results"]
        for time, symbol, side, quantity, price, fee in result.fills.select(
            "timestamp", "symbol", "side", "quantity", "price", "commission"
        ).iter_rows()
    )
    assert [fill[:2] for fill in found] == [fill[:2] for fill in wanted]
    for mine, other in zip(found, wanted, strict=True):
        assert mine[2:] == pytest.approx(other[2:], rel=1e-9, abs=1e-9)
    assert len(wanted) > 20


def test_the_guide_has_its_pairs() -> None:
    assert len(PAIRS) == 5
