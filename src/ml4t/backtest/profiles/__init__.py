"""Profiles: the rules of other engines, each a short list of differences from our defaults (docs/parity/README.md)."""

from ml4t.backtest.profiles.backtesting_py import BACKTESTING_PY
from ml4t.backtest.profiles.backtrader import BACKTRADER
from ml4t.backtest.profiles.lean_daily_equity import LEAN_DAILY_EQUITY
from ml4t.backtest.profiles.profile import Difference, Profile
from ml4t.backtest.profiles.vectorbt import VECTORBT
from ml4t.backtest.profiles.zipline import ZIPLINE

PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in (BACKTESTING_PY, BACKTRADER, LEAN_DAILY_EQUITY, VECTORBT, ZIPLINE)
}
"""Every profile by its name."""

__all__ = ["PROFILES", "Difference", "Profile"]
