"""Engines whose tables begin with room for one entry each."""

import numpy as np

from ml4t.backtest import Engine
from ml4t.backtest.allocation import link_free
from ml4t.backtest.tables import FREE_CELL, FREE_LOT, GROWABLE, NONE


def shrink(engine: Engine) -> Engine:
    """The engine, every growable table of which has room for one entry."""
    state, changes = engine.state, {}
    for group in GROWABLE:
        for name in group:
            table = getattr(state, name)
            single = table[:1].copy() if isinstance(table, np.ndarray) else type(table)(*(c[:1].copy() for c in table))
            changes[name] = single
    engine._handle.replace(state._replace(**changes))
    state.clock[FREE_CELL] = state.clock[FREE_LOT] = NONE
    link_free(state.clock, FREE_CELL, engine.state.links.after, 0)
    link_free(state.clock, FREE_LOT, engine.state.lots.next, 0)
    return engine


def capacities(engine: Engine) -> dict[str, int]:
    """The room in each group of growable tables."""
    tables = {group[0]: getattr(engine.state, group[0]) for group in GROWABLE}
    return {name: len(table) if isinstance(table, np.ndarray) else len(table[0]) for name, table in tables.items()}
