"""Joins folders of one protocol into one study.

Everything follows from what the folders hold, in the order in which they are named; no clock is
read. What is already there stays. So a merge that was killed goes on where it was, and a merge that
is repeated adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from study.errors import StudyError
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.across import add_check
from study.storage.checks import Checks
from study.storage.jsonl import append, whole_lines
from study.storage.parts import STEP_TIMES, Part, alike, part_of
from study.storage.records import Outcome
from study.storage.step_times import StepTime, read
from study.storage.store import Store


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Args:
        spec: the joined study.
        added: rows that were appended.
        duplicates: rows of trials that were already there, or in a folder before.
        agreeing: those of them with the outcome and steps of the row that was there.
        replaced: those of them that took the place of a failed run.
        missing: trials of the joined study that are stored nowhere.
    """

    spec: StudySpec
    added: int
    duplicates: int
    agreeing: int
    replaced: int
    missing: tuple[Trial, ...]


def merge(sources: Sequence[Store], out: Store) -> Merged:
    """Add to a folder what other folders of the same protocol hold.

    Args:
        sources: the folders; of a trial in several of them the first one's row counts.
        out: the folder to add to: a new one, a study, or one of the sources.

    Returns:
        What was done.

    Raises:
        StudyError: a folder is no study or cannot be read, or holds another protocol, other data,
            seconds of another reference, another engine's rows, or rows of a newer version; or
            another process writes to `out`. Nothing is added then.
    """
    home = out.folder.resolve()
    apart = {store.folder.resolve(): store for store in sources}
    parts = [part_of(store) for folder, store in apart.items() if folder != home]
    parts = alike(parts, parts[:1])
    _refuse_others(parts)
    if not parts:
        out.spec()  # a folder that is merged into itself is a study
    with out.writing():
        there, times = _there(out), read(out.folder / STEP_TIMES)
        parts = alike(parts, there)
        _refuse_others([*there, *parts])
        # The spec comes first: rows without one belong to no study.
        spec = _write_spec(out, [*there, *parts])
        _add_step_times(out, times, parts)
        merged = _add_runs(out, there, parts, spec)
        _add_curves(out, there, parts)
        _add_spent(out, there, parts)
        known = [check for part in there for check in part.across]
        for check in dict.fromkeys(check for part in parts for check in part.across):
            if check not in known:
                add_check(out.folder, check)
    return merged


def joined(specs: Sequence[StudySpec]) -> StudySpec:
    """The study whose grid holds those of all.

    Args:
        specs: studies under one protocol.

    Returns:
        The first, with the further values of the others behind its own.
    """
    return specs[0].with_(
        optimizers=tuple(dict.fromkeys(value for spec in specs for value in spec.optimizers)),
        rates=tuple(dict.fromkeys(value for spec in specs for value in spec.rates)),
        widths=tuple(dict.fromkeys(value for spec in specs for value in spec.widths)),
        seeds=max(spec.seeds for spec in specs),
    )


def _there(out: Store) -> list[Part]:
    """The study that the folder holds already, if it holds one."""
    if out.spec_path.exists():
        part = part_of(out)
        return [replace(part, reference=out.reference(part.runs))]
    if whole_lines(out.runs_path):
        raise StudyError(
            f"{out.folder} holds runs but no {out.spec_path.name} that says of what: restore it, "
            "or give another --out"
        )
    return []


def _refuse_others(parts: Sequence[Part]) -> None:
    """Raise `StudyError` unless all parts may share a study."""
    for part in parts[1:]:
        if parts[0].digest != part.digest:
            _refuse(parts[0], part, "dataset_md5", parts[0].digest, part.digest)
        for name in parts[0].spec.differences(part.spec):
            there, here = (getattr(each.spec, name) for each in (parts[0], part))
            _refuse(parts[0], part, name, there, here)
    # A cap in seconds is another number of steps on another reference.
    counted = [part for part in parts if part.reference and part.spec.cap is not None]
    for part in counted[1:]:
        there, here = counted[0].reference, part.reference
        if there and here and there.kind != here.kind:
            _refuse(counted[0], part, "reference", there, here)
    shown = {
        f"{check.engine} in {check.precision}"
        for part in parts
        for check in part.across
        if check.agrees
    }
    trained = [
        (part, means)
        for part in parts
        for means in dict.fromkeys(f"{run.engine} in {run.precision}" for run in part.runs)
    ]
    for part, means in trained[1:]:
        first, known = trained[0]
        if means != known and first is not part and not shown & {means, known}:
            _refuse(first, part, "engine", known, means)


