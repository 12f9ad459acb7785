"""The state before the first instant."""

from typing import Any

import numpy as np

from ml4t.backtest._jit import arrays_of
from ml4t.backtest.allocation import APPENDED, allocate, frozen, link_free
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.inputs import Names
from ml4t.backtest.lower.column import named_columns
from ml4t.backtest.lower.condition import conditions_of
from ml4t.backtest.lower.cost import costs_of
from ml4t.backtest.lower.instrument import instruments_of
from ml4t.backtest.lower.row import Rows
from ml4t.backtest.lower.rule import money_of, rules_of, shares_of
from ml4t.backtest.pages import zeros
from ml4t.backtest.tables import (
    CLOCK_SIZE,
    COLUMNS_SIZE,
    CURRENT,
    DECIDED,
    EXITS_SIZE,
    FREE_CELL,
    FREE_LOT,
    GROWABLE,
    KEEP_HISTORY,
    MONEY_SIZE,
    MONTH,
    NONE,
    NOW,
    OWN_HISTORY,
    PHASE,
    RULES_SIZE,
    SHARED_HISTORY,
    SHARES_SIZE,
    TICKET_SIZE,
    UNCHECKED,
    UNSET,
    Aftermath,
    Agenda,
    ClosedProgress,
    ClosedTerms,
    Curve,
    Events,
    Fills,
    History,
    Journal,
    Links,
    Lots,
    Market,
    Memories,
    Orders,
    Positions,
    Progress,
    Records,
    State,
    Terms,
    Timers,
    Trades,
)

MEMORY_CELLS = 64  # a power of two


def order_room(config: BacktestConfig, symbols: int) -> int:
    """Room for orders that is reserved before a run; it grows on demand."""
    return config.orders.reserve or 64 + 4 * symbols


def lower(config: BacktestConfig, rows: Rows, *, history: int = OWN_HISTORY) -> State:
    """The state before the first instant. Without history the strategy sees no rows.

    Raises:
        ConfigError: an entry for a symbol without bars, or a rule whose column the bars do not have.

    """
    symbols = len(rows.symbols)
    room = order_room(config, symbols)
    state = State(
        clock=np.zeros(CLOCK_SIZE, np.int64),
        rules=np.zeros(RULES_SIZE, np.int64),
        money=np.zeros(MONEY_SIZE),
        cash=np.zeros(1),
        needs=np.zeros(len(GROWABLE), np.int64),
        ticket=np.zeros(TICKET_SIZE),
        exits=np.zeros(EXITS_SIZE),
        columns=np.zeros(COLUMNS_SIZE, np.int64),
        share=np.zeros(SHARES_SIZE),
        **terms_of(config, rows),
        bars=rows.bars,
        finer=rows.finer,
        timeline=rows.timeline,
        information=rows.information,
        streams=rows.streams,
        history=_history(rows, history),
        positions=allocate(Positions, symbols),
        held=np.zeros(symbols, np.int64),
        lots=allocate(Lots, room),
        trades=allocate(Trades, room),
        fills=allocate(Fills, room),
        aftermath=allocate(Aftermath, room),
        journal=allocate(Journal, room),
        curve=allocate(Curve, rows.points),
        orders=allocate(Orders, room),
        terms=allocate(Terms, room),
        progress=allocate(Progress, room),
        links=allocate(Links, room),
        closed_orders=allocate(Orders, room),
        closed_terms=allocate(ClosedTerms, room),
        closed_progress=allocate(ClosedProgress, room),
        places=np.zeros(room, np.int64),
        batch=np.zeros(room, np.int64),
        following=np.zeros(room, np.int64),
        events=allocate(Events, room),
        market=allocate(Market, symbols),
        agenda=allocate(Agenda, symbols),
        timers=allocate(Timers, room),
        due=np.zeros(1, np.int64),
        names=frozen(Names, digest=[0], kind=[0], number=[0]),
        memories=allocate(Memories, MEMORY_CELLS),
        records=allocate(Records, 1),
    )
    _begin(state, config, rows, history)
    return state


def lower_again(state: State, config: BacktestConfig, rows: Rows) -> None:
    """A state whose run is over is the state before the first instant of another one: what its tables held is gone."""
    history = int(state.rules[KEEP_HISTORY])
    kept = {id(array) for array in (*state.curve, state.history.value)}  # never read where nothing was written
    for place, count in APPENDED.items():  # most of their room was never written to
        written = int(state.clock[count])
        for array in arrays_of(tuple(getattr(state, name) for name in GROWABLE[place])):
            array[:written] = 0
            kept.add(id(array))
    for array in arrays_of(state):
        if array.flags.writeable and id(array) not in kept:
            array.fill(0)
    if history == OWN_HISTORY:
        state.history.value.fill(0.0)
    _begin(state, config, rows, history)


def terms_of(config: BacktestConfig, rows: Rows) -> dict[str, Any]:
    """What the rules of a run make of the rows, as read-only arrays."""
    bars = rows.given[0]
    costs, tiers = costs_of(config, rows.symbols)
    return {
        "conditions": conditions_of(config, bars),
        "instruments": instruments_of(config, rows.symbols, rows.final),
        "costs": costs,
        "tiers": tiers,
    }


def _history(rows: Rows, history: int) -> History:
    own = zeros(rows.history_size if history == OWN_HISTORY else 0, np.float64)
    return History(
        source=rows.source,
        value=rows.history if history == SHARED_HISTORY else own,
        begin=rows.begin,
        known=np.zeros(len(rows.begin), np.int64),
        latest=np.zeros(len(rows.given[0].columns) * len(rows.symbols)),
    )


def _begin(state: State, config: BacktestConfig, rows: Rows, history: int) -> None:
    """What does not start at zero has its first value."""
    clock = state.clock
    clock[NOW] = rows.first_instant
    clock[PHASE] = DECIDED  # what on_start asked for is admitted first
    clock[UNCHECKED] = 1
    clock[CURRENT] = clock[FREE_CELL] = clock[FREE_LOT] = NONE
    clock[MONTH] = UNSET  # months before 1970 are below 0
    link_free(clock, FREE_CELL, state.links.after, 0)
    link_free(clock, FREE_LOT, state.lots.next, 0)
    state.rules[:] = rules_of(config)
    state.rules[KEEP_HISTORY] = history
    state.money[:] = money_of(config)
    state.cash[:] = config.account.cash
    state.columns[:] = named_columns(config, rows.given[0])
    state.share[:] = shares_of(config)
    state.history.known[:] = rows.begin
    state.history.latest[:] = np.nan
    _begin_symbols(state)


def _begin_symbols(state: State) -> None:
    positions, market, agenda = state.positions, state.market, state.agenda
    positions.symbol[:] = np.arange(len(positions.symbol))
    for prices in (market.mark, market.close, market.previous_close):
        prices[:] = np.nan
    market.below[:] = -np.inf
    market.above[:] = np.inf
    for column in (
        *(positions.held_at, positions.oldest_lot, positions.newest_lot),
        *(market.row, market.row_before, market.oldest, market.newest, market.emptied, market.allowance_row),
        *(agenda.place, agenda.cell),
    ):
        column[:] = NONE
