"""Metrics against empyrical where it has the same one, against numbers worked by hand elsewhere."""

import doctest
import importlib
import inspect
import math
import warnings
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import empyrical
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml4t.backtest import Strategy, StrategyError, run
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.metrics import METRICS, Sample, Unit, compute, risk
from ml4t.backtest.metrics import returns as growth
from ml4t.backtest.metrics.cost import cost_fraction
from ml4t.backtest.metrics.drawdown import calmar, max_drawdown, max_drawdown_duration
from ml4t.backtest.metrics.exposure import average_gross_exposure, average_net_exposure, exposure, turnover
from ml4t.backtest.metrics.sample import Cost

TIME = pl.Datetime("ns", "UTC")
SCHEMAS = {
    "equity": {
        "timestamp": TIME,
        "session": pl.Date,
        "cash": pl.Float64,
        "equity": pl.Float64,
        "net_exposure": pl.Float64,
        "gross_exposure": pl.Float64,
        "drawdown": pl.Float64,
    },
    "trades": {
        "direction": pl.String,
        "exit_time": TIME,
        "pnl": pl.Float64,
        "bars_held": pl.Int64,
        "is_open": pl.Boolean,
    },
    "fills": {
        "symbol": pl.String,
        "quantity": pl.Float64,
        "price": pl.Float64,
        "commission": pl.Float64,
        "slippage": pl.Float64,
    },
    "orders": {"state": pl.String, "reason": pl.String},
    "positions": {"symbol": pl.String, "stale_marks": pl.Int64},
}
START = datetime(2020, 1, 2, 15, tzinfo=UTC)
INITIAL = 100.0
MODULES = ("returns", "risk", "drawdown", "exposure", "trading", "cost", "sample", "metric")


def frames(**rows):
    """Result frames with these rows; the others are empty with the right schema."""
    return {name: pl.DataFrame(rows.get(name, []), schema=schema, orient="row") for name, schema in SCHEMAS.items()}


def equity_rows(values, *, per_day=1, gross=0.0, net=0.0):
    return [
        (START + timedelta(days=i // per_day, minutes=i % per_day), date(2020, 1, 2) + timedelta(days=i // per_day),
         value, value, net, gross, 0.0)
        for i, value in enumerate(values)
    ]  # fmt: skip


def trade_rows(*pnl, direction="long", is_open=False):
    return [(direction, START + timedelta(days=i), p, i + 1, is_open) for i, p in enumerate(pnl)]


def computed(initial_cash=INITIAL, rows=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compute(**frames(**(rows or {})), initial_cash=initial_cash, **options)


def sample(path, free=0.0, per_year=252.0, var_level=0.05, **others):
    """What is measured on a path of equity that starts with the initial cash."""
    equity = np.array(path[1:], dtype=float)
    arrays = {"gross": equity, "net": equity} | {name: np.array(a, dtype=float) for name, a in others.items()}
    settings = {"risk_free_rate": free, "periods_per_year": per_year, "var_level": var_level}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = Sample(initial_cash=float(path[0]), equity=equity, last=None, **arrays, **settings)
        assert measured.growth.first == path[0]
    return measured


# --- against empyrical ------------------------------------------------------------------------------------------------
# The same definition, given the same periods per year: total return, CAGR (years = periods ÷ periods per year in both),
# volatility, Sharpe, Sortino, Calmar, maximum drawdown, VaR, CVaR.
# Different on purpose: empyrical takes the risk-free rate per period (here per year, converted), and gives inf or NaN
# where a ratio does not exist (here None). Skewness and kurtosis are SciPy's, which empyrical lists among its own.


@pytest.fixture(scope="module", params=range(5))
def path(request):
    steps = np.random.default_rng(request.param).standard_t(4, 700) * 0.012 + 0.0004
    return 1e5 * np.cumprod(np.concatenate(([1.0], 1 + steps)))


PER_YEAR = 365.0
FREE = 1.03 ** (1 / PER_YEAR) - 1


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("total_return", empyrical.cum_returns_final),
        ("cagr", lambda r: empyrical.cagr(r, annualization=PER_YEAR)),
        ("volatility", lambda r: empyrical.annual_volatility(r, annualization=PER_YEAR)),
        ("sharpe", lambda r: empyrical.sharpe_ratio(r, FREE, annualization=PER_YEAR)),
        ("sortino", lambda r: empyrical.sortino_ratio(r, FREE, annualization=PER_YEAR)),
        ("calmar", lambda r: empyrical.calmar_ratio(r, annualization=PER_YEAR)),
        ("max_drawdown", empyrical.max_drawdown),
        ("value_at_risk", lambda r: empyrical.value_at_risk(r, 0.01)),
        ("conditional_value_at_risk", lambda r: empyrical.conditional_value_at_risk(r, 0.01)),
        ("skew", stats.skew),
        ("kurtosis", stats.kurtosis),
        ("best_period", np.max),
        ("worst_period", np.min),
    ],
)
@pytest.mark.parametrize("basis", ["session", "bar"])
def test_equals_the_reference(path, name, reference, basis):
    expected = reference(np.diff(path) / path[:-1])
    rows = {"equity": equity_rows(path[1:])}
    options = {"basis": basis, "periods_per_year": PER_YEAR, "risk_free_rate": 0.03, "var_level": 0.01}
    assert computed(path[0], rows, **options)[name] == pytest.approx(expected, rel=1e-9)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_the_first_return_is_against_initial_cash():
    assert sample([100.0, 110.0, 99.0]).measures.returns.tolist() == pytest.approx([0.1, -0.1])
    assert computed(rows={"equity": equity_rows([50.0])})["worst_period"] == -0.5


