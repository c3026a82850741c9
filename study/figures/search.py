"""Sweeps and staircases."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from study.errors import StudyError
from study.figures.style import PALETTE, headline, legend_beside, own_settings, stacked_panels
from study.figures.ticks import Exact, logarithmic_rates

if TYPE_CHECKING:
    from study.search.finder import Sweep
    from study.search.staircase import Staircase


RULE_MARKERS = dict(
    zip(("tenth", "steepest", "valley", "slide", "rise", "fall"), "osD^<>", strict=True)
)


OF_ACCURACY = ("rise", "fall")


SWEEP_ENDS = {"end": "to its end", "threshold": "stopped as the loss rose", "diverged": "diverged"}


@own_settings()
def sweep(found: Sweep, what: str = "") -> Figure:
    """A sweep of the learning rate: loss, smoothed loss, accuracy if known, and each rule's rate.

    Args:
        found: the sweep.
        what: what was trained, for the subtitle.

    Returns:
        The figure.

    Raises:
        StudyError: the sweep has no point.
    """
    if not len(found.rates):
        raise StudyError("the sweep has no point to draw: its first loss was not finite")
    picks = {
        rule: found.pick(rule).rate
        for rule in RULE_MARKERS
        if len(found.accuracy) or rule not in OF_ACCURACY
    }
    rows = 2 if len(found.accuracy) else 1
    figure, panels = stacked_panels(rows, size=(9.5, 3 + 2.2 * rows), height_ratios=(1.6, 1)[:rows])
    panels[0].scatter(
        found.rates, found.losses, s=12, color="0.6", linewidths=0, label="loss of a batch"
    )
    panels[0].plot(
        found.rates,
        found.smoothed,
        color="black",
        linewidth=1.6,
        label="smoothed (lags some 50 steps)",
    )
    start = float(found.losses[: max(5, len(found.losses) // 10)].mean())
    bottom = float(found.losses.min())
    top = max(start + 0.5 * (start - bottom), float(np.quantile(found.losses, 0.9)) + 1e-9)
    panels[0].set_ylim(
        bottom - 0.05 * (top - bottom), top
    )  # the blow-up would leave the valley no room
    panels[0].set_ylabel("loss")
    if rows == 2:
        panels[1].scatter(found.rates, 100 * found.accuracy, s=7, color="0.55", linewidths=0)
        panels[1].yaxis.set_major_formatter(Exact(" %"))
        panels[1].set_ylabel("accuracy of a batch")
    for (rule, rate), colour in zip(picks.items(), cycle(PALETTE), strict=False):
        axes = panels[-1] if rule in OF_ACCURACY else panels[0]
        if rate is None:
            axes.plot([], [], linestyle="none", label=f"{rule}: none")
            continue
        axes.axvline(rate, color=colour, linewidth=1, linestyle=":")
        on_axis = rule in OF_ACCURACY
        height = 0 if on_axis else np.interp(rate, found.rates, found.smoothed)
        style: dict[str, Any] = {
            "marker": RULE_MARKERS[rule],
            "markersize": 8,
            "linestyle": "none",
            "clip_on": False,
            "zorder": 4,
        }
        if on_axis:
            style["transform"] = axes.get_xaxis_transform()
        axes.plot([rate], [height], color=colour, label=f"{rule}: {rate:.3g}", **style)
    for axes in panels:
        legend_beside(axes)
    if found.scale == "log":
        logarithmic_rates(panels[-1])
    panels[-1].set_xlabel("learning rate")
    sizes = (
        f"{len(found.rates)} of {found.steps} steps from {found.rates[0]:.3g} to "
        f"{found.rates[-1]:.3g}, {SWEEP_ENDS[found.stopped]}"
    )
    headline(
        figure,
        f"Loss under a rising learning rate\n{' · '.join([*([what] if what else []), sizes])}",
    )
    return figure


@own_settings()
def staircase(found: Staircase, what: str = "") -> Figure:
    """A staircase search: losses at each rate, where each rate ended, and the rate picked.

    Args:
        found: the search.
        what: what was trained, for the subtitle.

    Returns:
        The figure.
    """
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    ends = found.ends()
    finite = [row for row in found.rows if row.loss < math.inf]
    whole = [end for end in ends if end.loss < math.inf]
    axes.scatter(
        [row.rate for row in finite],
        [row.loss for row in finite],
        s=8,
        color="0.7",
        linewidths=0,
        label="loss of an epoch or step",
    )
    style: dict[str, Any] = {"color": "black", "linewidth": 1.4, "marker": "o", "markersize": 3.5}
    axes.plot(
        [end.rate for end in whole],
        [end.loss for end in whole],
        **style,
        label="where each rate ended",
    )
    least = min((row.loss for row in finite), default=0.0)
    fall = finite[0].loss - least if finite else 0.0
    if fall > 0:  # a blow-up would leave the rest no room
        axes.set_ylim(least - 0.05 * fall, least + 1.4 * fall)
    lost = [end.rate for end in ends if end.loss == math.inf]
    if lost:
        top: dict[str, Any] = {"linestyle": "none", "marker": "x", "color": "C3", "clip_on": False}
        axes.plot(
            lost, [1] * len(lost), transform=axes.get_xaxis_transform(), label="not finite", **top
        )
    pick = found.pick()
    if pick.rate is not None:
        axes.axvline(
            pick.rate, color="C0", linestyle=":", linewidth=1.4, label=f"picked: {pick.rate:.3g}"
        )
    else:
        axes.plot([], [], linestyle="none", label="no rate picked: the loss\nnever fell enough")
    logarithmic_rates(axes)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    legend_beside(axes)
    how = (
        "every rate from the same weights"
        if found.fresh
        else "weights carried on from rate to rate"
    )
    sizes = f"{len(ends)} rates, {found.rows[-1].step:,} steps, {how}"
    headline(figure, f"The staircase search\n{' · '.join([*([what] if what else []), sizes])}")
    return figure
