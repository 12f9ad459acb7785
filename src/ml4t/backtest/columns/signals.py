"""Entries and exits from columns."""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np

from ml4t.backtest.columns.driver import BARS
from ml4t.backtest.columns.size import Sized
from ml4t.backtest.enums import (
    Accumulation,
    Conflict,
    Reentry,
    Reversal,
    SideConflict,
    Size,
)
from ml4t.backtest.errors import StrategyError

LONG_ENTRY, LONG_EXIT, SHORT_ENTRY, SHORT_EXIT = range(4)
FLAGS = ("entries", "exits", "short_entries", "short_exits")
LEVELS = ("size", "stop_loss", "take_profit", "trail")
SIZE, STOP_LOSS, TAKE_PROFIT, TRAIL = range(4)
UNSEEN = -1
EXITS = 4  # orders that one entry may bring with it
# what becomes of a position
STAY, EXIT, CLOSE = range(3)


class Signals(Sized):
    """Orders where columns say so: a symbol is decided when one of its bars ends, its orders are market orders.

    - entries, exits, short_entries, short_exits: 0, NaN and false are no, all else yes. A signal counts at the first bar of its symbol that
      ends when it is known; of several since the bar before, one that says yes is enough.
    - size, in units of `sizing`; stop_loss, take_profit and trail as in `buy` (rates; the first two are prices under `stops_are_prices`):
      numbers (0: without), or columns whose last known value counts (NaN: without). Where a size is NaN or 0 there is no entry.
    - conflict, side_conflict, reentry, accumulation, reversal: docs/columns.md has the tables

    >>> import polars as pl
    >>> from ml4t.backtest import Signals, run
    >>> from ml4t.backtest.datasets import us_indices
    >>> bars = us_indices().filter(symbol="SPX").with_columns(average=pl.col("close").rolling_mean(200))
    >>> bars = bars.with_columns(entry=pl.col("close") > pl.col("average"), exit=pl.col("close") < pl.col("average"))
    >>> run(Signals(entries="entry", exits="exit", size=10), bars).fills["quantity"][:3].to_list()
    [10.0, 10.0, 10.0]
    """

    entries: str = ""
    exits: str = ""
    short_entries: str = ""
    short_exits: str = ""
    size: float | str = 1.0
    stop_loss: float | str = 0.0
    take_profit: float | str = 0.0
    trail: float | str = 0.0
    max_bars: int = 0
    conflict: Conflict = Conflict.NEITHER
    side_conflict: SideConflict = SideConflict.NEITHER
    reentry: Reentry = Reentry.ALWAYS
    accumulation: Accumulation = Accumulation.NONE
    reversal: Reversal = Reversal.FLIP

    _roles = (*FLAGS, *LEVELS)
    _choices: ClassVar[Mapping[str, type[IntEnum]]] = {
        "sizing": Size,
        "conflict": Conflict,
        "side_conflict": SideConflict,
        "reentry": Reentry,
        "accumulation": Accumulation,
        "reversal": Reversal,
    }

    def __init__(self, *values: Any, **parameters: Any) -> None:
        super().__init__(*values, **parameters)
        if not self.entries and not self.short_entries:
            raise StrategyError(
                "Signals: name a column of entries or short_entries; without entries there are no orders."
            )
        for exits, entries in (("exits", "entries"), ("short_exits", "short_entries")):
            if getattr(self, exits) and not getattr(self, entries):
                raise StrategyError(f"Signals: {exits} close what {entries} open; name a column of {entries}.")
        for name in LEVELS:
            value = getattr(self, name)
            if not isinstance(value, str) and not 0.0 <= value < math.inf:
                raise StrategyError(f"Signals: {name} must be 0 or more and finite, not {value!r}.")
        if self.sizing == Size.RISK and self.stop_loss == 0.0:
            raise StrategyError(
                "Signals: sizing 'risk' is what is lost at the stop; give stop_loss, a rate or a column."
            )
        if self.sizing == Size.VOLATILITY and not self.bars_per_year > 0.0:
            raise StrategyError(
                "Signals: sizing 'volatility' aims at a volatility a year; give bars_per_year (252 for daily bars of shares)."
            )
        if self.window < 2 or self.max_bars < 0:
            raise StrategyError(f"Signals: window={self.window} must be 2 or more, max_bars={self.max_bars} 0 or more.")

    # ------------------------------------------------------------------------------------------------------- the start
    def on_start(self) -> None:
        """Nothing has been seen or asked for."""
        count = len(self.data.symbols)
        self.seen = np.full((len(FLAGS), count), UNSEEN)  # rows of each role's stream that have been looked at
        self.entered = np.zeros(
            (2, count), np.bool_
        )  # long, short: an entry was asked for and has not been absent since
        self.sent = np.zeros(count, np.int64)  # side of the entry that is under way
        self.closing = np.zeros(count, np.bool_)  # a close is under way
        flags = [self.located(role) for role in FLAGS]
        self.used = np.array([role for role, (is_used, _, _) in enumerate(flags) if is_used], np.int64)
        self.streams, self.names = tuple(stream for _, stream, _ in flags), tuple(name for _, _, name in flags)
        self.is_of_bars = np.array([stream == BARS for stream in self.streams], np.bool_)
        self.is_up = np.zeros(len(FLAGS), np.bool_)  # of the symbol that is being decided
        levels = [self.located(role) for role in LEVELS]
        self.varies = np.array([is_column for is_column, _, _ in levels], np.bool_)
        self.level_streams = tuple(stream for _, stream, _ in levels)
        self.level_names = tuple(name for _, _, name in levels)
        self.fixed = np.array([self.constant(role) for role in LEVELS])

    def _most_orders(self, symbols: int, signals: int) -> int:  # noqa: ARG002
        return (2 + EXITS) * symbols  # a flip with every exit

    def constant(self, role: str) -> float:
        """A size or stop that is the same for all, NaN where there is none."""
        value = getattr(self, role)
        return math.nan if isinstance(value, str) or value == 0.0 else float(value)

    # --------------------------------------------------------------------------------------------------- the decisions
    def on_bar(self) -> None:
        """Each symbol of which a bar ended is decided."""
        i = -1
        for symbol in self.data.symbols:
            i += 1
            if not self.data.is_new(symbol):
                continue
            is_any = False
            for role in self.used:
                self.is_up[role] = self.says_yes(role, i, symbol)
                is_any = is_any or self.is_up[role]
            if self.reentry == Reentry.RESET:
                self.entered[0, i] &= self.is_up[LONG_ENTRY]
                self.entered[1, i] &= self.is_up[SHORT_ENTRY]
            if is_any:
                self.decide(i, symbol)

    def says_yes(self, role: int, i: int, symbol: str) -> bool:
        """Whether a row since the symbol's last bar says yes. A symbol's first decision after a warm-up looks at one row only."""
        stream, name, new = self.streams[role], self.names[role], 1
        if not self.is_of_bars[role]:
            known, looked = self.data.count(symbol, stream), self.seen[role, i]
            self.seen[role, i] = known
            if looked == UNSEEN:
                looked = 0 if self.data.count(symbol) == 1 else known - 1
            new = min(known - looked, known)
            if new <= 0:
                return False
        values = self.data.window(symbol, name, new, stream=stream)
        for value in values:  # noqa: SIM110  a generator is nothing that compiles
            if not math.isnan(value) and value != 0.0:
                return True
        return False

    def decide(self, i: int, symbol: str) -> None:
        """The symbol's orders are what its signals ask for."""
        held = self.portfolio.position(symbol).quantity
        side = 1 if held > 0.0 else -1 if held < 0.0 else 0
        is_under_way = self.broker.is_under_way(symbol)
        if not is_under_way:
            self.sent[i] = 0
            self.closing[i] = False
        elif side == 0:
            side = self.sent[i]
        up = self.is_up
        becomes, enters = self.action(side, up[LONG_ENTRY], up[LONG_EXIT], up[SHORT_ENTRY], up[SHORT_EXIT])
        is_free = not is_under_way
        if becomes != STAY:
            is_free = self.leave(i, symbol, side, held, becomes, is_under_way) or is_free
        if enters != 0 and is_free:
            self.enter(i, symbol, enters, enters == side)

    def action(self, side: int, long_in: bool, long_out: bool, short_in: bool, short_out: bool) -> tuple[int, int]:
        """What becomes of a position of that side (STAY, EXIT or CLOSE), and the side to enter (0: none)."""
        if long_in and long_out:
            long_in, long_out = self.settled(side > 0)
        if short_in and short_out:
            short_in, short_out = self.settled(side < 0)
        if long_in and short_in:
            rule = self.side_conflict
            long_in = rule == SideConflict.LONG
            short_in = rule == SideConflict.SHORT
            if rule == SideConflict.CHANGE:
                long_in, short_in = side < 0, side > 0
            elif rule == SideConflict.KEEP:
                long_in, short_in = side > 0, side < 0
        wanted = 1 if long_in else -1 if short_in else 0
        if side == 0:
            return STAY, wanted
        leaves = long_out if side > 0 else short_out
        if wanted == -side:
            if leaves:
                return CLOSE, wanted
            if self.reversal == Reversal.IGNORE:
                return STAY, 0
            return CLOSE, wanted if self.reversal == Reversal.FLIP else 0
        if leaves:
            return EXIT, 0
        return STAY, 0 if self.accumulation == Accumulation.NONE else wanted

    def settled(self, is_held: bool) -> tuple[bool, bool]:
        """What counts of an entry and an exit of one side at once."""
        rule = self.conflict
        if rule == Conflict.CHANGE:
            return not is_held, is_held
        if rule == Conflict.KEEP:
            return is_held, not is_held
        return rule == Conflict.ENTRY, rule == Conflict.EXIT

    # ------------------------------------------------------------------------------------------------------ the orders
    def leave(self, i: int, symbol: str, side: int, held: float, becomes: int, is_under_way: bool) -> bool:
        """The position is reduced or closed, and an entry that is under way cancelled. False where an entry has to wait."""
        if becomes == EXIT and self.accumulation == Accumulation.REDUCE:
            if not is_under_way:
                self.send(symbol, -side, reduce_only=True)
            return False
        if self.closing[i]:
            return False
        if is_under_way:
            self.broker.cancel_all(symbol)
        if held == 0.0:
            return not self.broker.is_under_way(symbol)  # a cancel may take time
        self.broker.close(symbol)
        self.closing[i] = True
        return True

    def enter(self, i: int, symbol: str, side: int, is_held: bool) -> None:
        """An entry of that side is under way, if it may be."""
        column = 0 if side > 0 else 1
        if self.reentry != Reentry.ALWAYS and self.entered[column, i] and not is_held:
            return
        if self.send(symbol, side, reduce_only=False):
            self.entered[column, i] = True
            self.sent[i] = side

    def send(self, symbol: str, side: int, reduce_only: bool) -> bool:
        """An order of one size was asked for; False where there is no size."""
        stop = self.level(STOP_LOSS, symbol)
        unit, size = self.sized(symbol, side, self.level(SIZE, symbol), stop)
        if math.isnan(size) or size == 0.0:
            return False
        profit, trail, bars = math.nan, math.nan, 0
        if reduce_only:
            stop = math.nan
        else:
            profit, trail, bars = self.level(TAKE_PROFIT, symbol), self.level(TRAIL, symbol), self.max_bars
        self.broker.place(
            symbol,
            side,
            unit,
            size,
            stop_loss=stop,
            take_profit=profit,
            trail=trail,
            max_bars=bars,
            stop_is_price=self.stops_are_prices,
            reduce_only=reduce_only,
        )
        return True

    def level(self, role: int, symbol: str) -> float:
        """A size or stop as it is now, NaN where there is none."""
        if self.varies[role]:
            return self.data.value(symbol, self.level_names[role], stream=self.level_streams[role])
        return float(self.fixed[role])
