"""The decision table: the engine agrees with the oracle on its rows, and both agree with the rows derived by hand.

A part of the table drawn by seed runs by default; `-m slow` runs every row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import product

import pytest

import page
import replay
from cases import DAY, EPOCH, HOUR
from decision_table import (
    LAYOUTS,
    MARKETS,
    PATHS,
    QUANTITY,
    TOUCHES,
    VARIANTS,
    VOLUMES,
    Row,
    Rules,
    case,
    drawn,
    table,
)
from history import Event, Fill, History, history, of_outcome, of_result
from oracle import simulate

SEED = 2024
ROWS = list(table())
PART = drawn(ROWS, 2000, SEED + 1)
BATCH = 16  # rows of one run, each with a symbol of its own: the oracle compares all of them in every round

PAGE = page.ROOT / "docs" / "semantics" / "decision-table.md"
BY_HAND = page.tables(PAGE)["Derived by hand"]
DRAWN = drawn(ROWS, len(BY_HAND), SEED)


def batches(rows: list[Row]) -> list[list[Row]]:
    """Rows of the same rules, a few at a time."""
    by_rules: dict[Rules, list[Row]] = defaultdict(list)
    for row in rows:
        by_rules[row.rules].append(row)
    return [group[n : n + BATCH] for group in by_rules.values() for n in range(0, len(group), BATCH)]


def disagreements(rows: list[Row]) -> list[str]:
    """What the engine does otherwise, row by row where a batch shows anything."""
    lines = list[str]()
    for batch in batches(rows):
        together = case(batch)
        outcome = simulate(together)
        assert outcome.close_calls == 0  # the grid is exact: float64 must decide as Decimal does
        if not replay.differences(outcome, replay.replay(together)):
            continue
        before = len(lines)
        for row in batch:
            alone = case([row])
            found = replay.differences(simulate(alone), replay.replay(alone))
            if found:
                lines += [f"{row.order()} | {row.rules} | {row.rules.layout} | {row.bars()[1:]}", *found[:8]]
        assert len(lines) > before, f"only together: {[row.order() for row in batch]}"
    return lines


# ------------------------------------------------------------------------------------------- the engine and the oracle


@pytest.mark.parametrize("path", PATHS)
def test_a_part_agrees_with_the_oracle(path: str) -> None:
    found = disagreements([row for row in PART if row.rules.path == path])
    assert not found, "\n".join(found[:40])


@pytest.mark.slow
@pytest.mark.parametrize(("path", "market", "touch", "volume"), [*product(PATHS, MARKETS, TOUCHES, VOLUMES)])
def test_every_row_agrees_with_the_oracle(path: str, market: str, touch: str, volume: str) -> None:
    rules = {Rules(path, market, touch, volume, layout) for layout in LAYOUTS}
    found = disagreements([row for row in ROWS if row.rules in rules])
    assert not found, "\n".join(found[:40])


def test_the_part_has_every_combination_that_matters() -> None:
    """Each type with each of its times in force, meetings, variants, sides and wicks; and every set of rules."""
    assert len(ROWS) == len(set(ROWS))
    assert f"{len(ROWS):,}" in PAGE.read_text()
    for name in ("tif", "meeting", "variant", "side", "wick"):
        pairs = {(row.type, getattr(row, name)) for row in ROWS}
        assert pairs == {(row.type, getattr(row, name)) for row in PART}, name
    assert {row.rules for row in PART} == {row.rules for row in ROWS}


def test_the_part_fills_everywhere() -> None:
    """What the oracle says of the part: every type is filled wherever it can be: in full, in part, and not at all."""
    seen = defaultdict(set)
    for batch in batches(PART):
        outcome = simulate(case(batch))
        for order in outcome.orders:
            seen[order.type].add("all" if order.filled == QUANTITY else "part" if order.filled else "none")
        for fill in outcome.fills:
            seen[fill.order_type].add(fill.segment)
    legs, close = {"first_leg", "second_leg"}, {"close"}
    for order_type in VARIANTS:
        own = {"market": close, "limit": legs | close, "stop_limit": legs | {"third_leg"}}.get(order_type, legs)
        assert seen[order_type] >= {"all", "part", "none", "open"} | own, order_type


# --------------------------------------------------------------------------------------------------- derived by hand


def test_the_rows_are_those_that_the_seed_draws() -> None:
    assert len(BY_HAND) == 100
    for number, (written, row) in enumerate(zip(BY_HAND, DRAWN, strict=True), 1):
        bars = ", ".join("-".join(f"{price:g}" for price in prices) for prices in row.bars()[1:])
        cells = [str(number), row.order(), str(row.rules), row.rules.layout, bars]
        assert list(written.values())[:5] == cells
        assert len(written["because"]) > 20


@pytest.mark.parametrize("number", range(1, len(BY_HAND) + 1))
def test_the_oracle_comes_to_what_is_derived_by_hand(number: int) -> None:
    assert_same(expected(number), of_outcome(simulate(case([DRAWN[number - 1]]))))


@pytest.mark.parametrize("number", range(1, len(BY_HAND) + 1))
def test_the_engine_comes_to_what_is_derived_by_hand(number: int) -> None:
    assert_same(expected(number), of_result(replay.replay(case([DRAWN[number - 1]]))))


def assert_same(want: History, have: History) -> None:
    assert have.events == want.events
    assert have.fills == want.fills
    assert have.cash == pytest.approx(want.cash, rel=1e-12)


FILL = re.compile(r"(?P<at>[oc]\d) (?P<segment>\w+) (?P<quantity>\d) at (?P<price>[\d.]+)")
EVENT = re.compile(r"(?P<at>[ocd]\d) (?P<to>triggered|expired)(?: (?P<reason>\w+))?")


def expected(number: int) -> History:
    """A row of the page as events, fills and cash."""
    row, written = DRAWN[number - 1], BY_HAND[number - 1]
    hours = LAYOUTS[row.rules.layout]
    events, fills = [Event(1, time("c0", hours), "accepted", "admitted")], list[Fill]()
    for part in written["what happens"].split("; "):
        if match := FILL.fullmatch(part):
            at, quantity = time(match["at"], hours), float(match["quantity"])
            fills.append(Fill(1, at, match["segment"], row.side * quantity, float(match["price"])))
            is_all = abs(sum(fill.quantity for fill in fills)) == QUANTITY
            events.append(Event(1, at, "filled" if is_all else "partially_filled", "executed"))
        elif match := EVENT.fullmatch(part):
            events.append(Event(1, time(match["at"], hours), match["to"], match["reason"] or "stop_reached"))
        else:
            assert part == "", f"row {number}: {part!r}"
    return history(events, fills, float(written["cash"]))


def time(at: str, hours: tuple[int, ...]) -> int:
    """o1: the start of bar 1; c1: its end; d1: the close of its session."""
    hour = hours[int(at[1:])]
    if at[0] == "d":
        return EPOCH + (hour // 24 + 1) * DAY
    return EPOCH + (hour + (at[0] == "c")) * HOUR
