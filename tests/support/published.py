"""Studies like the published one: the band of rates in which each optimizer works."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from study.spec.study import StudySpec
from study.spec.trial import Trial

Bands = Mapping[str, tuple[float, float, float]]
"""Lowest and highest rate that works, and the best seconds."""

PUBLISHED: Bands = {
    "sgd": (0.046, 0.32, 7.0),
    "momentum": (0.02, 0.22, 7.5),
    "adam": (4.6e-5, 0.0101, 4.0),
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
