"""vectorbt: rows of sizes and signals, filled at the close that they were made from."""

from ml4t.backtest.profiles.profile import Difference, Profile

FILE = "vectorbt/portfolio/nb.py"

VECTORBT = Profile(
    "vectorbt",
    "vectorbt",
    "1.2.0",
    (
        Difference("account.kind", "proceeds", "Purchases take cash only; shorts bring cash.", f"{FILE}::sell_nb"),
        Difference("account.shortfall", "reduce", "Orders are cut to what cash pays for.", f"{FILE}::buy_nb"),
        Difference("account.lock", False, "Nothing of that cash is locked.", "vectorbt/_settings.py::portfolio"),
        Difference("account.cash", 100.0, "The account starts with 100.", "vectorbt/_settings.py::portfolio"),
        Difference(
            "costs.stop_slippage.kind",
            "exempt",
            "Stops fill at their price, without slippage.",
            f"{FILE}::resolve_stop_price_and_slippage_nb",
        ),
        Difference("fills.market", "same_close", "A row fills at its own close.", f"{FILE}::simulate_from_orders_nb"),
        Difference(
            "fills.schedule", "queue", "Columns are called one after the other.", f"{FILE}::simulate_from_orders_nb"
        ),
        Difference(
            "instruments.default.lot_size", 0.0, "Any quantity can be traded.", "vectorbt/_settings.py::portfolio"
        ),
        Difference(
            "instruments.default.min_quantity",
            1e-8,
            "Fills of less are rejected.",
            "vectorbt/_settings.py::portfolio",
        ),
        Difference("orders.lots", "floor", "Quantities are cut to the granularity.", f"{FILE}::buy_nb"),
        Difference(
            "orders.fill_basis",
            "reference",
            "Stops are measured from the price before slippage.",
            f"{FILE}::simulate_from_signals_nb",
        ),
        Difference(
            "run.acknowledge_leaky",
            True,
            "Rows know the close that they trade at.",
            f"{FILE}::simulate_from_orders_nb",
        ),
    ),
)
