"""What becomes of a resting limit order when the price only touches its limit: descriptions by kind."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from ml4t.backtest.enums import TouchRule
from ml4t.backtest.models.description import Amount, Description


@dataclass(frozen=True)
class AlwaysTouch(Description):
    """It fills."""

    rule: ClassVar[TouchRule] = TouchRule.ALWAYS

    kind: Literal["always"] = "always"


@dataclass(frozen=True)
class ThroughTouch(Description):
    """It does not: the price must go beyond the limit."""

    rule: ClassVar[TouchRule] = TouchRule.THROUGH

    kind: Literal["through"] = "through"


@dataclass(frozen=True)
class ProbabilityTouch(Description):
    """It fills with `probability` on each bar that touches it, drawn from `run.seed`."""

    rule: ClassVar[TouchRule] = TouchRule.PROBABILITY

    probability: Annotated[float, Ge(0), Le(1)]
    kind: Literal["probability"] = "probability"


@dataclass(frozen=True)
class QueueTouch(Description):
    """It fills when the volume of the bars that touch it has taken the `ahead` units that stand before it."""

    rule: ClassVar[TouchRule] = TouchRule.QUEUE

    ahead: Amount
    kind: Literal["queue"] = "queue"


Touch = AlwaysTouch | ThroughTouch | ProbabilityTouch | QueueTouch
"""Every rule; `kind` tells them apart."""
