"""What the metrics of a run are computed from, taken from the state's arrays: no frame is made."""

import numpy as np
from numpy.typing import NDArray

from ml4t.backtest.config import BacktestConfig
from ml4t.backtest.enums import OrderState
from ml4t.backtest.lower import Rows
from ml4t.backtest.metrics import Sample
from ml4t.backtest.round_trip import RoundTrips, slippage, traded_value
from ml4t.backtest.tables import CLOSED, FILLS, IDS, LOTS, POINTS, TRADES, State


def sample_of(state: State, rows: Rows, config: BacktestConfig, trades: RoundTrips) -> Sample:
    """The arrays of the metrics, as far as the run has come."""
    points, fills, closed = (int(state.clock[count]) for count in (POINTS, FILLS, CLOSED))
    curve, settings = state.curve, config.metrics
    equity = curve.cash[:points] + curve.net[:points]
    last = _period_ends(rows, points) if settings.basis == "session" else None
    start, end = _labels(rows, points, last)
    done = int(state.clock[TRADES])
    return Sample(
        initial_cash=float(config.account.cash),
        equity=equity,
        gross=curve.gross[:points],
        net=curve.net[:points],
        last=last,
        start=start,
        end=end,
        pnl=trades.pnl[:done],
        side=trades.side[:done],
        bars_held=trades.bars_held[:done].astype(np.float64),
        open_trades=int(state.clock[LOTS]),
        traded=traded_value(state),
        commission=state.fills.commission[:fills],
        slippage=slippage(state),
        orders=int(state.clock[IDS]),
        rejected_orders=int(np.count_nonzero(state.closed_orders.state[:closed] == OrderState.REJECTED)),
        stale_marks=int(state.positions.stale_marks.sum()),
        periods_per_year=settings.periods_per_year,
        risk_free_rate=settings.risk_free_rate,
        var_level=settings.var_level,
    )


def _period_ends(rows: Rows, points: int) -> NDArray[np.int64]:
    """The last equity point of each session."""
    ends = rows.session_ends
    cut = ends[: np.searchsorted(ends, points)]
    return cut if points in (rows.points, 0) else np.append(cut[cut < points - 1], points - 1)


def _labels(rows: Rows, points: int, last: NDArray[np.int64] | None) -> tuple[str | None, str | None]:
    """The first and the last period: session dates, or UTC times of bar ends."""
    if not points:
        return None, None
    if last is not None:
        first, final = rows.point_session[last[[0, -1]]].astype("datetime64[D]")
        return str(first), str(final)
    first, final = rows.point_time[[0, points - 1]].astype("datetime64[ns]")
    return f"{first}Z", f"{final}Z"
