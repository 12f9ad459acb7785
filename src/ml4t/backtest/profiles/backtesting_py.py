"""backtesting.py: one queue of orders, tried against the whole bar in turn; every trade a lot with exits of its own."""

from ml4t.backtest.profiles.profile import Difference, Profile

FILE = "backtesting/backtesting.py"
QUEUE = f"{FILE}::_Broker._process_orders"

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
            "account.ruin",
            "stop",
            "At an equity of 0 or below everything is closed at the close, debts are forgiven, the run ends.",
            f"{FILE}::_Broker.next",
        ),
        Difference("fills.schedule", "queue", "Every order meets the whole bar, in turn.", QUEUE),
        Difference(
            "fills.rescan",
            "exits",
            "One pass over the queue a bar, and another where a market order brought exits.",
            QUEUE,
        ),
        Difference(
            "fills.stop_limit",
            "at_stop",
            "A stop-limit order that is triggered fills at its stop where the bar reaches the limit beyond it.",
            QUEUE,
        ),
        Difference(
            "fills.executions",
            "lot",
            "Each trade that is closed, and the one that is opened, is an execution with a commission of its own.",
            f"{FILE}::_Broker._close_trade",
        ),
        Difference(
            "orders.valuation",
            "bar_close",
            "Sizes and margin are judged at the fill, with open trades at that bar's close.",
            f"{FILE}::_Broker.margin_available",
        ),
        Difference("run.warmup", 1, "The first decision is after the second bar.", f"{FILE}::Backtest.run"),
        Difference(
            "run.acknowledge_leaky",
            True,
            "Margin at the fill looks at the close of the bar, so the profile looks ahead.",
            f"{FILE}::_Broker.margin_available",
        ),
    ),
)
