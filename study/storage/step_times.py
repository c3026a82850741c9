"""Step times on the disk: of each trial alone, and of a lane in arrays of several sizes."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import StudyError
from study.machine.facts import Machine
from study.machine.quiet import Load
from study.spec.trial import Trial
from study.storage import jsonl

MIXED = "mixed"
"""Stands for the optimizer in an array's step time, since its lanes have several."""


Key = tuple[str, float, bool, str, str, int, int, int]


@dataclass(frozen=True)
class Rounds:
    """What timing found, round by round: seconds a step, and seconds of processor a step (empty
    where a GPU computes); the steps of a round; and how free the machine was meanwhile.
    """

    seconds: list[float]
    steps: int
    processor: list[float] = field(default_factory=list)
    load: Load | None = None

    @property
    def estimate(self) -> float:
        """Seconds of a step on a quiet machine, as well as the rounds tell.

        Their median if the machine was quiet, or a GPU computed. Other programs only add time: if
        it was not, the lower quartile bounds the step from above, and so do its processor seconds,
        since a step that keeps a processor busy takes no longer than that by itself. The least
        counts.
        """
        if self.load is None or self.load.quiet or not self.processor:
            return statistics.median(self.seconds)
        bounds = (float(np.quantile(self.seconds, 0.25)), statistics.median(self.processor))
        return min(bounds)


MUCH = 1.25
"""Two readings of one step time that differ by more than this factor are told."""


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step of one lane, as `Rounds.estimate` has them, and the quartiles over the
    rounds.

    `lanes` is 1 for a trial alone; in an array of K lanes `seconds` is a K-th of the array's step,
    `optimizer` is `mixed`, and `jobs` processes were doing the same at once. `processor_seconds`
    are those of one step, `others` and `pressure` those of `Load` while it was measured, and
    `quiet` says whether the machine was as good as free; None in files older than they are.
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
    processor_seconds: float | None = None
    others: float | None = None
    pressure: float | None = None
    quiet: bool | None = None

    @property
    def key(self) -> Key:
        """What it is the step time of."""
        return (
            self.network,
            self.width,
            self.scale_dense,
            self.optimizer,
            self.hyper,
            self.batch,
            self.lanes,
            self.jobs,
        )

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> StepTime:
        """The step time in a file's entry; anything else raises `ValueError` or `TypeError`."""
        facts = dict(row)
        if "tensorflow" in facts:  # as files had it when there was one engine
            facts["software"] = f"tensorflow {facts.pop('tensorflow')} float32"
        time_ = StepTime(**facts)
        for name in ("seconds", "low", "high"):
            value = getattr(time_, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 < value < math.inf
            ):
                raise ValueError(f"{name} is {value!r}, not a positive number")
        if time_.quiet not in (True, False, None):
            raise ValueError(f"quiet is {time_.quiet!r}, not true, false or null")
        if not all(
            isinstance(getattr(time_, f.name), int) for f in fields(StepTime) if f.type == "int"
        ):
            raise ValueError("batch, lanes, rounds, steps and jobs must be whole numbers")
        return time_


def key_of(trial: Trial) -> Key:
    """The key of a trial's step time alone."""
    return (
        trial.network,
        trial.width,
        trial.scale_dense,
        trial.optimizer,
        trial.hyper,
        trial.batch,
        1,
        1,
    )


def array_key(trial: Trial, lanes: int, jobs: int) -> Key:
    """The key of the trial's step time in an array of so many lanes, so many processes at once."""
    return (
        trial.network,
        trial.width,
        trial.scale_dense,
        MIXED,
        trial.hyper,
        trial.batch,
        lanes,
        jobs,
    )


