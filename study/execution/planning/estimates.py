"""How long trials and arrays take, measured or guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from study.execution.planning.resources import Resources
from study.spec.budget import last_check
from study.spec.networks import size_of
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.step_times import StepTime
from study.training.timing import MIN_ROUND_STEPS, ROUND_SECONDS, ROUNDS

GUESS = (2e-3, 3e-4, 150e9)
"""Before anything is measured: overhead of a step alone and of a lane's in an array, seconds, and
arithmetic a second, of two cores.
"""


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


USUAL_TARGET, CLOSER = 0.97, 1.75
"""To a target that leaves a share e of errors, MNIST takes (0.03 / e)^1.75 of the steps to 97 %:
0.41 of them to 95 %, and 0.12 to 90 %.
"""


OWN_SHARE = 0.5
"""Share of its budget that a trial of the user's own model is expected to take."""


def step_seconds(trial: Trial, times: Calibration) -> float:
    """Seconds of the trial's step alone: measured, or estimated from what was measured.

    An estimate lies on the line through the step times of the two measured widths that are nearest
    in arithmetic, all else being equal. With one such width it is in proportion to the arithmetic,
    and with none it is a guess.
    """
    known = times.seconds(trial)
    if known is not None:
        return known
    work = size_of(trial).multiply_adds
    others = [replace(trial, width=width) for width in times.widths_alone(trial)]
    points = [
        (size_of(other).multiply_adds, seconds)
        for other in others
        if (seconds := times.seconds(other))
    ]
    if not points:
        return guess(trial, lanes=1)
    (a, at_a), *rest = sorted(points, key=lambda point: abs(math.log(point[0] / work)))
    if not rest:
        return at_a * work / a
    b, at_b = rest[0]
    return max(at_a + (at_b - at_a) * (work - a) / (b - a), 0.5 * min(at_a, at_b))


def array_times(trial: Trial, times: Calibration, use: Resources) -> dict[int, float]:
    """Seconds of one lane's step by the size of the array; see `array_readings`."""
    return {size: time.seconds for size, time in array_readings(trial, times, use).items()}


def array_readings(trial: Trial, times: Calibration, use: Resources) -> dict[int, StepTime]:
    """The step time of a lane by the size of the array: as measured, else that of the measured
    width that is nearest in arithmetic, in proportion; empty if none was measured.
    """
    known = times.arrays(trial, use.jobs, use.arrays)
    if known:
        return known
    others = [replace(trial, width=width) for width in times.widths(trial, use.jobs, use.arrays)]
    if not others:
        return {}
    work = size_of(trial).multiply_adds
    near = min(others, key=lambda other: abs(math.log(size_of(other).multiply_adds / work)))
    factor = step_seconds(trial, times) / step_seconds(near, times)
    return {
        size: replace(
            time, seconds=factor * time.seconds, low=factor * time.low, high=factor * time.high
        )
        for size, time in times.arrays(near, use.jobs, use.arrays).items()
    }


def guess(trial: Trial, lanes: int) -> float:
    """Overhead and arithmetic: three times a forward pass, two operations a multiply-add."""
    alone, lane, rate = GUESS
    return (alone if lanes == 1 else lane) + 6 * size_of(trial).multiply_adds * trial.batch / rate


def budget_steps(trial: Trial, times: Calibration) -> float:
    """The most steps that the trial can take."""
    # A cap in seconds counts by the reference's step time.
    counted = times.counted(trial) or step_seconds(trial, times)
    return last_check(trial.check_every, trial.cap, trial.max_steps, counted)


def expected_steps(trial: Trial, times: Calibration) -> float:
    """The steps that the trial is expected to take, at most its budget."""
    if trial.start:  # nothing is known of the user's own model
        return OWN_SHARE * budget_steps(trial, times)
    expected = max(FEWEST_STEPS, STEPS_AT_RATE_ONE[trial.optimizer] / trial.learning_rate)
    if trial.dataset == "mnist" and trial.target < 1:
        expected *= ((1 - USUAL_TARGET) / (1 - trial.target)) ** CLOSER
    elif trial.target >= 1:
        expected = math.inf
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


def measuring_seconds(trial: Trial) -> float:
    """What measuring the trial's step time takes, before anything is known of it."""
    return OVERHEAD["calibrate"] + (ROUNDS + 1) * max(
        ROUND_SECONDS, MIN_ROUND_STEPS * guess(trial, lanes=1)
    )
