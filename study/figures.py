"""Tables to figures. Each function draws one table and returns the matplotlib Figure; numbers are made in `tables`, not here."""

from __future__ import annotations

import io
import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    from study.finder import Sweep
    from study.staircase import Staircase

import numpy as np
import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study import statistics, tables
from study.errors import StudyError
from study.record import Outcome
from study.schedules import Schedule, parse, rates
from study.spec import OPTIMIZERS
from study.store import refuse_links
from study.values import choice
from study.words import budget, counted

LABELS = {"sgd": "SGD", "momentum": "Momentum", "adam": "Adam", "adagrad": "Adagrad", "adadelta": "Adadelta", "rmsprop": "RMSProp"}
COLOURS = dict(zip(OPTIMIZERS, sns.color_palette("colorblind", 6), strict=True))
MARKERS = dict(zip(OPTIMIZERS, "osD^vP", strict=True))

ENDS = {
    Outcome.CAPPED: ("^", "budget spent"),
    Outcome.STUCK: ("s", "stuck"),
    Outcome.DIVERGED: ("x", "diverged"),
    Outcome.PRUNED: ("v", "given up early"),
    Outcome.FAILED: ("$!$", "failed"),
}
"""Marker and words of the outcomes that are not an arrival."""


MOST_WIDTHS = 2
"""Valleys drawn of a study of sizes, the smallest's and the largest's; its figures of size show them all."""

MOST_NAMED = 8
"""Curves that a legend names where they have an order; the colours tell the others."""


def valley(runs: pd.DataFrame) -> Figure:
    """Training time against learning rate, a curve an optimizer; above the cap, how each other trial ended.

    Over seeds the curve is the median with a trial that did not arrive as infinite, the band holds the quartiles, and a dot is a trial.
    """
    _one_width(runs)
    trials = tables.valley(runs)
    cells = tables.cells(runs)
    names = list(trials["optimizer"].cat.categories)
    figure, (above, axes) = _figure(2, height_ratios=(0.12 + 0.045 * len(names), 1), size=(9.5, 6.4))
    cap = float(tables.budget(runs).max())
    arrived = trials[trials["outcome"] == Outcome.REACHED]
    several = trials["seed"].nunique() > 1
    for name in names:
        curve = cells[cells["optimizer"] == name]
        seconds = curve["seconds"].replace(float("inf"), float("nan"))  # the line breaks at a rate that did not arrive
        style = {"color": COLOURS[name], "marker": MARKERS[name], "markersize": 6, "linewidth": 1.8}
        axes.plot(curve["rate"], seconds, **style, label=LABELS[name] if seconds.notna().any() else None)
        if several:
            ends = [curve[end].clip(upper=cap).where(seconds.notna()) for end in ("seconds_q25", "seconds_q75")]
            axes.fill_between(curve["rate"], *ends, color=COLOURS[name], alpha=0.18, linewidth=0)
        dots = arrived[arrived["optimizer"] == name]
        if several:
            axes.scatter(dots["rate"], dots["seconds"], color=COLOURS[name], s=10, alpha=0.5, linewidths=0)
    _seconds_axis(axes, arrived["seconds"], cap)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    if len(arrived):
        _legend(axes, "reached the target")
    else:
        (why,) = tables.unreached(runs)
        axes.text(0.5, 0.5, textwrap.fill(why, 70), transform=axes.transAxes, ha="center", va="center", color="0.4")

    shown: dict[str, Any] = {}
    for row, name in enumerate(names):
        mine = trials[(trials["optimizer"] == name) & (trials["outcome"] != Outcome.REACHED)]
        for end, (marker, words) in ENDS.items():
            those = mine[mine["outcome"] == end]
            if len(those):
                style = {"linestyle": "none", "marker": marker, "markersize": 5.5, "markerfacecolor": "none"}
                above.plot(those["rate"], [row] * len(those), markeredgecolor=COLOURS[name], **style)
                (shown[words],) = above.plot([], [], markeredgecolor="0.3", **style)
    above.set_yticks(range(len(names)), [LABELS[name] for name in names], fontsize=8)
    above.set_ylim(len(names) - 0.5, -0.5)
    above.grid(visible=False, axis="y")
    above.tick_params(axis="x", labelbottom=False)
    above.set_title(f"Did not arrive within {_budget(runs)}", fontsize=10, loc="left")
    if shown:
        above.legend(list(shown.values()), list(shown), loc="upper left", bbox_to_anchor=(1.01, 1.05), frameon=False)
    _headline(figure, f"The valley: training time against learning rate\n{_subtitle(runs)}")
    return figure


