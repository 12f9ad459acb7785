"""Which combinations a sweep tries: counted by hand, and refused before anything runs."""

import itertools
import math

import numpy as np
import pytest

from ml4t.backtest.errors import SweepError
from ml4t.backtest.grid import MOST, combinations


def as_given(name, value):
    return value


def chosen(space, **options):
    return combinations(space, as_given, **options)


def test_a_grid_has_every_combination_the_last_name_changing_fastest():
    pairs = [(c["a"], c["b"]) for c in chosen({"a": [1, 2], "b": range(3)})]
    assert pairs == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


def test_values_come_from_anything_that_can_be_walked():
    assert chosen({"a": np.arange(2)}) == [{"a": 0}, {"a": 1}]
    assert chosen({"a": (x for x in "ab")}) == [{"a": "a"}, {"a": "b"}]


def test_a_list_is_taken_as_it_is():
    listed = [{"a": 1}, {"b": 2}, {"a": 1}]
    assert chosen(listed) == listed


def test_where_chooses():
    assert chosen({"a": [1, 2, 3], "b": [2]}, where=lambda c: c["a"] < c["b"]) == [{"a": 1, "b": 2}]
    assert chosen([{"a": 1}, {"a": 5}], where=lambda c: c["a"] > 2) == [{"a": 5}]


def test_random_draws_different_combinations_that_repeat_with_the_seed():
    space = {"a": range(10), "b": range(10)}
    one = chosen(space, method="random", n=40, seed=1)
    assert one == chosen(space, method="random", n=40, seed=1)
    assert one != chosen(space, method="random", n=40, seed=2)
    assert len({(c["a"], c["b"]) for c in one}) == 40
    assert {(c["a"], c["b"]) for c in chosen(space, method="random", n=100)} == set(
        itertools.product(range(10), range(10))
    )


def test_random_draws_from_more_than_can_be_counted_out():
    drawn = chosen({name: range(10**6) for name in "abcd"}, method="random", n=5, where=lambda c: c["a"] % 2 == 0)
    assert len(drawn) == 5
    assert all(c["a"] % 2 == 0 for c in drawn)


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({}, {}, "the space is empty"),
        ([], {}, "the space is empty"),
        ({"a": []}, {}, r"a: \[\] holds no value"),
        ({"a": range(5, 5)}, {}, "holds no value"),
        ({"a": 5}, {}, r"a: 5 is one value; give the values to try, \[5\]"),
        ({"a": "SPX"}, {}, r"give the values to try, \['SPX'\]"),
        ({name: range(1000) for name in "abc"}, {}, "1,000 · 1,000 · 1,000 = 1,000,000,000 combinations"),
        ({"a": range(10**9)}, {}, "1,000,000,000 combinations; at most 1,000,000"),
        ({"a": itertools.count()}, {}, "a: more than 1,000,000 values"),
        ({"a": [1.0, math.nan]}, {}, "a: NaN is no value"),
        ([{"a": np.float64("nan")}], {}, "a: NaN is no value"),
        ([3], {}, "Combination 0 is 3"),
        ({"a": [1]}, {"method": "bayes"}, "use one of grid, random"),
        ({"a": [1]}, {"method": "random"}, "give both or none"),
        ({"a": [1]}, {"n": 1}, "give both or none"),
        ([{"a": 1}], {"method": "random", "n": 1}, "draws from a mapping"),
        ({"a": [1, 2]}, {"method": "random", "n": 3}, "n=3 combinations of 2: draw 1 to 2"),
        ({"a": [1, 2]}, {"method": "random", "n": 0}, "draw 1 to 2"),
        ({"a": range(9)}, {"method": "random", "n": 3, "where": lambda c: c["a"] > 7}, "Only 1 of the combinations"),
        ({"a": [1, 2]}, {"where": lambda c: c["a"] > 9}, "`where` refuses all"),
        ({"a": [1, 2]}, {"where": lambda c: c["b"] > 9}, "raised KeyError: 'b'"),
    ],
)
def test_refused_before_work_starts(space, options, message):
    with pytest.raises(SweepError, match=message):
        chosen(space, **options)


def test_a_grid_may_have_as_many_as_are_tried():
    assert len(chosen({"a": range(MOST // 1000), "b": range(1000)})) == MOST
