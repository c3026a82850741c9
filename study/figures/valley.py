"""Training time against learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.figures.style import (
    Look,
    budget_of,
    check_one_width,
    explain_emptiness,
    finite,
    folded,
    headline,
    legend_beside,
    looks_of,
    note_on_line,
    own_settings,
    rate_and_seconds_axes,
    seconds_label,
    stacked_panels,
    subtitle_of,
    time_of,
)
from study.figures.ticks import Exact
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


ENDS = {
    Outcome.CAPPED: ("^", "budget spent"),
    Outcome.STUCK: ("s", "stuck"),
    Outcome.DIVERGED: ("x", "diverged"),
    Outcome.PRUNED: ("v", "given up early"),
    Outcome.FAILED: ("$!$", "failed"),
}
"""Marker and words of each outcome but `reached`."""


@own_settings()
def valley(runs: pd.DataFrame) -> Figure:
    """Training time against learning rate, a curve an optimizer; above it how other trials ended.

    Over several seeds the curve is the median, in which a trial that did not arrive counts as
    infinite; the band spans the quartiles, and a dot is a trial.

    Args:
        runs: a study's runs, of one width.

    Returns:
        The figure.

    Raises:
        StudyError: runs of several widths, or runs that must not share a figure.
    """
    check_one_width(runs)
    runs = tables.timed(runs)
    trials = tables.valley(runs)
    looks = looks_of(runs)
    names = [str(name) for name in trials["optimizer"].cat.categories]
    rows = sum(_lines(looks[name]) for name in names)
    figure, (above, axes) = stacked_panels(
        2,
        height_ratios=(0.12 + 0.045 * rows, 1),
        size=(9.5, 6.4 + 0.2 * max(0, rows - len(OPTIMIZERS))),
    )
    _draw_arrivals(axes, runs, trials, looks)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(seconds_label(runs))
    draw_other_ends(above, trials, {name: looks[name] for name in names})
    above.set_title(f"Did not arrive within {budget_of(runs)}", fontsize=10, loc="left")
    headline(figure, f"The valley: {time_of(runs)} against learning rate\n{subtitle_of(runs)}")
    return figure


def _lines(look: Look) -> int:
    """The lines of a label."""
    return look.label.count("\n") + 1


def _draw_arrivals(
    axes: Axes, runs: pd.DataFrame, trials: pd.DataFrame, looks: Mapping[str, Look]
) -> None:
    """Draw a curve an optimizer, with quartiles and trials over several seeds."""
    cells = tables.cells(runs)
    cap = float(tables.budget(runs).max())
    arrived = trials[trials["outcome"] == Outcome.REACHED]
    for name in trials["optimizer"].cat.categories:
        curve = cells[cells["optimizer"] == name]
        seconds = finite(curve["seconds"])  # the line breaks at a rate that did not arrive
        look = looks[name]
        style = look.points | look.curve | {"markersize": 6, "linewidth": 1.8}
        label = look.label if seconds.notna().any() else None
        axes.plot(curve["rate"], seconds, **style, label=label)
        if trials["seed"].nunique() > 1:
            low, high = (
                curve[end].clip(upper=cap).where(seconds.notna())
                for end in ("seconds_q25", "seconds_q75")
            )
            band: dict[str, Any] = {"color": look.colour, "linewidth": 0}
            axes.fill_between(curve["rate"], low, high, alpha=0.18, **band)
            dots = arrived[arrived["optimizer"] == name]
            dot = {"s": 10, "alpha": 0.5} if seconds.notna().any() else {"s": 30}  # no curve
            axes.scatter(dots["rate"], dots["seconds"], **band, **dot)
    _ring_unstable(axes, cells)
    rate_and_seconds_axes(axes, arrived["seconds"], cap)
    if axes.get_legend_handles_labels()[0]:
        legend_beside(axes, "reached the target")
    else:
        explain_emptiness(axes, runs)


def _ring_unstable(axes: Axes, cells: pd.DataFrame) -> None:
    """Draw a ring about rates that died when they were trained again in another array."""
    those = cells[cells["unstable"] & (cells["seconds"] < float("inf"))]
    if len(those):
        style: dict[str, Any] = {"s": 130, "facecolors": "none", "edgecolors": "black", "zorder": 4}
        words = "unstable: trained again\nin another array, it died"
        axes.scatter(those["rate"], those["seconds"], label=words, **style)


def draw_other_ends(axes: Axes, trials: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw a row an optimizer: how its trials ended that did not arrive."""
    lines = np.array([_lines(look) for look in looks.values()])
    rows = np.cumsum(lines) - (lines + 1) / 2  # a label of several lines has a higher row
    shown: dict[str, Any] = {}
    for row, (name, look) in zip(rows, looks.items(), strict=True):
        mine = trials[trials["optimizer"] == name]
        for end, (marker, words) in ENDS.items():
            those = mine[mine["outcome"] == end]
            if len(those):
                style: dict[str, Any] = {
                    "linestyle": "none",
                    "marker": marker,
                    "markersize": 5.5,
                    "markerfacecolor": "none",
                }
                axes.plot(those["rate"], [row] * len(those), markeredgecolor=look.colour, **style)
                (shown[words],) = axes.plot([], [], markeredgecolor="0.3", **style)
    axes.set_yticks(rows, [look.label for look in looks.values()], fontsize=8)
    axes.set_ylim(lines.sum() - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="x", labelbottom=False)
    if shown:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.05)}
        axes.legend(list(shown.values()), list(shown), frameon=False, **place)


