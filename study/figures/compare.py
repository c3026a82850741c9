"""Studies over each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.figures.sizes import _censored
from study.figures.style import LABELS, Drawing, _budget, _headline, _one_width
from study.spec.trial import OPTIMIZERS
from study.validation import choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def overlay(studies: Mapping[str, pd.DataFrame], measure: str = "seconds") -> Figure:
    """The valleys of several studies over each other, a panel an optimizer: median seconds, or
    steps, against learning rate.

    Args:
        studies: by the name of each, its runs of one width.
        measure: `seconds` or `steps`.

    Raises:
        StudyError: an unknown measure, or runs of several widths.
    """
    choice("measure", measure, ("seconds", "steps"))
    cells = {}
    for study, runs in studies.items():
        _one_width(runs)
        cells[study] = tables.cells(runs)
    names = [
        name
        for name in OPTIMIZERS
        if any(name in set(table["optimizer"]) for table in cells.values())
    ]
    columns = min(3, len(names))
    figure = Drawing(
        figsize=(3.6 * columns + 1.2, 2.9 * math.ceil(len(names) / columns) + 1.1),
        layout="constrained",
    )
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        panels = figure.subplots(
            math.ceil(len(names) / columns), columns, sharex=True, sharey=True, squeeze=False
        ).ravel()
    colours = dict(zip(cells, sns.color_palette("colorblind", len(cells)), strict=True))
    handles: dict[str, Any] = {}
    for name, axes in zip(names, panels, strict=False):
        for (study, table), marker in zip(cells.items(), "osD^vP" * len(cells), strict=False):
            mine = table[table["optimizer"] == name]
            values = mine[measure].replace(float("inf"), float("nan"))
            style = {"color": colours[study], "marker": marker, "markersize": 4, "linewidth": 1.5}
            (handles[study],) = axes.plot(mine["rate"], values, **style)
            if measure == "seconds":
                _censored(
                    axes,
                    mine[values.isna()]["rate"],
                    float(tables.budget(studies[study]).max()),
                    colours[study],
                )
            if measure == "seconds" and int(mine["seeds"].max() if len(mine) else 0) > 1:
                ends = [
                    mine[end].where(values.notna()).replace(float("inf"), values.max())
                    for end in ("seconds_q25", "seconds_q75")
                ]
                axes.fill_between(
                    mine["rate"], *ends, color=colours[study], alpha=0.18, linewidth=0
                )
        axes.set_title(LABELS[name], fontsize=10)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("learning rate", fontsize=10)
    figure.supylabel(
        "seconds of training to the target" if measure == "seconds" else "steps to the target",
        fontsize=10,
    )
    for text in figure.legend(
        list(handles.values()), list(handles), loc="outside right upper", frameon=False
    ).get_texts():
        text.set_parse_math(False)
    counts = ", ".join(
        f"{study}: {len(runs)} trials, given up after {_budget(runs)}"
        for study, runs in studies.items()
    )
    _headline(figure, f"Valleys over each other, in {measure}\n{counts}")
    return figure
