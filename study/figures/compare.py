"""Studies over each other."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study import tables
from study.figures.sizes.drawing import draw_censored
from study.figures.style import (
    PALETTE,
    Drawing,
    budget_of,
    check_one_width,
    finite,
    folded,
    grid_shape,
    headline,
    label_of,
    own_settings,
    panels,
)
from study.figures.ticks import Exact, logarithmic_rates
from study.tables.rows import in_order
from study.validation import choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


AXES = {
    "seconds": "seconds of training to the target",
    "steps": "steps to the target",
    "relative": "time to the target, in times the least of the study",
}
HEADS = {"seconds": "in seconds", "steps": "in steps", "relative": "each over its least time"}
"""What is drawn, as the axis and as the title say it."""


@own_settings()
def overlay(studies: Mapping[str, pd.DataFrame], measure: str = "seconds") -> Figure:
    """The valleys of several studies over each other, a panel an optimizer.

    Args:
        studies: the runs of each study, of one width, by its name.
        measure: what is drawn against the learning rate, `seconds` or `steps` (medians), or
            `relative`, seconds over the least of the study, where seconds do not compare.

    Returns:
        The figure.

    Raises:
        StudyError: an unknown measure, or runs of several widths.
    """
    choice("measure", measure, tuple(AXES))
    cells: dict[str, pd.DataFrame] = {}
    limits: dict[str, dict[str, float]] = {}
    for study, runs in studies.items():
        check_one_width(runs)
        table = tables.cells(runs)
        unit = float(table["seconds"].min()) if measure == "relative" else 1.0
        if measure != "steps":
            times = [str(name) for name in table if str(name).startswith("seconds")]
            table[times] /= unit if math.isfinite(unit) else math.nan
        limits[study] = _limits(runs, measure, unit)
        cells[study] = table
    names = in_order(name for table in cells.values() for name in table["optimizer"])
    rows, columns = grid_shape(len(names))
    room = ConstrainedLayoutEngine(wspace=0.06)  # for the numbers at the ends of the axes
    figure = Drawing(figsize=(3.6 * columns + 1.2, 2.9 * rows + 1.1), layout=room)
    axes_of = dict(zip(names, panels(figure, len(names), sharex=True, sharey=True), strict=True))
    colours = dict(zip(cells, cycle(PALETTE), strict=False))
    handles: dict[str, Any] = {}
    for name, axes in axes_of.items():
        for (study, table), marker in zip(cells.items(), "osD^vP" * len(cells), strict=False):
            mine = table[table["optimizer"] == name]
            values = finite(mine["steps" if measure == "steps" else "seconds"])
            style: dict[str, Any] = {
                "color": colours[study],
                "marker": marker,
                "markersize": 4,
                "linewidth": 1.5,
            }
            (handles[study],) = axes.plot(mine["rate"], values, **style)
            limit = limits[study].get(name, math.nan)
            if not math.isnan(limit):
                draw_censored(axes, mine[values.isna()]["rate"], limit, colours[study])
            if measure != "steps" and int(mine["seeds"].max() if len(mine) else 0) > 1:
                low, high = (
                    mine[end].where(values.notna()).replace(float("inf"), values.max())
                    for end in ("seconds_q25", "seconds_q75")
                )
                axes.fill_between(
                    mine["rate"], low, high, color=colours[study], alpha=0.18, linewidth=0
                )
        axes.set_title(folded(label_of(name)), fontsize=10)
        logarithmic_rates(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(Exact())
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    figure.supxlabel("learning rate", fontsize=10)
    figure.supylabel(AXES[measure], fontsize=10)
    labels = [
        f"{study}\n{len(runs)} trials, given up after\n{budget_of(runs)}"
        for study, runs in studies.items()
    ]
    legend = figure.legend(
        [handles[study] for study in studies],
        labels,
        loc="outside right upper",
        frameon=False,
        labelspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    hollow = "hollow triangles, at the budget: the target was not reached"
    foreign = [study for study, runs in studies.items() if tables.imported(runs)]
    said = "\n".join(
        f"{study} is published: its steps, step times and scale are not known" for study in foreign
    )
    headline(
        figure, f"Valleys over each other, {HEADS[measure]}\n{hollow}" + (said and f"\n{said}")
    )
    return figure


def overlays(studies: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """The valleys over each other in all that is known of every study, by the name of the file."""
    runs = studies.values()
    return {
        f"valleys-{measure}": overlay(studies, measure)
        for measure, column in (("seconds", "seconds"), ("steps", "steps"), ("relative", "seconds"))
        if all(len(mine) and mine[column].notna().any() for mine in runs)
    }


def _limits(runs: pd.DataFrame, measure: str, unit: float) -> dict[str, float]:
    """The budget of each optimizer's trials, in what is drawn; NaN where it is not known."""
    of = runs["step_seconds"].astype(float) if measure == "steps" else unit
    names = runs["optimizer"].astype(str)
    return {
        str(name): value for name, value in (tables.budget(runs) / of).groupby(names).max().items()
    }
