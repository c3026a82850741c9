"""Where training ends: the metric at the end of each trial of an import, against learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.figures.style import (
    check_one_width,
    headline,
    legend_beside,
    looks_of,
    own_settings,
    stacked_panels,
    subtitle_of,
)
from study.figures.ticks import Exact, logarithmic_rates
from study.figures.valley import draw_other_ends
from study.spec.goals import has_target, is_share, label, sign
from study.storage.records import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


WIDE = 20.0
"""Values that span more than this factor are drawn on a logarithmic axis."""


@own_settings()
def final(runs: pd.DataFrame) -> Figure:
    """The metric at the end of training against learning rate; above it trials that did not end.

    A line joins the medians of an optimizer's rates, and a dot is a trial. The target, where there
    is one, is a dotted line.

    Args:
        runs: the runs of an import, of one width.

    Returns:
        The figure.

    Raises:
        StudyError: runs of several widths, or none of an import.
    """
    check_one_width(runs)
    table, first = tables.final(runs), runs.iloc[0]
    looks = looks_of(runs)
    metric, unit = str(first["metric"]), 100 if is_share(str(first["metric"])) else 1
    lost = runs[runs["final"].isna()].rename(columns={"learning_rate": "rate"})
    heights = (0.12 + 0.045 * len(looks), 1.0) if len(lost) else (1.0,)
    figure, (*above, axes) = stacked_panels(len(heights), (9.5, 4 + len(heights)), heights)
    for name, look in looks.items():
        mine = table[table["optimizer"] == name]
        dots = runs[(runs["optimizer"] == name) & runs["final"].notna()]
        if len(dots):
            style = look.points | look.curve | {"markersize": 6, "linewidth": 1.8}
            axes.plot(mine["rate"], unit * mine["final"], **style, label=look.label)
            axes.scatter(
                dots["learning_rate"], unit * dots["final"], color=look.colour, s=10, alpha=0.5
            )
    if has_target(float(first["target"])):
        style = {"color": "0.5", "linestyle": ":", "linewidth": 1}
        axes.axhline(unit * float(first["target"]), **style, label="target")
    _scale(axes, runs["final"].dropna(), unit)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"{label(metric, own=True)} at the end of training")
    if axes.get_legend_handles_labels()[0]:
        legend_beside(axes)
    for panel in above:
        ended = lost["outcome"].where(lost["outcome"] != Outcome.REACHED, Outcome.DIVERGED)
        draw_other_ends(panel, lost.assign(outcome=ended), looks)
        panel.set_title("Ended without a value", fontsize=10, loc="left")
    kind = "valley" if sign(str(first["goal"])) < 0 else "hill"
    headline(
        figure,
        f"The {kind} of the final {label(metric, own=True)}, against learning rate\n"
        f"{subtitle_of(runs)}",
    )
    return figure


def _scale(axes: Axes, values: pd.Series, unit: int) -> None:
    """A logarithmic axis of rates; one of values where they span much."""
    logarithmic_rates(axes)
    if unit == 1 and len(values) and 0 < values.min() < values.max() / WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(Exact(" %" if unit == 100 else ""))
