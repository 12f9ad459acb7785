"""docs/semantics/inside-one-bar.md: every row of its tables, bought and mirrored, run by the engine and by the oracle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import pytest

import page
import replay
from cases import EPOCH, HOUR, Bar, Case, Request, Submit
from history import Event, Fill, History, of_outcome, of_result
from oracle import simulate

TABLES = page.tables(page.ROOT / "docs" / "semantics" / "inside-one-bar.md")
NAMES = ("One bar", "Other entries", "With a trailing stop", "Too little volume")
ONE_BAR, OTHERS, TRAILING, LITTLE_VOLUME = (TABLES[name] for name in NAMES)
CELLS = {  # column → the exits that the entry has
    "stop-loss alone": ("stop",),
    "take-profit alone": ("profit",),
    "both": ("stop", "profit"),
    "trailing stop": ("trail",),
}
EXITS = {"stop": "stop_loss", "profit": "take_profit", "trail": "trailing_stop"}
FIXED = {("low", 1): "low_high", ("high", 1): "high_low", ("low", -1): "high_low", ("high", -1): "low_high"}
FILL = re.compile(r"(?:(stop|profit) )?(?:(\d) at )?([\d.]+) (\w+)")
Row = dict[str, str]


@dataclass(frozen=True)
class Play:
    """A row under one path rule, for one or both sides; an entry for each side and set of exits, on a symbol of its own."""

    row: Row
    rule: str
    sides: tuple[int, ...]
    schedule: str = "phased"
    units: float = 6.0
    later: float | None = None  # all prices of the bar after the row's; volume counts where there is one

    def entries(self) -> Iterator[Entry]:
        first = 1
        for side, cell in product(self.sides, CELLS):
            if cell in self.row:
                roles = {first + n: name for n, name in enumerate(("entry", *CELLS[cell]))}
                yield Entry(f"S{first:02}", side, cell, roles)
                first += len(roles)

    def case(self) -> Case:
        entries = list(self.entries())
        config: dict[str, Any] = {
            "account": {"kind": "margin", "cash": 1_000_000.0},
            "instruments": {"default": {"lot_size": 1.0, "tick_size": 0.0, "multiplier": 1.0}},
            "costs": {"commission": {"kind": "none"}, "slippage": {"kind": "none"}},
            "fills": {"path": self.rule, "schedule": self.schedule},
        }
        config["fills"]["market"] = "next_close" if "close" in self.row["entry"] else "next_open"
        if self.later is not None:
            config["fills"]["participation"] = {"share": 0.25}
        bars = [bar for entry in entries for bar in bars_of(entry, self.row, self.later)]
        submits: list[Request] = [submit(entry, self.row, self.units) for entry in entries]
        return Case(bars, [entry.symbol for entry in entries], config, {0: submits})

    def check(self) -> None:
        """Oracle and engine both come to what the row says."""
        case = self.case()
        for name, have in (("oracle", of_outcome(simulate(case))), ("engine", of_result(replay.replay(case)))):
            for entry in self.entries():
                expected = fills(self.row, entry, self.units)
                assert [fill for fill in have.fills if fill.order in entry.roles] == expected, (name, self.rule, entry)
                assert ends(have, entry) == expected_ends(entry, expected, self.units), (name, self.rule, entry)


class Entry(NamedTuple):
    symbol: str
    side: int
    cell: str
    roles: dict[int, str]  # by order


def paths(row: Row) -> list[tuple[str, tuple[int, ...]]]:
    """The path rules that lead to the row's path, and for which sides."""
    is_open = row["entry fills"].endswith("open")
    relative = "worst_first" if is_open == (row["path"] == "low") else "best_first"
    return [*fixed_paths(row), (relative, (1, -1)), *nearest(row)]


def nearest(row: Row) -> list[tuple[str, tuple[int, ...]]]:
    """`nearest_extreme_first`, for the sides whose bar leads it to the row's path: its high comes first only where that is nearer."""
    open_, high, low, _ = map(float, row["bar"].split("-"))
    sides = tuple(
        side
        for side, up, down in ((1, high - open_, open_ - low), (-1, open_ - low, high - open_))
        if (up < down) == ((row["path"] == "high") == (side > 0))
    )
    return [("nearest_extreme_first", sides)] if sides else []


def fixed_paths(row: Row) -> list[tuple[str, tuple[int, ...]]]:
    return [(f"open_{FIXED[row['path'], side]}_close", (side,)) for side in (1, -1)]


# --------------------------------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize("row", ONE_BAR + OTHERS, ids=lambda row: f"{row['#']} {row['entry']}")
def test_one_bar(row: Row) -> None:
    """Under the fixed path rule, and under `worst_first` or `best_first`, which mean the same for a buy and its mirror image."""
    for rule, sides in paths(row):
        Play(row, rule, sides).check()


@pytest.mark.parametrize("row", ONE_BAR, ids=lambda row: row["#"])
def test_one_bar_of_a_queue(row: Row) -> None:
    """Of two exits the older one fills wherever it would alone."""
    stop, profit = row["stop-loss alone"], row["take-profit alone"]
    both = f"stop {stop}" if stop != "–" else f"profit {profit}" if profit != "–" else "–"
    for rule, sides in fixed_paths(row):
        Play(row | {"both": both}, rule, sides, "queue").check()


@pytest.mark.parametrize("row", TRAILING, ids=lambda row: row["#"])
def test_trailing_stop(row: Row) -> None:
    for rule, sides in paths(row):
        Play(row, rule, sides).check()


