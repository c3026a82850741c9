"""A study of sizes in which seconds grow by a known slope a weight."""

from __future__ import annotations

import numpy as np

from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from support.made import made

SPEC = StudySpec(
    optimizers=("adam",),
    rates=(0.001, 0.01),
    widths=tuple(1 + k / 2 for k in range(18)),
    seeds=2,
    cap=3.0,
)
SLOPES = {0.001: 8e-5, 0.01: 2e-5}


def takes(trial: Trial) -> float:
    """A second and so much a weight, with noise; at the slower rate the cap bites."""
    weights = network_of(trial).weights
    noise = np.random.default_rng(
        [int(trial.width * 4), trial.seed, int(trial.learning_rate * 1000)]
    ).normal(0, 0.05)
    return float(1 + SLOPES[trial.learning_rate] * weights + noise)


RUNS = made(SPEC, takes)
