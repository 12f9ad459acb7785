"""Configuration: what is read, what is refused and in which words, and that writing and reading give the same."""

import json
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ml4t.backtest.config import (
    BacktestConfig,
    DataConfig,
    FillsConfig,
    MetricsConfig,
    apply_overrides,
    config_json_schema,
    duration_ns,
    load_config,
)
from ml4t.backtest.enums import Admission, MarketFill, PathRule, PostOnly, PriceSource, Shortfall, TimestampLabel
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.models.account import CashAccount, MarginAccount
from ml4t.backtest.models.commission import NoCommission, RateCommission, TieredCommission
from ml4t.backtest.models.instrument import Instrument
from ml4t.backtest.models.slippage import NoSlippage, TickSlippage
from ml4t.backtest.models.tax import Tax
from ml4t.backtest.models.touch import QueueTouch

FULL = """
[strategy]
name = "strategy:Crossover"
[strategy.parameters]
fast = 20
[data]
bars = "bars.parquet"
universe = ["BTC", "BRK.B"]
label = "END"
frequency = "1h30m"
timezone = "America/New_York"
start = 2010-01-01
end = 2012-12-31
[data.session]
open = "09:30"
close = 16:00:00
timezone = "America/New_York"
[data.policy]
missing = "drop"
[data.signals]
path = "in/signals.parquet"
[data.streams.weekly]
path = "/abs/weekly.csv"
label = "session"
[account]
kind = "margin"
cash = 5000
initial_margin_rate = 0.25
shortfall = "Reduce"
[instruments.default]
tick_size = 0.01
[instruments.symbols.BTC]
lot_size = 0
[costs.commission]
kind = "tiered"
tiers = [{up_to = 1000, rate = 0.002}, {rate = 0.001}]
[costs.symbols."BRK.B".slippage]
kind = "ticks"
ticks = 2
[orders]
admission = "pseudo_execute"
"""


def refusal(config, **overrides):
    with pytest.raises(ConfigError) as caught:
        BacktestConfig.load(config, **overrides)
    return str(caught.value)


