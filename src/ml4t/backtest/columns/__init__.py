"""Strategies that are columns: signals and target weights in place of decisions in code (docs/columns.md)."""

from .signals import Signals
from .target_weights import TargetWeights

__all__ = ["Signals", "TargetWeights"]
