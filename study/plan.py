"""Which trials are pending, which of them train together on how many processes, and how long that takes. Trains nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.calibration import FEWEST, ROUND_SECONDS, ROUNDS, Calibration, StepTime
from study.errors import StudyError
from study.learner import LANE_SIZES
from study.machine import Machine, free_memory
from study.network import SIDE, network_of
from study.race import last_check
from study.spec import StudySpec, Trial

PROBES = (4, 16, 64)
"""Array sizes whose speed is measured. Four times apart, so that noise seldom decides between two of them."""

GPU_PROBES = (16, 64, 288)
"""Those of a GPU, which large arrays alone keep busy."""

USUAL_LANES = ((1e7, 16), (math.inf, 4))
"""Lanes of an array unless a measurement says otherwise, for networks of up to so many multiply-adds: 16 for the compact network and its
like, 4 for the tutorial network's."""

NEAR = 1.1
"""Another array size than the usual one is taken where it is faster by more than this factor, and by more than the noise of both."""

INTERVAL = 20.0
"""Seconds that the steps between two checks of an array may take: the wait of a Ctrl-C, and of the progress bar."""

MEMORY_SHARE = 0.5
"""Share of the free memory that a study may fill unless told otherwise."""

PROCESS_BYTES = 1.2e9
"""What TensorFlow, its compiler and MNIST take in a process before the first array."""

OVERHEAD = {"start": 35.0, "calibrate": 2.0, "probe": 10.0}
"""Seconds beside training: imports, compilation and validation curves; each step time alone; each network's array sizes."""

GUESS = (2e-3, 3e-4, 150e9)
"""Before anything is measured: overhead of a step alone and of a lane's in an array, seconds, and arithmetic a second, of two cores."""


STEPS_AT_RATE_ONE = {"sgd": 110.0, "momentum": 55.0, "adam": 3.2, "adagrad": 180.0, "adadelta": 9000.0, "rmsprop": 4.0}
HIGHEST_RATE = {"sgd": 0.5, "momentum": 0.2, "adam": 0.03, "adagrad": 0.25, "adadelta": 100.0, "rmsprop": 0.03}
FEWEST_STEPS, STUCK_STEPS = 1300.0, 600.0
"""What trials are expected to take, from the article grid on the compact network: up to an optimizer's highest rate, steps to 97 % fall as
1 / rate down to some 1,300; above it most trials are found stuck at the first examinations."""


