"""A profile lies under what the user sets, names its sources, and is shown by the command line."""

import pytest
from typer.testing import CliRunner

from ml4t.backtest import BacktestConfig, Strategy, run
from ml4t.backtest.cli import app
from ml4t.backtest.datasets import us_indices
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.profiles import PROFILES, Profile
from ml4t.backtest.queue_rule import Rescan


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_difference_is_one(profile: Profile) -> None:
    config = BacktestConfig(profile=profile.name).flatten()
    plain, alike = (BacktestConfig(**given).flatten() for given in ({}, {"account": {"kind": config["account.kind"]}}))
    for one in profile.differences:
        found = {key: value for key, value in config.items() if key == one.key or key.startswith(f"{one.key}.")}
        assert found
        assert any(plain.get(key) != value for key, value in found.items()), one.key
        assert one.sentence.endswith(".")
        assert "::" in one.source
    changed = {key for key, value in config.items() if plain.get(key, alike.get(key)) != value} - {"profile"}
    keys = tuple(one.key for one in profile.differences)
    assert {key for key in changed if not key.startswith(keys)} == set()


def test_what_the_user_sets_wins() -> None:
    config = BacktestConfig.load({"profile": "backtesting_py", "account": {"cash": 5.0}, "fills": {"rescan": "never"}})
    assert config.account.cash == 5.0
    assert config.account.kind == "margin"
    assert config.fills.rescan == Rescan.NEVER


def test_run_takes_a_profile() -> None:
    assert run(Strategy(), us_indices(), profile="backtesting_py").config.profile == "backtesting_py"


def test_an_unknown_profile_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="backtesting_py"):
        BacktestConfig(profile="backtesting")


def test_a_profile_cannot_come_too_late() -> None:
    with pytest.raises(ConfigError, match="comes too late"):
        run(Strategy(), us_indices(), BacktestConfig(), profile="backtesting_py")


def test_the_command_line_shows_profiles() -> None:
    listed = CliRunner().invoke(app, ["profiles", "list"])
    assert all(name in listed.output for name in PROFILES)
    shown = CliRunner().invoke(app, ["profiles", "show", "backtesting_py"])
    assert "_process_orders" in shown.output
    assert CliRunner().invoke(app, ["profiles", "show", "backtesting"]).exit_code == 2
