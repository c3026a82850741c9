"""What the figures of sizes share: censored cells, colours, the axis of weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib import ticker

from study.errors import StudyError
from study.figures.style.looks import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


MOST_NAMED = 8
"""The most curves that a legend names if they have an order."""

APART = (0, 1, 2, 4, 7, 9, 5, 8)
"""Places in the palette for the colour-blind, without its vermilion, which is near its orange."""


LONG = 1e7
"""Weights whose numbers touch each other where an axis has as many as it likes."""


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
    between = np.linspace(0, 1, count + 2)[1:-1]
    return [tuple(colour) for colour in matplotlib.colormaps["viridis_r"](between)]


def distinct(count: int) -> list[Any]:
    """`count` colours that are easy to tell apart, or `shades` of more than a legend names."""
    return [PALETTE[i] for i in APART[:count]] if count <= MOST_NAMED else shades(count)


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
