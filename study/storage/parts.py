"""A study that is to be joined with others: its folder, and all that was read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.errors import StudyError
from study.spec.study import StudySpec
from study.spec.trial import TRIAL_FIELDS
from study.storage.across import Across, checks_of
from study.storage.checks import Checks, Curve
from study.storage.jsonl import Row, read_rows, whole_lines
from study.storage.records import RUN_FIELDS, Run
from study.storage.reference import Reference
from study.storage.step_times import StepTime, read
from study.storage.store import Store

STEP_TIMES = "calibration.json"
_KNOWN = {"schema", "id", "cap_seconds", *TRIAL_FIELDS, *RUN_FIELDS}


@dataclass(frozen=True)
class Part:
    """A study that is joined: its folder, and all that was read of it."""

    store: Store
    spec: StudySpec
    digest: str
    reference: Reference | None
    runs: list[Run]
    checks: dict[str, Checks]
    curves: list[Curve]
    spent: list[bytes]
    times: list[StepTime]
    across: list[Across]

    def __str__(self) -> str:
        return str(self.store.folder)


def part_of(store: Store) -> Part:
    """All that a folder holds. A field that this version does not know would be lost: a newer
    version's rows are refused.
    """
    spec, runs, digest = store.spec(), store.runs(), store.digest()
    list(read_rows(store.runs_path, _refuse_unknown))
    if digest is None:
        raise StudyError(f"{store.spec_path} does not tell the MD5 of its data: restore it")
    store.spent()  # refuses what is no such line
    return Part(
        store,
        spec,
        digest,
        store.reference(runs) if runs else None,  # without rows there are no seconds
        runs,
        store.checks(),
        store.curves(),
        list(filter(bytes.strip, whole_lines(store.spent_path))),
        read(store.folder / STEP_TIMES),
        checks_of(store.folder),
    )


def alike(parts: Sequence[Part], first: Sequence[Part]) -> list[Part]:
    """The parts with the first one's name for its data, where theirs has the same digest.

    A trial's id holds that name, and one file may lie at another path on every machine.
    """
    return [
        _called(part, first[0].spec.dataset)
        if first and part.digest == first[0].digest and part.spec.dataset != first[0].spec.dataset
        else part
        for part in parts
    ]


def _called(part: Part, dataset: str) -> Part:
    trials = {run.id: replace(run.trial, dataset=dataset) for run in part.runs}
    return replace(
        part,
        spec=part.spec.with_(dataset=dataset),
        runs=[replace(run, trial=trials[run.id]) for run in part.runs],
        checks={
            trials[id_].id: replace(checks, id=trials[id_].id)
            for id_, checks in part.checks.items()
            if id_ in trials
        },
        curves=[
            replace(curve, id=trials[curve.id].id) for curve in part.curves if curve.id in trials
        ],
    )


def _refuse_unknown(row: Row) -> None:
    for name in row:
        if name not in _KNOWN:
            raise StudyError(f"the field {name!r} is not known to this version")
