"""What the property suites share."""

from __future__ import annotations

import pytest

from cases import random_case
from ml4t.backtest._jit import IS_COMPILED
from observation import Observation, observe

CORPUS = 1200 if IS_COMPILED else 200


@pytest.fixture(scope="session")
def corpus() -> list[Observation]:
    """Runs of the first seeded cases: every property is tried on them, and what they cover is counted."""
    return [observe(random_case(seed)) for seed in range(CORPUS)]