def envelope(runs: pd.DataFrame) -> Figure:
    """Fastest and slowest optimizer at each rate; where one does not arrive, the slowest is the cap."""
    _one_width(runs)
    table = tables.envelope(runs)
    cap = float(tables.budget(runs).max())
    figure, (axes,) = _figure(1, size=(9.5, 5))
    axes.fill_between(table["rate"], table["fastest_seconds"], table["slowest_seconds"], color="0.9", linewidth=0)
    axes.plot(table["rate"], table["slowest_seconds"], color="0.45", linewidth=1.8, label="slowest optimizer")
    fastest = table["fastest_seconds"].where(table["arrived"] > 0)  # no line where none arrived
    axes.plot(table["rate"], fastest, color="black", linewidth=2.2, label="fastest optimizer")
    for name in dict.fromkeys(table["fastest_optimizer"].dropna()):
        mine = table[table["fastest_optimizer"] == name]
        style = {"color": COLOURS[name], "marker": MARKERS[name], "s": 52, "zorder": 3}
        axes.scatter(mine["rate"], mine["fastest_seconds"], **style, label=f"fastest: {LABELS[name]}")
    _seconds_axis(axes, fastest.dropna(), cap)
    axes.axhline(cap, color="0.5", linestyle=":", linewidth=1)
    _note(axes, cap, "given up")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    _legend(axes)
    _headline(figure, f"The envelope: fastest and slowest of {runs['optimizer'].nunique()} optimizers\n{_subtitle(runs)}")
    return figure


def curves(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Validation accuracy over seconds of training, each optimizer at its best rate, from a little below the target up.

    Over seeds the curve is the median and the band reaches from the lowest to the highest.

    Args:
        table: what `tables.curves` gives.
        runs: the study's runs, for the title and the target.

    Raises:
        StudyError: there are no curves, since no trial arrived.
    """
    if table.empty:
        raise StudyError("no validation curves are stored: no optimizer reached the target")
    figure, (axes,) = _figure(1, size=(9.5, 5))
    target = float(runs["target"].iloc[0])
    for name in [name for name in OPTIMIZERS if name in set(table["optimizer"])]:
        mine = table[table["optimizer"] == name]
        label = f"{LABELS[name]} at {mine['learning_rate'].iloc[0]:.3g}"
        if tables.collapsed(mine, target).any():
            label += " (collapsed)"
        by_time = mine.groupby("seconds")["accuracy"]
        axes.plot(by_time.median().index, 100 * by_time.median(), color=COLOURS[name], linewidth=1.6, label=label)
        if mine["seed"].nunique() > 1:
            low, high = 100 * by_time.min(), 100 * by_time.max()
            axes.fill_between(low.index, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
    kind = "target" if runs["metric"].iloc[0] == "validation" else "target (training accuracy)"
    axes.axhline(100 * target, color="0.5", linestyle=":", linewidth=1, label=kind)
    # What happens near the target is the point; the climb to it takes the first moments.
    axes.set_ylim(
        100 * max(0.0, target - 2.5 * (1 - target)), 100 * min(1.0, max(target, float(table["accuracy"].max())) + (1 - target) / 3)
    )
    axes.set_xlim(0, float(table["seconds"].max()))
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    axes.set_ylabel("validation accuracy")
    axes.set_xlabel("seconds of training")
    _legend(axes, "each at its best rate")
    _headline(figure, f"Learning curves at the best rates\n{_subtitle(runs)}")
    return figure


def profile(runs: pd.DataFrame) -> Figure:
    """Share of an optimizer's rates that arrive within a multiple of the fastest time of all: what a rate picked blindly gives."""
    table = tables.profile(runs)
    figure, (axes,) = _figure(1, size=(9.5, 5))
    most = max(10.0, float(table["ratio"].max())) if len(table) else 10.0
    for name in [name for name in OPTIMIZERS if name in set(runs["optimizer"])]:
        mine = table[table["optimizer"] == name]
        end = float(mine["share"].max()) if len(mine) else 0.0
        style = {"color": COLOURS[name], "linewidth": 1.8, "marker": MARKERS[name], "markevery": [-1], "markersize": 6, "clip_on": False}
        axes.step([1, *mine["ratio"], most], [0, *(100 * mine["share"]), 100 * end], where="post", **style, label=LABELS[name])
    axes.set_xscale("log")
    axes.set_xlim(1, most)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}x"))
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("times the fastest time of all optimizers and rates")
    axes.set_ylabel("share of the trials that arrive within it")
    _legend(axes)
    _headline(figure, f"What a rate picked blindly from the grid gives\n{_subtitle(runs)}")
    return figure


