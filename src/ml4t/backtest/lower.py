"""Descriptions become arrays and rule codes: config and streams in, the kernel's state out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.errors import ConfigError, nearest
from ml4t.backtest.feed import Stream
from ml4t.backtest.kernel.entry import entry_point
from ml4t.backtest.tables import (
    ACCOUNT,
    ADMISSION,
    BATCH_ORDER,
    CLOCK_SIZE,
    CURRENT,
    DECIDED,
    END_OF_DATA,
    END_OF_RUN,
    FREE_CELL,
    FREE_LOT,
    GROWABLE,
    INITIAL_CASH,
    KEEP_HISTORY,
    MARGIN_RATE,
    MARKET_FILL,
    MONEY_SIZE,
    NONE,
    NOW,
    PATH,
    PHASE,
    RULES_SIZE,
    SCHEDULE,
    SHORTFALL,
    UNCHECKED,
    VALUATION,
    Aftermath,
    Agenda,
    Bars,
    Costs,
    Curve,
    Events,
    Fills,
    History,
    Information,
    Instruments,
    Journal,
    Links,
    Lots,
    Market,
    Orders,
    Positions,
    Progress,
    State,
    Streams,
    Terms,
    Tiers,
    Timeline,
    Timers,
    Trades,
    allocate,
    freeze,
    frozen,
    link_free,
)

PRICES = ("open", "high", "low", "close", "volume")
I8 = NDArray[np.int64]


def order_room(config: BacktestConfig, symbols: int) -> int:
    """Room for orders that is reserved before a run; it grows on demand."""
    return config.orders.reserve or 64 + 4 * symbols


def lower(
    config: BacktestConfig,
    bars: Stream,
    streams: Sequence[Stream] = (),
    *,
    signals: int | None = None,
    keep_history: bool = True,
) -> State:
    """The state before the first instant.

    `signals` is the place in `streams` of the stream whose rows are decisions. Without history the strategy sees no rows.
    """
    n, symbols = len(bars.end), len(bars.symbols)
    room = order_room(config, symbols)
    last = int(bars.end[-1]) if n else 0
    information, arrivals = _information(bars, streams, last)
    costs, tiers = _costs(config, bars.symbols)
    clock = np.zeros(CLOCK_SIZE, np.int64)
    clock[NOW] = bars.start.min()
    clock[CURRENT] = NONE
    clock[PHASE] = DECIDED  # what on_start asked for is admitted first
    clock[UNCHECKED] = 1
    clock[FREE_CELL] = clock[FREE_LOT] = NONE
    timeline = _timeline(bars, np.maximum(arrivals, clock[NOW]))  # time starts with the first bar
    state = State(
        clock=clock,
        rules=_rules(config, keep_history),
        money=_money(config),
        cash=np.array([config.account.cash]),
        needs=np.zeros(len(GROWABLE), np.int64),
        bars=frozen(
            Bars,
            symbol=bars.symbol,
            start=bars.start,
            end=bars.end,
            session_close=bars.session_close,
            **{p: bars.columns[p] for p in PRICES},
        ),
        timeline=timeline,
        information=information,
        streams=_streams(bars, streams, signals),
        history=_history(bars, streams, keep_history),
        instruments=_instruments(config, bars),
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
        events=allocate(Events, room),
        market=_market(symbols),
        agenda=_agenda(symbols),
        timers=allocate(Timers, room),
        due=np.zeros(1, np.int64),
    )
    link_free(clock, FREE_CELL, state.links.after, 0)
    link_free(clock, FREE_LOT, state.lots.next, 0)
    return state


def _rules(config: BacktestConfig, keep_history: bool) -> I8:
    rules = np.zeros(RULES_SIZE, np.int64)
    rules[MARKET_FILL] = config.fills.market
    rules[PATH] = config.fills.path
    rules[SCHEDULE] = config.fills.schedule
    rules[ACCOUNT] = config.account.rule
    rules[SHORTFALL] = config.account.shortfall
    rules[ADMISSION] = config.orders.admission
    rules[BATCH_ORDER] = config.orders.batch_order
    rules[VALUATION] = config.orders.valuation
    rules[END_OF_DATA] = config.end.symbol
    rules[END_OF_RUN] = config.end.run
    rules[KEEP_HISTORY] = keep_history
    return rules


def _money(config: BacktestConfig) -> NDArray[np.float64]:
    money = np.zeros(MONEY_SIZE)
    money[INITIAL_CASH] = config.account.cash
    money[MARGIN_RATE] = config.account.initial_margin_rate
    return money


def _timeline(bars: Stream, arrivals: I8) -> Timeline:
    n, instants = len(bars.end), 2 * len(bars.end) + len(arrivals)
    order = np.arange(n) if len(bars.symbols) == 1 else np.lexsort((bars.symbol, bars.start))
    starts = bars.start if len(bars.symbols) == 1 else bars.start[order]
    time, offsets = np.empty(instants, np.int64), [np.empty(instants + 1, np.int32) for _ in range(3)]
    count = entry_point("merge")(bars.end, starts, arrivals, time, *offsets)
    end_first, start_first, information_first = (offset[: count + 1] for offset in offsets)
    return frozen(
        Timeline,
        time=time[:count],
        end_first=end_first,
        start_first=start_first,
        start_row=order,
        information_first=information_first,
    )


def series_of(stream: Stream, number: int, symbols: int) -> NDArray[np.int64]:
    """The series of each row: one a symbol, and in information streams one more for rows that concern no symbol."""
    if number == 0:
        return stream.symbol.astype(np.int64)
    return symbols + (number - 1) * (symbols + 1) + np.where(stream.symbol < 0, symbols, stream.symbol)


def _information(bars: Stream, streams: Sequence[Stream], last: int) -> tuple[Information, I8]:
    """The rows of all streams that arrive before the run ends, in order of arrival, and their arrivals."""
    symbols = len(bars.symbols)
    stream = np.concatenate(
        [np.full(len(s.end), i, np.int64) for i, s in enumerate(streams, 1)] or [np.zeros(0, np.int64)]
    )
    row = np.concatenate([np.arange(len(s.end)) for s in streams] or [np.zeros(0, np.int64)])
    series = np.concatenate([series_of(s, i, symbols) for i, s in enumerate(streams, 1)] or [np.zeros(0, np.int64)])
    arrival = np.concatenate([s.end for s in streams] or [np.zeros(0, np.int64)])
    order = np.lexsort((row, stream, arrival))
    order = order[arrival[order] <= last]
    return frozen(Information, stream=stream[order], row=row[order], series=series[order]), arrival[order]


def _streams(bars: Stream, streams: Sequence[Stream], signals: int | None) -> Streams:
    columns = [len(bars.columns) - len(PRICES), *(len(s.columns) for s in streams)]
    rows = [len(bars.end), *(len(s.end) for s in streams)]
    stored = [len(bars.columns), *columns[1:]]
    sizes = np.multiply(columns, rows)
    values = np.multiply(stored, rows)
    return frozen(
        Streams,
        columns=columns,
        rows=rows,
        source_first=np.cumsum(sizes) - sizes,
        value_first=np.cumsum(values) - values,
        wakes=[signals is not None and i == signals + 1 for i in range(len(rows))],
    )


def _history(bars: Stream, streams: Sequence[Stream], keep_history: bool) -> History:
    extra = [values for name, values in bars.columns.items() if name not in PRICES]
    source = [*extra, *(values for s in streams for values in s.columns.values())]
    begin = []
    for number, stream in enumerate((bars, *streams)):
        count = len(bars.symbols) + (number > 0)
        first = 0 if number == 0 else len(bars.symbols) + (number - 1) * count
        rows = np.bincount(series_of(stream, number, len(bars.symbols)) - first, minlength=count)
        begin.append(np.cumsum(rows) - rows)
    size = sum(len(s.columns) * len(s.end) for s in (bars, *streams)) if keep_history else 0
    starts = np.concatenate(begin)
    return History(
        source=freeze(np.concatenate(source) if source else np.zeros(0), "f8"),
        value=np.zeros(size),
        begin=freeze(starts, "i8"),
        known=starts.astype(np.int64),
        latest=np.full(len(bars.columns) * len(bars.symbols), np.nan),
    )


def _known(section: str, named: Sequence[str], symbols: Sequence[str]) -> None:
    for symbol in named:
        if symbol not in symbols:
            raise ConfigError(
                f"{section}.{symbol}: no bars of this symbol.{nearest(symbol, symbols)} Remove the entry or give its bars."
            )


def _instruments(config: BacktestConfig, bars: Stream) -> Instruments:
    _known("instruments.symbols", list(config.instruments.symbols), bars.symbols)
    instruments = [config.instrument_of(symbol) for symbol in bars.symbols]
    final = np.zeros(len(instruments), np.int64)
    final[bars.symbol] = np.arange(len(bars.symbol))
    return frozen(
        Instruments,
        lot_size=[i.lot_size for i in instruments],
        tick_size=[i.tick_size for i in instruments],
        multiplier=[i.multiplier for i in instruments],
        currency=np.zeros(len(instruments)),
        final_row=final,
    )


def _costs(config: BacktestConfig, symbols: Sequence[str]) -> tuple[Costs, Tiers]:
    _known("costs.symbols", list(config.costs.symbols), symbols)
    models = [config.costs_of(symbol) for symbol in symbols]
    commissions = [commission.terms() for commission, _ in models]
    slippages = [slippage.terms() for _, slippage in models]
    tiers = [tier for terms in commissions for tier in terms.tiers]
    costs = frozen(
        Costs,
        fixed=[c.fixed for c in commissions],
        per_unit=[c.per_unit for c in commissions],
        minimum=[c.minimum for c in commissions],
        cap_rate=[c.cap_rate for c in commissions],
        tier_first=np.cumsum([0, *(len(c.tiers) for c in commissions)]),
        slippage_rate=[s.rate for s in slippages],
        slippage_amount=[s.amount for s in slippages],
        slippage_ticks=[s.ticks for s in slippages],
    )
    return costs, frozen(Tiers, up_to=[up_to for up_to, _ in tiers], rate=[rate for _, rate in tiers])


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
    for column in (market.row, market.oldest, market.newest):
        column[:] = NONE
    market.below[:] = -np.inf
    market.above[:] = np.inf
    return market


def _agenda(symbols: int) -> Agenda:
    agenda = allocate(Agenda, symbols)
    agenda.place[:] = NONE
    agenda.cell[:] = NONE
    return agenda
