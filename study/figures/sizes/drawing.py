"""What the figures of sizes share: lines, censored cells, shades for what has an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import seaborn as sns
from matplotlib import ticker

from study.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


MOST_NAMED = 8
"""The most curves that a legend names if they have an order."""

LONG = 1e7
"""Weights whose numbers touch each other where an axis has as many as it likes."""


def draw_line(
    axes: Axes, row: Any, weights: pd.Series, colour: Any, label: str = "", marker: str = ""
) -> None:
    """Draw the line of a row of `tables.sizes` over the sizes, if there is one.

    The marker stands in the legend alone: the trials have it.
    """
    style: Any = {"color": colour, "linewidth": 1.6, "marker": marker, "markevery": []}
    if not isinstance(row.shape, str):  # no line where its points are too few to judge it
        axes.plot([], [], **style, label=label or "too few arrived for a line")
        return
    ends = [float(weights.min()), float(weights.max())]
    grid = [ends[0] + (ends[1] - ends[0]) * i / 50 for i in range(51)]
    words = (
        label
        or f"c + k n: {row.c:.2g} s and {1e6 * row.k:.3g} s\nper million weights (R² {row.r2:.2f})"
    )
    axes.plot(grid, [row.c + row.k * n for n in grid], **style, label=words)


def draw_censored(axes: Axes, places: pd.Series, cap: float, colour: Any) -> None:
    """Draw cells that did not arrive as hollow triangles at the cap, in one colour or many."""
    if len(places):
        axes.scatter(
            places, [cap] * len(places), s=20, marker="^", facecolors="none", edgecolors=colour
        )


def weights_axis(axes: Axes, weights: pd.Series) -> None:
    """Name the axis of weights; where their numbers are long, it has few of them."""
    axes.set_xlabel("weights")
    if weights.max() >= LONG:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(5))


def shades(count: int) -> list[Any]:
    """`count` colours from light to dark, for what has an order."""
    return list(sns.color_palette("viridis_r", count))


def evenly_chosen(values: Iterable[float]) -> set[float]:
    """At most `MOST_NAMED` of the values, evenly spread, with the ends."""
    order = sorted(values)
    count = min(MOST_NAMED, len(order))
    return {order[round(i * (len(order) - 1) / max(1, count - 1))] for i in range(count)}


def check_one_optimizer(runs: pd.DataFrame) -> None:
    """Raise `StudyError` if the runs have several optimizers: a curve would join them."""
    names = sorted(set(runs["optimizer"].astype(str)))
    if len(names) > 1:
        select = f"runs[runs.optimizer == '{names[0]}']"
        raise StudyError(
            f"the runs have the optimizers {', '.join(names)}: draw one at a time, such as {select}"
        )