def _refuse(first: Part, part: Part, field: str, there: object, here: object) -> None:
    raise StudyError(
        f"{first} and {part} cannot be merged: {field} is {there} in the first and {here} in the "
        "second, and must be the same"
    )


def _write_spec(out: Store, parts: Sequence[Part]) -> StudySpec:
    """Write what the folder is about; the machine is the first that is known."""
    spec = joined([part.spec for part in parts])
    reference = next((part.reference for part in parts if part.reference), None)
    out.write_spec(spec, parts[0].digest, reference)
    machines = [machine for part in parts if (machine := part.store.machine())]
    if machines and not out.machine():
        out.write(out.machine_path, machines[0])
    return spec


def _add_runs(out: Store, there: Sequence[Part], parts: Sequence[Part], spec: StudySpec) -> Merged:
    """Append the rows that are missing, in the order of the folders and of their rows."""
    kept = {run.id: run for part in there for run in part.runs}
    new: dict[str, Checks | None] = {}
    duplicates = agreeing = replaced = 0
    for part in parts:
        for run in part.runs:
            first = kept.get(run.id)
            if first is not None:
                duplicates += 1
                agreeing += (first.outcome, first.steps) == (run.outcome, run.steps)
                if first.outcome is not Outcome.FAILED or run.outcome is Outcome.FAILED:
                    continue
                replaced += 1
            kept[run.id], new[run.id] = run, part.checks.get(run.id)
    stored: Mapping[str, Checks] = there[0].checks if there else out.checks()
    for id_, checks in new.items():
        # A merge that was killed may have left the checks without their run.
        if checks is not None and checks != stored.get(id_):
            out.append_checks(checks)
        out.append(kept[id_])
    missing = tuple(trial for trial in spec.trials() if trial.id not in kept)
    return Merged(spec, len(new), duplicates, agreeing, replaced, missing)


def _add_step_times(out: Store, before: Sequence[StepTime], parts: Sequence[Part]) -> None:
    """Write the readings of all machines, each once.

    Of several readings the last in the file counts: what is there, or comes from an earlier folder,
    stays behind what comes later.
    """
    known = dict.fromkeys(before)
    for part in parts:
        known = dict.fromkeys([*(time for time in part.times if time not in known), *known])
    if len(known) > len(before):
        out.write(out.folder / STEP_TIMES, [asdict(time) for time in known])


def _add_curves(out: Store, there: Sequence[Part], parts: Sequence[Part]) -> None:
    """Add the validation curves of trials that have none of the same machine."""
    before = [curve for part in there for curve in part.curves]
    known = {(curve.id, curve.fingerprint): curve for curve in before}
    for part in parts:
        for curve in part.curves:
            known.setdefault((curve.id, curve.fingerprint), curve)
    if len(known) > len(before):
        out.write_curves([asdict(curve) for curve in known.values()])


def _add_spent(out: Store, there: Sequence[Part], parts: Sequence[Part]) -> None:
    """Append the lines that tell where time went, each as often as the folder that has it most.

    A line holds a moment and many seconds. So equal lines of two folders are one process's, which
    came by two ways.
    """
    held = Counter(line for part in there for line in part.spent)
    for part in parts:
        so_far: Counter[bytes] = Counter()
        for line in part.spent:
            so_far[line] += 1
            if so_far[line] > held[line]:
                append(out.spent_path, line + b"\n")
                held[line] += 1
