"""Evidence made up for claims: studies like the published one, and for each claim one that refutes
it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from study.claims.evidence import Evidence, Known, Rows
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.networks import network_of
from study.spec.rates import PUBLISHED_RATES, PUBLISHED_WIDTHS
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from study.tables import case_study
from support.claims.together import together
from support.made import made

Bands = Mapping[str, tuple[float, float, float]]
"""Lowest and highest rate that works, and the best seconds."""

PUBLISHED: Bands = {
    "sgd": (0.046, 0.32, 7.0),
    "momentum": (0.02, 0.22, 7.5),
    "adam": (4.6e-5, 0.022, 4.0),
    "adagrad": (0.021, 0.15, 7.8),
    "adadelta": (0.31, 47, 7.6),
    "rmsprop": (3.1e-4, 0.0015, 83.7),
}


def noise(trial: Trial, size: float = 0.03) -> float:
    return float(np.random.default_rng([int(trial.id[:8], 16)]).normal(1, size))


GRID = StudySpec(name="grid", rates="published", seeds=3)


def in_band(trial: Trial) -> float | str:
    low, high, best = PUBLISHED[trial.optimizer]
    return best * noise(trial) if low <= trial.learning_rate <= high else "stuck"


def grid(
    bands: Bands,
    seeds: int = 3,
    spoilt: Callable[[Trial], float | str | None] = lambda trial: None,
    drops: Any = None,
) -> Evidence:
    """A study of the published grid: within its band an optimizer is the slower the lower the rate,
    up to 14 times.
    """
    spec = StudySpec(optimizers=tuple(bands), rates="published", seeds=seeds)

    def takes(trial: Trial) -> float | str:
        other = spoilt(trial)
        if other is not None:
            return other
        low, high, best = bands[trial.optimizer]
        if not low <= trial.learning_rate <= high:
            return "capped" if trial.learning_rate < low else "stuck"
        slower = (
            1 + 13 * (math.log(high / trial.learning_rate) / math.log(high / low)) ** 2
            if high > low
            else 1
        )
        return min(best * slower * noise(trial), 119.0)

    return Evidence(
        spec,
        made(spec, takes),
        curves(drops if drops is not None else dict.fromkeys(bands, 0.3) | {"adam": 0.005}, seeds),
    )


def curves(drops: Mapping[str, float], seeds: int) -> pd.DataFrame:
    """Validation curves that climb to 97 %, drop by so much, and climb again."""
    parts = []
    for name, size in drops.items():
        for seed in range(seeds):
            accuracy = [0.1, 0.8, 0.95, 0.97, 0.97 - size * (1 + 0.02 * seed), 0.97]
            part = pd.DataFrame({"accuracy": accuracy, "step": range(50, 350, 50)})
            part["seconds"] = 0.01 * part["step"]
            parts.append(part.assign(optimizer=name, seed=seed, width=1.0, outcome="capped"))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["optimizer", "seed", "accuracy", "step", "seconds", "width"])
    )


SIZES = StudySpec(
    optimizers=("adam",),
    rates=(0.0005, 0.001, 0.00146, 0.01),
    widths=PUBLISHED_WIDTHS,
    target=0.96,
    cap=240.0,
)


def sized(
    shape: Callable[[float], float] = lambda n: 1 + n,
    best: Callable[[float], float] = lambda width: 0.001,
    trains: Callable[[Trial], bool] = lambda trial: True,
    above: float = 2.0,
    wilder: float = 2.0,
    steep: float = 0.4,
) -> Evidence:
    """A size study: time of a shape in n (weights over those at 1x), less at the rate that is best
    there, more and noisier above it.
    """
    base = network_of(SIZES.trials()[0]).weights

    def takes(trial: Trial) -> float | str:
        if not trains(trial):
            return "stuck"
        away = abs(math.log(trial.learning_rate / best(trial.width)))
        wild = 0.02 if trial.learning_rate <= 0.001 else 0.02 * wilder
        slower = 1 + steep * away if trial.learning_rate < 0.005 else above
        return shape(network_of(trial).weights / base) * slower * noise(trial, wild)

    return Evidence(SIZES, made(SIZES, takes), curves({}, 1))


LIKE_PUBLISHED = [grid(PUBLISHED), sized()]
EVERYWHERE: Bands = {
    name: (PUBLISHED_RATES[1], PUBLISHED_RATES[-2], best)
    for name, (_, _, best) in PUBLISHED.items()
}


def judged(studies: Known, ids: Collection[str] = tuple(CLAIMS)) -> dict[str, Verdict]:
    return {id_: CLAIMS[id_].judge(studies) for id_ in ids}


def hole(trial: Trial) -> str | None:
    return "stuck" if trial.optimizer == "adadelta" and 1 < trial.learning_rate < 5 else None


FALSE: dict[str, Callable[[], list[Evidence]]] = {
    "majority-fails": lambda: [grid({**PUBLISHED, "sgd": (1e-5, 50, 7.0)})],
    "valley": lambda: [grid(PUBLISHED, spoilt=hole)],
    "no-universal-rate": lambda: [grid(EVERYWHERE)],
    "order-of-magnitude": lambda: [
        grid(PUBLISHED, spoilt=lambda trial: None if trial.learning_rate > 100 else flat(trial))
    ],
    "wide-union": lambda: [grid({**PUBLISHED, "adadelta": (10, 47, 8.4)})],
    "all-but-rmsprop": lambda: [grid({**PUBLISHED, "rmsprop": (3.1e-4, 0.0015, 6.0)})],
    "adam-fastest": lambda: [grid({**PUBLISHED, "adam": (4.6e-5, 0.022, 14.0)})],
    "adam-stable": lambda: [grid(PUBLISHED, drops=dict.fromkeys(OPTIMIZERS, 0.3))],
    "adam-wide": lambda: [grid({**PUBLISHED, "adam": (0.0065, 0.007, 5.0)})],
    "linear-size": lambda: [sized(shape=lambda n: 0.2 + 0.5 * n**2.2)],
    "rate-survives-scaling": lambda: [
        sized(trains=lambda trial: trial.width < 6 or trial.learning_rate < 0.001)
    ],
    "best-rate-transfers": lambda: [
        sized(best=lambda width: 0.00146 if width < 4 else 0.0005, above=4, steep=1)
    ],
    "variance-above-1e-3": lambda: [sized(wilder=0.05)],
}


def flat(trial: Trial) -> float | str:
    low, high, _ = PUBLISHED[trial.optimizer]
    return 10 * noise(trial) if low <= trial.learning_rate <= high else "stuck"


WORLDS = {"published": lambda: LIKE_PUBLISHED, **FALSE}


@cache
def world(name: str) -> list[Evidence]:
    """One of the `WORLDS`, made once."""
    return WORLDS[name]()


@cache
def truth(name: str) -> dict[str, Verdict]:
    """Every claim's verdict on that world."""
    return together(world(name))


