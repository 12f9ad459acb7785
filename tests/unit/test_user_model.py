# ruff: noqa: A002, RET503 (models have the documented names of their arguments, and one forgets to return)
"""The user's own models: compiled and interpreted alike, and every way to be wrong said with place and reason."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from typing import Any

import numpy as np
import pytest

from ml4t.backtest import BacktestConfig, ConfigError, ModelError, Result, interpreted, run
from ml4t.backtest._cache import kernel_digest
from ml4t.backtest._jit import IS_COMPILED
from ml4t.backtest.artifacts import verify
from ml4t.backtest.artifacts.outcome import Outcome
from scenarios.table import FLAT, MARGIN, Scenario, Scripted, buy, frame, sell, target_value

BARS = [FLAT, (100, 110, 90, 104), (105, 106, 95, 102), FLAT]
ASKS = {1: [buy(10)], 2: [sell(4, stop=98), sell(1, limit=106)]}


def impact(side, quantity, reference, open, high, low, close, volume):
    return reference + side * (high - low) * quantity / volume


def ticket(side, quantity, price, filled_before, value_before):
    if filled_before == 0.0:
        return max(1.0, 0.001 * price * quantity)
    return 0.0


def middle(side, quantity, open, high, low, close, volume):
    return (high + low) / 2.0


def play(models: Any, asks: Any = None, bars: Any = None, **config: Any) -> Result:
    strategy = Scripted()
    strategy._scenario = Scenario("", [], asks or ASKS, [], 0.0)
    return run(strategy, frame(bars or BARS), BacktestConfig.load({}, **(MARGIN | config)), models=models)


def dearer(side, quantity, open, high, low, close, volume):
    return open + quantity / 10.0


def worse(side, quantity, reference, open, high, low, close, volume):
    return reference + quantity / 10.0


BOTH = pytest.mark.parametrize("form", [lambda f: f, interpreted], ids=["compiled", "interpreted"])


@BOTH
def test_slippage(form: Any) -> None:
    """Buy of 10 at the open of 100: + 20 · 10 ÷ 1000; stop of 4 at 98: − 11 · 4 ÷ 1000; the limit pays none."""
    result = play({"slippage": form(impact)})
    prices = dict(zip(result.fills["order_id"], result.fills["price"], strict=True))
    assert prices == pytest.approx({1: 100.2, 2: 97.956, 3: 106.0})


@BOTH
def test_slippage_is_rounded_to_ticks_against_the_order(form: Any) -> None:
    result = play({"slippage": form(impact)}, **{"instruments.default.tick_size": 0.25})
    assert dict(zip(result.fills["order_id"], result.fills["price"], strict=True)) == {1: 100.25, 2: 97.75, 3: 106.0}


@BOTH
def test_commission_and_taxes(form: Any) -> None:
    """max(1, 0.001 · 1 000) and max(1, 0.392); the tax is 0.01 of sells, 392 and 106."""
    result = play({"commission": form(ticket)}, **{"costs.tax": {"sell_rate": 0.01}})
    paid = dict(zip(result.fills["order_id"], result.fills["commission"], strict=True))
    assert paid == pytest.approx({1: 1.0, 2: 1.0 + 3.92, 3: 1.0 + 1.06})


@BOTH
def test_fill_price(form: Any) -> None:
    """Market orders fill at the middle of 90 and 110; stops and limits as ever."""
    result = play({"fill_price": form(middle)})
    prices = dict(zip(result.fills["order_id"], result.fills["reference_price"], strict=True))
    assert prices == {1: 100.0, 2: 98.0, 3: 106.0}
    result = play({"fill_price": form(middle)}, asks={2: [buy(10)]})
    assert result.fills["price"].to_list() == [100.5]


@BOTH
def test_the_price_is_of_what_is_wanted_the_slippage_of_what_is_given(form: Any) -> None:
    """Bar 1 has 5 units for an order of 10: 100 + 10 ÷ 10, and 5 ÷ 10 on top; bar 2 the other 5: 105 + 0.5 + 0.5."""
    models = {"fill_price": form(dearer), "slippage": form(worse)}
    result = play(models, asks={1: [buy(10)]}, **{"fills.participation.share": 0.005})
    assert result.fills.select("reference_price", "price").rows() == [(101.0, 101.5), (105.5, 106.0)]


@BOTH
def test_a_target_that_is_met_at_the_open_is_judged_at_the_models_price(form: Any) -> None:
    """100 at the open of 100 are worth 10 000; at the middle of 96 and 100 that is 102: two more. Until it is known, nothing is missing."""
    bars = [(100, 100, 100, 100), (100, 100, 100, 100), (100, 100, 96, 97)]
    rules = {"orders.valuation": "fill_price"}
    result = play({"fill_price": form(middle)}, {1: [buy(100)], 2: [target_value(10_000)]}, bars, **rules)
    assert result.fills.select("side", "quantity", "price").rows() == [("buy", 100, 100), ("buy", 2, 98)]


def test_the_manifest_lists_models_and_verify_says_that_it_cannot(tmp_path: Any) -> None:
    saved = play({"slippage": impact, "commission": interpreted(ticket)}).save(tmp_path / "run")
    models = json.loads((saved / "manifest.json").read_text())["models"]
    assert [(m["role"], m["name"].partition(":")[2], m["is_interpreted"]) for m in models] == [
        ("slippage", "impact", False),
        ("commission", "ticket", True),
    ]
    assert models[0]["sha256"] == hashlib.sha256(inspect.getsource(impact).encode()).hexdigest()
    assert models[0]["file"] == __file__
    found = verify(saved)
    assert found.outcome == Outcome.CANNOT_VERIFY
    assert "The slippage model" in str(found)


def test_a_fee_table_is_data(tmp_path: Any) -> None:
    path = tmp_path / "fees.csv"
    path.write_text("symbol,rate\n*,0.001\n")
    result = play(None, **{"costs.commission": {"kind": "table", "path": str(path)}})
    (record,) = json.loads((result.save(tmp_path / "run") / "manifest.json").read_text())["models"]
    assert (record["role"], record["file"]) == ("fee_table", str(path))
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text("symbol,rate\n*,0.002\n")
    found = verify(tmp_path / "run")
    assert found.outcome == Outcome.DATA_CHANGED
    assert f"The fee table ({path}) is not the file that was read" in str(found)


def test_models_do_not_change_the_kernel() -> None:
    before = kernel_digest()
    play({"slippage": impact})
    assert kernel_digest() == before


def test_source_without_a_file() -> None:
    space: dict[str, Any] = {}
    exec("def flat(side, quantity, price, filled_before, value_before):\n    return 2.0", space)
    result = play({"commission": space["flat"]}, asks={1: [buy(1)]})
    assert result.fills["commission"].to_list() == [2.0]
    assert (result.models[0].file, len(result.models[0].sha256)) == (None, 64)


# ---------------------------------------------------------------------------------------------------------------- wrong
def line_of(f: Any, text: str) -> int:
    lines, first = inspect.getsourcelines(f)
    return first + next(n for n, line in enumerate(lines) if text in line)


def reads_a_file(side, quantity, reference, open, high, low, close, volume):
    with np.load("prices.npz") as prices:
        return prices["a"]


def forgets(side, quantity, reference, open, high, low, close, volume):
    if quantity > 1:
        return reference


@pytest.mark.skipif(not IS_COMPILED, reason="nothing is compiled")
def test_what_cannot_be_compiled_names_line_and_reason() -> None:
    with pytest.raises(ModelError) as caught:
        play({"slippage": reads_a_file})
    said = str(caught.value)
    assert "slippage model reads_a_file (test_user_model.py, line" in said
    assert f"line {line_of(reads_a_file, 'np.load')}: " in said
    assert "interpreted(reads_a_file)" in said
    with pytest.raises(ModelError, match="cannot be compiled: it must return a number on every path"):
        play({"slippage": forgets})


def test_no_number_in_an_interpreted_model() -> None:
    with pytest.raises(
        ModelError, match=r"forgets .* raised TypeError: it returned None, which is no number, for order 1"
    ):
        play({"slippage": interpreted(forgets)}, asks={1: [buy(1)]})


def raises(side, quantity, reference, open, high, low, close, volume):
    if quantity == 4:
        raise ValueError("four is unlucky")
    return reference


@BOTH
def test_an_exception_ends_the_run(form: Any) -> None:
    with pytest.raises(ModelError) as caught:
        play({"slippage": form(raises)})
    said = str(caught.value)
    assert "slippage model raises (test_user_model.py" in said
    assert "order 2 on the bar of A at 2024-03-05T10:03:00+00:00" in said
    if form is interpreted or not IS_COMPILED:
        assert f"raised ValueError: four is unlucky (test_user_model.py, line {line_of(raises, 'raise ')})" in said
        assert isinstance(caught.value.__cause__, ValueError)
    else:
        assert "interpreted(...)" in said
    assert caught.value.result.status == "failed"
    assert caught.value.result.fills["order_id"][0] == 1


def interrupts(side, quantity, reference, open, high, low, close, volume):
    raise KeyboardInterrupt


def test_an_interrupt_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        play({"slippage": interpreted(interrupts)})


def endless(side, quantity, price, filled_before, value_before):
    return math.inf


def nothing(side, quantity, reference, open, high, low, close, volume):
    return math.nan


def above(side, quantity, open, high, low, close, volume):
    return high + 0.01


@BOTH
@pytest.mark.parametrize(
    ("role", "model", "what"),
    [
        ("slippage", nothing, "slippage model nothing .* returned a price that is NaN or infinite"),
        ("commission", endless, "commission model endless .* returned an amount that is NaN or infinite"),
        ("fill_price", above, "fill price model above .* returned a price that is not inside the bar"),
    ],
)
def test_answers_that_make_no_sense(form: Any, role: str, model: Any, what: str) -> None:
    with pytest.raises(ModelError, match=what + r".* for order 1 on the bar of A at 2024-03-05T10:01:00\+00:00"):
        play({role: form(model)})


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"slipage": impact}, "models['slipage']: there is no such role. Did you mean 'slippage'?"),
        ({"slippage": 0.1}, "models['slippage']: 0.1 is not a function. Give one of the form slippage(side, quantity,"),
        (
            {"slippage": ticket},
            "it is called as slippage(side, quantity, reference, open, high, low, close, volume): too many",
        ),
        (
            {"fill_price": impact},
            "it is called as fill_price(side, quantity, open, high, low, close, volume): missing a required",
        ),
    ],
)
def test_wrong_models_are_refused(models: Any, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        play(models)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("models", "key", "value"),
    [
        ({"slippage": impact}, "costs.slippage", {"kind": "rate", "rate": 0.1}),
        ({"slippage": impact}, "costs.spread", {"kind": "rate", "rate": 0.1}),
        ({"commission": ticket}, "costs.commission", {"kind": "rate", "rate": 0.1}),
        ({"commission": ticket}, "costs.symbols.A.commission", {"kind": "rate", "rate": 0.1}),
    ],
)
def test_a_model_and_a_configured_cost_exclude_each_other(models: Any, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"{key}.kind = 'rate': models\['\w+'\] replaces it"):
        play(models, **{key: value})
