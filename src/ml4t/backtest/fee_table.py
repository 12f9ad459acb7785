"""A user's own commissions: a file with a row for each symbol."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from ml4t.backtest.errors import ConfigError, DataError, nearest
from ml4t.backtest.feed.file import read_file
from ml4t.backtest.models.commission import CommissionTerms

ANY = "*"
"""The symbol of a row for all symbols that have none."""


@dataclass(frozen=True)
class Fees:
    """A row of a fee table: account currency, or fractions of value. Nothing is paid for what is not there.

    `fixed`, `per_unit`, `rate`, `minimum`, `maximum` and `cap_rate` are terms of the order's commission; `maker_rate` and `taker_rate`
    are paid by fills, and exclude `rate`.
    """

    fixed: float = 0.0
    per_unit: float = 0.0
    rate: float = 0.0
    minimum: float = 0.0
    maximum: float = inf
    cap_rate: float = inf
    maker_rate: float = 0.0
    taker_rate: float = 0.0

    def terms(self) -> CommissionTerms:
        """The terms of the one formula."""
        by_fill = self.maker_rate != 0.0 or self.taker_rate != 0.0
        return CommissionTerms(
            fixed=self.fixed,
            per_unit=self.per_unit,
            minimum=self.minimum,
            maximum=self.maximum,
            cap_rate=self.cap_rate,
            tiers=((inf, self.rate),),
            fill_tiers=((inf, self.taker_rate, self.maker_rate),) if by_fill else (),
        )


COLUMNS = tuple(field.name for field in fields(Fees))
FRACTIONS = ("rate", "cap_rate", "maker_rate", "taker_rate")


@dataclass(frozen=True)
class FeeTable:
    """The fees of each symbol, as the file at `path` has them."""

    path: Path
    rows: Mapping[str, Fees]

    def terms(self, symbol: str) -> CommissionTerms:
        """The terms of a symbol: its own row's, or those of the row `*`. Raises: ConfigError where there is neither."""
        fees = self.rows.get(symbol) or self.rows.get(ANY)
        if fees is None:
            raise ConfigError(
                f"{self.path}: there is no row of the symbol {symbol!r}.{nearest(symbol, self.rows)} "
                f"Add it, or a row with the symbol {ANY!r} for all others."
            )
        return fees.terms()


def read_fee_table(path: Path) -> FeeTable:
    """The fees in a CSV or Parquet file: a column `symbol`, and any of those of `Fees`.

    Raises:
        ConfigError: names the file, the row (from 1, without the header) and the column.

    """
    try:
        frame = read_file(path, f"{path} (costs.commission.path)")
    except DataError as error:
        raise ConfigError(str(error)) from error
    names = [name.strip().lower() for name in frame.columns]
    if "symbol" not in names:
        raise ConfigError(f"{path}: there is no column 'symbol'. It has {', '.join(frame.columns)}.")
    for name in names:
        if name != "symbol" and name not in COLUMNS:
            raise ConfigError(
                f"{path}: unknown column {name!r}.{nearest(name, COLUMNS)} Known: symbol, {', '.join(COLUMNS)}."
            )
        if names.count(name) > 1:
            raise ConfigError(f"{path}: there are {names.count(name)} columns {name!r}. Keep one.")
    rows: dict[str, Fees] = {}
    for number, values in enumerate(frame.iter_rows(), 1):
        row = dict(zip(names, values, strict=True))
        name = row.pop("symbol")
        symbol = "" if name is None else str(name).strip()
        if not symbol:
            raise ConfigError(
                f"{path}, row {number}, column 'symbol': is empty. Name a symbol, or {ANY!r} for all others."
            )
        if symbol in rows:
            raise ConfigError(f"{path}, row {number}, column 'symbol': {symbol!r} has a row already. Keep one.")
        rows[symbol] = _fees(row, f"{path}, row {number} ({symbol})")
    return FeeTable(path, rows)


def _fees(row: Mapping[str, Any], place: str) -> Fees:
    given = {name: _number(value, name, place) for name, value in row.items() if value is not None and value != ""}
    fees = Fees(**given)
    if fees.rate and (fees.maker_rate or fees.taker_rate):
        raise ConfigError(f"{place}: has a rate and a maker_rate or taker_rate. Give the one or the others.")
    if fees.minimum > fees.maximum:
        raise ConfigError(f"{place}, column 'minimum': {fees.minimum} is above the maximum of {fees.maximum}.")
    return fees


def _number(value: Any, name: str, place: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{place}, column {name!r}: {value!r} is not a number.") from None
    is_rebate, is_fraction = name in ("maker_rate", "taker_rate"), name in FRACTIONS
    is_low = number <= -1.0 if is_rebate else number < 0.0 or (name == "cap_rate" and number == 0.0)
    if not math.isfinite(number) or is_low or (is_fraction and number >= 1.0):
        limits = f"a fraction of value, between {-1 if is_rebate else 0} and 1" if is_fraction else "0 or more"
        raise ConfigError(f"{place}, column {name!r}: {value!r} must be {limits}. Leave it empty where there is none.")
    return number
