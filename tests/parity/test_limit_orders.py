"""The tables of docs/parity/limit_orders.md are what the engine makes of the rules, and the rules do what the page says."""

from pathlib import Path

from parity.limit_orders import (
    FOUR,
    FOURTEEN,
    LIVES,
    REACHES,
    Rules,
    counted,
    fate_table,
    minutes,
    reach_table,
    rules_table,
)

PAGE = (Path(__file__).parents[2] / "docs" / "parity" / "limit_orders.md").read_text()
BARS = minutes()


def test_the_tables_of_the_page_are_computed() -> None:
    for table in (rules_table(BARS), reach_table(BARS), fate_table(BARS)):
        assert "\n".join(table) in PAGE


def test_fourteen_and_four_differ_by_one_rule() -> None:
    """20 signals each; a trade is an entry and its exit."""
    assert min(counted(FOURTEEN, BARS)) == 14
    assert min(counted(FOUR, BARS)) == 4
    assert (FOURTEEN.life, FOURTEEN.cancels) == (FOUR.life, FOUR.cancels)


def test_no_rule_that_gives_orders_less_time_fills_more_on_these_bars() -> None:
    lives = list(LIVES)
    for cancels in (True, False):
        for exit_rests in (True, False):
            entries = [counted(Rules(life, cancels, exit_rests), BARS)[0] for life in lives]
            assert entries == sorted(entries)
    touched, passed, closes = (min(counted(FOURTEEN, BARS, settings)) for settings in REACHES.values())
    assert touched >= passed >= closes


def test_the_counts_by_hand_of_the_first_signals() -> None:
    """The first entry, looked for in the bars themselves: the first low at or below 0.3 % under the first close."""
    rows = BARS.rows(named=True)
    limit = round(rows[0]["close"] * 0.997, 2)
    first = next(i for i, row in enumerate(rows[1:], 1) if row["low"] <= limit)
    in_time = {"1 bar": first <= 1, "10 bars": first <= 10, "until cancelled": first <= 30}
    for life, is_filled in in_time.items():
        entries, _ = counted(Rules(life, cancels=False, exit_rests=True), BARS[: 30 + 1])
        assert (entries > 0) == is_filled
