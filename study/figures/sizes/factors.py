"""Time against rate for each size, and its two factors; what figures of sizes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.style import (
    finite,
    headline,
    legend_beside,
    own_settings,
    rate_and_seconds_axes,
    stacked_panels,
    subtitle_of,
    target_of,
)
from study.figures.ticks import Exact

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from matplotlib.axes import Axes


MOST_NAMED = 8
"""The most curves that a legend names if they have an order."""


APART = (0, 1, 2, 4, 7, 9, 5, 8)
"""Places in the palette for the colour-blind, without its vermilion, which is near its orange."""


@own_settings()
def size_valley(runs: pd.DataFrame) -> Figure:
    """Time against learning rate, a curve a size: does the best rate move as the model grows?

    Raises:
        StudyError: several optimizers.
    """
    check_one_optimizer(runs)
    cells = tables.cells(runs)
    figure, (axes,) = stacked_panels(1, size=(9.5, 5.4))
    widths = sorted(set(cells["width"]))
    named = evenly_chosen(widths)
    cap = float(tables.budget(runs).max())
    for width, colour in zip(widths, shades(len(widths)), strict=True):
        mine = cells[cells["width"] == width]
        seconds = finite(mine["seconds"])
        draw_censored(axes, mine[seconds.isna()]["rate"], cap, colour)
        label = f"{width:g}x: {int(mine['weights'].iloc[0]):,} weights" if width in named else None
        style: Any = {"linewidth": 1.4, "marker": "o", "markersize": 3.5}
        axes.plot(mine["rate"], seconds, color=colour, label=label, **style)
    rate_and_seconds_axes(axes, finite(cells["seconds"]).dropna(), cap)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"seconds of training to {target_of(runs)}")
    legend_beside(axes, "size")
    headline(figure, f"Training time against learning rate, for each size\n{subtitle_of(runs)}")
    return figure


@own_settings()
def size_parts(runs: pd.DataFrame) -> Figure:
    """The two factors of time against weights: steps to the target, and the time of a step.

    Raises:
        StudyError: several optimizers.
    """
    check_one_optimizer(runs)
    cells = tables.cells(runs)
    figure, (above, below) = stacked_panels(2, size=(9.5, 7), height_ratios=(1.4, 1))
    rates = sorted(set(cells["rate"]))
    named = evenly_chosen(rates)
    for rate, colour in zip(rates, distinct(len(rates)), strict=True):
        mine = cells[(cells["rate"] == rate) & (cells["steps"] < float("inf"))]
        label = f"{rate:g}" if rate in named else None
        above.plot(
            mine["weights"],
            mine["steps"],
            color=colour,
            linewidth=1.2,
            marker="o",
            markersize=3,
            label=label,
        )
    above.set_yscale("log")
    above.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    above.yaxis.set_major_formatter(Exact())
    above.yaxis.set_minor_locator(ticker.NullLocator())
    above.set_ylabel("steps to the target")
    legend_beside(above, "learning rate")
    per_size = cells.groupby("weights")["step_seconds"].median()
    below.plot(
        per_size.index, 1e3 * per_size, color="black", linewidth=1.4, marker="o", markersize=3.5
    )
    below.set_ylabel("milliseconds a step, alone")
    below.set_ylim(bottom=0)
    below.set_xlabel("weights")
    headline(
        figure,
        f"The two factors of training time: steps, and the time of a step\n{subtitle_of(runs)}",
    )
    return figure


def draw_censored(axes: Axes, places: pd.Series, cap: float, colour: Any) -> None:
    """Draw cells that did not arrive as hollow triangles at the cap, in one colour or many."""
    if len(places):
        axes.scatter(
            places, [cap] * len(places), s=20, marker="^", facecolors="none", edgecolors=colour
        )


def shades(count: int) -> list[Any]:
    """`count` colours from light to dark, for what has an order."""
    return list(sns.color_palette("viridis_r", count))


def distinct(count: int) -> list[Any]:
    """`count` colours that are easy to tell apart, or `shades` of more than a legend names."""
    palette = sns.color_palette("colorblind")
    return [palette[i] for i in APART[:count]] if count <= MOST_NAMED else shades(count)


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
