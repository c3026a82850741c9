"""Time against model size, with the shape that holds at each rate."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.sizes.drawing import (
    check_one_optimizer,
    distinct,
    draw_censored,
    evenly_chosen,
    weights_axis,
)
from study.figures.style import (
    MARKERS,
    folded,
    headline,
    legend_beside,
    looks_of,
    own_settings,
    seconds_label,
    stacked_panels,
    subtitle_of,
)
from study.figures.ticks import logarithmic_rates
from study.storage.records import Outcome
from study.words import per_weights

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@own_settings()
def size(runs: pd.DataFrame, rate: float | None = None) -> Figure:
    """Time against weights at one rate, with the shape that holds; late trials are at their cap.

    Args:
        runs: of several widths.
        rate: the learning rate; if None, the fastest of those with the most arrivals.

    Returns:
        The figure.

    Raises:
        StudyError: fewer than three widths, or no such rate.
    """
    lines, curves = shapes_of(runs)
    looks = looks_of(runs)
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
        look = looks[str(row.optimizer)]
        colour = look.colour
        trials = mine[mine["optimizer"] == row.optimizer]
        arrived = trials["outcome"] == Outcome.REACHED
        axes.scatter(
            trials["weights"][arrived],
            trials["seconds"][arrived],
            color=colour,
            s=22,
            label=folded(f"{look.label}: a trial"),
        )
        curve = curves[(curves["rate"] == rate) & (curves["optimizer"] == row.optimizer)]
        draw_shape(axes, curve, colour, told(row))
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
    """Time against weights at every rate, each with the shape that holds; medians and quartiles.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    check_one_optimizer(runs)
    lines, curves = shapes_of(runs)
    cells = tables.cells(runs)
    named = evenly_chosen(lines["rate"])
    cap = float(tables.budget(runs).max())
    figure, (axes,) = stacked_panels(1, size=(9.5, 5.4))
    colours = dict(zip(lines["rate"], distinct(len(lines)), strict=True))
    here, lost = cells[cells["seconds"] < float("inf")], cells[cells["seconds"] == float("inf")]
    markers = dict(zip(lines["rate"], cycle(MARKERS.values())))  # colours alone may look alike
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
        shape = f"{row.shape}, " if isinstance(row.shape, str) else ""
        label = f"{rate:g}: {shape}{row.arrived} of {row.trials} arrived" if rate in named else "_"
        draw_shape(axes, curves[curves["rate"] == rate], colours[rate], label, markers[rate])
    axes.set_ylim(bottom=0)
    weights_axis(axes, cells["weights"])
    axes.set_ylabel(seconds_label(runs))
    legend_beside(axes, "rate, with the shape that holds")
    title = "Training time against model size, at every rate"
    headline(figure, f"{title}\n{summary(runs, lines)}\n{subtitle_of(runs)}")
    return figure


@own_settings()
def slopes(runs: pd.DataFrame) -> Figure:
    """k of time = c + k n against learning rate; hollow, without an interval, where no line holds.

    Raises:
        StudyError: fewer than three widths, or several optimizers.
    """
    check_one_optimizer(runs)
    table = tables.sizes(runs)
    lines = table.dropna(subset=["k", "shape"])
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    ways = {
        "": ("least squares, arrivals alone", "black", 0.98),
        "tobit_": ("likeliest, with censored trials", "C0", 1.02),
    }
    straight = lines["shape"] == "line"
    for method, (label, colour, shift) in ways.items():
        k, low, high = (1e6 * lines[f"{method}{name}"] for name in ("k", "k_low", "k_high"))
        errors = [(k - low).clip(lower=0)[straight], (high - k).clip(lower=0)[straight]]
        style: Any = {"fmt": "o", "color": colour, "capsize": 3, "markersize": 5}
        rates = shift * lines["rate"]
        if straight.any():
            axes.errorbar(rates[straight], k[straight], yerr=errors, label=label, **style)
        if not straight.all():
            hollow = f"{label}: no line holds"
            style = {"color": colour, "markersize": 6, "fillstyle": "none", "label": hollow}
            axes.plot(rates[~straight], k[~straight], "o", **style)
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
        logarithmic_rates(axes)
        legend_beside(axes)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("k: seconds for each million weights more")
    title = "What a weight costs at each rate: k in time = c + k n"
    headline(figure, f"{title}\n{summary(runs, table)}\n{subtitle_of(runs)}")
    return figure


def shapes_of(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fits of the seconds at each rate, and the curves that hold."""
    from study.tables import fits  # scipy takes a second to import

    return tables.sizes(runs), fits.curves(tables.comparable(runs))


def summary(runs: pd.DataFrame, lines: pd.DataFrame) -> str:
    """At how many rates a line holds, and whether the step time jumps."""
    from study.tables import fits

    held = int((lines["shape"] == "line").sum())
    said = f"a line c + k n holds at {held} of {len(lines)} rates"
    for row in fits.step_times(tables.comparable(runs)).values():
        if row.shape == "jump":
            said += f"; the step time jumps by {fits.jump(row)}"
    return said


def told(row: Any) -> str:
    """The shape that holds, for a legend."""
    from study.tables import fits

    if row.shape == "line":
        by, unit = per_weights(row.tobit_k)
        ends = f"{by * row.tobit_k_low:.3g} to {by * row.tobit_k_high:.3g}"
        return f"c + k n: {row.tobit_c:.2g} s and {by * row.tobit_k:.3g} s ({ends})\n{unit}"
    if row.shape == "jump":
        return f"{fits.NAMES['jump']} of {fits.jump(row)}".replace(" between", "\nbetween")
    known = isinstance(row.shape, str)
    return f"{fits.NAMES[row.shape]}, no line" if known else "too few arrived for a line"


def draw_shape(axes: Axes, curve: pd.DataFrame, colour: Any, label: str, marker: str = "") -> None:
    """Draw the pieces of a curve of `tables.fits.curves`; the label stands without one, too.

    The marker stands in the legend alone: the trials have it.
    """
    style: Any = {"color": colour, "linewidth": 1.6, "marker": marker, "markevery": []}
    pieces = [mine for _, mine in curve.groupby("piece")]
    if not pieces:
        axes.plot([], [], **style, label=label)
    for number, mine in enumerate(pieces):
        axes.plot(mine["n"], mine["t"], **style, label="_" if number else label)