@pytest.fixture
def file(tmp_path):
    def written(text, name="config.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


# reading


def test_defaults():
    config = BacktestConfig.load()
    assert config.account == CashAccount(100_000.0, "USD", Shortfall.BY_SIZING)
    assert config.fills.market is MarketFill.NEXT_OPEN
    assert config.data.timezone is None
    assert config.costs_of("X") == (NoCommission(), NoSlippage(), NoSlippage(), NoSlippage(), Tax())
    assert config.leaky_rules() == ()
    assert config == BacktestConfig()


def test_a_file_with_everything(file, tmp_path):
    config = load_config(file(FULL))
    assert config.strategy.name == "strategy:Crossover"
    assert config.strategy.parameters == {"fast": 20}
    assert config.data.label is TimestampLabel.END
    assert (config.data.session.open, config.data.session.close) == ("09:30", "16:00")
    assert (config.data.start, config.data.end) == (date(2010, 1, 1), date(2012, 12, 31))
    assert config.account == MarginAccount(5000.0, "USD", Shortfall.REDUCE, 0.25)
    assert config.orders.admission is Admission.PSEUDO_EXECUTE
    assert config.instrument_of("BTC") == Instrument(0.0, 0.01, 1.0)
    assert config.instrument_of("BRK.B") == Instrument(1.0, 0.01, 1.0)
    assert config.costs_of("BRK.B")[:2] == (config.costs.commission, TickSlippage(2))
    assert config.costs_of("BTC")[:2] == (config.costs.commission, NoSlippage())
    assert isinstance(config.costs.commission, TieredCommission)
    assert config.costs.commission.terms().tiers == ((1000.0, 0.002), (float("inf"), 0.001))


def test_how_orders_fill_and_arrive(file, tmp_path):
    config = load_config(
        file("""
            [data]
            calendar = "XNYS"
            finer = {path = "minutes.parquet", frequency = "1m"}
            [account]
            mark = "Mid"
            [fills]
            market = "next_vwap"
            quote = "bid_ask"
            participation = {share = 0.1, basis = "Average", window = 20}
            touch = {kind = "queue", ahead = 500}
            [orders]
            post_only = "reprice"
            latency = {submit = 2, cancel = "50ms"}
        """)
    )
    assert config.data.finer.path == tmp_path / "minutes.parquet"
    assert config.account.mark is PriceSource.MID
    assert (config.fills.market, config.fills.quote) == (MarketFill.NEXT_VWAP, PriceSource.BID_ASK)
    participation = config.fills.participation
    assert (participation.share, participation.basis, participation.window) == (0.1, "average", 20)
    assert config.fills.touch == QueueTouch(500.0)
    assert config.orders.post_only is PostOnly.REPRICE
    assert (config.orders.latency.submit, config.orders.latency.cancel) == (2, "50ms")
    assert sorted(config.columns_needed()) == ["ask", "bid", "open_ask", "open_bid", "vwap"]
    assert (
        config.leaky_rules() == ()
    )  # a bar's own volume and its VWAP are not known before it ends, but no decision sees them
    assert BacktestConfig.load(tomllib.loads(config.to_toml())) == config


def test_paths_in_a_file_are_relative_to_its_folder(file, tmp_path, monkeypatch):
    path = file(FULL)
    monkeypatch.chdir(tmp_path.parent)
    for config in (load_config(path), load_config(path.relative_to(tmp_path.parent)), BacktestConfig.load(path)):
        assert config.data.bars == tmp_path / "bars.parquet"
        assert config.data.signals.path == tmp_path / "in" / "signals.parquet"
        assert config.data.streams["weekly"].path == Path("/abs/weekly.csv")
        assert config.output.root == tmp_path / "runs"  # the default as well
    assert BacktestConfig.load({"data": {"bars": "b.csv"}}).data.bars == Path("b.csv")
    assert BacktestConfig().output.root == Path("runs")


def test_json_and_byte_order_mark(file):
    values = {"run": {"seed": 7}, "data": {"start": "2010-01-01"}}
    config = load_config(file(json.dumps(values), "config.json"))
    assert (config.run.seed, config.data.start) == (7, date(2010, 1, 1))
    assert load_config(file(b"\xef\xbb\xbf[run]\r\nseed = 7\r\n")).run.seed == 7


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.toml", "[run]\nseed = = 1\n", "line 2, column 8"),
        ("config.json", '{"run": {\n"seed": }}', "line 2 column 9"),
        ("config.json", '{"run": {"seed": 1, "seed": 2}}', "'seed' is given twice"),
        ("config.json", "[1]", "one JSON object"),
        ("config.json", "[" * 100_000, "nested too deeply"),
        ("config.toml", b"[run]\n# \xff", "not UTF-8 at byte 8"),
        ("config.yaml", "run: 1", ".toml or .json"),
        ("config.toml", "[run]\nsede = 1\n", "run.sede = 1: unknown key. Did you mean 'seed'?"),
    ],
)
def test_files_that_cannot_be_read(file, name, text, said):
    path = file(text, name)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: no such config file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        BacktestConfig.load(str(tmp_path / "folder.toml"))


def test_load_takes_every_form(file):
    config = BacktestConfig(account=CashAccount(5.0))
    assert BacktestConfig.load(config) is config
    assert BacktestConfig.load({"account": {"cash": 5}}) == config
    assert BacktestConfig.load({"account": CashAccount(5.0)}) == config
    assert BacktestConfig.load({"fills": FillsConfig(path=PathRule.BEST_FIRST)}).fills.path is PathRule.BEST_FIRST
    assert BacktestConfig.load({"fills": {"path": PathRule.BEST_FIRST}}).fills.path is PathRule.BEST_FIRST
    with pytest.raises(ConfigError, match="not int"):
        BacktestConfig.load(5)


# overrides


def test_keyword_overrides_win_and_none_is_not_given():
    base = {"account": {"kind": "margin", "cash": 5.0, "initial_margin_rate": 0.3}}
    for below in (base, BacktestConfig.load(base), {"account": MarginAccount(5.0, initial_margin_rate=0.3)}):
        config = BacktestConfig.load(below, **{"account.cash": 9.0, "run.seed": None, "data.symbol": "A.B"})
        assert config.account == MarginAccount(9.0, initial_margin_rate=0.3)
        assert (config.run.seed, config.data.symbol) == (0, "A.B")
        assert BacktestConfig.load(below, account={"cash": 9.0}).account.cash == 9.0
    assert base == {"account": {"kind": "margin", "cash": 5.0, "initial_margin_rate": 0.3}}


