"""Figures of trades: how far they went, where the profit came from, and what it cost."""

import polars as pl

from ml4t.backtest.report.figure import BLUE, GREEN, RED, Figure, figure, plain, title
from ml4t.backtest.report.resolution import array
from ml4t.backtest.report.waterfall import Step

SHOWN = 2_000  # trades in the scatter
SYMBOLS = 25  # in the figure by symbol
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HELD = (("same bar", 0), ("1 bar", 1), ("2–5", 5), ("6–20", 20), ("21–100", 100), ("over 100", None))


def excursion_figure(trades: pl.DataFrame) -> Figure:
    """Return worst against best price of each closed trade, as fractions of the entry price."""
    entry = pl.col("entry_price").abs()
    frame = (
        trades.filter(~pl.col("is_open"), entry > 0, pl.col("mfe").is_not_null())
        .head(SHOWN)
        .select("trade_id", "pnl", x=-pl.col("mae") / entry, y=pl.col("mfe") / entry)
    )
    traces = []
    for name, colour, mark, part in (
        ("Profit", BLUE, "circle", frame.filter(pl.col("pnl") > 0)),
        ("Loss", RED, "x", frame.filter(pl.col("pnl") <= 0)),
    ):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "marker": {"color": colour, "symbol": mark, "size": 6, "opacity": 0.7},
                "x": array(part["x"].to_numpy()),
                "y": array(part["y"].to_numpy()),
                "text": [f"trade {number}" for number in part["trade_id"]],
            }
        )
    return figure(
        *traces,
        height=380,
        hovermode="closest",
        xaxis={"tickformat": "~%", **title("Worst price against the entry (MAE)")},
        yaxis={"tickformat": "~%", **title("Best price against the entry (MFE)")},
    )


def groups(trades: pl.DataFrame, zone: str) -> dict[str, pl.DataFrame]:
    """Return, by title, `group`, `trades`, `pnl` and `wins` of closed trades; hours and weekdays are of the entry in `zone`."""
    closed = trades.filter(~pl.col("is_open")).with_columns(local=pl.col("entry_time").dt.convert_time_zone(zone))
    held = pl.lit(HELD[-1][0])
    for name, most in reversed(HELD[:-1]):
        held = pl.when(pl.col("bars_held") <= most).then(pl.lit(name)).otherwise(held)
    keys = {
        "Symbol": (pl.col("symbol"), None),
        "Exit reason": (pl.col("exit_reason").fill_null("unknown"), None),
        "Bars held": (held, [name for name, _ in HELD]),
        "Weekday of entry": (
            pl.col("local").dt.weekday().replace_strict(dict(enumerate(WEEKDAYS, 1)), return_dtype=pl.String),
            list(WEEKDAYS),
        ),
        f"Hour of entry ({zone})": (pl.col("local").dt.strftime("%H:00"), [f"{hour:02}:00" for hour in range(24)]),
    }
    found = {}
    for name, (key, order) in keys.items():
        frame = closed.group_by(key.alias("group")).agg(
            pl.len().alias("trades"), pl.col("pnl").sum(), (pl.col("pnl") > 0).sum().alias("wins")
        )
        rank = {group: row for row, group in enumerate(order or [])}
        by = pl.col("group").replace_strict(rank, default=0, return_dtype=pl.Int64) if order else -pl.col("pnl")
        found[name] = frame.sort(by, "group")
    return found


def group_figure(frame: pl.DataFrame, name: str) -> Figure:
    """Return the P&L of each group; of many only the best and the worst."""
    if frame.height > SYMBOLS:
        frame = pl.concat([frame.head(SYMBOLS // 2 + 1), frame.tail(SYMBOLS // 2)])
    values = frame["pnl"].to_list()
    return figure(
        {
            "type": "bar",
            "name": "P&L",
            "x": [plain(name) for name in frame["group"].to_list()],
            "y": values,
            "marker": {"color": [RED if value < 0 else BLUE for value in values]},
        },
        height=260,
        xaxis={"type": "category"},
        yaxis=title(f"P&L by {name.lower()}"),
    )


def waterfall_figure(steps: list[Step]) -> Figure:
    """Return the way from gross to net profit."""
    return figure(
        {
            "type": "waterfall",
            "x": [step.name for step in steps],
            "y": [step.amount for step in steps],
            "measure": [
                "absolute" if row == 0 else "total" if step.is_total else "relative" for row, step in enumerate(steps)
            ],
            "increasing": {"marker": {"color": GREEN}},
            "decreasing": {"marker": {"color": RED}},
            "totals": {"marker": {"color": BLUE}},
            "text": [f"{step.amount:,.0f}" for step in steps],
        },
        height=340,
        xaxis={"type": "category"},
        hovermode="closest",
    )
