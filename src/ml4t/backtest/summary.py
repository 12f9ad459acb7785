"""What a person sees of a result: plain text, notebook HTML and a terminal table, all from one `Summary`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from ml4t.backtest.enums import Reason
from ml4t.backtest.metrics import METRICS, Unit

if TYPE_CHECKING:
    from rich.table import Table

REMEDIES: dict[Reason, str] = {
    Reason.INSUFFICIENT_CASH: "Order less, size by percent, or set account.shortfall to reduce.",
    Reason.INSUFFICIENT_MARGIN: "Order less, close other positions first, or lower account.initial_margin_rate.",
    Reason.SHORT_NOT_ALLOWED: "Sell at most what is held (close() does), or set account.kind to margin.",
    Reason.NOT_A_LOT_MULTIPLE: "Order multiples of lot_size, size by value or percent, or set lot_size to 0.",
    Reason.ABOVE_MAXIMUM: "One fill takes at most max_quantity of its instrument; order again for the rest, or raise it.",
    Reason.BELOW_MINIMUM: "A fill needs min_quantity of its instrument; order more, or lower it.",
    Reason.NOTHING_TO_REDUCE: "The position was gone before the order could fill; check it, or cancel the second exit.",
    Reason.NOT_IN_FULL: "A FOK order found too little volume or funds; ask for less, or use IOC.",
    Reason.MISSED_OPEN: "An OPG order was not filled at its open; give it a wider limit, or none.",
    Reason.MISSED_CLOSE: "A CLS order was not filled at its close; give it a wider limit, or none.",
    Reason.WOULD_TAKE: "A post-only order met a price at which it would have filled; set orders.post_only to reprice.",
    Reason.NOTHING_TO_TRADE: "At the fill price the size came to less than one lot; ask for more, or lower lot_size.",
}
"""What to do about orders that ended for a reason; the reasons that need nothing done are not here."""

SHOWN = (
    ("total_return", "trades"),
    ("cagr", "win_rate"),
    ("volatility", "profit_factor"),
    ("sharpe", "payoff_ratio"),
    ("sortino", "expectancy"),
    ("calmar", "average_win"),
    ("max_drawdown", "average_loss"),
    ("max_drawdown_duration", "longest_losing_streak"),
    ("value_at_risk", "average_bars_held"),
    ("conditional_value_at_risk", "commission"),
    ("exposure", "slippage"),
    ("turnover", "cost_to_traded_value"),
)
"""The metrics of a summary, in two columns; the others are in `result.metrics`."""

LEGS = ("first_leg", "second_leg", "third_leg")
SUSPICIOUS = 0.1  # of the fills, at an extreme
MISSING = "–"
_COUNTS = ("orders", "rejected_orders", "fills", "open_trades")
_WARNINGS, _SYMBOLS, _WIDTH = 12, 6, 300


class Summarisable(Protocol):
    """What a summary reads of a result."""

    @property
    def status(self) -> str:
        """Either complete or failed."""

    @property
    def error(self) -> str | None:
        """Why it failed; possibly a whole traceback."""

    @property
    def metrics(self) -> Mapping[str, float | int | str | None]:
        """What `metrics.compute` returned."""

    @property
    def strategy(self) -> Any:
        """A `StrategySource`; its name is read."""

    @property
    def config(self) -> Any:
        """A `BacktestConfig`; currency, universe and leaky rules are read."""

    @property
    def inputs(self) -> Sequence[Any]:
        """`Input`s; their name, counts and warnings are read."""

    @property
    def orders(self) -> pl.DataFrame:
        """With symbol, state and reason."""

    @property
    def positions(self) -> pl.DataFrame:
        """With symbol and stale_marks."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The content of every presentation; all text is printable and of bounded length."""

    title: str
    facts: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[tuple[str, str], tuple[str, str]], ...]
    warnings: tuple[str, ...]


def text(result: Summarisable) -> str:
    """The summary as plain text of at most 40 lines, without a newline at the end."""
    content = summary(result)
    lines = [content.title, *(f"{name:<10}{value}" for name, value in content.facts), ""]
    lines += [f"{a:<26}{x:>14}    {b:<22}{y:>14}" for (a, x), (b, y) in content.metrics]
    if content.warnings:
        lines += ["", "Warnings", *(f"- {warning}" for warning in content.warnings)]
    return "\n".join(line.rstrip() for line in lines)