class Calibration:
    """Step times of one machine and software, kept in files; others in the same file are left
    alone.

    A step time may have several readings. The last that was taken on a quiet machine counts, else
    the last; the study's own file comes before the shared one, which holds no reading of a machine
    that was not quiet.

    Args:
        paths: files to read; the first one is the study's own and wins, and `add` writes them all.
        machine: this machine.
        software: engine, version and precision, part of what a step time depends on.
        own: whether the first file is one study's alone.
    """

    def __init__(
        self, paths: Sequence[Path], machine: Machine, software: str, own: bool = True
    ) -> None:
        self.paths, self.machine, self.software, self.own = list(paths), machine, software, own
        self.readings: list[StepTime] = []
        for path in reversed(self.paths):
            self._keep(time_ for time_ in read(path) if self._mine(time_))

    def _keep(self, times: Iterable[StepTime]) -> None:
        known = set(self.readings)
        self.readings += [time_ for time_ in times if time_ not in known]
        latest = {time_.key: time_ for time_ in self.readings}
        self.times = {
            **latest,
            **{time_.key: time_ for time_ in self.readings if time_.quiet is not False},
        }

    def _mine(self, time_: StepTime) -> bool:
        return time_.fingerprint == self.machine.fingerprint and time_.software == self.software

    def seconds(self, trial: Trial) -> float | None:
        """The trial's step time alone, or None if it has not been measured."""
        found = self.times.get(key_of(trial))
        return found.seconds if found else None

    def quiet(self, trial: Trial) -> bool | None:
        """Whether the machine was quiet when the trial's step time was measured; None where that is
        not known.
        """
        found = self.times.get(key_of(trial))
        return found.quiet if found else None

    def arrays(self, trial: Trial, jobs: int) -> dict[int, StepTime]:
        """The step time of a lane by the size of the array, in each of so many processes; empty if
        not measured.
        """
        kind = array_key(trial, 0, jobs)
        return {
            key[-2]: time_ for key, time_ in self.times.items() if (*key[:-2], 0, key[-1]) == kind
        }

    def widths(self, trial: Trial, jobs: int) -> list[float]:
        """The widths of the trial's network whose arrays were measured, in each of so many
        processes.
        """
        kind = array_key(trial, 0, jobs)
        return sorted(
            {key[1] for key in self.times if (key[0], kind[1], *key[2:-2], 0, key[-1]) == kind}
        )

    def widths_alone(self, trial: Trial) -> list[float]:
        """The widths of the trial's network whose step was measured alone, all else being equal."""
        kind = key_of(trial)
        return sorted({key[1] for key in self.times if (key[0], kind[1], *key[2:]) == kind})

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """One trial for each step time that is not known yet, in order."""
        first: dict[Key, Trial] = {}
        for trial in trials:
            first.setdefault(key_of(trial), trial)
        return [trial for key, trial in first.items() if key not in self.times]

    def pin(self, seconds: Iterable[tuple[Trial, float]]) -> None:
        """Take these as step times alone, in memory: another study's rows rest on them."""
        self._keep(self.entry(key_of(trial), Rounds([value], 1)) for trial, value in seconds)

    def forget_arrays(self, trials: Iterable[Trial]) -> None:
        """Drop the step times of these trials' networks in arrays, so that the sizes are measured
        anew.
        """
        gone = {array_key(trial, 0, 0)[:6] for trial in trials}
        self.readings = [time_ for time_ in self.readings if time_.key[:6] not in gone]
        self._keep(())

    def add(self, times: Iterable[StepTime]) -> list[str]:
        """Keep the readings and write them to the files, leaving other machines' entries as they
        are; of a machine that was not quiet they stay in the study's own. Return sentences on those
        that differ much from what was known.
        """
        before, new = dict(self.times), list(times)
        self._keep(new)
        for path in self.paths:
            others = [time_ for time_ in read(path) if not self._mine(time_)]
            mine = [
                time_
                for time_ in self.readings
                if (self.own and path == self.paths[0]) or time_.quiet is not False
            ]
            path.parent.mkdir(parents=True, exist_ok=True)
            jsonl.replace(
                path,
                (
                    json.dumps([asdict(time_) for time_ in (*others, *mine)], indent=1) + "\n"
                ).encode(),
            )
        return [
            _differs(before[time_.key], time_)
            for time_ in new
            if time_.key in before and _far(before[time_.key], time_)
        ]

    def take(self, trials: Sequence[Trial], rounds: Sequence[Rounds]) -> list[str]:
        """Keep what `step_times` found of the trials; see `add`."""
        found = zip(trials, rounds, strict=True)
        return self.add(self.entry(key_of(trial), one) for trial, one in found)

    def entry(self, key: Key, rounds: Rounds) -> StepTime:
        """A `StepTime` of this machine, now, from what timing found."""
        low, high = np.quantile(rounds.seconds, [0.25, 0.75])
        load = rounds.load
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
            seconds=rounds.estimate,
            low=float(low),
            high=float(high),
            rounds=len(rounds.seconds),
            steps=rounds.steps,
            fingerprint=self.machine.fingerprint,
            software=self.software,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            processor_seconds=statistics.median(rounds.processor) if rounds.processor else None,
            others=round(load.others, 3) if load else None,
            pressure=round(load.pressure, 3) if load and load.pressure is not None else None,
            quiet=load.quiet
            if load and rounds.processor
            else None,  # what runs on the processor says little of a GPU's step
        )


def _far(before: StepTime, now: StepTime) -> bool:
    return not 1 / MUCH <= now.seconds / before.seconds <= MUCH


def _differs(before: StepTime, now: StepTime) -> str:
    what = f"{now.optimizer} on the {now.network} network" + (
        f" in arrays of {now.lanes}" if now.lanes > 1 else ""
    )
    busy = {True: ", on a quiet machine", False: ", on a busy machine", None: ""}
    return (
        f"a step of {what} takes {1e3 * now.seconds:.3g} ms now{busy[now.quiet]}, and took "
        f"{1e3 * before.seconds:.3g} ms on "
        f"{before.measured_at[:10]}{busy[before.quiet]}: rows keep the step time that they were "
        "given"
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
        raise StudyError(
            f"{path} is not a calibration ({why}): remove it, and step times are measured anew"
        ) from None