def test_session_basis_takes_the_last_point_of_each_session():
    rows = {"equity": equity_rows([1.0, 110.0, 500.0, 99.0, 120.0], per_day=2)}
    session, bar = computed(rows=rows), computed(rows=rows, basis="bar")
    # sessions close at 110, 99 and 120: returns +10 %, −10 %, +21.2 %
    assert [session[name] for name in ("periods", "start", "end")] == [3, "2020-01-02", "2020-01-04"]
    assert session["worst_period"] == pytest.approx(-0.1)
    assert session["max_drawdown"] == pytest.approx(-0.1)
    assert [bar[name] for name in ("periods", "start")] == [5, "2020-01-02T15:00:00.000000000Z"]
    assert bar["worst_period"] == pytest.approx(-0.99)
    assert bar["max_drawdown"] == pytest.approx(-0.99)
    assert session["basis"] == "session"
    assert bar["periods_per_year"] == 252.0


def test_the_end_keeps_its_nanoseconds():
    frame = frames(equity=equity_rows([100.0]))
    frame["equity"] = frame["equity"].with_columns(pl.lit(1_577_923_199_999_999_999).cast(TIME).alias("timestamp"))
    assert compute(**frame, initial_cash=1.0, basis="bar")["end"] == "2020-01-01T23:59:59.999999999Z"


def test_unknown_basis_is_an_error_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'session'"):
        computed(basis="sessions")


def test_growth_by_hand():
    two_years = sample([100.0, 130.0, 90.0, 110.0, 121.0]).growth
    assert growth.cagr(two_years, periods_per_year=2) == pytest.approx(0.1)  # 1.21^(2 ÷ 4) − 1
    assert growth.total_return(two_years) == pytest.approx(0.21)
    assert growth.cagr(sample([100.0, 0.0]).growth, 252) == -1.0
    assert growth.cagr(sample([100.0, -5.0]).growth, 1) is None
    assert growth.total_return(sample([100.0, -5.0]).growth) == pytest.approx(-1.05)


def test_moments_by_hand():
    # returns 0.5, -0.5, 1, -0.25: mean 0.1875; deviations 0.3125, -0.6875, 0.8125, -0.4375
    measured = sample([64.0, 96.0, 48.0, 96.0, 72.0]).growth
    deviations = (0.3125, -0.6875, 0.8125, -0.4375)
    assert measured.mean == 0.1875
    assert measured[4:7] == pytest.approx([sum(d**power for d in deviations) for power in (2, 3, 4)], rel=1e-14)
    assert (measured.best, measured.worst, measured.shortfall) == (1.0, -0.5, 0.25 + 0.0625)