def html(result: Summarisable) -> str:
    """The summary as one static HTML element below 50 kB: escaped, without scripts or anything from elsewhere."""
    content = summary(result)
    facts = "".join(f"<div><b>{escape(name)}</b> {escape(value)}</div>" for name, value in content.facts)
    rows = "".join(f"<tr>{_cells(left)}{_cells(right)}</tr>" for left, right in content.metrics)
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in content.warnings)
    return (
        f"<div><div><b>{escape(content.title)}</b></div>{facts}"
        f"<table><tbody>{rows}</tbody></table>"
        f"{f'<div><b>Warnings</b></div><ul>{warnings}</ul>' if warnings else ''}</div>"
    )


def rich_table(result: Summarisable) -> "Table":
    """The summary as a table for `rich.console.Console.print`, with facts above and warnings below the metrics."""
    from rich.table import Table  # reason: only the command line needs it, and it is slow to import
    from rich.text import Text

    content = summary(result)
    table = Table(title=Text(content.title), show_header=False, caption_justify="left", title_justify="left")
    for justify in ("left", "right", "left", "right"):
        table.add_column(justify=justify)
    for name, value in content.facts:
        table.title = Text.assemble(table.title or "", "\n", (f"{name:<10}", "bold"), value)
    for left, right in content.metrics:
        table.add_row(*(Text(cell) for cell in (*left, *right)))  # Text: a strategy's name is no markup
    if content.warnings:
        table.caption = Text("\n".join(content.warnings), style="yellow")
    return table


def summary(result: Summarisable) -> Summary:
    """What there is to say about a result: who, when, how much, how well, and what to look at."""
    metrics = result.metrics
    currency = result.config.account.currency
    periods = f"{_number(metrics.get('periods'), Unit.COUNT)} {metrics.get('basis', 'period')}s"
    facts = [
        ("Period", f"{_day(metrics.get('start'))} to {_day(metrics.get('end'))}, {periods}, {_yearly(metrics)}"),
        ("Symbols", _symbols(result)),
        ("Account", f"{_money(metrics, 'initial_cash')} to {_money(metrics, 'final_equity')} {currency}"),
        ("Counts", ", ".join(f"{METRICS[name].label.lower()} {_value(name, metrics)}" for name in _COUNTS)),
    ]
    if result.error:
        lines = [line for line in result.error.splitlines() if line.strip()]
        facts += [("Error", line) for line in lines[-3:]]  # the exception and its notes end a traceback
    return Summary(
        title=_plain(f"Backtest of {result.strategy.name}: {result.status}"),
        facts=tuple((name, _plain(value)) for name, value in facts),
        metrics=tuple((_line(left, metrics), _line(right, metrics)) for left, right in SHOWN),
        warnings=_first(list(_warnings(result)), _WARNINGS),
    )


def _warnings(result: Summarisable) -> Iterable[str]:
    for rule in result.config.leaky_rules():
        yield f"Leaky rule: {rule}. It uses information from after the decision; such a result cannot be traded."
    if not len(result.orders):
        yield "The strategy sent no order."
    yield from _failed_orders(result.orders)
    yield from _extreme_fills(result)
    stale = result.positions.filter(pl.col("stale_marks") > 0)
    if len(stale):
        symbols = _listed(stale["symbol"].to_list())
        count = int(stale["stale_marks"].sum())
        yield (
            f"Stale marks of {symbols}: {count:,}. Held at a time without a bar, valued at the last one. "
            "Check the data for gaps, or set end.symbol to close."
        )
    for source in result.inputs:
        for policy, count in source.counts.items():
            if count:
                yield f"Input {source.name}: {count:,} rows fell under the policy for {policy}. Check the source."
        for warning in source.warnings:
            yield f"Input {source.name}: {warning}"


