"""Which trials are pending, which of them train together, and how long that can take. Trains nothing, touches nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import psutil

from study.calibration import Calibration
from study.learner import LANE_SIZES
from study.network import SIDE, network_of
from study.race import last_check
from study.spec import StudySpec, Trial

INTERVAL = 20.0
"""Seconds that the steps between two checks of an array may take: the wait of a Ctrl-C, and of the progress bar."""

MEMORY_SHARE = 0.25
"""Share of the free memory that one machine's arrays may fill, by a generous estimate."""


GUESS = (2e-3, 3e-4, 150e9)
"""Before anything is measured: overhead of a step alone and of a lane's in an array, seconds, and arithmetic a second, of two cores."""


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pending trials in groups, each to be one array, and the longest that it can take.

    `most_seconds` has every trial spend its whole budget; where `uncalibrated` is not empty it rests on a guess.
    """

    pending: tuple[Trial, ...]
    groups: tuple[tuple[Trial, ...], ...]
    uncalibrated: tuple[Trial, ...]
    most_seconds: float


def plan(spec: StudySpec, stored: Collection[str], times: Calibration, workers: int = 1) -> Plan:
    """Group what is not stored yet; trains nothing and touches nothing."""
    pending = [trial for trial in spec.trials() if trial.id not in stored]
    groups = group(pending, times, workers)
    missing = times.missing(pending) if spec.mode == "array" else []
    most = sum(most_seconds(trial, times) for trial in pending)
    return Plan(tuple(pending), tuple(groups), tuple(missing), most)


def most_seconds(trial: Trial, times: Calibration) -> float:
    """The longest that the trial can hold the machine, its share of an array's time where it trains in one."""
    if trial.mode == "alone" and trial.cap is not None:
        return trial.cap
    step = times.seconds(trial) or _guess(trial, lanes=1)
    return last_check(trial.check_every, trial.cap, trial.max_steps, step) * lane_seconds(trial, times)


def lane_seconds(trial: Trial, times: Calibration) -> float:
    """Seconds that one step of the trial costs in its mode, as far as they are known."""
    if trial.mode == "alone":
        return times.seconds(trial) or _guess(trial, lanes=1)
    return times.lane_seconds(trial) or times.seconds(trial) or _guess(trial, lanes=2)


def _guess(trial: Trial, lanes: int) -> float:
    """Overhead and arithmetic: three times a forward pass, two operations a multiply-add."""
    alone, lane, rate = GUESS
    return (alone if lanes == 1 else lane) + 6 * network_of(trial).multiply_adds * trial.batch / rate


def group(pending: Sequence[Trial], times: Calibration, workers: int = 1) -> list[tuple[Trial, ...]]:
    """Arrays of trials that can train together: the same but for optimizer and rate, as many as memory and `INTERVAL` allow.

    Mode `alone` makes groups of one, in an order shuffled over the whole study so that a drift of the machine falls on all optimizers.
    """
    if pending and pending[0].mode == "alone":
        return [(trial,) for trial in sorted(pending, key=lambda trial: trial.id)]
    together: dict[Trial, list[Trial]] = {}
    for trial in pending:
        together.setdefault(replace(trial, optimizer="", learning_rate=0.0), []).append(trial)
    groups = []
    for trials in together.values():
        size = min(lanes_for(trials[0], times, workers), max(1, math.ceil(len(trials) / workers)))
        groups += [tuple(trials[i : i + size]) for i in range(0, len(trials), size)]
    return groups


def lanes_for(trial: Trial, times: Calibration, workers: int = 1) -> int:
    """Lanes per array: the largest size whose activations and slots fit the memory share and whose checks come within `INTERVAL`."""
    net = network_of(trial)
    first, second = net.filters
    activations = 4 * trial.batch * (SIDE**2 * first * 3 + (SIDE // 2) ** 2 * second * 6)
    fits = psutil.virtual_memory().available * MEMORY_SHARE / workers / (activations + 4 * net.weights * 8)
    step = times.seconds(trial)
    quick = INTERVAL / (trial.check_every * step) if step else math.inf
    return max(size for size in LANE_SIZES if size <= max(1.0, min(fits, quick)))
