"""backtrader: one queue of orders in the order of submission, each tried once against the whole next bar."""

from ml4t.backtest.profiles.profile import Difference, Profile

BROKER = "backtrader/brokers/bbroker.py::BackBroker"

BACKTRADER = Profile(
    "backtrader",
    "backtrader",
    "1.9.78.123",
    (
        Difference(
            "account.kind",
            "balance",
            "What closes always passes, shorts bring cash, and what opens must leave cash of 0 or more.",
            f"{BROKER}._execute",
        ),
        Difference("account.cash", 10_000.0, "The account starts with 10,000.", f"{BROKER}.params"),
        Difference(
            "account.shortfall", "reject", "What cannot be paid is not opened, not even in part.", f"{BROKER}._execute"
        ),
        Difference(
            "costs.slippage_range.kind",
            "bar",
            "Slippage ends at the high or low of the bar.",
            f"{BROKER}._slip_up",
        ),
        Difference(
            "costs.slippage_range.opens", False, "Fills at the open pay none (slip_open).", f"{BROKER}._try_exec_market"
        ),
        Difference(
            "costs.slippage_range.beyond",
            "cap",
            "A price beyond it is that extreme (slip_match).",
            f"{BROKER}._slip_up",
        ),
        Difference(
            "costs.slippage_range.beyond_limit", "cap", "With a limit, too (slip_limit).", f"{BROKER}._try_exec_limit"
        ),
        Difference("fills.schedule", "queue", "Every order meets the whole bar, in turn.", f"{BROKER}.next"),
        Difference("fills.rescan", "never", "One pass over the queue a bar.", f"{BROKER}.next"),
        Difference(
            "fills.stop_limit",
            "by_close",
            "On the bar that triggers it, a stop-limit order fills as far as open, stop and close tell.",
            f"{BROKER}._try_exec_stoplimit",
        ),
        Difference("instruments.default.lot_size", 0.0, "Any quantity can be traded.", f"{BROKER}._execute"),
        Difference(
            "orders.admission",
            "pseudo_execute",
            "New orders are pretended to be executed in turn, and refused while that cash is below 0.",
            f"{BROKER}.check_submitted",
        ),
        Difference(
            "orders.expiry",
            "turn",
            "An order expires where it has its turn on the first bar that is too late.",
            f"{BROKER}.next",
        ),
        Difference(
            "orders.links",
            "together",
            "Brackets and groups end together; the children of a bracket work from the next bar on.",
            f"{BROKER}._bracketize",
        ),
    ),
)
