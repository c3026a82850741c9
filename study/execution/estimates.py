"""How long trials and arrays take, measured or guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from study.execution.array_sizes import _guess, array_times, lanes_for
from study.execution.resources import Resources
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.training.budget import last_check
from study.training.timing import FEWEST, ROUND_SECONDS, ROUNDS

OVERHEAD = {"start": 35.0, "calibrate": 2.0, "probe": 10.0}
"""Seconds beside training: imports, compilation and validation curves; each step time alone; each
network's array sizes.
"""


STEPS_AT_RATE_ONE = {
    "sgd": 110.0,
    "momentum": 55.0,
    "adam": 3.2,
    "adagrad": 180.0,
    "adadelta": 9000.0,
    "rmsprop": 4.0,
}


HIGHEST_RATE = {
    "sgd": 0.5,
    "momentum": 0.2,
    "adam": 0.03,
    "adagrad": 0.25,
    "adadelta": 100.0,
    "rmsprop": 0.03,
}


FEWEST_STEPS, STUCK_STEPS = 1300.0, 600.0
"""What trials are expected to take, from the article grid on the compact network: up to an
optimizer's highest rate, steps to 97 % fall as 1 / rate down to some 1,300; above it most trials
are found stuck at the first examinations.
"""


def most_seconds(trial: Trial, times: Calibration, use: Resources) -> float:
    """The longest that the trial can hold the machine, its share of an array's time where it trains
    in one.
    """
    if trial.mode == "alone" and trial.cap is not None:
        return trial.cap
    return budget_steps(trial, times) * lane_seconds(trial, times, use)


def array_seconds(trial: Trial, ends: Sequence[float], times: Calibration, use: Resources) -> float:
    """What an array whose lanes end after so many steps takes in its process: a lane's share of it
    grows as lanes leave.
    """
    total, before = 0.0, 0.0
    for i, end in enumerate(sorted(ends)):
        left = len(ends) - i
        total += (end - before) * left * lane_seconds(trial, times, use, left) * use.jobs
        before = end
    return total


def budget_steps(trial: Trial, times: Calibration) -> float:
    """The most steps that the trial can take."""
    return last_check(
        trial.check_every,
        trial.cap,
        trial.max_steps,
        times.seconds(trial) or _guess(trial, lanes=1),
    )


def expected_steps(trial: Trial, times: Calibration) -> float:
    """The steps that the trial is expected to take, at most its budget."""
    expected = max(FEWEST_STEPS, STEPS_AT_RATE_ONE[trial.optimizer] / trial.learning_rate)
    return min(
        budget_steps(trial, times),
        expected if trial.learning_rate <= HIGHEST_RATE[trial.optimizer] else STUCK_STEPS,
    )


def busiest(seconds: Sequence[float], jobs: int) -> float:
    """When the last of so many processes is done, each taking the next group as it is free."""
    ends = [0.0] * jobs
    for value in seconds:
        i = ends.index(min(ends))
        ends[i] += value
    return max(ends)


def lane_seconds(
    trial: Trial, times: Calibration, use: Resources, lanes: int | None = None
) -> float:
    """Seconds that one step of the trial costs the study in its mode, in a full array or one of so
    many lanes, as far as they are known; several processes share them.
    """
    alone = times.seconds(trial) or _guess(trial, lanes=1)
    if trial.mode == "alone":
        return alone
    known = array_times(trial, times, use)
    if not known:
        return (_guess(trial, lanes=2) if lanes != 1 else alone) / use.jobs
    known = {1: max(alone, *known.values()), **known}
    size = lanes_for(trial, times, use) if lanes is None else lanes
    return (
        float(
            np.interp(
                math.log(size),
                [math.log(k) for k in sorted(known)],
                [known[k] for k in sorted(known)],
            )
        )
        / use.jobs
    )


def measuring_seconds(trial: Trial) -> float:
    """What measuring the trial's step time takes, before anything is known of it."""
    return OVERHEAD["calibrate"] + (ROUNDS + 1) * max(
        ROUND_SECONDS, FEWEST * _guess(trial, lanes=1)
    )
