"""What must hold of every run, one function each: `(observation) -> None`, failing by assertion."""

from __future__ import annotations

from collections.abc import Callable

from invariants import account, group, ledger, order, price, volume
from observation import Observation

INVARIANTS: tuple[Callable[[Observation], None], ...] = (
    *ledger.INVARIANTS,
    *account.INVARIANTS,
    *order.INVARIANTS,
    *group.INVARIANTS,
    *price.INVARIANTS,
    *volume.INVARIANTS,
)