@pytest.mark.parametrize("row", LITTLE_VOLUME, ids=lambda row: row["#"])
def test_too_little_volume(row: Row) -> None:
    for rule, sides in paths(row):
        Play(row, rule, sides, units=3.0, later=99.0).check()


@pytest.mark.parametrize("schedule", ["phased", "queue"])
@pytest.mark.parametrize("row", ONE_BAR + OTHERS + TRAILING, ids=lambda row: f"{row['#']} {row['entry']}")
def test_every_event_agrees_with_the_oracle(row: Row, schedule: str) -> None:
    """What the rows do not say: when the exits were accepted, triggered and cancelled, and the account."""
    for rule, sides in fixed_paths(row):
        case = Play(row, rule, sides, schedule).case()
        assert not replay.differences(simulate(case), replay.replay(case))


def test_every_combination_is_there() -> None:
    """Each entry on both paths, and with each set of exits that its bar reaches."""
    for path in ("low", "high"):
        rows = [row for row in ONE_BAR if row["path"] == path]
        for entry in ("market", "limit 99", "stop 101"):
            own = [row for row in rows if row["entry"] == entry]
            reached = {(row["stop-loss alone"] != "–", row["take-profit alone"] != "–") for row in own}
            assert (False, False) in reached
            assert len(reached) == 4, (entry, path, reached)
    bars = [(row["entry"], row["bar"]) for row in ONE_BAR if row["path"] == "low"]
    assert bars == [(row["entry"], row["bar"]) for row in ONE_BAR if row["path"] == "high"]


# ------------------------------------------------------------------------------------------------- what a row stands for


def mirrored(side: int, price: float) -> float:
    return price if side > 0 else 200 - price


def bars_of(entry: Entry, row: Row, later: float | None) -> list[Bar]:
    """A bar at 100, that of the row, and where there is one the next."""
    open_, high, low, close = (mirrored(entry.side, float(price)) for price in row["bar"].split("-"))
    all_ = [(100.0,) * 4, (open_, max(high, low), min(high, low), close)]
    if later is not None:
        all_.append((mirrored(entry.side, later),) * 4)
    return [
        Bar(entry.symbol, EPOCH + n * HOUR, EPOCH + (n + 1) * HOUR, EPOCH + 24 * HOUR, *prices, volume=16.0)
        for n, prices in enumerate(all_)
    ]


def submit(entry: Entry, row: Row, units: float) -> Submit:
    words = [] if "market" in row["entry"] else row["entry"].split()
    level: dict[str, Any] = {
        kind: mirrored(entry.side, float(price)) for kind, price in zip(words[::2], words[1::2], strict=True)
    }
    if "trail" in level:
        level["trail"] = {"amount": float(words[1])}
    exits = {EXITS[name]: {"amount": 2.0} for name in CELLS[entry.cell]}
    return Submit("buy" if entry.side > 0 else "sell", entry.symbol, {"quantity": units, **level, **exits})


def fills(row: Row, entry: Entry, units: float) -> list[Fill]:
    """What the row says of the entry and of these exits."""
    numbers = {name: number for number, name in entry.roles.items()}
    found, written = list[Fill](), [] if row["entry fills"] == "–" else [("entry", row["entry fills"])]
    written += [("", part) for part in row[entry.cell].split(", ") if part != "–"]
    for given, part in written:
        match = FILL.fullmatch(part)
        assert match, part
        role = given or match[1] or CELLS[entry.cell][0]
        quantity = float(match[2] or units) * (entry.side if role == "entry" else -entry.side)
        bar = 2 if match[4] == "open" and role != "entry" else 1  # an exit at an open is on the next bar
        time = EPOCH + (bar + (match[4] != "open")) * HOUR
        found.append(Fill(numbers[role], time, match[4], quantity, mirrored(entry.side, float(match[3]))))
    return found


def ends(have: History, entry: Entry) -> dict[str, Event]:
    """The last event of each order; without its time where the order still lives."""
    last = {name: have.events[number][-1] for number, name in entry.roles.items()}
    return {
        name: event if event.to in ("filled", "cancelled") else event._replace(time=0) for name, event in last.items()
    }


def expected_ends(entry: Entry, filled: list[Fill], units: float) -> dict[str, Event]:
    """The entry is filled or waits. Once the position is closed, the exit that closed it is filled and the other cancelled."""
    by_order = {number: [fill for fill in filled if fill.order == number] for number in entry.roles}
    exited = [fill for fill in filled if entry.roles[fill.order] != "entry"]
    is_closed = sum(abs(fill.quantity) for fill in exited) == units
    found = {}
    for number, name in entry.roles.items():
        own = by_order[number]
        if name == "entry":
            end = Event(number, own[-1].time, "filled", "executed") if own else Event(number, 0, "accepted", "admitted")
        elif not filled:
            end = Event(number, 0, "pending", "admitted")
        elif is_closed and own and own[-1] is exited[-1]:
            end = Event(number, own[-1].time, "filled", "executed")
        elif is_closed:
            end = Event(number, exited[-1].time, "cancelled", "linked_order_filled")
        elif own:
            end = Event(number, 0, "partially_filled", "executed")
        else:  # it is reduced by what the other exit has filled
            end = Event(number, 0, "accepted", "linked_order_filled" if exited else "parent_filled")
        found[name] = end
    return found
