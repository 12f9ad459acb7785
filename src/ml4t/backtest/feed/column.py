"""Which column is which, and columns as arrays of float64."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml4t.backtest.errors import DataError, nearest

from .source import Source

PRICES = ("open", "high", "low", "close")
ALIASES = {
    "timestamp": ("timestamp", "datetime", "date", "time"),
    "symbol": ("symbol", "ticker", "asset"),
    "arrival": ("arrival", "known_at"),
    "bar_start": ("bar_start",),
    "bar_end": ("bar_end",),
}
UNNAMED_INDEX = ("__index_level_0__", "", "index")  # what pandas leaves in files when the DatetimeIndex has no name
LARGEST_EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Table:
    """A source whose columns are known: role (timestamp, symbol, open …) -> the name the source uses."""

    source: Source
    role: dict[str, str]
    rest: tuple[str, ...]

    def error(self, problem: str, remedy: str, *, row: int | None = None, column: str | None = None) -> DataError:
        """A `DataError` that says where: source, row (0-based, as given), its symbol and timestamp, and the column."""
        where = [self.source.place]
        frame = self.source.frame
        if row is not None:
            is_csv = self.source.path is not None and self.source.path.suffix.lower() == ".csv"
            where.append(f"row {row} (line {row + 2})" if is_csv else f"row {row}")
            for role in ("symbol", "timestamp", "bar_end"):
                name = self.role.get(role)
                if name is not None and name != column and not (role == "bar_end" and "timestamp" in self.role):
                    value = frame[name][row]
                    where.append(f"symbol {value!r}" if role == "symbol" else f"{role} {value}")
        if column is not None:
            where.append(f"column {column!r}")
        return DataError(f"{', '.join(where)}: {problem}. {remedy}")


def open_table(source: Source, required: tuple[str, ...], *, is_bars: bool) -> Table:
    """The source with its columns assigned to roles. Names are compared without case and surrounding blanks.

    - `timestamp` may also be called datetime, date or time; `symbol` ticker or asset; `arrival` known_at.
    - The name itself wins over its other names; two other names at once are an error.
    - `timestamp` may be absent where both `bar_start` and `bar_end` are given.

    Raises:
        DataError: a column is missing (with the nearest name), or two columns could be the same one.

    """
    table = Table(source, {}, ())
    by_name: dict[str, str] = {}
    for name in source.frame.columns:
        key = name.strip().lower()
        if key in by_name and (key in required or any(key in names for names in ALIASES.values())):
            raise table.error(
                f"the columns {by_name[key]!r} and {name!r} differ only in case or blanks", "Rename or drop one."
            )
        by_name.setdefault(key, name)
    role = {name: by_name[name] for name in required if name in by_name}
    for name, aliases in ALIASES.items():
        if name == "arrival" and is_bars:
            continue
        if (found := _role(table, by_name, name, aliases)) is not None:
            role[name] = found
    if ("bar_start" in role) != ("bar_end" in role):
        lone = role.get("bar_start") or role.get("bar_end")
        raise table.error(f"the column {lone!r} is alone", "Give both bar_start and bar_end, or neither.")
    if "timestamp" not in role:
        for key in UNNAMED_INDEX:
            if key in by_name and source.frame[by_name[key]].dtype.is_temporal():
                role["timestamp"] = by_name[key]
                break
    wanted = required if "bar_start" in role else ("timestamp", *required)
    if missing := [name for name in wanted if name not in role]:
        free = [name for name in source.frame.columns if name not in role.values()]
        hint = nearest(missing[0], free)
        raise table.error(
            f"no column {', '.join(repr(name) for name in missing)}",
            f"Found {source.frame.columns[:20]}.{hint} Rename or add the missing columns.",
        )
    used = set(role.values())
    return Table(source, role, tuple(name for name in source.frame.columns if name not in used))


def _role(table: Table, by_name: dict[str, str], name: str, aliases: tuple[str, ...]) -> str | None:
    if name in by_name:
        return by_name[name]
    found = [by_name[alias] for alias in aliases if alias in by_name]
    if len(found) > 1:
        raise table.error(
            f"the columns {found} could each be the {name}",
            f"Name one of them {name!r}; join a date and a time column into one.",
        )
    return found[0] if found else None


def required_array(table: Table, role: str) -> NDArray[np.float64]:
    """A column that must be numbers; NaN where null. A view of the frame's memory where it is float64 already.

    Raises:
        DataError: not a numeric type, or a number float64 cannot hold.

    """
    name = table.role[role]
    series = table.source.frame[name]
    if series.dtype.is_numeric():
        return _float_array(table, series)
    row, problem = None, f"expected numbers, found {series.dtype}"
    hint = "Convert it to Float64."
    if series.dtype in (pl.String, pl.Categorical):
        text = series.cast(pl.String)
        wrong = (text.str.strip_chars().cast(pl.Float64, strict=False).is_null() & text.is_not_null()).arg_max()
        row = wrong if wrong is not None else 0
        problem += f", for example {series[row]!r}"
        if "," in str(series[row]):
            hint = (
                "It looks like a decimal comma or a thousands separator: remove it and convert the column to Float64."
            )
    raise table.error(problem, hint, row=row, column=name)


def further_arrays(table: Table) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """All remaining numeric columns as float64 (NaN where null), and the remaining ones as `name (type)`."""
    arrays, ignored = {}, []
    for name in table.rest:
        series = table.source.frame[name]
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            arrays[name] = _float_array(table, series)
        else:
            ignored.append(f"{name} ({series.dtype})")
    return arrays, ignored


def _float_array(table: Table, series: pl.Series) -> NDArray[np.float64]:
    dtype = series.dtype
    if dtype == pl.Float64:
        if series.null_count() == 0 and series.n_chunks() == 1:
            return series.to_numpy(allow_copy=False)
        return series.to_numpy()
    floats = series.cast(pl.Float64)
    if dtype in (pl.Int64, pl.UInt64) or dtype.is_decimal() or "128" in str(dtype):
        exact = (
            floats.cast(dtype, strict=False).eq_missing(series)
            if dtype.is_decimal()
            else series.is_between(-LARGEST_EXACT_INTEGER, LARGEST_EXACT_INTEGER).fill_null(value=True)
        )
        if not exact.all():
            row = exact.arg_min() or 0
            raise table.error(
                f"float64 cannot hold {series[row]} exactly",
                "Round it or scale the column.",
                row=row,
                column=series.name,
            )
    return floats.to_numpy()


def symbol_codes(table: Table, symbol: str | None) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    """The symbol of every row as an index `[N]` into the sorted symbols; (None, ()) where there is no symbol column.

    Raises:
        DataError: the symbols are not text, one is null or blank, or `symbol` contradicts the column.

    """
    name = table.role.get("symbol")
    if name is None:
        return None, ()
    series = table.source.frame[name]
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise table.error(f"expected text, found {series.dtype}", "Convert the symbols to strings.", column=name)
    if series.null_count():
        row = series.is_null().arg_max()
        raise table.error("the symbol is null", "Name the symbol of every row.", row=row, column=name)
    if series.dtype != pl.String:
        series = series.cast(pl.String)
    if (series == series[0]).all():
        symbols: tuple[str, ...] = (str(series[0]),)
        codes = np.zeros(len(series), np.int32)
    else:
        symbols = tuple(sorted(series.unique().to_list()))
        codes = series.cast(pl.Enum(symbols)).to_physical().to_numpy().astype(np.int32)
    if blank := [s for s in symbols if s != s.strip() or not s]:
        row = (series == blank[0]).arg_max()
        raise table.error(
            f"the symbol {blank[0]!r} is empty or has blanks around it", "Strip it.", row=row, column=name
        )
    if symbol is not None and symbols != (symbol,):
        raise table.error(
            f"symbol={symbol!r} was given, but the data has its own symbols {list(symbols[:5])}",
            "Leave out symbol=, or drop the column.",
            column=name,
        )
    return codes, symbols
