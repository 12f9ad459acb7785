"""The sections about trades, orders and data: what was done, what was refused, and on what it rests."""

import polars as pl

from ml4t.backtest.report import trade_figure
from ml4t.backtest.report.candle import TRADES, candle_figure, charted
from ml4t.backtest.report.resolution import milliseconds
from ml4t.backtest.report.section import Chart, Section, Story
from ml4t.backtest.report.subject import Subject
from ml4t.backtest.report.table import Column, table
from ml4t.backtest.summary import remedy

ORDERS = 400  # rows of the table
GAPS = 20  # symbols

TRADE_COLUMNS = {
    "trade_id": Column("Trade"),
    "symbol": Column("Symbol"),
    "direction": Column("Side"),
    "quantity": Column("Quantity", "price"),
    "entry_time": Column("Entry", "time"),
    "exit_time": Column("Exit", "time"),
    "entry_price": Column("Entry price", "price"),
    "exit_price": Column("Exit price", "price"),
    "pnl": Column("P&L", "money"),
    "return": Column("Return", "percent"),
    "commission": Column("Commission", "money"),
    "slippage": Column("Slippage", "money"),
    "bars_held": Column("Bars", "count"),
    "mfe": Column("MFE", "price"),
    "mae": Column("MAE", "price"),
    "exit_reason": Column("Exit by"),
}


def charts(story: Story) -> Section:
    """Candlesticks of the symbols that were traded most."""
    subject = story.subject
    if subject.bars is None:
        return Section("bars", "Bars, fills and trades", (f"No chart. {subject.bars_missing}",))
    names = charted(subject)
    drawn = tuple(
        Chart(
            f"bars-{row}",
            f"Candlesticks of {name} with fills, stops and trades.",
            candle_figure(subject, name, names),
        )
        for row, name in enumerate(names)
    )
    notes = (
        [f"The {len(names)} of {len(subject.symbols):,} symbols with most fills."]
        if len(names) < len(subject.symbols)
        else []
    )
    grouped = max((chart.figure["data"][0]["meta"]["group"] for chart in drawn), default=1)
    if grouped > 1:
        notes.append(
            f"Long histories are drawn with up to {grouped:,} bars a candle, fewer where you zoom in, and single bars around the "
            "trades listed below; the legend says how many."
        )
    return Section("bars", "Bars, fills and trades", tuple(notes), drawn)


def trades(story: Story) -> Section:
    """The trades, one by one and by groups."""
    subject = story.subject
    frame = subject.trades
    if frame.is_empty():
        return Section("trades", "Trades", ("There was no trade.",))
    groups = trade_figure.groups(frame, story.zone)
    by = [Column("Group"), Column("Trades", "count"), Column("P&L", "money"), Column("Won", "count")]
    figures = [
        Chart(
            "excursions",
            "Scatter of the worst against the best price of each trade.",
            trade_figure.excursion_figure(frame),
        )
    ]
    figures += [
        Chart(f"by-{row}", f"Bars of P&L by {name.lower()}.", trade_figure.group_figure(group, name))
        for row, (name, group) in enumerate(groups.items())
        if group.height > 1
    ]
    return Section(
        "trades",
        "Trades",
        (),
        tuple(figures),
        (trade_table(subject),),
        tuple(
            table(by, group.iter_rows(), caption=f"P&L by {name.lower()}", name=f"group-{row}")
            for row, (name, group) in enumerate(groups.items())
        ),
    )


def trade_table(subject: Subject) -> str:
    """Return the table of trades; the key of a row is where its chart is and what to zoom to."""
    frame = subject.trades.head(TRADES)
    place = {name: row for row, name in enumerate(charted(subject))} if subject.bars else {}
    entry = milliseconds(frame["entry_time"])
    leave = milliseconds(frame["exit_time"].fill_null(frame["entry_time"].max()))
    keys = [
        f"{place[symbol]}|{first:.0f}|{last:.0f}" if symbol in place else ""
        for symbol, first, last in zip(frame["symbol"].to_list(), entry.tolist(), leave.tolist(), strict=True)
    ]
    shown = f"{frame.height:,} of {subject.trades.height:,} trades" + (
        "; all are in trades.parquet" if frame.height < subject.trades.height else ""
    )
    return table(
        list(TRADE_COLUMNS.values()),
        frame.select(*TRADE_COLUMNS).iter_rows(),
        caption=shown,
        name="trades-table",
        keys=keys,
    )


