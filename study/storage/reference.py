"""The reference of a study: the machine whose step times turn its cap in seconds into steps.

Every other machine trains under the same cap in steps, so that rows from anywhere are rows of one
protocol. A row's seconds are its steps x the step time of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.jsonl import convert
from study.storage.records import Run
from study.storage.step_times import Key, StepTime, key_of, read, selected


@dataclass(frozen=True)
class Reference:
    """Whose step times count.

    Args:
        machine: the machine's name.
        fingerprint: its fingerprint.
        software: engine, version and precision, which a step time depends on.
    """

    machine: str
    fingerprint: str
    software: str

    @property
    def kind(self) -> tuple[str, str]:
        """What step times depend on, as `Site.kind`."""
        return self.fingerprint, self.software

    def __str__(self) -> str:
        return f"{self.machine} ({self.fingerprint}, {self.software})"

    def to_json(self) -> dict[str, Any]:
        """The reference as spec.json holds it."""
        return asdict(self)

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Reference:
        """The reference in spec.json; another object raises `StudyError`."""
        return convert(row, Reference, closed=True)

    @staticmethod
    def of_runs(runs: Iterable[Run]) -> Reference | None:
        """The clock of the first run whose seconds were reconstructed; None if there is none."""
        first = next((run for run in runs if run.seconds_source == "reconstructed"), None)
        if first is None:
            return None
        return Reference(first.clock_machine, first.clock, first.clock_software)


@dataclass(frozen=True)
class Clock:
    """The step times of a reference.

    Args:
        reference: whose they are.
        times: step times alone, by what was timed.
        of_rows: seconds of a step as rows tell them, for what `times` lacks.
    """

    reference: Reference
    times: Mapping[Key, StepTime]
    of_rows: Mapping[Key, float] = field(default_factory=dict)

    def seconds(self, trial: Trial) -> float | None:
        """Seconds of the trial's step; None if they are not known."""
        found = self.times.get(key_of(trial))
        return found.seconds if found else self.of_rows.get(key_of(trial))

    def quiet(self, trial: Trial) -> bool | None:
        """Whether the machine was quiet when the trial's step was timed; None if not known."""
        found = self.times.get(key_of(trial))
        return found.quiet if found else None

    @staticmethod
    def read(reference: Reference, paths: Sequence[Path], runs: Iterable[Run] = ()) -> Clock:
        """The step times of a reference.

        Args:
            reference: whose.
            paths: files of step times, the study's own first.
            runs: rows, whose own step times count where the files have none.

        Raises:
            StudyError: a file is no calibration.
        """
        readings = [time for path in reversed(paths) for time in read(path)]
        mine = [time for time in readings if (time.fingerprint, time.software) == reference.kind]
        told = {
            key_of(run.trial): run.step_seconds
            for run in runs
            if run.clock == reference.fingerprint and run.step_seconds
        }
        return Clock(reference, selected(mine), told)


def reference_in(folder: Path) -> Reference:
    """The reference that a file of step times in a folder stands for.

    Raises:
        StudyError: there is no such file, or it holds the step times of several machines.
    """
    path = folder / "calibration.json"
    found = {
        (time.fingerprint, time.software): time.machine or "another machine"
        for time in read(path)
        if time.lanes == 1
    }
    if not found:
        raise StudyError(f"{folder} holds no step times (calibration.json): run calibrate there")
    if len(found) > 1:
        listed = ", ".join(f"{name} ({', '.join(kind)})" for kind, name in found.items())
        raise StudyError(
            f"{path} holds the step times of several machines: {listed}; give the folder of a "
            "study that names its reference"
        )
    ((kind, name),) = found.items()
    return Reference(name, *kind)
