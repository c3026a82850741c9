"""Figures of the ways of choosing a rate: populations, cycles, the contest. Tables in, matplotlib figures out."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study import statistics, tables
from study.cycles import ARMS, CONTROL, CONTROL_ON, FIRST, PUBLISHED, SCRATCH, summary
from study.figures import COLOURS, LABELS, Drawing, _figure, _headline
from study.population import Population
from study.record import Outcome
from study.words import counted

HERE, THERE, NEVER = "#1b7837", "0.75", "#b2182b"


def lineage(done: Population, title: str) -> Figure:
    """Rate against step, a line a member, with a branch from the parent where it was copied; the best member's line is thick.

    Args:
        done: a finished population.
        title: what was trained, for the line under the headline.
    """
    figure, (above, below) = _figure(2, size=(10, 6.4), height_ratios=(1.6, 1))
    for k, round_ in enumerate(done.rounds):
        begin, end = round_.step - done.ready, round_.step
        for i, member in enumerate(round_.members):
            above.plot([begin, end], [member.rate] * 2, color="0.7", linewidth=0.8)
            if k:
                parent = done.rounds[k - 1].members[member.parent].rate
                copied = member.parent != i
                above.plot([begin, begin], [parent, member.rate], color="#d6604d" if copied else "0.7", linewidth=0.9 if copied else 0.4)
    line = done.lineage()
    steps = [step for start, _ in line for step in (start, start + done.ready)]
    above.plot(steps, [member.rate for _, member in line for _ in range(2)], color="#2166ac", linewidth=2.4)
    above.set_yscale("log")
    above.set_ylabel("learning rate")
    handles = [
        Line2D([], [], color="#2166ac", linewidth=2.4, label="schedule of the best"),
        Line2D([], [], color="0.7", linewidth=0.9, label="a member"),
        Line2D([], [], color="#d6604d", linewidth=0.9, label="a copy, its rate changed"),
    ]
    above.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    at = [round_.step for round_ in done.rounds]
    scores = np.array([round_.scores for round_ in done.rounds])
    parents = np.array([[member.parent for member in round_.members] for round_ in done.rounds])
    for k in range(1, len(at)):  # from the parent's accuracy, so that no copy looks like learning
        below.plot(at[k - 1 : k + 1], 100 * np.stack([scores[k - 1][parents[k]], scores[k]]), color="0.7", linewidth=0.8)
    line_scores = [round_.scores[place] for round_, place in zip(done.rounds, done.places(), strict=True)]
    below.plot(at, 100 * np.array(line_scores), color="#2166ac", linewidth=2.4, marker="o", markersize=3)
    below.yaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    below.set_ylabel("validation accuracy")
    below.set_xlabel("steps of each member")
    below.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    below.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    _headline(figure, f"A population of {len(done.rounds[0].members)} and the schedule that it found\n{title}")
    return figure


def cycles(rows: pd.DataFrame) -> Figure:
    """The case study of cyclical rates: test error over the seconds of training, and at the end with intervals.

    Args:
        rows: what `study.cycles.read` gives.
    """
    figure = Drawing(figsize=(12.5, 5.2), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    shown = {FIRST: "black", SCRATCH: "#2166ac", CONTROL: "#67a9cf", PUBLISHED: "#b2182b", CONTROL_ON: "#ef8a62"}
    before = rows[rows["arm"] == FIRST].groupby("epoch")["seconds"].median().max()
    for arm, colour in shown.items():
        mine = rows[rows["arm"] == arm].groupby("epoch").agg(seconds=("seconds", "median"), error=("test_error", "median"))
        start = before if arm in (PUBLISHED, CONTROL_ON) else 0.0
        left.plot(start + mine["seconds"], 100 * mine["error"], color=colour, marker="o", markersize=3.5, linewidth=1.5, label=arm)
    left.set_yscale("log")
    left.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
    left.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g} %"))
    left.yaxis.set_minor_locator(ticker.NullLocator())
    left.set_xlabel("seconds of training")
    left.set_ylabel("test error, median over the seeds")
    left.legend(frameon=False, fontsize=8)
    table = summary(rows)[::-1].reset_index(drop=True)
    last = rows[rows["epoch"] == rows["epoch"].max()]
    for place, row in enumerate(table.itertuples()):
        arm, middle, low, high = str(row.arm), float(str(row.error)), float(str(row.low)), float(str(row.high))
        colour = shown.get(arm, "0.4")
        own = 100 * last[last["arm"] == arm]["test_error"]
        right.scatter(own, [place] * len(own), s=9, color=colour, alpha=0.35)
        right.plot([low, high], [place] * 2, color=colour, linewidth=2.2)
        right.scatter([middle], [place], s=42, color=colour, zorder=3)
    right.set_yticks(range(len(table)), list(table["arm"]))
    right.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g} %"))
    right.set_xlabel(f"test error after {rows['epoch'].max()} epochs: seeds, mean, 95 % interval")
    seeds = rows["seed"].nunique()
    _headline(figure, f"Cyclical rates and their controls\nperceptron 784-784-10, Adam, {len(ARMS)} ways of training, {seeds} seeds")
    return figure


def picks(table: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """What each method picked, over the band of rates that work and the best rate of the grid; a panel an optimizer.

    Args:
        table: what `study.contest.read` gives.
        runs: the grid's runs.
    """
    names = [name for name in COLOURS if name in set(table["optimizer"])]
    rows = list(dict.fromkeys(zip(table["method"], table["rule"], strict=True)))
    columns = min(3, len(names))
    figure = Drawing(figsize=(3.0 + 3.7 * columns, 1.2 + (0.26 * len(rows) + 0.6) * math.ceil(len(names) / columns)), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        panels = figure.subplots(math.ceil(len(names) / columns), columns, sharey=True, squeeze=False).ravel()
    cells = tables.cells(runs)
    for axes, name in zip(panels, names, strict=False):
        mine = cells[cells["optimizer"].astype(str) == name]
        working = mine[mine["seconds"] < math.inf]
        edges = 10 ** statistics.edges(mine["rate"].to_numpy(float))
        for rate, (low, high) in zip(mine["rate"], pairwise(edges), strict=True):
            if rate in set(working["rate"]):
                near = float(working.loc[working["rate"] == rate, "seconds"].iloc[0]) <= 2 * working["seconds"].min()
                axes.axvspan(low, high, color="#1b7837", alpha=0.28 if near else 0.1, linewidth=0)
        own = table[table["optimizer"] == name]
        for place, (method, rule) in enumerate(rows[::-1]):
            here = own[(own["method"] == method) & (own["rule"] == rule) & own["rate"].notna()]
            fine = here["outcome"] == Outcome.REACHED
            axes.scatter(here["rate"][fine], [place] * int(fine.sum()), s=26, color=HERE, zorder=3)
            axes.scatter(here["rate"][~fine], [place] * int((~fine).sum()), s=26, marker="x", color=NEVER, zorder=3)
            if here.empty:
                axes.annotate("no pick", (0.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=7, color="0.4")
        axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_title(LABELS[name], fontsize=10)
        axes.set_yticks(range(len(rows)), [_row(*row) for row in rows[::-1]], fontsize=8)
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    handles: list[Any] = [
        Line2D([], [], color=HERE, marker="o", linestyle="none", label="trained to the target"),
        Line2D([], [], color=NEVER, marker="x", linestyle="none", label="did not"),
        Line2D([], [], color="#1b7837", alpha=0.28, linewidth=8, label="grid: within twice the best time"),
        Line2D([], [], color="#1b7837", alpha=0.1, linewidth=8, label="grid: works"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9, title="learning rate picked")
    seeds = counted(table["seed"].nunique(), "seed")
    _headline(figure, f"Which rate each method picks\n{len(rows)} methods and rules, {seeds}, over the grid's valley")
    return figure


def costs(table: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """How often each method's pick trains, its regret, and what the search costs.

    Args:
        table: what `study.contest.read` gives.
        found: what `study.contest.summary` gives.
    """
    rows = found[::-1].reset_index(drop=True)
    figure = Drawing(figsize=(12.5, 1.4 + 0.33 * len(rows)), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.93"}):
        share, regret, cost = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1.3, 1))
    places = range(len(rows))
    share.barh(places, 100 * rows["arrived"] / rows["picks"], color=HERE, alpha=0.75)
    share.barh(places, 100 * rows["none"] / rows["picks"], left=100 - 100 * rows["none"] / rows["picks"], color=THERE)
    share.set_xlim(0, 100)
    share.xaxis.set_major_formatter(ticker.PercentFormatter(decimals=0))
    share.set_xlabel("picks that train (grey: no pick)")
    for place, row in enumerate(rows.to_dict("records")):
        own = table[(table["method"] == row["method"]) & (table["rule"] == row["rule"]) & (table["regret"] < math.inf)]
        regret.scatter(own["regret"], [place] * len(own), s=12, color="0.5", alpha=0.6)
        if row["regret"] < math.inf:
            regret.scatter([row["regret"]], [place], s=60, marker="|", linewidth=2.5, color="black", zorder=3)
        else:
            regret.annotate("most never arrive", (0.99, place), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7.5)
        share.annotate(f"{row['arrived']} of {row['picks']}", (2, place), va="center", fontsize=7.5)
    regret.set_xscale("log")
    regret.axvline(1, color="0.4", linewidth=0.8)
    regret.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    regret.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    regret.xaxis.set_minor_locator(ticker.NullLocator())
    regret.set_xlabel("time at the pick over the grid's best (bar: median of all picks)")
    cost.barh(places, rows["search_seconds"].where(rows["search_steps"] > 0), color="#4393c3", alpha=0.8)
    cost.set_xscale("log")
    cost.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    cost.xaxis.set_minor_locator(ticker.NullLocator())
    cost.set_xlabel("seconds of search, median")
    share.set_yticks(places, [_row(*pair) for pair in zip(rows["method"], rows["rule"], strict=True)], fontsize=9)
    total, seeds = int(rows["picks"].max()), counted(table["seed"].nunique(), "seed")
    _headline(
        figure,
        f"What a pick is worth, and what it costs\n{total} picks a method: {table['optimizer'].nunique()} optimizers, {seeds}",
    )
    return figure


def _row(method: str, rule: str) -> str:
    return f"{method}: {rule}"