@dataclass(frozen=True)
class Resources:
    """What a run may use: processes that train at the same time, bytes of memory for all of them together, and the seconds that an array
    may be expected to take; `probes` are the array sizes to measure."""

    jobs: int
    memory: float
    patience: float = math.inf
    probes: tuple[int, ...] = PROBES


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pending trials in groups, each to be one array, and how long it takes.

    `uncalibrated` names one trial for each step time alone that is to be measured first, `unprobed` one for each network with the array
    sizes to measure. `seconds` is what
    to expect of the whole run, `most_seconds` has every trial spend its whole budget; what is unmeasured is guessed in both.
    """

    pending: tuple[Trial, ...]
    groups: tuple[tuple[Trial, ...], ...]
    uncalibrated: tuple[Trial, ...]
    unprobed: dict[Trial, list[int]]
    seconds: float
    most_seconds: float


def plan(trials: Iterable[Trial], stored: Collection[str], times: Calibration, use: Resources) -> Plan:
    """Group what is not stored yet of trials under one protocol; trains nothing and touches nothing."""
    pending = [trial for trial in trials if trial.id not in stored]
    array = bool(pending) and pending[0].mode == "array"
    groups = group(pending, times, use)
    uncalibrated = times.missing(pending) if array else []
    measured = unprobed(pending, times, use) if array else {}
    overhead = OVERHEAD["start"] + OVERHEAD["calibrate"] * len(uncalibrated) + OVERHEAD["probe"] * len(measured)

    def whole(steps: Callable[[Trial, Calibration], float]) -> float:
        if not groups:
            return 0.0
        arrays = [array_seconds(trials[0], [steps(trial, times) for trial in trials], times, use) for trials in groups]
        return busiest(arrays, use.jobs) + overhead

    return Plan(tuple(pending), tuple(groups), tuple(uncalibrated), measured, whole(expected_steps), whole(budget_steps))


def resources(spec: StudySpec, pending: int, machine: Machine, jobs: int | None = None, memory: float | None = None) -> Resources:
    """What a run of so many pending trials may use, by the machine where the user does not say.

    On a CPU several processes of few threads train arrays faster than one process of all threads: nothing waits for the slowest thread.
    A GPU takes one, and so do trials timed alone.
    """
    budget = memory if memory is not None else MEMORY_SHARE * free_memory()
    if jobs is None:
        arrays = 1 if spec.mode == "alone" else math.ceil(pending / USUAL_LANES[0][1])
        jobs = max(1, min(len(machine.gpus) or min(machine.cores, int(budget / PROCESS_BYTES) - 1), arrays))
        jobs = jobs if may_start_processes() else 1
    elif jobs > 1 and not may_start_processes():
        raise StudyError(
            f"workers {jobs}: joblib may start no processes here (JOBLIB_MULTIPROCESSING=0, or no semaphores), so it must be 1"
        )
    if memory is not None and memory < PROCESS_BYTES and not machine.gpus:
        least = PROCESS_BYTES / 1e9
        raise StudyError(f"memory {memory / 1e9:g}GB is less than the {least:g}GB that one process takes before its first array")
    if machine.gpus and jobs > len(machine.gpus):
        raise StudyError(f"workers {jobs}: this machine has {len(machine.gpus)} GPUs, and each takes one worker")
    if jobs > 1 and len(set(machine.gpus)) > 1:
        raise StudyError(f"the GPUs differ ({', '.join(machine.gpus)}), and seconds would not compare: choose one with --device gpu:N")
    if machine.gpus:
        return Resources(jobs, budget * jobs if memory is None else budget, probes=GPU_PROBES)
    return Resources(jobs, budget)


def most_seconds(trial: Trial, times: Calibration, use: Resources) -> float:
    """The longest that the trial can hold the machine, its share of an array's time where it trains in one."""
    if trial.mode == "alone" and trial.cap is not None:
        return trial.cap
    return budget_steps(trial, times) * lane_seconds(trial, times, use)


def array_seconds(trial: Trial, ends: Sequence[float], times: Calibration, use: Resources) -> float:
    """What an array whose lanes end after so many steps takes in its process: a lane's share of it grows as lanes leave."""
    total, before = 0.0, 0.0
    for i, end in enumerate(sorted(ends)):
        left = len(ends) - i
        total += (end - before) * left * lane_seconds(trial, times, use, left) * use.jobs
        before = end
    return total


def budget_steps(trial: Trial, times: Calibration) -> float:
    """The most steps that the trial can take."""
    return last_check(trial.check_every, trial.cap, trial.max_steps, times.seconds(trial) or _guess(trial, lanes=1))


def expected_steps(trial: Trial, times: Calibration) -> float:
    """The steps that the trial is expected to take, at most its budget."""
    expected = max(FEWEST_STEPS, STEPS_AT_RATE_ONE[trial.optimizer] / trial.learning_rate)
    return min(budget_steps(trial, times), expected if trial.learning_rate <= HIGHEST_RATE[trial.optimizer] else STUCK_STEPS)


def busiest(seconds: Sequence[float], jobs: int) -> float:
    """When the last of so many processes is done, each taking the next group as it is free."""
    ends = [0.0] * jobs
    for value in seconds:
        i = ends.index(min(ends))
        ends[i] += value
    return max(ends)


def lane_seconds(trial: Trial, times: Calibration, use: Resources, lanes: int | None = None) -> float:
    """Seconds that one step of the trial costs the study in its mode, in a full array or one of so many lanes, as far as they are known;
    several processes share them."""
    alone = times.seconds(trial) or _guess(trial, lanes=1)
    if trial.mode == "alone":
        return alone
    known = array_times(trial, times, use)
    if not known:
        return (_guess(trial, lanes=2) if lanes != 1 else alone) / use.jobs
    known = {1: max(alone, *known.values()), **known}
    size = lanes_for(trial, times, use) if lanes is None else lanes
    return float(np.interp(math.log(size), [math.log(k) for k in sorted(known)], [known[k] for k in sorted(known)])) / use.jobs