def test_assignments():
    tables = {"costs": {"commission": {"kind": "rate", "rate": 0.001}}, "run": {"seed": 1}}
    result = apply_overrides(
        tables,
        [
            "costs.commission.rate=0.002",
            "data.symbol = SPX",
            "data.bars=C:\\data\\bars.csv",
            "data.start=2010-01-01",
            'instruments.symbols."BRK.B".lot_size=0',
            "run.seed=2",
            "run.seed=3",
        ],
    )
    assert result == {
        "costs": {"commission": {"kind": "rate", "rate": 0.002}},
        "run": {"seed": 3},
        "data": {"symbol": "SPX", "bars": "C:\\data\\bars.csv", "start": date(2010, 1, 1)},
        "instruments": {"symbols": {"BRK.B": {"lot_size": 0}}},
    }
    assert tables == {"costs": {"commission": {"kind": "rate", "rate": 0.001}}, "run": {"seed": 1}}


def test_another_kind_drops_what_only_the_old_kind_has():
    per_share = {"costs": {"commission": {"kind": "per_share", "per_share": 0.01, "minimum": 1.0}}}
    result = apply_overrides(per_share, ["costs.commission.kind=rate_plus_fixed", "costs.commission.rate=0.001"])
    assert result["costs"]["commission"] == {"kind": "rate_plus_fixed", "rate": 0.001}
    kept = apply_overrides(per_share, ["costs.commission.kind=rate", "costs.commission.rate=0.001"])
    assert BacktestConfig.load(kept).costs.commission == RateCommission(0.001, minimum=1.0)
    config = BacktestConfig.load(BacktestConfig.load({"account": {"cash": 7.0}}), **{"account.kind": "margin"})
    assert config.account == MarginAccount(7.0)


@pytest.mark.parametrize("text", ["run.seed", "run..seed=1", "=1", "run seed=1", "run.seed=1\nrun.warmup=2"])
def test_malformed_assignments(text):
    with pytest.raises(ConfigError, match=r"dotted key|write key=value"):
        apply_overrides({}, [text])


def test_an_assignment_of_an_unknown_key_is_found_with_the_file(file):
    with pytest.raises(ConfigError, match=r"run\.sed = 1: unknown key. Did you mean 'seed'"):
        load_config(file(""), ["run.sed=1"])


# refusals