@own_settings()
def envelope(runs: pd.DataFrame) -> Figure:
    """The fastest and the slowest optimizer at each rate; the cap if one does not arrive.

    Args:
        runs: a study's runs, of one width.

    Returns:
        The figure.
    """
    check_one_width(runs)
    runs = tables.timed(runs)
    table, looks = tables.envelope(runs), looks_of(runs)
    cap = float(tables.budget(runs).max())
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    _draw_band(axes, table)
    axes.plot(
        table["rate"],
        table["slowest_seconds"],
        color="0.45",
        linewidth=1.8,
        label="slowest optimizer",
    )
    fastest = table["fastest_seconds"].where(table["arrived"] > 0)  # no line where none arrived
    if fastest.notna().any():
        axes.plot(table["rate"], fastest, color="black", linewidth=2.2, label="fastest optimizer")
    else:
        explain_emptiness(axes, runs)
    for name in dict.fromkeys(table["fastest_optimizer"].dropna()):
        mine = table[table["fastest_optimizer"] == name]
        style = looks[name].points | {
            "s": 52,
            "zorder": 3,
            "label": folded(f"fastest: {looks[name].label}"),
        }
        axes.scatter(mine["rate"], mine["fastest_seconds"], **style)
    rate_and_seconds_axes(axes, fastest.dropna(), cap)
    if (table["arrived"] < table["optimizers"]).any():
        axes.axhline(cap, color="0.5", linestyle=":", linewidth=1)
        note_on_line(axes, cap, "given up")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(seconds_label(runs))
    legend_beside(axes)
    headline(
        figure,
        f"The envelope: fastest and slowest of {runs['optimizer'].nunique()} "
        f"optimizers\n{subtitle_of(runs)}",
    )
    return figure


def _draw_band(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the band from the fastest to the slowest between rates at which some optimizer arrived.

    At a rate between two at which none did it is a line: there are no data on its slopes.
    """
    arrived = table["arrived"] > 0
    ends = table["fastest_seconds"], table["slowest_seconds"]
    style: Any = {"color": "0.9", "linewidth": 0}
    axes.fill_between(table["rate"], *ends, where=arrived.to_list(), **style)
    beside = arrived.shift(1, fill_value=False) | arrived.shift(-1, fill_value=False)
    alone = table[arrived & ~beside]
    axes.vlines(
        alone["rate"], alone["fastest_seconds"], alone["slowest_seconds"], color="0.9", linewidth=3
    )


@own_settings()
def profile(runs: pd.DataFrame) -> Figure:
    """What a rate picked blindly gives: the performance profile of each optimizer.

    Args:
        runs: a study's runs.

    Returns:
        The figure.
    """
    runs = tables.timed(runs)
    table = tables.profile(runs)
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    most = max(10.0, float(table["ratio"].max())) if len(table) else 10.0
    there = set(runs["optimizer"])
    for name, look in looks_of(runs).items():
        if name not in there:
            continue
        mine = table[table["optimizer"] == name]
        end = float(mine["share"].max()) if len(mine) else 0.0
        style = {
            **look.points,
            **look.curve,
            "linewidth": 1.8,
            "markevery": [-1],
            "markersize": 6,
            "clip_on": False,
        }
        axes.step(
            [1, *mine["ratio"], most],
            [0, *(100 * mine["share"]), 100 * end],
            where="post",
            **style,
            label=look.label,
        )
    axes.set_xscale("log")
    axes.set_xlim(1, most)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(Exact("x"))
    axes.yaxis.set_major_formatter(Exact(" %"))
    axes.set_ylim(bottom=0)
    if table.empty:
        axes.set_ylim(top=100)
        explain_emptiness(axes, runs)
    axes.set_xlabel("times the fastest time of all optimizers and rates")
    axes.set_ylabel("share of the trials that arrive within it")
    legend_beside(axes)
    headline(figure, f"What a rate picked blindly from the grid gives\n{subtitle_of(runs)}")
    return figure