def size(runs: pd.DataFrame, rate: float | None = None) -> Figure:
    """Time against weights at one rate, with its line; a trial that did not arrive stands at its cap.

    Args:
        runs: of several widths.
        rate: the learning rate; where None, the one of the most arrivals, and among those of the least time.

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
    figure, (axes,) = _figure(1, size=(9.5, 5))
    for row in lines[lines["rate"] == rate].itertuples():
        name = str(row.optimizer)
        colour = COLOURS[name]
        trials = mine[mine["optimizer"] == row.optimizer]
        arrived = trials["outcome"] == Outcome.REACHED
        axes.scatter(trials["weights"][arrived], trials["seconds"][arrived], color=colour, s=22, label=f"{LABELS[name]}: a trial")
        _line(axes, row, trials["weights"], colour)
        if not arrived.all():
            caps = tables.budget(trials)[~arrived]
            style = {"marker": "^", "facecolors": "none", "edgecolors": colour, "s": 26}
            axes.scatter(trials["weights"][~arrived], caps, **style, label="did not arrive (at its cap)")
    _weights_axis(axes)
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    axes.set_ylim(bottom=0)
    _legend(axes)
    _headline(figure, f"Training time against model size, at rate {rate:g}\n{_subtitle(runs)}")
    return figure


def sizes(runs: pd.DataFrame) -> Figure:
    """Time against weights at every rate, each with its line: the medians of the seeds, with their quartiles.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    _one_optimizer(runs)
    lines = tables.sizes(runs)
    cells = tables.cells(runs)
    named = _some(lines["rate"])
    cap = float(tables.budget(runs).max())
    figure, (axes,) = _figure(1, size=(9.5, 5.4))
    colours = dict(zip(lines["rate"], _shades(len(lines)), strict=True))
    here, lost = cells[cells["seconds"] < float("inf")], cells[cells["seconds"] == float("inf")]
    axes.scatter(here["weights"], here["seconds"], s=16, c=[colours[rate] for rate in here["rate"]])
    if here["seeds"].max() > 1:
        low, high = (here[name].clip(upper=cap) for name in ("seconds_q25", "seconds_q75"))
        axes.vlines(here["weights"], low, high, colors=[colours[rate] for rate in here["rate"]], linewidth=0.8)
    _censored(axes, lost["weights"], cap, [colours[rate] for rate in lost["rate"]])
    for row in lines.itertuples():
        rate: Any = row.rate
        label = f"{rate:g}: {row.arrived} of {row.trials} arrived" if rate in named else "_"
        _line(axes, row, cells["weights"], colours[rate], label)
    axes.set_ylim(bottom=0)
    _weights_axis(axes)
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    _legend(axes, "rate, with its line c + k n")
    _headline(figure, f"Training time against model size, at every rate\n{_subtitle(runs)}")
    return figure


def size_valley(runs: pd.DataFrame) -> Figure:
    """Time against learning rate, a curve a size: does the best rate move as the model grows?

    Raises:
        StudyError: several optimizers.
    """
    _one_optimizer(runs)
    cells = tables.cells(runs)
    figure, (axes,) = _figure(1, size=(9.5, 5.4))
    widths = sorted(set(cells["width"]))
    named = _some(widths)
    cap = float(tables.budget(runs).max())
    for width, colour in zip(widths, _shades(len(widths)), strict=True):
        mine = cells[cells["width"] == width]
        seconds = mine["seconds"].replace(float("inf"), float("nan"))
        _censored(axes, mine[seconds.isna()]["rate"], cap, colour)
        label = f"{width:g}x: {int(mine['weights'].iloc[0]):,} weights" if width in named else None
        axes.plot(mine["rate"], seconds, color=colour, linewidth=1.4, marker="o", markersize=3.5, label=label)
    _seconds_axis(axes, cells["seconds"].replace(float("inf"), float("nan")).dropna(), cap)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    _legend(axes, "size")
    _headline(figure, f"Training time against learning rate, for each size\n{_subtitle(runs)}")
    return figure


