"""What happened: the outcome of a trial, and the rows that record it as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from math import isclose
from operator import attrgetter
from typing import Any

from study.errors import StudyError
from study.machine.facts import software
from study.spec.goals import is_share, sign
from study.spec.own import is_foreign, is_own
from study.spec.study import SPEC_FIELDS, StudySpec
from study.spec.trial import (
    FIELDS_ADDED_LATER,
    HIGHEST_RATE,
    LOWEST_RATE,
    MOST_SEEDS,
    OPTIMIZERS,
    WIDEST,
    Trial,
)
from study.storage.jsonl import Count, Number, Seconds, convert, known_schema
from study.validation import choice, integer, number

SCHEMA = 1
"""The version of the format of `runs.jsonl`. A reader accepts every older number.

1: the only one so far. Fields that were added later have a default in `Trial` or `Run`, which is
what the older rows are taken to hold.
"""


ALTERED = "the row was altered"
"""How a row that contradicts itself is refused."""


OF_OWN = ("start", "config", "loss", "goal", "size")
"""The fields of a trial that only a model of the user's own needs."""


OF_PROGRAMS = ("startup", "first_step")
"""The fields of a run that only a program has."""


PROTOCOL = tuple(f.name for f in fields(Trial) if f.name in SPEC_FIELDS)
"""The fields that all trials of a study have in common."""


_PROTOCOL_OF = attrgetter(*PROTOCOL)


class Outcome(StrEnum):
    """How a trial ended."""

    REACHED = "reached"
    """The accuracy met the target within the cap."""
    CAPPED = "capped"
    """The budget was spent before the target was met: a censored time."""
    DIVERGED = "diverged"
    """The loss stopped being a finite number."""
    STUCK = "stuck"
    """The trial can provably never learn again: a layer is dead on every image and nothing can move
    its weights.
    """
    PRUNED = "pruned"
    """Given up before its budget was spent, as hopeless: a choice the user made, and a censored
    time.
    """
    FAILED = "failed"
    """An error ended the trial; its text is kept."""


@dataclass(frozen=True)
class Run:
    """A finished trial: what was run, what happened, and where. Never dropped from a table.

    Args:
        trial: what was trained.
        study: the study's name.
        weights: the number of trainable weights.
        multiply_adds: multiplications, each with its addition, that classify one image.
        outcome: how the trial ended.
        steps: training steps; None if a foreign source does not state them.
        seconds: training time, and nothing else; None if a foreign source does not state it.
        seconds_source: `measured` if the clock was read, `reconstructed` if `seconds` is
            steps x `step_seconds`, `assumed` if an import takes an absent trial as capped.
        step_seconds: seconds of one step of the trial alone; None in mode alone.
        accuracy: the metric at the last check; None if there was no check.
        best_accuracy: the metric at the best check.
        error: the text of the error that ended a failed trial.
        lanes: how many trials trained in the array.
        jobs: how many processes trained at once.
        machine: the machine's name.
        fingerprint: a hash of what decides the machine's speed.
        versions: versions of the packages that the numbers depend on.
        started_at: date and time, ISO 8601.
        device: the GPU's UUID, or `cpu`.
        engine: what trained.
        precision: of products on the device, `float32` or `tf32`.
        processor: the processor's model, see `machine.facts.Processor`; None in older rows, whose
            machines were told apart by the processor's name alone.
        quiet: whether the machine was nearly free while the step time was measured, or while the
            trial trained in mode alone; None if this was not looked at.
        form: the form of the second convolution, see `study.engines.convolutions`; None in older
            rows.
        startup: seconds that a program took to its first report, which are off the clock.
        first_step: the step of that report, from which `seconds` count.
        reference, reference_machine, reference_software: fingerprint, name and software of the
            machine whose step time `step_seconds` is, where that is not the one that trained.
        arrays: what trained the array, where it is another than `engine`: `native`. The step time
            is that of `engine` all the same.
    """

    trial: Trial
    study: str
    weights: Count
    multiply_adds: Count
    outcome: Outcome
    steps: Count | None
    seconds: Seconds | None
    seconds_source: str
    step_seconds: Seconds | None
    accuracy: Number | None
    best_accuracy: Number | None
    error: str | None
    lanes: Count
    jobs: Count
    machine: str
    fingerprint: str
    versions: Mapping[str, str]
    started_at: str
    device: str | None = None
    engine: str = "tensorflow"
    precision: str = "float32"
    processor: str | None = None
    quiet: bool | None = None
    form: str | None = None
    reference: str | None = None
    reference_machine: str | None = None
    reference_software: str | None = None
    arrays: str | None = None
    startup: Seconds | None = None
    first_step: Count | None = None

    @property
    def kind(self) -> tuple[str, str]:
        """What trained, as `Site.kind`: the machine's fingerprint and the software."""
        return self.fingerprint, self.software

    @property
    def clock(self) -> str:
        """The fingerprint of the machine whose step time `step_seconds` is."""
        return self.reference or self.fingerprint

    @property
    def clock_machine(self) -> str:
        """The name of that machine."""
        return self.reference_machine or self.machine

    @property
    def clock_software(self) -> str:
        """The software of that step time."""
        return self.reference_software or self.software

    @property
    def id(self) -> str:
        """The trial's identity."""
        return self.trial.id

    @property
    def software(self) -> str:
        """The engine with its version and precision."""
        return software(self.engine, self.versions, self.precision)

    def to_json(self) -> dict[str, Any]:
        """The run as one flat JSON object; the trial's `cap` is called `cap_seconds` there."""
        trial = self.trial.values()
        for name in OF_OWN:  # which a built-in network leaves at their defaults
            if trial[name] == FIELDS_ADDED_LATER[name]:
                del trial[name]
        trial["cap_seconds"] = trial.pop("cap")
        rest = dict(zip(RUN_FIELDS, _VALUES_OF(self), strict=True))
        for name in OF_PROGRAMS:
            if rest[name] is None:
                del rest[name]
        return {
            "schema": SCHEMA,
            "id": self.id,
            **trial,
            **rest,
            "outcome": self.outcome.value,
            "versions": dict(self.versions),
        }

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Run:
        """The run in a row of `runs.jsonl`.

        Raises:
            StudyError: a schema newer than this program, a missing field, a value of the wrong
                type, or an id that is not its fields'.
        """
        known_schema(row, SCHEMA)
        for name in ("id", "cap_seconds"):
            if name not in row:
                raise StudyError(f"the field '{name}' is missing")
        row = {**row, "cap": row["cap_seconds"]}
        run = convert({**row, "trial": row}, Run)
        try:
            _check_trial(run.trial)
        except ValueError as error:
            raise StudyError(str(error)) from None
        _check_values(run)
        if run.id != row["id"]:
            raise StudyError(
                f"the id {row['id']!r} is not that of its fields ({run.id}): {ALTERED}"
            )
        return run


