"""Requests with many children of orders that fill in parts, many of them for one meeting: what a plain script draws too seldom."""

from __future__ import annotations

from typing import Any

from case import Request
from random_script import RandomScript

ONE_MEETING = ("IOC", "FOK", "OPG", "OPG", "CLS", "CLS")


class CrowdedScript(RandomScript):
    """Every third request is a child, and every second child without a trigger is for one meeting."""

    def _request(self, now: int, decisions: list[int]) -> Request:
        if self.submitted and self.rng.random() < 0.35 and (child := self._child(now, decisions)) is not None:
            self.submitted.append(child)
            return child
        return super()._request(now, decisions)

    def _life(self, kwargs: dict[str, Any], now: int, decisions: list[int]) -> dict[str, Any]:
        waits = any(name in kwargs for name in ("stop", "touch", "trail"))
        if waits or self.rng.random() < (0.5 if "parent" in kwargs else 0.9):
            return super()._life(kwargs, now, decisions)
        kwargs.pop("post_only", None)
        return {"tif": self.rng.choice(ONE_MEETING)}
