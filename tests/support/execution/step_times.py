"""Step times for tests of what plans make of them."""

from __future__ import annotations

from pathlib import Path

from study.execution.planning.resources import Resources
from study.machine.quiet import Load
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import array_key
from support.parabola import MACHINE

SPEC = StudySpec(rates="1e-4:100:16", cap=8.0)
ONE_JOB, TWO_JOBS = Resources(1, 64e9), Resources(2, 64e9)
ONE = [trial for trial in SPEC.trials() if trial.learning_rate == SPEC.rates[0]]


def calibration(path: Path, tensorflow: str = "2.21.0") -> Calibration:
    """An empty or read calibration of the test machine."""
    return Calibration([path], MACHINE, tensorflow)


QUIET, BUSY = Load(2, 1.0, 0.05, 0.0), Load(2, 0.5, 1.6, 0.9)


def probed(times: Calibration, seconds: dict[int, float], jobs: int = 1) -> Calibration:
    """The calibration with made-up step times of a lane in arrays."""
    times.add(
        times.entry(array_key(ONE[0], size, jobs), Rounds([value], 5))
        for size, value in seconds.items()
    )
    return times
