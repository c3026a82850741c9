"""Measures step times: of each trial alone, and of one lane in arrays of several sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from study.engines.learner import Engine, Learner
from study.errors import StudyError
from study.machine import device
from study.machine.clock import running
from study.machine.quiet import Meter
from study.spec.trial import Trial
from study.stopping import heed
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds

ROUNDS = 9
"""Rounds in which each step time is measured."""


ROUND_SECONDS = 0.25
"""Seconds of a round, which has at least `MIN_ROUND_STEPS` and at most `check_every` steps."""


MIN_ROUND_STEPS = 4
"""Smallest number of steps of a round."""


PROBE_ROUNDS, PROBE_STEPS = 3, 5
"""Rounds in which the step of an array is timed, and their steps: enough to compare sizes."""


def measure(
    calibration: Calibration,
    trials: Sequence[Trial],
    engine: Engine,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Time the step of each trial alone, and store the readings.

    Args:
        calibration: stores them.
        trials: one for each step time that is wanted.
        engine: makes the learners.
        watch: called with the readings done and all readings.

    Returns:
        What `Calibration.take` returns.

    Raises:
        StudyError: a trial cannot be trained at all.
    """
    return calibration.take(trials, step_times(trials, engine, watch=watch)) if trials else []


def step_times(
    trials: Sequence[Trial],
    engine: Engine,
    clock: Callable[[], float] = running,
    watch: Callable[[int, int], None] = lambda done, total: None,
    rounds: int = ROUNDS,
) -> list[Rounds]:
    """Time the step of each trial alone, on a device that no other timed job uses.

    After a warm-up come rounds in which every trial has its turn. So a time in which the machine is
    slow affects all trials alike.

    Args:
        trials: one for each step time that is wanted.
        engine: makes the learners.
        clock: a monotonic clock, in seconds.
        watch: called with the readings done and all readings.
        rounds: how many there are of each trial.

    Returns:
        The rounds of each trial.

    Raises:
        StudyError: a trial cannot be trained at all.
    """
    with device.exclusive():
        return _step_times(trials, engine, clock, watch, rounds)


def _step_times(
    trials: Sequence[Trial],
    engine: Engine,
    clock: Callable[[], float],
    watch: Callable[[int, int], None],
    rounds: int,
) -> list[Rounds]:
    total = len(trials) * (rounds + 1)
    learners: list[tuple[Learner, int]] = []
    for done, trial in enumerate(trials):
        try:
            learners.append(_warm(trial, engine, clock))
        except StudyError:
            raise
        except Exception as error:
            what = f"{trial.optimizer} on the {trial.network} network at width {trial.width:g}"
            raise StudyError(
                f"the step time of {what} cannot be measured ({type(error).__name__}: "
                f"{str(error)[:300]})"
            ) from error
        watch(done + 1, total)
    found = [Rounds([], steps) for _, steps in learners]
    meter = Meter()
    for round_ in range(rounds):
        for i, (learner, steps) in enumerate(learners):
            time_round(found[i], learner, steps, 1, clock)
            watch(len(trials) * (round_ + 1) + i + 1, total)
    load = meter.read()
    return [replace(one, load=load) for one in found]


BESIDE = 3
"""Rounds of a step time that is read before a trial, and after it."""


def step_reader(
    trial: Trial, engine: Engine, clock: Callable[[], float] = running
) -> Callable[[], list[float]]:
    """What times the trial's step alone in `BESIDE` rounds, whenever it is called.

    Args:
        trial: whose step.
        engine: makes the learner, which is warmed up here.
        clock: a monotonic clock, in seconds.

    Returns:
        A function that gives the seconds of a step in each round.
    """
    learner, steps = _warm(trial, engine, clock)

    def look() -> list[float]:
        rounds = Rounds([], steps)
        for _ in range(BESIDE):
            time_round(rounds, learner, steps, 1, clock)
        return rounds.seconds

    return look


def _warm(trial: Trial, engine: Engine, clock: Callable[[], float]) -> tuple[Learner, int]:
    """A learner of the trial that has taken some steps, and the steps of a round."""
    learner = engine.learner([trial])
    learner.prepare()
    begun = clock()
    learner.advance(_rates(MIN_ROUND_STEPS))
    heed()
    step = (clock() - begun) / MIN_ROUND_STEPS
    steps = max(MIN_ROUND_STEPS, round(ROUND_SECONDS / max(step, 1e-9)))
    return learner, min(trial.check_every, steps)


def time_round(
    rounds: Rounds, learner: Learner, steps: int, lanes: int, clock: Callable[[], float]
) -> None:
    """Time one round, and add it.

    Args:
        rounds: takes the seconds of a step of one lane, by the clock and, on a CPU, of processor
            time.
        learner: takes the steps.
        steps: steps of the round.
        lanes: lanes of the learner that are no padding.
        clock: a monotonic clock, in seconds.
    """
    begun, taken = clock(), time.process_time()
    learner.advance(_rates(steps, learner.lanes))
    heed()
    rounds.seconds.append((clock() - begun) / steps / lanes)
    if device.current() == device.CPU:
        rounds.processor.append((time.process_time() - taken) / steps / lanes)


def probe(
    trial: Trial,
    sizes: Sequence[int],
    engine: Engine,
    clock: Callable[[], float] = running,
    family: int | None = None,
) -> dict[int, Rounds]:
    """Time the step of one lane in arrays of several sizes.

    All arrays are warmed up, and then timed in turn.

    Args:
        trial: trained in every lane.
        sizes: numbers of lanes.
        engine: makes the learners.
        clock: a monotonic clock, in seconds.
        family: see `Meter`.

    Returns:
        The rounds by size, without the sizes that do not fit into memory.

    Raises:
        StudyError: an array cannot be trained for another reason.
    """
    learners: dict[int, Learner] = {}
    for size in sizes:
        try:
            learner = engine.learner([trial] * size)
            learner.prepare()
            learner.advance(_rates(1, learner.lanes))
        except StudyError:
            raise
        except Exception as error:
            if not out_of_memory(error):
                what = (
                    f"an array of {size} lanes on the {trial.network} network at width "
                    f"{trial.width:g}"
                )
                raise StudyError(
                    f"{what} cannot be trained here ({type(error).__name__}: {str(error)[:300]})"
                ) from error
            continue
        learners[size] = learner
    found = {size: Rounds([], PROBE_STEPS) for size in learners}
    meter = Meter(family)
    for _ in range(PROBE_ROUNDS):
        for size, learner in learners.items():
            time_round(found[size], learner, PROBE_STEPS, size, clock)
    load = meter.read()
    return {size: replace(one, load=load) for size, one in found.items()}


def out_of_memory(error: Exception) -> bool:
    """Whether an error of Python, TensorFlow or JAX says that memory did not suffice."""
    words = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(
        sign in words
        for sign in ("resourceexhausted", "resource_exhausted", "out of memory", "oom when")
    )


def _rates(steps: int, lanes: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.full((steps, lanes), 1e-4)
