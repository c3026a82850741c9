"""The step time of each (network, width, optimizer, batch), measured alone on this machine: what turns steps into seconds."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from study.errors import StudyError
from study.learner import Learner
from study.machine import Machine
from study.spec import Trial

ROUNDS = 9
ROUND_SECONDS = 0.25
"""A round times at least so many seconds of steps, and at least `FEWEST` and at most `check_every` steps."""
FEWEST = 4

Key = tuple[str, float, bool, str, str, int]


class Engine(Protocol):
    """Makes learners; the one thing the outside world needs of the tensor world."""

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial; they differ in optimizer and rate alone."""
        ...


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step of one lane: median and quartiles over the rounds.

    `lanes` is 1 for a trial alone; in an array of K lanes `seconds` is a K-th of the array's step and `optimizer` is `mixed`.
    """

    network: str
    width: float
    scale_dense: bool
    optimizer: str
    hyper: str
    batch: int
    lanes: int
    seconds: float
    low: float
    high: float
    rounds: int
    steps: int
    fingerprint: str
    tensorflow: str
    measured_at: str

    @property
    def key(self) -> Key:
        """What it is the step time of."""
        return (self.network, self.width, self.scale_dense, self.optimizer, self.hyper, self.batch)


def key_of(trial: Trial, optimizer: str | None = None) -> Key:
    """The key of a trial's step time."""
    return (trial.network, trial.width, trial.scale_dense, optimizer or trial.optimizer, trial.hyper, trial.batch)


class Calibration:
    """Step times of one machine and TensorFlow version, kept in files; times of another machine in the same file are left alone.

    Args:
        paths: files to read; the first one wins, and `add` writes them all.
        machine: this machine.
        tensorflow: the version of TensorFlow, part of what a step time depends on.
    """

    def __init__(self, paths: Sequence[Path], machine: Machine, tensorflow: str) -> None:
        self.paths, self.machine, self.tensorflow = list(paths), machine, tensorflow
        self.times: dict[Key, StepTime] = {}
        for path in reversed(self.paths):
            for time_ in read(path):
                if self._mine(time_):
                    self.times[time_.key] = time_

    def _mine(self, time_: StepTime) -> bool:
        return time_.fingerprint == self.machine.fingerprint and time_.tensorflow == self.tensorflow

    def seconds(self, trial: Trial) -> float | None:
        """The trial's step time alone, or None if it has not been measured."""
        found = self.times.get(key_of(trial))
        return found.seconds if found else None

    def lane_seconds(self, trial: Trial) -> float | None:
        """The time of one lane's step in an array, or None if no array of that network has run here."""
        found = self.times.get(key_of(trial, "mixed"))
        return found.seconds if found else None

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial for each step time that is not known yet, in order."""
        first: dict[Key, Trial] = {}
        for trial in trials:
            first.setdefault(key_of(trial), trial)
        return [trial for key, trial in first.items() if key not in self.times]

    def add(self, times: Iterable[StepTime]) -> None:
        """Keep the times and write them to the files, leaving other machines' entries as they are."""
        self.times.update({time_.key: time_ for time_ in times})
        for path in self.paths:
            others = [time_ for time_ in read(path) if not self._mine(time_)]
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.tmp")
            draft.write_text(json.dumps([asdict(time_) for time_ in (*others, *self.times.values())], indent=1) + "\n", encoding="utf-8")
            os.replace(draft, path)

    def entry(self, key: Key, lanes: int, seconds: Sequence[float], steps: int) -> StepTime:
        """A `StepTime` of this machine, now, from the rounds' seconds a step."""
        low, high = np.quantile(seconds, [0.25, 0.75])
        return StepTime(
            *key,
            lanes=lanes,
            seconds=statistics.median(seconds),
            low=float(low),
            high=float(high),
            rounds=len(seconds),
            steps=steps,
            fingerprint=self.machine.fingerprint,
            tensorflow=self.tensorflow,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def read(path: Path) -> list[StepTime]:
    """The step times in a file; none if there is no file.

    Raises:
        StudyError: the file is not a calibration.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [StepTime(**row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise StudyError(f"{path} is not a calibration ({error}): remove it, and step times are measured anew") from None


def measure(
    calibration: Calibration,
    trials: Sequence[Trial],
    engine: Engine,
    clock: Callable[[], float] = time.perf_counter,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Time each trial's step alone and add the medians to `calibration`: warm-up first, then rounds that take the trials in turn, so
    that a slow spell of the machine falls on all of them.

    Args:
        calibration: where the times go.
        trials: one for each step time wanted.
        engine: makes the learners.
        clock: a monotonic clock, seconds.
        watch: called with (done, total) as it goes on.
    """
    if not trials:
        return
    total = len(trials) * (ROUNDS + 1)
    learners: list[tuple[Learner, int]] = []
    for done, trial in enumerate(trials):
        learner = engine.learner([trial])
        learner.prepare()
        begun = clock()
        learner.advance(_rates(FEWEST))
        step = (clock() - begun) / FEWEST
        learners.append((learner, min(trial.check_every, max(FEWEST, round(ROUND_SECONDS / max(step, 1e-9))))))
        watch(done + 1, total)
    seconds: list[list[float]] = [[] for _ in trials]
    for round_ in range(ROUNDS):
        for i, (learner, steps) in enumerate(learners):
            begun = clock()
            learner.advance(_rates(steps))
            seconds[i].append((clock() - begun) / steps)
            watch(len(trials) * (round_ + 1) + i + 1, total)
    calibration.add(
        calibration.entry(key_of(trial), 1, times, steps) for trial, times, (_, steps) in zip(trials, seconds, learners, strict=True)
    )


def _rates(steps: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.full((steps, 1), 1e-4)