def array_times(trial: Trial, times: Calibration, use: Resources) -> dict[int, float]:
    """Seconds of one lane's step by the size of the array; see `array_readings`."""
    return {size: time.seconds for size, time in array_readings(trial, times, use).items()}


def array_readings(trial: Trial, times: Calibration, use: Resources) -> dict[int, StepTime]:
    """The step time of a lane by the size of the array: as measured, else that of the measured width that is nearest in arithmetic, in
    proportion; empty if none was measured."""
    known = times.arrays(trial, use.jobs)
    if known:
        return known
    others = [replace(trial, width=width) for width in times.widths(trial, use.jobs)]
    if not others:
        return {}
    work = network_of(trial).multiply_adds
    near = min(others, key=lambda other: abs(math.log(network_of(other).multiply_adds / work)))
    factor = (times.seconds(trial) or _guess(trial, lanes=1)) / (times.seconds(near) or _guess(near, lanes=1))
    return {
        size: replace(time, seconds=factor * time.seconds, low=factor * time.low, high=factor * time.high)
        for size, time in times.arrays(near, use.jobs).items()
    }


def _guess(trial: Trial, lanes: int) -> float:
    """Overhead and arithmetic: three times a forward pass, two operations a multiply-add."""
    alone, lane, rate = GUESS
    return (alone if lanes == 1 else lane) + 6 * network_of(trial).multiply_adds * trial.batch / rate


def measuring_seconds(trial: Trial) -> float:
    """What measuring the trial's step time takes, before anything is known of it."""
    return OVERHEAD["calibrate"] + (ROUNDS + 1) * max(ROUND_SECONDS, FEWEST * _guess(trial, lanes=1))


def group(pending: Sequence[Trial], times: Calibration, use: Resources) -> list[tuple[Trial, ...]]:
    """Arrays of trials that can train together: the same but for optimizer and rate, neighbours first, since they tend to end together;
    the longest arrays first, so that the processes end together too. One that is expected to try the `patience` is halved.

    Mode `alone` makes groups of one, in an order shuffled over the whole study so that a drift of the machine falls on all optimizers.
    """
    if pending and pending[0].mode == "alone":
        return [(trial,) for trial in sorted(pending, key=lambda trial: trial.id)]
    together = _together(pending)
    share = math.ceil(use.jobs / max(1, len(together)))  # processes for each set of trials that can train together
    groups: list[tuple[Trial, ...]] = []

    def seconds(trials: tuple[Trial, ...]) -> float:
        return array_seconds(trials[0], [expected_steps(trial, times) for trial in trials], times, use)

    def patient(trials: tuple[Trial, ...]) -> list[tuple[Trial, ...]]:
        if len(trials) == 1 or seconds(trials) <= use.patience:
            return [trials]
        half = (len(trials) + 1) // 2
        return patient(trials[:half]) + patient(trials[half:])

    for trials in together:
        size = min(lanes_for(trials[0], times, use), math.ceil(len(trials) / share))
        groups += [part for i in range(0, len(trials), size) for part in patient(tuple(trials[i : i + size]))]
    return sorted(groups, key=seconds, reverse=True)


def _together(pending: Sequence[Trial]) -> list[list[Trial]]:
    """The trials in sets, each of which could train as one array."""
    sets: dict[Trial, list[Trial]] = {}
    for trial in pending:
        sets.setdefault(replace(trial, optimizer="", learning_rate=0.0), []).append(trial)
    return list(sets.values())


