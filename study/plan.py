"""Which trials are pending, which of them train together on how many processes, and how long that takes. Trains nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from study.calibration import Calibration
from study.errors import StudyError
from study.learner import LANE_SIZES
from study.machine import Machine, free_memory
from study.network import SIDE, network_of
from study.race import last_check
from study.spec import StudySpec, Trial

PROBES = (4, 16, 64)
"""Array sizes whose speed is measured. Four times apart, so that noise seldom decides between two of them."""

USUAL_LANES = 16
"""Lanes of an array before anything is measured."""

INTERVAL = 20.0
"""Seconds that the steps between two checks of an array may take: the wait of a Ctrl-C, and of the progress bar."""

MEMORY_SHARE = 0.5
"""Share of the free memory that a study may fill unless told otherwise."""

PROCESS_BYTES = 1.2e9
"""What TensorFlow, its compiler and MNIST take in a process before the first array."""

GUESS = (2e-3, 3e-4, 150e9)
"""Before anything is measured: overhead of a step alone and of a lane's in an array, seconds, and arithmetic a second, of two cores."""


@dataclass(frozen=True)
class Resources:
    """What a run may use: processes that train at the same time, and bytes of memory for all of them together."""

    jobs: int
    memory: float


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pending trials in groups, each to be one array, and the longest that it can take.

    `uncalibrated` and `unprobed` name one trial for each step time, alone and in arrays, that is to be measured first. `most_seconds`
    has every trial spend its whole budget; where something is unmeasured it rests on a guess.
    """

    pending: tuple[Trial, ...]
    groups: tuple[tuple[Trial, ...], ...]
    uncalibrated: tuple[Trial, ...]
    unprobed: tuple[Trial, ...]
    most_seconds: float


def plan(spec: StudySpec, stored: Collection[str], times: Calibration, use: Resources) -> Plan:
    """Group what is not stored yet; trains nothing and touches nothing."""
    pending = [trial for trial in spec.trials() if trial.id not in stored]
    array = spec.mode == "array"
    return Plan(
        pending=tuple(pending),
        groups=tuple(group(pending, times, use)),
        uncalibrated=tuple(times.missing(pending)) if array else (),
        unprobed=tuple(unprobed(pending, times, use)) if array else (),
        most_seconds=sum(most_seconds(trial, times, use) for trial in pending),
    )


def resources(spec: StudySpec, pending: int, machine: Machine, jobs: int | None = None, memory: float | None = None) -> Resources:
    """What a run of so many pending trials may use, by the machine where the user does not say.

    On a CPU several processes of few threads train arrays faster than one process of all threads: nothing waits for the slowest thread.
    A GPU, and trials timed alone, take one.
    """
    budget = memory if memory is not None else MEMORY_SHARE * free_memory()
    if jobs is None:
        arrays = 1 if spec.mode == "alone" or machine.gpus else math.ceil(pending / USUAL_LANES)
        jobs = max(1, min(machine.cores, arrays, int(budget / PROCESS_BYTES) - 1))
    return Resources(jobs, budget)


def most_seconds(trial: Trial, times: Calibration, use: Resources) -> float:
    """The longest that the trial can hold the machine, its share of an array's time where it trains in one."""
    if trial.mode == "alone" and trial.cap is not None:
        return trial.cap
    step = times.seconds(trial) or _guess(trial, lanes=1)
    return last_check(trial.check_every, trial.cap, trial.max_steps, step) * lane_seconds(trial, times, use)


def lane_seconds(trial: Trial, times: Calibration, use: Resources) -> float:
    """Seconds that one step of the trial costs the study in its mode, as far as they are known; several processes share them."""
    if trial.mode == "alone":
        return times.seconds(trial) or _guess(trial, lanes=1)
    known = times.arrays(trial, use.jobs)
    return (known[lanes_for(trial, times, use)] if known else _guess(trial, lanes=2)) / use.jobs


def _guess(trial: Trial, lanes: int) -> float:
    """Overhead and arithmetic: three times a forward pass, two operations a multiply-add."""
    alone, lane, rate = GUESS
    return (alone if lanes == 1 else lane) + 6 * network_of(trial).multiply_adds * trial.batch / rate


def group(pending: Sequence[Trial], times: Calibration, use: Resources) -> list[tuple[Trial, ...]]:
    """Arrays of trials that can train together: the same but for optimizer and rate, neighbours first, since they tend to end together.

    Mode `alone` makes groups of one, in an order shuffled over the whole study so that a drift of the machine falls on all optimizers.
    """
    if pending and pending[0].mode == "alone":
        return [(trial,) for trial in sorted(pending, key=lambda trial: trial.id)]
    together: dict[Trial, list[Trial]] = {}
    for trial in pending:
        together.setdefault(replace(trial, optimizer="", learning_rate=0.0), []).append(trial)
    groups = []
    for trials in together.values():
        size = min(lanes_for(trials[0], times, use), max(1, math.ceil(len(trials) / use.jobs)))
        groups += [tuple(trials[i : i + size]) for i in range(0, len(trials), size)]
    return groups


def lanes_for(trial: Trial, times: Calibration, use: Resources) -> int:
    """Lanes per array: the measured size that trains fastest, of those that memory and `INTERVAL` allow."""
    most = most_lanes(trial, times, use)
    return times.lanes(trial, use.jobs, most) or max(size for size in LANE_SIZES if size <= min(most, USUAL_LANES))


def most_lanes(trial: Trial, times: Calibration, use: Resources) -> int:
    """The largest array whose memory fits and whose checks come within `INTERVAL`; 1 if none does."""
    fits = (use.memory / use.jobs - PROCESS_BYTES) / lane_bytes(trial)
    step = times.seconds(trial)
    quick = INTERVAL / (trial.check_every * step) if step else math.inf
    return max(size for size in LANE_SIZES if size <= max(1.0, min(fits, quick)))


def lane_bytes(trial: Trial) -> float:
    """Memory that a lane of an array takes at its peak: activations with their gradients, and weights with slots, old and new."""
    net = network_of(trial)
    first, second = net.filters
    activations = 4 * trial.batch * (SIDE**2 * first * 3 + (SIDE // 2) ** 2 * second * 6)
    return activations + 4 * net.weights * 8


def unprobed(pending: Sequence[Trial], times: Calibration, use: Resources) -> list[Trial]:
    """One trial for each network whose array sizes are to be measured: nothing of it is known, and there is a choice."""
    first: dict[tuple[object, ...], Trial] = {}
    for trial in pending:
        first.setdefault((trial.network, trial.width, trial.scale_dense, trial.hyper, trial.batch), trial)
    return [trial for trial in first.values() if not times.arrays(trial, use.jobs) and len(probes(trial, len(pending), times, use)) > 1]


def probes(trial: Trial, pending: int, times: Calibration, use: Resources) -> list[int]:
    """The array sizes worth measuring for so many pending trials."""
    most = min(most_lanes(trial, times, use), max(LANE_SIZES[0], math.ceil(pending / use.jobs)))
    return [size for size in PROBES if size <= most]


def parse_memory(text: str) -> float:
    """Bytes from `8GB`, `512MB` or a plain number of gigabytes.

    Raises:
        StudyError: not such a text.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(gb?|mb?)?\s*", text.lower())
    if not found or float(found[1]) <= 0:
        raise StudyError(f"memory {text!r} must be a size such as 8GB or 512MB")
    return float(found[1]) * (1e6 if (found[2] or "g")[0] == "m" else 1e9)
