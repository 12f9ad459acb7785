"""Twenty limit entries and exits, 0.3 % away, on minute bars: how many fill is a matter of three rules (docs/parity/limit_orders.md).

python -m parity.limit_orders prints the page's tables.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ml4t.backtest import Order, Strategy, run

TRIPS, EVERY, HOLD = 20, 30, 15  # an entry signal every 30 minutes, its exit signal 15 minutes later
AWAY = 0.003
SEED = 8  # chosen: of 40 seeds, the one whose counts are the 14 and the 4 that were asked about
LIVES: dict[str, dict[str, Any]] = {
    "1 bar": {"tif": "BARS", "bars": 1},
    "10 bars": {"tif": "BARS", "bars": 10},
    "until cancelled": {"tif": "GTC"},
}
REACHES: dict[str, dict[str, Any]] = {
    "touched by the bar's range": {},
    "passed by the bar's range": {"fills": {"touch": {"kind": "through"}}},
    "met by its close": {"fills": {"path": "close_only"}},
}


@dataclass(frozen=True)
class Rules:
    """How long a limit lives; whether the opposite signal cancels a waiting one; whether an exit may rest as an entry does."""

    life: str
    cancels: bool
    exit_rests: bool


FOURTEEN = Rules("until cancelled", cancels=False, exit_rests=True)
FOUR = Rules("until cancelled", cancels=False, exit_rests=False)


def minutes(seed: int = SEED, count: int = TRIPS * EVERY) -> pl.DataFrame:
    """Minute bars of a walk of 0.18 % a minute, in cents, from 100."""
    draw, rows, close = random.Random(seed), [], 100.0  # noqa: S311  # bars, not secrets
    for minute in range(count):
        open_ = close
        close = round(open_ * (1.0 + draw.gauss(0.0, 0.0018)), 2)
        high = round(max(open_, close) * (1.0 + abs(draw.gauss(0.0, 0.0008))), 2)
        low = round(min(open_, close) * (1.0 - abs(draw.gauss(0.0, 0.0008))), 2)
        time = datetime(2024, 3, 4, tzinfo=UTC) + timedelta(minutes=minute)
        rows.append((time, "A", open_, high, low, close, 1_000.0))
    return pl.DataFrame(rows, ["timestamp", "symbol", "open", "high", "low", "close", "volume"], orient="row")


class Limits(Strategy):
    """One waiting order a side: at an entry signal without a position a buy 0.3 % below, at an exit signal with one a sell 0.3 % above."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.entry: Order | None = None
        self.exit: Order | None = None
        self.sent: dict[int, Order | None] = {}  # by the minute of the signal

    def on_bar(self) -> None:
        minute = self.data.count("A") - 1
        if minute % EVERY == 0:
            self.on_signal_of("entry", other="exit")
        elif minute % EVERY == HOLD:
            self.on_signal_of("exit", other="entry")

    def on_signal_of(self, side: str, other: str) -> None:
        self.drop(side)
        if self.rules.cancels:
            self.drop(other)
        is_held, close = bool(self.portfolio.positions), self.data.close("A")
        minute = self.data.count("A") - 1
        self.sent[minute] = None
        if side == "entry" and not is_held:
            self.entry = self.sent[minute] = self.broker.buy(
                "A", 10, limit=round(close * (1.0 - AWAY), 2), **LIVES[self.rules.life]
            )
        if side == "exit" and is_held:
            life = self.rules.life if self.rules.exit_rests else "1 bar"
            self.exit = self.sent[minute] = self.broker.sell(
                "A", 10, limit=round(close * (1.0 + AWAY), 2), **LIVES[life]
            )

    def drop(self, side: str) -> None:
        """No order of this side waits any more."""
        order: Order | None = getattr(self, side)
        if order is not None and order.is_live:
            self.broker.cancel(order)


def counted(rules: Rules, bars: pl.DataFrame, settings: dict[str, Any] | None = None) -> tuple[int, int]:
    """How many entries and how many exits were filled."""
    sides = run(Limits(rules), bars, settings or {}).fills["side"].to_list()
    return sides.count("buy"), sides.count("sell")


def every_rule() -> Iterator[Rules]:
    """All combinations, from the shortest life to the longest."""
    for life in LIVES:
        for cancels in (True, False):
            for exit_rests in (False, True):
                yield Rules(life, cancels, exit_rests)


def rules_table(bars: pl.DataFrame) -> list[str]:
    """Lines of the page's first table."""
    lines = [
        "| a limit lives | the opposite signal | an exit | entries filled | exits filled |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rules in every_rule():
        entries, exits = counted(rules, bars)
        words = "cancels it" if rules.cancels else "leaves it", "may rest" if rules.exit_rests else "has one bar"
        lines.append(f"| {rules.life} | {words[0]} | {words[1]} | {entries} | {exits} |")
    return lines


def reach_table(bars: pl.DataFrame) -> list[str]:
    """Lines of the page's second table: the rules of the 14 and of the 4, by what it takes to reach a limit."""
    lines = [
        "| a limit fills when it is | trades, exits may rest | trades, exits have one bar |",
        "| --- | --- | --- |",
    ]
    for words, settings in REACHES.items():
        trades = [min(counted(rules, bars, settings)) for rules in (FOURTEEN, FOUR)]
        lines.append(f"| {words} | {trades[0]} | {trades[1]} |")
    return lines


def fates(rules: Rules, bars: pl.DataFrame) -> dict[int, str]:
    """What became of the signal of each minute."""
    strategy, told = Limits(rules), dict[int, str]()
    result = run(strategy, bars)
    filled = dict(
        zip(result.fills["order_id"], result._state.fills.row, strict=False)
    )  # rows of one symbol are minutes
    for minute, order in strategy.sent.items():
        if order is None:
            told[minute] = "ignored: " + ("a position is open" if minute % EVERY == 0 else "no position")
        else:
            told[minute] = f"filled, minute {filled[order.id]}" if order.id in filled else "not filled"
    return told


def fate_table(bars: pl.DataFrame, signals: int = 8) -> list[str]:
    """Lines of the page's third table: the first signals under the rules of the 14 and of the 4."""
    rests, hurries = fates(FOURTEEN, bars), fates(FOUR, bars)
    lines = ["| minute | signal | exits may rest | exits have one bar |", "| --- | --- | --- | --- |"]
    for minute in list(rests)[:signals]:
        side = "entry" if minute % EVERY == 0 else "exit"
        lines.append(f"| {minute} | {side} | {rests[minute]} | {hurries[minute]} |")
    return lines


if __name__ == "__main__":
    print("\n".join([*rules_table(minutes()), "", *reach_table(minutes()), "", *fate_table(minutes())]))
