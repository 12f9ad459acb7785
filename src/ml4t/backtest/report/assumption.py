"""What a run took for granted, in plain words, out of its configuration."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ml4t.backtest.config import BacktestConfig

SENTENCES: dict[str, dict[str, str]] = {
    "fills.market": {
        "next_open": "Market orders fill at the next bar's open.",
        "next_close": "Market orders fill at the next bar's close.",
        "same_close": "Market orders fill at the close the decision has already seen: not tradable.",
        "next_vwap": "Market orders fill at the next bar's volume-weighted average price.",
    },
    "fills.path": {
        "worst_first": "Inside a bar the extreme that is worse for the position comes first.",
        "best_first": "Inside a bar the extreme that is better for the position comes first.",
        "open_high_low_close": "Inside a bar prices go open, high, low, close.",
        "open_low_high_close": "Inside a bar prices go open, low, high, close.",
        "nearest_extreme_first": "Inside a bar the extreme nearer to the open comes first.",
        "close_only": "Limits and stops meet the close of a bar only, never its open, high or low.",
    },
    "fills.quote": {
        "last": "Market orders trade at the last price.",
        "mid": "Market orders trade at the middle of bid and ask.",
        "bid_ask": "Market orders buy at the ask and sell at the bid.",
    },
    "account.shortfall": {
        "by_sizing": "What the account cannot afford is cut down if it was sized by value, and rejected if by quantity.",
        "reject": "What the account cannot afford is rejected.",
        "reduce": "What the account cannot afford is cut down to what it can.",
    },
    "end.run": {
        "mark": "Positions left at the end are valued at the last price.",
        "close": "Positions left at the end are closed.",
    },
    "end.symbol": {
        "mark": "After a symbol's last bar its position keeps the last price.",
        "close": "A position is closed at its symbol's last bar.",
    },
}
"""What a choice means; a choice without a sentence is shown as it is spelled."""


def assumptions(config: BacktestConfig) -> list[str]:
    """Return the assumptions of a run as sentences, the most important first.

    >>> assumptions(BacktestConfig())[0]
    "Market orders fill at the next bar's open."
    """
    settings = config.flatten()
    return [
        *(f"Looks ahead: {rule}. Such a result cannot be traded." for rule in config.leaky_rules()),
        *(meaning(key, settings[key]) for key in ("fills.market", "fills.path", "fills.quote") if key in settings),
        *_volume(config),
        *_costs(config),
        *_account(config),
        *(meaning(key, settings[key]) for key in ("account.shortfall", "end.run", "end.symbol") if key in settings),
        *_delays(config),
    ]


def meaning(key: str, value: Any) -> str:
    """Return the sentence of a choice, or the choice as it is spelled."""
    return SENTENCES.get(key, {}).get(str(value), f"{key} = {value}")


def described(model: Any) -> str:
    """Return a model in words: its description and the values it was given."""
    line = re.sub(r" \([^)]*\)|`", "", (type(model).__doc__ or type(model).__name__).splitlines()[0]).split(". ")[0]
    values = {name: value for name, value in asdict(model).items() if name != "kind" and value is not None}
    given = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
    return f"{line[:1].lower()}{line[1:].rstrip('.')}" + (f" ({given})" if given else "")


def _costs(config: BacktestConfig) -> Iterator[str]:
    for name in ("commission", "slippage", "spread", "stop_slippage"):
        model = getattr(config.costs, name)
        spoken = name.replace("_", " ")
        if getattr(model, "kind", "none") == "none":
            if name in ("commission", "slippage"):
                yield f"No {spoken}."
        else:
            yield f"{spoken.capitalize()}: {described(model)}."
    if any(value for value in asdict(config.costs.tax).values()):
        yield f"Taxes: {described(config.costs.tax)}."
    if config.costs.symbols:
        yield f"{len(config.costs.symbols):,} symbols have costs of their own."


def _account(config: BacktestConfig) -> Iterator[str]:
    account = config.account
    yield f"The account starts with {account.cash:,.2f} {account.currency}: {described(account).split(' (')[0]}."


def _volume(config: BacktestConfig) -> Iterator[str]:
    share = config.fills.participation
    if share is None:
        yield "No volume limits the size of fills."
    else:
        yield f"Fills take at most {share.share:.2%} of the volume (basis: {share.basis})."
    if config.fills.touch.kind != "always":
        yield f"Touched limit orders: {described(config.fills.touch)}."


def _delays(config: BacktestConfig) -> Iterator[str]:
    latency = config.orders.latency
    if latency.submit is not None:
        unit = " bars" if isinstance(latency.submit, int) else ""
        yield f"Orders reach the market {latency.submit}{unit} after the decision."
    if latency.cancel is not None:
        unit = " bars" if isinstance(latency.cancel, int) else ""
        yield f"Cancels reach the market {latency.cancel}{unit} after the decision."
    if config.run.warmup:
        yield f"The first decision comes after {config.run.warmup:,} bars."
