"""Strategies that are columns: signals in place of decisions in code (docs/columns.md)."""

from .signals import Signals

__all__ = ["Signals"]