def picks(reached: Mapping[str, int], seeds: int = 3) -> Rows:
    """A contest in which the tenth rule's pick trains with so many of the seeds."""
    rows = [
        {
            "method": "finder",
            "rule": "tenth",
            "optimizer": name,
            "seed": seed,
            "outcome": "reached" if seed < reached[name] else "stuck",
        }
        for name in reached
        for seed in range(seeds)
    ]
    other = {"method": "finder", "rule": "slide", "optimizer": "sgd", "seed": 0, "outcome": "none"}
    return Rows("contest", pd.DataFrame([*rows, other]))


def cyclical(cycle: float, window: float, seeds: int = 5, scatter: float = 0.01) -> Rows:
    """A case study whose cycle and whose Hann window gain so many points of test error, over the
    others, which have 2 %.
    """
    random = np.random.default_rng(1)
    lower = {case_study.PUBLISHED: cycle, case_study.SCRATCH: cycle, "three cycles, hann": window}
    rows = [
        {
            "arm": arm.name,
            "seed": seed,
            "epoch": 10,
            "test_error": (2 - lower.get(arm.name, 0.0) + random.normal(0, scatter)) / 100,
        }
        for arm in case_study.ARMS
        for seed in range(seeds)
    ]
    return Rows("cycles", pd.DataFrame(rows))


ALL = dict.fromkeys(OPTIMIZERS, 3)

OF_METHODS: dict[str, dict[str, Callable[[], Rows]]] = {
    "tenth-rule": {
        HOLDS: lambda: picks({**ALL, "sgd": 2}),
        FAILS: lambda: picks({**ALL, "rmsprop": 1}),
        UNDECIDED: lambda: picks(dict.fromkeys(OPTIMIZERS[1:], 3)),
    },
    "clr-gain": {
        HOLDS: lambda: cyclical(0.2, 0),
        FAILS: lambda: cyclical(-0.2, 0),
        UNDECIDED: lambda: cyclical(0.02, 0, scatter=0.2),
    },
    "windows-equal": {
        HOLDS: lambda: cyclical(0, 0.01),
        FAILS: lambda: cyclical(0, 0.4),
        UNDECIDED: lambda: cyclical(0, 0.08, scatter=0.1),
    },
}
"""Worlds for each claim about a way of choosing a rate."""
