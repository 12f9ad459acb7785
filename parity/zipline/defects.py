"""Defects of zipline that we do not copy, each with the cases it may touch and a small one."""

from typing import Any

from parity.case import Case
from parity.subject import Defect
from parity.zipline.cases import DEFAULTS


def cancels_one_of_several(case: Case) -> bool:
    """Whether the case runs by day with a policy that cancels at the end of the day."""
    return case.options["frequency"] == "daily" and case.options["cancel"] == "eod"


def loses_a_share(case: Case) -> bool:
    """Whether a bar's volume times the volume limit is a whole number that float64 puts just below it."""
    share = case.options["slippage"].get("volume_limit")
    volumes = {row[4] for rows in case.bars.values() for row in rows if row}
    return share is not None and any(int(share * volume) != int(share * volume + 1e-9) for volume in volumes)


def hand(script: list[dict[str, Any]], volume: float = 100.0, **options: Any) -> Case:
    """Five bars of one asset at 100."""
    return Case("zipline", {"A": [[100.0, 101.0, 99.0, 100.0, volume]] * 5}, {**DEFAULTS, **options}, script, "hand")


def bought(name: str, size: int, **terms: Any) -> dict[str, Any]:
    """A purchase of A when the first bar has ended."""
    return {"bar": 0, "do": "order", "id": name, "symbol": "A", "size": size, **terms}


EXCEPTIONS = (
    Defect(
        "a policy that is for minutes only cancels the first of several orders by day",
        cancels_one_of_several,
        "EODCancel is for minutes, it says; SimulationBlotter.execute_daily_cancel_policy cancels `orders[0]` if there are more.",
        hand([bought("a", 1, limit=90.0), bought("b", 1, limit=90.0)], cancel="eod"),
    ),
    Defect(
        "int() of a volume limit that is a whole number loses a share",
        loses_a_share,
        "FixedBasisPointsSlippage.process_order: int(0.29 * 100) is 28. A number of lots within 1e-9 of a whole one is that one here.",
        hand([bought("a", 50)], slippage={"kind": "basis_points", "basis_points": 5.0, "volume_limit": 0.29}),
    ),
)
