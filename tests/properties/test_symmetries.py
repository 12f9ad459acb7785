"""What must not matter does not, bit for bit: names, the order of rows, the unit of money, room in tables."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import replay
from cases import Bar, Case, Protect, Rebalance, Replace, Request, Submit, random_case
from drawn_cases import EFFORT, cases, seeded_cases
from ml4t.backtest import BacktestConfig, Engine, allocation
from tight import capacities, shrink

ALL_CASES = st.one_of(cases(), seeded_cases())
Frames = dict[str, pl.DataFrame]


def assert_same(found: Frames, expected: Frames) -> None:
    for name, frame in expected.items():
        assert_frame_equal(found[name], frame, check_exact=True)


def frames_of(case: Case, data: pl.DataFrame | None = None) -> Frames:
    frames: Frames = replay.engine(case, data).run().frames()
    return frames


# ----------------------------------------------------------------------------------------------------- names and rows
NAMES = {"A": "zebra", "B": "Änderung", "C": "0"}
"""They sort in another order than the originals."""


def renamed_request(request: Request) -> Request:
    if isinstance(request, Rebalance):
        return dataclasses.replace(request, weights=tuple((NAMES[name], weight) for name, weight in request.weights))
    symbol = getattr(request, "symbol", None)
    return request if symbol is None else dataclasses.replace(request, symbol=NAMES[symbol])


def renamed(case: Case) -> Case:
    config: dict[str, Any] = {**case.config}
    for section in ("instruments", "costs"):
        own = {NAMES[symbol]: value for symbol, value in config[section].get("symbols", {}).items()}
        config[section] = {**config[section], **({"symbols": own} if own else {})}
    script = {n: [renamed_request(request) for request in requests] for n, requests in case.script.items()}
    bars, finer = (
        [dataclasses.replace(bar, symbol=NAMES[bar.symbol]) for bar in each] for each in (case.bars, case.finer)
    )
    universe = [NAMES[symbol] for symbol in case.universe]
    return dataclasses.replace(case, bars=bars, universe=universe, config=config, script=script, finer=finer)


@EFFORT
@given(case=ALL_CASES)
def test_names_do_not_matter(case: Case) -> None:
    expected = {
        name: frame.with_columns(pl.col("symbol").replace(NAMES)) if "symbol" in frame.columns else frame
        for name, frame in frames_of(case).items()
    }
    assert_same(frames_of(renamed(case)), expected)


@EFFORT
@given(case=ALL_CASES, seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter_when_they_are_to_be_sorted(case: Case, seed: int) -> None:
    data = {**case.config.get("data", {}), "sort": True}
    rows = replay.frame(case)
    shuffled = rows[random.Random(seed).sample(range(rows.height), rows.height)]
    found = frames_of(dataclasses.replace(case, config={**case.config, "data": data}), shuffled)
    assert_same(found, frames_of(case))


# -------------------------------------------------------------------------------------------------------------- money
MONEY = {
    "fills": ("price", "reference_price", "commission", "slippage", "cash_after"),
    "orders": ("limit", "stop", "activation", "trail_amount", "average_fill_price", "commission"),
    "trades": ("entry_price", "exit_price", "gross_pnl", "commission", "slippage", "pnl", "mfe", "mae"),
    "positions": ("average_price", "mark", "value", "unrealized_pnl", "realized_pnl"),
    "equity": ("cash", "equity", "net_exposure", "gross_exposure"),
    "journal": ("amount",),
}
PRICES = ("open", "high", "low", "close", "bid", "ask", "open_bid", "open_ask", "vwap", "limit_up", "limit_down")
MONEY_SETTINGS = {"cash", "tick_size", "fixed", "per_share", "per_contract", "minimum", "maximum", "amount", "up_to"}
MONEY_SETTINGS |= {"sell_per_unit", "sell_cap"}


def scaled_settings(value: Any, factor: float, name: str = "") -> Any:
    """The settings with every amount of money and every price times the factor."""
    if isinstance(value, dict):
        return {key: scaled_settings(inner, factor, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [scaled_settings(inner, factor) for inner in value]
    return value * factor if name in MONEY_SETTINGS else value


def scaled_term(value: Any, factor: float, is_money: bool) -> Any:
    """A price, or the amount of an offset, times the factor; rates are what they were."""
    if isinstance(value, list):  # a ladder
        return [(scaled_term(level, factor, is_money), fraction) for level, fraction in value]
    if isinstance(value, dict):
        return {key: inner * factor if key == "amount" else inner for key, inner in value.items()}
    return value * factor if is_money else value


def scaled_terms(terms: dict[str, Any], factor: float, money: set[str]) -> dict[str, Any]:
    return {name: scaled_term(value, factor, name in money) for name, value in terms.items()}


def scaled_bar(bar: Bar, factor: float) -> Bar:
    given = {name: getattr(bar, name) for name in PRICES}
    return dataclasses.replace(bar, **{name: price * factor for name, price in given.items() if price is not None})


def scaled_request(request: Request, factor: float) -> Request:
    if isinstance(request, Submit):
        money = {"limit", "stop", "touch", "activation", "value"}
        money |= {"target"} if request.method == "order_target_value" else set()
        return dataclasses.replace(request, kwargs=scaled_terms(request.kwargs, factor, money))
    if isinstance(request, Protect):
        return dataclasses.replace(request, exits=scaled_terms(request.exits, factor, set()))
    if isinstance(request, Rebalance):
        return dataclasses.replace(request, minimum_trade=request.minimum_trade * factor)
    if isinstance(request, Replace):
        fields = {name: value * (1 if name == "quantity" else factor) for name, value in request.fields.items()}
        return dataclasses.replace(request, fields=fields)
    return request


@EFFORT
@given(case=ALL_CASES, factor=st.sampled_from((2.0, 0.5, 1024.0, 2.0**-20)))
def test_another_unit_of_money_scales_money_only(case: Case, factor: float) -> None:
    """By a power of two, which changes no rounding. Amounts in a file of fees are not ours to scale."""
    assume(case.config["costs"]["commission"]["kind"] != "table")
    other = dataclasses.replace(
        case,
        bars=[scaled_bar(bar, factor) for bar in case.bars],
        config=scaled_settings(case.config, factor),
        script={n: [scaled_request(request, factor) for request in requests] for n, requests in case.script.items()},
        finer=[scaled_bar(bar, factor) for bar in case.finer],
        exit_rules=None if case.exit_rules is None else scaled_terms(case.exit_rules, factor, set()),
    )
    expected = {
        name: frame.with_columns(pl.col(column) * factor for column in MONEY.get(name, ()))
        for name, frame in frames_of(case).items()
    }
    offsets = {name: f"{name}_basis" for name in ("limit", "stop", "activation")}
    expected["orders"] = expected["orders"].with_columns(
        pl.when(pl.col(basis).cast(pl.String).str.ends_with("_rate"))
        .then(pl.col(name) / factor)
        .otherwise(pl.col(name))
        .alias(name)
        for name, basis in offsets.items()
    )
    assert_same(frames_of(other), expected)


# --------------------------------------------------------------------------------------------------------------- room
def engine_with(case: Case, **orders: int) -> Engine:
    config = replay.config(case)
    config["orders"] = {**config.get("orders", {}), **orders}
    finer = replay.bar_frame(case.finer) if case.finer else None
    return Engine(replay.strategy(case), replay.frame(case), BacktestConfig.load(config), finer=finer)


@EFFORT
@given(case=ALL_CASES)
def test_room_for_one_order_is_enough(case: Case) -> None:
    assert_same(engine_with(case, reserve=1).run().frames(), frames_of(case))


@settings(EFFORT, max_examples=EFFORT.max_examples // 2)
@given(case=ALL_CASES, reserved=st.sampled_from((0, allocation.RESERVED)))
def test_every_table_may_start_with_room_for_one(case: Case, reserved: int) -> None:
    """And grow little by little, or at once."""
    engine = engine_with(case, reserve=1)
    shrink(engine)
    assert set(capacities(engine).values()) == {1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "RESERVED", reserved)
        found = engine.run().frames()
    assert_same(found, frames_of(case))


def test_without_addresses_to_spare_tables_grow_by_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def room(n: int, dtype: object, allocate: Any = allocation.room) -> Any:
        if n >= 1000:
            refused.append(n)
            raise OSError(12, "Cannot allocate memory")
        return allocate(n, dtype)

    engine = engine_with(random_case(3), reserve=1)
    shrink(engine)
    monkeypatch.setattr(allocation, "room", room)
    found = engine.run().frames()
    assert refused
    monkeypatch.undo()
    assert_same(found, frames_of(random_case(3)))


def test_the_tables_do_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above would prove nothing if one entry were enough."""
    monkeypatch.setattr(allocation, "RESERVED", 0)
    grown = dict.fromkeys(capacities(engine_with(random_case(0))), 1)
    for seed in range(30):
        engine = engine_with(random_case(seed), reserve=1)
        shrink(engine)
        engine.run()
        grown = {name: max(size, grown[name]) for name, size in capacities(engine).items()}
    assert min(grown.values()) > 1, grown
