"""Which engine trains a study's arrays: the framework, or the native one where it is faster."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from study.engines.choice import AUTO
from study.engines.native.engine import NATIVE, trains
from study.errors import StudyError
from study.execution.planning.estimates import expected_steps, step_seconds
from study.execution.planning.resources import NATIVE_SIZES, Crew
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Run

COMPARED = 16
"""Lanes of the framework's array that is compared."""


WORTH = 120.0
"""Seconds that training one by one would take in each process, from which on the engines are
compared. A comparison takes some ten seconds.
"""


SURELY = 2.0
"""Several processes train arrays at most so many times as fast as one process of all cores: where
the native engine beats that one by more, the framework is not compared any further.
"""


Probe = Callable[[Trial, Sequence[int], Crew], None]
"""Times a lane's step in arrays of these sizes, and adds what it finds to the step times."""


def with_arrays(
    asked: str,
    spec: StudySpec,
    stored: Sequence[Run],
    pending: Sequence[Trial],
    times: Calibration,
    crews: Sequence[Crew],
    probe: Probe | None = None,
    here: bool = False,
) -> list[Crew]:
    """The crews with the engine that trains their arrays.

    A stored study goes on with the engine that it has. A new one takes the faster engine, by the
    step time of a lane in arrays of both; a small one takes the framework.

    Args:
        asked: `native`, `auto`, or empty for the framework.
        spec: the study.
        stored: its runs.
        pending: what is left to train.
        times: the step times of the crews' kind.
        crews: who trains; several kinds train by the framework, unless `native` is asked for.
        probe: measures what is not known; without it nothing is measured.
        here: whether all train on this machine, so that one process of all cores can stand for
            them.

    Raises:
        StudyError: the native engine is asked for, and does not train this study's arrays.
    """
    if not asked or not crews:
        return list(crews)
    if why := _unfit(spec, crews):
        if asked == NATIVE:
            raise StudyError(f"the engine native {why}: give --engine tensorflow")
        return list(crews)
    before = {run.arrays or "" for run in stored if run.seconds_source == "reconstructed"}
    chosen = ""
    if asked == NATIVE or before == {NATIVE}:
        chosen = NATIVE
    elif asked == AUTO and not before and len(crews) == 1 and _worth(pending, times, crews[0]):
        chosen = _faster(pending, times, crews[0], probe, here)
    return [_by(crew, chosen) for crew in crews]


def _faster(
    pending: Sequence[Trial], times: Calibration, crew: Crew, probe: Probe | None, here: bool
) -> str:
    """The engine whose arrays take a lane's step in less time."""
    # The network in the middle of several stands for all.
    order = sorted(pending, key=lambda trial: trial.width)
    trial, jobs = order[len(order) // 2], crew.use.jobs
    together = math.ceil(len(pending) / jobs)
    native = _lane_seconds(trial, together, times, _by(crew, NATIVE), probe)
    if here and jobs > 1 and not times.arrays(trial, jobs):
        one = replace(crew, use=replace(crew.use, jobs=1))
        if SURELY * native / jobs < _lane_seconds(trial, together, times, one, probe) < math.inf:
            return NATIVE
    return "" if _lane_seconds(trial, together, times, crew, probe) <= native else NATIVE


def _worth(pending: Sequence[Trial], times: Calibration, crew: Crew) -> bool:
    """Whether there is so much to train that a comparison pays."""
    alone = sum(expected_steps(trial, times) * step_seconds(trial, times) for trial in pending)
    return alone / crew.use.jobs >= WORTH


def _by(crew: Crew, arrays: str) -> Crew:
    """The crew with arrays of this engine."""
    return replace(crew, use=replace(crew.use, arrays=arrays))


def _unfit(spec: StudySpec, crews: Sequence[Crew]) -> str:
    """Why the native engine cannot train the study's arrays; empty if it can."""
    if spec.mode == "alone":
        return "trains arrays, and mode alone has none"
    if spec.own is not None or not trains(spec.network):
        return f"does not train the network {spec.network}"
    if any(crew.use.gpu for crew in crews):
        return "trains on processors, and this machine has a GPU"
    if any("halide" not in crew.site.versions for crew in crews):
        return "is not installed for all who train (pip install halide)"
    return ""


def _lane_seconds(
    trial: Trial, together: int, times: Calibration, crew: Crew, probe: Probe | None
) -> float:
    """A lane's step in an array of the crew's engine; infinite where nothing is known of it.

    Args:
        trial: whose step.
        together: trials that could train as one array.
        times, crew, probe: as of `with_arrays`.
    """
    use = crew.use

    def known() -> dict[int, float]:
        readings = times.arrays(trial, use.jobs, use.arrays)
        return {size: time.seconds for size, time in readings.items()}

    if not known() and probe:
        most = min(together, use.usual or COMPARED)
        sizes = NATIVE_SIZES[1:] if use.arrays else use.sizes
        probe(trial, [next(size for size in sizes if size >= most)], crew)
    found = known()
    if not found:
        return math.inf
    best = min(found, key=lambda size: found[size])
    # A register takes as long with few lanes as with all.
    return found[best] * (best / min(best, together) if use.arrays else 1.0)
