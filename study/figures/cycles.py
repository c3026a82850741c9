"""Cyclical rates and their controls."""

from __future__ import annotations

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure

from study.figures.style import Drawing, headline, own_settings, styled_axes
from study.figures.ticks import Exact
from study.tables.case_study import ARMS, CONTROL, CONTROL_ON, FIRST, PUBLISHED, SCRATCH, summary


@own_settings()
def cycles(rows: pd.DataFrame) -> Figure:
    """The case study of cyclical rates: test error during training, and at the end.

    Args:
        rows: the rows of the case study, as `tables.case_study.read` gives them.

    Returns:
        The figure.
    """
    figure = Drawing(figsize=(12.5, 5.2), layout="constrained")
    ((left, right),) = styled_axes(figure, 1, 2, width_ratios=(1, 1.25))
    shown = {
        FIRST: "black",
        SCRATCH: "#2166ac",
        CONTROL: "#67a9cf",
        PUBLISHED: "#b2182b",
        CONTROL_ON: "#ef8a62",
    }
    before = rows[rows["arm"] == FIRST].groupby("epoch")["seconds"].median().max()
    for arm, colour in shown.items():
        mine = (
            rows[rows["arm"] == arm]
            .groupby("epoch")
            .agg(seconds=("seconds", "median"), error=("test_error", "median"))
        )
        start = before if arm in (PUBLISHED, CONTROL_ON) else 0.0
        left.plot(
            start + mine["seconds"],
            100 * mine["error"],
            color=colour,
            marker="o",
            markersize=3.5,
            linewidth=1.5,
            label=arm,
        )
    left.set_yscale("log")
    left.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    left.yaxis.set_major_formatter(Exact(" %"))
    left.yaxis.set_minor_locator(ticker.NullLocator())
    left.set_xlabel("seconds of training")
    left.set_ylabel("test error, median over the seeds")
    left.legend(frameon=False, fontsize=8)
    table = summary(rows)[::-1].reset_index(drop=True)
    last = rows[rows["epoch"] == rows["epoch"].max()]
    for place, row in enumerate(table.itertuples()):
        arm, middle, low, high = (
            str(row.arm),
            float(str(row.error)),
            float(str(row.low)),
            float(str(row.high)),
        )
        colour = shown.get(arm, "0.4")
        own = 100 * last[last["arm"] == arm]["test_error"]
        right.scatter(own, [place] * len(own), s=9, color=colour, alpha=0.35)
        right.plot([low, high], [place] * 2, color=colour, linewidth=2.2)
        right.scatter([middle], [place], s=42, color=colour, zorder=3)
    right.set_yticks(range(len(table)), list(table["arm"]))
    right.xaxis.set_major_formatter(Exact(" %"))
    right.set_xlabel(f"test error after {rows['epoch'].max()} epochs: seeds, mean, 95 % interval")
    seeds = rows["seed"].nunique()
    headline(
        figure,
        f"Cyclical rates and their controls\nperceptron 784-784-10, Adam, {len(ARMS)} ways of "
        f"training, {seeds} seeds",
    )
    return figure
