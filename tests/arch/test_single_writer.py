"""Who writes which table of the state: one owner each (ADR 1). OWNERS is the documentation, and it is exact."""

import ast
from collections import defaultdict
from typing import get_type_hints

import pytest

import source_tree as source
from ml4t.backtest import tables
from ml4t.backtest.tables import State
from state_stores import Store, across, stores

INPUT = {
    *(
        "bars",
        "finer",
        "conditions",
        "columns",
        "share",
        "exits",
        "timeline",
        "information",
        "streams",
        "instruments",
        "costs",
        "tiers",
        "names",
    ),
}

LEDGER = "cash positions held lots trades fills aftermath journal curve money"
ORDERS = "closed_orders closed_terms closed_progress places events following"

OWNERS: dict[str, str] = {
    **dict.fromkeys(LEDGER.split(), "kernel/ledger.py"),
    **dict.fromkeys(ORDERS.split(), "kernel/orders.py"),
    # A live order: the book, what it asks for and what became of it, and the groups.
    "orders": "kernel/orders.py kernel/terms.py",
    "terms": "kernel/orders.py kernel/terms.py kernel/group.py",
    "progress": "kernel/orders.py kernel/terms.py",
    "links": "kernel/orders.py kernel/group.py",
    "agenda": "kernel/match.py",
    "timers": "kernel/clock.py",
    "history": "kernel/step.py",
    "due": "kernel/step.py",
    "ticket": "kernel/exit.py",  # and the broker's desk, between calls
    "memories": "kernel/memory.py",
    "records": "kernel/decision.py",
    "needs": "kernel/room.py",
    "batch": "kernel/request.py kernel/admission.py",  # the new orders of a decision: appended, then sorted and emptied
    # What the matcher knows of a symbol. The mark has two sources: a close, and a fill.
    "market.close": "kernel/step.py",
    "market.previous_close": "kernel/step.py",
    "market.row": "kernel/step.py",
    "market.row_before": "kernel/step.py",
    "market.mark": "kernel/step.py kernel/ledger.py",
    "market.below": "kernel/orders.py",
    "market.above": "kernel/orders.py",
    "market.oldest": "kernel/orders.py",
    "market.turn": "kernel/orders.py",
    "market.emptied": "kernel/orders.py",
    "market.newest": "kernel/orders.py",
    "market.worst_is_high": "kernel/match.py",
    "market.allowance_row": "kernel/volume.py",
    "market.allowance": "kernel/volume.py",
    "market.pretended": "kernel/admission.py",
    # The counters belong to whoever writes what they count.
    **{
        f"clock.{n}": "kernel/step.py"
        for n in ("NOW", "NEXT", "CURRENT", "PHASE", "BAR_ENDED", "REVEALED", "INFORMED", "DUE")
    },
    **{
        f"clock.{n}": "kernel/ledger.py"
        for n in ("POINTS", "HELD", "LOTS", "FREE_LOT", "FILLS", "JOURNAL", "TRADES", "VALUED", "MONTH")
    },
    **{f"clock.{n}": "kernel/orders.py" for n in ("LIVE", "FREE_CELL", "IDS", "CLOSED", "EVENTS")},
    **{f"clock.{n}": "kernel/orders.py kernel/terms.py" for n in ("UNASSIGNED", "TRAILING", "COUNTED")},
    **{f"clock.{n}": "kernel/orders.py kernel/group.py" for n in ("LINKED", "FOLLOWING")},
    **{f"clock.{n}": "kernel/cost.py" for n in ("FAULT", "FAULT_ORDER", "FAULT_TIME")},
    "clock.MEMORIES": "kernel/memory.py",
    **{f"clock.{n}": "kernel/decision.py" for n in ("RECORDS", "AWAITS", "MISTAKE", "MISTAKE_NAME", "MISTAKE_SYMBOL")},
    "clock.SPILLED": "kernel/group.py kernel/match.py",
    **{f"clock.{n}": "kernel/orders.py" for n in ("FIRST_RANK", "LAST_RANK")},
    **{f"clock.{n}": "kernel/match.py" for n in ("PASSED", "PASS_END")},
    "clock.AGAIN": "kernel/match.py kernel/lot.py",
    "clock.BATCH": "kernel/request.py kernel/admission.py",
    "clock.TIMERS": "kernel/clock.py",
    "clock.OFFERS": "kernel/match.py",
    # Whoever appends says that the room is to be checked again.
    "clock.UNCHECKED": "kernel/room.py kernel/group.py kernel/ledger.py kernel/orders.py kernel/clock.py kernel/decision.py "
    "kernel/memory.py",
}

