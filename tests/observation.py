"""What a run of a case left behind, as plain rows that properties can look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cases import Bar, Case
from ml4t.backtest import Engine, Result
from ml4t.backtest.tables import State
from replay import engine, table_rows

Row = dict[str, Any]

ENGINE_ORIGINS = ("end_of_data", "end_of_run")


@dataclass(frozen=True)
class Observation:
    """A case, the state its run ended in, and its result."""

    case: Case
    state: State
    result: Result

    @cached_property
    def bars(self) -> list[Bar]:
        """The case's bars in the order of the kernel's rows."""
        return sorted(self.case.bars, key=lambda bar: (bar.end, self.case.universe.index(bar.symbol)))

    @cached_property
    def fills(self) -> list[Row]:
        """Each fill with its `signed` quantity, its `bar`, the `level` it waited for, and when it `happened`.

        Under `queue` an open is met when its bar ends, and the fill carries the bar's start all the same.
        """
        rows = table_rows(self.result.fills)
        for n, row in enumerate(rows):
            row["signed"] = row["quantity"] if row["side"] == "buy" else -row["quantity"]
            row["bar"] = self.bars[int(self.state.fills.row[n])]
            row["at_open"] = row["segment"] == "open"
            row["happened"] = row["bar"].end if row["at_open"] and self.is_queue else row["timestamp"]
        return rows

    @cached_property
    def orders(self) -> dict[int, Row]:
        """Each order by its id, with `reduce_only`."""
        rows = {row["order_id"]: row for row in table_rows(self.result.orders)}
        for terms, orders in (
            (self.state.terms, self.state.orders),
            (self.state.closed_terms, self.state.closed_orders),
        ):
            for place in np.flatnonzero(orders.id):
                rows[int(orders.id[place])]["reduce_only"] = bool(terms.reduce_only[place])
        return rows

    @cached_property
    def events(self) -> list[Row]:
        """Each event with the number of its `fill`, None without."""
        rows = table_rows(self.result.order_events)
        for n, row in enumerate(rows):
            fill = int(self.state.events.fill[n])
            row["fill"] = None if fill < 0 else fill
        return rows

    @cached_property
    def equity(self) -> list[Row]:
        return table_rows(self.result.equity)

    @cached_property
    def journal(self) -> list[Row]:
        return table_rows(self.result.journal)

    @cached_property
    def trades(self) -> list[Row]:
        return table_rows(self.result.trades)

    @cached_property
    def positions(self) -> dict[str, Row]:
        return {row["symbol"]: row for row in table_rows(self.result.positions)}

    @property
    def is_queue(self) -> bool:
        return bool(self.case.config["fills"]["schedule"] == "queue")

    @property
    def is_cash_account(self) -> bool:
        return bool(self.case.config["account"]["kind"] == "cash")

    @property
    def initial_cash(self) -> float:
        return float(self.case.config["account"]["cash"])

    def instrument(self, symbol: str) -> Row:
        """The terms of trade of a symbol."""
        instruments = self.case.config["instruments"]
        return {**instruments["default"], **instruments.get("symbols", {}).get(symbol, {})}

    def cost(self, symbol: str, name: str) -> Row:
        """The model of this cost for a symbol."""
        costs = self.case.config["costs"]
        model: Row = costs.get("symbols", {}).get(symbol, {}).get(name, costs.get(name, {"kind": "none"}))
        return model


def observe(case: Case) -> Observation:
    """The case has run."""
    run = engine(case)
    return observe_engine(case, run)


def observe_engine(case: Case, run: Engine) -> Observation:
    """The engine, which is about to run the case, has run."""
    result = run.run()
    return Observation(case, run.state, result)
