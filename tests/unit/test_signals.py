"""Signals: what columns ask for, and the orders that follow; expected values are worked out by hand from docs/columns.md."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from ml4t.backtest import OrderError, Signals, Strategy, StrategyError, run
from ml4t.backtest.columns.signals import CLOSE, EXIT, STAY
from ml4t.backtest.enums import Accumulation, Conflict, Reentry, Reversal, SideConflict, Size
from told import bars, minute

LETTERS = {"entries": "E", "exits": "X", "short_entries": "S", "short_exits": "C"}
MARGIN = {"account": {"cash": 10_000.0, "kind": "margin"}}


def rising(count: int, symbols: str = "A") -> pl.DataFrame:
    """Bar n opens and closes at 100 + n."""
    return bars(*[(100.0 + n,) * 4 for n in range(count)], symbols=symbols)


def marked(data: pl.DataFrame, marks: Sequence[str]) -> pl.DataFrame:
    """Bars of A with a column a role, that is true where the bar's mark has the role's letter."""
    return data.with_columns(
        **{role: pl.Series([letter in mark for mark in marks]) for role, letter in LETTERS.items()}
    )


def signalled(marks: Sequence[str], data: pl.DataFrame | None = None, config: Any = MARGIN, **rules: Any) -> Any:
    """The result of a mark a bar, and of one bar more."""
    roles = {role: role for role in LETTERS}
    data = marked(rising(len(marks) + 1) if data is None else data, [*marks, ""])
    return run(Signals(**roles, **({"size": 10} | rules)), data, config)


def fills(result: Any) -> list[tuple[float, float]]:
    """Signed quantity and price of each fill."""
    sign = {"buy": 1, "sell": -1}
    return [(sign[row["side"]] * row["quantity"], row["price"]) for row in result.fills.iter_rows(named=True)]


# -------------------------------------------------------------------------------------------------------------- orders
def test_a_signal_is_filled_at_the_next_open() -> None:
    assert fills(signalled(["", "E", "", "X", ""])) == [(10, 102), (-10, 104)]


def test_short_signals_are_the_mirror() -> None:
    assert fills(signalled(["S", "", "C"])) == [(-10, 101), (10, 103)]


def test_an_exit_without_a_position_does_nothing() -> None:
    assert signalled(["X", "C", "XC"]).orders.height == 0


def test_an_exit_of_the_other_side_does_nothing() -> None:
    assert fills(signalled(["E", "C", "X"])) == [(10, 101), (-10, 103)]


def test_null_nan_zero_and_false_are_no() -> None:
    for column in ([None, 0.0, float("nan"), 0.5], [False, False, None, True], [0, 0, None, -3]):
        data = rising(5).with_columns(e=pl.Series([*column, None], strict=False))
        assert fills(run(Signals(entries="e", size=1), data)) == [(1, 104)]


# --------------------------------------------------------------------------------------------------------------- rules
def action(side: int, mark: str, **rules: Any) -> tuple[int, int]:
    strategy = Signals(entries="e", short_entries="s", **rules)
    return strategy.action(side, *(letter in mark for letter in "EXSC"))


@pytest.mark.parametrize(
    ("rule", "flat", "long", "short"),
    [  # an entry and an exit of the long side at once, where nothing, the long side, or the short side is held
        ("neither", (STAY, 0), (STAY, 0), (STAY, 0)),
        ("entry", (STAY, 1), (STAY, 1), (CLOSE, 1)),
        ("exit", (STAY, 0), (EXIT, 0), (STAY, 0)),
        ("change", (STAY, 1), (EXIT, 0), (CLOSE, 1)),
        ("keep", (STAY, 0), (STAY, 1), (STAY, 0)),
    ],
)
def test_conflicts(rule: str, flat: tuple[int, int], long: tuple[int, int], short: tuple[int, int]) -> None:
    found = [action(side, "EX", conflict=rule, accumulation="add") for side in (0, 1, -1)]
    assert found == [flat, long, short]
    mirrored = [action(-side, "SC", conflict=rule, accumulation="add") for side in (0, 1, -1)]
    assert mirrored == [(becomes, -enters) for becomes, enters in (flat, long, short)]


@pytest.mark.parametrize(
    ("rule", "flat", "long", "short"),
    [  # a long and a short entry at once
        ("neither", (STAY, 0), (STAY, 0), (STAY, 0)),
        ("long", (STAY, 1), (STAY, 1), (CLOSE, 1)),
        ("short", (STAY, -1), (CLOSE, -1), (STAY, -1)),
        ("change", (STAY, 0), (CLOSE, -1), (CLOSE, 1)),
        ("keep", (STAY, 0), (STAY, 1), (STAY, -1)),
    ],
)
def test_side_conflicts(rule: str, flat: tuple[int, int], long: tuple[int, int], short: tuple[int, int]) -> None:
    assert [action(side, "ES", side_conflict=rule, accumulation="add") for side in (0, 1, -1)] == [flat, long, short]


@pytest.mark.parametrize(("rule", "expected"), [("ignore", (STAY, 0)), ("close", (CLOSE, 0)), ("flip", (CLOSE, -1))])
def test_reversal(rule: str, expected: tuple[int, int]) -> None:
    assert action(1, "S", reversal=rule) == expected
    assert action(-1, "E", reversal=rule) == (expected[0], -expected[1])
    assert action(1, "SX", reversal=rule) == (
        CLOSE,
        -1,
    )  # the exit closes anyway, and then the entry finds nothing held


def test_a_flip_closes_and_enters_at_one_open() -> None:
    assert fills(signalled(["E", "", "S"])) == [(10, 101), (-10, 103), (-10, 103)]
    assert fills(signalled(["E", "", "S"], reversal="close")) == [(10, 101), (-10, 103)]
    assert fills(signalled(["E", "", "S"], reversal="ignore")) == [(10, 101)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", [(10, 101), (-10, 104)]),
        ("add", [(10, 101), (10, 102), (-20, 104)]),
        ("reduce", [(10, 101), (10, 102), (-10, 104), (-10, 105)]),
    ],
)
def test_accumulation(rule: str, expected: list[tuple[float, float]]) -> None:
    assert fills(signalled(["E", "E", "", "X", "X", "X"], accumulation=rule)) == expected


@pytest.mark.parametrize(
    ("rule", "entries"),
    [
        ("always", [1, 3, 7]),
        ("reset", [1, 6]),
        ("never", [1]),
    ],
)
def test_reentry(rule: str, entries: list[int]) -> None:
    """The stop of 5 % closes at 95 on bars 2 and 6. The entry is on all along but on bar 4; it fills on the bar after."""
    quiet, falls = (100.0, 100.0, 100.0, 100.0), (100.0, 100.0, 90.0, 100.0)
    data = bars(quiet, quiet, falls, quiet, quiet, quiet, falls, quiet, quiet)
    result = signalled(["E", "E", "E", "E", "", "E", "E", "E"], data, reentry=rule, stop_loss=0.05)
    bought = result.fills.filter(side="buy")["timestamp"]
    assert [(time - minute(0)).total_seconds() / 60 for time in bought] == entries


# ------------------------------------------------------------------------------------------------------ sizes and exits
@pytest.mark.parametrize(
    ("rules", "quantity"),
    [  # equity and cash 10,000; the close of the decision is 100, lots are whole
        ({"sizing": "quantity", "size": 7}, 7),
        ({"sizing": "value", "size": 1_050}, 10),
        ({"sizing": "equity", "size": 0.25}, 25),
        ({"sizing": "cash", "size": 0.25}, 25),
        ({"sizing": "risk", "size": 0.01, "stop_loss": 0.04}, 25),  # 25 · 100 · 0.04 = 100 = 1 % of 10,000
        ({"sizing": "risk", "size": 0.01, "stop_loss": 98.0, "stops_are_prices": True}, 50),  # 50 · (100 − 98) = 100
    ],
)
def test_sizes(rules: dict[str, Any], quantity: float) -> None:
    config = MARGIN | {"instruments": {"default": {"lot_size": 1.0}}}
    result = signalled(["E"], bars(*[(100.0,) * 4] * 2), config, **rules)
    assert fills(result) == [(quantity, 100)]


def test_cash_is_not_equity() -> None:
    """10,000: half of the cash buys 50; half of what is left, 25."""
    data = bars(*[(100.0,) * 4] * 4)
    result = signalled(["E", "", "E"], data, sizing="cash", size=0.5, accumulation="add")
    assert fills(result) == [(50, 100), (25, 100)]


def test_volatility() -> None:
    """Closes 100, 110, 99, 108.9: returns 0.1, −0.1, 0.1, so mean 1/30 and deviation √(4/300) = 0.11547; a year of 3 bars: 0.2."""
    closes = (100.0, 110.0, 99.0, 108.9, 100.0)
    data = bars(*[(close,) * 4 for close in closes])
    config = MARGIN | {"instruments": {"default": {"lot_size": 1.0}}}
    rules = {"sizing": "volatility", "size": 0.05, "window": 3, "bars_per_year": 3}
    result = signalled(["", "", "E", "E"], data, config, **rules)
    assert fills(result) == [
        (22, 100)
    ]  # 0.05 / 0.2 of 10,000 is 2,500; at 108.9 that is 22.96; bar 3 knows two returns only


def test_no_volatility_no_entry() -> None:
    data = bars(*[(100.0,) * 4] * 6)
    assert signalled(["E"] * 5, data, sizing="volatility", size=0.1, window=2, bars_per_year=252).orders.height == 0


def test_sizes_and_stops_of_columns() -> None:
    """The size and the stop of the bar that decides; a bar without size is no entry."""
    data = marked(bars(*[(100.0, 100.0, 90.0, 100.0)] * 4), ["E", "E", "", ""])
    data = data.with_columns(n=pl.Series([None, 3.0, 8.0, 8.0]), at=pl.Series([70.0, 95.0, 60.0, 60.0]))
    result = run(Signals(entries="entries", size="n", stop_loss="at", stops_are_prices=True), data, MARGIN)
    assert fills(result) == [(3, 100), (-3, 95)]
    assert result.trades["exit_reason"].to_list() == ["stop_loss"]


def test_exits_of_every_kind() -> None:
    quiet = (100.0, 100.0, 100.0, 100.0)
    for rules, bar, reason, price in (
        ({"stop_loss": 0.05}, (100.0, 100.0, 90.0, 100.0), "stop_loss", 95.0),
        ({"take_profit": 0.05}, (100.0, 110.0, 100.0, 100.0), "take_profit", 105.0),
        ({"trail": 0.05}, (100.0, 100.0, 90.0, 100.0), "trailing_stop", 95.0),
        ({"max_bars": 1}, quiet, "max_bars", 100.0),
    ):
        result = signalled(["E", "", "", ""], bars(quiet, quiet, bar, quiet, quiet), **rules)
        assert (result.trades["exit_reason"][0], result.trades["exit_price"][0]) == (reason, price)


# ------------------------------------------------------------------------------------------------- orders under way
def test_an_entry_waits_for_the_order_under_way_and_an_exit_cancels_it() -> None:
    """A bar's volume of 1,000 at a share of 1 % fills 10 a bar: 25 take three bars."""
    config = MARGIN | {"fills": {"participation": {"share": 0.01}}}
    marks = ["E", "E", "E", "", "", ""]
    whole = signalled(marks, rising(7), config, size=25)
    assert fills(whole) == [(10, 101), (10, 102), (5, 103)]
    stopped = signalled(["E", "", "X", "X", "", ""], rising(7), config, size=25)
    assert fills(stopped) == [(10, 101), (10, 102), (-10, 103), (-10, 104)]
    assert stopped.orders["state"].to_list() == ["cancelled", "filled"]


