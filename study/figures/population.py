"""A population and its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.figures.style import headline, own_settings, stacked_panels
from study.figures.ticks import Exact
from study.spec.goals import is_share, label

if TYPE_CHECKING:
    from study.search.population import Population

HERE, THERE, NEVER = "#1b7837", "0.75", "#b2182b"


@own_settings()
def lineage(done: Population, title: str, metric: str = "validation") -> Figure:
    """Rate against step, a line a member with branches at copies; the best member's line is thick.

    Args:
        done: a finished population.
        title: what was trained, for the line under the headline.
        metric: what its scores are.

    Returns:
        The figure.
    """
    unit = 100 if is_share(metric) else 1
    figure, (above, below) = stacked_panels(2, size=(10, 6.4), height_ratios=(1.6, 1))
    for k, round_ in enumerate(done.rounds):
        begin, end = round_.step - done.ready, round_.step
        for i, member in enumerate(round_.members):
            above.plot([begin, end], [member.rate] * 2, color="0.7", linewidth=0.8)
            if k:
                parent = done.rounds[k - 1].members[member.parent].rate
                copied = member.parent != i
                above.plot(
                    [begin, begin],
                    [parent, member.rate],
                    color="#d6604d" if copied else "0.7",
                    linewidth=0.9 if copied else 0.4,
                )
    line = done.lineage()
    steps = [step for start, _ in line for step in (start, start + done.ready)]
    above.plot(
        steps, [member.rate for _, member in line for _ in range(2)], color="#2166ac", linewidth=2.4
    )
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
        below.plot(
            at[k - 1 : k + 1],
            unit * np.stack([scores[k - 1][parents[k]], scores[k]]),
            color="0.7",
            linewidth=0.8,
        )
    line_scores = [
        round_.scores[place] for round_, place in zip(done.rounds, done.places(), strict=True)
    ]
    below.plot(
        at, unit * np.array(line_scores), color="#2166ac", linewidth=2.4, marker="o", markersize=3
    )
    below.yaxis.set_major_formatter(Exact(" %" if unit == 100 else ""))
    below.set_ylabel(label(metric))
    below.set_xlabel("steps of each member")
    below.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    headline(
        figure,
        f"A population of {len(done.rounds[0].members)} and the schedule that it found\n{title}",
    )
    return figure


def method_and_rule(method: str, rule: str) -> str:
    return f"{method}: {rule}"
