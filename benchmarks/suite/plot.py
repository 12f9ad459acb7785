"""The picture beside the page: how much faster, and how time grows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.race import Lane
from suite.work import WORKS


def draw(path: Path, races: Mapping[str, Sequence[Lane]], curves: Sequence[tuple[str, str, int, int, float]]) -> None:
    """One SVG: bars of ratios with their aims, and the growth curves."""
    import matplotlib as mpl  # only the benchmark environment has it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "performance"
    import matplotlib.pyplot as plt

    points = [
        (f"{name}: {lane.engine}", lane.ratio("cpu"), WORKS[name].aims[lane.engine])
        for name, lanes in races.items()
        for lane in lanes[1:]
    ]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 1.5 + 0.32 * max(len(points), 10)), width_ratios=(3, 2))
    _ratios(left, points)
    _growth(right, curves)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _ratios(axes: Any, points: Sequence[tuple[str, float, float]]) -> None:
    places = range(len(points))
    axes.barh(places, [ratio for _, ratio, _ in points], color=["#2a7" if r >= 1 else "#c55" for _, r, _ in points])
    axes.scatter([aim for _, _, aim in points], places, marker="|", s=200, color="black", zorder=3, label="aim")
    axes.set_yticks(places, [label for label, _, _ in points])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1.0, color="grey", linewidth=1)
    axes.set_xlabel("their CPU time ÷ ours (same trades, warm)")
    axes.legend()


def _growth(axes: Any, curves: Sequence[tuple[str, str, int, int, float]]) -> None:
    for name in dict.fromkeys(curve[0] for curve in curves):
        found = [(n, seconds) for curve, _, n, _, seconds in curves if curve == name and n > 0]
        axes.plot(*zip(*found, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("number of ...")
    axes.set_ylabel("seconds of a whole run, ours")
    if curves:
        axes.legend()
