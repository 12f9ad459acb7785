"""Fee tables: what a row comes to, and what a wrong file is told."""

from math import inf
from pathlib import Path

import polars as pl
import pytest

from ml4t.backtest.config import load_config
from ml4t.backtest.errors import ConfigError
from ml4t.backtest.fee_table import read_fee_table
from ml4t.backtest.models.commission import CommissionTerms, TableCommission

GOOD = "Symbol,fixed,rate,minimum,cap_rate,taker_rate\nA,1,0.001,2,0.01,\nB,,,,,0.002\n*,,0.5,,,\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fees.csv"


def test_rows_come_down_to_terms(path: Path) -> None:
    path.write_text(GOOD)
    table = read_fee_table(path)
    assert table.terms("A") == CommissionTerms(fixed=1.0, minimum=2.0, cap_rate=0.01, tiers=((inf, 0.001),))
    assert table.terms("B").fill_tiers == ((inf, 0.002, 0.0),)
    assert table.terms("C").tiers == ((inf, 0.5),)


def test_parquet_is_read_too(tmp_path: Path) -> None:
    pl.DataFrame({"symbol": ["A"], "per_unit": [2]}).write_parquet(tmp_path / "fees.parquet")
    assert read_fee_table(tmp_path / "fees.parquet").terms("A").per_unit == 2.0


def test_a_symbol_may_look_like_a_number(path: Path) -> None:
    path.write_text("symbol,rate\n0,0.001\n700,0.002\n")
    assert read_fee_table(path).terms("0").tiers == ((inf, 0.001),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,rate\nA,0.1\n", "there is no column 'symbol'. It has name, rate"),
        ("symbol,rat\nA,0.1\n", "unknown column 'rat'. Did you mean 'rate'?"),
        ("symbol,rate, Rate\nA,0.1,0.1\n", "there are 2 columns 'rate'"),
        ("symbol,rate\nA,0.1\n,0.1\n", "row 2, column 'symbol': is empty"),
        ("symbol,rate\nA,0.1\nA,0.2\n", "row 2, column 'symbol': 'A' has a row already"),
        ("symbol,rate\nA,much\n", "row 1 (A), column 'rate': 'much' is not a number"),
        ("symbol,rate\nA,0.1\nB,5\n", "row 2 (B), column 'rate': 5.0 must be a fraction of value, between 0 and 1"),
        ("symbol,fixed\nA,-1\n", "row 1 (A), column 'fixed': -1 must be 0 or more"),
        ("symbol,cap_rate\nA,0\n", "row 1 (A), column 'cap_rate': 0 must be a fraction"),
        (
            "symbol,maker_rate\nA,-1\n",
            "row 1 (A), column 'maker_rate': -1 must be a fraction of value, between -1 and 1",
        ),
        ("symbol,fixed\nA,inf\n", "row 1 (A), column 'fixed': inf must be 0 or more"),
        ("symbol,rate,maker_rate\nA,0.1,0.1\n", "row 1 (A): has a rate and a maker_rate"),
        ("symbol,minimum,maximum\nA,2,1\n", "row 1 (A), column 'minimum': 2.0 is above the maximum of 1.0"),
        ("", "the file is empty"),
    ],
)
def test_errors_name_file_row_and_column(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_fee_table(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_missing_symbol(path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_fee_table(path)
    path.write_text("symbol,rate\nAAPL,0.1\n")
    with pytest.raises(ConfigError, match=r"no row of the symbol 'AAPK'\. Did you mean 'AAPL'"):
        read_fee_table(path).terms("AAPK")


def test_the_path_is_relative_to_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[costs.commission]\nkind = "table"\npath = "fees.csv"\n')
    assert load_config(tmp_path / "run.toml").costs.commission == TableCommission(tmp_path / "fees.csv")