BEFORE_THE_RUN = "lower/state.py"  # the first values of everything

# Outside the kernel nothing else is written but these, before the run or between two calls of the kernel.
OUTSIDE_THE_KERNEL = {
    ("allocation.py", "grow", "*"),  # the same tables with more room ...
    ("allocation.py", "grow", "clock.*"),  # ... whose new cells are free
    ("allocation.py", "grow", "clock.MEMORIES"),  # ... or empty
    ("engine.py", "__init__", "rules.WARMUP"),  # rules that depend on the strategy
    ("engine.py", "__init__", "rules.WAKE_ON_BAR"),
    ("engine.py", "__init__", "rules.*"),  # the addresses of the user's models
    (
        "engine.py",
        "_lowered",
        "*",
    ),  # the tables of a run that is over, with what another configuration makes of the rows
    ("engine.py", "_start", "needs"),  # room for the schedules of on_start
    ("engine.py", "_start", "due"),
    ("compilation/strategy.py", "bound", "names"),  # what the names in the strategy's code stand for
    ("compilation/strategy.py", "bound", "exits"),  # its own exits
    ("compilation/strategy.py", "drive", "rules.DECISION_ROOM"),
    ("trial.py", "stop", "clock.MISTAKE"),  # from another thread: an interrupt ends the run
    ("market_data.py", "_remembered", "needs"),  # room for what an indicator remembers
    ("desk.py", "_write", "ticket"),  # rare terms, as arguments of the next request
}


def owner_of(target: str) -> set[str]:
    """The files that may store there, by the table's column or the whole table."""
    return set(OWNERS.get(target, OWNERS.get(target.partition(".")[0], "")).split())


def violations(file: str, found: list[Store]) -> list[str]:
    """One line for each store of a kernel file into what it does not own."""
    return [
        f"{file}:{store.line} {store.function} stores into {store.target} of {owner_of(store.target) or 'nobody'}"
        for store in found
        if file not in owner_of(store.target)
    ]


@pytest.fixture(scope="module")
def found() -> dict[str, list[Store]]:
    return dict(zip(map(source.name, source.files()), across(map(source.tree, source.files())), strict=True))


def test_every_table_has_one_writer(found: dict[str, list[Store]]) -> None:
    kernel = {file: at for file, at in found.items() if file.startswith("kernel/")}
    assert [line for file, at in kernel.items() for line in violations(file, at)] == []


def test_nothing_outside_the_kernel_writes(found: dict[str, list[Store]]) -> None:
    outside = {file: at for file, at in found.items() if not file.startswith("kernel/") and file != BEFORE_THE_RUN}
    assert {(file, store.function, store.target) for file, at in outside.items() for store in at} == OUTSIDE_THE_KERNEL


def test_every_owner_writes(found: dict[str, list[Store]]) -> None:
    """An owner that writes nothing would be a right that nobody needs; it would also mean that the search is blind."""
    written: dict[str, set[str]] = defaultdict(set)
    for file, at in found.items():
        for store in at:
            for target in (store.target, store.target.split(".")[0]):
                written[target].add(file)
    assert [
        (target, sorted(owner_of(target) - written[target])) for target in OWNERS if owner_of(target) - written[target]
    ] == []


def test_every_column_is_written(found: dict[str, list[Store]]) -> None:
    """A column that nobody writes is fixed before the run, or dead; `basis` waits for futures."""
    written = {store.target for file, at in found.items() for store in at if file != BEFORE_THE_RUN}
    hints = get_type_hints(State)
    columns = {
        f"{table}.{column}"
        for table in State._fields
        if table not in INPUT
        for column in getattr(hints[table], "_fields", ())
    }
    unwritten = {"positions.basis", "positions.symbol", "history.source", "history.begin"}
    assert columns - written == unwritten


