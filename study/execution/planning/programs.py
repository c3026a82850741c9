"""How long trials that are programs take: by their caps, and by those that have ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Run


def longest(trial: Trial, times: Calibration) -> float:
    """The longest that a program can train, seconds; infinity where nothing bounds it or is known.

    Args:
        trial: the program's.
        times: the step times of programs that have ended, see `learn`.
    """
    step = times.seconds(trial)
    known = step is not None and trial.max_steps is not None
    by_steps = (step or 0.0) * (trial.max_steps or 0) if known else math.inf
    return min(math.inf if trial.cap is None else trial.cap, by_steps)


def learn(times: Calibration, trials: Iterable[Trial], runs: Iterable[Run]) -> None:
    """Take the step times of programs from those that have ended; in memory only.

    Args:
        times: takes the medians, by optimizer and width.
        trials: of the study.
        runs: what has ended.
    """
    found: dict[tuple[str, float], list[float]] = {}
    for run in runs:
        if run.step_seconds and run.fingerprint == times.machine.fingerprint:
            key = run.trial.optimizer, run.trial.width
            found.setdefault(key, []).append(run.step_seconds)
    cells = {(trial.optimizer, trial.width): trial for trial in trials}
    times.pin((cells[key], median(values)) for key, values in found.items() if key in cells)
