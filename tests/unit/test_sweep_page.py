"""docs/sweep.md: its examples run."""

import pytest

import ml4t.backtest
import page
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.datasets import us_indices

PAGE = page.ROOT / "docs" / "sweep.md"


@pytest.mark.skipif(not IS_COMPILED, reason="a hundred times slower without the compiler")
def test_the_examples_run() -> None:
    space = {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__} | {"bars": us_indices()}
    for code in page.code_blocks(PAGE, "python"):
        exec(code, space)
    assert space["table"].height == 2
