"""The profile of a configuration: laid under everything the user sets."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel

from ml4t.backtest.config.overlay import laid_over
from ml4t.backtest.errors import nearest
from ml4t.backtest.profiles import PROFILES


def _known(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"must be one of {', '.join(PROFILES)}.{nearest(name, list(PROFILES))}")
    return name


ProfileName = Annotated[str, AfterValidator(_known)]


def over_profile(root: type[BaseModel], given: Any) -> Any:
    """The given tables over those of the profile they name, if they name one that there is."""
    profile = PROFILES.get(given.get("profile") or "") if isinstance(given, Mapping) else None
    return given if profile is None else laid_over(root, profile.tables(), given)
