"""Claims on Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from study.claims.bands import possibly_works, surely_works
from study.claims.evidence import Evidence, Known, largest, meant_by, studies_in
from study.claims.frame import grid_of, judged_study, without
from study.claims.leasts import leasts_of
from study.claims.verdict import FAILS, HOLDS, UNDECIDED, Verdict, claim, decide, miss, no_evidence
from study.spec.goals import high_share, label, of_curves
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.best_rates import Scatter, least_margins
from study.tables.intervals import Floats
from study.words import counted

DROP = 0.1
"""A major drop of validation accuracy. Of the published curves Adam's is 6 points, the others' 18
to 40.
"""


LEARNT = 0.5
"""A drop counts once the accuracy has come to this: before, it has hardly begun to learn."""


ONE_DROP = 1.5
"""How far a drop of one or two seeds must lie from `DROP`, as a factor: the scatter of such drops
is not known.
"""


LEVELS = (0.8, 0.85, 0.9, 0.93, 0.95)
"""Validation accuracies at which the learning curves are compared."""


@claim("adam-fastest", "Adam learns the fastest", "Adam 8.3 s; SGD 7.0 s, Adagrad 7.8 s")
def adam_fastest(id: str, studies: Known) -> Verdict:
    """Adam's best time over the best of all others', below one."""
    grid = grid_of(studies)
    why = without(studies, grid, "adam")
    if grid is None or why:
        return no_evidence(id, 1.0, why)
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    if not np.isfinite(grid.high).any():
        return no_evidence(id, 1.0, f"nothing arrived at any rate{judged_study(grid)}")
    leasts = leasts_of(grid)
    value, low, high = leasts.over_fastest(adam, rest)
    other = leasts.fastest(rest)
    times = leasts.high[[adam, other]]
    shown = [f"{time:.3g} s" if math.isfinite(time) else "for ever" for time in times]
    reason = (
        f"at their best rates Adam takes {shown[0]}, {leasts.optimizers[other]} {shown[1]} "
        f"({leasts.room}){leasts.words}"
    )
    found = decide(id, value, low, high, 1.0, reason, above=False)
    return replace(found, reason=f"{reason}{_first(largest(studies_in(studies)))}")


def _first(study: Evidence) -> str:
    """To which validation accuracies Adam is first, as the end of a sentence.

    The published words are read off that figure. It is one curve an optimizer, so that it decides
    nothing.
    """
    curves = study.curves
    if curves.empty or "adam" not in set(curves["optimizer"]) or not _of_accuracy(study):
        return ""
    first = {
        level: curves[curves["accuracy"] >= level]
        .groupby(["optimizer", "seed"], observed=True)["seconds"]
        .min()
        .groupby("optimizer", observed=True)
        .median()
        for level in LEVELS
    }
    won = [f"{100 * level:g}" for level, times in first.items() if _wins(times)]
    met = [f"{100 * level:g}" for level, times in first.items() if len(times)]
    said = f"{', '.join(won)} %" if won else "none of them"
    return f"; of {', '.join(met)} % validation accuracy Adam's curve is first to {said}"


def _of_accuracy(study: Evidence) -> bool:
    """Whether its validation curves are of an accuracy, as those that were published."""
    return high_share(study.spec.metric, study.spec.goal)


def _wins(times: pd.Series) -> bool:
    """Whether Adam's is the least of these times, and no other's is the same."""
    return "adam" in times.index and bool((times.drop("adam") > times["adam"]).all())


def drop(accuracy: Floats, diverged: bool = False) -> float:
    """The largest fall below the best accuracy so far, once it has come to `LEARNT`.

    >>> round(drop(np.array([0.3, 0.1, 0.95, 0.9, 0.97])), 6)
    0.05

    Args:
        accuracy: (checks,), the validation accuracy.
        diverged: whether the training diverged: then all of the accuracy is lost.

    Returns:
        The fall, in [0, 1]; NaN if the accuracy never comes so far.
    """
    if diverged and len(accuracy):
        return float(accuracy.max())
    learnt = np.flatnonzero(accuracy >= LEARNT)
    if not len(learnt):
        return math.nan
    after = accuracy[learnt[0] :]
    return float((np.maximum.accumulate(after) - after).max())


@claim(
    "adam-stable",
    "Adam's validation accuracy has no major drop, unlike the others",
    "largest drops 6 points for Adam, 18 to 40 for the others",
)
def adam_stable(id: str, studies: Known) -> Verdict:
    """Largest drop of validation accuracy at the best rate: Adam's < 10 points, most others' > 10.

    Over three seeds and more a median drop has Student's interval of the log drops, whose scatter
    is pooled over the optimizers.
    """
    candidates = [
        study
        for study in studies_in(studies)
        if "adam" in study.spec.optimizers and len(study.spec.optimizers) > 1
    ]
    if not candidates:
        return no_evidence(id, DROP, "no study trains Adam beside other optimizers")
    study = largest(candidates)
    if study.curves.empty:
        return no_evidence(id, DROP, f"no validation curves are stored (study {study.spec.name})")
    if not _of_accuracy(study):
        what = label(of_curves(study.spec.metric))
        return no_evidence(id, DROP, f"the claim is about accuracy, and the curves show {what}")
    drops = {name: values for name, values in _drops(study).items() if not np.isnan(values).any()}
    if "adam" not in drops:
        return no_evidence(id, DROP, "Adam has no curve, or one that never learnt")
    ends = _ends(drops)
    shown = ", ".join(f"{name} {100 * np.median(values):.1f}" for name, values in drops.items())
    seeds = counted(min(map(len, drops.values())), "seed")
    low, high = ends.pop("adam")
    others = len(meant_by(study.spec)) - 1
    dropping = sum(end > DROP for end, _ in ends.values())
    steady = sum(end < DROP for _, end in ends.values())
    if high < DROP and dropping > others / 2:
        verdict = HOLDS
    elif low > DROP or steady > others / 2:
        verdict = FAILS
    else:
        verdict = UNDECIDED
    few = min(map(len, drops.values())) < intervals.FEWEST_SEEDS
    draw = ", and how much drops scatter is not known" if few else ""
    reason = (
        f"largest drops in points, medians of {seeds}{draw}: {shown} (study {study.spec.name}); "
        f"{dropping} of {others} others surely drop, {steady} surely do not"
    )
    value = float(np.median(drops["adam"]))
    return Verdict(id, verdict, value, low, high, DROP, reason)


def _drops(study: Evidence) -> dict[str, Floats]:
    """The largest drop of each seed's curve, by optimizer."""
    return {
        str(name): np.array(
            [
                drop(
                    curve["accuracy"].to_numpy(float),
                    bool((curve["outcome"] == Outcome.DIVERGED).any()),
                )
                for _, curve in mine.groupby("seed")
            ]
        )
        for name, mine in study.curves.groupby("optimizer", observed=True)
    }


