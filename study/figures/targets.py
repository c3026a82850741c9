"""What a higher target costs: steps to the target as it rises."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from study.errors import StudyError
from study.figures.style import (
    Drawing,
    check_one_width,
    headline,
    legend_beside,
    looks_of,
    own_settings,
    styled_axes,
    subtitle_of,
)
from study.figures.ticks import Exact
from study.spec.goals import label
from study.spec.own import names_itself


@own_settings()
def targets(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Steps to the target as it rises to the study's own, a line an optimizer.

    On the left each optimizer is at its best rate; on the right is the median over all rates at
    which it comes to the study's own target.

    Args:
        table: as `tables.targets` gives it.
        runs: the study's runs, of one width.

    Returns:
        The figure.

    Raises:
        StudyError: runs of several widths, or no trial that reached the target.
    """
    check_one_width(runs)
    table = table[table["width"] == runs["width"].iloc[0]].replace(math.inf, math.nan)
    if table[["steps", "median_steps"]].isna().all(axis=None):
        raise StudyError("no trial reached the target, so that no steps to it are known")
    first = runs.iloc[0]
    what = label(str(first["metric"]), own=names_itself(first["network"]))
    figure = Drawing(figsize=(11, 4.8), layout="constrained")
    ((left, right),) = styled_axes(figure, 1, 2, sharex=True, sharey=True)
    for name, look in looks_of(runs).items():
        mine = table[table["optimizer"] == name]
        if mine["median_steps"].isna().all():
            continue
        style = look.points | look.curve | {"markersize": 5, "linewidth": 1.8}
        count = int(mine["rates"].iloc[0])
        at_best = f"{look.label} at {float(mine['rate'].iloc[0]):.3g}"
        for axes, column in ((left, "steps"), (right, "median_steps")):
            text = f"{at_best}; {count} rate{'s' if count > 1 else ''}"
            axes.plot(100 * mine["target"], mine[column], **style, label=text)
    for axes, title in (
        (left, "At the best rate"),
        (right, "Median over the rates that come to the highest target"),
    ):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.xaxis.set_major_formatter(Exact(" %"))
        axes.yaxis.set_major_formatter(Exact())
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel(f"target: {what}")
    unit = first["unit"] if "unit" in runs else "step"
    left.set_ylabel(f"{unit}s of training to the target")
    legend_beside(right, "best rate; rates on the right")
    headline(figure, f"What a higher target costs\n{subtitle_of(runs)}")
    return figure
