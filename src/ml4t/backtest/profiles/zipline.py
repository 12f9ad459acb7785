"""zipline-reloaded: orders meet the close of the bars after the decision, as far as a share of volume goes; nothing checks the cash."""

from ml4t.backtest.profiles.profile import Difference, Profile

MODEL = "zipline/finance/slippage.py"
SIMULATE = f"{MODEL}::SlippageModel.simulate"
DEFAULT = f"{MODEL}::FixedBasisPointsSlippage"

ZIPLINE = Profile(
    "zipline",
    "zipline-reloaded",
    "3.2.1",
    (
        Difference(
            "account.kind",
            "unchecked",
            "No order is refused for want of cash or margin.",
            "zipline/finance/blotter/simulation_blotter.py::SimulationBlotter.order",
        ),
        Difference("fills.market", "next_close", "Market orders fill at the close of the next bar.", SIMULATE),
        Difference(
            "fills.path",
            "close_only",
            "Limits and stops look at closes, never at highs, lows and opens.",
            "zipline/finance/order.py::Order.check_order_triggers",
        ),
        Difference(
            "fills.schedule",
            "symbol_queue",
            "One asset after the other, by its first open order, and the orders of each as they were made.",
            "zipline/finance/blotter/simulation_blotter.py::SimulationBlotter.get_transactions",
        ),
        Difference(
            "fills.limit",
            "released",
            "A limit that was reached once is forgotten: slippage leads beyond it, and the rest fills at any price.",
            "zipline/finance/order.py::Order.triggered",
        ),
        Difference(
            "fills.participation",
            {"share": 0.1, "basis": "bar"},
            "A tenth of a bar's volume can be filled on it, the rest waits for the next one.",
            f"{DEFAULT}.__init__",
        ),
        Difference(
            "fills.exhausted",
            "symbol",
            "Once an order finds nothing left, the later ones of the asset do not even look at the bar.",
            SIMULATE,
        ),
        Difference("fills.halt_without_volume", True, "Nothing happens to orders on a bar without volume.", SIMULATE),
        Difference(
            "costs.slippage",
            {"kind": "rate", "rate": 0.0005},
            "Every fill, of a limit order too, is five basis points worse than the close.",
            f"{DEFAULT}.process_order",
        ),
        Difference(
            "costs.commission",
            {"kind": "per_share", "per_share": 0.001},
            "A share costs a tenth of a cent.",
            "zipline/finance/commission.py::PerShare.__init__",
        ),
    ),
)
