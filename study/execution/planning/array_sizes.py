"""How many lanes train together, and what a lane's step then costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from study.execution.planning.estimates import (
    array_readings,
    array_times,
    guess,
    step_seconds,
)
from study.execution.planning.resources import PROCESS_BYTES, USUAL_LANES, Resources
from study.spec.networks import SIDE, network_of, size_of
from study.spec.trial import Trial
from study.storage.calibration import Calibration

NEAR = 1.1
"""Another array size than the usual one is taken where it is faster by more than this factor, and
by more than the noise of both.
"""


INTERVAL = 20.0
"""Seconds that the steps between two checks of an array may take: the wait of a Ctrl-C, and of the
progress bar.
"""


def _together(pending: Sequence[Trial]) -> list[list[Trial]]:
    """The trials in sets, each of which could train as one array."""
    sets: dict[Trial, list[Trial]] = {}
    for trial in pending:
        # Each optimizer of the user's own model is a program of its own.
        optimizer = trial.optimizer if trial.start else ""
        sets.setdefault(replace(trial, optimizer=optimizer, learning_rate=0.0), []).append(trial)
    return list(sets.values())


def lanes_for(trial: Trial, times: Calibration, use: Resources) -> int:
    """Lanes per array, as far as memory and `INTERVAL` allow: the usual number, or a size that a
    quiet machine was measured to train faster by more than noise.
    """
    most = most_lanes(trial, times, use)
    usual = max(size for size in use.sizes if size <= min(most, use.usual or usual_lanes(trial)))
    known = {
        size: time
        for size, time in array_readings(trial, times, use).items()
        if size <= most and time.quiet is not False
    }
    if not known:
        return usual
    least = min(time.seconds for time in known.values())
    best = min(size for size, time in known.items() if time.seconds <= NEAR * least)
    if usual not in known:
        return best
    faster = (
        NEAR * known[best].seconds < known[usual].seconds and known[best].high < known[usual].low
    )
    return best if faster else usual


def usual_lanes(trial: Trial) -> int:
    """The usual number of lanes in arrays of the trial's network."""
    work = size_of(trial).multiply_adds
    return next(lanes for most, lanes in USUAL_LANES if work <= most)


def most_lanes(trial: Trial, times: Calibration, use: Resources) -> int:
    """The largest array that fits into memory with checks within `INTERVAL`; 1 if none does."""
    driver = (
        PROCESS_BYTES if use.jobs > 1 else 0.0
    )  # it measures step times and trains the curves, with a TensorFlow of its own
    fits = ((use.memory - driver) / use.jobs - PROCESS_BYTES) / lane_bytes(trial)
    step = times.seconds(trial)
    quick = INTERVAL / (trial.check_every * step) if step else math.inf
    return max(size for size in use.sizes if size <= max(1.0, min(fits, quick)))


def lane_bytes(trial: Trial) -> float:
    """Memory that a lane of an array takes at its peak, bytes: activations with their gradients,
    weights with slots, old and new; twice, since looking at images without training takes five
    times the batch (measured: 1.6 to 1.9 times).
    """
    if trial.start:
        return float(max(1, trial.size[2])) if trial.size else 1.0
    net = network_of(trial)
    first, second = net.filters or (0, 0)
    activations = (
        4 * trial.batch * (SIDE**2 * first * 3 + (SIDE // 2) ** 2 * second * 6 + net.dense * 3)
    )
    return 2.0 * (activations + 4 * net.weights * 8)


def unprobed(
    pending: Sequence[Trial], times: Calibration, use: Resources
) -> dict[Trial, list[int]]:
    """The array sizes to measure, for one trial of each network of which nothing is known where
    there is a choice. Of many widths the smallest, a middle one and the largest stand for all.
    """
    kinds: dict[tuple[object, ...], dict[float, list[Trial]]] = {}
    for trials in _together(pending):
        first = trials[0]
        widths = kinds.setdefault((first.network, first.scale_dense, first.hyper, first.batch), {})
        widths[first.width] = max(widths.get(first.width, []), trials, key=len)
    chosen: dict[Trial, list[int]] = {}
    for widths in kinds.values():
        order = sorted(widths)
        first = widths[order[0]][0]
        if len(times.widths(first, use.jobs, use.arrays)) >= 3:
            continue
        for width in dict.fromkeys((order[0], order[len(order) // 2], order[-1])):
            trials = widths[width]
            sizes = probes(
                trials[0], min(len(trials), math.ceil(len(pending) / use.jobs)), times, use
            )
            if len(sizes) > 1 and not times.arrays(trials[0], use.jobs, use.arrays):
                chosen[trials[0]] = sizes
    return chosen


def probes(trial: Trial, together: int, times: Calibration, use: Resources) -> list[int]:
    """The array sizes worth measuring where so many trials can train together."""
    most = min(most_lanes(trial, times, use), together)
    return [size for size in use.probes if size <= most]


def lane_seconds(
    trial: Trial, times: Calibration, use: Resources, lanes: int | None = None
) -> float:
    """Seconds that one step of the trial costs the study in its mode, in a full array or one of so
    many lanes, as far as they are known; several processes share them.
    """
    alone = step_seconds(trial, times)
    if trial.mode == "alone":
        return alone
    known = array_times(trial, times, use)
    if not known:
        return (guess(trial, lanes=2) if lanes != 1 else alone) / use.jobs
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


def array_seconds(
    trial: Trial,
    ends: Sequence[float],
    times: Calibration,
    use: Resources,
    lane: Callable[[int], float] | None = None,
) -> float:
    """What an array whose lanes end after so many steps takes in its process: a lane's share of it
    grows as lanes leave.

    Args:
        trial: one of them.
        ends: the steps.
        times, use: what its process takes for a lane's step.
        lane: the same, where it is known: seconds by the number of lanes.
    """
    lane = lane or (lambda left: lane_seconds(trial, times, use, left) * use.jobs)
    total, before = 0.0, 0.0
    for i, end in enumerate(sorted(ends)):
        left = len(ends) - i
        total += (end - before) * left * lane(left)
        before = end
    return total
