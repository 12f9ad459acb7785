"""Which combinations of parameters a sweep tries: counted and checked before any work starts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isnan, prod
from random import Random
from typing import Any, TypeAlias

from ml4t.backtest.errors import SweepError

Combination: TypeAlias = dict[str, Any]
Space: TypeAlias = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]
Check: TypeAlias = Callable[[str, Any], Any]
"""Takes the name and a value of a parameter, returns the value as the strategy will have it, or raises."""
Where: TypeAlias = Callable[[Combination], bool]

MOST = 1_000_000
DRAWS_PER_HIT = 1_000
METHODS = ("grid", "random")


def combinations(
    space: Space, check: Check, *, method: str = "grid", n: int | None = None, seed: int = 0, where: Where | None = None
) -> list[Combination]:
    """The combinations in the order in which their rows stand, every value checked.

    - a mapping of names to values: all combinations, the last name changing fastest; with `method="random"`, `n` different ones of them
    - a list of mappings: these
    - `where` says of a combination whether it belongs to the sweep

    Raises:
        SweepError: no combination, too many, or a value that is NaN.
        StrategyError, ConfigError: as `check` raises.

    >>> combinations({"fast": [5, 10], "slow": [10, 20]}, lambda name, value: value, where=lambda c: c["fast"] < c["slow"])
    [{'fast': 5, 'slow': 10}, {'fast': 5, 'slow': 20}, {'fast': 10, 'slow': 20}]

    """
    if method not in METHODS:
        raise SweepError(f"method is {method!r}; use one of {', '.join(METHODS)}.")
    if (n is None) != (method == "grid"):
        raise SweepError('n says how many combinations method="random" draws: give both or none of them.')
    if isinstance(space, Mapping):
        axes = {str(name): _axis(name, values) for name, values in space.items()}
        chosen = _all(axes, check, where) if n is None else _drawn(axes, check, where, n, seed)
    elif n is not None:
        raise SweepError('method="random" draws from a mapping of names to values, not from a list of combinations.')
    else:
        listed = [_listed(number, given) for number, given in enumerate(_few("combinations", space))]
        checked = [{name: _checked(check, name, value) for name, value in given.items()} for given in listed]
        chosen = [given for given in checked if _belongs(where, given)]
    if not chosen:
        raise SweepError(
            "No combination is left to try: `where` refuses all of them."
            if where
            else "No combination: the space is empty."
        )
    return chosen


def _axis(name: Any, values: Any) -> Sequence[Any]:
    """The values of one parameter; a range stays one, however long. Raises SweepError where there are none."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise SweepError(f"{name}: {values!r} is one value; give the values to try, [{values!r}].")
    axis = values if isinstance(values, range | list | tuple) else _few(str(name), values)
    if not axis:
        raise SweepError(f"{name}: {values!r} holds no value; a sweep without values has no combination.")
    return axis


def _few(what: str, values: Iterable[Any]) -> list[Any]:
    found = list(islice(values, MOST + 1))
    if len(found) > MOST:
        raise SweepError(f"{what}: more than {MOST:,} values.")
    return found


def _listed(number: int, given: Any) -> Combination:
    if not isinstance(given, Mapping):
        raise SweepError(f"Combination {number} is {given!r}; a list holds mappings of names to values.")
    return {str(name): value for name, value in given.items()}


def _checked(check: Check, name: str, value: Any) -> Any:
    plain = check(name, value)
    if isinstance(plain, float) and isnan(plain):
        raise SweepError(f"{name}: NaN is no value of a parameter. Remove it.")
    return plain


def _belongs(where: Where | None, combination: Combination) -> bool:
    if where is None:
        return True
    try:
        return bool(where(dict(combination)))
    except Exception as error:
        raise SweepError(f"where({combination}) raised {type(error).__name__}: {error}") from error


def _all(axes: Mapping[str, Sequence[Any]], check: Check, where: Where | None) -> list[Combination]:
    count = prod(map(len, axes.values())) if axes else 0
    if count > MOST:
        sizes = " · ".join(f"{len(values):,}" for values in axes.values())
        raise SweepError(
            f"The grid has {sizes} = {count:,} combinations; at most {MOST:,} are tried. Use fewer values, or draw some: "
            'method="random", n=1000.'
        )
    checked = {name: [_checked(check, name, value) for value in values] for name, values in axes.items()}
    every = (_at(checked, number) for number in range(count))
    return [combination for combination in every if _belongs(where, combination)]


def _drawn(
    axes: Mapping[str, Sequence[Any]], check: Check, where: Where | None, n: int, seed: int
) -> list[Combination]:
    """N different combinations that belong to the sweep, in the order in which they are drawn."""
    count = prod(map(len, axes.values())) if axes else 0
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= min(count, MOST):
        raise SweepError(f"n={n!r} combinations of {count:,}: draw 1 to {min(count, MOST):,} of them.")
    chosen: list[Combination] = []
    for number in _numbers(count, n, Random(seed)):  # noqa: S311  chance that repeats, not secrets
        combination = {name: _checked(check, name, value) for name, value in _at(axes, number).items()}
        if _belongs(where, combination):
            chosen.append(combination)
            if len(chosen) == n:
                return chosen
    raise SweepError(
        f"Only {len(chosen):,} of the combinations that were drawn satisfy `where`; n={n:,} were asked for."
    )


def _numbers(count: int, n: int, random: Random) -> Iterator[int]:
    """Different numbers below `count` by chance: all of them, or of very many some."""
    if count <= MOST:
        yield from random.sample(range(count), count)
        return
    seen: set[int] = set()
    for _ in range(DRAWS_PER_HIT * n):
        number = random.randrange(count)
        if number not in seen:
            seen.add(number)
            yield number


def _at(axes: Mapping[str, Sequence[Any]], number: int) -> Combination:
    """The combination of this number, the last axis changing fastest."""
    values = []
    for axis in reversed([*axes.values()]):
        number, place = divmod(number, len(axis))
        values.append(axis[place])
    return dict(zip(axes, reversed(values), strict=True))
