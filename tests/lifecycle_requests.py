"""Hypothesis strategies of a lifecycle: rules of a run, the shape of the next bar, and the terms of any order."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

UNIVERSE = ["A", "B"]
SYMBOLS = st.sampled_from(UNIVERSE)
SIDES = st.sampled_from(("buy", "sell"))
SMALL = st.integers(1, 4)
AROUND = st.integers(-4, 4)
SIZES = st.sampled_from(({"quantity": 10.0}, {"quantity": 4.0}, {"quantity": 30.0}, {"value": 700.0}))
CHILD_SIZES = st.sampled_from(({"fraction": 1.0}, {"fraction": 0.5}, {"quantity": 5.0}))

Terms = dict[str, Any]
"""`kwargs` of a `Submit`, with prices as ticks from the last close."""

Draw = Any

CONFIGS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(("margin", "margin", "cash")),
        "cash": st.sampled_from((100_000.0, 2_000.0)),
        "shortfall": st.sampled_from(("by_sizing", "reduce")),
        "lot": st.sampled_from((1.0, 0.0)),
        "tick": st.sampled_from((0.0, 1.0)),
        "slippage": st.sampled_from((0.0, 0.5)),
        "market": st.sampled_from(("next_open", "next_open", "next_close")),
        "path": st.sampled_from(("worst_first", "best_first", "open_low_high_close", "nearest_extreme_first")),
        "schedule": st.sampled_from(("phased", "phased", "queue")),
        "share": st.sampled_from((None, 0.1, 0.1)),
        "touch": st.sampled_from(({"kind": "always"}, {"kind": "through"}, {"kind": "queue", "ahead": 8.0})),
        "post_only": st.sampled_from(("reject", "reprice")),
        "cancel": st.sampled_from((None, "30m", "1h", "90m", 1, 2)),
        "submit": st.sampled_from((None, None, 1, "30m")),
    }
)


def config(drawn: dict[str, Any]) -> dict[str, Any]:
    """The config that the drawn choices mean, with every section that the invariants read."""
    fills: dict[str, Any] = {name: drawn[name] for name in ("market", "path", "schedule", "touch")}
    if drawn["share"] is not None:
        fills["participation"] = {"share": drawn["share"]}
    slippage = {"kind": "fixed", "amount": drawn["slippage"]} if drawn["slippage"] else {"kind": "none"}
    account = {"kind": drawn["kind"], "cash": drawn["cash"], "shortfall": drawn["shortfall"]}
    if drawn["kind"] == "margin":
        account["initial_margin_rate"] = 0.5
    return {
        "account": account,
        "instruments": {"default": {"lot_size": drawn["lot"], "tick_size": drawn["tick"], "multiplier": 1.0}},
        "costs": {"commission": {"kind": "none"}, "slippage": slippage},
        "fills": fills,
        "orders": {
            "post_only": drawn["post_only"],
            "valuation": "last_mark",
            "latency": {name: drawn[name] for name in ("submit", "cancel") if drawn[name] is not None},
        },
        "end": {"run": "mark", "symbol": "mark"},
    }


class Shape(NamedTuple):
    """How a bar goes on from the last close, in ticks."""

    gap: int
    body: int
    above: int
    below: int


def shapes() -> st.SearchStrategy[Shape]:
    """The shape of the next bar."""
    return st.builds(Shape, AROUND, AROUND, st.integers(0, 4), st.integers(0, 4))


@st.composite
def prices(draw: Draw) -> Terms:
    """A type of order with its prices."""
    kinds = ("market", "limit", "stop", "touch", "trail", "stop limit", "touch limit", "trail limit")
    kind = draw(st.sampled_from(kinds))
    terms: Terms = {}
    for trigger in ("stop", "touch"):
        if trigger in kind:
            terms[trigger] = draw(AROUND)
    if "trail" in kind:
        size = draw(st.sampled_from(({"amount": 2.0}, {"amount": 1.0}, {"rate": 0.03})))
        terms["trail"] = {**size, "ratchet": draw(st.sampled_from(("path", "path", "close")))}
    if "limit" in kind:
        terms["limit"] = draw(AROUND) if kind != "trail limit" else {"amount": float(draw(AROUND)), "of": "stop"}
    if kind not in ("market", "limit") and draw(st.booleans()):
        terms["activation"] = draw(AROUND)
    return terms


@st.composite
def lives(draw: Draw, terms: Terms) -> Terms:
    """A time in force that an order with these prices may have."""
    tifs = ["GTC", "GTC", "DAY", "BARS", "GTD"]
    if not terms.keys() & {"stop", "touch", "trail"}:
        tifs += ["IOC", "FOK", "OPG", "CLS"]
    tif = draw(st.sampled_from(tifs))
    life: Terms = {} if tif == "GTC" else {"tif": tif}
    if tif == "BARS":
        life["bars"] = draw(st.integers(1, 3))
    if tif == "GTD":
        life["until"] = draw(st.sampled_from((1, 2, 5)))  # half hours from now
    if (
        terms.keys() == {"limit"}
        and tif not in ("IOC", "FOK", "OPG", "CLS")
        and draw(st.sampled_from((False, False, True)))
    ):
        life["post_only"] = True
    return life


@st.composite
def orders(draw: Draw) -> Terms:
    """Prices, life and whether it only reduces."""
    terms = draw(prices())
    terms |= draw(lives(terms))
    if draw(st.sampled_from((False, False, True))):
        terms["reduce_only"] = True
    return terms


@st.composite
def exits(draw: Draw) -> Terms:
    """Some of the rules of a bracket, at distances from the fill."""
    distance = st.builds(lambda ticks: {"amount": float(ticks), "of": "fill"}, SMALL)
    rules = {
        "stop_loss": distance,
        "take_profit": st.one_of(distance, st.builds(lambda a, b: [(a, 0.5), (b, 0.5)], distance, distance)),
        "trailing_stop": st.builds(lambda ticks: {"amount": float(ticks)}, SMALL),
        "break_even": distance,
        "max_bars": st.integers(1, 3),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(rules)), min_size=1, max_size=3, unique=True))
    return {rule: draw(rules[rule]) for rule in sorted(chosen)}