def test_all_problems_are_listed_with_key_value_and_remedy():
    said = refusal(
        {
            "cash": 1,
            "account": {"cash": -5},
            "fills": {"path": "worst_frist", "markt": "next_open"},
            "costs": {"commission": {"kind": "rate", "rate": 5}, "slippage": {"kind": "tick"}},
        }
    )
    assert said.startswith("6 problems")
    for line in (
        "cash = 1: unknown key. Did you mean 'account.cash'?",
        "account.cash = -5: must be greater than 0",
        "fills.markt = 'next_open': unknown key. Did you mean 'market'?",
        "fills.path = 'worst_frist': must be one of worst_first, best_first",
        "costs.commission.rate = 5: must be less than 1 (a fraction of value: 0.001 means 0.1 %",
        "costs.slippage.kind = 'tick': must be one of none, rate, fixed, ticks, volume_share,",
    ):
        assert f"\n  {line}" in said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        # what belongs to another kind
        ({"account": {"initial_margin_rate": 0.5}}, "account.initial_margin_rate = 0.5: kind 'cash' has no"),
        ({"account": {"initial_margin_rate": 0.5}}, "it belongs to kind 'margin'"),
        ({"costs": {"commission": {"rate": 0.1}}}, "it belongs to kind 'rate' and 'rate_plus_fixed'"),
        ({"costs": {"commission": {"kind": "rate", "rat": 0.1}}}, "costs.commission.rat = 0.1: unknown key. Did you"),
        ({"costs": {"commission": {"kind": "rate"}}}, "costs.commission.rate: is required"),
        ({"costs": {"commission": {"kind": 5}}}, "costs.commission.kind = 5: must be one of none, rate"),
        # Python's True is 1, and 1 is not what was meant
        ({"account": {"cash": True}}, "account.cash = True: must not be true or false"),
        (
            {"costs": {"commission": {"kind": "rate", "rate": False}}},
            "costs.commission.rate = False: must not be true or false",
        ),
        (
            {"costs": {"symbols": {"A": {"slippage": {"kind": "ticks", "ticks": True}}}}},
            "ticks = True: must not be true or false",
        ),
        # places
        ({"costs": {"symbols": {"A.B": {"commission": {"kind": "rate", "rate": 2}}}}}, '"A.B".commission.rate = 2:'),
        ({"costs": {"symbols": {"commission": {"commission": {"kind": "rate", "rate": 2}}}}}, ".commission.rate = 2:"),
        ({"costs": {"commission": {"kind": "tiered", "tiers": [{"rate": 0.1, "to": 1}]}}}, "tiers[0].to = 1: unknown"),
        ({"costs": {"commission": {"kind": "tiered", "tiers": []}}}, "costs.commission: tiers must have at least"),
        (
            {"costs": 3},
            "costs = 3: must be a table of commission, slippage, slippage_range, spread, stop_slippage, symbols, tax",
        ),
        ({"instruments": {"BTC": {}}}, "instruments.BTC: unknown key. Known here: default, symbols"),
        ({"instruments": {"symbols": {"BTC": {"tik_size": 1}}}}, "Did you mean 'tick_size'?"),
        ({"instruments": {"symbols": {"": {}}}}, "instruments.symbols.\"\" = '': must not be empty"),
        ({"data": {"streams": {"w": {}}}}, "data.streams.w.path: is required"),
        # values
        ({"fills": {"market": 0}}, "fills.market = 0: must be one of next_open, next_close, same_close"),
        ({"metrics": {"basis": "day"}}, "metrics.basis = 'day': must be 'session' or 'bar'"),
        ({"metrics": {"var_level": 0}}, "metrics.var_level = 0: must be greater than 0"),
        ({"account": {"cash": float("inf")}}, "account.cash = inf: must be a finite number"),
        ({"account": {"cash": 0}}, "account.cash = 0: must be greater than 0"),
        (
            {"fills": {"quote": "middle"}},
            "fills.quote = 'middle': must be one of last, mid, bid_ask. Did you mean 'mid'?",
        ),
        ({"fills": {"participation": {"share": 0}}}, "fills.participation.share = 0: must be greater than 0"),
        (
            {"fills": {"participation": {"share": 1.5}}},
            "fills.participation.share = 1.5: must be less than or equal to 1",
        ),
        ({"fills": {"participation": {"basis": "bar"}}}, "fills.participation.share: is required"),
        (
            {"fills": {"participation": {"share": 1, "basis": "none"}}},
            "fills.participation.basis = 'none': must be 'bar', 'previous', 'average' or 'daily_average'",
        ),
        ({"fills": {"touch": {"kind": "maybe"}}}, "must be one of always, through, probability, queue"),
        ({"fills": {"touch": {"kind": "probability"}}}, "fills.touch.probability: is required"),
        ({"fills": {"touch": {"kind": "probability", "probability": 1.1}}}, "probability = 1.1: must be less than"),
        (
            {"fills": {"touch": {"kind": "through", "ahead": 1}}},
            "kind 'through' has no 'ahead'; it belongs to kind 'queue'",
        ),
        ({"orders": {"latency": {"submit": 0}}}, "orders.latency.submit = 0: must be a duration"),
        ({"orders": {"latency": {"submit": 1.5}}}, "orders.latency.submit = 1.5: must be a duration"),
        (
            {"orders": {"latency": {"submit": "2 bars"}}},
            "orders.latency.submit = '2 bars': must be whole numbers with a unit",
        ),
        ({"orders": {"latency": {"cancel": 0}}}, "orders.latency.cancel = 0: must be a duration"),
        (
            {"orders": {"latency": {"cancel": "2 bars"}}},
            "orders.latency.cancel = '2 bars': must be whole numbers with a unit",
        ),
        ({"data": {"calendar": ""}}, "data.calendar = '': must not be empty"),
        ({"data": {"finer": {"pth": "x"}}}, "data.finer.pth = 'x': unknown key. Did you mean 'path'?"),
        ({"data": {"streams": {"finer": {"path": "x"}}}}, "a stream cannot be called 'finer'"),
        ({"run": {"seed": True}}, "run.seed = True: must not be true or false"),
        ({"run": {"warmup": -1}}, "run.warmup = -1: must be greater than or equal to 0"),
        ({"orders": {"reserve": 0}}, "orders.reserve = 0"),
        ({"data": {"universe": "A"}}, "data.universe = 'A': must be a list"),
        ({"data": {"universe": ["A", "B", "A"]}}, "names A more than once"),
        ({"data": {"frequency": "1 minute"}}, "data.frequency = '1 minute': must be whole numbers with a unit"),
        ({"data": {"frequency": "0m"}}, "data.frequency = '0m'"),
        ({"data": {"timezone": "America/NewYork"}}, "Did you mean 'America/New_York'?"),
        ({"data": {"timezone": "../etc/passwd"}}, "is not a time zone"),
        ({"data": {"start": 2010}}, "data.start = 2010: must be a date"),
        ({"data": {"start": "2010"}}, "data.start = '2010': must be a date"),
        ({"data": {"start": "2010-02-30"}}, "data.start = '2010-02-30': must be a date"),
        ({"data": {"session": {"open": "9:30", "close": "16:00", "timezone": "UTC"}}}, "must be a time of day HH:MM"),
        ({"data": {"session": {"open": "18:00", "close": "17:00", "timezone": "UTC"}}}, "open 18:00 must be before"),
        ({"data": {"session": {"open": "09:30", "close": "16:00"}}}, "data.session.timezone: is required"),
        ({"strategy": {"name": "os.system('x')"}}, "strategy.name = \"os.system('x')\": must be module:Class"),
        ({"output": {"run_id": ".."}}, "output.run_id = '..': must be 1 to 64"),
        ({"output": {"run_id": "a/b"}}, "output.run_id = 'a/b'"),
        ({"output": {"run_id": "a\n"}}, "output.run_id"),
        ({"output": {"run_id": "x" * 65}}, "must be 1 to 64"),
        # what does not go together
        ({"data": {"start": "2010-02-01", "end": "2010-01-31"}}, "data: start 2010-02-01 is after end 2010-01-31"),
        (
            {"fills": {"participation": {"share": 1, "basis": "average"}}},
            "fills.participation: basis 'average' needs window",
        ),
        (
            {"fills": {"participation": {"share": 1, "window": 5}}},
            "window belongs to basis 'average' or 'daily_average', not to 'bar'",
        ),
        (
            {"fills": {"participation": {"share": 1, "basis": "daily_average"}}},
            "fills.participation: basis 'daily_average' needs window, the number of sessions",
        ),
        (
            {"data": {"calendar": "XNYS", "session": {"open": "09:30", "close": "16:00", "timezone": "UTC"}}},
            "data: session and calendar both say when sessions open and close; give one of them",
        ),
        ({"fills": {"market": "same_close"}}, "fills.market=same_close: uses what is known only after the decision"),
        ({"costs": {"slippage": {"kind": "ticks", "ticks": 1}}}, "needs instruments.default.tick_size > 0"),
    ],
)
def test_refusals(config, said):
    assert said in refusal(config)