def slopes(runs: pd.DataFrame) -> Figure:
    """k of time = c + k n against learning rate, with 95 % intervals: by least squares, and with the censored trials used.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    _one_optimizer(runs)
    lines = tables.sizes(runs).dropna(subset=["k", "shape"])
    figure, (axes,) = _figure(1, size=(9.5, 5))
    ways = {"": ("least squares, arrivals alone", "black", 0.98), "tobit_": ("with censored trials", "C0", 1.02)}
    for method, (label, colour, shift) in ways.items():
        k, low, high = (1e6 * lines[f"{method}{name}"] for name in ("k", "k_low", "k_high"))
        errors = [(k - low).clip(lower=0), (high - k).clip(lower=0)]
        axes.errorbar(shift * lines["rate"], k, yerr=errors, fmt="o", color=colour, capsize=3, markersize=5, label=label)
    axes.axhline(0, color="0.5", linewidth=1)
    if lines.empty:
        axes.text(0.5, 0.5, "too few sizes arrived for a line", transform=axes.transAxes, ha="center", color="0.4")
    else:
        axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("k: seconds for each million weights more")
    _legend(axes)
    _headline(figure, f"What a weight costs at each rate: k in time = c + k n\n{_subtitle(runs)}")
    return figure


def size_parts(runs: pd.DataFrame) -> Figure:
    """The two factors of time against weights: steps to the target at each rate, and seconds of a step.

    Raises:
        StudyError: several optimizers.
    """
    _one_optimizer(runs)
    cells = tables.cells(runs)
    figure, (above, below) = _figure(2, size=(9.5, 7), height_ratios=(1.4, 1))
    rates = sorted(set(cells["rate"]))
    named = _some(rates)
    for rate, colour in zip(rates, _shades(len(rates)), strict=True):
        mine = cells[(cells["rate"] == rate) & (cells["steps"] < float("inf"))]
        label = f"{rate:g}" if rate in named else None
        above.plot(mine["weights"], mine["steps"], color=colour, linewidth=1.2, marker="o", markersize=3, label=label)
    above.set_yscale("log")
    above.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    above.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    above.yaxis.set_minor_locator(ticker.NullLocator())
    above.set_ylabel("steps to the target")
    _legend(above, "learning rate")
    per_size = cells.groupby("weights")["step_seconds"].median()
    below.plot(per_size.index, 1e3 * per_size, color="black", linewidth=1.4, marker="o", markersize=3.5)
    below.set_ylabel("milliseconds a step, alone")
    below.set_ylim(bottom=0)
    _weights_axis(below)
    _headline(figure, f"The two factors of training time: steps, and the time of a step\n{_subtitle(runs)}")
    return figure


def overlay(studies: Mapping[str, pd.DataFrame], measure: str = "seconds") -> Figure:
    """The valleys of several studies over each other, a panel an optimizer: median seconds, or steps, against learning rate.

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
    names = [name for name in OPTIMIZERS if any(name in set(table["optimizer"]) for table in cells.values())]
    columns = min(3, len(names))
    figure = Drawing(figsize=(3.6 * columns + 1.2, 2.9 * math.ceil(len(names) / columns) + 1.1), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        panels = figure.subplots(math.ceil(len(names) / columns), columns, sharex=True, sharey=True, squeeze=False).ravel()
    colours = dict(zip(cells, sns.color_palette("colorblind", len(cells)), strict=True))
    handles: dict[str, Any] = {}
    for name, axes in zip(names, panels, strict=False):
        for (study, table), marker in zip(cells.items(), "osD^vP" * len(cells), strict=False):
            mine = table[table["optimizer"] == name]
            values = mine[measure].replace(float("inf"), float("nan"))
            style = {"color": colours[study], "marker": marker, "markersize": 4, "linewidth": 1.5}
            (handles[study],) = axes.plot(mine["rate"], values, **style)
            if measure == "seconds":
                _censored(axes, mine[values.isna()]["rate"], float(tables.budget(studies[study]).max()), colours[study])
            if measure == "seconds" and int(mine["seeds"].max() if len(mine) else 0) > 1:
                ends = [mine[end].where(values.notna()).replace(float("inf"), values.max()) for end in ("seconds_q25", "seconds_q75")]
                axes.fill_between(mine["rate"], *ends, color=colours[study], alpha=0.18, linewidth=0)
        axes.set_title(LABELS[name], fontsize=10)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("learning rate", fontsize=10)
    figure.supylabel("seconds of training to the target" if measure == "seconds" else "steps to the target", fontsize=10)
    for text in figure.legend(list(handles.values()), list(handles), loc="outside right upper", frameon=False).get_texts():
        text.set_parse_math(False)
    counts = ", ".join(f"{study}: {len(runs)} trials, given up after {_budget(runs)}" for study, runs in studies.items())
    _headline(figure, f"Valleys over each other, in {measure}\n{counts}")
    return figure


DECAYS = (
    "exponential:rate=0.6,steps=200",
    "exponential:rate=0.6,steps=200,staircase=true",
    "inverse-time:rate=4,steps=250",
    "piecewise:boundaries=400/800,factors=1/0.5/0.1",
    "polynomial:steps=800,end=0.1,power=2",
    "cosine:steps=800",
)
RISES = (
    "cosine-restarts:steps=140,m_mul=0.8",
    "polynomial:steps=250,cycle=true",
    "exp-range:half=125,gamma=0.998",
    "triangular:half=125",
    "triangular2:half=125",
    "triangular2:half=125,base=0,window=hann",
    "triangular:half=125,window=welch",
    "one-cycle:steps=900",
    "one-cycle:steps=900,kind=fastai",
    "linear-ramp:low=0.1,steps=800",
    "geometric-ramp:low=0.001,steps=800",
    "cosine:steps=700,warmup=200",
)
"""What `every_schedule` shows over 1,000 steps, one of each kind."""


def schedules(shown: Iterable[str | Schedule], steps: int, title: str) -> Figure:
    """The factor on the learning rate against the step, a panel a schedule, under the text that it is called by."""
    shapes = [parse(shape) for shape in shown]
    rows = math.ceil(len(shapes) / 3)
    room = ConstrainedLayoutEngine(wspace=0.06)  # for the numbers at the ends of the axes
    figure = Drawing(figsize=(9.5, 0.9 + 2.1 * rows), layout=room)
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        panels = figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).ravel()
    for shape, axes in zip(shapes, panels, strict=False):
        _rate(axes, shape, 1.0, steps, color="C0", linewidth=1.8)
        name, _, arguments = str(shape).partition(":")
        axes.set_title(name, fontsize=10.5, loc="left", pad=16, fontweight="bold")
        axes.text(0, 1.03, arguments, transform=axes.transAxes, fontsize=8, color="0.35", family="monospace")
        axes.set_ylim(bottom=0)
        axes.set_xticks([0, steps / 2, steps])
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    for axes in panels[len(shapes) :]:
        axes.set_visible(False)
    figure.supxlabel("step", fontsize=10)
    _headline(figure, f"{title}\nlearning rate, as a share of the one that a study or an optimizer is given; below a name, its arguments")
    return figure