def orders(story: Story) -> Section:
    """How orders ended, and the life of each."""
    subject = story.subject
    frame = subject.orders
    if frame.is_empty():
        return Section("orders", "Orders", ("The strategy sent no order.",))
    ended = (
        frame.group_by("type", "state", "reason")
        .len("count")
        .sort("count", "type", "state", "reason", descending=[True, False, False, False])
    )
    outcome = [(*row, remedy(row[2])) for row in ended.iter_rows()]
    lives = subject.order_events.group_by("order_id", maintain_order=True).agg(
        pl.format("{} ({})", "to_state", "reason").str.join(" → ").alias("life")
    )
    is_bad = pl.col("state").is_in(["rejected", "cancelled", "expired"])
    listed = (
        frame.with_columns(is_bad.alias("is_bad"))
        .sort("is_bad", "order_id", descending=[True, False])
        .head(ORDERS)
        .join(lives, on="order_id", how="left", maintain_order="left")
        .select(
            "order_id", "submitted_at", "symbol", "side", "type", "quantity", "filled_quantity", "state", "life", "tag"
        )
    )
    columns = [
        Column("Order"),
        Column("Decided", "time"),
        Column("Symbol"),
        Column("Side"),
        Column("Type"),
        Column("Quantity", "price"),
        Column("Filled", "price"),
        Column("State"),
        Column("Life"),
        Column("Tag"),
    ]
    note = f"{listed.height:,} of {frame.height:,} orders, those that did not fill first"
    return Section(
        "orders",
        "Orders",
        (),
        (),
        (
            table(
                [Column("Type"), Column("State"), Column("Reason"), Column("Orders", "count"), Column("Remedy")],
                outcome,
                caption="How orders ended",
                name="outcomes",
            ),
            table(columns, listed.iter_rows(), caption=note, name="orders-table"),
        ),
    )


def data(story: Story) -> Section:
    """What was read, what was done to it, and what is missing."""
    subject = story.subject
    read = [
        (one.name, one.rows, one.first, one.last, one.label, one.timezone, one.sha256[:16]) for one in subject.inputs
    ]
    policies = [(one.name, policy, count) for one in subject.inputs for policy, count in one.counts.items()]
    columns = [
        Column("Input"),
        Column("Rows", "count"),
        *(Column(name) for name in ("First", "Last", "Label", "Zone", "SHA-256")),
    ]
    tables = [
        table(columns, read, caption="Inputs", name="inputs"),
        table(
            [Column("Input"), Column("Policy"), Column("Rows", "count")],
            policies,
            caption="Rows that fell under a policy",
            name="policies",
        ),
    ]
    notes = [f"{one.name}: {line}" for one in subject.inputs for line in one.warnings]
    if subject.bars is None:
        notes.append(f"Gaps are not counted. {subject.bars_missing}")
    else:
        gaps = missing_sessions(subject)
        caption = f"Sessions in which others had a bar: {gaps.height:,} symbols with gaps" + (
            f", the {GAPS} with most" if gaps.height > GAPS else ""
        )
        tables.append(
            table(
                [Column("Symbol"), Column("Missing sessions", "count"), Column("Sessions", "count")],
                gaps.head(GAPS).iter_rows(),
                caption=caption,
                name="gaps",
            )
        )
    return Section("data", "Data quality", tuple(notes), (), tuple(tables))


def missing_sessions(subject: Subject) -> pl.DataFrame:
    """Return `symbol`, `missing` and `sessions`: those between its first and last bar that any symbol has, most missing first."""
    bars = subject.bars
    if bars is None:
        return pl.DataFrame(schema={"symbol": pl.String, "missing": pl.Int64, "sessions": pl.Int64})
    seen = pl.DataFrame({"symbol": bars.symbol, "session": bars.session}).unique()
    calendar = seen["session"].unique().sort()
    own = seen.group_by("symbol").agg(
        pl.col("session").min().alias("a"), pl.col("session").max().alias("b"), pl.len().alias("has")
    )
    places = [calendar.search_sorted(own[name]) for name in ("a", "b")]
    sessions = (places[1] - places[0] + 1).cast(pl.Int64)
    return (
        own.with_columns(sessions.alias("sessions"))
        .select(
            pl.Series(bars.symbols, dtype=pl.String).gather(own["symbol"].cast(pl.Int64)).alias("symbol"),
            (pl.col("sessions") - pl.col("has").cast(pl.Int64)).alias("missing"),
            "sessions",
        )
        .filter(pl.col("missing") > 0)
        .sort("missing", "symbol", descending=[True, False])
    )
