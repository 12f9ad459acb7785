"""docs/compiled.md: its examples run, and its table names what compiled code has, no more and no less."""

import re

import ml4t.backtest
import page
from ml4t.backtest.datasets import us_indices

PAGE = page.ROOT / "docs" / "compiled.md"


def test_the_examples_run() -> None:
    space = {name: getattr(ml4t.backtest, name) for name in ml4t.backtest.__all__} | {"bars": us_indices()}
    for code in page.code_blocks(PAGE, "python"):
        exec(code, space)


def test_the_table_names_what_there_is() -> None:
    from ml4t.backtest.compilation import strategy  # noqa: F401  registers every view
    from ml4t.backtest.compilation.view import KNOWN
    from ml4t.backtest.lower import PRICES

    rows = {row["part"].strip("`"): row["what compiled code has"] for row in page.tables(PAGE)["What compiles"]}
    for part, view in (
        ("self.data", "Data"),
        ("self.broker", "Broker"),
        ("self.portfolio", "Portfolio"),
        ("self.clock", "Clock"),
    ):
        named = set(re.findall(r"[a-z_]{2,}", " ".join(re.findall(r"`([^`]*)`", rows[part]))))
        known = {name for name in KNOWN[view] if name not in PRICES[:3] + PRICES[4:]}
        assert known <= named, (part, known - named)
        assert named - known <= {"symbol", "len", "in"}, (part, named - known)
