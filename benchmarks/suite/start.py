"""From import to the first result of a fresh process: with empty caches, and again."""

import tempfile

from suite.environment import OURS
from suite.market import write
from suite.race import Path, Process
from suite.work import WORKS

STARTS = (
    ("callback", OURS),
    ("signals", OURS),
    ("weights", OURS),
    ("brackets", OURS),
    ("signals", "vectorbt:rust"),
    ("signals", "vectorbt:numba"),
    ("brackets", "vectorbt:numba"),
    ("weights_free", "bt"),
    ("callback", "backtesting"),
    ("callback", "backtrader"),
    ("callback", "nautilus"),
    ("callback", "zipline"),
)


def starts() -> list[tuple[str, str, float, float]]:
    """Work, engine, and seconds from import to first result: cold and warm."""
    rows = []
    for name, engine in STARTS:
        work = WORKS[name]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "market.npz"
            write(file, work.market(**work.warm) | dict(work.terms))
            caches = dict.fromkeys(("ML4T_BACKTEST_CACHE", "NUMBA_CACHE_DIR"), folder)
            seconds = []
            for _ in range(2):
                process = Process(engine, name, [file, file], **caches)
                ready = process.answer()
                seconds.append(ready["import"] + ready["first"])
                process.end()
        rows.append((name, engine, *seconds))
    return rows