def test_constructors_raise_the_same_error():
    with pytest.raises(ConfigError, match=r"sort = 'x': must be a valid boolean"):
        DataConfig(sort="x")
    with pytest.raises(ConfigError, match=r"costs\.commission\.rate = 5"):
        BacktestConfig(costs={"commission": RateCommission(5)})
    with pytest.raises(ConfigError, match="2 problems"):
        MetricsConfig(var_level=2, basis="x")


def test_config_is_immutable():
    with pytest.raises(ValidationError, match="frozen"):
        BacktestConfig().run.seed = 5


# what does not go together


def test_leaky_rules_need_acknowledgement():
    config = BacktestConfig.load({"fills": {"market": "same_close"}, "run": {"acknowledge_leaky": True}})
    assert config.leaky_rules() == ("fills.market=same_close",)


def test_a_rule_with_the_number_of_a_leaky_one_is_not_leaky():
    assert PathRule.OPEN_HIGH_LOW_CLOSE == MarketFill.SAME_CLOSE  # both are 2
    assert BacktestConfig.load({"fills": {"path": "open_high_low_close"}}).leaky_rules() == ()


TICKS = {"slippage": {"kind": "ticks", "ticks": 1}}


@pytest.mark.parametrize(
    "config",
    [
        {"costs": TICKS, "instruments": {"default": {"tick_size": 0.01}}},
        {"costs": TICKS, "data": {"symbol": "A"}, "instruments": {"symbols": {"A": {"tick_size": 0.01}}}},
        {"costs": {"symbols": {"A": TICKS}}, "instruments": {"symbols": {"A": {"tick_size": 0.01}}}},
        {
            "costs": {**TICKS, "symbols": {"B": {"slippage": {"kind": "none"}}}},
            "data": {"universe": ["A", "B"]},
            "instruments": {"symbols": {"A": {"tick_size": 0.01}}},
        },
    ],
)
def test_ticks_with_a_tick_size_for_every_symbol_they_apply_to(config):
    assert BacktestConfig.load(config)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"costs": TICKS, "data": {"universe": ["A", "B"]}, "instruments": {"symbols": {"A": {"tick_size": 1}}}},
            "costs.slippage.kind = 'ticks': needs instruments.symbols.B.tick_size > 0",
        ),
        (
            {"costs": {"symbols": {"A": TICKS}}},
            "costs.symbols.A.slippage.kind = 'ticks': needs instruments.symbols.A.tick_size > 0",
        ),
        (
            {
                "costs": TICKS,
                "instruments": {"default": {"tick_size": 1}, "symbols": {"A": {"tick_size": 0}}},
                "data": {"symbol": "A"},
            },
            "needs instruments.symbols.A.tick_size > 0",
        ),
    ],
)
def test_ticks_without_a_tick_size(config, said):
    assert said in refusal(config)