# -------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"entries": "", "short_entries": ""}, "name a column of entries or short_entries"),
        ({"entries": "", "short_entries": "s", "exits": "x"}, "exits close what entries open"),
        (
            {"conflict": "nether"},
            "Signals.conflict must be one of neither, entry, exit, change, keep, not 'nether'. Did you mean 'neither'",
        ),
        ({"size": -1}, "size must be 0 or more and finite, not -1"),
        ({"stop_loss": float("nan")}, "stop_loss must be 0 or more and finite, not nan"),
        ({"sizing": "risk"}, "sizing 'risk' is what is lost at the stop; give stop_loss"),
        ({"sizing": "volatility"}, "give bars_per_year"),
        ({"window": 1}, "window=1 must be 2 or more"),
        ({"max_bars": -1}, "max_bars=-1 0 or more"),
        ({"entires": "e"}, "no parameter 'entires'. Did you mean 'entries'"),
    ],
)
def test_what_makes_no_sense_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError) as raised:
        Signals(**{"entries": "e"} | rules)
    assert message in str(raised.value)


def test_a_negative_size_of_a_column_ends_the_run() -> None:
    data = rising(3).with_columns(e=True, n=pl.lit(-4.0))
    with pytest.raises(OrderError, match=r"A: .* must be .*above 0"):
        run(Signals(entries="e", size="n"), data)


def test_every_choice_is_an_enum_by_name() -> None:
    choices = {"conflict": Conflict, "side_conflict": SideConflict, "reentry": Reentry}
    choices |= {"accumulation": Accumulation, "reversal": Reversal, "sizing": Size}
    assert Signals._choices == choices
    for name, choice in choices.items():
        for member in choice:
            more = {"stop_loss": 0.1, "bars_per_year": 252.0}
            for given in (member.name, member.name.lower(), member):
                assert getattr(Signals(entries="e", **more, **{name: given}), name) is member


def test_a_subclass_is_a_strategy_of_its_own() -> None:
    class Mine(Signals):
        limit: int = 3

    assert isinstance(Mine(entries="e", limit=4), Strategy)
