"""Signals once more, as a strategy in plain Python that reads them from a dictionary (docs/columns.md, Signals)."""

import math
from itertools import pairwise
from typing import Any

from ml4t.backtest import Price, Strategy

Marks = dict[tuple[str, int], str]
"""(symbol, number of its bar from 1) → letters: E entry, X exit, S short entry, C short exit."""
EXITS = ("stop_loss", "take_profit", "trailing_stop", "break_even", "max_bars")


class PlainSignals(Strategy):
    """What `Signals` does, in other words: sets of letters, rules as tables, orders as the broker lists them."""

    def __init__(self, marks: Marks, **rules: Any) -> None:
        super().__init__()
        self.marks = marks
        self.rules = {
            "sizing": "quantity",
            "conflict": "neither",
            "side_conflict": "neither",
            "reentry": "always",
            "accumulation": "none",
            "reversal": "flip",
        } | rules
        self.used: set[tuple[str, str]] = set()
        self.pending: dict[str, str] = {}
        self.closing: set[str] = set()
        self.counts: dict[str, int] = {}

    def on_bar(self) -> None:
        for symbol in self.data.symbols:
            count = self.data.count(symbol)
            if count == self.counts.get(symbol, 0):
                continue
            self.counts[symbol] = count
            letters = set(self.marks.get((symbol, count), ""))
            if self.rules["reentry"] == "reset":
                self.used -= {(symbol, side) for side in "ES" if side not in letters}
            if letters:
                self.act(symbol, letters)

    def act(self, symbol: str, letters: set[str]) -> None:
        quantity = self.portfolio.position(symbol).quantity
        waiting = [order for order in self.broker.orders(symbol) if order.origin.name.lower() not in EXITS]
        if not waiting:
            self.pending.pop(symbol, None)
            self.closing.discard(symbol)
        held = "E" if quantity > 0 else "S" if quantity < 0 else self.pending.get(symbol, "") if waiting else ""
        letters = self.settled(letters, held)
        entry = next(iter(letters & {"E", "S"}), "")
        leaves = bool(held) and {"E": "X", "S": "C"}[held] in letters
        is_opposite = bool(held) and bool(entry) and entry != held
        if is_opposite and not leaves and self.rules["reversal"] == "ignore":
            return
        free = not waiting
        if is_opposite or leaves:
            whole = is_opposite or self.rules["accumulation"] != "reduce"
            if not whole:
                if not waiting:
                    self.order(symbol, "S" if held == "E" else "E", is_exit=True)
                return
            if symbol not in self.closing:
                if waiting:
                    self.broker.cancel_all(symbol)
                if quantity:
                    self.broker.close(symbol)
                    self.closing.add(symbol)
                free = bool(quantity) or not self.broker.orders(symbol)
            if not entry or entry == held or (is_opposite and not leaves and self.rules["reversal"] == "close"):
                return
        if entry and free and not (entry == held and self.rules["accumulation"] == "none"):
            is_first = entry != held
            if is_first and self.rules["reentry"] != "always" and (symbol, entry) in self.used:
                return
            if self.order(symbol, entry, is_exit=False):
                self.used.add((symbol, entry))
                self.pending[symbol] = entry

    def settled(self, letters: set[str], held: str) -> set[str]:
        """The letters without those that a conflict takes away."""
        for enter, leave in ("EX", "SC"):
            if {enter, leave} <= letters:
                stays = {
                    "neither": "",
                    "entry": enter,
                    "exit": leave,
                    "change": leave if held == enter else enter,
                    "keep": enter if held == enter else leave,
                }[self.rules["conflict"]]
                letters = letters - {enter, leave} | set(stays)
        if {"E", "S"} <= letters:
            other = {"E": "S", "S": "E", "": ""}[held]
            stays = {"neither": "", "long": "E", "short": "S", "change": other, "keep": held}[
                self.rules["side_conflict"]
            ]
            letters = letters - {"E", "S"} | set(stays)
        return letters

    def order(self, symbol: str, letter: str, *, is_exit: bool) -> bool:
        """One order of one size is sent; False where there is no size."""
        send = self.broker.buy if letter == "E" else self.broker.sell
        size, close = self.rules["size"], self.data.close(symbol)
        if self.rules["sizing"] == "quantity":
            amount = {"quantity": size}
        elif self.rules["sizing"] == "value":
            amount = {"value": size}
        elif self.rules["sizing"] == "cash":
            amount = {"value": size * max(self.portfolio.cash, 0.0)}
        elif self.rules["sizing"] == "risk":
            amount = {"percent": size / self.rules["stop_loss"]}
        elif self.rules["sizing"] == "volatility":
            deviation = self.deviation(symbol) * math.sqrt(self.rules["bars_per_year"])
            amount = {"percent": size / deviation if deviation > 0 else 0.0}
        else:
            amount = {"percent": size}
        if not next(iter(amount.values())) > 0 or not close > 0:
            return False
        if is_exit:
            send(symbol, reduce_only=True, **amount)
            return True
        far = Price if self.rules.get("stops_are_prices") else float
        exits = {name: far(self.rules[name]) for name in ("stop_loss", "take_profit") if name in self.rules}
        exits |= {name: self.rules[name] for name in ("trail", "max_bars") if name in self.rules}
        send(symbol, **amount, **exits)
        return True

    def deviation(self, symbol: str) -> float:
        closes = self.data.close(symbol, self.rules["window"] + 1).tolist()
        if len(closes) <= self.rules["window"]:
            return math.nan
        returns = [after / before - 1.0 for before, after in pairwise(closes)]
        mean = 0.0
        for each in returns:
            mean += each
        mean /= len(returns)
        total = 0.0
        for each in returns:
            total += (each - mean) * (each - mean)
        return math.sqrt(total / (len(returns) - 1))
