"""backtesting.py: one queue of orders, tried against the whole bar in turn."""

from ml4t.backtest.profiles.profile import Difference, Profile

FILE = "backtesting/backtesting.py"

BACKTESTING_PY = Profile(
    "backtesting_py",
    "backtesting",
    "0.6.6",
    (
        Difference("account.kind", "margin", "Positions may be short.", f"{FILE}::_Broker.new_order"),
        Difference(
            "account.initial_margin_rate", 1.0, "Without `margin`, positions are paid in full.", f"{FILE}::Backtest"
        ),
        Difference("account.cash", 10_000.0, "The account starts with 10,000.", f"{FILE}::Backtest.__init__"),
        Difference(
            "fills.schedule", "queue", "Every order meets the whole bar, in turn.", f"{FILE}::_Broker._process_orders"
        ),
        Difference("run.warmup", 1, "The first decision is after the second bar.", f"{FILE}::Backtest.run"),
    ),
)