@given(st.lists(st.floats(-0.9, 9.0), min_size=2, max_size=60), st.floats(-0.02, 0.02))
def test_moments_are_those_of_two_passes(steps, free):
    path = 1e4 * np.cumprod([1.0, *(1 + np.array(steps))])
    returns = np.diff(path) / path[:-1]
    deviations = returns - returns.mean()
    measured = sample(path, (1 + free) ** 252 - 1).growth
    assert measured.mean == pytest.approx(returns.mean(), rel=1e-12, abs=1e-12)
    scale = max(np.abs(deviations).max(), 1e-3)  # returns themselves are rounded
    for power, found in zip((2, 3, 4), measured[4:7], strict=True):
        assert found == pytest.approx((deviations**power).sum(), rel=1e-10, abs=1e-12 * scale**power * len(steps))
    assert measured.shortfall == pytest.approx((np.minimum(returns - free, 0) ** 2).sum(), rel=1e-9, abs=1e-12)


def test_risk_free_rate_compounds_over_the_year():
    # 21 % a year is 10 % in each half; excess returns 0 and 0.2, mean 0.1, s = 0.1·√2, times √2
    assert risk.sharpe(sample([1.0, 1.1, 1.43], 0.21, 2).growth, 2, 0.21) == pytest.approx(1.0)
    # excess −0.1 and 0.3: mean 0.1, downside √(0.01 ÷ 2), times √2
    assert risk.sortino(sample([1.0, 1.0, 1.4], 0.21, 2).growth, 2, 0.21) == pytest.approx(2.0)


@pytest.mark.parametrize("factor", [1.0, 1.1, 0.9, 1.0001])
def test_steady_growth_has_no_ratio(factor):
    steady = sample(100.0 * np.power(factor, np.arange(50.0))).growth
    assert risk.volatility(steady, 252) == 0.0
    assert [risk.sharpe(steady, 252), risk.skew(steady), risk.kurtosis(steady)] == [None] * 3
    assert (risk.sortino(steady, 252) is None) == (factor >= 1)
    assert (calmar(steady, 252) is None) == (factor >= 1)


def test_tails_by_hand():
    def tail(level):
        path = np.cumprod([1.0, 1.05, 0.97, 1.01, 0.99, 1.02])  # returns 0.05, -0.03, 0.01, -0.01, 0.02
        return sample(path, var_level=level).tail

    assert risk.value_at_risk(tail(0.25)) == pytest.approx(-0.01)  # 5 values: the quartile is the second smallest
    assert risk.value_at_risk(tail(0.125)) == pytest.approx(-0.02)  # halfway between −0.03 and −0.01
    assert risk.value_at_risk(tail(1.0)) == pytest.approx(0.05)
    assert risk.conditional_value_at_risk(tail(0.25)) == pytest.approx(-0.02)
    assert risk.conditional_value_at_risk(tail(0.05)) == pytest.approx(-0.03)


@pytest.mark.parametrize(
    ("path", "duration"),
    [
        ([100], 0),
        ([100, 101, 102], 0),
        ([100, 100, 100], 0),
        ([100, 99], 1),  # from the initial cash to the end
        ([100, 110, 105, 110], 2),  # reaching the peak again is recovery
        ([100, 110, 105, 109, 111, 90, 112], 3),
        ([100, 110, 50, 111, 110, 110, 110, 110], 4),  # the deepest is shorter
    ],
)
def test_longest_drawdown(path, duration):
    assert max_drawdown_duration(sample(path).growth) == duration


def test_drawdown_by_hand():
    path = sample([100.0, 80.0, 120.0, 90.0, 96.0]).growth
    assert max_drawdown(path) == pytest.approx(-0.25)
    assert calmar(path, periods_per_year=4) == pytest.approx(-0.04 / 0.25)  # one year, −4 %
    assert max_drawdown(sample([100.0, -50.0]).growth) == pytest.approx(-1.5)


