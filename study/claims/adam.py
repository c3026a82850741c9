"""Claims on Adam."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from study.claims.evidence import Evidence, Known, decide, largest, no_evidence, studies_in
from study.claims.frame import (
    best_seconds,
    grid_of,
    judged_study,
    no_grid,
    ratio,
    ratio_over_seeds,
    seeds_in_words,
)
from study.claims.verdict import FAILS, HOLDS, UNDECIDED, Verdict, claim
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.intervals import Floats
from study.words import counted

DROP = 0.02
"""A major drop of validation accuracy.

Two points are eight standard deviations of an accuracy of 97 % on 5,000 images.
"""


NEAR_TARGET = 0.05
"""A drop counts once the accuracy has come this near to the target: before, it still learns."""


@claim("adam-fastest", "Adam learns the fastest", "Adam 8.3 s; SGD 7.0 s, Adagrad 7.8 s")
def adam_fastest(id: str, studies: Known) -> Verdict:
    """Adam's best time over the best of all others', below one."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return no_evidence(id, 1.0, no_grid(grid))
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    if not np.isfinite(grid.high).any():
        return no_evidence(id, 1.0, f"nothing arrived at any rate{judged_study(grid)}")
    value, low, high = ratio_over_seeds(
        grid,
        lambda low, high: ratio(
            best_seconds(low)[..., adam], best_seconds(high)[..., rest].min(axis=-1)
        ),
        lambda low, high: ratio(
            best_seconds(high)[..., adam], best_seconds(low)[..., rest].min(axis=-1)
        ),
    )
    best = best_seconds(np.median(grid.high, axis=-1))
    other = rest[int(np.argmin(best[rest]))]
    shown = [f"{best[i]:.3g} s" if math.isfinite(best[i]) else "for ever" for i in (adam, other)]
    reason = (
        f"at their best rates Adam takes {shown[0]}, {grid.optimizers[other]} {shown[1]} "
        f"({seeds_in_words(grid)}){judged_study(grid)}"
    )
    return decide(id, value, low, high, 1.0, reason, above=False)


def drop(accuracy: Floats, target: float, diverged: bool = False) -> float:
    """The largest fall below the best accuracy so far, once within `NEAR_TARGET` of the target.

    >>> round(drop(np.array([0.5, 0.95, 0.9, 0.97]), target=0.97), 6)
    0.05

    Args:
        accuracy: (checks,), the validation accuracy.
        target: the accuracy to reach.
        diverged: whether the training diverged: then all of the accuracy is lost.

    Returns:
        The fall, in [0, 1]; NaN if the accuracy never comes near the target.
    """
    if diverged and len(accuracy):
        return float(accuracy.max())
    near = np.flatnonzero(accuracy >= target - NEAR_TARGET)
    if not len(near):
        return math.nan
    after = accuracy[near[0] :]
    return float((np.maximum.accumulate(after) - after).max())


@claim(
    "adam-stable",
    "Adam's validation accuracy has no major drop, unlike the others",
    "a figure; its data are not published",
)
def adam_stable(id: str, studies: Known) -> Verdict:
    """Largest drop of validation accuracy at the best rate: Adam's < 2 points, most others' > 2."""
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
    drops = _drops(study)
    whole = {
        name: values
        for name, values in drops.items()
        if len(values) == study.spec.seeds >= intervals.FEWEST_SEEDS and not np.isnan(values).any()
    }
    shown = ", ".join(f"{name} {100 * np.median(values):.1f}" for name, values in drops.items())
    reason = f"largest drops in points, medians over the seeds: {shown}"
    value = float(np.median(drops["adam"])) if "adam" in drops else math.nan
    if "adam" not in whole:
        seeds = counted(study.curves["seed"].nunique(), "seed")
        reason += f"; Adam has curves of {seeds}"
        return Verdict(id, UNDECIDED, value, math.nan, math.nan, DROP, reason)
    ends = {
        name: [float(end[0]) for end in intervals.median_intervals(values[None])]
        for name, values in whole.items()
    }
    low, high = ends.pop("adam")
    others = len(OPTIMIZERS) - 1
    dropping = sum(end > DROP for end, _ in ends.values())
    steady = sum(end < DROP for _, end in ends.values())
    if high < DROP and dropping > others / 2:
        verdict = HOLDS
    elif low > DROP or steady > others / 2:
        verdict = FAILS
    else:
        verdict = UNDECIDED
    reason += f" (study {study.spec.name}); {dropping} of {others} others surely drop"
    return Verdict(id, verdict, value, low, high, DROP, f"{reason}, {steady} surely do not")


def _drops(study: Evidence) -> dict[str, Floats]:
    """The largest drop of each seed's curve, by optimizer."""
    return {
        str(name): np.array(
            [_drop_of(curve, study.spec.target) for _, curve in mine.groupby("seed")]
        )
        for name, mine in study.curves.groupby("optimizer")
    }


def _drop_of(curve: pd.DataFrame, target: float) -> float:
    return drop(
        curve["accuracy"].to_numpy(float),
        target,
        bool((curve["outcome"] == Outcome.DIVERGED).any()),
    )


@claim(
    "adam-wide",
    "Adam has a relatively wide range of working rates",
    "15 of 48 rates; the others 4 to 13",
)
def adam_wide(id: str, studies: Known) -> Verdict:
    """Decades of working rates, Adam's less the median of the others', above zero."""
    grid = grid_of(studies)
    if grid is None or not grid.all_six:
        return no_evidence(id, 0.0, no_grid(grid))
    span = intervals.spans(grid.rates)
    sure, possible = (grid.state == 1) @ span, (grid.state >= 0) @ span
    adam = grid.optimizers.index("adam")
    rest = [i for i in range(len(grid.optimizers)) if i != adam]
    step = float(np.median(span))  # an edge is known to a step of the grid
    low = float(sure[adam] - np.median(possible[rest])) - step
    high = float(possible[adam] - np.median(sure[rest])) + step
    counts = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(grid.optimizers, sure, strict=True)
    )
    reason = f"decades of working rates: {counts}{judged_study(grid)}"
    return decide(id, float(sure[adam] - np.median(sure[rest])), low, high, 0.0, reason)
