"""LEAN, equities by day: its published rules as far as ours can say them. It was read, not run (docs/parity/lean_daily_equity.md)."""

from ml4t.backtest.profiles.profile import Difference, Profile

SCAN = "Brokerages/Backtesting/BacktestingBrokerage.cs::Scan"
FILL = "Common/Orders/Fills/EquityFillModel.cs"

LEAN_DAILY_EQUITY = Profile(
    "lean_daily_equity",
    "QuantConnect/Lean",
    "(read, not run)",
    (
        Difference(
            "account.kind",
            "margin",
            "Equities may be sold short, and held for twice the equity.",
            "Common/Brokerages/DefaultBrokerageModel.cs::GetLeverage",
        ),
        Difference(
            "account.shortfall",
            "reject",
            "An order that buying power does not suffice for fills not even in part.",
            SCAN,
        ),
        Difference(
            "costs.commission",
            {"kind": "per_share", "per_share": 0.005, "minimum": 1.0, "cap_rate": 0.01},
            "Half a cent a share, at least a dollar, at most a hundredth of the value.",
            "Common/Orders/Fees/InteractiveBrokersFeeHelper.cs::CalculateEquityFee",
        ),
        Difference("fills.schedule", "queue", "Orders are tried against the whole bar by their ids.", SCAN),
        Difference("fills.rescan", "never", "Orders that come while a bar is tried wait for the next one.", SCAN),
        Difference(
            "fills.touch",
            {"kind": "through"},
            "A limit fills where the price goes beyond it, not where it touches.",
            f"{FILL}::LimitFill",
        ),
    ),
)