def lanes_for(trial: Trial, times: Calibration, use: Resources) -> int:
    """Lanes per array, as far as memory and `INTERVAL` allow: the usual number, or a size that a quiet machine was measured to train
    faster by more than noise."""
    most = most_lanes(trial, times, use)
    usual = max(size for size in LANE_SIZES if size <= min(most, usual_lanes(trial)))
    known = {size: time for size, time in array_readings(trial, times, use).items() if size <= most and time.quiet is not False}
    if not known:
        return usual
    least = min(time.seconds for time in known.values())
    best = min(size for size, time in known.items() if time.seconds <= NEAR * least)
    if usual not in known:
        return best
    faster = NEAR * known[best].seconds < known[usual].seconds and known[best].high < known[usual].low
    return best if faster else usual


def usual_lanes(trial: Trial) -> int:
    """The usual number of lanes in arrays of the trial's network."""
    work = network_of(trial).multiply_adds
    return next(lanes for most, lanes in USUAL_LANES if work <= most)


def may_start_processes() -> bool:
    """Whether joblib may start processes here: it may not where the system has no semaphores, or the user forbids it."""
    import joblib

    return bool(joblib.effective_n_jobs(2) > 1)


def most_lanes(trial: Trial, times: Calibration, use: Resources) -> int:
    """The largest array whose memory fits and whose checks come within `INTERVAL`; 1 if none does."""
    driver = PROCESS_BYTES if use.jobs > 1 else 0.0  # it measures step times and trains the curves, with a TensorFlow of its own
    fits = ((use.memory - driver) / use.jobs - PROCESS_BYTES) / lane_bytes(trial)
    step = times.seconds(trial)
    quick = INTERVAL / (trial.check_every * step) if step else math.inf
    return max(size for size in LANE_SIZES if size <= max(1.0, min(fits, quick)))


def lane_bytes(trial: Trial) -> float:
    """Memory that a lane of an array takes at its peak, bytes: activations with their gradients, weights with slots, old and new; twice,
    since looking at images without training takes five times the batch (measured: 1.6 to 1.9 times)."""
    net = network_of(trial)
    first, second = net.filters or (0, 0)
    activations = 4 * trial.batch * (SIDE**2 * first * 3 + (SIDE // 2) ** 2 * second * 6 + net.dense * 3)
    return 2.0 * (activations + 4 * net.weights * 8)


def unprobed(pending: Sequence[Trial], times: Calibration, use: Resources) -> dict[Trial, list[int]]:
    """The array sizes to measure, for one trial of each network of which nothing is known where there is a choice. Of many widths the
    smallest, a middle one and the largest stand for all."""
    kinds: dict[tuple[object, ...], dict[float, list[Trial]]] = {}
    for trials in _together(pending):
        first = trials[0]
        widths = kinds.setdefault((first.network, first.scale_dense, first.hyper, first.batch), {})
        widths[first.width] = max(widths.get(first.width, []), trials, key=len)
    chosen: dict[Trial, list[int]] = {}
    for widths in kinds.values():
        order = sorted(widths)
        first = widths[order[0]][0]
        if len(times.widths(first, use.jobs)) >= 3:
            continue
        for width in dict.fromkeys((order[0], order[len(order) // 2], order[-1])):
            trials = widths[width]
            sizes = probes(trials[0], min(len(trials), math.ceil(len(pending) / use.jobs)), times, use)
            if len(sizes) > 1 and not times.arrays(trials[0], use.jobs):
                chosen[trials[0]] = sizes
    return chosen


def probes(trial: Trial, together: int, times: Calibration, use: Resources) -> list[int]:
    """The array sizes worth measuring where so many trials can train together."""
    most = min(most_lanes(trial, times, use), max(LANE_SIZES[0], together))
    return [size for size in use.probes if size <= most]


def parse_memory(text: str) -> float:
    """Bytes from `8GB`, `512MB` or a plain number of gigabytes.

    Raises:
        StudyError: not such a text.
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(tb?|gb?|mb?)?\s*", text.lower())
    if not found or float(found[1]) <= 0:
        raise StudyError(f"memory {text!r} must be a size such as 8GB or 512MB")
    return float(found[1]) * {"m": 1e6, "g": 1e9, "t": 1e12}[(found[2] or "g")[0]]