def decay(lines: Mapping[str, str | Schedule], learning_rate: float, steps: int, title: str) -> Figure:
    """The learning rate against the step of one or a few schedules, each by its label."""
    figure, (axes,) = _figure(1, size=(8, 4.2))
    for label, shape in lines.items():
        _rate(axes, parse(shape), learning_rate, steps, label=label, linewidth=1.8)
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    if len(lines) > 1:
        axes.legend(frameon=False)
    _headline(figure, f"{title}\n{' · '.join(str(parse(shape)) for shape in lines.values())}")
    return figure


def every_schedule() -> dict[str, Figure]:
    """What schedules look like, by the name of the file: those that decay, those that rise, and the article's two decays."""
    smooth, steps = "exponential:rate=0.96,steps=100", "exponential:rate=0.96,steps=100,staircase=true"
    pieces = "piecewise:boundaries=10000/12000,factors=1/0.5/0.1"
    return {
        "schedules-decay": schedules(DECAYS, 1000, "Schedules that decay"),
        "schedules-rise": schedules(RISES, 1000, "Schedules that rise: cycles, restarts, one-cycle, ramps, warm-up"),
        "decay-exponential": decay({"smooth": smooth, "staircase": steps}, 0.1, 1000, "Exponential decay: 0.1 x 0.96^(step / 100)"),
        "decay-piecewise": decay({"rate": pieces}, 1.0, 20_000, "Piecewise constant: 1.0 to step 10,000, 0.5 to 12,000, then 0.1"),
    }


def _rate(axes: Axes, shape: Schedule, learning_rate: float, steps: int, **style: Any) -> None:
    """The rate at every step as a line."""
    axes.plot(np.arange(steps + 1), rates(shape, [learning_rate], 0, steps + 1)[:, 0], **style)
    axes.set_xlim(0, steps)


