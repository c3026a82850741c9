"""Tables to figures. Each function draws one table and returns the matplotlib Figure; numbers are made in `tables`, not here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.record import Outcome
from study.spec import OPTIMIZERS

LABELS = {"sgd": "SGD", "momentum": "Momentum", "adam": "Adam", "adagrad": "Adagrad", "adadelta": "Adadelta", "rmsprop": "RMSProp"}
COLOURS = dict(zip(OPTIMIZERS, sns.color_palette("colorblind", 6), strict=True))
MARKERS = dict(zip(OPTIMIZERS, "osD^vP", strict=True))

ENDS = {
    Outcome.CAPPED: ("^", "out of time"),
    Outcome.STUCK: ("s", "stuck"),
    Outcome.DIVERGED: ("x", "diverged"),
    Outcome.PRUNED: ("v", "given up early"),
    Outcome.FAILED: ("$!$", "failed"),
}
"""Marker and words of the outcomes that are not an arrival."""


def valley(runs: pd.DataFrame) -> Figure:
    """Training time against learning rate, a curve an optimizer; above the cap, how each other trial ended.

    Over seeds the curve is the median with a trial that did not arrive as infinite, and a dot is a trial.
    """
    _one_width(runs)
    trials = tables.valley(runs)
    cells = tables.cells(runs)
    names = list(trials["optimizer"].cat.categories)
    figure, (above, axes) = _figure(2, height_ratios=(0.12 + 0.045 * len(names), 1), size=(9.5, 6.4))
    cap = float(tables.budget(runs).max())
    arrived = trials[trials["outcome"] == Outcome.REACHED]
    for name in names:
        curve = cells[cells["optimizer"] == name]
        seconds = curve["seconds"].replace(float("inf"), float("nan"))  # the line breaks at a rate that did not arrive
        style = {"color": COLOURS[name], "marker": MARKERS[name], "markersize": 6, "linewidth": 1.8}
        axes.plot(curve["rate"], seconds, **style, label=LABELS[name] if seconds.notna().any() else None)
        dots = arrived[arrived["optimizer"] == name]
        if len(set(trials["seed"])) > 1:
            axes.scatter(dots["rate"], dots["seconds"], color=COLOURS[name], s=10, alpha=0.5, linewidths=0)
    _seconds_axis(axes, arrived["seconds"], cap)
    axes.set_xlabel("learning rate")
    axes.set_ylabel(f"seconds of training to {_target(runs)}")
    if len(arrived):
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, title="reached the target")
    else:
        axes.text(0.5, 0.5, "no trial arrived", transform=axes.transAxes, ha="center", color="0.4")

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
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    _headline(figure, f"The envelope: fastest and slowest of {runs['optimizer'].nunique()} optimizers\n{_subtitle(runs)}")
    return figure


def curves(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Validation accuracy over seconds of training, each optimizer at its best rate, from a little below the target up.

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
        axes.plot(mine["seconds"], 100 * mine["accuracy"], color=COLOURS[name], linewidth=1.6, label=label)
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
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, title="each at its best rate")
    _headline(figure, f"Learning curves at the best rates\n{_subtitle(runs)}")
    return figure


def write(folder: str | Path, out: str | Path | None = None) -> list[Path]:
    """Draw every figure of a stored study into `figures/`, each as PNG and SVG; return the PNGs' paths. Each width has its own.

    Raises:
        StudyError: no runs, or runs that must not share a figure.
    """
    runs = tables.load(folder)
    stored = tables.curves(folder)
    drawn: dict[str, Figure] = {}
    for width, mine in tables.comparable(runs).groupby("width"):
        suffix = "" if len(mine) == len(runs) else f"-width-{width:g}"
        drawn |= {f"valley{suffix}": valley(mine), f"envelope{suffix}": envelope(mine)}
    if not stored.empty:
        drawn["curves"] = curves(stored, runs[runs["width"] == stored["width"].iloc[0]])
    out = Path(out) if out is not None else Path(folder) / "figures"
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in drawn.items():
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
        figure.set_layout_engine("none")  # laid out once is enough
        with matplotlib.rc_context({"svg.hashsalt": name}):  # the same table draws the same file
            figure.savefig(out / f"{name}.svg", metadata={"Date": None})
    return paths


def _figure(rows: int, size: tuple[float, float], height_ratios: tuple[float, ...] = (1,)) -> tuple[Figure, list[Axes]]:
    """A figure of panels on one x-axis, in the study's style; no window, no global state."""
    figure = Figure(figsize=size, layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=height_ratios)
    return figure, list(axes[:, 0])


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


def _note(axes: Axes, height: float, text: str) -> None:
    """Words at the right end of a horizontal line."""
    place = ("axes fraction", "data")
    axes.annotate(text, (1, height), xycoords=place, xytext=(-4, 3), textcoords="offset points", ha="right", fontsize=8)


def _budget(runs: pd.DataFrame) -> str:
    """A trial's budget in words: seconds, steps or both."""
    cap, steps = runs["cap_seconds"].max(), runs["max_steps"].max()
    return " and ".join([*([f"{cap:g} s"] if cap > 0 else []), *([f"{int(steps):,} steps"] if steps > 0 else [])])


def _target(runs: pd.DataFrame) -> str:
    kind = {"window": "training accuracy", "cumulative": "cumulative training accuracy", "validation": "validation accuracy"}
    return f"{100 * runs['target'].iloc[0]:g} % {kind[runs['metric'].iloc[0]]}"


def _subtitle(runs: pd.DataFrame) -> str:
    first = runs.iloc[0]
    seeds = runs["seed"].nunique()
    how = "steps x step time alone" if first["mode"] == "array" else "read off the clock"
    multiples = sorted(set(runs["width"]))
    widths = "" if multiples == [1] else f", width {', '.join(f'{width:g}' for width in multiples)}"
    return (
        f"{first['network']} network{widths}, {Path(first['dataset']).name}, batch {first['batch']}, {len(runs)} trials, "
        f"{seeds} seed{'s' if seeds > 1 else ''} · {first['machine']} · seconds: {how}"
    )


def _headline(figure: Figure, text: str) -> None:
    title, subtitle = text.split("\n")
    figure.suptitle(f"{title}\n", fontsize=13, x=0.01, ha="left")
    figure.text(0.01, 1 - 0.36 / figure.get_figheight(), subtitle, fontsize=8.5, color="0.35")
