"""Validation curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.style import (
    folded,
    headline,
    legend_beside,
    looks,
    looks_of,
    own_settings,
    stacked_panels,
    subtitle_of,
)
from study.figures.ticks import Exact
from study.spec.goals import best_of, high_share, is_share, of_curves, sign
from study.spec.goals import label as words_of
from study.spec.study import StudySpec
from study.storage.published.protocol import MACHINE_NAME
from study.words import counted

if TYPE_CHECKING:
    import pandas as pd


UNKNOWN = " (rate not published)"


@own_settings()
def curves(table: pd.DataFrame, runs: pd.DataFrame | StudySpec) -> Figure:
    """Validation accuracy over seconds of training, each optimizer at its best rate.

    Of a model of the user's own it is the study's metric, on the validation data. It is shown from
    a little before the target. Over several seeds the curve is the median, and the band reaches
    from the lowest to the highest.

    Args:
        table: the curves, as `tables.curves` gives them.
        runs: the study's runs, for the title and the target; its spec if it holds no runs.

    Returns:
        The figure.

    Raises:
        StudyError: there are no curves, because no trial reached the target.
    """
    if table.empty:
        raise StudyError("no validation curves are stored: no optimizer reached the target")
    figure, (axes,) = stacked_panels(1, size=(9.5, 5))
    one = runs if isinstance(runs, StudySpec) else runs.iloc[0]
    target, metric, goal = float(one.target), str(one.metric), str(one.goal)
    shown = of_curves(metric)
    unit = 100 if is_share(shown) else 1
    of_study = looks(runs.optimizers) if isinstance(runs, StudySpec) else looks_of(runs)
    for name, look in of_study.items():
        mine = table[table["optimizer"] == name]
        if mine.empty:
            continue
        rate = float(mine["learning_rate"].iloc[0])
        label = f"{look.label} at {rate:.3g}" if rate == rate else look.label + UNKNOWN
        if rate == rate and tables.collapsed(mine, target, metric, goal).any():
            label += " (collapsed)"
        label = folded(label)
        by_time = mine.groupby("seconds")["accuracy"]
        point = look.points if by_time.ngroups == 1 else {}  # a line has two points at least
        axes.plot(
            by_time.median().index,
            unit * by_time.median(),
            **{**look.curve, **point},
            linewidth=1.6,
            label=label,
        )
        if mine["seed"].nunique() > 1:
            low, high = unit * by_time.min(), unit * by_time.max()
            axes.fill_between(low.index, low, high, color=look.colour, alpha=0.15, linewidth=0)
    kind = "target" if metric == shown else f"target ({words_of(metric)})"
    axes.axhline(unit * target, color="0.5", linestyle=":", linewidth=1, label=kind)
    unknown = bool(table["learning_rate"].isna().any())
    bottom, top = _around(target, table["accuracy"], metric, goal)
    axes.set_ylim(0 if unknown else unit * bottom, unit * top)
    axes.set_xlim(0, float(table["seconds"].max()))
    axes.yaxis.set_major_formatter(Exact(" %" if unit == 100 else ""))
    axes.set_ylabel(words_of(shown))
    axes.set_xlabel("seconds of training")
    legend_beside(axes, None if unknown else "each at its best rate")
    if unknown or isinstance(runs, StudySpec):
        headline(figure, f"Published learning curves\n{_subtitle(table, one)}")
    else:
        headline(figure, f"Learning curves at the best rates\n{subtitle_of(runs)}")
    return figure


def _around(target: float, values: pd.Series, metric: str, goal: str) -> tuple[float, float]:
    """The least and the largest value to show.

    What happens near the target is the point; the way to it takes the first moments. Published
    curves climb slowly, and some never come near.
    """
    best = float(best_of(list(values), goal))
    if high_share(metric, goal):
        left = 1 - target
        return max(0.0, target - 2.5 * left), min(1.0, max(target, best) + left / 3)
    span = max(abs(target - best), abs(target) / 4) or 1.0
    ends = target - sign(goal) * 3 * span, best_of([target, best], goal) + sign(goal) * span / 3
    return min(ends), max(ends)


def _subtitle(table: pd.DataFrame, one: Any) -> str:
    """What the published curves are of; `one` is a spec or a run."""
    count = len(table[["optimizer", "seed"]].drop_duplicates())
    return (
        f"{one.network} network, {one.dataset}, batch {one.batch}, {counted(count, 'curve')}, "
        f"published measurements · {MACHINE_NAME} · seconds: read off the clock"
    )
