"""Training time against model size."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.style import (
    COLOURS,
    LABELS,
    MARKERS,
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
from study.storage.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from matplotlib.axes import Axes


MOST_NAMED = 8
"""The most curves that a legend names if they have an order."""


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
            axes.scatter(
                trials["weights"][~arrived], caps, **style, label="did not arrive (at its cap)"
            )
    axes.set_xlabel("weights")
    axes.set_ylabel(f"seconds of training to {target_of(runs)}")
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
    axes.set_xlabel("weights")
    axes.set_ylabel(f"seconds of training to {target_of(runs)}")
    legend_beside(axes, "rate, with its line c + k n")
    headline(figure, f"Training time against model size, at every rate\n{subtitle_of(runs)}")
    return figure


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
    for rate, colour in zip(rates, shades(len(rates)), strict=True):
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
