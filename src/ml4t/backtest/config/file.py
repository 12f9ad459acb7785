"""Reading config files and `key=value` texts into tables."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml4t.backtest.errors import ConfigError


def read_config(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML or JSON file, as written.

    Raises:
        ConfigError: the file is missing, unreadable, not UTF-8, or not valid TOML or JSON (with line and column).

    """
    path = Path(path)
    if path.suffix.lower() not in {".toml", ".json"}:
        raise ConfigError(f"{path}: a config file ends in .toml or .json")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file (looked from {Path.cwd()})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    try:
        if path.suffix.lower() == ".toml":
            return tomllib.loads(text)
        tables = json.loads(text, object_pairs_hook=_distinct)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, _DuplicateKeyError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    if not isinstance(tables, dict):
        raise ConfigError(f"{path}: the whole file must be one JSON object")
    return tables


class _DuplicateKeyError(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(f"key {next(n for n in names if names.count(n) > 1)!r} is given twice in one object")
    return table


def assigned(assignments: Iterable[str]) -> list[dict[str, Any]]:
    """The tables that `a.b.c=value` texts stand for; a value that is no TOML value is a string.

    >>> assigned(["run.seed=7", "data.symbol=SPX"])
    [{'run': {'seed': 7}}, {'data': {'symbol': 'SPX'}}]

    Raises:
        ConfigError: a text is not of this form.

    """
    tables = []
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or "\n" in text:
            raise ConfigError(f"{text!r}: write key=value, such as costs.commission.rate=0.002")
        try:
            tables.append(tomllib.loads(text))
        except tomllib.TOMLDecodeError:
            try:
                tables.append(tomllib.loads(f"{key} = {json.dumps(value.strip(), ensure_ascii=False)}"))
            except tomllib.TOMLDecodeError:
                raise ConfigError(
                    f"{text!r}: {key.strip()!r} is not a dotted key; quote what is no plain name, "
                    'such as instruments.symbols."BRK.B".lot_size=1'
                ) from None
    return tables