def _extreme_fills(result: Summarisable) -> Iterable[str]:
    """A line where many fills inside bars are at the bar's high or low; nothing where the bars are not at hand."""
    bars, fills = getattr(result, "bars", None), getattr(result, "fills", None)
    if bars is None or fills is None:
        return
    inside = fills.filter(pl.col("segment").is_in(LEGS)).select(
        pl.col("timestamp").dt.epoch("ns").alias("end"), "symbol", "reference_price"
    )
    if inside.is_empty():
        return
    columns = {name: bars.columns[name] for name in ("high", "low")}
    frame = pl.DataFrame({"end": bars.end, "place": bars.symbol, **columns}).with_columns(
        symbol=pl.col("place").replace_strict(dict(enumerate(bars.symbols)), return_dtype=pl.String)
    )
    met = inside.sort("end").join_asof(
        frame.sort("end"), on="end", by="symbol", strategy="forward", check_sortedness=False
    )
    price = pl.col("reference_price")
    share = met.filter((price == pl.col("high")) | (price == pl.col("low"))).height / fills.height
    if share >= SUSPICIOUS:
        yield (
            f"{share:.0%} of fills at the bar's extreme, a price that few would have got. "
            "Ask for more with fills.touch, or give the run finer bars."
        )


def _failed_orders(orders: pl.DataFrame) -> Iterable[str]:
    """One line for each (state, reason) of orders that did not do what was asked."""
    remediable = [reason.name.lower() for reason in REMEDIES]
    groups = (
        orders.filter((pl.col("state") == "rejected") | pl.col("reason").is_in(remediable))
        .group_by("state", "reason")
        .len("count")
        .sort("count", "state", "reason", descending=[True, False, False])
    )
    for state, reason, count in groups.iter_rows():
        yield f"Orders {state} for {reason}: {count:,}. {remedy(reason)}"


def remedy(reason: str | None) -> str:
    """Return what to do about orders that ended for a reason, as results spell it; nothing where nothing need be done."""
    return REMEDIES.get(Reason.__members__.get(str(reason).upper(), Reason.NONE), "")


def _line(name: str, metrics: Mapping[str, float | int | str | None]) -> tuple[str, str]:
    return METRICS[name].label, _value(name, metrics)


def _value(name: str, metrics: Mapping[str, float | int | str | None]) -> str:
    return _number(metrics.get(name), METRICS[name].unit)


def _number(value: float | int | str | None, unit: Unit) -> str:
    if value is None or isinstance(value, str):
        return MISSING
    if abs(value) >= 1e12:
        return f"{value:.4g}"
    return {Unit.FRACTION: f"{value:,.2%}", Unit.COUNT: f"{value:,.0f}"}.get(unit, f"{value:,.2f}")


def _money(metrics: Mapping[str, float | int | str | None], name: str) -> str:
    return _number(metrics.get(name), Unit.MONEY)


def _yearly(metrics: Mapping[str, float | int | str | None]) -> str:
    value = metrics.get("periods_per_year")
    return f"{MISSING if value is None else f'{value:g}'} a year"


def _day(moment: float | int | str | None) -> str:
    """The moment to the second, as far as it has one."""
    return MISSING if moment is None else str(moment).replace("T", " ").split(".")[0]


def _symbols(result: Summarisable) -> str:
    """The universe where the config names it, or else the symbols that were held or ordered."""
    symbols = result.config.data.universe or sorted({*result.positions["symbol"], *result.orders["symbol"]})
    return _listed(symbols) if symbols else MISSING


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_first(names, _SYMBOLS, width=24))


def _first(items: Sequence[str], count: int, width: int = _WIDTH) -> tuple[str, ...]:
    """The items made printable; more than `count` of them are counted instead."""
    rest = (f"and {len(items) - count:,} more",) if len(items) > count else ()
    return (*(_plain(item, width) for item in items[:count]), *rest)


def _plain(value: object, width: int = _WIDTH) -> str:
    """On one line, without control characters (a name must not move a terminal's cursor), cut at `width`."""
    line = "".join(c if c.isprintable() else " " for c in str(value)[: width + 1])
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _cells(pair: tuple[str, str]) -> str:
    name, value = pair
    return f'<td style="text-align:left">{escape(name)}</td><td style="text-align:right">{escape(value)}</td>'
