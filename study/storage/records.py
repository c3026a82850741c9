"""What happened: the outcome of a trial, and the run that records it as one JSON object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any

from study.errors import StudyError
from study.machine.facts import software
from study.spec.study import SPEC_FIELDS, StudySpec
from study.spec.trial import HIGHEST_RATE, LATER, LOWEST_RATE, MOST_SEEDS, OPTIMIZERS, WIDEST, Trial
from study.validation import choice, integer, number

SCHEMA = 1
"""Goes up when a reader of `runs.jsonl` must be told; readers accept every older number."""


ADDED: dict[str, Any] = {
    "device": None,
    "engine": "tensorflow",
    "precision": "float32",
    "processor": None,
    "quiet": None,
}
"""Fields that came after the first stored runs, with what those are taken to hold."""


PROTOCOL = tuple(f.name for f in fields(Trial) if f.name in SPEC_FIELDS)
"""The fields of a trial that a study's trials have in common."""


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
    """A finished trial: what was run, what happened, and where. Immutable; never dropped from a
    table.

    `seconds` is training time alone: read off the clock (`seconds_source` is `measured`) or steps x
    `step_seconds` (`reconstructed`). `steps` is None where a foreign source does not tell them;
    `accuracy` and `best_accuracy` are the metric's at the last and the best check, None where no
    check was made. `jobs` is how many processes trained at once; `device` is the GPU's UUID, or
    `cpu`; `precision` that of products on it, `float32` or `tf32`. `processor` is its model (see
    `machine.Processor`), None in rows whose machines were told apart by the processor's name alone.
    `quiet` says whether the machine was as good as free while the step time was measured, or in
    mode alone while the trial trained; None where nobody looked.
    """

    trial: Trial
    study: str
    weights: int
    multiply_adds: int
    outcome: Outcome
    steps: int | None
    seconds: float
    seconds_source: str
    step_seconds: float | None
    accuracy: float | None
    best_accuracy: float | None
    error: str | None
    lanes: int
    jobs: int
    machine: str
    fingerprint: str
    versions: Mapping[str, str]
    started_at: str
    device: str | None = None
    engine: str = "tensorflow"
    precision: str = "float32"
    processor: str | None = None
    quiet: bool | None = None

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
        trial = {f.name: getattr(self.trial, f.name) for f in fields(Trial)}
        trial["cap_seconds"] = trial.pop("cap")
        rest = {f.name: getattr(self, f.name) for f in fields(Run) if f.name != "trial"}
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
        if not isinstance(row.get("schema"), int) or not 1 <= row["schema"] <= SCHEMA:
            raise StudyError(
                f"schema {row.get('schema')!r} is not one this version reads (1 to {SCHEMA})"
            )
        try:
            row = {**LATER, **ADDED, **row}
            trial = Trial(
                **{
                    f.name: _typed("cap_seconds" if f.name == "cap" else f.name, f.type, row)
                    for f in fields(Trial)
                }
            )
            rest = {
                f.name: _typed(f.name, f.type, row)
                for f in fields(Run)
                if f.name not in ("trial", "outcome")
            }
            _sensible(trial)
            if trial.id != row["id"]:
                raise StudyError(
                    f"the id {row['id']!r} is not that of its fields ({trial.id}): the row was "
                    "altered"
                )
            return Run(trial=trial, outcome=Outcome(row["outcome"]), **rest)
        except KeyError as error:
            raise StudyError(f"the field {error} is missing") from None
        except ValueError as error:
            raise StudyError(str(error)) from None


def _sensible(trial: Trial) -> None:
    """Raise `StudyError` unless a spec could hold the trial."""
    _protocol(tuple((name, getattr(trial, name)) for name in PROTOCOL))
    choice("optimizer", trial.optimizer, OPTIMIZERS)
    number("learning rate", trial.learning_rate, low=LOWEST_RATE, high=HIGHEST_RATE)
    number("width", trial.width, low=0, high=WIDEST)
    integer("seed", trial.seed, low=0, high=MOST_SEEDS)


@cache
def _protocol(values: tuple[tuple[str, Any], ...]) -> None:
    """Raise `StudyError` unless a spec could have that protocol; a study's rows share one."""
    StudySpec(**dict(values))


TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "None": type(None),
}


@cache
def _kinds(annotation: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in annotation.split("|"))


def _typed(name: str, annotation: Any, row: Mapping[str, Any]) -> Any:
    """The row's value, if it is of the type that the field is declared with."""
    value = row[name]
    kinds = _kinds(annotation)
    if kinds == ("Mapping[str, str]",):
        fine = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    else:
        fine = any(
            isinstance(value, TYPES[kind]) and (kind == "bool" or not isinstance(value, bool))
            for kind in kinds
        )
    if (
        not fine
        or (isinstance(value, float) and not math.isfinite(value))
        or (isinstance(value, int) and abs(value) >= 2**63)
    ):
        raise StudyError(f"the field '{name}' is {value!r}, expected {annotation}")
    return float(value) if "float" in kinds and value is not None else value


@dataclass(frozen=True)
class Finish:
    """The end of one lane: `lane` is its place in the rates given to `train_lanes`; `accuracies`
    and `losses` hold one value a check.
    """

    lane: int
    outcome: Outcome
    steps: int
    seconds: float
    accuracies: tuple[float, ...]
    losses: tuple[float, ...]
