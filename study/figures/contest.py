"""What methods of choosing a rate pick, and what they cost."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study import tables
from study.figures.population import HERE, NEVER, THERE, method_and_rule
from study.figures.style import (
    Drawing,
    folded,
    grid_shape,
    headline,
    label_of,
    own_settings,
    panels,
    styled_axes,
)
from study.figures.ticks import Exact, logarithmic_rates
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.rows import in_order
from study.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_settings()
def picks(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """The rates that each method picked, over the grid's rates that work, a panel an optimizer.

    Args:
        table: the table of a contest, as `tables.contests.read` gives it.
        runs: the grid's runs.

    Returns:
        The figure.
    """
    names = in_order(table["optimizer"])
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
        logarithmic_rates(axes)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_title(folded(label_of(name)), fontsize=10)
        axes.set_yticks(range(len(rows)), [method_and_rule(*row) for row in rows[::-1]], fontsize=8)
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
    figure = Drawing(figsize=(12.5, 1.7 + 0.33 * len(rows)), layout="constrained")
    ((share, regret, search),) = styled_axes(figure, 1, 3, sharey=True, width_ratios=(1, 1.3, 1))
    _draw_shares(share, rows)
    for place, row in enumerate(rows.to_dict("records")):
        own = table[(table["method"] == row["method"]) & (table["rule"] == row["rule"])]
        _draw_regret(regret, place, row, own["regret"][own["regret"] < math.inf])
        _draw_search(search, place, row)
    regret.axvline(1, color="0.4", linewidth=0.8)
    regret.set_xlabel("time at the pick over the grid's best (black: median of all picks)")
    search.set_xlabel("seconds of search, median")
    search.margins(x=0.25)  # for the words beside the points
    regret.margins(x=0.15)
    some = bool((rows["search_steps"] > 0).any())
    if not some:
        search.set_xlim(0, 1)
    for axes in (regret, search) if some else (regret,):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(Exact())
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    total, seeds = int(rows["picks"].max()), counted(table["seed"].nunique(), "seed")
    headline(
        figure,
        f"What a pick is worth, and what it costs\n{total} picks a method: "
        f"{table['optimizer'].nunique()} optimizers, {seeds}",
    )
    return figure


def _draw_shares(axes: Axes, rows: pd.DataFrame) -> None:
    """How the picks of each row ended, as parts of a whole bar."""
    never = rows["picks"] - rows["none"] - rows["arrived"]
    parts = {
        "trains": (rows["arrived"], HERE, 0.75),
        "never arrives": (never, NEVER, 0.4),
        "no pick": (rows["none"], THERE, 1.0),
    }
    end = 0.0 * rows["picks"]
    for words, (count, colour, alpha) in parts.items():
        width = 100 * count / rows["picks"]
        axes.barh(range(len(rows)), width, left=end, color=colour, alpha=alpha, label=words)
        end += width
    for place, (arrived, picked) in enumerate(zip(rows["arrived"], rows["picks"], strict=True)):
        axes.annotate(f"{arrived} of {picked}", (2, place), va="center", fontsize=7.5)
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(Exact(" %"))
    axes.set_xlabel("picks that train")
    names = zip(rows["method"], rows["rule"], strict=True)
    axes.set_yticks(range(len(rows)), [method_and_rule(*pair) for pair in names], fontsize=9)
    axes.figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=9)


def _draw_regret(axes: Axes, place: int, row: Any, arrived: pd.Series) -> None:
    """A dot a pick that trained, and the median of all; where there is none, what befell most."""
    axes.scatter(arrived, [place] * len(arrived), s=12, color="0.5", alpha=0.6)
    if row["regret"] < math.inf:
        look: dict[str, Any] = {"marker": "|", "linewidth": 2.5, "color": "black", "zorder": 3}
        axes.scatter([row["regret"]], [place], s=60, **look)
        return
    ends = {"no pick": row["none"], "never arrives": row["picks"] - row["none"] - row["arrived"]}
    of = row["picks"]
    axes.annotate(
        ", ".join(f"{count} of {of}: {words}" for words, count in ends.items() if count),
        (0.99, place),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="center",
        fontsize=7.5,
    )


def _draw_search(axes: Axes, place: int, row: Any) -> None:
    """A dot at the seconds of a search; a word where there was none to take any."""
    style: dict[str, Any] = {"va": "center", "fontsize": 7.5}
    if not row["search_steps"]:
        at: Any = ("axes fraction", "data")
        axes.annotate("none: 0 s", (0.02, place), xycoords=at, **style)
        return
    seconds = row["search_seconds"]
    axes.scatter([seconds], [place], s=42, color="#4393c3", zorder=3)
    beside: dict[str, Any] = {"xytext": (7, 0), "textcoords": "offset points"}
    axes.annotate(f"{seconds:,.3g} s", (seconds, place), **beside, **style)
