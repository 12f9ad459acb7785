"""Strategies that are columns: signals, target weights and orders in place of decisions in code (docs/columns.md)."""

from .orders import Orders
from .signals import Signals
from .target_weights import TargetWeights

__all__ = ["Orders", "Signals", "TargetWeights"]