# the period


def ns(*args):
    return int(datetime(*args, tzinfo=UTC).timestamp()) * 10**9


def test_a_period_of_dates_covers_the_whole_last_day_in_the_zone():
    data = DataConfig(start="2024-03-10", end="2024-03-10", timezone="America/New_York")  # 23 hours: clocks go forward
    assert data.period_ns() == (ns(2024, 3, 10, 5), ns(2024, 3, 11, 4) - 1)


def test_a_period_of_instants():
    data = DataConfig(start="2024-01-02T09:30", end="2024-01-02T12:00:00+00:00", timezone="Asia/Tokyo")
    assert data.period_ns() == (ns(2024, 1, 2, 0, 30), ns(2024, 1, 2, 12))
    with pytest.raises(ConfigError, match="is after end"):
        DataConfig(start="2024-01-02T12:00:00-01:00", end="2024-01-02T12:00:00+00:00")


def test_a_period_without_limits():
    everything = (-(2**63), 2**63 - 1)
    assert DataConfig().period_ns() == everything
    assert DataConfig(start="0001-01-01", end="9999-12-31").period_ns() == everything


@pytest.mark.parametrize(
    ("text", "expected"), [("1m", 60 * 10**9), ("1d", 86_400 * 10**9), ("250ms", 250_000_000), ("1h30m", 5400 * 10**9)]
)
def test_durations(text, expected):
    assert duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "m", "1", "1.5h", "-1m", "0s", "1mo", "1 m", "99999999w"])
def test_durations_that_are_none(text):
    with pytest.raises(ValueError, match="whole numbers with a unit"):
        duration_ns(text)


# writing


def test_flatten_names_every_setting():
    flat = BacktestConfig.load(
        {"costs": {"symbols": {"BRK.B": {"commission": {"kind": "per_share", "per_share": 0.01}}}}}
    ).flatten()
    assert flat["fills.market"] == "next_open"
    assert flat["account.kind"] == "cash"
    assert flat["data.start"] is None
    assert flat["output.root"] == "runs"
    assert flat['costs.symbols."BRK.B".commission.per_share'] == 0.01


