"""What the account may do: descriptions by kind."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt, Le, Len

from ml4t.backtest.choice import ByName
from ml4t.backtest.enums import AccountKind, PriceSource, Shortfall
from ml4t.backtest.models.description import Description
from ml4t.backtest.queue_rule import Netting, RuinRule


@dataclass(frozen=True)
class _Opened(Description):
    cash: Annotated[float, Gt(0)] = 100_000.0
    currency: Annotated[str, Len(1, 16)] = "USD"
    mark: Annotated[PriceSource, ByName] = field(default=PriceSource.LAST, kw_only=True)


@dataclass(frozen=True)
class _Funded(_Opened):
    shortfall: Annotated[Shortfall, ByName] = Shortfall.BY_SIZING


@dataclass(frozen=True)
class CashAccount(_Funded):
    """No shorts, and cash never negative. `cash` is what the run starts with, in `currency`."""

    rule: ClassVar[AccountKind] = AccountKind.CASH
    initial_margin_rate: ClassVar[float] = 1.0
    """Everything is paid in full (docs/semantics/account.md)."""

    kind: Literal["cash"] = "cash"


@dataclass(frozen=True)
class MarginAccount(_Funded):
    """Shorts and leverage up to 1 ÷ `initial_margin_rate` (0.5: gross exposure at most twice the equity)."""

    rule: ClassVar[AccountKind] = AccountKind.MARGIN

    initial_margin_rate: Annotated[float, Gt(0), Le(1)] = 0.5
    netting: Annotated[Netting, ByName] = field(default=Netting.FIFO, kw_only=True)
    ruin: Annotated[RuinRule, ByName] = field(default=RuinRule.CONTINUE, kw_only=True)
    kind: Literal["margin"] = "margin"


@dataclass(frozen=True)
class ProceedsAccount(_Funded):
    """Purchases from cash only; shorts without limit, and their proceeds are cash. `lock`: they, and as much again, are not."""

    initial_margin_rate: ClassVar[float] = 1.0
    """Everything is paid in full (docs/semantics/account.md)."""

    lock: bool = False
    kind: Literal["proceeds"] = "proceeds"

    @property
    def rule(self) -> AccountKind:
        """The kernel's rule."""
        return AccountKind.LOCKED_PROCEEDS if self.lock else AccountKind.PROCEEDS


@dataclass(frozen=True)
class UncheckedAccount(_Opened):
    """Every fill is taken, whatever cash and equity there are: both may fall below 0."""

    rule: ClassVar[AccountKind] = AccountKind.UNCHECKED
    initial_margin_rate: ClassVar[float] = 1.0
    """Nothing asks for it."""

    kind: Literal["unchecked"] = "unchecked"


@dataclass(frozen=True)
class BalanceAccount(_Funded):
    """What closes always passes; what a fill opens must leave cash of 0 or more. What shorts bring is cash, or held and paid once more."""

    rule: ClassVar[AccountKind] = AccountKind.BALANCE
    initial_margin_rate: ClassVar[float] = 1.0
    """Everything is paid in full (docs/semantics/account.md)."""

    short_proceeds: Literal["cash", "held"] = field(default="cash", kw_only=True)
    kind: Literal["balance"] = "balance"


Account = CashAccount | MarginAccount | ProceedsAccount | UncheckedAccount | BalanceAccount
"""Every kind of account; `kind` tells them apart."""
