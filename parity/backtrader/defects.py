"""Defects of backtrader that we do not copy, each with the cases it may touch and a small one."""

from parity.backtrader.cases import DEFAULTS
from parity.case import Case
from parity.subject import Defect


def has_late_member(case: Case) -> bool:
    """Whether an order joins a group of at least two others on a later bar than one of them."""
    groups: dict[str, list[int]] = {}
    leaders: dict[str, str] = {}
    for request in case.script:
        name = request.get("id", "")
        leader = leaders[name] = leaders.get(request.get("oco", ""), name)
        groups.setdefault(leader, []).append(request["bar"])
    return any(len(bars) > 2 and min(bars) < max(bars) for bars in groups.values())


FLAT = [100.0, 101.0, 99.0, 100.0, 1.0]

LATE_MEMBER = Defect(
    "late member of a group",
    has_late_member,
    "An order that is refused ends its group, but one of the same bar survives, and still cancels what joins the group later "
    "(BackBroker._ococheck, _ocoize).",
    Case(
        "backtrader",
        {"A": [FLAT] * 5},
        DEFAULTS,
        [
            {
                "bar": 0,
                "do": "order",
                "id": "a",
                "symbol": "A",
                "side": 1,
                "size": 200.0,
                "type": "limit",
                "price": 90.0,
            },
            {
                "bar": 0,
                "do": "order",
                "id": "b",
                "symbol": "A",
                "side": -1,
                "size": 100.0,
                "type": "limit",
                "price": 120.0,
                "valid": 2,
                "oco": "a",
            },
            {"bar": 2, "do": "order", "id": "c", "symbol": "A", "side": -1, "size": 1.0, "type": "market", "oco": "a"},
        ],
        "an order that joins late",
    ),
)
EXCEPTIONS = (LATE_MEMBER,)
