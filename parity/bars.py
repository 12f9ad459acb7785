"""Random bars: walks with gaps, ties, flat bars, tiny and huge prices, on a tick or on none."""

import random

SCALES = (1e-4, 0.5, 20.0, 100.0, 100.0, 100.0, 3000.0, 1e6)


def bars(draw: random.Random, count: int, scale: float | None = None) -> list[list[float]]:
    """Rows (open, high, low, close, volume)."""
    price = (scale or draw.choice(SCALES)) * draw.uniform(0.5, 1.5)
    tick = draw.choice((0.0, 0.0, price / 100.0, price / 1000.0))
    swing = draw.choice((0.002, 0.01, 0.03, 0.08))
    rows, close = [], _on(price, tick)
    for _ in range(count):
        kind = draw.random()
        open_ = close if kind < 0.4 else _on(close * (1.0 + draw.gauss(0.0, swing)), tick)
        close = open_ if kind > 0.93 else _on(open_ * (1.0 + draw.gauss(0.0, swing)), tick)
        top, bottom = max(open_, close), min(open_, close)
        high = top if draw.random() < 0.2 else _on(top * (1.0 + abs(draw.gauss(0.0, swing))), tick)
        low = bottom if draw.random() < 0.2 else _on(bottom * max(0.05, 1.0 - abs(draw.gauss(0.0, swing))), tick)
        rows.append([open_, max(high, top), min(low, bottom), close, float(draw.randint(1, 10_000))])
    return rows


def near(draw: random.Random, row: list[float], reach: float = 1.0) -> float:
    """A price near a bar: often exactly one of its prices, else somewhere around its range."""
    open_, high, low, close, _ = row
    if draw.random() < 0.25:
        return draw.choice((open_, high, low, close))
    span = max(high - low, 0.002 * close)
    return max(close + draw.gauss(0.0, reach) * span, 0.05 * close)


def _on(price: float, tick: float) -> float:
    price = max(price, 1e-9)
    return max(round(price / tick), 1) * tick if tick else price
