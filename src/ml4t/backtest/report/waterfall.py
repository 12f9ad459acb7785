"""From gross to net profit, step by step, out of the journal."""

from dataclasses import dataclass

import polars as pl

from ml4t.backtest.report.subject import Subject

STEPS = {
    "commission": "Commission, fees and taxes",
    "borrow": "Borrow fees",
    "interest": "Interest",
    "funding": "Funding",
    "dividend": "Dividends",
}
"""Causes of the journal that always have a step, or have one where something was booked; others are shown by their names."""
ALWAYS = ("commission", "borrow", "interest")
MOVED = ("deposit", "withdrawal")  # money of the owner, no profit
EXACT = 1e-9  # of the money that moved: what float64 rounds away


@dataclass(frozen=True)
class Step:
    """One bar of the waterfall: `amount` is signed money; of `is_total` it is what is left so far."""

    name: str
    amount: float
    is_total: bool = False


def waterfall(subject: Subject) -> list[Step]:
    """Return the steps gross → commission → slippage → … → net.

    - Net is the last equity point less the initial cash and less deposits, plus withdrawals.
    - The costs are Σ amount of each cause in the journal; slippage is Σ `slippage` of the fills, contained in their prices.
    - Gross is what the fills and the final positions are worth at the prices before slippage.
    - What these do not explain has a step of its own; it is there when something was booked after the last equity point.
    """
    booked = dict(subject.journal.group_by("cause").agg(pl.col("amount").sum()).iter_rows())
    slippage = float(subject.fills["slippage"].sum())
    value = float(subject.positions["value"].sum())
    gross = booked.get("fill", 0.0) + value + slippage
    moved = sum(booked.get(cause, 0.0) for cause in MOVED)
    last = float(subject.equity["equity"][-1]) if subject.equity.height else subject.cash
    net = last - subject.cash - moved
    others = sorted(set(booked) - {"fill", *STEPS, *MOVED})
    paid = [(cause, float(booked.get(cause, 0.0))) for cause in (*STEPS, *others)]
    steps = [Step(STEPS.get(cause, cause.capitalize()), amount) for cause, amount in paid if amount or cause in ALWAYS]
    steps = [Step("Gross profit", gross, is_total=True), steps[0], Step("Slippage", -slippage), *steps[1:]]
    unexplained = net - gross - sum(step.amount for step in steps[1:])
    scale = float(subject.journal["amount"].abs().sum()) + abs(value) + abs(last)
    if abs(unexplained) > EXACT * scale:
        steps.append(Step("Not in the last equity point", unexplained))
    return [*steps, Step("Net profit", net, is_total=True)]
