"""Accuracy over training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from study import tables
from study.errors import StudyError
from study.figures.style import (
    COLOURS,
    LABELS,
    headline,
    legend_beside,
    own_settings,
    stacked_panels,
    subtitle_of,
)
from study.figures.ticks import Exact
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from study.storage.published.protocol import MACHINE_NAME
from study.words import counted

if TYPE_CHECKING:
    import pandas as pd


UNKNOWN = " (rate not published)"


@own_settings()
def curves(table: pd.DataFrame, runs: pd.DataFrame | StudySpec) -> Figure:
    """Validation accuracy over seconds of training, each optimizer at its best rate.

    The accuracy is shown from a little below the target. Over several seeds the curve is the
    median, and the band reaches from the lowest to the highest.

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
    target, metric = float(one.target), str(one.metric)
    for name in [name for name in OPTIMIZERS if name in set(table["optimizer"])]:
        mine = table[table["optimizer"] == name]
        rate = float(mine["learning_rate"].iloc[0])
        label = f"{LABELS[name]} at {rate:.3g}" if rate == rate else LABELS[name] + UNKNOWN
        if rate == rate and tables.collapsed(mine, target).any():
            label += " (collapsed)"
        by_time = mine.groupby("seconds")["accuracy"]
        axes.plot(
            by_time.median().index,
            100 * by_time.median(),
            color=COLOURS[name],
            linewidth=1.6,
            label=label,
        )
        if mine["seed"].nunique() > 1:
            low, high = 100 * by_time.min(), 100 * by_time.max()
            axes.fill_between(low.index, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
    kind = "target" if metric == "validation" else "target (training accuracy)"
    axes.axhline(100 * target, color="0.5", linestyle=":", linewidth=1, label=kind)
    # What happens near the target is the point; the climb to it takes the first moments. Published
    # curves climb slowly, and some never come near.
    unknown = bool(table["learning_rate"].isna().any())
    axes.set_ylim(
        0 if unknown else 100 * max(0.0, target - 2.5 * (1 - target)),
        100 * min(1.0, max(target, float(table["accuracy"].max())) + (1 - target) / 3),
    )
    axes.set_xlim(0, float(table["seconds"].max()))
    axes.yaxis.set_major_formatter(Exact(" %"))
    axes.set_ylabel("validation accuracy")
    axes.set_xlabel("seconds of training")
    legend_beside(axes, None if unknown else "each at its best rate")
    if unknown or isinstance(runs, StudySpec):
        headline(figure, f"Published learning curves\n{_subtitle(table, one)}")
    else:
        headline(figure, f"Learning curves at the best rates\n{subtitle_of(runs)}")
    return figure


def _subtitle(table: pd.DataFrame, one: Any) -> str:
    """What the published curves are of; `one` is a spec or a run."""
    count = len(table[["optimizer", "seed"]].drop_duplicates())
    return (
        f"{one.network} network, {one.dataset}, batch {one.batch}, {counted(count, 'curve')}, "
        f"published measurements · {MACHINE_NAME} · seconds: read off the clock"
    )
