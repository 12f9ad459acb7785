"""Strategies compiled into the loop: the user's own class, its attributes and the names that it uses (ADR 0021)."""
