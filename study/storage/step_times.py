"""Step times: of each trial alone, and of a lane in arrays of several sizes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.jsonl import Count, Number, Positive, convert

MIXED = "mixed"
"""The optimizer in an array's step time: its lanes have several."""


Key = tuple[str, float, bool, str, str, int, int, int]


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step of one lane on one machine.

    Args:
        network, width, scale_dense, hyper, batch: what was trained.
        optimizer: `mixed` in an array, whose lanes have several.
        lanes: 1 for a trial alone. In an array of K lanes `seconds` is a K-th of the array's step.
        seconds: the estimate, see `Rounds.estimate`.
        low, high: the quartiles over the rounds, in seconds.
        rounds, steps: how many rounds were timed, of how many steps each.
        fingerprint: the machine's.
        software: engine, version and precision.
        measured_at: date and time, ISO 8601.
        jobs: how many processes did the same at once.
        processor_seconds: processor seconds of one step.
        others, pressure: how busy other programs kept the machine, see `machine.quiet.Load`.
        quiet: whether the machine was nearly free.
        machine: the machine's name. These five are None in older files.
        again: whether it was measured again while a study trained. It tells a drift, and does not
            count.
    """

    network: str
    width: Positive
    scale_dense: bool
    optimizer: str
    hyper: str
    batch: Count
    lanes: Count
    seconds: Positive
    low: Positive
    high: Positive
    rounds: Count
    steps: Count
    fingerprint: str
    software: str
    measured_at: str
    jobs: Count = 1
    processor_seconds: Number | None = None
    others: Number | None = None
    pressure: Number | None = None
    quiet: bool | None = None
    machine: str | None = None
    again: bool = False

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
    def from_json(row: dict[str, Any]) -> StepTime:
        """The step time in a file's entry.

        Raises:
            StudyError: the entry is no step time.
        """
        if "tensorflow" in row:  # as files had it when there was one engine
            row = {**row, "software": f"tensorflow {row['tensorflow']} float32"}
            del row["tensorflow"]
        return convert(row, StepTime, closed=True)


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


def one_of_each(trials: Iterable[Trial]) -> list[Trial]:
    """The first trial of each step time alone, in order."""
    first: dict[Key, Trial] = {}
    for trial in trials:
        first.setdefault(key_of(trial), trial)
    return list(first.values())


def array_key(trial: Trial, lanes: int, jobs: int, arrays: str = "") -> Key:
    """The key of the trial's step time in an array.

    Args:
        trial: one of the array's trials.
        lanes: the number of trials in the array.
        jobs: the number of processes that train at once.
        arrays: the engine that trains the array, where it is another one than counts.

    Returns:
        The key.
    """
    return (
        trial.network,
        trial.width,
        trial.scale_dense,
        f"{MIXED} {arrays}".strip(),
        trial.hyper,
        trial.batch,
        lanes,
        jobs,
    )


def selected(readings: Iterable[StepTime]) -> dict[Key, StepTime]:
    """The reading that counts of each step time: the last on a quiet machine, else the last."""
    all_ = [time for time in readings if not time.again]
    latest = {time.key: time for time in all_}
    return {**latest, **{time.key: time for time in all_ if time.quiet is not False}}


@dataclass(frozen=True)
class Drift:
    """How step times changed from the first to the last reading of each, as ratios.

    Args:
        median, least, most: over the step times with several readings.
        seconds: from the first reading of all to the last.
    """

    median: float
    least: float
    most: float
    seconds: float

    def __str__(self) -> str:
        def change(ratio: float) -> str:
            return f"{100 * (ratio - 1):+.1f} %"

        ends = f", {change(self.least)} to {change(self.most)}" if self.least < self.most else ""
        return (
            f"The step times drifted by {change(self.median)} in the median{ends}, in "
            f"{self.seconds / 60:.0f} min."
        )


def drift(readings: Iterable[StepTime], since: str) -> Drift | None:
    """What became of the step times alone while a study trained; None without a second reading.

    Args:
        readings: those of a study, in any order. Those of a busy machine do not count.
        since: when the first trial began, ISO 8601; the last reading before it is the first that
            counts.
    """
    by: dict[object, list[StepTime]] = {}
    for time in sorted(readings, key=lambda time: time.measured_at):
        if time.lanes == 1 and time.quiet is not False:
            mine = by.setdefault((time.key, time.fingerprint, time.software), [])
            if time.measured_at <= since:
                mine.clear()
            mine.append(time)
    several = [times for times in by.values() if len(times) > 1]
    if not several:
        return None
    ratios = sorted(times[-1].seconds / times[0].seconds for times in several)
    first = min(datetime.fromisoformat(times[0].measured_at) for times in several)
    last = max(datetime.fromisoformat(times[-1].measured_at) for times in several)
    return Drift(statistics.median(ratios), ratios[0], ratios[-1], (last - first).total_seconds())


def read(path: Path) -> list[StepTime]:
    """The step times in a file; none if there is no file. Raises `StudyError` for other data."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list):
            raise TypeError
        return [StepTime.from_json(row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        why = "its entries are no step times" if isinstance(error, TypeError) else error
        raise StudyError(
            f"{path} is not a calibration ({why}): remove it, and step times are measured anew"
        ) from None
