"""Training time against learning rate for each size, and its two factors against size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.figures.sizes.drawing import (
    check_one_optimizer,
    distinct,
    draw_censored,
    evenly_chosen,
    shades,
    weights_axis,
)
from study.figures.style import (
    finite,
    headline,
    legend_beside,
    own_settings,
    rate_and_seconds_axes,
    seconds_label,
    stacked_panels,
    subtitle_of,
)
from study.figures.ticks import Exact

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


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
    _name_lost(axes, runs, cells, cap)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(seconds_label(runs))
    legend_beside(axes, "size")
    headline(figure, f"Training time against learning rate, for each size\n{subtitle_of(runs)}")
    return figure


def _name_lost(axes: Axes, runs: pd.DataFrame, cells: pd.DataFrame, cap: float) -> None:
    """Write how many sizes did not arrive at a rate, and how many have no trial there.

    Their triangles lie on each other.
    """
    sizes, rates = runs["width"].nunique(), sorted(set(cells["rate"]))
    _, high = axes.get_ylim()
    measured = cells.groupby("rate").size()
    missed = (cells["seconds"] == float("inf")).groupby(cells["rate"]).sum()
    absent = (runs["seconds_source"] == "assumed").groupby(runs["learning_rate"]).sum()
    for rate in rates:
        lost = int(missed[rate])
        what = "have no row" if lost == absent[rate] else "did not arrive"
        said = [f"{lost} of {sizes} sizes\n{what}"] if lost > 1 else []
        if measured[rate] < sizes:
            said.append(f"{sizes - measured[rate]} of {sizes} sizes\nnot measured")
        if said:
            axes.set_ylim(top=1.5 * high)
            side = "right" if rate == rates[-1] else "left" if rate == rates[0] else "center"
            axes.annotate(
                "\n".join(said),
                (rate, cap),
                xytext=({"right": 6, "left": -6, "center": 0}[side], 6),
                textcoords="offset points",
                ha=side,
                fontsize=7.5,
                color="0.35",
            )


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
    weights_axis(below, cells["weights"])
    headline(
        figure,
        f"The two factors of training time: steps, and the time of a step\n{subtitle_of(runs)}",
    )
    return figure
