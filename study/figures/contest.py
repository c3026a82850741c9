"""What methods of choosing a rate pick, and what they cost."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study import tables
from study.figures.population import HERE, NEVER, THERE, method_and_rule
from study.figures.style import (
    COLOURS,
    LABELS,
    Drawing,
    grid_shape,
    headline,
    own_settings,
    panels,
    styled_axes,
)
from study.storage.records import Outcome
from study.tables import intervals
from study.words import counted


@own_settings()
def picks(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """The rates that each method picked, over the grid's rates that work, a panel an optimizer.

    Args:
        table: the table of a contest, as `tables.contests.read` gives it.
        runs: the grid's runs.

    Returns:
        The figure.
    """
    names = [name for name in COLOURS if name in set(table["optimizer"])]
    rows = list(dict.fromkeys(zip(table["method"], table["rule"], strict=True)))
    height, columns = grid_shape(len(names))
    figure = Drawing(
        figsize=(3.0 + 3.7 * columns, 1.2 + (0.26 * len(rows) + 0.6) * height),
        layout="constrained",
    )
    axes_of = dict(zip(names, panels(figure, len(names), sharey=True), strict=True))
    cells = tables.cells(runs)
    for name, axes in axes_of.items():
        mine = cells[cells["optimizer"].astype(str) == name]
        working = mine[mine["seconds"] < math.inf]
        edges = 10 ** intervals.edges(mine["rate"].to_numpy(float))
        for rate, (low, high) in zip(mine["rate"], pairwise(edges), strict=True):
            if rate in set(working["rate"]):
                near = (
                    float(working.loc[working["rate"] == rate, "seconds"].iloc[0])
                    <= 2 * working["seconds"].min()
                )
                axes.axvspan(low, high, color="#1b7837", alpha=0.28 if near else 0.1, linewidth=0)
        own = table[table["optimizer"] == name]
        for place, (method, rule) in enumerate(rows[::-1]):
            here = own[(own["method"] == method) & (own["rule"] == rule) & own["rate"].notna()]
            fine = here["outcome"] == Outcome.REACHED
            axes.scatter(here["rate"][fine], [place] * int(fine.sum()), s=26, color=HERE, zorder=3)
            axes.scatter(
                here["rate"][~fine],
                [place] * int((~fine).sum()),
                s=26,
                marker="x",
                color=NEVER,
                zorder=3,
            )
            if here.empty:
                axes.annotate(
                    "no pick",
                    (0.01, place),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=7,
                    color="0.4",
                )
        axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_title(LABELS[name], fontsize=10)
        axes.set_yticks(range(len(rows)), [method_and_rule(*row) for row in rows[::-1]], fontsize=8)
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    handles: list[Any] = [
        Line2D([], [], color=HERE, marker="o", linestyle="none", label="trained to the target"),
        Line2D([], [], color=NEVER, marker="x", linestyle="none", label="did not"),
        Line2D(
            [],
            [],
            color="#1b7837",
            alpha=0.28,
            linewidth=8,
            label="grid: within twice the best time",
        ),
        Line2D([], [], color="#1b7837", alpha=0.1, linewidth=8, label="grid: works"),
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize=9,
        title="learning rate picked",
    )
    seeds = counted(table["seed"].nunique(), "seed")
    headline(
        figure,
        f"Which rate each method picks\n{len(rows)} methods and rules, {seeds}, over the grid's "
        "valley",
    )
    return figure


@own_settings()
def costs(table: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """How often each method's pick trains, its regret, and what the search costs.

    Args:
        table: the table of a contest, as `tables.contests.read` gives it.
        found: its summary, as `tables.contests.summary` gives it.

    Returns:
        The figure.
    """
    rows = found[::-1].reset_index(drop=True)
    figure = Drawing(figsize=(12.5, 1.4 + 0.33 * len(rows)), layout="constrained")
    ((share, regret, cost),) = styled_axes(figure, 1, 3, sharey=True, width_ratios=(1, 1.3, 1))
    places = range(len(rows))
    share.barh(places, 100 * rows["arrived"] / rows["picks"], color=HERE, alpha=0.75)
    share.barh(
        places,
        100 * rows["none"] / rows["picks"],
        left=100 - 100 * rows["none"] / rows["picks"],
        color=THERE,
    )
    share.set_xlim(0, 100)
    share.xaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    share.set_xlabel("picks that train (grey: no pick)")
    for place, row in enumerate(rows.to_dict("records")):
        own = table[
            (table["method"] == row["method"])
            & (table["rule"] == row["rule"])
            & (table["regret"] < math.inf)
        ]
        regret.scatter(own["regret"], [place] * len(own), s=12, color="0.5", alpha=0.6)
        if row["regret"] < math.inf:
            regret.scatter(
                [row["regret"]], [place], s=60, marker="|", linewidth=2.5, color="black", zorder=3
            )
        else:
            regret.annotate(
                "most never arrive",
                (0.99, place),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center",
                fontsize=7.5,
            )
        share.annotate(f"{row['arrived']} of {row['picks']}", (2, place), va="center", fontsize=7.5)
    regret.set_xscale("log")
    regret.axvline(1, color="0.4", linewidth=0.8)
    regret.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    regret.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    regret.xaxis.set_minor_locator(ticker.NullLocator())
    regret.set_xlabel("time at the pick over the grid's best (bar: median of all picks)")
    cost.barh(
        places, rows["search_seconds"].where(rows["search_steps"] > 0), color="#4393c3", alpha=0.8
    )
    cost.set_xscale("log")
    cost.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    cost.xaxis.set_minor_locator(ticker.NullLocator())
    cost.set_xlabel("seconds of search, median")
    share.set_yticks(
        places,
        [method_and_rule(*pair) for pair in zip(rows["method"], rows["rule"], strict=True)],
        fontsize=9,
    )
    total, seeds = int(rows["picks"].max()), counted(table["seed"].nunique(), "seed")
    headline(
        figure,
        f"What a pick is worth, and what it costs\n{total} picks a method: "
        f"{table['optimizer'].nunique()} optimizers, {seeds}",
    )
    return figure