def test_every_table_and_counter_has_an_owner() -> None:
    owned = {target.split(".")[0] for target in OWNERS}
    assert owned | INPUT | {"rules"} == set(State._fields)
    market = {target.split(".")[1] for target in OWNERS if target.startswith("market.")}
    assert market == set(tables.Market._fields)
    counters = {target.split(".")[1] for target in OWNERS if target.startswith("clock.")}
    assert len(counters) == tables.CLOCK_SIZE
    assert len({getattr(tables, counter) for counter in counters}) == tables.CLOCK_SIZE


SEEDED = {
    "an item": ("state.cash[0] = 1.0", {"cash"}),
    "augmented": ("state.positions.quantity[i] += 1.0", {"positions.quantity"}),
    "an alias": ("p = state.positions\n    p.quantity[i] = 0.0", {"positions.quantity"}),
    "an alias of a column": ("q = state.orders.side\n    q[i] = 1", {"orders.side"}),
    "aliases in a tuple": (
        "a, b = state.orders, state.terms\n    b.limit[i] = 1.0\n    a.state[i] = 2",
        {"terms.limit", "orders.state"},
    ),
    "a choice": (
        "t = state.lots if i else state.trades\n    t.quantity[i] = 1.0",
        {"lots.quantity", "trades.quantity"},
    ),
    "a loop over tables": (
        "for t in (state.fills, state.journal):\n        t.time[i] = 0",
        {"fills.time", "journal.time"},
    ),
    "a slice": ("q = state.cash[1:]\n    q[0] = 1.0", {"cash"}),
    "a view": ("m = memoryview(state.positions.realized)\n    m[0] = 1.0", {"positions.realized"}),
    "swapped": ("c = state.cash\n    c[0], c[1] = c[1], c[0]", {"cash"}),
    "a counter": ("clock = state.clock\n    clock[LIVE] -= 1", {"clock.LIVE"}),
    "a method": ("state.curve.cash.fill(0.0)", {"curve.cash"}),
    "a function": ("np.copyto(state.places, 0)", {"places"}),
    "an output": ("np.add(a, b, out=state.cash)", {"cash"}),
    "a table replaced": ("handle.replace(state._replace(cash=c))", {"cash"}),
    "by name": ("getattr(state, 'cash')[0] = 1.0", {"*"}),
    "an attribute of a handle": ("self._handle.state.orders.id[i] = 1", {"orders.id"}),
    "through the entry": ("borrow(key).events.time[i] = 0", {"events.time"}),
    "a walrus": ("(t := state.terms).stop[i] = 1.0", {"terms.stop"}),
    "an inner function": ("def g():\n        state.cash[0] = 1.0\n    g()", {"cash"}),
    "nothing": ("x = state.cash[0]\n    x += 1.0\n    local = [0]\n    local[0] = state.orders.state[i]", set()),
}


@pytest.mark.parametrize("form", SEEDED)
def test_the_search_sees_every_form(form: str) -> None:
    body, targets = SEEDED[form]
    seen = stores(ast.parse(f"def f(state, i):\n    {body}\n"))
    assert {store.target for store in seen} == targets
    assert len(violations("kernel/trigger.py", seen)) == len(seen)


def test_the_search_follows_arguments() -> None:
    """A function that stores into its parameter is as good as a store where it is called, also from another file."""
    helper = ast.parse("def raise_to(column, i, x):\n    column[i] = x\n\ndef twice(c, i):\n    raise_to(c, i, 2.0)\n")
    caller = ast.parse(
        "def f(state, i):\n    twice(state.positions.quantity, i)\n    p = state.terms\n    raise_to(p.limit, i, 0.0)\n"
    )
    nothing, both = across([helper, caller])
    assert nothing == []
    assert [store.target for store in both] == ["positions.quantity", "terms.limit"]


@pytest.mark.parametrize(("parameter", "targets"), [("timers", ["timers.time"]), ("timers: Timers", ["timers.time"])])
def test_the_search_knows_tables_by_the_name_of_a_parameter(parameter: str, targets: list[str]) -> None:
    assert [
        store.target for store in stores(ast.parse(f"def swap({parameter}, i):\n    timers.time[i] = 0\n"))
    ] == targets


def test_other_things_may_have_the_name_of_a_table() -> None:
    assert stores(ast.parse("def f(orders: pl.DataFrame, i):\n    orders[i] = 0\n")) == []
