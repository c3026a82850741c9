"""Training time against model size, with the line of each rate."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.sizes.drawing import (
    check_one_optimizer,
    draw_censored,
    draw_line,
    evenly_chosen,
    shades,
    weights_axis,
)
from study.figures.style import (
    COLOURS,
    LABELS,
    MARKERS,
    headline,
    legend_beside,
    own_settings,
    seconds_label,
    stacked_panels,
    subtitle_of,
)
from study.storage.records import Outcome

if TYPE_CHECKING:
    import pandas as pd


@own_settings()
def size(runs: pd.DataFrame, rate: float | None = None) -> Figure:
    """Time against weights at one rate, with its line; a trial that did not arrive is at its cap.

    Args:
        runs: of several widths.
        rate: the learning rate; if None, the fastest of those with the most arrivals.

    Returns:
        The figure.

    Raises:
        StudyError: fewer than three widths, or no such rate.
    """
    lines = tables.sizes(runs)
    if rate is None:
        by_rate = runs.assign(arrived=runs["outcome"] == Outcome.REACHED).groupby("learning_rate")
        counted = by_rate.agg({"arrived": "sum", "seconds": "median"})
        rate = float(counted.sort_values(["arrived", "seconds"], ascending=[False, True]).index[0])
    mine = runs[runs["learning_rate"] == rate]
    if mine.empty:
        rates = ", ".join(f"{value:g}" for value in sorted(set(runs["learning_rate"])))
        raise StudyError(f"the study has no trial at rate {rate:g}: one of {rates}")
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    for row in lines[lines["rate"] == rate].itertuples():
        name = str(row.optimizer)
        colour = COLOURS[name]
        trials = mine[mine["optimizer"] == row.optimizer]
        arrived = trials["outcome"] == Outcome.REACHED
        axes.scatter(
            trials["weights"][arrived],
            trials["seconds"][arrived],
            color=colour,
            s=22,
            label=f"{LABELS[name]}: a trial",
        )
        draw_line(axes, row, trials["weights"], colour)
        if not arrived.all():
            caps = tables.budget(trials)[~arrived]
            style = {"marker": "^", "facecolors": "none", "edgecolors": colour, "s": 26}
            absent = (trials["seconds_source"][~arrived] == "assumed").all()
            label = "absent, taken as capped" if absent else "did not arrive (at its cap)"
            axes.scatter(trials["weights"][~arrived], caps, **style, label=label)
    weights_axis(axes, mine["weights"])
    axes.set_ylabel(seconds_label(runs))
    axes.set_ylim(bottom=0)
    legend_beside(axes)
    headline(figure, f"Training time against model size, at rate {rate:g}\n{subtitle_of(runs)}")
    return figure


@own_settings()
def sizes(runs: pd.DataFrame) -> Figure:
    """Time against weights at every rate, each with its line; medians and quartiles of the seeds.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    check_one_optimizer(runs)
    lines = tables.sizes(runs)
    cells = tables.cells(runs)
    named = evenly_chosen(lines["rate"])
    cap = float(tables.budget(runs).max())
    figure, (axes,) = stacked_panels(1, size=(9.5, 5.4))
    colours = dict(zip(lines["rate"], shades(len(lines)), strict=True))
    here, lost = cells[cells["seconds"] < float("inf")], cells[cells["seconds"] == float("inf")]
    markers = dict(zip(lines["rate"], cycle(MARKERS.values())))  # beside dark colours
    for measured, mine in here.groupby("rate"):
        style = {"color": colours[measured], "marker": markers[measured]}
        axes.scatter(mine["weights"], mine["seconds"], s=16, **style)
    if here["seeds"].max() > 1:
        low, high = (here[name].clip(upper=cap) for name in ("seconds_q25", "seconds_q75"))
        axes.vlines(
            here["weights"],
            low,
            high,
            colors=[colours[rate] for rate in here["rate"]],
            linewidth=0.8,
        )
    draw_censored(axes, lost["weights"], cap, [colours[rate] for rate in lost["rate"]])
    for row in lines.itertuples():
        rate: Any = row.rate
        label = f"{rate:g}: {row.arrived} of {row.trials} arrived" if rate in named else "_"
        draw_line(axes, row, cells["weights"], colours[rate], label, markers[rate])
    axes.set_ylim(bottom=0)
    weights_axis(axes, cells["weights"])
    axes.set_ylabel(seconds_label(runs))
    legend_beside(axes, "rate, with its line c + k n")
    headline(figure, f"Training time against model size, at every rate\n{subtitle_of(runs)}")
    return figure


@own_settings()
def slopes(runs: pd.DataFrame) -> Figure:
    """k of time = c + k n against learning rate, by least squares and with censored trials.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    check_one_optimizer(runs)
    lines = tables.sizes(runs).dropna(subset=["k", "shape"])
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    ways = {
        "": ("least squares, arrivals alone", "black", 0.98),
        "tobit_": ("with censored trials", "C0", 1.02),
    }
    for method, (label, colour, shift) in ways.items():
        k, low, high = (1e6 * lines[f"{method}{name}"] for name in ("k", "k_low", "k_high"))
        errors = [(k - low).clip(lower=0), (high - k).clip(lower=0)]
        axes.errorbar(
            shift * lines["rate"],
            k,
            yerr=errors,
            fmt="o",
            color=colour,
            capsize=3,
            markersize=5,
            label=label,
        )
    axes.axhline(0, color="0.5", linewidth=1)
    if lines.empty:
        axes.text(
            0.5,
            0.5,
            "too few sizes arrived for a line",
            transform=axes.transAxes,
            ha="center",
            color="0.4",
        )
    else:
        axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("k: seconds for each million weights more")
    legend_beside(axes)
    headline(figure, f"What a weight costs at each rate: k in time = c + k n\n{subtitle_of(runs)}")
    return figure
