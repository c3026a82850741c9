"""Which trials are pending, which of them train together on how many processes, and how long that
takes. Trains nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from study.execution.planning.array_sizes import _together, array_seconds, lanes_for, unprobed
from study.execution.planning.estimates import (
    OVERHEAD,
    OWN_SHARE,
    budget_steps,
    busiest,
    expected_steps,
)
from study.execution.planning.programs import longest
from study.execution.planning.resources import Resources
from study.spec.program import is_program
from study.spec.trial import Trial
from study.storage.calibration import Calibration


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pending trials in groups, each to be one array, and how long it
    takes.

    `uncalibrated` names one trial for each step time alone that is to be measured first, `unprobed`
    one for each network with the array sizes to measure. `seconds` is what to expect of the whole
    run, `most_seconds` has every trial spend its whole budget; what is unmeasured is guessed in
    both.
    """

    pending: tuple[Trial, ...]
    groups: tuple[tuple[Trial, ...], ...]
    uncalibrated: tuple[Trial, ...]
    unprobed: dict[Trial, list[int]]
    seconds: float
    most_seconds: float


def plan(
    trials: Iterable[Trial], stored: Collection[str], times: Calibration, use: Resources
) -> Plan:
    """Group what is not stored yet of trials under one protocol; trains nothing and touches
    nothing.
    """
    pending = [trial for trial in trials if trial.id not in stored]
    if pending and is_program(pending[0].network):
        most = [longest(trial, times) for trial in pending]
        least = [OWN_SHARE * seconds for seconds in most]
        groups = group(pending, times, use)
        ends = busiest(least, use.jobs), busiest(most, use.jobs)
        return Plan(tuple(pending), tuple(groups), (), {}, *ends)
    array = bool(pending) and pending[0].mode == "array"
    groups = group(pending, times, use)
    uncalibrated = times.missing(pending) if array else []
    measured = unprobed(pending, times, use) if array else {}
    overhead = (
        OVERHEAD["start"]
        + OVERHEAD["calibrate"] * len(uncalibrated)
        + OVERHEAD["probe"] * len(measured)
    )

    def whole(steps: Callable[[Trial, Calibration], float]) -> float:
        if not groups:
            return 0.0
        arrays = [
            array_seconds(trials[0], [steps(trial, times) for trial in trials], times, use)
            for trials in groups
        ]
        return busiest(arrays, use.jobs) + overhead

    return Plan(
        tuple(pending),
        tuple(groups),
        tuple(uncalibrated),
        measured,
        whole(expected_steps),
        whole(budget_steps),
    )


def group(pending: Sequence[Trial], times: Calibration, use: Resources) -> list[tuple[Trial, ...]]:
    """Arrays of trials that can train together: the same but for optimizer and rate, neighbours
    first, since they tend to end together; the longest arrays first, so that the processes end
    together too. One that is expected to try the `patience` is halved.

    Mode `alone` makes groups of one, in an order shuffled over the whole study so that a drift of
    the machine falls on all optimizers.
    """
    if pending and pending[0].mode == "alone":
        return [(trial,) for trial in sorted(pending, key=lambda trial: trial.id)]
    together = _together(pending)
    share = math.ceil(
        use.jobs / max(1, len(together))
    )  # processes for each set of trials that can train together
    groups: list[tuple[Trial, ...]] = []

    def seconds(trials: tuple[Trial, ...]) -> float:
        return array_seconds(
            trials[0], [expected_steps(trial, times) for trial in trials], times, use
        )

    def patient(trials: tuple[Trial, ...]) -> list[tuple[Trial, ...]]:
        if len(trials) == 1 or seconds(trials) <= use.patience:
            return [trials]
        half = (len(trials) + 1) // 2
        return patient(trials[:half]) + patient(trials[half:])

    for trials in together:
        size = min(lanes_for(trials[0], times, use), math.ceil(len(trials) / share))
        if use.arrays:
            # In registers a larger array is as fast: every process has as many, of equal sizes.
            each = max(1, round(len(trials) / share / size))
            size = math.ceil(len(trials) / share / each)
        groups += [
            part
            for i in range(0, len(trials), size)
            for part in patient(tuple(trials[i : i + size]))
        ]
    return sorted(groups, key=seconds, reverse=True)