def test_what_toml_cannot_hold_is_refused():
    config = BacktestConfig.load({"strategy": {"name": "a:B", "parameters": {"model": object()}}})
    with pytest.raises(ConfigError, match=r"strategy\.parameters"):
        config.to_toml()


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
numbers = st.floats(0, 1e12)
rates = st.floats(0, 1, exclude_max=True)
tiers = st.builds(
    lambda limits, last: [*({"up_to": x, "rate": r} for x, r in sorted(limits.items())), {"rate": last}],
    st.dictionaries(st.floats(1, 1e9), rates, max_size=3),
    rates,
)
commissions = st.one_of(
    st.just({"kind": "none"}),
    st.fixed_dictionaries({"kind": st.just("rate"), "rate": rates}),
    st.fixed_dictionaries(
        {"kind": st.just("per_share"), "per_share": numbers},
        optional={"minimum": numbers, "cap_rate": st.floats(1e-9, 0.99)},
    ),
    st.fixed_dictionaries({"kind": st.just("per_order"), "fixed": numbers}),
    st.fixed_dictionaries({"kind": st.just("rate_plus_fixed"), "rate": rates, "fixed": numbers}),
    st.fixed_dictionaries({"kind": st.just("tiered"), "tiers": tiers}),
)
slippages = st.one_of(
    st.just({"kind": "none"}),
    st.fixed_dictionaries({"kind": st.just("rate"), "rate": rates}),
    st.fixed_dictionaries({"kind": st.just("fixed"), "amount": numbers}),
    st.fixed_dictionaries({"kind": st.just("ticks"), "ticks": st.integers(0, 100)}),
)
instruments = st.fixed_dictionaries(
    {"tick_size": st.floats(1e-6, 1e3)}, optional={"lot_size": numbers, "multiplier": st.floats(1e-6, 1e6)}
)
configs = st.fixed_dictionaries(
    {
        "instruments": st.fixed_dictionaries({"default": instruments, "symbols": st.dictionaries(names, instruments)}),
        "costs": st.fixed_dictionaries(
            {},
            optional={
                "commission": commissions,
                "slippage": slippages,
                "symbols": st.dictionaries(
                    names, st.fixed_dictionaries({}, optional={"commission": commissions, "slippage": slippages})
                ),
            },
        ),
        "account": st.one_of(
            st.fixed_dictionaries({"kind": st.just("cash"), "cash": st.floats(1e-3, 1e15)}),
            st.fixed_dictionaries({"kind": st.just("margin"), "initial_margin_rate": st.floats(1e-3, 1)}),
        ),
    },
    optional={
        "data": st.fixed_dictionaries(
            {},
            optional={
                "universe": st.lists(names, unique=True, min_size=1, max_size=4),
                "start": st.one_of(st.dates(max_value=date(1999, 1, 1)), st.datetimes(max_value=datetime(1999, 1, 1))),
                "end": st.one_of(
                    st.dates(date(2000, 1, 1)), st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC))
                ),
                "label": st.sampled_from(TimestampLabel),
                "streams": st.dictionaries(names, st.just({"path": "a/b.csv"}), max_size=2),
                "session": st.just({"open": "09:30", "close": "16:00", "timezone": "Europe/Paris"}),
            },
        ),
        "strategy": st.fixed_dictionaries(
            {"name": st.just("a.b:C")},
            optional={
                "parameters": st.dictionaries(
                    names, st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), numbers, names)
                )
            },
        ),
        "run": st.fixed_dictionaries({"seed": st.integers(0, 2**63 - 1), "warmup": st.integers(0, 1000)}),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables=configs)
def test_written_and_read_again_it_is_equal(tables):
    config = BacktestConfig.load(tables)
    assert BacktestConfig.load(tomllib.loads(config.to_toml())) == config


def test_the_full_file_written_and_read_again_is_equal(file):
    config = load_config(file(FULL))
    assert load_config(file(config.to_toml(), "again.toml")) == config


def test_json_schema_knows_names_not_numbers():
    text = json.dumps(config_json_schema())
    assert '"next_open"' in text
    assert '"initial_margin_rate"' in text


# cost of importing


def test_models_and_enums_do_not_import_pydantic():
    code = (
        "import sys; import ml4t.backtest.models.commission, ml4t.backtest.models.slippage, "
        "ml4t.backtest.models.account, ml4t.backtest.models.instrument; sys.exit('pydantic_core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