def test_exposure_by_hand():
    gross, equity = np.array([0.0, 100.0, 300.0, 0.0]), np.array([100.0, 100.0, 150.0, 100.0])
    held = sample([100.0, *equity], gross=gross, net=-gross).exposure
    assert exposure(held) == 0.5
    assert average_gross_exposure(held) == pytest.approx(0.75)  # (0 + 1 + 2 + 0) ÷ 4
    assert average_net_exposure(held) == pytest.approx(-0.75)
    assert turnover(450.0, held, years=0.5) == pytest.approx(8.0)  # 450 ÷ 112.5 ÷ 0.5
    ruined = sample([100.0, *(equity - 100)], gross=gross).exposure
    assert average_gross_exposure(ruined) is None
    assert turnover(450.0, ruined, years=1) is None


def test_exposure_of_a_result_sees_every_point():
    rows = {"equity": equity_rows([100.0] * 4, per_day=2)}
    frame = frames(**rows)
    frame["equity"] = frame["equity"].with_columns(
        gross_exposure=pl.Series([50.0, 0.0, 100.0, 0.0]), net_exposure=pl.Series([-50.0, 0.0, 100.0, 0.0])
    )
    metrics = compute(**frame, initial_cash=100.0)
    names = ("exposure", "average_gross_exposure", "average_net_exposure")
    assert [metrics[name] for name in names] == [0.5, 0.375, 0.125]


