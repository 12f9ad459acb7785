"""What the metrics are made of, after a run: one pass over the equity points, the closed trades and the fills."""

from ml4t.backtest._jit import entry, inline
from ml4t.backtest.inputs import F8, I8


@inline
def measure_points(
    equity: F8, gross: F8, net: F8, last: I8, start: float, free: float, returns: F8
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The fields of `metrics.sample.Growth`, then those of `Exposure`; `returns` is filled.

    Moments are updated with each return (Pébay, "Formulas for Robust, One-Pass Parallel Computation of Covariances and Arbitrary-Order
    Statistical Moments", Sandia report SAND2008-6212, eq. 2.1 ff. with one new value).
    """
    mean = second = third = fourth = shortfall = depth = 0.0
    best, worst = -float("inf"), float("inf")
    invested, gross_share, net_share, total, lowest = 0.0, 0.0, 0.0, 0.0, float("inf")
    period, at_peak, longest = 0, 0, 0
    before = peak = start
    every = last.shape[0] == 0
    for i in range(equity.shape[0]):
        value = equity[i]
        invested += 1.0 if gross[i] > 0.0 else 0.0
        gross_share += gross[i] / value
        net_share += net[i] / value
        total += value
        lowest = min(lowest, value)
        if not every and i != last[period]:
            continue
        period += 1
        change = value / before - 1.0 if before > 0.0 else float("nan")
        before = value
        returns[period - 1] = change
        delta = change - mean
        part = delta / period
        product = delta * part * (period - 1)
        mean += part
        fourth += part * (product * part * (period * period - 3.0 * period + 3.0) + 6.0 * part * second - 4.0 * third)
        third += part * (product * (period - 2.0) - 3.0 * second)
        second += product
        best, worst = max(best, change), min(worst, change)
        missed = min(change - free, 0.0)
        shortfall += missed * missed
        if value >= peak:
            if period - at_peak > 1:
                longest = max(longest, period - at_peak)
            peak, at_peak = value, period
        depth = min(depth, value / peak - 1.0)
    longest = max(longest, period - at_peak)
    n = float(equity.shape[0])
    growth = start, before, float(period), mean, second, third, fourth, shortfall, best, worst, depth, float(longest)
    return growth, (n, invested, gross_share, net_share, total, lowest)


@inline
def measure_trades(pnl: F8, side: F8, bars_held: F8) -> tuple[float, ...]:
    """The fields of `metrics.sample.Trading`."""
    longs = wins = losses = won = lost = total = bars = longest = streak = 0.0
    best, worst = -float("inf"), float("inf")
    for i in range(pnl.shape[0]):
        made = pnl[i]
        total += made
        bars += bars_held[i]
        longs += 1.0 if side[i] > 0.0 else 0.0
        best, worst = max(best, made), min(worst, made)
        if made > 0.0:
            wins, won = wins + 1.0, won + made
        streak = streak + 1.0 if made < 0.0 else 0.0
        if made < 0.0:
            losses, lost = losses + 1.0, lost + made
        longest = max(longest, streak)
    return float(pnl.shape[0]), longs, wins, losses, won, lost, total, best, worst, bars, longest


@inline
def total(amounts: F8) -> float:
    """Their sum, in order."""
    found = 0.0
    for i in range(amounts.shape[0]):
        found += amounts[i]
    return found


@entry
def measure_entry(
    equity: F8,
    gross: F8,
    net: F8,
    last: I8,
    start: float,
    free: float,
    returns: F8,
    pnl: F8,
    side: F8,
    bars_held: F8,
    traded: F8,
    commission: F8,
    slippage: F8,
) -> tuple[tuple[float, ...], ...]:
    """The fields of `metrics.sample.Growth`, `Exposure`, `Trading` and `Cost`."""
    growth, exposure = measure_points(equity, gross, net, last, start, free, returns)
    return (
        growth,
        exposure,
        measure_trades(pnl, side, bars_held),
        (float(traded.shape[0]), total(traded), total(commission), total(slippage)),
    )
