"""A curve in very little room: one line of text, or a small drawing."""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Return the values as one line of blocks, from the least to the greatest; nothing for no value.

    Of several values that share a block the last one counts.

    >>> sparkline([1.0, 2.0, 3.0, 8.0])
    '▁▂▃█'
    >>> sparkline([5.0, 5.0])
    '▄▄'
    """
    chosen = thinned(values, width)
    if not chosen:
        return ""
    low, high = min(chosen), max(chosen)
    if high == low:
        return BLOCKS[3] * len(chosen)
    return "".join(BLOCKS[min(7, int(8 * (value - low) / (high - low)))] for value in chosen)


def drawing(values: Sequence[float], label: str, width: int = 640, height: int = 120) -> str:
    """Return the values as an SVG line that needs nothing else; `label` must be escaped."""
    chosen = thinned(values, width)
    if len(chosen) < 2:
        return ""
    low, high = min(chosen), max(chosen)
    scale = (height - 4) / ((high - low) or 1.0)
    step = width / (len(chosen) - 1)
    points = " ".join(
        f"{step * place:.1f},{height - 2 - scale * (value - low):.1f}" for place, value in enumerate(chosen)
    )
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<polyline points="{points}" fill="none" stroke="#2a85c8" stroke-width="1.5"></polyline></svg>'
    )


def thinned(values: Sequence[float], most: int) -> list[float]:
    """Return at most `most` values: all, or the last of each of as many equal parts."""
    count = len(values)
    if count <= most:
        return [float(value) for value in values]
    return [float(values[(place + 1) * count // most - 1]) for place in range(most)]