def _ends(drops: Mapping[str, Floats]) -> dict[str, tuple[float, float]]:
    """The interval of each optimizer's median drop."""
    seeds, factor = min(map(len, drops.values())), ONE_DROP
    if seeds >= intervals.FEWEST_SEEDS:
        logs = [np.log(np.maximum(values, 1e-4)) for values in drops.values()]
        left = np.concatenate([values - values.mean() for values in logs])
        freedom = len(left) - len(logs)
        noise = Scatter(math.sqrt(float((left**2).sum()) / freedom), freedom)
        factor = least_margins(noise, seeds, 1, miss() / len(logs))[1]
    middles = {name: float(np.median(values)) for name, values in drops.items()}
    return {name: (value / factor, value * factor) for name, value in middles.items()}


@claim(
    "adam-wide",
    "Adam has a relatively wide range of working rates",
    "15 of 48 rates; the others 4 to 13",
)
def adam_wide(id: str, studies: Known) -> Verdict:
    """Decades of working rates, Adam's less the median of the others', above zero.

    Each end of a band is known to one step of the grid.
    """
    grid = grid_of(studies)
    why = without(studies, grid, "adam")
    if grid is None or why:
        return no_evidence(id, 0.0, why)
    span = intervals.spans(grid.rates)
    sure, possible = surely_works(grid.state) @ span, possibly_works(grid.state) @ span
    works = (grid.state == 1) @ span
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    low = float(sure[adam] - np.median(possible[rest]))
    high = float(possible[adam] - np.median(sure[rest]))
    counts = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(grid.optimizers, works, strict=True)
    )
    reason = f"decades of working rates: {counts}{judged_study(grid)}"
    return decide(id, float(works[adam] - np.median(works[rest])), low, high, 0.0, reason)
