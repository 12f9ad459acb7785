"""From gross to net profit, step by step, out of the journal."""

from dataclasses import dataclass

import polars as pl

from ml4t.backtest.enums import JournalCause
from ml4t.backtest.report.subject import Subject

STEPS = {
    JournalCause.COMMISSION: "Commission, fees and taxes",
    JournalCause.BORROW: "Borrow fees",
    JournalCause.INTEREST: "Interest",
    JournalCause.FUNDING: "Funding",
    JournalCause.DIVIDEND: "Dividends",
}
NOT_PROFIT = (JournalCause.FILL, JournalCause.DEPOSIT, JournalCause.WITHDRAWAL)
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
    paid = {
        cause: float(booked.get(cause.name.lower(), 0.0))
        for cause in (*STEPS, *sorted(set(JournalCause) - {*STEPS, *NOT_PROFIT}))
    }
    moved = sum(booked.get(cause.name.lower(), 0.0) for cause in NOT_PROFIT[1:])
    last = float(subject.equity["equity"][-1]) if subject.equity.height else subject.cash
    net = last - subject.cash - moved
    steps = [Step("Gross profit", gross, is_total=True)]
    steps += [Step(STEPS[JournalCause.COMMISSION], paid[JournalCause.COMMISSION]), Step("Slippage", -slippage)]
    steps += [
        Step(STEPS.get(cause, cause.name.capitalize()), amount)
        for cause, amount in paid.items()
        if cause != JournalCause.COMMISSION and (amount or cause in (JournalCause.BORROW, JournalCause.INTEREST))
    ]
    unexplained = net - gross - sum(step.amount for step in steps[1:])
    scale = float(subject.journal["amount"].abs().sum()) + abs(value) + abs(last)
    if abs(unexplained) > EXACT * scale:
        steps.append(Step("Not in the last equity point", unexplained))
    return [*steps, Step("Net profit", net, is_total=True)]
