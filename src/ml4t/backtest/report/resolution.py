"""Long series for the page: an overview of few points, and finer levels for when the reader zooms in."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

WHOLE = 3_000  # points up to which a series is shown as it is
OVERVIEW = 2_000  # points
LEVELS = (8_000, 24_000)  # points of the finer copies


def packed(values: NDArray[Any], kind: str) -> str:
    """Return the values as base64 of little-endian numbers of a NumPy kind."""
    return b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def array(values: NDArray[Any], kind: str = "f8") -> dict[str, str]:
    """Return the values as Plotly takes typed arrays: exact, and smaller than digits."""
    return {"dtype": kind, "bdata": packed(values, kind)}


def milliseconds(times: pl.Series) -> NDArray[np.float64]:
    """Return instants or dates as milliseconds since 1970, Plotly's unit."""
    return times.cast(pl.Datetime("ms")).to_physical().to_numpy().astype(np.float64)


def curve(times: pl.Series, values: NDArray[np.float64], sizes: Sequence[int] = LEVELS) -> dict[str, Any]:
    """Return x and y of a trace, and in `meta` the levels there are to zoom into.

    Up to `WHOLE` points all are there. Of more, the points that MinMaxLTTB selects: extremes are kept.
    """
    x = milliseconds(times)
    if len(x) <= WHOLE:
        return {"x": array(x), "y": array(values), "meta": {"points": len(x)}}
    levels = []
    for size in sorted({min(size, len(x)) for size in sizes}):
        chosen = _chosen(values, size)
        levels.append(level(x[chosen], {"y": values[chosen]}))
    chosen = _chosen(values, OVERVIEW)
    return {"x": array(x[chosen]), "y": array(values[chosen]), "meta": {"points": len(x), "levels": levels}}


def level(
    x: NDArray[np.float64],
    columns: Mapping[str, NDArray[np.float64]],
    spans: Sequence[tuple[int, int]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a finer copy of a series as the page unpacks it.

    - Times are steps of `unit` milliseconds from `start` (u4), values have seven digits (f4).
    - `spans` are the stretches `[first, last)` without holes; None: all of it is one.
    """
    unit = 1.0 if len(x) == 0 or x[-1] - x[0] < 2**32 else 1000.0
    count = np.round((x - x[:1]) / unit)
    return {
        "start": float(x[0]) if len(x) else 0.0,
        "unit": unit,
        "steps": packed(np.diff(count, prepend=0.0), "u4"),
        "values": {name: packed(values, "f4") for name, values in columns.items()},
        "spans": [list(span) for span in spans or [(0, len(x))]],
        **more,
    }


def _chosen(y: NDArray[np.float64], size: int) -> NDArray[np.uint64]:
    """Places of the points to keep; the library leaves out the last now and then, a curve must end where it ends."""
    if size >= len(y):
        return np.arange(len(y), dtype=np.uint64)
    # Without x points count by number: sessions and nights are then spaced as bars are.
    places: NDArray[np.uint64] = MinMaxLTTBDownsampler().downsample(np.ascontiguousarray(y), n_out=size, parallel=False)
    return np.unique(np.concatenate((places, np.array([0, len(y) - 1], np.uint64))))
