"""How many lanes train together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from study.engines.learner import LANE_SIZES
from study.execution.resources import PROCESS_BYTES, USUAL_LANES, Resources
from study.spec.networks import SIDE, network_of
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.step_times import StepTime

NEAR = 1.1
"""Another array size than the usual one is taken where it is faster by more than this factor, and
by more than the noise of both.
"""


INTERVAL = 20.0
"""Seconds that the steps between two checks of an array may take: the wait of a Ctrl-C, and of the
progress bar.
"""


GUESS = (2e-3, 3e-4, 150e9)
"""Before anything is measured: overhead of a step alone and of a lane's in an array, seconds, and
arithmetic a second, of two cores.
"""


def array_times(trial: Trial, times: Calibration, use: Resources) -> dict[int, float]:
    """Seconds of one lane's step by the size of the array; see `array_readings`."""
    return {size: time.seconds for size, time in array_readings(trial, times, use).items()}


def array_readings(trial: Trial, times: Calibration, use: Resources) -> dict[int, StepTime]:
    """The step time of a lane by the size of the array: as measured, else that of the measured
    width that is nearest in arithmetic, in proportion; empty if none was measured.
    """
    known = times.arrays(trial, use.jobs)
    if known:
        return known
    others = [replace(trial, width=width) for width in times.widths(trial, use.jobs)]
    if not others:
        return {}
    work = network_of(trial).multiply_adds
    near = min(others, key=lambda other: abs(math.log(network_of(other).multiply_adds / work)))
    factor = (times.seconds(trial) or _guess(trial, lanes=1)) / (
        times.seconds(near) or _guess(near, lanes=1)
    )
    return {
        size: replace(
            time, seconds=factor * time.seconds, low=factor * time.low, high=factor * time.high
        )
        for size, time in times.arrays(near, use.jobs).items()
    }


def _guess(trial: Trial, lanes: int) -> float:
    """Overhead and arithmetic: three times a forward pass, two operations a multiply-add."""
    alone, lane, rate = GUESS
    return (alone if lanes == 1 else lane) + 6 * network_of(
        trial
    ).multiply_adds * trial.batch / rate


def _together(pending: Sequence[Trial]) -> list[list[Trial]]:
    """The trials in sets, each of which could train as one array."""
    sets: dict[Trial, list[Trial]] = {}
    for trial in pending:
        sets.setdefault(replace(trial, optimizer="", learning_rate=0.0), []).append(trial)
    return list(sets.values())


def lanes_for(trial: Trial, times: Calibration, use: Resources) -> int:
    """Lanes per array, as far as memory and `INTERVAL` allow: the usual number, or a size that a
    quiet machine was measured to train faster by more than noise.
    """
    most = most_lanes(trial, times, use)
    usual = max(size for size in LANE_SIZES if size <= min(most, usual_lanes(trial)))
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
    work = network_of(trial).multiply_adds
    return next(lanes for most, lanes in USUAL_LANES if work <= most)


def most_lanes(trial: Trial, times: Calibration, use: Resources) -> int:
    """The largest array that fits into memory with checks within `INTERVAL`; 1 if none does."""
    driver = (
        PROCESS_BYTES if use.jobs > 1 else 0.0
    )  # it measures step times and trains the curves, with a TensorFlow of its own
    fits = ((use.memory - driver) / use.jobs - PROCESS_BYTES) / lane_bytes(trial)
    step = times.seconds(trial)
    quick = INTERVAL / (trial.check_every * step) if step else math.inf
    return max(size for size in LANE_SIZES if size <= max(1.0, min(fits, quick)))


def lane_bytes(trial: Trial) -> float:
    """Memory that a lane of an array takes at its peak, bytes: activations with their gradients,
    weights with slots, old and new; twice, since looking at images without training takes five
    times the batch (measured: 1.6 to 1.9 times).
    """
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
        if len(times.widths(first, use.jobs)) >= 3:
            continue
        for width in dict.fromkeys((order[0], order[len(order) // 2], order[-1])):
            trials = widths[width]
            sizes = probes(
                trials[0], min(len(trials), math.ceil(len(pending) / use.jobs)), times, use
            )
            if len(sizes) > 1 and not times.arrays(trials[0], use.jobs):
                chosen[trials[0]] = sizes
    return chosen


def probes(trial: Trial, together: int, times: Calibration, use: Resources) -> list[int]:
    """The array sizes worth measuring where so many trials can train together."""
    most = min(most_lanes(trial, times, use), max(LANE_SIZES[0], together))
    return [size for size in use.probes if size <= most]
