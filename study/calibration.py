"""Step times on this machine: of each (network, width, optimizer, batch) alone, which turns steps into seconds; and of a lane in arrays
of several sizes, which decides how many lanes train together."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from study import device
from study.errors import StudyError
from study.learner import Learner
from study.machine import Machine
from study.spec import Trial

ROUNDS = 9
ROUND_SECONDS = 0.25
"""A round times at least so many seconds of steps, and at least `FEWEST` and at most `check_every` steps."""
FEWEST = 4

PROBE_ROUNDS = 3
PROBE_STEPS = 5
"""An array's step is timed over so many rounds of so many steps: enough to tell sizes apart."""

MIXED = "mixed"
"""Stands for the optimizer in an array's step time, since its lanes have several."""

Key = tuple[str, float, bool, str, str, int, int, int]

Rounds = tuple[list[float], int]
"""Seconds a step, round by round, and the steps of a round."""


class Engine(Protocol):
    """Makes learners; the one thing the outside world needs of the tensor world."""

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial; they differ in optimizer and rate alone."""
        ...


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step of one lane: median and quartiles over the rounds.

    `lanes` is 1 for a trial alone; in an array of K lanes `seconds` is a K-th of the array's step, `optimizer` is `mixed`, and `jobs`
    processes were doing the same at once.
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
    software: str
    measured_at: str
    jobs: int = 1

    @property
    def key(self) -> Key:
        """What it is the step time of."""
        return (self.network, self.width, self.scale_dense, self.optimizer, self.hyper, self.batch, self.lanes, self.jobs)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> StepTime:
        """The step time in a file's entry; anything else raises `ValueError` or `TypeError`."""
        facts = dict(row)
        if "tensorflow" in facts:  # as files had it when there was one engine
            facts["software"] = f"tensorflow {facts.pop('tensorflow')} float32"
        time_ = StepTime(**facts)
        for name in ("seconds", "low", "high"):
            value = getattr(time_, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(f"{name} is {value!r}, not a positive number")
        if not all(isinstance(getattr(time_, f.name), int) for f in fields(StepTime) if f.type == "int"):
            raise ValueError("batch, lanes, rounds, steps and jobs must be whole numbers")
        return time_


def key_of(trial: Trial) -> Key:
    """The key of a trial's step time alone."""
    return (trial.network, trial.width, trial.scale_dense, trial.optimizer, trial.hyper, trial.batch, 1, 1)


def array_key(trial: Trial, lanes: int, jobs: int) -> Key:
    """The key of the trial's step time in an array of so many lanes, so many processes at once."""
    return (trial.network, trial.width, trial.scale_dense, MIXED, trial.hyper, trial.batch, lanes, jobs)


class Calibration:
    """Step times of one machine and software, kept in files; others in the same file are left alone.

    Args:
        paths: files to read; the first one wins, and `add` writes them all.
        machine: this machine.
        software: engine, version and precision, part of what a step time depends on.
    """

    def __init__(self, paths: Sequence[Path], machine: Machine, software: str) -> None:
        self.paths, self.machine, self.software = list(paths), machine, software
        self.times: dict[Key, StepTime] = {}
        for path in reversed(self.paths):
            for time_ in read(path):
                if self._mine(time_):
                    self.times[time_.key] = time_

    def _mine(self, time_: StepTime) -> bool:
        return time_.fingerprint == self.machine.fingerprint and time_.software == self.software

    def seconds(self, trial: Trial) -> float | None:
        """The trial's step time alone, or None if it has not been measured."""
        found = self.times.get(key_of(trial))
        return found.seconds if found else None

    def arrays(self, trial: Trial, jobs: int) -> dict[int, float]:
        """Seconds of one lane's step by the size of the array, in each of so many processes; empty if not measured."""
        kind = array_key(trial, 0, jobs)
        return {key[-2]: time_.seconds for key, time_ in self.times.items() if (*key[:-2], 0, key[-1]) == kind}

    def widths(self, trial: Trial, jobs: int) -> list[float]:
        """The widths of the trial's network whose arrays were measured, in each of so many processes."""
        kind = array_key(trial, 0, jobs)
        return sorted({key[1] for key in self.times if (key[0], kind[1], *key[2:-2], 0, key[-1]) == kind})

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial for each step time that is not known yet, in order."""
        first: dict[Key, Trial] = {}
        for trial in trials:
            first.setdefault(key_of(trial), trial)
        return [trial for key, trial in first.items() if key not in self.times]

    def forget(self, trials: Iterable[Trial]) -> None:
        """Drop the step times of these trials' networks, alone and in arrays, so that they are measured anew."""
        gone = {key_of(trial)[:6] for trial in trials} | {array_key(trial, 0, 0)[:6] for trial in trials}
        self.times = {key: time_ for key, time_ in self.times.items() if key[:6] not in gone}

    def add(self, times: Iterable[StepTime]) -> None:
        """Keep the times and write them to the files, leaving other machines' entries as they are."""
        self.times.update({time_.key: time_ for time_ in times})
        for path in self.paths:
            others = [time_ for time_ in read(path) if not self._mine(time_)]
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}.tmp")
            draft.write_text(json.dumps([asdict(time_) for time_ in (*others, *self.times.values())], indent=1) + "\n", encoding="utf-8")
            os.replace(draft, path)

    def take(self, trials: Sequence[Trial], rounds: Sequence[Rounds]) -> None:
        """Keep what `step_times` found of the trials."""
        self.add(self.entry(key_of(trial), seconds, steps) for trial, (seconds, steps) in zip(trials, rounds, strict=True))

    def entry(self, key: Key, seconds: Sequence[float], steps: int) -> StepTime:
        """A `StepTime` of this machine, now, from the rounds' seconds a step."""
        low, high = np.quantile(seconds, [0.25, 0.75])
        network, width, scale_dense, optimizer, hyper, batch, lanes, jobs = key
        return StepTime(
            network=network,
            width=width,
            scale_dense=scale_dense,
            optimizer=optimizer,
            hyper=hyper,
            batch=batch,
            lanes=lanes,
            jobs=jobs,
            seconds=statistics.median(seconds),
            low=float(low),
            high=float(high),
            rounds=len(seconds),
            steps=steps,
            fingerprint=self.machine.fingerprint,
            software=self.software,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def read(path: Path) -> list[StepTime]:
    """The step times in a file; none if there is no file.

    Raises:
        StudyError: the file is not a calibration.
    """
    try:
        return [StepTime.from_json(row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        why = "its entries are no step times" if isinstance(error, TypeError) else error
        raise StudyError(f"{path} is not a calibration ({why}): remove it, and step times are measured anew") from None


def measure(
    calibration: Calibration,
    trials: Sequence[Trial],
    engine: Engine,
    clock: Callable[[], float] = time.perf_counter,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Time each trial's step alone and add the medians to `calibration`; see `step_times`."""
    if trials:
        calibration.take(trials, step_times(trials, engine, clock, watch))


def step_times(
    trials: Sequence[Trial],
    engine: Engine,
    clock: Callable[[], float] = time.perf_counter,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> list[Rounds]:
    """Time each trial's step alone, on a device that no other timed job has: warm-up first, then rounds that take the trials in turn, so
    that a slow spell of the machine falls on all of them.

    Args:
        trials: one for each step time wanted.
        engine: makes the learners.
        clock: a monotonic clock, seconds.
        watch: called with (done, total) as it goes on.

    Raises:
        StudyError: a trial cannot be trained at all.
    """
    with device.alone():
        return _step_times(trials, engine, clock, watch)


def _step_times(trials: Sequence[Trial], engine: Engine, clock: Callable[[], float], watch: Callable[[int, int], None]) -> list[Rounds]:
    total = len(trials) * (ROUNDS + 1)
    learners: list[tuple[Learner, int]] = []
    for done, trial in enumerate(trials):
        try:
            learner = engine.learner([trial])
            learner.prepare()
            begun = clock()
            learner.advance(_rates(FEWEST))
            step = (clock() - begun) / FEWEST
        except StudyError:
            raise
        except Exception as error:
            what = f"{trial.optimizer} on the {trial.network} network at width {trial.width:g}"
            raise StudyError(f"the step time of {what} cannot be measured ({type(error).__name__}: {str(error)[:300]})") from error
        learners.append((learner, min(trial.check_every, max(FEWEST, round(ROUND_SECONDS / max(step, 1e-9))))))
        watch(done + 1, total)
    seconds: list[list[float]] = [[] for _ in trials]
    for round_ in range(ROUNDS):
        for i, (learner, steps) in enumerate(learners):
            begun = clock()
            learner.advance(_rates(steps))
            seconds[i].append((clock() - begun) / steps)
            watch(len(trials) * (round_ + 1) + i + 1, total)
    return [(times, steps) for times, (_, steps) in zip(seconds, learners, strict=True)]


def probe(trial: Trial, sizes: Sequence[int], engine: Engine, clock: Callable[[], float] = time.perf_counter) -> dict[int, list[float]]:
    """Seconds of one lane's step in an array of each of the sizes, round by round: each warmed up, then in turn."""
    learners: dict[int, Learner] = {}
    for size in sizes:
        with suppress(Exception):  # an array that cannot be had, for want of memory, is one not to choose
            learner = engine.learner([trial] * size)
            learner.prepare()
            learner.advance(_rates(1, learner.lanes))
            learners[size] = learner
    seconds: dict[int, list[float]] = {size: [] for size in learners}
    for _ in range(PROBE_ROUNDS):
        for size, learner in learners.items():
            begun = clock()
            learner.advance(_rates(PROBE_STEPS, learner.lanes))
            seconds[size].append((clock() - begun) / PROBE_STEPS / size)
    return seconds


def _rates(steps: int, lanes: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.full((steps, lanes), 1e-4)
