"""The state before the first instant."""

from collections.abc import Sequence

import numpy as np

from ml4t.backtest.allocation import allocate, frozen, link_free
from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.feed import FinerStream, Stream
from ml4t.backtest.inputs import Names
from ml4t.backtest.lower.column import named_columns
from ml4t.backtest.lower.condition import conditions_of
from ml4t.backtest.lower.cost import costs_of
from ml4t.backtest.lower.execution import execution_bars, finer_bars, instants_of
from ml4t.backtest.lower.history import history_of, information_of, streams_of
from ml4t.backtest.lower.instrument import instruments_of
from ml4t.backtest.lower.rule import money_of, rules_of, shares_of
from ml4t.backtest.tables import (
    CLOCK_SIZE,
    CURRENT,
    DECIDED,
    FREE_CELL,
    FREE_LOT,
    GROWABLE,
    NONE,
    NOW,
    PHASE,
    TICKET_SIZE,
    UNCHECKED,
    Aftermath,
    Agenda,
    Curve,
    Events,
    Fills,
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


def lower(
    config: BacktestConfig,
    bars: Stream,
    streams: Sequence[Stream] = (),
    *,
    signals: int | None = None,
    finer: FinerStream | None = None,
    keep_history: bool = True,
) -> State:
    """The state before the first instant.

    `signals` is the place in `streams` of the stream whose rows are decisions. Without history the strategy sees no rows.

    Raises:
        ConfigError: an entry for a symbol without bars, or a rule whose column the bars do not have.

    """
    n, symbols = len(bars.end), len(bars.symbols)
    room = order_room(config, symbols)
    information = information_of(bars, streams, int(bars.end[-1]) if n else 0)
    costs, tiers = costs_of(config, bars.symbols)
    clock = np.zeros(CLOCK_SIZE, np.int64)
    clock[NOW] = bars.start.min()
    clock[CURRENT] = NONE
    clock[PHASE] = DECIDED  # what on_start asked for is admitted first
    clock[UNCHECKED] = 1
    clock[FREE_CELL] = clock[FREE_LOT] = NONE
    timeline = instants_of(bars, np.maximum(information.arrival, clock[NOW]))  # time starts with the first bar
    state = State(
        clock=clock,
        rules=rules_of(config, keep_history),
        money=money_of(config),
        cash=np.array([config.account.cash]),
        needs=np.zeros(len(GROWABLE), np.int64),
        ticket=np.zeros(TICKET_SIZE),
        columns=named_columns(config, bars),
        share=shares_of(config),
        bars=execution_bars(bars),
        finer=finer_bars(bars, finer),
        conditions=conditions_of(config, bars),
        timeline=timeline,
        information=information,
        streams=streams_of(bars, streams, signals),
        history=history_of(bars, streams, keep_history),
        instruments=instruments_of(config, bars),
        costs=costs,
        tiers=tiers,
        positions=_positions(symbols),
        held=np.zeros(symbols, np.int64),
        lots=allocate(Lots, room),
        trades=allocate(Trades, room),
        fills=allocate(Fills, room),
        aftermath=allocate(Aftermath, room),
        journal=allocate(Journal, room),
        curve=allocate(Curve, int(np.count_nonzero(np.diff(timeline.end_first)))),
        orders=allocate(Orders, room),
        terms=allocate(Terms, room),
        progress=allocate(Progress, room),
        links=allocate(Links, room),
        closed_orders=allocate(Orders, room),
        closed_terms=allocate(Terms, room),
        closed_progress=allocate(Progress, room),
        places=np.zeros(room, np.int64),
        batch=np.zeros(room, np.int64),
        following=np.zeros(room, np.int64),
        events=allocate(Events, room),
        market=_market(symbols),
        agenda=_agenda(symbols),
        timers=allocate(Timers, room),
        due=np.zeros(1, np.int64),
        names=frozen(Names, digest=[0], kind=[0], number=[0]),
        memories=allocate(Memories, MEMORY_CELLS),
        records=allocate(Records, 1),
    )
    link_free(clock, FREE_CELL, state.links.after, 0)
    link_free(clock, FREE_LOT, state.lots.next, 0)
    return state


def _positions(symbols: int) -> Positions:
    positions = allocate(Positions, symbols)
    positions.symbol[:] = np.arange(symbols)
    for column in (positions.held_at, positions.oldest_lot, positions.newest_lot):
        column[:] = NONE
    return positions


def _market(symbols: int) -> Market:
    market = allocate(Market, symbols)
    for prices in (market.mark, market.close, market.previous_close):
        prices[:] = np.nan
    for column in (market.row, market.row_before, market.oldest, market.newest, market.allowance_row):
        column[:] = NONE
    market.below[:] = -np.inf
    market.above[:] = np.inf
    return market


def _agenda(symbols: int) -> Agenda:
    agenda = allocate(Agenda, symbols)
    agenda.place[:] = NONE
    agenda.cell[:] = NONE
    return agenda