RUN_FIELDS = tuple(f.name for f in fields(Run) if f.name != "trial")
"""The fields of a run beside its trial."""


_VALUES_OF = attrgetter(*RUN_FIELDS)


def little_told(trial: Trial, study: str, **values: Any) -> Run:
    """The run of a trial of which a foreign source tells no more than these values."""
    usual: dict[str, Any] = {
        **{"weights": 0, "multiply_adds": 0, "outcome": Outcome.CAPPED, "lanes": 1, "jobs": 1},
        **dict.fromkeys(("steps", "seconds", "step_seconds", "accuracy", "best_accuracy", "error")),
    }
    return Run(trial=trial, study=study, **{**usual, **values})


def _check_values(run: Run) -> None:
    """Raise `StudyError` unless the values of the metric are possible, and fit the outcome."""
    trial, best = run.trial, run.best_accuracy
    if run.seconds is None and not is_foreign(trial.network):
        raise StudyError("the field 'seconds' is None, expected float")
    for name in ("accuracy", "best_accuracy"):
        value = getattr(run, name)
        if value is not None and is_share(trial.metric) and not 0 <= value <= 1:
            raise StudyError(f"the field '{name}' is {value:g}, expected a share from 0 to 1")
    side = sign(trial.goal)
    if run.outcome is Outcome.REACHED and best is not None and side * best < side * trial.target:
        raise StudyError(
            f"the outcome is reached, and the best accuracy {best:g} is "
            f"{'below' if side > 0 else 'above'} the target {trial.target:g}: {ALTERED}"
        )
    last = run.accuracy
    if best is not None and last is not None and side * last > side * best:
        raise StudyError(f"the accuracy {last:g} is better than the best, {best:g}: {ALTERED}")
    if run.seconds_source != "reconstructed":
        return
    seconds, steps, step = run.seconds, run.steps, run.step_seconds
    if seconds is None or steps is None or step is None:
        return
    if not isclose(seconds, steps * step, rel_tol=1e-6, abs_tol=step):
        raise StudyError(f"{seconds:g} seconds are not {steps} steps of {step:g} s: {ALTERED}")


def _check_trial(trial: Trial) -> None:
    """Raise `StudyError` unless a spec could hold the trial."""
    _check_protocol(_PROTOCOL_OF(trial))
    if not is_own(trial.network):
        choice("optimizer", trial.optimizer, OPTIMIZERS)
    number("learning rate", trial.learning_rate, low=LOWEST_RATE, high=HIGHEST_RATE)
    number("width", trial.width, low=0, high=WIDEST)
    integer("seed", trial.seed, low=0, high=MOST_SEEDS)


@cache
def _check_protocol(values: tuple[Any, ...]) -> None:
    """Raise `StudyError` unless a spec could have that protocol; a study's rows share one."""
    StudySpec(**dict(zip(PROTOCOL, values, strict=True)))


@dataclass(frozen=True)
class Spent:
    """A row of `spent.jsonl`: where the time of a process went.

    Args:
        seconds: wall time by the part of the work.
        in_workers: the same of the processes that trained for it.
    """

    seconds: Mapping[str, Number]
    in_workers: Mapping[str, Number] = field(default_factory=dict)
