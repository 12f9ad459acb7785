"""Random small cases for the oracle and the engine, and what they cover."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from case import (
    COLUMNS,
    DAY,
    EPOCH,
    HOUR,
    TICK,
    Bar,
    Cancel,
    CancelAll,
    Case,
    Link,
    Protect,
    Rebalance,
    Replace,
    Request,
    Submit,
)
from crowded_script import CrowdedScript
from random_bars import dressed, finer_bars, intraday_grid, merge, session_grid, walk
from random_config import random_config
from random_costs import DAYS_KNOWN, add_costs
from random_script import RandomScript

if TYPE_CHECKING:
    from outcome import Outcome

__all__ = [
    "COLUMNS",
    "DAY",
    "EPOCH",
    "HOUR",
    "TICK",
    "Bar",
    "Cancel",
    "CancelAll",
    "Case",
    "Link",
    "Protect",
    "Rebalance",
    "Replace",
    "Request",
    "Submit",
    "coverage",
    "random_case",
    "random_config",
]

ORDER_TYPES = (
    "market",
    "limit",
    "stop",
    "stop_limit",
    "market_if_touched",
    "limit_if_touched",
    "trailing_stop",
    "trailing_stop_limit",
)
KINDS = ("gap", "touch", "cross")
PLAIN = 0.3
"""Share of the cases that use no rule or request beyond the simplest."""


def random_case(seed: int, *, crowded: bool = False) -> Case:
    """A small case that is full of exact touches, gaps, flat bars and scarce cash; the same for the same seed.

    `crowded`: bars have little volume, and the orders that fill in parts many children.
    """
    rng = random.Random(seed)
    rich = rng.random() >= PLAIN or crowded
    layout = rng.choice(("session", "intraday", "intraday", "ragged"))
    universe = ["A", "B", "C"][: rng.choice((1, 1, 2, 2, 3))]
    rng.shuffle(universe)
    grid, session = session_grid(rng) if layout == "session" else intraday_grid(rng)
    bars: list[Bar] = []
    for symbol in universe:
        length = 2 if layout == "ragged" and rng.random() < 0.5 else 1
        missing = rng.choice((0.0, 0.0, 0.15, 0.4)) if len(universe) > 1 else rng.choice((0.0, 0.1))
        bars += walk(rng, symbol, merge(grid, length), missing)
    config = random_config(rng, universe, rich=rich)
    if crowded:
        config["fills"]["participation"] = {"share": rng.choice((0.25, 0.5, 0.1)), "basis": "bar"}
    if session is not None:
        config["data"] = {"session": session}
    special = random.Random(f"{seed} costs")  # of its own, so that all else is drawn as without these costs
    is_daily = rich and special.random() < 0.4 and add_costs(special, config, bars)
    scarce = "participation" in config["fills"] or config["fills"].get("touch", {}).get("kind") == "queue"
    bars = dressed(rng, bars, config, scarce=scarce, events=rich and rng.random() < 0.12)
    finer = finer_bars(rng, bars) if rich and rng.random() < 0.15 else []
    finer.sort(key=lambda bar: (bar.start, universe.index(bar.symbol)))
    kind = CrowdedScript if crowded else RandomScript
    script = kind(rng, bars, universe, config, rich=rich, days=DAYS_KNOWN if is_daily else 0).requests()
    rules = None
    if rich and config["orders"]["valuation"] != "fill_price" and special.random() < 0.15:
        rules = RandomScript(special, bars, universe, config, rich=True).rules()
    return Case(bars, universe, config, script, "session" if layout == "session" else "start", finer, rules)


def coverage(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Number of fills by `type/kind`, `fills/market`, number of cases, and of cases that filled nothing.

    A fill is a gap when the open was strictly beyond the level, a touch when the level is exactly the open or the
    end of its segment (an extreme or the close), a cross when the path went strictly through it.
    """
    counts: Counter[str] = Counter()
    counts.update({f"{order_type}/{kind}": 0 for order_type in ORDER_TYPES[1:] for kind in KINDS})
    for outcome in outcomes:
        counts["cases"] += 1
        counts["empty"] += not outcome.fills
        for fill in outcome.fills:
            counts[f"{fill.order_type}/{fill.kind}"] += 1
    return dict(counts)
