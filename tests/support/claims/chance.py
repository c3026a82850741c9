"""Studies in which the truth is known, at the thresholds of the claims, and how often a verdict on
them is false.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import numpy as np
import pandas as pd

from study.claims.evidence import Evidence, Known, Rows
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS
from study.storage.records import Outcome
from study.tables import case_study
from support.claims.together import together
from support.made import made

RATES = tuple(float(f"{10 ** (k / 3):.6g}") for k in range(-18, 7))
"""Three a decade, from 1e-6 to 100."""


BAND = 9
"""Rates of each optimizer's band. Its ends arrive in half of the seeds."""


SIZES = StudySpec(
    optimizers=("adam",), rates=(0.0005, 0.001, 0.002, 0.005), widths=tuple(range(1, 11)),
    target=0.96, cap=240.0,
)  # fmt: skip


SD = 0.2
"""Scatter of the log times."""


TRUE = {
    "majority-fails": HOLDS,
    "valley": HOLDS,
    "no-universal-rate": HOLDS,
    "linear-size": HOLDS,
    "rate-survives-scaling": HOLDS,
}
"""What holds in these studies. Every other claim is exactly at its threshold, so that a verdict on
it is false whatever it says, or its truth is open.
"""


OPEN = ("wide-union", "tenth-rule")
"""Claims whose truth these studies do not tell."""


@cache
def _base(seeds: int) -> tuple[StudySpec, pd.DataFrame]:
    spec = StudySpec(name="grid", rates=RATES, seeds=seeds)
    return spec, made(spec, lambda trial: 1.0)


def grid(seeds: int, random: np.random.Generator, rmsprop: float = 1.0) -> Evidence:
    """Six optimizers whose bands are alike but for their place; RMSProp's times so much longer.

    Within a band the times rise tenfold from the best rates to the lowest.
    """
    spec, runs = _base(seeds)
    start = {name: 3 + 2 * i for i, name in enumerate(OPTIMIZERS)}
    place = (
        runs["learning_rate"].map({rate: i for i, rate in enumerate(RATES)}).to_numpy()
        - runs["optimizer"].astype(str).map(start).to_numpy()
    )
    shape = 4.0 * 10 ** (np.clip(6 - place, 0, 5) / 5)
    shape *= np.where(runs["optimizer"] == "rmsprop", rmsprop, 1.0)
    times = shape * np.exp(SD * random.normal(size=len(runs)))
    inside, end = (place >= 0) & (place < BAND), (place == 0) | (place == BAND - 1)
    arrived = inside & (~end | (random.random(len(runs)) < 0.5)) & (times < 120)
    broken = np.where(place < BAND - 1, Outcome.CAPPED, Outcome.STUCK)
    return Evidence(
        spec,
        runs.assign(
            outcome=np.where(arrived, Outcome.REACHED, broken),
            seconds=np.where(arrived, times, np.where(broken == Outcome.CAPPED, 120.0, 0.5)),
        ),
        _curves(seeds, random),
    )


def _curves(seeds: int, random: np.random.Generator) -> pd.DataFrame:
    """Learning curves that all drop by ten points in the median."""
    rows = [
        {"optimizer": name, "seed": seed, "step": 50 * i, "seconds": float(i), "accuracy": value,
         "outcome": "capped", "width": 1.0}
        for name in OPTIMIZERS
        for seed in range(seeds)
        for drop in [0.1 * math.exp(0.4 * random.normal())]
        for i, value in enumerate((0.5, 0.97, 0.97 - drop, 0.97))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def sizes(seeds: int, random: np.random.Generator) -> Evidence:
    """Times on a line in the size; two rates are alike up to width 3, and the better one of them
    costs a quarter more at each end; the largest rate scatters as the best does.
    """
    spec = SIZES.with_(seeds=seeds)
    runs = made(spec, lambda trial: 1.0)
    n = runs["weights"] / runs["weights"].min()
    rate, small = runs["learning_rate"], runs["width"] < 3
    slower = np.select(
        [rate == 0.0005, rate == 0.001, rate == 0.002],
        [np.where(small, 1.6, 1.0), np.where(small, 1.25, 1.25), np.where(small, 1.0, 1.6)],
        1.9,
    )
    spread = np.where(rate == 0.005, SD / 2 / 1.9, SD / 2)  # the same in seconds
    times = 4 * n * slower * np.exp(spread * random.normal(size=len(runs)))
    return Evidence(spec, runs.assign(seconds=times), pd.DataFrame(columns=["fingerprint"]))


def cycles(seeds: int, random: np.random.Generator) -> Rows:
    """A cycle that gains exactly half, and windows that differ by exactly a tenth of a point."""
    lower = {case_study.PUBLISHED: 0.2, case_study.CONTROL_ON: 0.1, "three cycles, hann": 0.1}
    rows = [
        {"arm": arm.name, "seed": seed, "epoch": 10,
         "test_error": (2 - lower.get(arm.name, 0.0) + random.normal(0, 0.05)) / 100}
        for arm in case_study.ARMS
        for seed in range(seeds)
    ]  # fmt: skip
    return Rows("cycles", pd.DataFrame(rows))


def world(seeds: int, random: np.random.Generator, rmsprop: float) -> Known:
    """A grid, sizes and cycles."""
    return [grid(seeds, random, rmsprop), sizes(seeds, random), cycles(seeds, random)]


def false_verdicts(seeds: int, count: int) -> tuple[float, Counter[str]]:
    """The share of so many worlds with a false verdict on any claim, and how often each is false.

    The same for the same arguments.
    """
    random = np.random.default_rng([seeds, count])
    wrong: Counter[str] = Counter()
    spoilt = 0
    for i in range(count):
        # In half of the worlds the six are equal, so that all-but-rmsprop fails; in half RMSProp
        # takes exactly twice their time.
        rmsprop = 1.0 + i % 2
        true = TRUE | ({"all-but-rmsprop": FAILS} if rmsprop == 1 else {})
        known = world(seeds, random, rmsprop)
        found = together(known, [id_ for id_ in CLAIMS if id_ not in OPEN])
        false = [
            id_ for id_, one in found.items() if one.verdict not in (UNDECIDED, true.get(id_, ""))
        ]
        wrong.update(false)
        spoilt += bool(false)
    return spoilt / count, wrong