RULE_MARKERS = dict(zip(("tenth", "steepest", "valley", "slide", "rise", "fall"), "osD^<>", strict=True))
OF_ACCURACY = ("rise", "fall")
SWEEP_ENDS = {"end": "to its end", "threshold": "stopped as the loss rose", "diverged": "diverged"}


def sweep(found: Sweep, what: str = "") -> Figure:
    """A sweep of the learning rate: each batch's loss, the smoothed loss, the accuracy where there is one, and every rule's rate on it.

    Args:
        found: the sweep.
        what: what was trained, for the subtitle.
    """
    if not len(found.rates):
        raise StudyError("the sweep has no point to draw: its first loss was not finite")
    picks = {rule: found.pick(rule).rate for rule in RULE_MARKERS if len(found.accuracy) or rule not in OF_ACCURACY}
    rows = 2 if len(found.accuracy) else 1
    figure, panels = _figure(rows, size=(9.5, 3 + 2.2 * rows), height_ratios=(1.6, 1)[:rows])
    panels[0].scatter(found.rates, found.losses, s=12, color="0.6", linewidths=0, label="loss of a batch")
    panels[0].plot(found.rates, found.smoothed, color="black", linewidth=1.6, label="smoothed (lags some 50 steps)")
    start = float(found.losses[: max(5, len(found.losses) // 10)].mean())
    bottom = float(found.losses.min())
    top = max(start + 0.5 * (start - bottom), float(np.quantile(found.losses, 0.9)) + 1e-9)
    panels[0].set_ylim(bottom - 0.05 * (top - bottom), top)  # the blow-up would leave the valley no room
    panels[0].set_ylabel("loss")
    if rows == 2:
        panels[1].scatter(found.rates, 100 * found.accuracy, s=7, color="0.55", linewidths=0)
        panels[1].yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g} %"))
        panels[1].set_ylabel("accuracy of a batch")
    for (rule, rate), colour in zip(picks.items(), sns.color_palette("colorblind", len(picks)), strict=True):
        axes = panels[-1] if rule in OF_ACCURACY else panels[0]
        if rate is None:
            axes.plot([], [], linestyle="none", label=f"{rule}: none")
            continue
        axes.axvline(rate, color=colour, linewidth=1, linestyle=":")
        on_axis = rule in OF_ACCURACY
        height = 0 if on_axis else np.interp(rate, found.rates, found.smoothed)
        style: dict[str, Any] = {"marker": RULE_MARKERS[rule], "markersize": 8, "linestyle": "none", "clip_on": False, "zorder": 4}
        if on_axis:
            style["transform"] = axes.get_xaxis_transform()
        axes.plot([rate], [height], color=colour, label=f"{rule}: {rate:.3g}", **style)
    for axes in panels:
        _legend(axes)
    if found.scale == "log":
        panels[-1].set_xscale("log")
    panels[-1].set_xlabel("learning rate")
    sizes = f"{len(found.rates)} of {found.steps} steps from {found.rates[0]:.3g} to {found.rates[-1]:.3g}, {SWEEP_ENDS[found.stopped]}"
    _headline(figure, f"Loss under a rising learning rate\n{' · '.join([*([what] if what else []), sizes])}")
    return figure


def staircase(found: Staircase, what: str = "") -> Figure:
    """A staircase search: each unit's loss at its rate, what each rate led to, and the rate picked; what was not finite at the top.

    Args:
        found: the search.
        what: what was trained, for the subtitle.
    """
    figure, (axes,) = _figure(1, size=(9.5, 5))
    ends = found.ends()
    finite = [row for row in found.rows if row.loss < math.inf]
    whole = [end for end in ends if end.loss < math.inf]
    axes.scatter(
        [row.rate for row in finite], [row.loss for row in finite], s=8, color="0.7", linewidths=0, label="loss of an epoch or step"
    )
    style: dict[str, Any] = {"color": "black", "linewidth": 1.4, "marker": "o", "markersize": 3.5}
    axes.plot([end.rate for end in whole], [end.loss for end in whole], **style, label="where each rate ended")
    least = min((row.loss for row in finite), default=0.0)
    fall = finite[0].loss - least if finite else 0.0
    if fall > 0:  # a blow-up would leave the rest no room
        axes.set_ylim(least - 0.05 * fall, least + 1.4 * fall)
    lost = [end.rate for end in ends if end.loss == math.inf]
    if lost:
        top: dict[str, Any] = {"linestyle": "none", "marker": "x", "color": "C3", "clip_on": False}
        axes.plot(lost, [1] * len(lost), transform=axes.get_xaxis_transform(), label="not finite", **top)
    pick = found.pick()
    if pick.rate is not None:
        axes.axvline(pick.rate, color="C0", linestyle=":", linewidth=1.4, label=f"picked: {pick.rate:.3g}")
    else:
        axes.plot([], [], linestyle="none", label="no rate picked: the loss\nnever fell enough")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    _legend(axes)
    how = "every rate from the same weights" if found.fresh else "weights carried on from rate to rate"
    sizes = f"{len(ends)} rates, {found.rows[-1].step:,} steps, {how}"
    _headline(figure, f"The staircase search\n{' · '.join([*([what] if what else []), sizes])}")
    return figure


def draw(runs: pd.DataFrame, stored: pd.DataFrame) -> dict[str, Figure]:
    """Every figure of a study, by the name of its file; of a study of few widths each width has its own valley and envelope.

    Args:
        runs: the study's runs.
        stored: its validation curves.
    """
    drawn: dict[str, Figure] = {}
    widths = tables.comparable(runs)["width"].nunique()
    of_size = widths >= statistics.FEWEST_SIZES
    if not of_size or runs["optimizer"].nunique() > 1:
        groups = list(runs.groupby("width"))
        for width, mine in groups if len(groups) <= MOST_WIDTHS else (groups[0], groups[-1]):
            suffix = "" if widths == 1 else f"-width-{width:g}"
            drawn |= {f"valley{suffix}": valley(mine), f"envelope{suffix}": envelope(mine)}
    if not of_size and runs["optimizer"].nunique() > 1:
        drawn["profile"] = profile(runs)
    for name in list(runs["optimizer"].cat.categories) if of_size else []:
        mine = runs[runs["optimizer"] == name]
        if mine["width"].nunique() < statistics.FEWEST_SIZES:
            continue
        suffix = "" if runs["optimizer"].nunique() == 1 else f"-{name}"
        kinds = {"sizes": sizes, "size-valley": size_valley}
        if runs["optimizer"].nunique() == 1:
            kinds = {"size": size, **kinds, "slopes": slopes}
            if mine["steps"].notna().any():
                kinds["size-parts"] = size_parts
        drawn |= {f"{kind}{suffix}": function(mine) for kind, function in kinds.items()}
    mine = runs[runs["width"] == stored["width"].iloc[0]] if len(stored) else stored
    if len(mine):
        drawn["curves"] = curves(stored, mine)
    return drawn


def write(folder: str | Path, out: str | Path | None = None, machine: str | None = None) -> list[Path]:
    """Draw every figure of a stored study into `figures/`, each as PNG and SVG; return the PNGs' paths.

    Raises:
        StudyError: no runs, or runs that must not share a figure.
    """
    refuse_links(Path(folder))
    runs = tables.load(folder, machine)
    return save(draw(runs, tables.curves_of(tables.curves(folder), runs)), Path(out) if out is not None else Path(folder) / "figures")


def save(drawn: Mapping[str, Figure], out: Path) -> list[Path]:
    """Write figures by the name of each, as PNG and SVG; return the PNGs' paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in drawn.items():
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
        figure.set_layout_engine("none")  # laid out once is enough
        with matplotlib.rc_context({"svg.hashsalt": name}):  # the same table draws the same file
            figure.savefig(out / f"{name}.svg", metadata={"Date": None})
    return paths


class Drawing(Figure):
    """A figure that a notebook shows by itself, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, dpi=80, format="png")
        return buffer.getvalue()


def _figure(rows: int, size: tuple[float, float], height_ratios: tuple[float, ...] = (1,)) -> tuple[Figure, list[Axes]]:
    """A figure of panels on one x-axis, in the study's style; no window, no global state."""
    figure = Drawing(figsize=size, layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=height_ratios)
    return figure, list(axes[:, 0])


def _line(axes: Axes, row: Any, weights: pd.Series, colour: Any, label: str | None = None) -> None:
    """A row of `tables.sizes` as its line over the sizes; nothing where there is none."""
    if not isinstance(row.shape, str):  # no line where its points are too few to judge it
        axes.plot([], [], color=colour, linewidth=1.6, label=label or "too few arrived for a line")
        return
    ends = [float(weights.min()), float(weights.max())]
    grid = [ends[0] + (ends[1] - ends[0]) * i / 50 for i in range(51)]
    words = label or f"c + k n: {row.c:.2g} s and {1e6 * row.k:.3g} s\nper million weights (R² {row.r2:.2f})"
    axes.plot(grid, [row.c + row.k * n for n in grid], color=colour, linewidth=1.6, label=words)


def _censored(axes: Axes, places: pd.Series, cap: float, colour: Any) -> None:
    """Cells that did not arrive, at the cap: hollow triangles, of one colour or each of its own."""
    if len(places):
        axes.scatter(places, [cap] * len(places), s=20, marker="^", facecolors="none", edgecolors=colour)


def _shades(count: int) -> list[Any]:
    """So many colours, light to dark, for what has an order."""
    return list(sns.color_palette("viridis_r", count))


def _some(values: Iterable[float]) -> set[float]:
    """Of values in order as many as a legend names, evenly, the ends among them."""
    order = sorted(values)
    count = min(MOST_NAMED, len(order))
    return {order[round(i * (len(order) - 1) / max(1, count - 1))] for i in range(count)}


def _one_optimizer(runs: pd.DataFrame) -> None:
    """Raise `StudyError` where a curve would join two optimizers."""
    names = sorted(set(runs["optimizer"].astype(str)))
    if len(names) > 1:
        select = f"runs[runs.optimizer == '{names[0]}']"
        raise StudyError(f"the runs have the optimizers {', '.join(names)}: draw one at a time, such as {select}")


def _one_width(runs: pd.DataFrame) -> None:
    """Raise `StudyError` where a line would join two networks."""
    widths = sorted(set(tables.comparable(runs)["width"]))
    if len(widths) > 1:
        listed = ", ".join(f"{width:g}" for width in widths)
        raise StudyError(f"the runs have the widths {listed}: draw one at a time, such as runs[runs.width == {widths[0]:g}]")


def _seconds_axis(axes: Axes, arrived: pd.Series, cap: float) -> None:
    """Log rate, log seconds with plain numbers, from below the fastest trial up to the cap."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    low = float(arrived.min()) if len(arrived) else cap / 10
    axes.set_ylim(low / 1.25, cap * 1.1)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 4, 5, 6, 8) if cap < 20 * low else (1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(ticker.NullLocator())  # the style shows none, and placing them takes half the drawing


def _weights_axis(axes: Axes) -> None:
    axes.set_xlabel("weights")
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def _legend(axes: Axes, title: str | None = None) -> None:
    """The legend, beside the axes, where it hides no data."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, title=title)


def _note(axes: Axes, height: float, text: str) -> None:
    """Words at the right end of a horizontal line."""
    place = ("axes fraction", "data")
    axes.annotate(text, (1, height), xycoords=place, xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=8)


def _budget(runs: pd.DataFrame) -> str:
    return budget(runs["cap_seconds"].max(), runs["max_steps"].max())


def _target(runs: pd.DataFrame) -> str:
    kind = {"window": "training accuracy", "cumulative": "cumulative training accuracy", "validation": "validation accuracy"}
    return f"{100 * runs['target'].iloc[0]:g} % {kind[runs['metric'].iloc[0]]}"


def _subtitle(runs: pd.DataFrame) -> str:
    first = runs.iloc[0]
    how = "steps x step time alone" if first["mode"] == "array" else "read off the clock"
    multiples = sorted(set(runs["width"]))
    named = ", ".join(f"{width:g}" for width in multiples)
    schedule = "" if first["schedule"] == "constant" else f"\nschedule of the rate: {first['schedule']}"
    kind = " (kind of processor not told)" if tables.kind_unknown(runs) else ""
    noise = tables.busy(runs)
    widths = "" if multiples == [1] else f", width {named}" if len(multiples) < 5 else f", {len(multiples)} widths to {multiples[-1]:g}"
    return (
        f"{first['network']} network{widths}, {Path(first['dataset']).name}, batch {first['batch']}, {len(runs)} trials, "
        f"{counted(runs['seed'].nunique(), 'seed')} · {first['machine']}{kind} · seconds: {how}{schedule}" + (f"\n{noise}" if noise else "")
    )


def _headline(figure: Figure, text: str) -> None:
    """A title, and below it what it stands on, a line or two."""
    title, *lines = text.split("\n")
    figure.suptitle(title + "\n" * len(lines), fontsize=13, x=0.01, ha="left", parse_math=False)
    for i, line in enumerate(lines):
        figure.text(0.01, 1 - (0.36 + 0.15 * i) / figure.get_figheight(), line, fontsize=8.5, color="0.35", parse_math=False)