def test_trades_by_hand():
    # closed: +30 −10 −20 0 +50, and one open trade that must not count
    rows = {"trades": trade_rows(30.0, -10.0, -20.0, 0.0, 50.0) + trade_rows(-1000.0, is_open=True)}
    rows["trades"][0] = ("short", *rows["trades"][0][1:])
    metrics = computed(rows=rows)
    expected = {
        "trades": 5,
        "open_trades": 1,
        "long_trades": 4,
        "short_trades": 1,
        "win_rate": 0.4,
        "profit_factor": 80 / 30,
        "average_win": 40.0,
        "average_loss": -15.0,
        "payoff_ratio": 40 / 15,
        "expectancy": 10.0,
        "largest_win": 50.0,
        "largest_loss": -20.0,
        "average_bars_held": 3.0,
        "longest_losing_streak": 2,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_losing_streak_follows_the_exits_not_the_rows():
    trades = trade_rows(-1.0, 5.0, -1.0, -1.0)
    assert computed(rows={"trades": trades})["longest_losing_streak"] == 2
    late_win = [trades[0], ("long", START + timedelta(days=9), 5.0, 1, False), *trades[2:]]
    assert computed(rows={"trades": late_win})["longest_losing_streak"] == 3


@pytest.mark.parametrize(("pnl", "streak"), [([], 0), ([1.0], 0), ([-1.0], 1), ([-1.0, -1.0, 0.0, -1.0], 2)])
def test_losing_streak(pnl, streak):
    assert computed(rows={"trades": trade_rows(*pnl)})["longest_losing_streak"] == streak


def test_only_wins_have_no_loss_to_compare_with():
    metrics = computed(rows={"trades": trade_rows(1.0, 2.0)})
    assert metrics["win_rate"] == 1.0
    for name in ("profit_factor", "payoff_ratio", "average_loss", "largest_loss"):
        assert metrics[name] is None
    metrics = computed(rows={"trades": trade_rows(-1.0)})
    assert [metrics[n] for n in ("profit_factor", "payoff_ratio", "largest_win")] == [0.0, None, None]


def test_costs_and_counts_by_hand():
    rows = {
        "equity": equity_rows([1000.0, 1000.0]),
        "fills": [("A", 10.0, 20.0, 1.0, 0.5), ("B", 5.0, 60.0, 2.0, 1.5)],
        "orders": [("filled", "executed"), ("filled", "executed"), ("rejected", "insufficient_cash")],
        "positions": [("A", 3), ("B", 1)],
    }
    metrics = computed(1000.0, rows, periods_per_year=4)
    expected = {
        "traded_value": 500.0,  # 10 · 20 + 5 · 60
        "turnover": 1.0,  # 500 ÷ 1000 in half a year
        "commission": 3.0,
        "slippage": 2.0,
        "cost": 5.0,
        "cost_to_traded_value": 0.01,
        "cost_to_initial_cash": 0.005,
        "fills": 2,
        "orders": 3,
        "rejected_orders": 1,
        "stale_marks": 4,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    contract = computed(1000.0, rows, periods_per_year=4, multipliers={"B": 50.0})
    assert contract["traded_value"] == 200.0 + 50 * 300.0
    assert cost_fraction(Cost(), 0.0) is None


def test_without_rows_counts_are_zero_and_the_rest_is_none():
    metrics = computed()
    present = {name for name, value in metrics.items() if value is not None}
    zero = {name for name in present & METRICS.keys() if metrics[name] == 0}
    assert zero == {
        "max_drawdown_duration", "trades", "open_trades", "long_trades", "short_trades", "longest_losing_streak",
        "traded_value", "commission", "slippage", "cost", "cost_to_initial_cash", "fills", "orders", "rejected_orders",
        "stale_marks",
    }  # fmt: skip
    assert present & METRICS.keys() - zero == {"initial_cash", "final_equity"}
    assert (metrics["start"], metrics["end"], metrics["periods"]) == (None, None, 0)


def test_one_bar_has_growth_but_no_spread():
    metrics = computed(rows={"equity": equity_rows([101.0])})
    assert metrics["total_return"] == pytest.approx(0.01)
    assert [metrics[name] for name in ("volatility", "sharpe", "sortino", "skew", "calmar")] == [None] * 5


def test_equity_of_zero_or_below_leaves_no_returns():
    metrics = computed(rows={"equity": equity_rows([50.0, -10.0, 20.0])})
    for name in ("volatility", "sharpe", "sortino", "value_at_risk", "worst_period", "skew", "turnover"):
        assert metrics[name] is None
    assert metrics["max_drawdown"] == pytest.approx(-1.1)
    assert metrics["total_return"] == pytest.approx(-0.8)


@pytest.mark.parametrize(
    ("failing", "returns", "end"),
    [
        # nothing but the first bar of the first day has ended in full: 1 000
        (1, [0.0], "2024-03-05"),
        # the first day has closed at 1 200, of 1 000
        (3, [0.2], "2024-03-05"),
        # and the first bar of the second at 900: it is that day's last point, and 900 / 1 200 - 1
        (4, [0.2, -0.25], "2024-03-06"),
        # the run is over: 1 500 / 1 200 - 1
        (None, [0.2, 0.25], "2024-03-06"),
    ],
)
def test_a_run_that_ends_inside_a_session_ends_it_there(failing, returns, end):
    """Two days of three bars. 10 are bought at the first open, for all of the 1 000; an error comes with the decision of bar `failing`."""
    first = datetime(2024, 3, 5, 10, tzinfo=UTC)
    close = [100.0, 110.0, 120.0, 90.0, 130.0, 150.0]
    starts = [first + timedelta(days=n // 3, hours=n % 3) for n in range(6)]
    prices = {"open": [100.0, *close[:-1]], "high": 200.0, "low": 50.0, "close": close, "volume": 1.0}
    bars = pl.DataFrame(
        {"bar_start": starts, "bar_end": [t + timedelta(hours=1) for t in starts], "symbol": "A"} | prices
    )

    class Fails(Strategy):
        def on_start(self):
            self.broker.buy("A", 10)

        def on_bar(self):
            if failing is not None and self.data.count("A") == failing + 1:
                raise ValueError("enough")

    if failing is None:
        result = run(Fails(), bars, cash=1_000)
    else:
        with pytest.raises(StrategyError) as raised:
            run(Fails(), bars, cash=1_000)
        result = raised.value.result
    metrics = result.metrics
    assert (metrics["start"], metrics["end"], metrics["periods"]) == ("2024-03-05", end, len(returns))
    assert [metrics["best_period"], metrics["worst_period"]] == pytest.approx([max(returns), min(returns)])
    assert metrics["final_equity"] == pytest.approx(1_000 * math.prod(1 + r for r in returns))
    if len(returns) > 1:
        assert metrics["volatility"] == pytest.approx(abs(returns[0] - returns[1]) / math.sqrt(2) * math.sqrt(252))


# --- properties -------------------------------------------------------------------------------------------------------

positive = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)
ordinary = st.floats(min_value=1e-3, max_value=1e9)
money = st.floats(allow_nan=False, allow_infinity=False)


@given(
    initial=positive,
    values=st.lists(positive, max_size=30),
    pnl=st.lists(money, max_size=10),
    per_day=st.integers(1, 4),
    basis=st.sampled_from(["session", "bar"]),
    per_year=st.floats(1e-300, 1e300),
    free=st.floats(-0.5, 0.5),
)
def test_never_nan_never_raises(initial, values, pnl, per_day, basis, per_year, free):
    rows = {
        "equity": equity_rows(values, per_day=per_day, gross=initial, net=-initial),
        "trades": trade_rows(*pnl),
        "fills": [("A", 1.0, abs(p), abs(p), 1.0) for p in pnl],
    }
    metrics = computed(initial, rows, basis=basis, periods_per_year=per_year, risk_free_rate=free)
    for name, value in metrics.items():
        assert value is None or isinstance(value, str) or math.isfinite(value), name
        assert type(value) in (type(None), str, int, float), name  # what JSON can hold
    finite = [metrics[name] for name in ("total_return", "max_drawdown") if metrics[name] is not None]
    assert all(value >= -1 for value in finite)


@given(
    values=st.lists(ordinary, min_size=2, max_size=30),
    pnl=st.lists(st.integers(-1_000_000, 1_000_000).map(lambda cents: cents / 100), max_size=10),
    power=st.integers(-20, 20),
)
def test_scaling_money_scales_money_and_nothing_else(values, pnl, power):
    def metrics(scale):
        rows = {
            "equity": equity_rows([v * scale for v in values], gross=7.0 * scale, net=-3.0 * scale),
            "trades": trade_rows(*(p * scale for p in pnl)),
            "fills": [("A", 2.0, abs(p) * scale, 0.5 * scale, 0.25 * scale) for p in pnl],
        }
        return computed(100.0 * scale, rows)

    one, scaled = metrics(1.0), metrics(2.0**power)  # a power of two scales without rounding, so equality is exact
    for name, metric in METRICS.items():
        factor = 2.0**power if metric.unit == Unit.MONEY else 1.0
        assert scaled[name] == (None if one[name] is None else one[name] * factor), name


@given(values=st.lists(ordinary, min_size=1, max_size=30))
def test_growth_and_drawdown_bounds(values):
    metrics = computed(rows={"equity": equity_rows(values)})
    worst = min(b / a - 1 for a, b in pairwise([INITIAL, *values]))
    assert metrics["max_drawdown"] <= min(worst, 0.0) + 1e-12
    assert 0 <= metrics["max_drawdown_duration"] <= len(values)
    assert metrics["conditional_value_at_risk"] <= metrics["value_at_risk"] + 1e-12


# --- completeness -----------------------------------------------------------------------------------------------------


def public_functions():
    for name in MODULES:
        module = importlib.import_module(f"ml4t.backtest.metrics.{name}")
        for key, value in vars(module).items():
            if inspect.isfunction(value) and not key.startswith("_") and value.__module__ == module.__name__:
                yield pytest.param(value, id=f"{name}.{key}")
    yield pytest.param(compute, id="compute")


@pytest.mark.parametrize("function", [p for p in public_functions() if p.id != "sample.sample"])
def test_every_public_function_has_an_example_that_holds(function):
    plain = inspect.unwrap(function)
    (test,) = doctest.DocTestFinder(recurse=False).find(plain, globs=dict(plain.__globals__))
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0


def test_every_metric_function_is_registered():
    registered = {name for m in METRICS.values() for name in m.value.__code__.co_names}
    functions = {p.values[0].__name__ for p in public_functions() if p.id.split(".")[0] in MODULES[:6]}
    assert functions <= registered
