"""The rows of the table: what is done, by whom, how large, and what is aimed at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.market import many_assets, one_asset, untied_asset

OURS = "ours"


@dataclass(frozen=True)
class Difference:
    """A peer that cannot fill at the next open: the rule under which its final equity is compared with ours, in a run that is not timed."""

    rule: str
    tolerance: float = 1e-9  # relative
    reason: str = ""


@dataclass(frozen=True)
class Work:
    """One row: the same trades asked of every engine."""

    title: str
    market: Callable[..., dict[str, Any]]
    quick: Mapping[str, int]  # arguments of `market`
    full: Mapping[str, int]
    warm: Mapping[str, int]  # a small one for the first run of a process
    terms: Mapping[str, float]
    aims: Mapping[str, float]  # peer → how many times faster we want to be
    differences: Mapping[str, "Difference"] = field(default_factory=dict)  # by peer


SAME_CLOSE, NEXT_CLOSE = "same_close", "next_close"
RUST, NUMBA = "vectorbt:rust", "vectorbt:numba"
ONE = {"cash": 1e7, "rate": 1e-4, "units": 1000.0}
GRID = {"fast_from": 5, "fast_to": 25, "slow_from": 30, "slow_to": 80, "slow_step": 5}  # 20 x 10 windows
MANY = {"cash": 1e8, "rate": 5e-4}

WORKS = {
    "signals": Work(
        "signals, 1 asset",
        one_asset,
        quick={"bars": 100_800},
        full={"bars": 1_008_000},
        warm={"bars": 2_880},
        terms=ONE,
        aims={RUST: 3.0, NUMBA: 3.0},
    ),
    "weights": Work(
        "target weights, rebalanced daily",
        many_assets,
        quick={"assets": 50, "count": 252, "every": 1},
        full={"assets": 250, "count": 2520, "every": 1},
        warm={"assets": 5, "count": 50, "every": 1},
        terms=MANY,
        aims={RUST: 8.0, NUMBA: 8.0},
    ),
    "weights_wide": Work(
        "target weights, rebalanced monthly",
        many_assets,
        quick={"assets": 300, "count": 504, "every": 21},
        full={"assets": 3000, "count": 2520, "every": 21},
        warm={"assets": 5, "count": 50, "every": 21},
        terms=MANY,
        aims={RUST: 8.0, NUMBA: 8.0},
    ),
    "weights_free": Work(
        "target weights, rebalanced monthly, no costs",
        many_assets,
        quick={"assets": 50, "count": 252, "every": 21},
        full={"assets": 250, "count": 2520, "every": 21},
        warm={"assets": 5, "count": 50, "every": 21},
        terms=MANY | {"rate": 0.0},
        aims={"bt": 8.0},
        differences={"bt": Difference(SAME_CLOSE)},
    ),
    "callback": Work(
        "Python callback, 1 asset",
        one_asset,
        quick={"bars": 10_080},
        full={"bars": 100_800},
        warm={"bars": 2_880},
        terms=ONE,
        aims={"backtesting": 10.0, "backtrader": 10.0, "nautilus": 10.0, "zipline": 10.0},
        differences={
            "nautilus": Difference(SAME_CLOSE, 1e-6, "it rounds money to cents"),
            "zipline": Difference(NEXT_CLOSE),
        },
    ),
    "portfolio": Work(
        "Python callback, rebalanced daily",
        many_assets,
        quick={"assets": 50, "count": 40, "every": 1},
        full={"assets": 250, "count": 252, "every": 1},
        warm={"assets": 5, "count": 30, "every": 1},
        terms=MANY | {"cash": 1e11},  # so that no change of whole shares is none
        aims={"backtrader": 50.0, "zipline": 50.0},
        differences={"zipline": Difference(NEXT_CLOSE, 1e-4, "it trades whole shares")},
    ),
    "brackets": Work(
        "entries with stop-loss and take-profit, 1 asset",
        one_asset,
        quick={"bars": 20_160},
        full={"bars": 201_600},
        warm={"bars": 2_880},
        terms=ONE | {"stop": 0.002, "profit": 0.003},
        aims={"vectorbt:numba": 1.0, "backtesting": 100.0},
    ),
    "sweep": Work(
        "200 combinations of two windows, return and drawdown of each",
        untied_asset,
        quick={"bars": 10_080},
        full={"bars": 100_800},
        warm={"bars": 2_880},
        terms=ONE | GRID,
        aims={RUST: 50.0, NUMBA: 50.0},
    ),
}
